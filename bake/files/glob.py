"""The files and folders of a workspace that a glob names: each folder is looked into once per place in the pattern."""

import os
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import isdir

from bake.files.inside import is_inside


def expand_glob(root: Path, pattern: str, *, skip: Collection[str] = ()) -> tuple[str, ...]:
    """The paths below a folder that a glob names, sorted; `**` stands for folders of any depth, links not among them.

    skip: names of folders that are not looked into. Other links are followed as far as they stay below the folder.
    """
    seen: set[tuple[str, int]] = set()
    segments = tuple(s for s in pattern.split("/") if s)
    return tuple(sorted({path for path in _matches(root, "", segments, frozenset(skip), seen) if path}))


def _matches(
    root: Path, path: str, segments: tuple[str, ...], skip: frozenset[str], seen: set[tuple[str, int]]
) -> Iterator[str]:
    if (path, len(segments)) in seen:
        return
    seen.add((path, len(segments)))
    if not segments:
        yield path
        return
    head, rest = segments[0], segments[1:]
    for entry in _entries(root, path, skip):
        inner = f"{path}/{entry.name}".lstrip("/")
        if head == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _matches(root, inner, segments, skip, seen)
        elif fnmatchcase(entry.name, head) and (not rest or _is_folder(root, inner, entry)):
            yield from _matches(root, inner, rest, skip, seen)
    if head == "**":
        yield from _matches(root, path, rest, skip, seen)


def _is_folder(root: Path, path: str, entry: os.DirEntry[str]) -> bool:
    return isdir(entry.path) and (not entry.is_symlink() or is_inside(root, path))


def _entries(root: Path, path: str, skip: frozenset[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(root / path) as found:
            entries = list(found)
    except OSError:
        return
    yield from (entry for entry in entries if entry.name not in skip)
