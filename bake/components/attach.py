"""The bill of materials of each pushed image, said beside it: its digest and its index's stay what they are."""

from collections.abc import Iterable
from typing import Literal

from bake.components.components import image_contents
from bake.components.sbom import to_cyclonedx, to_spdx
from bake.config import parse_reference
from bake.plan import Plan
from bake.project import Project
from bake.registry import Registry

Form = Literal["cyclonedx", "spdx"]

_TYPES = {"cyclonedx": "application/vnd.cyclonedx+json", "spdx": "application/spdx+json"}
"""Form -> the artifact's type, by which scanners and `oras discover` know it (IANA, media types)."""


def attach_sboms(
    registry: Registry, project: Project, plan: Plan, pushed: Iterable[tuple[str, str, str]], form: Form
) -> int:
    """Attach what each image that is made of packages holds; gives how many. Raises RegistryError.

    pushed: target, platform and the manifest of that, by digest.
    """
    write, kind, count = to_cyclonedx if form == "cyclonedx" else to_spdx, _TYPES[form], 0
    images = {image.target: image for image in plan.images}
    for target, platform, reference in pushed:
        if image := images.get(target):
            text = write(image_contents(plan, project.workspace.lock, image, platform))
            subject = parse_reference(reference)
            registry.put_referrer(subject, registry.manifest(subject), kind, {}, content=text.encode(), listed=True)
            count += 1
    return count
