"""Names of packages that the files of a workspace package mention: what its build may load without declaring it."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import islink, splitext
from typing import Final

from bake.files import is_below
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
    return frozenset(name.decode("ascii", "replace") for name in found)


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
        elif _may_mention(one.name) and one.is_file():
            yield one.path


def _may_mention(name: str) -> bool:
    return name not in _LOCKFILES and (splitext(name)[1] in _SUFFIXES or name.startswith("."))


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes() if Path(file).stat().st_size <= _MOST else b""
    except OSError:
        return b""
