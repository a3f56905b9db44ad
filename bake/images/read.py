"""Built images read from the local engine or a registry: manifests, and the contents of the layers bake made.

What a digest holds never changes, so it is read once and kept in `.bake/cache/images.json`.
"""

import contextlib
import dataclasses
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from bake.config import parse_reference
from bake.engine import image_ids, save_images
from bake.errors import EngineError, RegistryError
from bake.files import read_file, scratch_folder, write_file
from bake.images.blobs import Contents, Layer, Stored, compressed_size, read_contents, read_stored, unpacked_size
from bake.registry import Registry

_FORMAT = 2
_MOST = 5000
"""Digests that the cache keeps; past it, only those in use."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """Images with their platforms, and what their layers hold, by digest."""

    stored: tuple[Stored, ...]
    contents: Mapping[str, Contents]


@dataclasses.dataclass(kw_only=True)
class _Known:
    """What earlier runs have read: the engine's image id -> platforms; layer -> contents."""

    images: dict[str, tuple[Stored, ...]] = dataclasses.field(default_factory=dict)
    contents: dict[str, Contents] = dataclasses.field(default_factory=dict)


def load_engine_images(references: Mapping[str, str], needed: Iterable[str], cache: Path) -> Images:
    """Images of the local engine, those that it has.

    references: target -> name. needed: targets that have to be there. Raises EngineError when one is not.
    """
    ids = image_ids(references)
    if absent := [target for target in needed if target not in ids]:
        what = f"the engine does not have {references[absent[0]]}"
        raise EngineError(absent[0], what, f"build it (`bake build {absent[0]}`), or add --pushed")
    known = _load_known(cache)
    new = {target: references[target] for target, name in ids.items() if f"{target} {name}" not in known.images}
    if new:
        with scratch_folder() as folder:
            file = folder / "images.tar"
            save_images(sorted(new.values()), file)
            for stored in _read_saved(file, new, known):
                known.images[f"{stored[0].image} {ids[stored[0].image]}"] = stored
        _write_known(cache, known, {f"{target} {name}" for target, name in ids.items()})
    found = tuple(s for target, name in ids.items() for s in known.images.get(f"{target} {name}", ()))
    return Images(stored=found, contents=known.contents)


def load_registry_images(registry: Registry, references: Mapping[str, str], cache: Path) -> Images:
    """Images of a registry. references: target -> name. Raises RegistryError."""
    known = _load_known(cache)
    stored = tuple(s for target, name in references.items() for s in _pull_image(registry, target, name))
    layers = ((n, references[s.image]) for s in stored for n in s.layers)
    missing = {n.digest: (n, name) for n, name in layers if n.digest not in known.contents}
    with ThreadPoolExecutor(4) as pool:
        read = pool.map(lambda one: _pulled_contents(registry, *one), missing.values())
        known.contents.update({digest: c for digest, c in zip(missing, read, strict=True) if c})
    _write_known(cache, known, set())
    return Images(stored=stored, contents=known.contents)


def _pulled_contents(registry: Registry, layer: Layer, name: str) -> Contents | None:
    """What a layer holds. Base layers are large: of them, the four bytes that tell their size are enough."""
    reference = parse_reference(name)
    if layer.origin != "base":
        return read_contents(io.BytesIO(registry.blob(reference, layer.digest)), layer.media_type)
    with contextlib.suppress(RegistryError):  # a base may keep its layers elsewhere
        if layer.media_type.endswith("gzip"):
            tail = registry.blob_tail(reference, layer.digest, 4)
            return _base_contents(unpacked_size(tail, layer.media_type))
    return None


def _pull_image(registry: Registry, target: str, name: str) -> tuple[Stored, ...]:
    reference = parse_reference(name)
    top = registry.manifest(reference)
    manifests: dict[str, Mapping[str, Any]] = {top.digest: top.content}
    for listed in top.content.get("manifests") or ():
        one = dataclasses.replace(reference, tag="", digest=str(listed["digest"]))
        manifests[one.digest] = registry.manifest(one).content

    def read(digest: str) -> Mapping[str, Any]:
        if digest in manifests:
            return manifests[digest]
        config: Mapping[str, Any] = json.loads(registry.blob(reference, digest))
        return config

    try:
        return tuple(read_stored(target, top.digest, read))
    except (KeyError, TypeError, ValueError) as error:
        raise RegistryError(name, f"is no image ({error!r})", "name an image that bake pushed") from None


