"""Names of packages that the files of a workspace package mention: what its build may load without declaring it."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import isfile, islink, splitext
from typing import Final

from bake.files import begun_by, is_below
from bake.sources.files import load_sources
from bake.sources.scan import COMPONENTS, SCRIPTS

_OTHERS: Final = frozenset({".astro", ".css", ".html", ".json", ".json5", ".jsonc", ".less", ".mdx", ".sass", ".scss"})
_SUFFIXES: Final = SCRIPTS | COMPONENTS | _OTHERS | {".yaml", ".yml"}
_SKIPPED: Final = frozenset({"node_modules", "bower_components", "coverage", "dist"})
_LOCKFILES: Final = frozenset({"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml"})  # they name everything
_MOST: Final = 1 << 18  # bytes of a file; larger ones are data
_QUOTED = re.compile(rb"""["'`](@[\w.-]+/[\w.-]+|\w[\w.-]*)["'`/]""")


def load_mentions(directory: Path, nested: frozenset[str], root: Path) -> frozenset[str]:
    """Return every text in quotes that may name a package, in the files below a directory.

    Code, styles and settings count, tests too: more than a build loads does no harm, less does. nested: absolute
    directories of other packages, which are not looked into, as little as links out of the workspace at `root`.
    """
    found: set[bytes] = set()
    for file in _files(str(directory), nested):
        if islink(file) and not is_below(root, file):
            continue
        found.update(_QUOTED.findall(_read(file)))
    return _decoded(found)


_VALUE = re.compile(rb""":\s*['"`](@[\w.-]+/[\w.-]+|[\w][\w.-]*)['"`]""")
_KEY = re.compile(
    rb"\b(?:target|transport|driver|dialect|client|adapter|engine|provider|plugin|preset|loader|store|module)"
    rb"""\w*['"]?\s*\Z"""
)
_LONGEST: Final = 80  # bytes before a colon that a key is looked for in
_RESOLVED = begun_by(b"require", rb"""\.resolve\(\s*['"`](@[\w.-]+/[\w.-]+|[\w][\w.-]*)['"`/]""")


_CHOSEN: Final = tuple(begun_by(word, rb"\s*\(\s*(?:/\*[^*]*\*/\s*)?[A-Za-z_$`(]") for word in (b"import", b"require"))
"""Code that loads what a variable names."""


_OF_SCRIPTS = re.compile(rb"npm_package_\w+")
"""Variables that package managers give the process of a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What code that runs has in quotes. taken: of it what stands where libraries take the name of a package, a
    logger's transport, the driver of a database. chosen: what stands in a file that loads what a variable names.
    variables: those it names of the ones that a package manager gives a script."""

    quoted: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


def load_named(directory: Path, nested: frozenset[str], root: Path) -> Named:
    """Return what code that runs has in quotes. Tests and build files do not count."""
    quoted: set[bytes] = set()
    named: set[bytes] = set()
    chosen: set[bytes] = set()
    variables: set[bytes] = set()
    for source in load_sources(str(directory), nested, str(root)).values():
        if source.role == "source":
            text = _read(f"{directory}/{source.path}")
            here = _QUOTED.findall(text)
            quoted.update(here)
            variables.update(_OF_SCRIPTS.findall(text))
            chosen.update(here if any(pattern.search(text) for pattern in _CHOSEN) else ())
            named.update(_taken(text))
    return Named(quoted=_decoded(quoted), taken=_decoded(named), chosen=_decoded(chosen), variables=_decoded(variables))


def _taken(text: bytes) -> Iterator[bytes]:
    """Yield what stands where the name of a package is taken: the value of a telling key, and what is resolved."""
    for value in _VALUE.finditer(text):
        if _KEY.search(text, max(0, value.start() - _LONGEST), value.start()):
            yield value[1]
    yield from _RESOLVED.findall(text)


def _decoded(names: Iterable[bytes]) -> frozenset[str]:
    return frozenset(name.decode("ascii", "replace") for name in names)


def script_words(manifest: Mapping[str, object]) -> frozenset[str]:
    """Return every word of the scripts in a package.json: commands, and names in their options."""
    scripts = manifest.get("scripts")
    texts = scripts.values() if isinstance(scripts, dict) else ()
    return frozenset(word for text in texts if isinstance(text, str) for word in re.findall(r"[@\w./-]+", text))


def _files(directory: str, nested: frozenset[str]) -> Iterator[str]:
    try:
        found = list(os.scandir(directory))
    except OSError:  # a past state, of which only some files are looked at
        return
    for one in found:
        if one.is_dir(follow_symlinks=False):
            if not (one.name.startswith(".") or one.name in _SKIPPED or one.path in nested):
                yield from _files(one.path, nested)
        elif _may_mention(one.name) and isfile(one.path):  # an entry's own is_file() raises for a link to itself
            yield one.path


def _may_mention(name: str) -> bool:
    return name not in _LOCKFILES and (splitext(name)[1] in _SUFFIXES or name.startswith("."))


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes() if Path(file).stat().st_size <= _MOST else b""
    except OSError:
        return b""
