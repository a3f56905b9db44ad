"""The workspace as it was: its files of a commit, planned by the same code as today's."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from bake.files import ignore_in_git, normal
from bake.git import Blob, Changes, list_tracked, read_files
from bake.inputs.tree import Past, Tree
from bake.project import Earlier, Project, load_project, make_listing
from bake.workspace import load_git_ignored

LINK = "120000"
"""Git's mode of a link."""


@contextlib.contextmanager
def earlier_project(project: Project, changes: Changes, now: Tree) -> Iterator[tuple[Project, Tree]]:
    """The workspace before the changes, and its files, while it is laid out in a folder.

    Files that are what they were are linked there, so that planning finds whatever it looks for, and on a clean tree
    just what it finds today. What sources tell is read again of packages that have changed. Raises ConfigError and
    WorkspaceError when it could not be planned even then.
    """
    home, differs = project.file.parent, _below(changes.paths)
    with tempfile.TemporaryDirectory(prefix="past-", dir=_place(project)) as folder:
        for name in list_tracked(home):
            if not differs(name):
                _link(home / name, Path(folder, name))
        files = {n: blob for n, blob in read_files(home, changes.base, differs).items() if normal(n) == n}
        for name, blob in files.items():
            _write(Path(folder, name), blob)
        below = project.root.relative_to(home)
        past = Past(
            now=now,
            differs=lambda path: differs((below / path).as_posix()),
            files={path: f"{b.mode} {b.name}" for name, b in files.items() if (path := _inside(below, name))},
        )
        yield _load(project, Path(folder, project.file.name), Path(folder, below), past), past


def _load(project: Project, file: Path, root: Path, past: Past) -> Project:
    sources = (*(f for f in project.reading.sources if not past.differs(f)), *past.files)
    changed = {f for f in (*project.reading.sources, *past.files) if past.differs(f)}
    ignored = load_git_ignored(root, (p.path for p in project.workspace.packages))
    earlier = Earlier(
        listing=make_listing(sources, ignored),
        reading=project.reading,
        secrets=project.secrets,
        same=lambda package: not any(not package or f.startswith(f"{package}/") for f in changed),
        lost=not past.files.keys() <= set(project.reading.sources),
    )
    return load_project(file, {}, earlier=earlier)


def _inside(below: Path, name: str) -> str:
    """A path from bake.toml's folder, from the workspace's root; "" for one outside of it."""
    path = PurePosixPath(name)
    return path.relative_to(below).as_posix() if path.is_relative_to(below) else ""


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


def _write(file: Path, blob: Blob) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if blob.mode == LINK:
        file.symlink_to(os.fsdecode(blob.data))
    else:
        file.write_bytes(blob.data)
