"""A build's steps as a person reads them: a line for each command that ran, and why a failed one failed."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Sequence

from bake.build.hints import Failed, install_remedy, remedy
from bake.build.titles import plain, step_title
from bake.console import Console
from bake.engine import Progress, Step
from bake.errors import BuildError
from bake.plan import Plan, Project
from bake.workspace import shown

_CARVE = "carve: "
"""What a line of docker/carve about a mistake begins with."""


class StepLines:
    """Steps as lines for logs: each command that ran, with its output grouped below it."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console, self.plan = console, plan

    def show(self, step: Step) -> None:
        """Report a step that ended."""
        if self.console.volume == "quiet" or not step.stage or step.error:
            return
        if step.cached:
            if self.console.volume == "verbose":
                self._line(step, "cached")
        elif step.runs or self.console.volume == "verbose":
            self._line(step, f"{step.seconds:.1f} s")

    @contextlib.contextmanager
    def beside(self, progress: Progress) -> Iterator[None]:
        """Say now and then what is still running: logs of a long install look dead otherwise."""
        ended = threading.Event()

        def tell() -> None:
            while not ended.wait(_PULSE):
                if line := still_running(self.plan, progress.running(), time.time()):
                    self.console.say(line)

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _line(self, step: Step, note: str) -> None:
        head = f"{step_title(self.plan, step)} [{note}]"
        self.console.group(head, "".join(step.log).rstrip())


_PULSE = 30.0
"""Seconds between two lines about what is still running."""
_LONG = 10.0
"""Seconds from which on a running step is worth a word."""


def still_running(plan: Plan, steps: Sequence[Step], now: float) -> str:
    """A line that names the steps that take long, with their seconds, "" without any. now: seconds since 1970."""
    taken = ((s, now - (s.started or now)) for s in steps)
    text = ", ".join(f"{step_title(plan, s)} {seconds:.0f} s" for s, seconds in taken if seconds >= _LONG)
    return f"still running: {text}" if text else ""


def explained(project: Project, plan: Plan, step: Step) -> tuple[tuple[str, ...], BuildError]:
    """The failed step in the words of the workspace: its lines that tell, and the package and its script."""
    lines = "".join(step.log).rstrip().splitlines()
    if said := [line.removeprefix(_CARVE) for line in lines if line.startswith(_CARVE)]:
        return _carved(said)
    return tuple(f"    {line}" for line in telling(lines)), _named(project, plan, step, lines)


def _named(project: Project, plan: Plan, step: Step, lines: Sequence[str]) -> BuildError:
    stage = next((s for s in plan.builds.stages if s.name == step.stage), None)
    code = re.search(r"exit code: (\d+)", step.error)
    ending = f"failed with exit code {code[1]}" if code else f"failed ({step.error})"
    if stage is None:
        command = plain(step.what).removeprefix("RUN ")
        return BuildError(step.stage, f"`{command}` {ending}", install_remedy(lines))
    what = f"`{plan.install.manager.name} run {stage.script}` {ending}"
    root = project.root
    failed = Failed(
        workspace=project.workspace,
        stage=stage,
        root_files=project.root_files,
        exists=lambda path: (root / path).exists(),
    )
    return BuildError(shown(stage.package), what, remedy(failed, lines))


def _carved(said: Sequence[str]) -> tuple[tuple[str, ...], BuildError]:
    """What docker/carve found wrong, a line per mistake; the last one ends the run."""
    where, _, what = said[-1].partition(": ")
    return tuple(f"bake: error: {line}" for line in said[:-1]), BuildError(where, what)


_MOST = 60
_ERROR = re.compile(r"\b(?:\w*[Ee]rror|ERR_\w+|ERR!|Cannot find)\b")


def telling(lines: Sequence[str]) -> Sequence[str]:
    """The lines to show of a failed script: the last, and those from the first error on where it lies above them."""
    first = next((at for at, line in enumerate(lines) if _ERROR.search(line)), len(lines))
    if first >= len(lines) - _MOST:
        return lines[-_MOST:]
    return (*lines[first : first + _MOST // 2], "…", *lines[-_MOST // 2 :])
