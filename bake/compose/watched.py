"""What of the workspace an image is built from, for those who watch files: compose, Skaffold, Tilt. Pure.

Sources: skaffold.dev/docs/builders/builder-types/custom; docs.tilt.dev/api.html#api.custom_build.
"""

import dataclasses
import json
import os
import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping

from bake import config as cfg
from bake.files import normal, to_yaml
from bake.lockfile import FILE_NAME as LOCK_NAME
from bake.plan import BuiltBase, Dockered, Image, Plan, ServiceImage, Stage
from bake.project import Project

_SKAFFOLD = "skaffold/v4beta7"

_NEVER = ("**/node_modules", "**/.git", "**/.bake")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What to watch for an image, relative to the workspace's root, and how to build it again.

    paths: folders and files that its build reads, none within another. planned: files that bake itself reads. ignore:
    what in them is no source, as .dockerignore patterns. name: with its registry, where it has one.
    """

    image: str
    name: str
    paths: tuple[str, ...]
    planned: tuple[str, ...]
    ignore: tuple[str, ...]
    command: tuple[str, ...]


def watched(project: Project, plan: Plan, image: ServiceImage) -> Watched:
    """What the image is built from, and nothing else."""
    file = os.path.relpath(project.file, project.root)
    workspace = project.workspace
    planned = {file, LOCK_NAME, ".npmrc", workspace.lock_name, *workspace.tool.files}
    ignored = {pattern.rstrip("/") for pattern in project.ignored if not pattern.startswith("!")}
    return Watched(
        image=image.target,
        name=f"{plan.registry}/{image.repository}" if plan.registry else image.repository,
        paths=_paths(project, plan, image),
        planned=tuple(sorted(planned)),
        ignore=tuple(sorted({*ignored, *_NEVER})),
        command=("bake", *(() if file == cfg.FILE_NAME else ("--file", file)), image.target),
    )


def _paths(project: Project, plan: Plan, image: ServiceImage) -> tuple[str, ...]:
    if isinstance(image, Dockered):
        return _outermost({normal(image.recipe.context) or "", posixpath.normpath(image.source)})
    if not isinstance(image, Image):
        return ()
    service = next(s for s in plan.services if s.service == image.service)
    stages = {s.package: s for s in plan.builds.stages}
    packages = set(stages) if plan.builds.whole else _reached(stages, {image.package, *service.closure.packages})
    read = {
        r
        for p in packages
        if p in stages
        for r in (*project.matches(stages[p].inputs), *stages[p].reads, *stages[p].beside)
    }
    patches = {patches.folder for patches in plan.install.patches}
    shared = (*project.matches(project.root_files), *plan.install.vendored, *patches)
    return _outermost({*packages, *read, *shared, *_of_base(plan.base_of(service))})


def _of_base(base: BuiltBase | None) -> Iterator[str]:
    """What a base of the workspace's own is built from."""
    if base:
        yield base.dockerfile
        yield from (normal(path, folder=base.context) or "" for path in base.reads)


def _reached(stages: Mapping[str, Stage], packages: set[str]) -> set[str]:
    """The packages and those that their builds need."""
    return packages | {need for p in packages if p in stages for need in stages[p].needs}


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(paths):
        if not any(not k or path == k or path.startswith(f"{k}/") for k in kept):
            kept.append(path)
    return tuple(kept)


def render_skaffold(images: Iterable[Watched]) -> str:
    """A skaffold.yaml for the workspace's root: bake builds, under the name that Skaffold gives."""
    named = '--image "${IMAGE%:*}" --tag "${IMAGE##*:}"'
    options = '${PLATFORMS:+--platform "$PLATFORMS"} $([ "$PUSH_IMAGE" = true ] && echo --push)'
    artifacts = [
        {
            "image": each.name,
            "context": ".",
            "custom": {
                "buildCommand": f"{shlex.join(each.command)} {named} {options}",
                "dependencies": {
                    "paths": [path or "." for path in (*each.paths, *each.planned)],
                    "ignore": [part for pattern in each.ignore for part in (pattern, f"{pattern}/**")],
                },
            },
        }
        for each in images
    ]
    return to_yaml({"apiVersion": _SKAFFOLD, "kind": "Config", "build": {"artifacts": artifacts}})


def render_tilt(images: Iterable[Watched]) -> str:
    """Lines of a Tiltfile at the workspace's root."""
    return "\n".join(map(_custom_build, images))


def _custom_build(each: Watched) -> str:
    command = f'{shlex.join(each.command)} --image "${{EXPECTED_REF%:*}}" --tag "${{EXPECTED_REF##*:}}"'
    values = (each.name, command)
    lists = {"deps": [path or "." for path in (*each.paths, *each.planned)], "ignore": each.ignore}
    lines = [*map(_literal, values), *(f"{name}={_literal(value)}" for name, value in lists.items())]
    return "custom_build(\n" + "".join(f"    {line},\n" for line in lines) + ")\n"


def _literal(value: object) -> str:
    """A text or a list of texts; Starlark writes them as JSON does."""
    return json.dumps(value, ensure_ascii=False)