# --- docker image save ---------------------------------------------------------------------------------


def _read_saved(file: Path, references: Mapping[str, str], known: _Known) -> Iterable[tuple[Stored, ...]]:
    """The images of a saved OCI layout, and into `known` what their layers hold."""
    with tarfile.open(file) as tar:
        names = set(tar.getnames())

        def blob(digest: str) -> IO[bytes]:
            path = f"blobs/{digest.replace(':', '/')}"
            stream = tar.extractfile(path) if path in names else None
            if stream is None:
                raise LookupError(digest)
            return stream

        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
        digests = {_saved_name(m): str(m["digest"]) for m in index["manifests"]}
        for target, reference in references.items():
            top = digests.get(_canonical_name(reference), "")
            platforms = read_stored(target, top, lambda digest: _read_json(blob(digest)))
            yield tuple(_weigh_layers(stored, blob, known) for stored in platforms)


def _read_json(stream: IO[bytes]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.load(stream)
    return content


def _saved_name(manifest: Mapping[str, Any]) -> str:
    """The name that the engine saved an image under. Source: moby, daemon/containerd/image_exporter.go."""
    return _canonical_name(str((manifest.get("annotations") or {}).get("io.containerd.image.name", "")) or "unnamed")


def _canonical_name(name: str) -> str:
    return str(parse_reference(name))


def _weigh_layers(stored: Stored, blob: Callable[[str], IO[bytes]], known: _Known) -> Stored:
    """The image with the compressed sizes of its layers; their contents go into `known`."""
    layers = tuple(_packed_layer(layer, blob) for layer in stored.layers)
    for layer in layers:
        if layer.digest not in known.contents and (contents := _layer_contents(layer, blob)):
            known.contents[layer.digest] = contents
    return dataclasses.replace(stored, layers=layers)


def _packed_layer(layer: Layer, blob: Callable[[str], IO[bytes]]) -> Layer:
    """Engines without containerd's image store keep layers as plain tar; a push compresses them."""
    if not layer.media_type.endswith(".tar"):
        return layer
    stream = blob(layer.digest)
    return dataclasses.replace(layer, bytes=compressed_size(iter(lambda: stream.read(1 << 20), b"")))


def _layer_contents(layer: Layer, blob: Callable[[str], IO[bytes]]) -> Contents | None:
    stream = blob(layer.digest)
    if layer.origin != "base":
        return read_contents(stream, layer.media_type)
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - 4))
    return _base_contents(end if layer.media_type.endswith(".tar") else unpacked_size(stream.read(), layer.media_type))


def _base_contents(unpacked: int | None) -> Contents | None:
    return None if unpacked is None else Contents(unpacked=unpacked, files=0)


# --- cache ---------------------------------------------------------------------------------------------


def _load_known(cache: Path) -> _Known:
    try:
        table = json.loads(read_file(cache.parent, f"{cache.name}/images.json"))
        if table["format"] != _FORMAT:
            return _Known()
        return _Known(
            images={name: tuple(_make_stored(s) for s in given) for name, given in table["images"].items()},
            contents={digest: Contents(**given) for digest, given in table["contents"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return _Known()


def _make_stored(given: Mapping[str, Any]) -> Stored:
    return Stored(**{**given, "layers": tuple(Layer(**layer) for layer in given["layers"])})


def _write_known(cache: Path, known: _Known, used: set[str]) -> None:
    """Write the cache. Images of old builds go; the contents of their layers are worth keeping for comparisons."""
    images = {name: given for name, given in known.images.items() if name in used} if used else known.images
    layers = {layer.digest for given in images.values() for s in given for layer in s.layers}
    contents = (
        known.contents
        if len(known.contents) < _MOST
        else {d: known.contents[d] for d in layers & known.contents.keys()}
    )
    table = {
        "format": _FORMAT,
        "images": {name: [dataclasses.asdict(s) for s in given] for name, given in images.items()},
        "contents": {digest: dataclasses.asdict(given) for digest, given in contents.items()},
    }
    write_file(cache.parent, f"{cache.name}/images.json", json.dumps(table).encode())
