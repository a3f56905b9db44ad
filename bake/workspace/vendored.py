"""Files of a workspace that an install reads: tarballs, folders and patches that dependencies name by their path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import join, normpath
from typing import Any, Final

from bake.files import is_inside
from bake.workspace.packages import Package

_TABLES: Final = ("dependencies", "devDependencies", "optionalDependencies", "overrides", "resolutions", "pnpm")
_OF_ROOT: Final = frozenset({"overrides", "resolutions", "pnpm"})
"""Fields that count at the root only, with paths from there."""
_PATH: Final = re.compile(r"^(?:(?:file|link|portal):)?(?P<path>~?/?\.{0,2}/?[^:#?]+)$")
_PATCH: Final = re.compile(r"^patch:.*?#(?:optional!)?(?:builtin<.*|~/)?(?P<path>[^:]*\.(?:patch|diff))(?:::.*)?$")
_NAMED: Final = re.compile(r"^(?:file:|link:|portal:|\.{1,2}/)|\.(?:tgz|tar\.gz|tar)$")
_IN_LOCK: Final = re.compile(r"\bfile:((?:\./)?[\w@.+~/-]+?\.(?:tgz|tar\.gz|tar))\b")


def load_vendored(root: Path, packages: Iterable[Package], lock: str) -> tuple[str, ...]:
    """Return the files and folders that dependencies name by path, relative to the root, sorted.

    Workspace packages, which are there anyway, and what leads out of the workspace are not among them. lock: the
    lockfile's text, which names what overrides and packages in folders ask for.
    """
    everyone = tuple(packages)
    members = {package.path for package in everyone}
    named = {normpath(join(*place)) for package in everyone for place in _named_files(package)}
    named |= {normpath(path) for path in _IN_LOCK.findall(lock)}
    return tuple(sorted(p for p in named - members if p != "." and is_inside(root, p) and (root / p).exists()))


def _named_files(package: Package) -> Iterator[tuple[str, str]]:
    """Yield a folder and a path from there for each dependency that is named by its path."""
    for field in _TABLES:
        if not (package.path and field in _OF_ROOT):
            for value in _values_in(package.manifest.get(field)):
                if found := _PATCH.match(value):
                    yield ("" if "#~/" in value else package.path), found["path"]
                elif _NAMED.search(value) and "://" not in value and (found := _PATH.match(value)):
                    yield package.path, found["path"]


def _values_in(value: Any) -> Iterator[str]:
    """Yield the texts in a table; those of overrides are nested."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, Mapping) else ():
        yield from _values_in(one)
