"""Images from one repository to another, with everything behind their digests.

Source: OCI distribution specification, "Pushing Blobs", "Mounting a blob from another repository".
"""

import dataclasses
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from bake.config import Reference
from bake.registry.oci import Manifest, Registry

_ELSEWHERE = ("foreign", "nondistributable")
"""Words in the types of layers that registries need not have."""


class Copier:
    """Copies within one run: a layer that many images have crosses the network once for each host."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._places: dict[tuple[str, str], Reference] = {}
        self._locks: defaultdict[tuple[str, str], Lock] = defaultdict(Lock)

    def copy(self, source: Reference, target: Reference) -> None:
        """Put the image of a digest into another repository, unless it is there. Raises RegistryError."""
        place = dataclasses.replace(target, tag="", digest=source.digest)
        if self._registry.has_manifest(place):
            return
        manifest = self._registry.manifest(source)
        for listed in manifest.content.get("manifests") or ():
            self.copy(dataclasses.replace(source, tag="", digest=str(listed["digest"])), target)
        for blob in _blobs_of(manifest):
            self._copy_blob(source, place, str(blob["digest"]), int(blob["size"]))
        self._registry.put_manifest(place, manifest.body, manifest.media_type)

    def _copy_blob(self, source: Reference, target: Reference, digest: str, size: int) -> None:
        with self._locks[target.host, digest]:
            known = self._places.setdefault((target.host, digest), source)
            if self._registry.has_blob(target, digest):
                pass
            elif known.host != target.host or not self._registry.mount_blob(target, digest, known):
                with tempfile.TemporaryFile() as file:
                    self._registry.fetch_blob(source, digest, file)
                    self._registry.store_blob(target, digest, file, size)
            self._places[target.host, digest] = target


def _blobs_of(manifest: Manifest) -> Iterator[Mapping[str, Any]]:
    """Settings and layers, as far as registries have them."""
    return (b for b in manifest.blobs if not any(word in str(b.get("mediaType", "")) for word in _ELSEWHERE))
