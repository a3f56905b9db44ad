"""Folders of a package that its code writes to when it runs: what images have to give their users."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from typing import Final

from bake.sources.files import load_sources
from bake.texts import WRITES, Texts, Write

_FILE: Final = re.compile(r"\.(?:db3?|sqlite3?|log|json|jsonl|ndjson)$")
_STATE: Final = re.compile(r"\.(?:db3?|sqlite3?|log)$")
"""What only a process that runs makes: for these its package's own folder is writable, be there code or not."""
_SYSTEM: Final = re.compile(r"/+(?:(?:bin|boot|dev|etc|lib\w*|proc|root|run|s?bin|sys|usr)(?:/|$)|$)")
KEEPERS: Final = frozenset({".gitkeep", ".keep", ".gitignore"})
"""What keeps an empty folder in git."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Written:
    """A folder: absolute, below the one that the process starts in, or else below its package's.

    kept: a library keeps its files there: processes do write them, whichever package's code says so.
    """

    folder: str
    from_start: bool = False
    kept: bool = False


def load_written(
    root: Path, package: str, nested: frozenset[str], outputs: Sequence[tuple[str, str]], texts: Texts | None = None
) -> tuple[Written, ...]:
    """Return folders that a package's code makes or writes files to, sorted.

    Tests and build files do not count. nested: absolute directories of other packages. outputs: (outDir, rootDir) pairs
    of its tsconfig.json: where `__dirname` is after the build. texts: what files say.
    """
    directory, texts = f"{root}/{package}".rstrip("/"), texts or Texts(root)
    found: set[Written] = set()
    for source in load_sources(directory, nested, str(root)).values():
        if source.role == "source":
            place = _placer(directory, source.path, outputs)
            writes = texts.of(WRITES, f"{package}/{source.path}".lstrip("/"))
            found.update(_written(writes, place))
    return tuple(sorted(w for w in found if not w.folder.startswith("..") and w.folder != "/"))


def kept_empty(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that git has only because a file says so: they are filled when the process runs."""
    inside: dict[str, list[str]] = {}
    for path in sources:
        for folder in _above(path):
            inside.setdefault(folder, []).append(path)
    keepers = {folder: files[0] for folder, files in inside.items() if len(files) == 1}
    return tuple(sorted(f for f, file in keepers.items() if dirname(file) == f and basename(file) in KEEPERS))


def _above(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path


def _written(writes: Iterable[Write], place: Callable[[Write], str]) -> Iterator[Written]:
    for write in writes:
        path = place(write)
        if path and (not write.kept or write.folder or _FILE.search(path)):
            whole = write.folder or (write.named and "." not in basename(path))
            folder = path if whole else dirname(path) or "."
            if folder != "." or (write.kept and _STATE.search(path)):
                from_start = write.base in (None, "process.cwd()")
                yield Written(folder=folder, from_start=from_start, kept=write.kept)


def _placer(directory: str, source: str, outputs: Sequence[tuple[str, str]]) -> Callable[[Write], str]:
    """Where in the package a path in a source leads when it runs; "" for none in it."""
    file = f"{directory}/{source}"
    built = next((f"{out}/{file[len(src) + 1 :]}" for out, src in outputs if src and file.startswith(f"{src}/")), file)
    here = dirname(built).removeprefix(directory).strip("/")

    def place(write: Write) -> str:
        if plain := write.plain:
            return "" if ":" in plain or _SYSTEM.match(plain) else normpath(plain)
        if write.parts:
            words = re.findall(r"['\"]([^'\"]+)['\"]", write.parts)
            return normpath(join(here if write.base != "process.cwd()" else "", *(w.lstrip("/") for w in words)))
        return ""

    return place
