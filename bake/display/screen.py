"""A build as a person at a terminal sees it: what ended scrolls by, what runs stands below it with its seconds."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bake.console import Console
from bake.display.titles import step_title
from bake.engine import Progress, Step
from bake.plan import Plan
from bake.streams import bare, printable

if TYPE_CHECKING:
    from rich.console import Console as Terminal
    from rich.table import Table

_MOST = 12
"""Running steps that are drawn; the rest is counted."""


class Screen:
    """Draws the steps of a build on stderr with rich, which knows of widths, resizing and NO_COLOR."""

    def __init__(self, console: Console, plan: Plan, terminal: "Terminal | None" = None) -> None:
        """terminal: another one than stderr."""
        from rich.console import Console as Terminal

        self._terminal = terminal or Terminal(file=bare(sys.stderr), highlight=False)
        self._console, self._plan = console, plan

    def show(self, step: Step) -> None:
        """Tell of a step that ended."""
        if step.runs and step.stage and not step.cached and not step.error:
            from rich.text import Text

            grid = _grid()
            grid.add_row(Text(printable(step_title(self._plan, step))), f"{step.seconds:.1f} s", style="green")
            self._terminal.print(grid)

    @contextlib.contextmanager
    def beside(self, progress: Progress) -> Iterator[None]:
        """Draw what runs while the block builds; nothing of it stays."""
        from rich.live import Live

        begun = time.time()

        def draw() -> "Table":
            return self.drawn(progress, time.time(), begun)

        with Live(get_renderable=draw, console=self._terminal, refresh_per_second=8, transient=True):
            yield

    def drawn(self, progress: Progress, now: float, begun: float) -> "Table":
        """What stands below: the running steps and how far it is. now, begun: seconds since 1970."""
        from rich.text import Text

        running = progress.running()
        grid = _grid()
        for step in running[:_MOST]:
            title = printable(f"  {step_title(self._plan, step)}")
            grid.add_row(Text(title), f"{max(0.0, now - (step.started or now)):.0f} s", style="cyan")
        grid.add_row(_counted(progress, running), f"{max(0.0, now - begun):.0f} s", style="dim")
        return grid


def _grid() -> "Table":
    """A title as wide as there is room, and seconds at the right."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    return grid


def _counted(progress: Progress, running: Sequence[Step]) -> str:
    steps = [s for s in tuple(progress.steps.values()) if s.stage and s.runs]
    done = sum(s.done for s in steps)
    more = f", {len(running) - _MOST} more run" if len(running) > _MOST else ""
    if steps and done == len(steps):
        return f"{done} steps done{more}; storing images"
    return f"{done} of {len(steps)} steps done{more}, {len(steps) - done - len(running)} wait"
