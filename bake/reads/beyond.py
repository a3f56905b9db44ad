"""What code names above the workspace's folder, in a larger repository: no build and no image has it."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

from bake.git import git
from bake.texts import NAMES, Texts

_CODE: Final = re.compile(r"(?<!\.d)\.[cm]?[jt]sx?$")
_BESIDE: Final = re.compile(
    r"(?:^|/)(?:__tests__|__mocks__|tests?|e2e|scripts|tools)/|\.(?:test|spec|stories|config)\.\w+$|^\.|/\.|(?:^|/)\w+file\.js$"
)
"""Code of developers: what it reads, it reads where the repository is."""


def load_beyond(root: Path, package: str, files: Iterable[str], texts: Texts) -> tuple[tuple[str, str], ...]:
    """Return files of a package with what their code names in the repository above the root, relative to that; sorted.

    files: the package's, from its folder. A path is from the file that names it, or from the package, as in a process.
    """
    if (root / ".git").exists():
        return ()
    top = next((folder for folder in root.parents if (folder / ".git").exists()), None)
    if top is None:
        return ()
    code = (f"{package}/{file}".lstrip("/") for file in files if _CODE.search(file) and not _BESIDE.search(file))
    found = {(file, target) for file in code for target in _above(root, top, package, file, texts)}
    held = _held(root, {target for _, target in found})
    return tuple(sorted((file, target) for file, target in found if target in held))


def _above(root: Path, top: Path, package: str, file: str, texts: Texts) -> Iterator[str]:
    """Yield what there is above the root, in its repository, by the paths that a file names."""
    for name in texts.of(NAMES, file).relative:
        for folder in (dirname(file), package):
            target = normpath(join(folder, name))
            place = normpath(join(str(root), target))
            inside = place.startswith(f"{top}/") and not f"{root}/".startswith(f"{place}/")
            if target.startswith("../") and inside and os.path.lexists(place):
                yield target


def _held(root: Path, targets: Iterable[str]) -> frozenset[str]:
    """Those that git tracks, or something in them."""
    asked = sorted(targets)
    tracked = git(root, "ls-files", "-z", "--", *asked).split("\0") if asked else []
    return frozenset(t for t in asked if any(path == t or path.startswith(f"{t}/") for path in tracked))
