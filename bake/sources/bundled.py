"""Whether a package's build puts the devDependencies that it imports into its output, as some bundlers do."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from posixpath import basename, normpath
from typing import Any, Final

from bake.files import read_text
from bake.lockfile import steps
from bake.shell import parse_line, unwrap
from bake.workspace import Package

# All but the dependencies go into what tsup and tsdown write (https://tsup.egoist.dev/#excluding-packages); ncc and
# `esbuild --bundle` leave nothing out. Settings and options that say otherwise are not weighed: then nobody knows.
_OTHERWISE: Final = re.compile(
    r"\bexternal\b|skip-?node-?modules|\bno-bundle\b|\bbundle\W+false|plugins|\bunbundle\b|--packages", re.I
)
_SETTINGS: Final = ("tsup.config.*", "tsdown.config.*")
_MAKE_NO_CODE: Final = frozenset(
    {"rm", "rimraf", "del", "del-cli", "shx", "cp", "cpx", "cpy", "copyfiles", "mkdir", "echo", "chmod"}
)


def load_bundles(root: Path, package: Package, script: str, entries: Sequence[str], sources: Iterable[str]) -> bool:
    """Tell whether what a package runs is made by its build alone, and by a bundler that takes devDependencies in.

    entries: files that its processes start with, relative to it; a library's are those that package.json names.
    """
    made = {normpath(path) for path in entries or _named(package)}
    if not made or not made.isdisjoint(sources):
        return False
    commands = [step.words for text in steps(package.scripts, script) for step in parse_line(text)]
    makers = [words for words in map(_plain, commands) if words and not _makes_no_code(words)]
    return bool(makers) and all(map(_takes_in, makers)) and not any(map(_OTHERWISE.search, _settings(root, package)))


def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    return unwrap(words).words


def _makes_no_code(words: Sequence[str]) -> bool:
    name = basename(words[0])
    return name in _MAKE_NO_CODE or (name == "tsc" and bool({"--noEmit", "--emitDeclarationOnly"} & {*words}))


def _takes_in(words: Sequence[str]) -> bool:
    name = basename(words[0])
    known = (
        name in {"tsup", "tsdown"}
        or (name == "ncc" and "build" in words)
        or (name == "esbuild" and "--bundle" in words)
    )
    return known and not any(map(_OTHERWISE.search, words)) and not any(w.startswith(("--config", "-c")) for w in words)


def _settings(root: Path, package: Package) -> Iterator[str]:
    folder = root / package.path
    for file in sorted(file for pattern in _SETTINGS for file in folder.glob(pattern)):
        yield (read_text(root, file.relative_to(root).as_posix()) or "external").replace("noExternal", "")
    yield str(package.manifest.get("tsup", "")).replace("noExternal", "")


def _named(package: Package) -> Iterator[str]:
    """The files that a package has for others."""
    yield from _texts([package.manifest.get(key) for key in ("main", "module", "exports", "bin")])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
