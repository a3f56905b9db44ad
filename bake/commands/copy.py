"""Copy the images of a push to another registry by digest, then move their tags there, all or none.

Digests stay what they are; what the registry has is not sent again.
"""

import argparse
import re
from pathlib import Path

from bake.commands.arguments import parse_tags, require_registry
from bake.publish import UNFINISHED, check_form, keeping_unfinished, load_push, write_release
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which push, where to."""
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="the push's release.json or .toml")
    parser.add_argument("registry", metavar="REGISTRY", help="a host with an optional path, e.g. ghcr.io/acme")
    parser.add_argument(
        "--tag", action="append", metavar="TAG", help="tag there instead of the push's; may be repeated"
    )
    parser.add_argument(
        "--release", metavar="FILE", type=Path, help="where the copy's own manifest goes (default: MANIFEST-REGISTRY)"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Copy, look, move the tags, leave a manifest of the images as they are there."""
    from bake.publish import copy_release
    from bake.registry import load_registry

    place, manifest = arguments.registry, arguments.manifest
    require_registry(place, "bake copy")
    tags = parse_tags(arguments.tag)
    check_form(arguments.release)
    release = load_push(manifest)
    with keeping_unfinished(manifest.parent / UNFINISHED, session.console.warn):
        copied = copy_release(load_registry(session.environment), release, place, tags, wait=session.pause)
    file = arguments.release or manifest.with_stem(f"{manifest.stem}-{re.sub('[^A-Za-z0-9.]+', '-', place)}")
    write_release(file, copied)
    rows = [{"image": i.repository, "digest": i.digest, "tags": list(i.tags)} for i in copied.images]
    short = [
        {**row, "digest": i.digest[:19], "tags": " ".join(i.tags)} for row, i in zip(rows, copied.images, strict=True)
    ]
    show(arguments.format, rows, table(short), quiet=session.console.quiet)
    session.console.say(f"{file} written; `bake rollback {file}` puts the tags back")
    return 0
