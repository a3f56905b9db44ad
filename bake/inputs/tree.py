"""The files of a workspace as they are and as they were, by git's own names for contents; nothing is read twice."""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from bake.errors import WorkspaceError

Ignores = Callable[[str], bool]
"""Whether builds do not get a path."""


class Tree(Protocol):
    """The files of a workspace at one time; paths are relative to its root."""

    def below(self, path: str, ignores: Ignores) -> Iterable[str]:
        """A file itself, or all files of a folder, that builds get."""
        ...

    def name(self, file: str) -> str:
        """What a file is: its mode and the name of its content."""
        ...


class Present:
    """The files that are there now. Raises WorkspaceError for what cannot be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, str] = {}

    def below(self, path: str, ignores: Ignores) -> Iterator[str]:
        place = self._root / path
        if place.is_symlink() or not place.is_dir():
            if os.path.lexists(place) and not ignores(path):
                yield path
            return
        try:
            names = [child.name for child in os.scandir(place)]
        except OSError as error:
            raise _unreadable(path, error) from None
        for name in names:
            if name not in {".git", "node_modules"}:
                yield from self.below(f"{path}/{name}".lstrip("/"), ignores)

    def name(self, file: str) -> str:
        if file not in self._names:
            try:
                self._names[file] = _name(self._root / file)
            except OSError as error:
                raise _unreadable(file, error) from None
        return self._names[file]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The files that were there before some changed. files: those of the changed ones that were there -> their names.

    What git ignores has no past: it counts as it is.
    """

    now: Tree
    differs: Callable[[str], bool]
    files: Mapping[str, str]

    def below(self, path: str, ignores: Ignores) -> Iterator[str]:
        yield from (file for file in self.now.below(path, lambda p: self.differs(p) or ignores(p)))
        inside = f"{path}/" if path else ""
        yield from (f for f in self.files if (f == path or f.startswith(inside)) and not ignores(f))

    def name(self, file: str) -> str:
        return self.files.get(file) or self.now.name(file)


def _unreadable(file: str, error: OSError) -> WorkspaceError:
    what = f"cannot be read ({error.strerror})"
    return WorkspaceError(file, what, "make it readable, or leave it out by workspace.ignore")


def _name(file: Path) -> str:
    """Mode and content as git has them; of the mode only what BuildKit's sender and git agree on.

    Sockets and pipes have no content. A file that somebody has removed meanwhile counts as none.
    """
    try:
        about = file.lstat()
        if stat.S_ISLNK(about.st_mode):
            return git_name("120000", os.fsencode(file.readlink()))
        if not stat.S_ISREG(about.st_mode):
            return "special"
        return git_name("100755" if about.st_mode & 0o100 else "100644", file.read_bytes())
    except FileNotFoundError:
        return ""


def git_name(mode: str, data: bytes) -> str:
    """What git calls a file of this mode and content. Source: git-hash-object(1)."""
    whole = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    whole.update(data)
    return f"{mode} {whole.hexdigest()}"
