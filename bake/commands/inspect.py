"""Show what is in an image and why: its process, layers, and each package with the dependencies that bring it."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bake.commands.arguments import add_source_arguments, named, selected
from bake.config import size
from bake.errors import UsageError
from bake.images import Held, held_packages, load_images
from bake.inputs import way
from bake.session import Session
from bake.table import show, table
from bake.workspace import shown

if TYPE_CHECKING:
    from bake.images import Images, Layer, Stored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The image, and how much to show."""
    parser.add_argument("name", metavar="IMAGE", help="an image")
    parser.add_argument("package", nargs="?", metavar="PACKAGE", help="tell only why this package is there")
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms (default: bake.toml's)")
    parser.add_argument("--tag", action="append", metavar="TAG", help="tag instead of bake.toml's")
    add_source_arguments(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    plan = session.plan(selected([arguments.name], arguments.platform), named(arguments.tag))
    if len(plan.targets) != 1 or not plan.selected():
        raise UsageError(arguments.name, f"means {', '.join(plan.targets)}", "name one image")
    images = load_images(session, plan, plan.targets, pushed=arguments.pushed)
    service = next(s for s in plan.services if s.service == plan.image(plan.targets[0]).service)
    packages = held_packages(service, images, plan.targets, session.project.workspace.lock)
    if arguments.package:
        packages = _named(packages, arguments.package, arguments.name)
    platforms = [] if arguments.package else [_platform(images, stored) for stored in images.stored]
    text = "\n".join([*platforms, table([_cells(h) for h in packages])])
    show(arguments.format, {"platforms": [_details(s) for s in images.stored], "packages": packages}, text)
    return 0


def _named(packages: Sequence[Held], name: str, image: str) -> tuple[Held, ...]:
    found = tuple(h for h in packages if name in (shown(h.path), h.path.rpartition("node_modules/")[2]))
    if not found:
        raise UsageError(name, f"is not in {image}", f"`bake inspect {image}` lists what is")
    return found


def _platform(images: "Images", stored: "Stored") -> str:
    about = "\n".join(f"{key:<12}{value}" for key, value in _about(stored).items())
    return f"{about}\n\n{table([_layer(images, layer) for layer in stored.layers])}\n"


def _details(stored: "Stored") -> Mapping[str, object]:
    labels = (stored.config.get("config") or {}).get("Labels") or {}
    return {**_about(stored), "labels": labels, "layers": stored.layers}


def _about(stored: "Stored") -> Mapping[str, str]:
    config: Mapping[str, Any] = stored.config.get("config") or {}
    about = {
        "image": stored.image,
        "platform": stored.platform,
        "digest": stored.digest,
        "user": str(config.get("User", "")) or "root",
        "entrypoint": shlex.join(config.get("Entrypoint") or ()),
        "command": shlex.join(config.get("Cmd") or ()),
        "directory": str(config.get("WorkingDir", "")),
        "ports": " ".join(config.get("ExposedPorts") or ()),
        "environment": " ".join(config.get("Env") or ()),
    }
    return {key: value for key, value in about.items() if value}


def _layer(images: "Images", layer: "Layer") -> Mapping[str, str]:
    known = images.contents.get(layer.digest)
    return {
        "layer": layer.name or layer.origin,
        "digest": layer.digest[7:19],
        "bytes": size(layer.bytes),
        "unpacked": size(known.unpacked) if known else "",
        "files": str(known.files) if known and layer.origin != "base" else "",
    }


def _cells(held: Held) -> Mapping[str, str]:
    return {
        "package": shown(held.path),
        "version": held.version,
        "unpacked": size(held.bytes),
        "brought by": way(held.via),
    }
