"""Where a path leads that a repository names: inside its workspace, or out of it."""

import os
from pathlib import Path
from posixpath import normpath

from bake.errors import WorkspaceError


def normal(path: str, *, folder: str = "") -> str | None:
    """A path that is named in a folder of the workspace, from its root ("" for the root); None for one that leaves it.

    By the text alone: whether links lead out is what `is_inside` tells.
    """
    if "\0" in path or path.startswith("/"):
        return None
    plain = normpath(f"{folder}/{path}" if folder else path)
    if plain == ".." or plain.startswith(("../", "/")):
        return None
    return "" if plain == "." else plain


def is_inside(root: Path, path: str) -> bool:
    """Whether a path from the workspace's root stays in it, by its text and by all links on its way."""
    plain = normal(path)
    return plain is not None and is_below(root, root / plain)


def is_below(root: Path, file: Path | str) -> bool:
    """Whether an absolute path leads into a folder, by all links on its way."""
    top, real = os.path.realpath(root), os.path.realpath(file)
    return real == top or real.startswith(f"{top.rstrip('/')}/")


def require_inside(root: Path, path: str, where: str) -> str:
    """The normal form of a path that `where` names. Raises WorkspaceError when it leads out of the workspace."""
    plain = normal(path)
    if plain is None or not is_inside(root, plain):
        through = "" if plain is None else " through a link"
        raise WorkspaceError(where, f"{path!r} leads out of the workspace{through}", "name a path inside it")
    return plain
