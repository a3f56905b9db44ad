"""What the files of a workspace say, each by several readers, remembered from run to run."""

import contextlib
import functools
import hashlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from bake import __version__
from bake.files import ignore_in_git, read_file, write_file
from bake.texts.readers import Reader

T = TypeVar("T")
Stamp: TypeAlias = list[int]
"""Size in bytes, mtime and ctime in ns, inode: what tells the states of a file apart."""

_NAME: Final = "cache/texts.json"
# A file changed within this many ns before it was read may change again with the same stamp. Two seconds is the
# coarsest clock among file systems in use (FAT).
_RACY: Final = 2_000_000_000


@dataclass(slots=True, kw_only=True)
class _Row:
    """What is known of one file. stamp: [] where it may stay the same when the file changes. stored: as JSON has it."""

    stamp: Stamp
    digest: str
    stored: dict[str, Any]
    said: dict[str, Any] = field(default_factory=dict)


class Texts:
    """What each file below `root` says: as it was stored when the file is the same, else by reading it.

    The store is a file in bake's own `folder`; without a folder there is none. One that is damaged, of other readers or
    not writable costs time only. It is replaced as a whole, so that nobody ever sees half of one. What was changed just
    before this run has its values with the digest of its text alone, and is read again the next time.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self._root, self._folder = str(root), folder
        self._begun = _touch(folder) if folder else 0
        self._known = _load(folder) if folder else {}
        self._rows: dict[str, _Row] = {}
        self._changed = False

    def of(self, reader: Reader[T], path: str) -> T:
        """What the file at a path from the root says; what is no file, or cannot be read, has no text."""
        row = self._rows.get(path) or self._rows.setdefault(path, self._begin(path))
        if reader.name not in row.said:
            stored = reader.name in row.stored
            row.said[reader.name] = reader.unpack(row.stored[reader.name]) if stored else self._read(reader, path, row)
        value: T = row.said[reader.name]
        return value

    def save(self) -> None:
        """Write the store if something in it is new."""
        if self._folder is None or not self._changed:
            return
        others = {path: row for path, row in self._known.items() if path not in self._rows and self._is_there(path)}
        rows = {path: [row.stamp, row.digest, row.stored] for path, row in self._rows.items() if row.digest}
        _save(self._folder, {**others, **rows})
        self._changed = False

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(f"{self._root}/{path}")

    def _begin(self, path: str) -> _Row:
        stamp = self._stamp(path)
        before, digest, stored = self._known.get(path) or ([], "", {})
        if stamp and stamp == before:
            return _Row(stamp=stamp, digest=digest, stored=stored)
        text = self._text(path) if stamp else None
        if text is None:
            return _Row(stamp=[], digest="", stored={})
        self._changed = True
        same = digest == _digest(text)  # as in a fresh checkout: other times, same content
        settled = max(stamp[1:3]) + _RACY < self._begun
        return _Row(stamp=stamp if settled else [], digest=_digest(text), stored=stored if same else {})

    def _read(self, reader: Reader[T], path: str, row: _Row) -> T:
        text = (self._text(path) if row.digest else None) or b""
        if row.digest != _digest(text):  # it is none, or changes right now
            row.stamp, row.digest = [], ""
        value = reader.parse(path, b"" if reader.most is not None and len(text) > reader.most else text)
        row.stored[reader.name] = value
        self._changed |= bool(row.digest)
        return value

    def _stamp(self, path: str) -> Stamp:
        """What tells the states of a file apart; [] for what is none."""
        try:
            found = os.stat(f"{self._root}/{path}")  # noqa: PTH116 - of all files at each start
        except OSError:
            return []
        plain = stat.S_ISREG(found.st_mode)
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino] if plain else []

    def _text(self, path: str) -> bytes | None:
        try:
            return Path(self._root, path).read_bytes()
        except OSError:
            return None


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _touch(folder: Path) -> int:
    """The time by the clock of the file system (ns), before anything is read; 0 where nobody can write there."""
    with contextlib.suppress(OSError):
        ignore_in_git(folder)
        return (folder / ".gitignore").lstat().st_ctime_ns
    return 0


def _load(folder: Path) -> Mapping[str, list[Any]]:
    """Return path -> [stamp, sha256, values]; of a damaged store, {}."""
    try:
        head, _, body = read_file(folder, _NAME).partition(b"\n")
    except OSError:
        return {}
    known: Mapping[str, list[Any]] = json.loads(body) if head == _head(body) else {}
    return known


def _save(folder: Path, rows: Mapping[str, list[Any]]) -> None:
    body = json.dumps(rows, separators=(",", ":"), default=sorted).encode()
    with contextlib.suppress(OSError):  # a read-only workspace
        write_file(folder, _NAME, _head(body) + b"\n" + body)


def _head(body: bytes) -> bytes:
    return f"bake texts {_readers()} {_digest(body)}".encode()


@functools.cache
def _readers() -> str:
    """What tells readers apart: their code, Python's patterns and the grammar of TypeScript."""
    code = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    grammar = find_spec("tree_sitter_typescript")
    installed = Path(grammar.origin).stat() if grammar and grammar.origin else None
    stamp = (installed.st_size, installed.st_mtime_ns, installed.st_ino) if installed else ()
    return _digest(repr((__version__, sys.version, stamp, code)).encode())[:16]
