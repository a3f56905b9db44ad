"""Join what runners pushed without tags (`bake build --push --no-tags --release FILE`), then move the tags."""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bake.commands.arguments import named
from bake.errors import UsageError
from bake.publish import UNFINISHED, Release, check_form, keep_release, keeping_unfinished, load_release, write_release
from bake.session import Naming, Selection, Session, parse_platforms
from bake.table import table

if TYPE_CHECKING:
    from bake.publish import Joint, Upload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which shards, and what they must have."""
    parser.add_argument("shards", nargs="+", metavar="FILE", type=Path, help="the shards' manifests, in any order")
    parser.add_argument(
        "--target",
        action="append",
        dest="targets",
        metavar="T[ T]",
        help="images that must be there (default: those that any shard has)",
    )
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms that every image must have")
    parser.add_argument("--tag", action="append", metavar="TAG", help="tag instead of bake.toml's; may be repeated")
    parser.add_argument(
        "--release",
        metavar="FILE",
        type=Path,
        help="write the manifest of the whole there too (.json or .toml)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Check the set, join each image, move all tags or none."""
    from bake.publish import Shard, Staged, join, plan_merge, tag_all
    from bake.registry import load_registry

    check_form(arguments.release)
    shards = [Shard(name=str(f), release=load_release(f)) for f in dict.fromkeys(arguments.shards)]
    words = tuple(word for text in arguments.targets or () for word in text.split())
    wanted_platforms = parse_platforms(arguments.platform) or session.project.config.project.platforms
    release, joints = plan_merge(shards, platforms=wanted_platforms, targets=_targets(session, words) if words else ())
    selection = Selection(targets=tuple(j.image for j in joints), platforms=parse_platforms(arguments.platform))
    wanted = _uploads(session, selection, named(arguments.tag, push=True), release, joints)
    registry = load_registry(session.environment)
    digests = {j.image: join(registry, j) for j in joints}
    with keeping_unfinished(session.project.folder / UNFINISHED, session.console.warn):
        merged = tag_all(registry, Staged(uploads=wanted, digests=digests), release=release, wait=time.sleep)
    keep_release(session.project.folder, merged)
    if arguments.release:
        write_release(arguments.release, merged)
    _print(merged, arguments.format)
    return 0


def _targets(session: Session, words: tuple[str, ...]) -> tuple[str, ...]:
    from bake.plan import select

    return select(session.project.config, words)


def _uploads(
    session: Session, selection: Selection, naming: Naming, release: Release, joints: "tuple[Joint, ...]"
) -> "tuple[Upload, ...]":
    """The images with the tags that a push from this checkout gives. Raises UsageError for another revision."""
    from bake.publish import uploads

    head = session.head.revision
    if release.revision != head:
        what = f"the shards are of {release.revision[:12] or 'no commit'}, and {head[:12] or 'none'} is checked out"
        raise UsageError("revision", what, "check out the commit that was built")
    plan = session.plan(selection, naming)
    planned = {u.image: u for u in uploads(plan, session.names(plan))}
    return tuple(dataclasses.replace(planned[j.image], repository=j.repository) for j in joints)


def _print(release: Release, form: str) -> None:
    rows = [
        {"image": f"{i.repository}:{tag}", "platforms": [p.platform for p in i.platforms], "digest": i.digest}
        for i in release.images
        for tag in i.tags
    ]
    if form == "json":
        print(json.dumps(rows, indent=2))
    else:
        cells = [{"image": r["image"], "platforms": " ".join(r["platforms"]), "digest": r["digest"][:19]} for r in rows]
        print(table(cells))
