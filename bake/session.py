"""What a command stands on: the console, the workspace, git; read once, passed on."""

import dataclasses
import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.config import FILE_NAME, PLATFORM, REGISTRY
from bake.console import Console
from bake.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from bake.git import Head
    from bake.inputs import Present
    from bake.plan import Names, Plan, Request
    from bake.project import Project
    from bake.publish import Release


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The images that a command is about. targets: as `select` takes them. platforms: () for bake.toml's."""

    targets: tuple[str, ...] = ("all",)
    platforms: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What images are called. tags: () for bake.toml's. image: another name for the one image asked for.

    push: for a registry, where they are to go. mirrors: further registries; () for bake.toml's.
    """

    tags: tuple[str, ...] = ()
    image: str | None = None
    push: bool = False
    mirrors: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """One use of bake. directory: where it was called. file: the bake.toml, None for the nearest one. words: the call.

    clock, pause: seconds by a clock that only goes forward, and sleep for as many. now: seconds since 1970.
    """

    console: Console
    directory: Path
    file: Path | None = None
    words: tuple[str, ...] = ("bake",)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment's variables."""
        return self.console.environment

    @functools.cached_property
    def project(self) -> "Project":
        """The workspace around the current directory, or the one of --file."""
        project = self.load_project()
        if project.ejected:
            self._compare(project)
        return project

    def load_project(self) -> "Project":
        """The project without a look at its templates."""
        from bake.project import load_project

        return load_project(self.file or find_config(self.directory), self.environment)

    def _compare(self, project: "Project") -> None:
        """Warn of templates that bake has changed since they were copied."""
        from bake.project import EJECTED
        from bake.render import behind, template_text

        for name in behind(project.ejected, {n: template_text(n) for n in project.ejected}):
            self.console.warn(f"{EJECTED}/{name}: bake's own has changed since it was copied; see `bake eject --diff`")

    @functools.cached_property
    def tree(self) -> "Present":
        """The workspace's files."""
        from bake.inputs import Present

        return Present(self.project.root)

    @functools.cached_property
    def head(self) -> "Head":
        """What git says about the workspace."""
        from bake.git import read_head

        return read_head(self.project.root, self.environment)

    @property
    def release(self) -> "Release":
        """What the manifest of a push from here says, before there is an image."""
        from bake.publish import Release

        config, head = self.project.config.project, self.head
        return Release(
            project=config.name,
            revision=head.revision,
            branch=head.branch,
            version=head.version,
            source=config.source or head.source,
            created=head.epoch,
        )

    @property
    def builder(self) -> str | None:
        """The builder of bake.toml; None for buildx's current one."""
        builder = self.project.config.builder
        return builder.name if builder else None

    def request(self, selection: Selection, naming: Naming = Naming(), *, cache_to: bool = False) -> "Request":
        """What is asked for, with what git and the environment say."""
        from bake.ci import read_run
        from bake.plan import Request

        head = self.head
        return Request(
            targets=selection.targets,
            platforms=selection.platforms,
            tags=naming.tags,
            push=naming.push,
            registry=registry_of(self.environment),
            mirrors=naming.mirrors,
            image=naming.image,
            run=read_run(self.environment),
            cache_to=cache_to,
            environment=self.environment,
            revision=head.revision,
            branch=head.branch,
            version=head.version,
            pull_request=pull_request(self.environment),
            source=head.source,
        )

    def plan(self, selection: Selection, naming: Naming = Naming(), *, cache_to: bool = False) -> "Plan":
        """The plan for what is asked for."""
        from bake.plan import make_plan

        return make_plan(self.project, self.request(selection, naming, cache_to=cache_to))

    def names(self, plan: "Plan", files: Callable[[], Mapping[str, str]] | None = None) -> "Names":
        """What the plan's images are called. files: gives the rendered ones, which {content} is told by."""
        from bake.plan import content_patterns, name_images, names_commit

        contents: Mapping[str, str] = {}
        if content_patterns(self.project, plan.request):
            from bake.inputs import load_contents

            contents = load_contents(self.project, plan, files() if files else None, self.tree)
        dirty = names_commit(self.project, plan.request) and self.is_dirty(plan)
        return name_images(self.project, plan, contents, dirty=dirty)

    def is_dirty(self, plan: "Plan") -> bool:
        """Whether builds of the plan see changes that are not in the commit."""
        if not self.head.dirty:
            return False
        from bake.render import seen_by_builds

        return any(map(seen_by_builds(self.project, plan), self.head.dirty))


def find_config(directory: Path) -> Path:
    """bake.toml in the directory or the nearest one above it. Raises ConfigError."""
    for folder in (directory, *directory.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigError(FILE_NAME, f"none in {directory} or above", "write one with `bake init`, or name it with --file")


def registry_of(environment: Mapping[str, str]) -> str:
    """BAKE_REGISTRY. Raises UsageError, which does not repeat it, for what is no registry: it may hold a password."""
    given = environment.get("BAKE_REGISTRY", "")
    if given and REGISTRY.broken_by(given):
        raise UsageError("BAKE_REGISTRY", f"is not {REGISTRY.words}", "log in with `docker login`")
    return given


def pull_request(environment: Mapping[str, str]) -> str:
    """Number of the pull or merge request that CI builds, "" when it builds none.

    Sources: docs.github.com, default environment variables; docs.gitlab.com, predefined CI/CD variables.
    """
    found = re.fullmatch(r"refs/pull/(\d+)/(merge|head)", environment.get("GITHUB_REF", ""))
    return found[1] if found else environment.get("CI_MERGE_REQUEST_IID", "")


def parse_platforms(words: Sequence[str] | None) -> tuple[str, ...]:
    """`--platform a,b --platform c` as one tuple without repetitions. Raises UsageError for what is no platform."""
    parts = (p.strip() for word in words or () for p in word.split(","))
    found = tuple(dict.fromkeys(p for p in parts if p))
    for name in found:
        if PLATFORM.broken_by(name):
            raise UsageError("--platform", f"{name!r} is not {PLATFORM.words}")
    return found
