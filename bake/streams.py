"""What leaves on stdout and stderr: no text of others moves a terminal's cursor or commands a CI system."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

_OWN = r"\x1b\[(?:1;3[13]|0)m"
"""The colours that bake itself writes."""
_ESCAPE = re.compile(
    rf"({_OWN})|\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""Escape sequences (ECMA-48), control characters, and marks that turn the direction of text (Unicode TR 36)."""


def printable(text: str) -> str:
    """The text without anything that acts on a terminal."""
    return _ESCAPE.sub(lambda found: found[1] or "", text)


class Guarded:
    """A stream whose texts are plain; `commands`: a CI system takes lines that begin with `::` for commands.

    Source: actions/runner, src/Runner.Common/ActionCommand.cs: `::` after blanks, or `##[` anywhere.
    """

    def __init__(self, stream: TextIO, *, commands: bool) -> None:
        self.bare = stream
        self._commands = commands
        self._begins = True

    def write(self, text: str) -> int:
        """Write what is left of the text."""
        safe = printable(text)
        if self._commands:
            safe = "".join(map(self._harmless, safe.splitlines(keepends=True)))
        encoding = self.bare.encoding or "utf-8"
        # Names of files may hold bytes that are not text.
        self.bare.write(safe.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def _harmless(self, line: str) -> str:
        begins, blank = self._begins, not line.strip()
        self._begins = line.endswith("\n") or (begins and blank)
        line = line.replace("##[", "## [")
        return re.sub(r"^(\s*:)(?=:)", r"\1 ", line) if begins else line

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)


def bare(stream: TextIO) -> TextIO:
    """The stream itself, for what bake writes on purpose."""
    found: TextIO = getattr(stream, "bare", stream)
    return found


@contextlib.contextmanager
def guarded(environment: Mapping[str, str]) -> Iterator[None]:
    """Let nothing but plain text out while the block runs."""
    before = sys.stdout, sys.stderr
    commands = bool(environment.get("GITHUB_ACTIONS"))
    sys.stdout, sys.stderr = (Guarded(each, commands=commands) for each in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def command(kind: str, text: str, **properties: object) -> str:
    """A line that commands GitHub's runner. Source: actions/toolkit, packages/core/src/command.ts."""
    told = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items())
    return f"::{kind}{f' {told}' if told else ''}::{_escaped(printable(text))}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in text)
