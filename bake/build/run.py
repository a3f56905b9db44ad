"""The plan's bakes, run: with lines for a person, again where the engine had bad luck, and failures explained."""

from collections.abc import Callable
from typing import TypeVar

from bake.build.failures import explained
from bake.build.options import Options
from bake.build.phases import run_phases
from bake.console import Console
from bake.display import Screen, StepLines
from bake.engine import BuildOptions, Built, StepFailedError, lost_snapshot, run_bake
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
    if lost_snapshot(error):
        console.say("the engine lost a snapshot while it stored an image (moby/buildkit#6521): trying again")
        return 0.0
    if failing is None:
        raise error
    return failing(error)
