"""What images weigh: compressed bytes of the layers that their base has not."""

import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.race.race import Entry

Layers = Mapping[str, int]
"""Digest -> compressed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Bytes of a peer's images: of each service's, of all, each blob once. lost: services that it cannot build."""

    peer: str
    services: Mapping[str, int]
    total: int
    lost: Mapping[str, str]


def weigh_entry(entry: Entry, base: str) -> Weighed:
    """What the images of a peer that has built weigh above the base."""
    found = weigh([entry.reference(t) for t in entry.targets], base)
    images = {s.name: [found[entry.reference(i)] for i in s.images] for s in entry.fleet.services}
    return Weighed(
        peer=entry.peer.name,
        services={name: _once(layers) for name, layers in images.items()},
        total=_once(found.values()),
        lost=dict(entry.lost),
    )


def _once(images: Iterable[Layers]) -> int:
    return sum({digest: size for layers in images for digest, size in layers.items()}.values())


def weigh(references: Sequence[str], base: str) -> Mapping[str, Layers]:
    """Per reference: the layers above `base`, for the engine's own platform."""
    command = ["docker", "buildx", "build", "-q", "--provenance=false", "-t", "race-base:race", "-"]
    subprocess.run(command, input=f"FROM {base}\n", text=True, capture_output=True, check=True)
    found = _saved((*references, "race-base:race"))
    below = found.pop("race-base:race")
    return {name: {d: s for d, s in layers.items() if d not in below} for name, layers in found.items()}


def _saved(references: Sequence[str]) -> dict[str, Layers]:
    """The layers of images, out of the archive that the engine makes of them, which is never kept."""
    texts: dict[str, Any] = {}
    with (
        subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as archive,
    ):
        for member in archive:
            small = member.isfile() and member.size < 100_000
            texts[member.name] = _json(archive, member) if small else None
    return {
        _name(e["annotations"]["io.containerd.image.name"]): {
            layer["digest"]: layer["size"] for layer in _manifest(texts, e)["layers"]
        }
        for e in texts["index.json"]["manifests"]
    }


def _json(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    file = archive.extractfile(member)
    try:
        return json.load(file) if file else None
    except ValueError:  # a small layer
        return None


def _manifest(texts: Mapping[str, Any], entry: Mapping[str, Any]) -> Any:
    """The manifest of the engine's own platform, which is the one that is there, in an index or not."""
    found = texts.get("blobs/" + entry["digest"].replace(":", "/"))
    if found and "manifests" in found:
        inner = (_manifest(texts, e) for e in found["manifests"] if _is_image(e))
        return next((m for m in inner if m), None)
    return found


def _is_image(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("platform", {}).get("architecture") != "unknown")


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
