"""Give the images of a push further tags, without building: `bake promote release.json --tag stable`."""

import argparse
from pathlib import Path

from bake.commands.arguments import parse_tags
from bake.publish import UNFINISHED, check_form, keeping_unfinished, load_push, write_release
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which push, which tags."""
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="the push's release.json or .toml")
    parser.add_argument("--tag", action="append", required=True, metavar="TAG", help="tag to move; may be repeated")
    parser.add_argument(
        "--release",
        metavar="FILE",
        type=Path,
        help="where the promotion's own manifest goes (default: MANIFEST-TAG)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Check that everything is there, move the tags, leave what `bake rollback` needs."""
    from bake.publish import promote
    from bake.registry import load_registry

    tags = parse_tags(arguments.tag)
    check_form(arguments.release)
    manifest: Path = arguments.manifest
    release = load_push(manifest)
    with keeping_unfinished(manifest.parent / UNFINISHED, session.console.warn):
        promoted = promote(load_registry(session.environment), release, tags, wait=session.pause)
    file = arguments.release or manifest.with_stem(f"{manifest.stem}-{tags[0]}")
    write_release(file, promoted)
    rows = [
        {"image": f"{i.repository}:{tag}", "digest": i.digest, "previous": i.previous[tag]}
        for i in promoted.everywhere
        for tag in i.tags
    ]
    short = [{**row, "digest": row["digest"][:19], "previous": row["previous"][:19]} for row in rows]
    show(arguments.format, rows, table(short), quiet=session.console.quiet)
    session.console.say(f"`bake rollback {file}` undoes this")
    return 0
