"""The script files of a package and what each imports, remembered from run to run."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import isdir, islink, splitext
from typing import Any, Final, Literal, NamedTuple

from bake.files import is_below, read_file, write_file
from bake.sources.scan import COMPONENTS, SCRIPTS, VERSION, Found, scan

Role = Literal["source", "build", "test"]
Stamp = tuple[int, int, int, int]


class Source(NamedTuple):
    """A script file: its path relative to the package, who loads it, and what tells its states apart.

    stamp: size in bytes, mtime and ctime in ns, inode.
    """

    path: str
    role: Role
    stamp: Stamp


_SUFFIXES: Final = SCRIPTS | COMPONENTS
_SKIPPED: Final = frozenset({"node_modules", "bower_components", "coverage", "__snapshots__"})
_TEST_DIRECTORIES: Final = frozenset(
    {"__e2e__", "__fixtures__", "__mocks__", "__tests__", "cypress", "e2e", "fixtures", "stories", "test", "tests"}
)
_TEST_FILE: Final = re.compile(
    r"\.(?:(?!latest\.)\w*test|spec|e2e|stories|story|bench|cy|test-\w+)\.\w+$|\.d\.(?:\w+\.)?[mc]?ts$"
)
# Only at the package's top: src/scripts is as good a place for a process as any.
_BUILD_DIRECTORIES: Final = frozenset({"bench", "benchmarks", "scripts", "tools"})
_BUILD_FILE: Final = re.compile(
    r"\.(?:conf|config|setup|workspace)\.\w+$|^(?:vitest|jest|webpack|rollup|playwright|cypress)\.config\.|^(?:gulp|grunt)file\.\w+$",
    re.I,
)
_BUILD_SCRIPT: Final = re.compile(r"(?:build|bundle|codegen|compile|esbuild)(?:[.-][\w-]+)*\.[cm]?[jt]s")
"""Beside package.json; `src/build.ts` may be what a process runs."""


def load_sources(directory: str, nested: frozenset[str], root: str) -> Mapping[str, Source]:
    """Return the script files under an absolute directory by path, sorted.

    Not looked into are `nested` (the directories of other packages), node_modules, hidden directories and
    projects of their own (a template with a package.json), nor is what a link leads to out of the workspace at `root`.
    """
    return {s.path: s for s in sorted(_walk(directory, "", "source", nested)) if _is_own(f"{directory}/{s.path}", root)}


def _is_own(file: str, root: str) -> bool:
    return not islink(file) or is_below(Path(root), file)


def _walk(directory: str, below: str, role: Role, nested: frozenset[str]) -> Iterator[Source]:
    try:
        found = list(os.scandir(f"{directory}/{below}"))
    except OSError:
        return
    if below and any(one.name == "package.json" for one in found) and _is_project(f"{directory}/{below}"):
        return
    for one in found:
        path = below + one.name
        if one.name.startswith("."):
            continue
        # An entry's own is_dir() raises for a link to itself.
        if splitext(one.name)[1] in _SUFFIXES and not isdir(one.path):
            yield from _source(one, path, role)
        elif one.name not in _SKIPPED and f"{directory}/{path}" not in nested and one.is_dir(follow_symlinks=False):
            yield from _walk(directory, f"{path}/", _directory_role(path, one.name, role), nested)


def _is_project(directory: str) -> bool:
    """Return whether a nested package.json starts a project, rather than say `"type": "commonjs"`."""
    try:
        manifest = json.loads(Path(directory, "package.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and "name" in manifest and not {"version", "dependencies"}.isdisjoint(manifest)


def _source(one: os.DirEntry[str], path: str, above: Role) -> Iterator[Source]:
    try:
        stat = one.stat()
    except OSError:  # a link to nowhere, or gone since
        return
    if one.is_file():
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        yield Source(path, "build" if _BUILD_SCRIPT.fullmatch(path) else _file_role(one.name, above), stamp)


def _directory_role(path: str, name: str, above: Role) -> Role:
    if above == "test" or name in _TEST_DIRECTORIES:
        return "test"
    return "build" if above == "build" or path in _BUILD_DIRECTORIES else "source"


def _file_role(name: str, above: Role) -> Role:
    if above == "test" or _TEST_FILE.search(name):
        return "test"
    return "build" if above == "build" or _BUILD_FILE.search(name) else "source"


# A file changed within this many ns before the cache was written may have changed again with the same stamp.
# Two seconds is the coarsest clock among file systems in use (FAT).
_RACY = 2_000_000_000


class Scans:
    """What each source of one package imports: from the cache when the file is the same, else by reading it.

    `name` below bake's own `folder` holds the cache; without a folder there is none. A cache that is damaged, of
    another version or not writable costs time only. It is replaced as a whole, so that readers never see half of one.
    """

    def __init__(self, directory: str, folder: Path | None, name: str = "") -> None:
        self._directory, self._folder, self._name = directory, folder, name
        self._known, self._written = _load(folder, name) if folder else ({}, 0)
        self._changed = False
        self._fresh: dict[str, list[Any]] = {}

    def of(self, source: Source) -> tuple[Found, ...]:
        """Return the imports of one source; of an unreadable file, none."""
        row = self._fresh.get(source.path) or self._remembered(source)
        if row is None:
            self._changed = True
            row = self._read(source)
        self._fresh[source.path] = row
        return tuple(Found(*found) for found in row[2])

    def save(self) -> None:
        """Write the cache if something in it is new."""
        if self._folder is not None and self._changed:
            _save(self._folder, self._name, self._known | self._fresh)
            self._changed = False

    def _remembered(self, source: Source) -> list[Any] | None:
        row = self._known.get(source.path)
        if row is None or row[0] != list(source.stamp):
            return None
        return row if max(source.stamp[1:3]) + _RACY < self._written else None

    def _read(self, source: Source) -> list[Any]:
        try:
            content = Path(self._directory, source.path).read_bytes()
        except OSError:
            return [[], "", []]
        digest = hashlib.sha256(content).hexdigest()
        known = self._known.get(source.path)
        if known is not None and known[1] == digest:  # a fresh checkout: other times, same content
            return [list(source.stamp), digest, known[2]]
        found = scan(content.decode("utf-8", "replace"), suffix=splitext(source.path)[1])
        return [list(source.stamp), digest, [list(one) for one in found]]


def _load(folder: Path, name: str) -> tuple[dict[str, list[Any]], int]:
    """Return path -> [stamp, sha256, imports], and when the file was written (ns); of a damaged file, {}."""
    try:
        written = (folder / name).lstat().st_mtime_ns
        head, _, body = read_file(folder, name).partition(b"\n")
    except OSError:
        return {}, 0
    return (json.loads(body), written) if head == _head(body) else ({}, 0)


def _head(body: bytes) -> bytes:
    return f"bake imports {VERSION} {hashlib.sha256(body).hexdigest()}".encode()


def _save(folder: Path, name: str, rows: Mapping[str, list[Any]]) -> None:
    body = json.dumps(rows, separators=(",", ":")).encode()
    with contextlib.suppress(OSError):  # a read-only workspace
        write_file(folder, name, _head(body) + b"\n" + body)
