"""The script files of a package."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import isfile, islink, splitext
from typing import Final, Literal, NamedTuple

from bake.files import is_below
from bake.texts import COMPONENTS, SCRIPTS

Role = Literal["source", "build", "test"]


class Source(NamedTuple):
    """A script file: its path relative to the package, and who loads it."""

    path: str
    role: Role


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
        if splitext(one.name)[1] in _SUFFIXES and isfile(one.path):  # an entry's own raises for a link to itself
            yield Source(path, "build" if _BUILD_SCRIPT.fullmatch(path) else _file_role(one.name, role))
        elif one.name not in _SKIPPED and f"{directory}/{path}" not in nested and one.is_dir(follow_symlinks=False):
            yield from _walk(directory, f"{path}/", _directory_role(path, one.name, role), nested)


def _is_project(directory: str) -> bool:
    """Return whether a nested package.json starts a project, rather than say `"type": "commonjs"`."""
    try:
        manifest = json.loads(Path(directory, "package.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and "name" in manifest and not {"version", "dependencies"}.isdisjoint(manifest)


def _directory_role(path: str, name: str, above: Role) -> Role:
    if above == "test" or name in _TEST_DIRECTORIES:
        return "test"
    return "build" if above == "build" or path in _BUILD_DIRECTORIES else "source"


def _file_role(name: str, above: Role) -> Role:
    if above == "test" or _TEST_FILE.search(name):
        return "test"
    return "build" if above == "build" or _BUILD_FILE.search(name) else "source"
