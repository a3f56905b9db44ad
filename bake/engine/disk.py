"""What the engine keeps on disk: the build cache by kind, and images. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bake.config import parse_size

_KINDS = {
    "regular": "steps",
    "source.local": "contexts",
    "source.git.checkout": "git sources",
    "exec.cachemount": "caches of package managers and bundlers",
    "frontend": "frontends",
    "internal": "internal",
}
"""BuildKit's record types in this project's words. Source: moby/buildkit, client/diskusage.go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One kind of thing on disk. reclaimable: bytes that a prune could free."""

    kind: str
    count: int
    bytes: int
    reclaimable: int


def cache_usage(lines: Iterable[str]) -> tuple[Usage, ...]:
    """Usage by kind from `docker buildx du --format json`, the biggest first.

    Steps whose layers images hold too are a kind of their own: a prune does not free them while the images are there.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        record = json.loads(line)
        kind = _KINDS.get(record.get("Type", ""), str(record.get("Type", "")))
        shared = kind == "steps" and record.get("Shared")
        found.setdefault("steps, shared with images" if shared else kind, []).append(record)
    usages = (_usage(kind, records) for kind, records in found.items())
    return tuple(sorted(usages, key=lambda u: (-u.bytes, u.kind)))


def image_usage(lines: Iterable[str]) -> tuple[Usage, ...]:
    """Images and containers from `docker system df --format json`; it counts layers that images share once."""
    records = (json.loads(line) for line in lines)
    return tuple(
        Usage(
            kind=record["Type"].lower(),
            count=int(record["TotalCount"]),
            bytes=parse_size(record["Size"]),
            reclaimable=parse_size(record["Reclaimable"].partition(" ")[0]),
        )
        for record in records
        if record["Type"] in {"Images", "Containers"}
    )


def total(usages: Iterable[Usage]) -> int:
    """Bytes of all of them."""
    return sum(u.bytes for u in usages)


def _usage(kind: str, records: Iterable[Mapping[str, Any]]) -> Usage:
    sizes = [(parse_size(r["Size"]), bool(r.get("Reclaimable"))) for r in records]
    return Usage(
        kind=kind,
        count=len(sizes),
        bytes=sum(size for size, _ in sizes),
        reclaimable=sum(size for size, free in sizes if free),
    )
