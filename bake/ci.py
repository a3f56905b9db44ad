"""What a CI system's environment says about a run: whose code it builds, and whether it may leave something behind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of bake. ci: in a CI system. fork: it builds the code of a fork. tag: it builds a tag, not a branch."""

    ci: bool = False
    fork: bool = False
    tag: bool = False


def read_run(environment: Mapping[str, str]) -> Run:
    """Read GitHub's and GitLab's variables and GitHub's event file; a pull request of unknown origin is a fork's.

    Sources: docs.github.com, "Default environment variables"; docs.gitlab.com, "Predefined CI/CD variables".
    """
    return Run(
        ci=environment.get("CI", "").lower() not in {"", "0", "false"},
        fork=_from_fork_on_github(environment) or _from_fork_on_gitlab(environment),
        tag=environment.get("GITHUB_REF_TYPE") == "tag" or bool(environment.get("CI_COMMIT_TAG")),
    )


def _from_fork_on_github(environment: Mapping[str, str]) -> bool:
    if not environment.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        return False
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    try:
        head = event["pull_request"]["head"]["repo"]["full_name"]
    except (KeyError, TypeError):
        return True
    return bool(head != environment.get("GITHUB_REPOSITORY"))


def _from_fork_on_gitlab(environment: Mapping[str, str]) -> bool:
    source = environment.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    return source is not None and source != environment.get("CI_PROJECT_ID")


def _event(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
