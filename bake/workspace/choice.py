"""Whose workspace it is: the package manager that package.json, settings, lockfiles and scripts speak of."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from bake.errors import WorkspaceError
from bake.files import read_text, table
from bake.lockfile import RELOCK, pnpm, yarn
from bake.workspace.managers import parse_package_manager

LOCKFILES = ("npm-shrinkwrap.json", "package-lock.json")
"""npm's lockfiles; npm prefers the shrinkwrap where both lie."""

_LOCKFILES: Mapping[str, tuple[str, ...]] = {
    "npm": LOCKFILES,
    "pnpm": (pnpm.LOCKFILE,),
    "yarn": (yarn.LOCKFILE,),
    "bun": ("bun.lock", "bun.lockb"),
}
_RELOCK: Mapping[str, str] = {
    "npm": RELOCK,
    "pnpm": "run `pnpm install --lockfile-only`",
    "yarn": "run `yarn install`",
}
_SETTINGS: Mapping[str, str] = {"pnpm": pnpm.SETTINGS, "yarn": yarn.SETTINGS}


def manager_of(root: Path, manifest: Mapping[str, Any]) -> str:
    """Whose lockfile is read: the manager's that package.json or settings name; of several, whom scripts call most.

    A lockfile of another manager may be left from before. Raises WorkspaceError where there is none.
    """
    there = [name for name, files in _LOCKFILES.items() if any((root / file).is_file() for file in files)]
    named = parse_package_manager(manifest)[0] or _meant(root, manifest)
    if not there:
        _refuse_lerna(root, manifest)
        expected = named if named in _RELOCK else "npm"
        raise WorkspaceError("workspace", f"no {_LOCKFILES[expected][-1]} in {root}", _RELOCK[expected])
    if named not in there and len(there) > 1:
        named = _most_called(root, manifest)
    return named if named in there else there[0]


def _meant(root: Path, manifest: Mapping[str, Any]) -> str:
    """The manager that other settings name or are of, "" for none."""
    listed = table(manifest, "devEngines").get("packageManager")
    first = listed[0] if isinstance(listed, list) and listed else listed
    named = first.get("name") if isinstance(first, dict) else None
    settings = (name for name, file in _SETTINGS.items() if (root / file).is_file())
    return named if isinstance(named, str) else next(settings, "")


def _most_called(root: Path, manifest: Mapping[str, Any]) -> str:
    texts = (*map(str, table(manifest, "scripts").values()), read_text(root, "Dockerfile") or "")
    calls = Counter(chain.from_iterable(re.findall(r"\b(pnpm|yarn|npm|bun)\b(?![./-])", text) for text in texts))
    return max(calls, key=lambda name: calls[name], default="")


def _refuse_lerna(root: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse packages that lerna alone knows, which it installed one by one up to version 6."""
    if (root / "lerna.json").is_file() and "workspaces" not in manifest and not (root / pnpm.SETTINGS).is_file():
        what = "names packages, which have no lockfile in common"
        remedy = 'name them as "workspaces" in package.json and run `npm install --package-lock-only`'
        raise WorkspaceError("lerna.json", what, remedy)
