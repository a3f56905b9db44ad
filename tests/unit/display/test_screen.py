"""What a person sees of a build: names of packages and commands, drawn as wide as the terminal is."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console as Terminal

from bake.console import Console
from bake.display.screen import Screen
from bake.display.titles import step_title
from bake.engine import Progress, Step
from bake.plan import Plan

BEGUN = 1_767_225_600.0  # 2026-01-01


def step(stage: str, what: str, platform: str = "") -> Step:
    return Step(digest=stage, name=stage, stage=stage, what=what, platform=platform)


@pytest.mark.parametrize(
    ("what", "platform", "title"),
    [
        ("RUN --mount=type=cache,target=/x npm run build", "", "packages/shared: npm run build"),
        ("RUN npm run build", "linux/amd64", "packages/shared: npm run build"),
    ],
)
def test_a_build_is_called_by_its_package_and_script(example_plan: Plan, what: str, platform: str, title: str) -> None:
    (stage,) = (s.name for s in example_plan.builds.stages if s.package == "packages/shared")
    assert step_title(example_plan, step(stage, what, platform)) == title
    (output,) = (o.name for o in example_plan.outputs if o.package == "packages/shared")
    assert step_title(example_plan, step(f"out-{output}", what)) == "packages/shared: its files in images"
    unpacked = step(f"modules-{stage}", "RUN --network=none node /bake/unpack.mjs /bake/packs /app")
    assert step_title(example_plan, unpacked) == "packages/shared: its dependencies"
    declared = step(f"declared-{stage}", "RUN node /bake/declare.mjs --tree /app --package packages/shared")
    assert step_title(example_plan, declared) == "packages/shared: its declarations"
    builds = example_plan.builds
    stages = tuple(replace(s, script="tsc -b", is_command=True) if s.name == stage else s for s in builds.stages)
    plan = replace(example_plan, builds=replace(builds, stages=stages))
    assert step_title(plan, step(stage, what, platform)) == "packages/shared: tsc -b"


@pytest.mark.parametrize(
    ("stage", "what", "platform", "title"),
    [
        ("install", "RUN CI=true npm ci --ignore-scripts", "linux/amd64", "workspace: npm ci"),
        ("install", "RUN node '/app/.yarn/yarn-4.cjs' install --immutable", "linux/amd64", "workspace: npm install"),
        ("tracer", "RUN npm ci --omit=optional || { echo 'x' >&2; exit 1; }", "", "tracer of files: npm ci"),
        ("dependencies-musl", "RUN npm ci --omit=dev", "", "production dependencies (musl): npm ci"),
        ("layers", "RUN node /bake/x", "linux/amd64->arm64", "layers of dependencies (arm64)"),
        ("dependencies", "RUN npm ci", "linux/amd64", "production dependencies: npm ci (amd64)"),
        ("homes", "RUN mkdir -p /bake/out/api/app && chown x", "linux/amd64", "folders that processes write to"),
        ("something", "COPY a b", "", "something: files of the workspace"),
        ("something", "LINK COPY --link --from=build-packages-shared /a /b", "", "something: files of packages/shared"),
    ],
)
def test_other_steps_are_called_by_what_they_are_about(
    example_plan: Plan, stage: str, what: str, platform: str, title: str
) -> None:
    assert step_title(example_plan, step(stage, what, platform)) == title


def progress(*vertexes: Mapping[str, str]) -> Progress:
    made = Progress()
    made.feed(json.dumps({"vertexes": vertexes}))
    return made


INSTALL = {"digest": "a", "name": "[install 3/3] RUN npm ci", "started": "2026-01-01T00:00:00Z"}
WAITS = {"digest": "b", "name": "[layers 2/2] RUN node /bake/carve"}
DONE = {
    "digest": "c",
    "name": "[homes 2/2] RUN mkdir -p /bake/out/api",
    "started": "2026-01-01T00:00:00Z",
    "completed": "2026-01-01T00:00:01.5Z",
}


def drawn(plan: Plan, made: Progress, *, width: int = 60, **options: bool) -> str:
    paper = io.StringIO()
    terminal = Terminal(file=paper, width=width, force_terminal=True, **options)  # type: ignore[arg-type]
    screen = Screen(Console(environment={}), plan, terminal)
    terminal.print(screen.drawn(made, BEGUN + 12, BEGUN))
    for each in made.steps.values():
        if each.done:
            screen.show(each)
    return paper.getvalue()


def test_what_runs_stands_with_its_seconds_above_how_far_it_is(example_plan: Plan) -> None:
    text = drawn(example_plan, progress(INSTALL, WAITS, DONE), no_color=True, color_system=None)  # type: ignore[arg-type]
    assert [line.split() for line in text.splitlines()] == [
        ["workspace:", "npm", "ci", "12", "s"],
        ["1", "of", "3", "steps", "done,", "1", "wait", "12", "s"],
        ["folders", "that", "processes", "write", "to", "1.5", "s"],
    ]


def test_a_narrow_terminal_cuts_titles_and_keeps_the_seconds(example_plan: Plan) -> None:
    lines = drawn(example_plan, progress(INSTALL, WAITS, DONE), width=20, no_color=True).splitlines()
    assert all("…" in line and line.rstrip("\x1b[0m").rstrip().endswith("s") for line in lines)


def test_names_of_a_strangers_packages_are_text_and_no_markup(example_plan: Plan) -> None:
    odd = INSTALL | {"name": "[install 3/3] RUN echo [bold]x[/bold]"}
    assert "[bold]x[/bold]" in drawn(example_plan, progress(odd))


def test_when_all_steps_are_done_images_are_being_stored(example_plan: Plan) -> None:
    assert "1 steps done; storing images" in drawn(example_plan, progress(DONE))


def test_a_step_that_a_cache_had_is_not_told(example_plan: Plan, tmp_path: Path) -> None:
    paper = io.StringIO()
    screen = Screen(Console(environment={}), example_plan, Terminal(file=paper))
    screen.show(Step(digest="a", name="a", stage="install", what="RUN npm ci", cached=True))
    assert paper.getvalue() == ""
