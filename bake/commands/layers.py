"""Show the map of layers: which third-party packages lie together, what they weigh, and which images have them."""

import argparse
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bake.commands.arguments import add_plan_arguments, add_source_arguments, named, selected
from bake.config import size
from bake.errors import EngineError, RegistryError, ReleaseError
from bake.images import load_images
from bake.session import Session
from bake.table import show, table

if TYPE_CHECKING:
    from bake.images import Images
    from bake.lockfile import Lockfile
    from bake.plan import LayerClass, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and how much to show."""
    add_plan_arguments(parser)
    add_source_arguments(parser)
    parser.add_argument("--packages", action="store_true", help="list each layer's packages")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the map; sizes are there once the images are built."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    try:
        images = load_images(session, plan, plan.targets, pushed=arguments.pushed)
    except (EngineError, RegistryError, ReleaseError) as error:
        session.console.warn(f"without sizes: {error}")
        images = None
    lock, wanted = session.project.workspace.lock, {i.target for i in plan.selected()}
    rows = [_row(plan, lock, layer, images) for layer in plan.layers.classes]
    rows = [r for r in rows if wanted.intersection(r.images)]
    users = frozenset(i.service for i in plan.images if not i.static)
    text = table([_cells(r, users) for r in rows])
    if arguments.packages:
        text += "".join(f"\n\n{r.layer}" + "".join(f"\n  {e}" for e in r.packages) for r in rows)
    show(arguments.format, rows, text)
    return 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What a layer is stored as. unpacked: None when nobody knows."""

    digest: str
    bytes: int
    unpacked: int | None
    platforms: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A layer. platforms: its blobs, one for all platforms unless something native is in it."""

    layer: str
    native: bool
    packages: tuple[str, ...]
    platforms: tuple[Blob, ...]
    services: tuple[str, ...]
    images: tuple[str, ...]


def _row(plan: "Plan", lock: "Lockfile", layer: "LayerClass", images: "Images | None") -> Row:
    return Row(
        layer=layer.id,
        native=layer.native,
        packages=tuple(f"{e} {lock.entries[e].version}".rstrip() for e in layer.entries),
        platforms=_blobs(layer.id, images) if images else (),
        services=tuple(layer.services),
        images=tuple(i.target for i in plan.images if i.service in layer.services),
    )


def _blobs(layer: str, images: "Images") -> tuple[Blob, ...]:
    found: dict[str, Blob] = {}
    for stored in images.stored:
        for blob in (b for b in stored.layers if b.name == layer):
            known, before = images.contents.get(blob.digest), found.get(blob.digest)
            found[blob.digest] = Blob(
                digest=blob.digest,
                bytes=blob.bytes,
                unpacked=known.unpacked if known else None,
                platforms=tuple(sorted({*(before.platforms if before else ()), stored.platform})),
            )
    return tuple(found.values())


def _cells(row: Row, users: frozenset[str]) -> Mapping[str, str]:
    """A row for people. users: the services that have dependencies."""
    unpacked = [b.unpacked for b in row.platforms if b.unpacked is not None]
    return {
        "layer": row.layer,
        "packages": str(len(row.packages)),
        "bytes": size(sum(b.bytes for b in row.platforms)) if row.platforms else "",
        "unpacked": size(sum(unpacked)) if unpacked and len(unpacked) == len(row.platforms) else "",
        "blobs": str(len(row.platforms) or ""),
        "images": str(len(row.images)),
        "services": "all" if set(row.services) == users and len(row.services) > 1 else " ".join(row.services),
    }
