"""Files outside the workspace that a build mounts: bake.toml may be a stranger's, so a person has to say yes, once."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bake.config import FILE_NAME
from bake.errors import ConfigError, WorkspaceError
from bake.files import check_shape, parse_object, read_file, write_file
from bake.session import Session

VARIABLE = "BAKE_ALLOW"
"""Ids of secrets, with commas between them: for CI, and for scripts."""

_NAME = "bake/allowed.json"


def require_allowed(session: Session, allowed: Iterable[str] = ()) -> None:
    """Let secrets from outside the workspace be mounted that somebody allowed: by an option, a variable, an answer.

    What an option or an answer allowed is kept for this workspace and this file. Raises ConfigError for the others.
    """
    project, environment = session.project, session.environment
    named = {*allowed, *environment.get(VARIABLE, "").split(",")}
    known = _load_known(environment).get(str(project.root), {})
    outside = {i: p for i, p in project.outside_secrets.items() if known.get(i) != p}
    refused = {i: p for i, p in outside.items() if i not in named and not _answered(session, i, p)}
    if refused:
        complaints = tuple(
            f"{FILE_NAME}: secrets.{i}: builds would get {p}, which lies outside the workspace; "
            f"--allow {i} lets them, once for this workspace ({VARIABLE}={i} in CI)"
            for i, p in refused.items()
        )
        raise ConfigError(FILE_NAME, "secrets lie outside the workspace", complaints=complaints)
    if new := {i: p for i, p in outside.items() if i not in environment.get(VARIABLE, "").split(",")}:
        _keep(environment, str(project.root), {**known, **new})


def _answered(session: Session, name: str, path: str) -> bool:
    if not session.console.terminal or not sys.stdin.isatty():
        return False
    session.console.complain(f"bake.toml gives builds the file {path} (secrets.{name}). Allow it? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _folder(environment: Mapping[str, str]) -> Path | None:
    """Where state of a user lies. Source: XDG Base Directory Specification."""
    given = environment.get("XDG_STATE_HOME") or (
        f"{environment['HOME']}/.local/state" if "HOME" in environment else ""
    )
    return Path(given) if given.startswith("/") else None


def _load_known(environment: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Workspace -> secret -> its file, as far as somebody said yes."""
    folder = _folder(environment)
    if folder is None:
        return {}
    try:
        found = parse_object(read_file(folder.resolve(), _NAME).decode(), _NAME)
        check_shape(found, {"*": {"*": str}}, _NAME)
    except (OSError, ValueError, WorkspaceError):
        return {}
    return found


def _keep(environment: Mapping[str, str], root: str, allowed: Mapping[str, str]) -> None:
    """Remember it; where that cannot be, the question comes again."""
    folder = _folder(environment)
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole = {**_load_known(environment), root: allowed}
        write_file(folder.resolve(), _NAME, json.dumps(whole, indent=1).encode())
    except OSError:
        return
