"""What the output of a failed build says is missing, and what to do about it. Pure."""

import re
from collections.abc import Iterator, Sequence

from bake.scan import package_name
from bake.workspace import Workspace, shown

_IMPORT = re.compile(
    r"""Cannot find (?:module|package) '([^']+)'"""  # Node, TypeScript (TS2307)
    r"""|failed to resolve import "([^"]+)\""""  # Rollup, Vite
    r"""|Could not resolve "([^"]+)\""""  # esbuild
    r"""|Can't resolve '([^']+)'"""  # webpack
)
_TYPES = re.compile(r"Cannot find type definition file for '([^']+)'")  # TypeScript (TS2688)
_COMMAND = re.compile(r"\bsh: (?:\d+: )?([\w.-]+): not found|\b([\w.-]+): command not found")
_NOTHING = "the compiler's lines are above"


def remedy(workspace: Workspace, package: str, lines: Sequence[str]) -> str:
    """Return what to do about the failed build of a package: the first thing that it misses is named with its key."""
    found = (_advice(workspace, package, name) for line in lines for name in _missing(workspace, line))
    return next(filter(None, found), _NOTHING)


def _missing(workspace: Workspace, line: str) -> Iterator[str]:
    """Yield what a line says is missing, as it would be imported."""
    if match := _IMPORT.search(line):
        yield next(filter(None, match.groups()))
    if match := _TYPES.search(line):
        yield f"@types/{match[1]}"
        yield match[1]
    if match := _COMMAND.search(line):
        command = match[1] or match[2]
        yield from (e.name for e in workspace.lock.entries.values() if command in e.bins)


def _advice(workspace: Workspace, package: str, name: str) -> str:
    key = f'packages."{shown(package)}"'
    manifest = workspace.package(package).file("package.json")
    if name.startswith("../"):
        return f"it reads {name} outside its folder: add the file to {key}.inputs"
    wanted = package_name(name)
    member = workspace.find(wanted) if wanted else None
    known = member is not None or any(e.name == wanted for e in workspace.lock.entries.values())
    if not known or wanted == workspace.package(package).name:
        return ""
    return f"it needs {wanted}: declare it in {manifest}, or add it to {key}.needs"
