"""Why an image or a build lacks a file: the rule that left it out, and the key that brings it back. Pure."""

import posixpath
from collections.abc import Callable

from bake.plan import TREE, Image, Output, Plan, home
from bake.project import Project
from bake.sources import path_matcher
from bake.workspace import NEVER_SENT, anywhere, parse_dockerignore, shown

_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts")


def absence(project: Project, plan: Plan, image: Image) -> Callable[[str], str]:
    """A sentence about a path that an image's process misses; "" where nothing is known of it."""
    there = in_clone(project)
    outputs = {output.package: output for output in plan.outputs}

    def explain(path: str) -> str:
        place = posixpath.relpath(posixpath.normpath(posixpath.join(home(image.directory), path)), TREE)
        if not there(place):
            return ""
        owner = next((above for above in (*_above(place), "") if above in outputs), None)
        output = outputs.get(owner) if owner is not None and _is_own(project, owner, place) else None
        key = f'packages."{shown(image.package)}"'
        if output is None:
            return f'{place} is in git, beside what its build gets: add "{place}" to {key}.inputs and {key}.outputs'
        return _rule(output, place, key)

    return explain


def in_clone(project: Project) -> Callable[[str], bool]:
    """A test for paths from the root: whether a clone has that file or folder."""
    sources = frozenset(project.reading.sources)
    folders = frozenset(folder for file in sources for folder in _above(file))
    return lambda path: path in sources or path in folders


def kept_from_builds(project: Project) -> Callable[[str], str]:
    """A sentence about a path of the workspace that a rule keeps from every build; "" where none does."""
    asked = parse_dockerignore("\n".join(project.config.workspace.ignore))
    never = parse_dockerignore("\n".join(anywhere(NEVER_SENT)))

    def explain(path: str) -> str:
        if asked(path):
            return f'workspace.ignore keeps {path} from builds: add "!{path}" to it'
        return f"no build gets {path}: give what it needs of it by [secrets] or args" if never(path) else ""

    return explain


def _is_own(project: Project, owner: str, place: str) -> bool:
    """Whether the innermost package that a path is in is this one."""
    inside = project.workspace.inside(owner)
    return not any(f"{place}/".startswith(f"{other}/") for other in inside)


def _rule(output: Output, place: str, key: str) -> str:
    own = posixpath.relpath(place, output.package or ".")
    theirs = f'packages."{shown(output.package)}"'
    if path_matcher(output.exclude)(own):
        return f"{place} is left out by {theirs}.exclude"
    if output.files is not None and not path_matcher(output.files)(own):
        return f'{place} is not among {output.key}: add "{own}"'
    if own in output.unneeded or any(file.startswith(f"{own}/") for file in output.unneeded):
        return f'{place} is left out, as its name tells of development: add "{place}" to {key}.outputs'
    if own.endswith(_TYPESCRIPT) and not output.sources:
        return f"{place} is left out, as TypeScript that nothing runs: set {theirs}.sources = true"
    return ""


def _above(path: str) -> tuple[str, ...]:
    parts = path.split("/")
    return tuple("/".join(parts[:i]) for i in range(len(parts) - 1, 0, -1))
