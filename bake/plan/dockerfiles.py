"""Images with Dockerfiles of their own: services that are no packages, and the old all-in-one image, while needed."""

import dataclasses
import posixpath
from collections.abc import Mapping

from bake import config as cfg
from bake.plan.images import ServiceImage, Target, health_of, image_labels
from bake.plan.request import Request
from bake.plan.stages import filled_argument
from bake.project import FOLDER, Project, argument_value
from bake.workspace import parse_stages, used_images

MONOLITH = "monolith"
"""Its target; bake's own (config.RESERVED)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a Dockerfile is built. dockerfile, context: relative to the workspace's root. stage: None for the last."""

    dockerfile: str
    context: str
    stage: str | None
    args: Mapping[str, str]

    @property
    def dockerfile_from_context(self) -> str:
        """Where the Dockerfile is, as bake files say it: relative to the context."""
        return posixpath.relpath(self.dockerfile, self.context)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dockered(ServiceImage):
    """The image of a service with a Dockerfile of its own.

    recipe: with bake's copy of the Dockerfile, beside which lies what its build does not get. source: the Dockerfile
    itself. bases: the images that it is made from, as far as no digest pins them; None where nobody can tell them.
    """

    recipe: Recipe
    source: str
    bases: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Monolith(Target):
    """The old all-in-one image. platforms: () for the builder's own."""

    recipe: Recipe
    platforms: tuple[str, ...]


def dockered_images(project: Project, request: Request) -> tuple[Dockered, ...]:
    """The images of services with a Dockerfile of their own."""
    return tuple(_dockered(project, request, name, service) for name, service in project.config.dockered.items())


def _dockered(project: Project, request: Request, name: str, service: cfg.Service) -> Dockered:
    args = {key: filled_argument(value, project, request) for key, value in service.args.items()}
    stages = parse_stages(project.dockerfiles[name].text or "", args)
    bases = used_images(stages, service.target)
    return Dockered(
        target=name,
        repository=f"{project.config.project.name}-{name}",
        labels=image_labels(project, request, name, service.labels),
        service=name,
        role="",
        user=service.user or "",
        port=service.port,
        health=health_of(service, service),
        writable=service.writable,
        init=bool(service.init),
        recipe=Recipe(
            dockerfile=f"{FOLDER}/services/{name}/Dockerfile",
            context=posixpath.normpath(service.build_context),
            stage=service.target,
            args=args,
        ),
        source=service.dockerfile or "",
        bases=None if bases is None else tuple(base for base in bases if "@" not in base),
    )


def plan_monolith(project: Project, request: Request) -> Monolith | None:
    """The old image, where bake.toml has it."""
    settings = project.config.monolith
    if settings is None:
        return None
    return Monolith(
        target=MONOLITH,
        repository=settings.image or project.config.project.name,
        labels=image_labels(project, request, MONOLITH),
        recipe=Recipe(
            dockerfile=settings.dockerfile,
            context=settings.context,
            stage=settings.target,
            args={k: argument_value(v, request.environment) for k, v in settings.args.items()},
        ),
        platforms=request.platforms or settings.platforms,
    )
