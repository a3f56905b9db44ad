"""Which images share which layers, and what is in them. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

from bake.images.blobs import Contents, Layer, Stored
from bake.images.sizes import Size

BlockKind = Literal["base", "dependencies", "packages"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Layers that the same images have. name: the layer class, "" for other kinds. images: sorted targets.

    size: of all platforms, each blob once. holders: lock entry or package path -> unpacked bytes, the largest first.
    """

    kind: BlockKind
    name: str
    images: tuple[str, ...]
    size: Size
    holders: Mapping[str, int]


def layer_map(stored: Sequence[Stored], contents: Mapping[str, Contents]) -> tuple[Block, ...]:
    """The blocks that the images are made of: base images first, then what most images share."""
    layers = {n.digest: n for s in stored for n in s.layers if not _is_empty(n, contents)}
    users = {d: tuple(sorted({s.image for s in stored if any(n.digest == d for n in s.layers)})) for d in layers}
    groups: dict[tuple[BlockKind, str, tuple[str, ...]], list[Layer]] = {}
    for digest, layer in layers.items():
        groups.setdefault((_block_kind(layer), layer.name, users[digest]), []).append(layer)
    blocks = (_make_block(kind, name, images, group, contents) for (kind, name, images), group in groups.items())
    return tuple(sorted(blocks, key=_block_order))


def _is_empty(layer: Layer, contents: Mapping[str, Contents]) -> bool:
    """Whether it only makes a folder, as WORKDIR does."""
    known = contents.get(layer.digest)
    return layer.origin == "settings" and known is not None and known.files == 0


def _block_kind(layer: Layer) -> BlockKind:
    return "packages" if layer.origin == "settings" else layer.origin


def _make_block(
    kind: BlockKind, name: str, images: tuple[str, ...], layers: Sequence[Layer], contents: Mapping[str, Contents]
) -> Block:
    size, holders = Size(), dict[str, int]()
    for layer in layers:
        known = contents.get(layer.digest)
        size += Size(stored=layer.bytes, unpacked=known.unpacked if known else None)
        for holder, count in known.holders.items() if known and kind != "base" else ():
            # One blob per platform holds the same packages: the largest tells what a container gets.
            holders[holder] = max(count, holders.get(holder, 0))
    ordered = dict(sorted(holders.items(), key=lambda h: (-h[1], h[0])))
    return Block(kind=kind, name=name, images=images, size=size, holders=ordered)


def _block_order(block: Block) -> tuple[int, int, int, tuple[str, ...], str]:
    return (block.kind != "base", -len(block.images), -block.size.stored, block.images, block.name)
