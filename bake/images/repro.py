"""Whether two builds gave the same image: their OCI layouts compared, down to the files of layers that differ.

Source of the layout: opencontainers/image-spec, image-layout.md, manifest.md, layer.md.
"""

import dataclasses
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bake.errors import BuildError
from bake.registry import INDEX_TYPES, platform_name

_MOST = 20
"""Files that are named for one layer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two builds differ. layer: the instruction that made it, or "configuration". path: a file or key."""

    platform: str
    layer: str
    path: str
    what: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One platform of an image in two builds."""

    platform: str
    digests: tuple[str, str]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same digest, so the same bytes."""
        return self.digests[0] == self.digests[1]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What a layer says of one file."""

    kind: str
    mode: str
    owner: str
    time: float
    link: str
    size: int
    content: str


def load_comparison(first: Path, second: Path) -> tuple[Comparison, ...]:
    """Compare two OCI layouts (folders), by platform. Raises BuildError for what is no layout."""
    images = [dict(_load_platforms(layout)) for layout in (first, second)]
    platforms = sorted({*images[0], *images[1]})
    return tuple(_load_pair(p, (first, second), [i.get(p, "") for i in images]) for p in platforms)


def _load_platforms(layout: Path) -> Iterator[tuple[str, str]]:
    """Platform and digest of the manifests; attestations are none."""
    index = _read_json(layout / "index.json")
    for entry in index["manifests"]:
        if entry["mediaType"] in INDEX_TYPES:
            for part in _read_blob(layout, entry["digest"])["manifests"]:
                if name := platform_name(part.get("platform") or {}):
                    yield name, part["digest"]
        else:
            config = _read_blob(layout, _read_blob(layout, entry["digest"])["config"]["digest"])
            yield platform_name(config), entry["digest"]


def _load_pair(platform: str, layouts: tuple[Path, Path], digests: list[str]) -> Comparison:
    differences: tuple[Difference, ...] = ()
    if "" in digests:
        which = "second" if digests[0] else "first"
        differences = (Difference(platform=platform, layer="image", path="", what=f"missing in the {which} build"),)
    elif digests[0] != digests[1]:
        differences = tuple(_load_differences(platform, layouts, digests))
    return Comparison(platform=platform, digests=(digests[0], digests[1]), differences=differences)


def _load_differences(platform: str, layouts: tuple[Path, Path], digests: list[str]) -> Iterator[Difference]:
    manifests = [_read_blob(layout, digest) for layout, digest in zip(layouts, digests, strict=True)]
    configs = [_read_blob(layout, m["config"]["digest"]) for layout, m in zip(layouts, manifests, strict=True)]
    for key, what in _differing_keys(configs[0], configs[1]):
        yield Difference(platform=platform, layer="configuration", path=key, what=what)
    names = _layer_instructions(configs[0])
    layers = [m["layers"] for m in manifests]
    if len(layers[0]) != len(layers[1]):
        counts = f"{len(layers[0])} layers, then {len(layers[1])}"
        yield Difference(platform=platform, layer="image", path="", what=counts)
    for number, (one, other) in enumerate(zip(*layers, strict=False)):
        if one["digest"] != other["digest"]:
            files = [
                _load_layer(_blob_file(layout, blob["digest"]))
                for layout, blob in zip(layouts, (one, other), strict=True)
            ]
            layer = names[number] if number < len(names) else f"layer {number + 1}"
            found = list(compare_layers(files[0], files[1]))
            shown = found[:_MOST] or [("", "the same files, packed in another way")]
            for path, what in shown:
                yield Difference(platform=platform, layer=layer, path=path, what=what)
            if len(found) > _MOST:
                yield Difference(platform=platform, layer=layer, path="", what=f"and {len(found) - _MOST} more files")


def compare_layers(first: Mapping[str, _Entry], second: Mapping[str, _Entry]) -> Iterator[tuple[str, str]]:
    """Path and what differs, for each file that two layers have not alike; the order of files counts."""
    for path in sorted({*first, *second}):
        if path not in first or path not in second:
            yield path, f"only in the {'first' if path in first else 'second'} build"
        elif first[path] != second[path]:
            fields = [f.name for f in dataclasses.fields(_Entry)]
            pairs = [(f, getattr(first[path], f), getattr(second[path], f)) for f in fields]
            yield path, ", ".join(_difference_text(*pair) for pair in pairs if pair[1] != pair[2])
    if list(first) != list(second) and first == second:
        yield "", "the same files in another order"


def _difference_text(field: str, one: object, other: object) -> str:
    return field if field == "content" else f"{field} {one}, then {other}"


def _differing_keys(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Keys of two configurations that differ; what layers are called follows from the layers."""
    for key in sorted({*one, *other}):
        where = f"{path}.{key}" if path else key
        before, after = one.get(key), other.get(key)
        if before == after or where == "rootfs":
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differing_keys(before, after, where)
        elif where == "history":
            yield from _differing_history(before or (), after or ())
        else:
            yield where, f"{before}, then {after}"


_History = Sequence[Mapping[str, Any]]


def _differing_history(one: _History, other: _History) -> Iterator[tuple[str, str]]:
    """What the entries of two histories have not alike, by their number from 1, or how many each has."""
    if len(one) != len(other):
        yield "history", f"{len(one)} instructions, then {len(other)}"
        return
    for number, pair in enumerate(zip(one, other, strict=True), 1):
        yield from _differing_keys(*pair, f"history {number}")


def _layer_instructions(config: Mapping[str, Any]) -> list[str]:
    """The instruction behind each layer."""
    history = config.get("history") or ()
    return [str(h.get("created_by", "")).partition(" # ")[0] for h in history if not h.get("empty_layer")]


def _load_layer(file: Path) -> Mapping[str, _Entry]:
    entries: dict[str, _Entry] = {}
    with tarfile.open(file) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            entries[member.name] = _Entry(
                kind=member.type.decode(),
                mode=f"{member.mode:04o}",
                owner=f"{member.uid}:{member.gid}",
                time=float(member.mtime),
                link=member.linkname,
                size=member.size,
                content=hashlib.file_digest(stream, "sha256").hexdigest() if stream else "",  # type: ignore[arg-type]
            )
    return entries


def _blob_file(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _read_blob(layout: Path, digest: str) -> Mapping[str, Any]:
    return _read_json(_blob_file(layout, digest))


def _read_json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(str(file), f"is no part of an OCI layout ({error})", "build it again") from None
    return content if isinstance(content, dict) else {}
