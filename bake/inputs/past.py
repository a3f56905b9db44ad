"""The workspace as it was: its manifests, lockfile and settings of a commit, planned by the same code as today's."""

import dataclasses
import fnmatch
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from bake.files import normal, strip_credentials
from bake.git import Changes, read_files
from bake.plan import EJECTED, Project, load_project
from bake.workspace import NEVER_SENT, UNTRACKED, anywhere, parse_dockerignore

_ANYWHERE = ("package.json", "turbo.json", "project.json", "tsconfig*.json", "jsconfig*.json", ".gitignore", "*.patch")
_FOLDERS = (EJECTED, "patches", ".yarn/patches")
_CHECKOUT = Path(__file__).parents[2]
_TEMPLATES = ("docker/Dockerfile", "docker/*.mjs", "docker/trace/*", "docker-bake.hcl.j2")


def load_past(
    project: Project,
    revision: str,
    *,
    texts: Mapping[str, str] = MappingProxyType({}),
    absent: frozenset[str] = frozenset(),
) -> Project:
    """The workspace at a commit. texts, absent: files that differed then, relative to bake.toml's folder.

    Its sources are not at hand: today's tell what packages import. Where a package's imports have changed, so have its
    sources, which is reason enough to build it again. Raises ConfigError and WorkspaceError when it could not be
    planned even then.
    """
    home = project.file.parent
    files = {n: f for n, f in read_files(home, revision, wanted(project)).items() if n not in absent}
    with tempfile.TemporaryDirectory(prefix="bake-past-") as folder:
        for name, data in {**files, **{n: t.encode() for n, t in texts.items()}}.items():
            if normal(name) != name:  # a tree that git itself would not check out
                continue
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        old = load_project(Path(folder, project.file.name), {}, secrets=project.secrets, reading=project.reading)
    # No secret is read from the past: those that git tracks today stand for those of old.
    root_files = tuple(sorted({*old.root_files, *filter(_secret, project.root_files)}))
    return dataclasses.replace(old, root_files=root_files)


_secret = parse_dockerignore("\n".join(anywhere((*NEVER_SENT, *UNTRACKED))))


def wanted(project: Project) -> Callable[[str], bool]:
    """A test for paths relative to bake.toml's folder: whether planning reads that file."""
    below = project.root.relative_to(project.file.parent).as_posix()
    prefix = "" if below == "." else f"{below}/"

    def reads(path: str) -> bool:
        if _secret(path) and PurePosixPath(path).name != ".npmrc":
            return False
        inside = path.removeprefix(prefix)
        name = PurePosixPath(path).name
        at_root = path.startswith(prefix) and "/" not in inside
        in_folder = any(inside.startswith(f"{f}/") for f in _FOLDERS)
        anywhere = any(fnmatch.fnmatchcase(name, pattern) for pattern in _ANYWHERE)
        return path == project.file.name or at_root or in_folder or anywhere

    return reads


def without_credentials(path: str, text: str) -> str:
    """The text of a file that planning reads, as it may be kept: registries' tokens stay out."""
    name = PurePosixPath(path).name
    if name == ".npmrc":
        return strip_credentials(text)
    if name.startswith(".yarnrc"):
        return "".join(line for line in text.splitlines(keepends=True) if "auth" not in line.lower())
    return text


def changed_templates(changes: Changes, root: Path) -> tuple[str, ...]:
    """bake's own templates among the changed files: of a workspace inside bake's repository."""
    paths = (*map(Path, changes.outside), *(root / p for p in changes.paths))
    names = (p.relative_to(_CHECKOUT).as_posix() for p in paths if p.is_relative_to(_CHECKOUT))
    return tuple(sorted(n for n in names if any(fnmatch.fnmatchcase(n, t) for t in _TEMPLATES)))
