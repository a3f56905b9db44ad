"""What git says about the workspace; every answer is empty where there is no git or no commit."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The commit that is checked out. epoch: its time in seconds since 1970."""

    revision: str = ""
    branch: str = ""
    version: str = ""
    source: str = ""
    epoch: int | None = None
    dirty: bool = False


def read_head(root: Path, environment: Mapping[str, str]) -> Head:
    """Describe HEAD. CI checks out commits without a branch; its variables name it then."""
    revision = git(root, "rev-parse", "HEAD")
    if not revision:
        return Head()
    time = git(root, "log", "-1", "--format=%ct")
    return Head(
        revision=revision,
        branch=_branch(root, environment),
        version=git(root, "describe", "--tags", "--exact-match").removeprefix("v"),
        source=_url(git(root, "remote", "get-url", "origin")),
        epoch=int(time) if time.isdigit() else None,
        dirty=bool(git(root, "status", "--porcelain", "--untracked-files=no", "--", ".")),
    )


def git(root: Path, *words: str) -> str:
    """Output of a git command, stripped; "" when it fails."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _branch(root: Path, environment: Mapping[str, str]) -> str:
    named = (
        environment.get("GITHUB_HEAD_REF")
        or environment.get("GITHUB_REF_NAME")
        or environment.get("CI_COMMIT_REF_NAME")
    )
    return named or git(root, "symbolic-ref", "--short", "-q", "HEAD")


def _url(remote: str) -> str:
    """A remote as an URL without credentials, for the source label."""
    if remote.startswith("git@"):
        host, _, path = remote.removeprefix("git@").partition(":")
        remote = f"https://{host}/{path}"
    scheme, separator, rest = remote.partition("://")
    if not separator:
        return ""
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}".removesuffix(".git")
