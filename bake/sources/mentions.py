"""Names of packages that the files of a workspace package mention: what its build may load without declaring it."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import isfile, islink, splitext
from typing import Final

from bake.files import is_below
from bake.sources.files import load_sources
from bake.texts import CHOSEN, COMPONENTS, QUOTED, SCRIPTS, Texts

_OTHERS: Final = frozenset({".astro", ".css", ".html", ".json", ".json5", ".jsonc", ".less", ".mdx", ".sass", ".scss"})
_SUFFIXES: Final = SCRIPTS | COMPONENTS | _OTHERS | {".yaml", ".yml"}
_SKIPPED: Final = frozenset({"node_modules", "bower_components", "coverage", "dist"})
_LOCKFILES: Final = frozenset({"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml"})  # they name everything


def load_mentions(directory: Path, nested: frozenset[str], root: Path, texts: Texts | None = None) -> frozenset[str]:
    """Return every text in quotes that may name a package, in the files below a directory.

    Code, styles and settings count, tests too: more than a build loads does no harm, less does. nested: absolute
    directories of other packages, which are not looked into, as little as links out of the workspace at `root`.
    """
    texts, head = texts or Texts(root), len(str(root)) + 1
    found: set[str] = set()
    for file in _files(str(directory), nested):
        if not islink(file) or is_below(root, file):
            found |= texts.of(QUOTED, file[head:])
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What code that runs has in quotes. taken: of it what stands where libraries take the name of a package, a
    logger's transport, the driver of a database. chosen: what stands in a file that loads what a variable names.
    variables: those it names of the ones that a package manager gives a script."""

    quoted: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


def load_named(directory: Path, nested: frozenset[str], root: Path, texts: Texts | None = None) -> Named:
    """Return what code that runs has in quotes. Tests and build files do not count."""
    texts, head = texts or Texts(root), f"{directory}/"[len(str(root)) + 1 :]
    sources = load_sources(str(directory), nested, str(root)).values()
    paths = [f"{head}{source.path}" for source in sources if source.role == "source"]
    said = [(texts.of(QUOTED, path), texts.of(CHOSEN, path)) for path in paths]
    return Named(
        quoted=_together(quoted for quoted, _ in said),
        taken=_together(chosen.taken for _, chosen in said),
        chosen=_together(quoted for quoted, chosen in said if chosen.chooses),
        variables=_together(chosen.variables for _, chosen in said),
    )


def _together(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


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
