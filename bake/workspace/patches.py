"""Patches that patch-package applies to third-party packages after an install: where they lie, what they change."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bake.errors import WorkspaceError
from bake.files import require_inside
from bake.lockfile import LIFECYCLE, steps
from bake.workspace.packages import Package

TOOL = "patch-package"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """The patches of one package, nearly always the root.

    package: its path; the patches are for what lies in its node_modules. folder: theirs, from the workspace's root.
    files: their names in it.
    """

    package: str
    folder: str
    files: tuple[str, ...]

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each patch as a path from the root, and the path of the package that it changes."""
        for name in self.files:
            place = "/".join(f"node_modules/{one}" for one in parse_patch(name))
            yield f"{self.folder}/{name}", f"{self.package}/{place}" if self.package else place


def parse_patch(name: str) -> tuple[str, ...]:
    """Return the packages that the name of a patch names, outermost first: "a++@x+y+1.0.0.patch" -> ("a", "@x/y").

    Source: ds300/patch-package, src/PackageDetails.ts.
    """
    return tuple(map(_package_name, re.sub(r"(\.dev)?\.patch$", "", name).split("++")))


def _package_name(part: str) -> str:
    words = [word for word in part.split("+") if word]
    versions = (at for at, word in enumerate(words) if re.match(r"\d+\.\d+\.\d+", word))
    return "/".join(words[: next(versions, 2)])


def load_patches(root: Path, package: Package) -> Patches | None:
    """Read which patches the install scripts of a package apply; None for none."""
    options = _patch_options(package)
    if options is None:
        return None
    named = re.search(r"--patch-dir[= ]['\"]?([^\s'\"]+)", options)
    folder = require_inside(root, package.file(named[1] if named else "patches"), package.file("package.json"))
    if not folder:  # the root with all that is below it
        raise WorkspaceError(package.file("package.json"), "has its patches at the root", "give them a folder")
    found = sorted(p.relative_to(root / folder).as_posix() for p in (root / folder).rglob("*.patch") if p.is_file())
    return Patches(package=package.path, folder=folder, files=tuple(found)) if found else None


def _patch_options(package: Package) -> str | None:
    """The words behind `patch-package` in an install script."""
    for script in LIFECYCLE:
        for step in steps(package.scripts, script):
            if found := re.search(rf"(?:^|[\s/]){TOOL}(?=\s|$)(.*)", step):
                return found[1]
    return None
