"""A build's steps as lines for logs: each command that ran, and now and then what still runs."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

from bake.console import Console
from bake.display.titles import step_title
from bake.engine import Progress, Step
from bake.plan import Plan


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
