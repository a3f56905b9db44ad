"""The bill of materials of each pushed image, said beside it: its digest and its index's stay what they are."""

from collections.abc import Iterator
from typing import Literal

from bake.components import image_contents, to_cyclonedx, to_spdx
from bake.config import parse_reference
from bake.plan import Plan, Project
from bake.publish import Release
from bake.registry import Registry

Form = Literal["cyclonedx", "spdx"]

SBOM_TYPES = {"cyclonedx": "application/vnd.cyclonedx+json", "spdx": "application/spdx+json"}
"""Form -> the artifact's type, by which scanners and `oras discover` know it (IANA, media types)."""


def attach_sboms(registry: Registry, project: Project, plan: Plan, release: Release, form: Form) -> int:
    """Attach to each platform of each image of packages what it holds; gives how many. Raises RegistryError."""
    kind, count = SBOM_TYPES[form], 0
    for reference, text in _sboms(project, plan, release, form):
        subject = parse_reference(reference)
        registry.put_referrer(subject, registry.manifest(subject), kind, {}, content=text.encode(), listed=True)
        count += 1
    return count


def _sboms(project: Project, plan: Plan, release: Release, form: Form) -> Iterator[tuple[str, str]]:
    write = to_cyclonedx if form == "cyclonedx" else to_spdx
    images = {image.target: image for image in plan.images}
    for released in (each for each in release.everywhere if each.image in images):
        for part in released.platforms:
            contents = image_contents(plan, project.workspace.lock, images[released.image], part.platform)
            yield f"{released.repository}@{part.digest}", write(contents)
