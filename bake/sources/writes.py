"""Folders of a package that its code writes to when it runs: what images have to give their users."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from typing import Final

from bake.sources.files import load_sources

_MOST: Final = 1 << 18  # bytes of a file; larger ones are bundles
_GIVEN: Final = (
    r"(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?"
    r"(?:(['\"`])(?P<plain>[^'\"`\n${}]+)\2"
    r"|(?:path\.)?(?:join|resolve)\(\s*(?P<base>__dirname|import\.meta\.dirname|process\.cwd\(\))\s*"
    r"(?P<parts>(?:,\s*['\"][^'\"\n]+['\"])+)\s*\)"
    r"|(?P<name>[A-Za-z_]\w*)\s*[,)}\n])"
)
_CALL: Final = re.compile(
    r"\b(mkdir|mkdirSync|ensureDir|ensureDirSync|mkdirp|mkdirpSync"
    r"|writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|outputFile|outputFileSync)\s*\(\s*" + _GIVEN
)
_KEPT: Final = re.compile(
    r"\b((?:new\s+(?:\w+\.)?(?:Database|DatabaseSync|JSONFile|JSONFileSync|Level|ClassicLevel)|JSONFile(?:Sync)?Preset"
    r"|pino\.destination)\s*\(\s*|(?:filename|storage|database|url|dest|uploadDir|dirname)\s*:\s*)" + _GIVEN
)
"""What libraries keep in files: databases, logs, uploads."""
_KEEPING: Final = (
    *("Database(", "DatabaseSync(", "JSONFile", "Level(", "pino.destination", "dest:", "uploadDir", "dirname:"),
    *(".db'", '.db"', ".sqlite", ".log'", '.log"'),
)
_FOLDERS: Final = re.compile(r"(?:new\s+(?:\w+\.)?(?:Classic)?Level|dest|uploadDir|dirname)\b")
_FILE: Final = re.compile(r"\.(?:db3?|sqlite3?|log|json|jsonl|ndjson)$")
_UNCHANGED: Final = re.compile(r"[^\n;]{0,80}\b(?:readonly|readOnly|OPEN_READONLY|fileMustExist)\b")
_CALLED: Final = ("mkdir", "ensureDir", "writeFile", "appendFile", "createWriteStream", "outputFile")
"""What the name of each of these calls begins with: most texts have none."""
_VALUE: Final = (
    r"\b(?:const|let|var)\s+{name}\s*(?::\s*string\s*)?=\s*(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?"
    r"(?:(['\"`])(?P<plain>[^'\"`\n${{}}]+)\1"
    r"|(?:path\.)?(?:join|resolve)\(\s*(?P<base>__dirname|import\.meta\.dirname|process\.cwd\(\))\s*"
    r"(?P<parts>(?:,\s*['\"][^'\"\n]+['\"])+)\s*\))"
)
_SYSTEM: Final = re.compile(r"/+(?:(?:bin|boot|dev|etc|lib\w*|proc|root|run|s?bin|sys|usr)(?:/|$)|$)")
KEEPERS: Final = frozenset({".gitkeep", ".keep", ".gitignore"})
"""What keeps an empty folder in git."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Written:
    """A folder: absolute, below the one that the process starts in, or else below its package's."""

    folder: str
    from_start: bool = False


def load_written(
    root: Path, package: str, nested: frozenset[str], outputs: Sequence[tuple[str, str]]
) -> tuple[Written, ...]:
    """Return folders that a package's code makes or writes files to, sorted.

    Tests and build files do not count. nested: absolute directories of other packages. outputs: (outDir, rootDir) pairs
    of its tsconfig.json: where `__dirname` is after the build.
    """
    directory = f"{root}/{package}".rstrip("/")
    found: set[Written] = set()
    for source in load_sources(directory, nested, str(root)).values():
        if source.role == "source":
            found.update(_in_text(_read(f"{directory}/{source.path}"), _placer(directory, source.path, outputs)))
    return tuple(sorted(w for w in found if not w.folder.startswith("..") and w.folder not in {".", "/"}))


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


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace") if Path(file).stat().st_size <= _MOST else ""
    except OSError:
        return ""


def _in_text(text: str, place: Callable[[Mapping[str, str | None]], str]) -> Iterator[Written]:
    for call in _CALL.finditer(text) if any(word in text for word in _CALLED) else ():
        said = _said(call, text)
        if path := place(said):
            makes = call[1].startswith(("mkdir", "ensureDir"))
            yield _written(path, said, whole=bool(makes or (call["name"] and "." not in basename(path))))
    yield from _kept_in(text, place)


def _kept_in(text: str, place: Callable[[Mapping[str, str | None]], str]) -> Iterator[Written]:
    """Folders of the files that libraries keep: a database by its name, a log, a folder of uploads."""
    for kept in _KEPT.finditer(text) if any(word in text for word in _KEEPING) else ():
        said = _said(kept, text)
        path = place({**said, "plain": (said.get("plain") or "").removeprefix("file:") or None})
        whole = bool(_FOLDERS.match(kept[1]))
        if path and (whole or _FILE.search(path)) and not _UNCHANGED.match(text, kept.end()):
            yield _written(path, said, whole=whole)


def _said(call: re.Match[str], text: str) -> dict[str, str | None]:
    """The parts of a call's path, be it by a name that the text gives a value; {} for one that it gives none."""
    said = call.groupdict()
    if name := said.pop("name"):
        value = re.search(_VALUE.format(name=re.escape(name)), text)
        return value.groupdict() if value else {}
    return said


def _written(path: str, said: Mapping[str, str | None], *, whole: bool) -> Written:
    """whole: the path is a folder, not a file in one."""
    from_start = said.get("base") in (None, "process.cwd()")
    return Written(folder=path if whole else dirname(path) or ".", from_start=from_start)


def _placer(
    directory: str, source: str, outputs: Sequence[tuple[str, str]]
) -> Callable[[Mapping[str, str | None]], str]:
    """Where in the package a path in a source leads when it runs; "" for none in it."""
    file = f"{directory}/{source}"
    built = next((f"{out}/{file[len(src) + 1 :]}" for out, src in outputs if src and file.startswith(f"{src}/")), file)
    here = dirname(built).removeprefix(directory).strip("/")

    def place(said: Mapping[str, str | None]) -> str:
        if plain := said.get("plain"):
            return "" if ":" in plain or _SYSTEM.match(plain) else normpath(plain)
        if parts := said.get("parts"):
            words = re.findall(r"['\"]([^'\"]+)['\"]", parts)
            return normpath(join(here if said["base"] != "process.cwd()" else "", *(w.lstrip("/") for w in words)))
        return ""

    return place
