"""Put tags back to what they were before a push or a promotion: `bake rollback .bake/release.json`."""

import argparse
from pathlib import Path

from bake.publish import load_release
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which push, which of its tags."""
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="the push's release.json or .toml")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="this tag only; may be repeated")
    parser.add_argument("--force", action="store_true", help="also tags that have moved on since")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Put the tags back; tags that the push made are taken away."""
    from bake.publish import rollback
    from bake.registry import load_registry

    release = load_release(arguments.manifest)
    moves, gone, kept = rollback(
        load_registry(session.environment),
        release,
        tags=tuple(arguments.tag),
        force=arguments.force,
        wait=session.pause,
    )
    for tag in kept:
        session.console.warn(f"{tag}: the registry does not let it be deleted; it is empty now")
    rows = [{"tag": str(m.tag), "now": m.manifest.digest} for m in moves]
    rows += [{"tag": str(t), "now": ""} for t in gone]
    short = [row | {"now": row["now"][:19] or "(none)"} for row in rows]
    show(arguments.format, rows, table(short), quiet=session.console.quiet)
    session.console.say(f"{len(rows)} tag{'s' * (len(rows) != 1)} put back" if rows else "every tag is there already")
    return 0
