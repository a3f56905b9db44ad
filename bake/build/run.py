"""The plan's bakes, run: with lines for a person, again where the engine had bad luck, and failures explained."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from bake.build.failures import explained
from bake.build.options import Options
from bake.build.phases import run_phases
from bake.build.ready import Ready, write_plan
from bake.console import Console
from bake.display import Screen, StepLines
from bake.engine import BuildOptions, Built, Progress, StepFailedError, bad_luck, run_bake
from bake.errors import BuildError
from bake.plan import Cache, Plan
from bake.project import FOLDER
from bake.session import Session

T = TypeVar("T")
Failing = Callable[[BuildError], float]
"""Seconds to wait before a failed bake is tried again; raises the failure, in clear words, where that is no use."""

_TRIES = 3
"""How often a bake is run at most; BuildKit does again only what it lacks."""


def run_plan(
    session: Session,
    plan: Plan,
    cache: Cache,
    options: Options,
    *,
    failing: Failing | None = None,
) -> Built:
    """Build the plan's targets by what was written. failing: of a push, which may run again."""
    console = session.console
    wanted = BuildOptions(
        targets=plan.targets,
        cache=options.cache,
        pull=options.pull,
        builder=options.builder,
        sets=options.overrides,
        variables=plan.builds.variables,
    )
    watched = console.terminal and console.volume == "normal"
    show = Screen(console, plan) if watched else StepLines(console, plan)
    root, file = session.project.root, f"{FOLDER}/docker-bake.hcl"

    def run(each: BuildOptions) -> Built:
        return persist(
            lambda: run_bake(root, file, each, show.show, show.beside),
            lambda error: pause_of(error, console, failing),
            wait=session.pause,
        )

    try:
        return run_phases(plan, cache, wanted, run)
    except StepFailedError as error:
        lines, failure = explained(session.project, plan, error.step)
        for line in lines:
            console.complain(line)
        raise failure from None


def persist(run: Callable[[], T], failing: Failing, *, wait: Callable[[float], None]) -> T:
    """Run, and again after growing pauses while what failed may pass. Raises what `failing` says, or the last."""
    for attempt in range(_TRIES - 1):
        try:
            return run()
        except BuildError as error:
            pause = failing(error)
        wait(pause * 2**attempt)
    return run()


def pause_of(error: BuildError, console: Console, failing: Failing | None) -> float:
    """Seconds until the next try of a failed bake. Raises the error where there is to be none."""
    if lost := bad_luck(error):
        console.say(f"{lost}: trying again")
        return 0.0
    if failing is None:
        raise error
    return failing(error)


# --- what builds keep, taken along between machines; no build fails by it ---------------------------------


def take_states(session: Session, ready: Ready, options: Options) -> None:
    """Fill the engine's folders of builds with what earlier ones kept, where these are empty."""
    if ready.cache.taken:
        write_plan(session, ready.nameless)
        _run_beside(session, ready, options, [f"_take-{stage}" for stage in ready.cache.taken], "taken from the cache")


def give_states(session: Session, ready: Ready, options: Options, progress: Progress) -> None:
    """Push what the builds kept that ran, by the bake file that they were run with."""
    ran = {step.stage for step in progress.steps.values() if step.runs and step.intervals and not step.cached}
    if given := [f"_give-{stage}" for stage in ready.cache.given if stage in ran]:
        _run_beside(session, ready, options, given, "left in the cache")


def _run_beside(session: Session, ready: Ready, options: Options, targets: Iterable[str], what: str) -> None:
    wanted = BuildOptions(targets=tuple(targets), builder=options.builder)
    show = StepLines(session.console, ready.plan).show
    try:
        run_bake(session.project.root, f"{FOLDER}/docker-bake.hcl", wanted, show)
    except BuildError as error:
        session.console.warn(f"nothing that builds keep is {what}: {error}")
