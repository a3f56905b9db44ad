"""Joining shards: what several runners pushed without tags, as one image per target for all platforms."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bake.config import Reference, parse_reference
from bake.errors import ReleaseError
from bake.publish.release import Release, ReleasedImage
from bake.registry import INDEX_TYPES, Manifest, Registry, platform_name

_ABOUT = "vnd.docker.reference.digest"
"""An attestation's annotation with its image. Source: moby/buildkit, docs/attestations/attestation-storage.md."""

_REMEDY = "merge the manifests of one revision's shards"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The manifest of one runner's push. name: its file."""

    name: str
    release: Release


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """One image as its shards have it. sources: per digest of a shard's image, the platforms to take from there."""

    image: str
    repository: str
    sources: Mapping[str, tuple[str, ...]]


def plan_merge(
    shards: Sequence[Shard], *, platforms: Sequence[str], targets: Sequence[str] = ()
) -> tuple[Release, tuple[Joint, ...]]:
    """What to join, the same in whatever order the shards come. Gives the release without images, and the joints.

    targets: the images that must be there; () for those that any shard has. Raises ReleaseError that names what is
    missing, or what shards disagree about.
    """
    for key in ("project", "revision", "branch", "version", "source", "created"):
        _require_same(shards, key)
    images = _shard_images(shards)
    missing = [t for t in targets if t not in images]
    if missing:
        raise ReleaseError(", ".join(missing), "no shard has it", "merge the files of every job")
    chosen = {t: images[t] for t in sorted(targets or images)}
    _require_platforms(chosen, platforms)
    return dataclasses.replace(shards[0].release, images=()), tuple(_make_joint(i, platforms) for i in chosen.values())


def _require_same(shards: Sequence[Shard], key: str) -> None:
    values = {getattr(s.release, key): s.name for s in sorted(shards, key=lambda s: s.name, reverse=True)}
    if len(values) > 1:
        said = ", ".join(f"{str(v) or 'none'} in {name}" for v, name in sorted(values.items(), key=lambda v: v[1]))
        raise ReleaseError(key, f"the shards differ ({said})", _REMEDY)


def _shard_images(shards: Iterable[Shard]) -> Mapping[str, list[tuple[str, ReleasedImage]]]:
    """Target -> (file, image) of every shard that has it."""
    found: dict[str, list[tuple[str, ReleasedImage]]] = {}
    for shard in sorted(shards, key=lambda s: s.name):
        for image in shard.release.images:
            found.setdefault(image.image, []).append((shard.name, image))
    return found


def _require_platforms(images: Mapping[str, list[tuple[str, ReleasedImage]]], platforms: Sequence[str]) -> None:
    """Every image has every platform, and no other."""
    missing = []
    for target, parts in images.items():
        there = {p.platform for _, image in parts for p in image.platforms}
        missing += [f"{target} for {p}" for p in platforms if p not in there]
        if extra := sorted(there.difference(platforms)):
            what = f"has {', '.join(extra)}, which {'is' if len(extra) == 1 else 'are'} not asked for"
            raise ReleaseError(target, what, "name every platform with --platform")
    if missing:
        raise ReleaseError("the shards", f"have no {', no '.join(missing)}", "merge the files of every job")


def _make_joint(parts: Sequence[tuple[str, ReleasedImage]], platforms: Sequence[str]) -> Joint:
    """Each platform from one digest. One shard that has all of them is taken as it is."""
    _, first = parts[0]
    digests: dict[str, tuple[str, str]] = {}
    for name, image in parts:
        if image.repository != first.repository:
            what = f"is in {first.repository} by {parts[0][0]} and in {image.repository} by {name}"
            raise ReleaseError(image.image, what, _REMEDY)
        for each in image.platforms:
            digest, other = digests.setdefault(each.platform, (each.digest, name))
            if digest != each.digest:
                what = f"{each.platform} is {digest[:19]} in {other} and {each.digest[:19]} in {name}"
                raise ReleaseError(image.image, what, _REMEDY)
    sources: dict[str, tuple[str, ...]] = {}
    left = set(platforms)
    for image in sorted((i for _, i in parts), key=lambda i: (-len(i.platforms), i.digest)):
        mine = tuple(sorted(left.intersection(p.platform for p in image.platforms)))
        left.difference_update(mine)
        if mine:
            sources[image.digest] = mine
    return Joint(image=first.image, repository=first.repository, sources=sources)


def join(registry: Registry, joint: Joint) -> str:
    """Put the image's index into its repository, by digest; gives that. Raises RegistryError."""
    ref = parse_reference(joint.repository)
    if len(joint.sources) == 1:
        return next(iter(joint.sources))
    parts = [_make_part(registry, dataclasses.replace(ref, tag="", digest=d), p) for d, p in joint.sources.items()]
    body = render_index(parts)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    registry.put_manifest(dataclasses.replace(ref, tag="", digest=digest), body, INDEX_TYPES[0])
    return digest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one shard gives to an index: descriptors with platforms, attestations of them, the index's annotations."""

    descriptors: tuple[Mapping[str, Any], ...]
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _make_part(registry: Registry, ref: Reference, platforms: Sequence[str]) -> Part:
    manifest = registry.manifest(ref)
    if not manifest.is_index:
        system, _, architecture = platforms[0].partition("/")
        architecture, _, variant = architecture.partition("/")
        platform = {"architecture": architecture, "os": system} | ({"variant": variant} if variant else {})
        described = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.body)}
        return Part(descriptors=({**described, "platform": platform},))
    return part_of(manifest, platforms)


def part_of(index: Manifest, platforms: Sequence[str]) -> Part:
    """An index's manifests for the platforms, with the attestations about them."""
    listed = index.content.get("manifests") or ()
    mine = [m for m in listed if platform_name(m.get("platform") or {}) in platforms]
    digests = {m["digest"] for m in mine}
    about = [m for m in listed if (m.get("annotations") or {}).get(_ABOUT) in digests]
    return Part(descriptors=(*mine, *about), annotations=index.content.get("annotations") or {})


def render_index(parts: Iterable[Part]) -> bytes:
    """An OCI image index: platforms by name, then their attestations by the same; the same bytes for any order.

    Annotations of the parts' indexes are kept; where two differ, the one of the first platform.
    """
    ordered = sorted(parts, key=lambda p: sorted(_platform_of(d) for d in p.descriptors if _platform_of(d)))
    described = [d for p in ordered for d in p.descriptors]
    places = {d["digest"]: _platform_of(d) for d in described if _platform_of(d)}
    images = sorted((d for d in described if _platform_of(d)), key=_platform_of)
    about = sorted(
        (d for d in described if not _platform_of(d)), key=lambda d: (places.get(_attested_digest(d), ""), d["digest"])
    )
    annotations: dict[str, str] = {}
    for part in ordered:
        annotations = {**part.annotations, **annotations}
    content = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [*images, *about]}
    kept = {"annotations": dict(sorted(annotations.items()))} if annotations else {}
    return json.dumps(content | kept, indent=2, ensure_ascii=False).encode()


def _platform_of(descriptor: Mapping[str, Any]) -> str:
    """Its platform; "" for an attestation."""
    return platform_name(descriptor.get("platform") or {})


def _attested_digest(descriptor: Mapping[str, Any]) -> str:
    """The digest of the image that an attestation is about."""
    return str((descriptor.get("annotations") or {}).get(_ABOUT, ""))
