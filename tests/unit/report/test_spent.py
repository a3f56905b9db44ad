"""The words under a build's table that tell where its seconds went."""

from bake.engine import Progress, Step
from bake.plan import Plan
from bake.report import spent


def progress(*steps: Step) -> Progress:
    made = Progress()
    made.steps = {str(number): step for number, step in enumerate(steps)}
    return made


def step(stage: str, start: float, end: float, *, name: str = "", what: str = "RUN x", cached: bool = False) -> Step:
    return Step(digest=name, name=name, stage=stage, what=what, cached=cached, intervals={start: end})


def test_seconds_are_told_by_what_ran_and_overlapping_steps_count_once(example_plan: Plan) -> None:
    compiled = example_plan.builds.stages[0].name
    told = spent(
        example_plan,
        progress(
            step("install", 0, 4),
            step("dependencies-musl", 2, 6),
            step(compiled, 6, 9),
            step("layers", 9, 10),
            step("", 10, 12.5, name="[catalog-api] exporting to image"),
        ),
    )
    assert told == "installs 6.0 s, builds 3.0 s, images 1.0 s, storing 2.5 s"


def test_what_was_cached_pulled_or_over_at_once_is_not_told(example_plan: Plan) -> None:
    told = spent(
        example_plan,
        progress(
            step("install", 0, 4, cached=True),
            step("layers", 0, 30, what="FROM node:24"),
            step("layers", 1, 1.2),
            step("", 0, 9, name="[internal] load build context"),
        ),
    )
    assert told == ""
