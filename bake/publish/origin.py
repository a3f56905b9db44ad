"""Which commit an image was first built from, told beside the image: its digest tells its content alone."""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bake.config import parse_reference
from bake.errors import RegistryError
from bake.publish.release import Release, ReleasedImage
from bake.registry import Registry

ORIGIN = "application/vnd.bake.origin.v1"
"""The artifact's type, by which `oras discover` and the like show it."""


def attach_origin(registry: Registry, release: Release, images: Iterable[ReleasedImage]) -> None:
    """Let a referrer of each image tell revision, version, source and time of the release's commit.

    An image that is there already keeps that of the commit that it was built from. Not every registry takes referrers,
    and nothing depends on them.
    """
    told = origin_annotations(release)
    for image in images if release.revision else ():
        with contextlib.suppress(RegistryError):
            ref = dataclasses.replace(parse_reference(image.repository), tag="", digest=image.digest)
            registry.put_referrer(ref, registry.manifest(ref), ORIGIN, told)


def origin_annotations(release: Release) -> Mapping[str, str]:
    """The commit in the words of the OCI image specification."""
    time = datetime.fromtimestamp(release.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if release.created else ""
    told = {"revision": release.revision, "version": release.version, "source": release.source, "created": time}
    return {f"org.opencontainers.image.{key}": value for key, value in told.items() if value}
