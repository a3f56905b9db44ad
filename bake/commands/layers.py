"""Show the map of layers: which third-party packages lie together, what they weigh, and which images have them."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bake.commands.arguments import add_plan_arguments, add_source_arguments, named, selected
from bake.config import size
from bake.errors import EngineError, RegistryError, ReleaseError
from bake.images import load_images
from bake.session import Session
from bake.table import table

if TYPE_CHECKING:
    from bake.images import Images
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
    rows = [_row(session, plan, layer, images) for layer in plan.layers.classes]
    wanted = {i.target for i in plan.selected()}
    rows = [r for r in rows if wanted.intersection(r["images"])]
    if arguments.format == "json":
        print(json.dumps(rows, indent=2))
    else:
        print(table([_cells(r, plan) for r in rows]))
        if arguments.packages:
            print("".join(f"\n{r['layer']}\n" + "".join(f"  {e}\n" for e in r["packages"]) for r in rows), end="")
    return 0


def _row(session: Session, plan: "Plan", layer: "LayerClass", images: "Images | None") -> dict[str, Any]:
    lock = session.project.workspace.lock
    targets = [i.target for i in plan.images if i.service in layer.services]
    return {
        "layer": layer.id,
        "native": layer.native,
        "packages": [f"{e} {lock.entries[e].version}".rstrip() for e in layer.entries],
        "platforms": _sizes(layer.id, images) if images else [],
        "services": list(layer.services),
        "images": targets,
    }


def _sizes(layer: str, images: "Images") -> Sequence[Mapping[str, Any]]:
    """The layer's blobs: one for all platforms, unless something native is in it."""
    found: dict[str, dict[str, Any]] = {}
    for stored in images.stored:
        for blob in stored.layers:
            if blob.name == layer:
                known = images.contents.get(blob.digest)
                row = found.setdefault(
                    blob.digest,
                    {
                        "digest": blob.digest,
                        "bytes": blob.bytes,
                        "unpacked": known.unpacked if known else None,
                        "platforms": [],
                    },
                )
                row["platforms"] = sorted({*row["platforms"], stored.platform})
    return tuple(found.values())


def _cells(row: Mapping[str, Any], plan: "Plan") -> Mapping[str, str]:
    services = {i.service for i in plan.images if not i.static}
    users = row["services"]
    blobs = row["platforms"]
    return {
        "layer": row["layer"],
        "packages": str(len(row["packages"])),
        "bytes": size(sum(b["bytes"] for b in blobs)) if blobs else "",
        "unpacked": size(sum(b["unpacked"] for b in blobs))
        if blobs and all(b["unpacked"] is not None for b in blobs)
        else "",
        "blobs": str(len(blobs) or ""),
        "images": str(len(row["images"])),
        "services": "all" if set(users) == services and len(users) > 1 else " ".join(users),
    }
