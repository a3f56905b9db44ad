"""What is said to whom: results go to stdout, everything else to stderr."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bake.streams import bare, command

Volume = Literal["quiet", "normal", "verbose"]


_COLORS = {"red": 31, "yellow": 33}
"""Source: ECMA-48, select graphic rendition."""


def painted(text: str, color: Literal["red", "yellow"], environment: Mapping[str, str]) -> str:
    """The text in colour where stderr is a terminal and the user has nothing against it (no-color.org)."""
    if not sys.stderr.isatty() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return text
    return f"\x1b[1;{_COLORS[color]}m{text}\x1b[0m"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Console:
    """A person's terminal, or a CI system's log, as the environment tells."""

    environment: Mapping[str, str]
    volume: Volume = "normal"
    noted: list[str] = dataclasses.field(default_factory=list, compare=False)
    """Warnings and findings so far, for the summary."""

    @property
    def terminal(self) -> bool:
        """Whether a person watches stderr."""
        return sys.stderr.isatty() and "CI" not in self.environment

    @property
    def quiet(self) -> bool:
        """Whether the user wants to know only what went wrong."""
        return self.volume == "quiet"

    def say(self, text: str) -> None:
        """Tell the user something, unless they asked for quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def complain(self, text: str) -> None:
        """Tell what is wrong, also to a user who asked for quiet."""
        print(text, file=sys.stderr, flush=True)

    def command(self, kind: str, text: str, **properties: object) -> None:
        """Tell GitHub's runner something; see `bake.streams.command`."""
        print(command(kind, text, **properties), file=bare(sys.stderr), flush=True)

    def group(self, title: str, text: str) -> None:
        """Tell the user something long: folded away in GitHub Actions, else only to those who want to know all."""
        if self.environment.get("GITHUB_ACTIONS") and text:
            self.command("group", title)
            self.complain(text)
            self.command("endgroup", "")
            return
        self.say(title)
        if text and self.volume == "verbose":
            self.say("\n".join(f"    {line}" for line in text.splitlines()))

    def summarise(self, text: str) -> None:
        """Add to the step's summary, on GitHub. Source: docs.github.com, "Adding a job summary"."""
        file = self.environment.get("GITHUB_STEP_SUMMARY")
        if not file:
            return
        try:
            with Path(file).open("a", encoding="utf-8") as summary:
                summary.write(text)
        except OSError as error:
            self.warn(f"{file}: cannot be written ({error.strerror})")

    def warn(self, text: str) -> None:
        """Warn on stderr; in GitHub Actions as an annotation too."""
        self.noted.append(text)
        if self.environment.get("GITHUB_ACTIONS"):
            self.command("warning", f"bake: warning: {text}")
        else:
            self.complain(f"{painted('bake: warning:', 'yellow', self.environment)} {text}")
