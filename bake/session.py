"""What a command stands on: the streams, the environment, the workspace; read once, passed on."""

import argparse
import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.config import FILE_NAME, PLATFORM
from bake.console import Console
from bake.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from bake.git import Head
    from bake.plan import Plan, Project, Request


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context(Console):
    """One call of bake."""

    directory: Path
    file: Path | None = None

    @functools.cached_property
    def project(self) -> "Project":
        """The workspace around the current directory, or the one of --file."""
        project = self.load_project()
        if project.ejected:
            self._compare(project)
        return project

    def load_project(self) -> "Project":
        """The project without a look at its templates."""
        from bake.plan import load_project

        return load_project(self.file or find_config(self.directory), self.environment)

    def _compare(self, project: "Project") -> None:
        """Warn of templates that bake has changed since they were copied."""
        from bake.plan import EJECTED
        from bake.render import behind, template_text

        for name in behind(project.ejected, {n: template_text(n) for n in project.ejected}):
            self.warn(f"{EJECTED}/{name}: bake's own has changed since it was copied; see `bake eject --diff`")

    @functools.cached_property
    def head(self) -> "Head":
        """What git says about the workspace."""
        from bake.git import read_head

        return read_head(self.project.root, self.environment)

    def request(self, arguments: argparse.Namespace, **changes: object) -> "Request":
        """The request that the common arguments, git and the environment make."""
        from bake.ci import read_run
        from bake.plan import Request

        head = self.head
        request = Request(
            targets=tuple(getattr(arguments, "targets", None) or ("all",)),
            platforms=platforms(getattr(arguments, "platform", None)),
            tags=tuple(getattr(arguments, "tag", None) or ()),
            push=bool(getattr(arguments, "push", False)),
            registry=self.environment.get("BAKE_REGISTRY", ""),
            image=getattr(arguments, "image", None),
            run=read_run(self.environment),
            cache_to=bool(getattr(arguments, "cache_to", False)),
            environment=self.environment,
            revision=head.revision,
            branch=head.branch,
            version=head.version,
            pull_request=pull_request(self.environment),
            source=head.source,
            epoch=head.epoch,
        )
        return dataclasses.replace(request, **changes)  # type: ignore[arg-type]

    def plan(self, arguments: argparse.Namespace, **changes: object) -> "Plan":
        """The plan for the common arguments."""
        from bake.plan import content_patterns, make_plan, retagged

        request = self.request(arguments, **changes)
        plan = make_plan(self.project, request)
        if not content_patterns(self.project, request):
            return plan
        return retagged(self.project, plan, self.with_content(plan, request))

    def with_content(self, plan: "Plan", request: "Request") -> "Request":
        """The request with the hash of every image's inputs, which only the plan can tell."""
        from bake.build import load_contents

        return dataclasses.replace(request, content=load_contents(self.project, plan))


def find_config(directory: Path) -> Path:
    """bake.toml in the directory or the nearest one above it. Raises ConfigError."""
    for folder in (directory, *directory.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigError(FILE_NAME, f"none in {directory} or above", "write one with `bake init`, or name it with --file")


def pull_request(environment: Mapping[str, str]) -> str:
    """Number of the pull or merge request that CI builds, "" when it builds none.

    Sources: docs.github.com, default environment variables; docs.gitlab.com, predefined CI/CD variables.
    """
    found = re.fullmatch(r"refs/pull/(\d+)/(merge|head)", environment.get("GITHUB_REF", ""))
    return found[1] if found else environment.get("CI_MERGE_REQUEST_IID", "")


def platforms(words: Sequence[str] | None) -> tuple[str, ...]:
    """`--platform a,b --platform c` as one tuple without repetitions. Raises UsageError for what is no platform."""
    parts = (p.strip() for word in words or () for p in word.split(","))
    found = tuple(dict.fromkeys(p for p in parts if p))
    for name in found:
        if PLATFORM.broken_by(name):
            raise UsageError("--platform", f"{name!r} is not {PLATFORM.words}")
    return found


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that plans images."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="images, services, `all` or patterns (default: all)"
    )
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms instead of bake.toml's")
    parser.add_argument("--tag", action="append", metavar="TAG", help="tag instead of bake.toml's; may be repeated")
