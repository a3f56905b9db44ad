"""The old all-in-one image, while it is needed."""

import dataclasses
from collections.abc import Mapping

from bake.plan.images import Target, image_labels
from bake.plan.project import Project, argument_value
from bake.plan.request import Request

MONOLITH = "monolith"
"""Its target; bake's own (config.RESERVED)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Monolith(Target):
    """An image with a Dockerfile of its own. platforms: () for the builder's own."""

    dockerfile: str
    context: str
    stage: str | None
    platforms: tuple[str, ...]
    args: Mapping[str, str]


def plan_monolith(project: Project, request: Request) -> Monolith | None:
    """The old image, where bake.toml has it."""
    settings = project.config.monolith
    if settings is None:
        return None
    return Monolith(
        target=MONOLITH,
        repository=settings.image or project.config.project.name,
        labels=image_labels(project, request, MONOLITH),
        dockerfile=settings.dockerfile,
        context=settings.context,
        stage=settings.target,
        platforms=request.platforms or settings.platforms,
        args={k: argument_value(v, request.environment) for k, v in settings.args.items()},
    )
