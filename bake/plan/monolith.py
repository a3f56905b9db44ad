"""The old all-in-one image, while it is needed."""

import dataclasses
from collections.abc import Mapping

from bake.plan.images import image_labels
from bake.plan.names import image_references
from bake.plan.project import Project
from bake.plan.request import Request
from bake.plan.stages import argument_value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonolithTarget:
    """The old all-in-one image."""

    dockerfile: str
    context: str
    target: str | None
    references: tuple[str, ...]
    platforms: tuple[str, ...]
    """() means the builder's own."""
    args: Mapping[str, str]
    labels: Mapping[str, str]


def plan_monolith(project: Project, request: Request) -> MonolithTarget | None:
    settings = project.config.monolith
    if settings is None:
        return None
    return MonolithTarget(
        dockerfile=settings.dockerfile,
        context=settings.context,
        target=settings.target,
        references=image_references(project.config, request, settings.image or project.config.project.name, "monolith"),
        platforms=request.platforms or settings.platforms,
        args={k: argument_value(v, request.environment) for k, v in settings.args.items()},
        labels=image_labels(project, request, "monolith"),
    )
