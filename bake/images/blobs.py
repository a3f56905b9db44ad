"""An image as registries and `docker save` store it: its layers, what each is, and whose files it holds. Pure.

Sources: OCI image specification (manifest, config, layer); BuildKit's words in a config's history.
"""

import contextlib
import dataclasses
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Literal

from bake.workspace import ROOT

Origin = Literal["base", "dependencies", "packages", "settings"]

_OURS = re.compile(
    r"COPY (?:--\S+ )*(?:/layers/(?:[^\s/]+/)?(?P<id>[^\s/]+)/ /|(?P<group>/ /)"
    r"|(?P<own>(?:(?:/bake)?/out|/traced/code/\S+)/ /)|(?P<home>(?:/bake)?/out/\S+/ /))(?: #|$)"
)
_MADE_UP = re.compile(r"created by buildkit$|\[[^\]]+ \d+/\d+\] ")
"""What BuildKit adds at the end for a base without a history (moby/buildkit, exporter/containerimage/writer.go)."""
_ENTRY = re.compile(r"(?P<entry>(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*)(?:/|$)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One blob of an image. bytes: as stored. name: the layer class, "" for what has none."""

    digest: str
    media_type: str
    bytes: int
    origin: Origin
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One platform of an image. config: the image's configuration, as the OCI specification has it."""

    image: str
    platform: str
    digest: str
    layers: tuple[Layer, ...]
    config: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a layer unpacks to. unpacked: bytes of all files. holders: lock entry or package path -> bytes of its files.

    largest: package path -> the largest files of packages of the workspace, by their path in it. Of a base image's
    layers only `unpacked` is known, as a tar: with its headers.
    """

    unpacked: int
    files: int
    holders: Mapping[str, int] = dataclasses.field(default_factory=dict)
    largest: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)


def make_stored(image: str, digest: str, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Stored:
    """The image that a manifest and its config describe."""
    platform = "/".join(str(config[k]) for k in ("os", "architecture", "variant") if config.get(k))
    said = [str(h.get("created_by", "")) for h in config.get("history") or () if not h.get("empty_layer")]
    said = [words for words in said if not _MADE_UP.match(words)]
    blobs = manifest.get("layers") or ()
    # A base without a history of its own leaves fewer words than layers; ours are the last ones.
    words = [""] * (len(blobs) - len(said)) + said[max(0, len(said) - len(blobs)) :]
    return Stored(image=image, platform=platform, digest=digest, layers=tuple(_layers_of(blobs, words)), config=config)


def _layers_of(blobs: Sequence[Mapping[str, Any]], words: Sequence[str]) -> Iterator[Layer]:
    ours = False
    for blob, said in zip(blobs, words, strict=True):
        found = _OURS.match(said)
        ours = ours or found is not None
        yield Layer(
            digest=str(blob["digest"]),
            media_type=str(blob.get("mediaType", "")),
            bytes=int(blob.get("size", 0)),
            origin=_origin_of(found) if found else "settings" if ours else "base",
            name=(found["id"] or "") if found else "",
        )


def _origin_of(found: "re.Match[str]") -> Origin:
    if found["home"]:
        return "settings"
    return "dependencies" if found["id"] else "packages"


def read_contents(blob: IO[bytes], media_type: str) -> Contents | None:
    """Add up a layer's files; None for a compression that this Python does not know. Raises tarfile.TarError."""
    if media_type.endswith("zstd"):
        return None
    sizes: dict[str, int] = {}
    with tarfile.open(fileobj=blob, mode="r|gz" if media_type.endswith("gzip") else "r|") as tar:
        for member in tar:
            if not member.isdir():
                sizes[member.name.removeprefix("./")] = member.size if member.isfile() else 0
    return make_contents(sizes)


def make_contents(sizes: Mapping[str, int]) -> Contents:
    """Attribute files (path -> bytes) to the lock entries and packages that they belong to."""
    folders = {p.rpartition("/")[0] for p in sizes if p.endswith("/package.json") and "node_modules/" not in p}
    holders: dict[str, int] = {}
    own: dict[str, dict[str, int]] = {}
    for path, size in sizes.items():
        if holder := holder_of(path, folders):
            holders[holder] = holders.get(holder, 0) + size
            if "node_modules/" not in holder:
                own.setdefault(holder, {})[path.removeprefix("app/").removeprefix(f"{holder}/")] = size
    return Contents(
        unpacked=sum(sizes.values()),
        files=len(sizes),
        holders=dict(sorted(holders.items())),
        largest={holder: largest_files(files) for holder, files in sorted(own.items())},
    )


def largest_files(files: Mapping[str, int]) -> Mapping[str, int]:
    """The files that are worth a look, the largest first."""
    ordered = sorted(files.items(), key=lambda file: (-file[1], file[0]))
    return dict(ordered[:_MOST_FILES])


_MOST_FILES = 12
"""Files of a package that are told one by one."""


def holder_of(path: str, folders: Iterable[str]) -> str:
    """The lock entry or package path that a file of an image belongs to; "" for none. folders: with a package.json.

    The root package is "." here.
    """
    if found := _ENTRY.match(path):
        return found["entry"].removeprefix("app/")
    inside = max((f for f in folders if path.startswith(f"{f}/")), key=len, default="")
    return ROOT if inside == "app" else inside.removeprefix("app/")


def unpacked_size(tail: bytes, media_type: str) -> int | None:
    """Bytes that a gzip blob unpacks to as a tar, by its last four bytes (RFC 1952, ISIZE); None for other blobs."""
    return int.from_bytes(tail[-4:], "little") if media_type.endswith("gzip") and len(tail) >= 4 else None


def compressed_size(chunks: Iterable[bytes]) -> int:
    """Bytes that a blob would have as gzip, the way BuildKit compresses: for engines that keep layers as plain tar."""
    packer = zlib.compressobj(6, wbits=31)
    return sum(len(packer.compress(chunk)) for chunk in chunks) + len(packer.flush())


Read = Callable[[str], Mapping[str, Any]]
"""Digest -> a manifest, index or config. Raises LookupError when it is not there."""


def read_stored(image: str, digest: str, read: Read) -> Iterator[Stored]:
    """The platforms behind a manifest's or an index's digest; attestations are none.

    An engine that has only some of the platforms gives those.
    """
    content = read(digest)
    if "manifests" not in content:
        yield make_stored(image, digest, content, read(str(content["config"]["digest"])))
        return
    for listed in content["manifests"]:
        if (listed.get("platform") or {}).get("os") != "unknown":
            with contextlib.suppress(LookupError):
                yield from read_stored(image, str(listed["digest"]), read)
