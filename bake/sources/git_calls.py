"""Where the build of a package asks git for its commit or version: no build has the repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bake.lockfile import steps
from bake.shell import parse_line
from bake.workspace import Package

_ASKED: Final = "rev-parse|describe|log|show|rev-list|symbolic-ref|name-rev|branch|status|tag"
_CALL: Final = re.compile(rf"\bgit (?:-\S+ )*(?:{_ASKED})\b|[\"'`]git[\"'`]\s*,\s*\[\s*[\"'`](?:{_ASKED})\b")
_MOST: Final = 1 << 18  # bytes of a file; larger ones are data


def load_git_call(root: Path, package: Package, script: str) -> str:
    """Return the first place where git is asked, as `file` or `file:line`, "" for none.

    Looked at are the build's scripts, the files that they name and settings of tools at the package's top.
    """
    names = tuple(text for name in (f"pre{script}", script, f"post{script}") for text in steps(package.scripts, name))
    if any(map(_CALL.search, names)):
        return package.file("package.json")
    words = (word for text in names for step in parse_line(text) for word in step.words)
    return next(filter(None, (_place(root, package.file(file)) for file in _files(root / package.path, words))), "")


def _files(folder: Path, words: Iterator[str]) -> Iterator[str]:
    inside = (word.removeprefix("./") for word in words if not word.startswith(("/", "-")) and ".." not in word)
    yield from (word for word in inside if (folder / word).is_file())
    yield from sorted(file.name for file in folder.glob("*.config.*") if file.is_file())


def _place(root: Path, file: str) -> str:
    path = root / file
    text = path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= _MOST else ""
    found = _CALL.search(text)
    return f"{file}:{text.count(chr(10), 0, found.start()) + 1}" if found else ""
