"""The workspace as it was: its manifests, lockfile and settings of a commit, planned by the same code as today's."""

import contextlib
import fnmatch
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from bake.files import ignore_in_git, normal, strip_credentials
from bake.git import Changes, list_tracked, read_files
from bake.plan import EJECTED, Project, load_project
from bake.workspace import NEVER_SENT, UNTRACKED, anywhere, parse_dockerignore

_ANYWHERE = ("package.json", "turbo.json", "project.json", "tsconfig*.json", "jsconfig*.json", ".gitignore", "*.patch")
_FOLDERS = (EJECTED, "patches", ".yarn/patches")
_CHECKOUT = Path(__file__).parents[2]
_TEMPLATES = ("docker/Dockerfile", "docker/*.mjs", "docker/trace/*", "docker-bake.hcl.j2")


def load_past(
    project: Project,
    changes: Changes,
    *,
    unchanged: Iterable[str] = (),
    texts: Mapping[str, str] = MappingProxyType({}),
    absent: frozenset[str] = frozenset(),
) -> Project:
    """The workspace before the changes. Paths are relative to bake.toml's folder.

    It is laid out in a folder: files that are what they were are linked there, so that planning finds whatever it looks
    for, and on a clean tree just what it finds today. Its sources are not read: today's tell what packages import, and
    where a package's imports have changed, so have its sources, which is reason enough to build it again.

    unchanged: files that git does not track and that are what they were. texts, absent: files that differed from the
    commit. Raises ConfigError and WorkspaceError when it could not be planned even then.
    """
    home, differs = project.file.parent, _below(changes.paths)
    with tempfile.TemporaryDirectory(prefix="past-", dir=_place(project)) as folder:
        for name in dict.fromkeys((*list_tracked(home), *unchanged)):
            if not differs(name) and name not in absent:
                _link(home / name, Path(folder, name))
        files = read_files(home, changes.base, lambda path: differs(path) and path not in absent)
        for name, data in {**files, **{n: t.encode() for n, t in texts.items()}}.items():
            if normal(name) != name:  # a tree that git itself would not check out
                continue
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(data)
        return load_project(Path(folder, project.file.name), {}, secrets=project.secrets, reading=project.reading)


def _place(project: Project) -> Path | None:
    """Where links to the workspace's files can lie; None for the usual place, to which they are copied."""
    with contextlib.suppress(OSError):
        ignore_in_git(project.folder)
        return project.folder
    return None


def _below(paths: Iterable[str]) -> Callable[[str], bool]:
    """A test for paths: whether they are among these, or below one: a changed submodule stands for all it holds."""
    there = frozenset(paths)
    return lambda path: path in there or any(p.as_posix() in there for p in PurePosixPath(path).parents)


def _link(file: Path, copy: Path) -> None:
    """The same file in another place; nothing where somebody has removed it meanwhile, or it is a folder."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        if file.is_symlink():
            copy.symlink_to(file.readlink())
            return
        try:
            os.link(file, copy)
        except OSError:
            shutil.copyfile(file, copy)


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
