"""Join what runners pushed without tags (`bake build --push --no-tags --release FILE`), then move the tags."""

import argparse
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.commands.arguments import add_mirror_argument, named
from bake.errors import ReleaseError, UsageError
from bake.publish import UNFINISHED, Release, check_form, keep_release, keeping_unfinished, load_release, write_release
from bake.session import Selection, Session, parse_platforms
from bake.table import show, table

if TYPE_CHECKING:
    from bake.plan import Plan
    from bake.publish import Joint, Shard, Upload
    from bake.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which shards, and what they must have."""
    parser.add_argument("shards", nargs="*", metavar="FILE", type=Path, help="the shards' manifests, in any order")
    parser.add_argument(
        "--target",
        action="append",
        dest="targets",
        metavar="T[ T]",
        help="images that must be there (default: those that any shard or the registry has)",
    )
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms that every image must have")
    parser.add_argument("--tag", action="append", metavar="TAG", help="tag instead of bake.toml's; may be repeated")
    add_mirror_argument(parser)
    parser.add_argument(
        "--release",
        metavar="FILE",
        type=Path,
        help="write the manifest of the whole there too (.json or .toml)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Check the set, join each image, move all tags or none."""
    from bake.publish import Shard, Staged, attach_origin, join, mirrored, tag_all
    from bake.registry import load_registry

    check_form(arguments.release)
    shards = [Shard(name=str(f), release=load_release(f)) for f in dict.fromkeys(arguments.shards)]
    _refuse_others(session, shards)
    registry = load_registry(session.environment)
    plan = _plan(session, arguments, shards)
    known = _uploads(session, plan, shards, registry)
    release, joints = _joints(session, arguments, shards, {u.image for u in known.values() if u.there})
    refuse_elsewhere(joints, {image: upload.repository for image, upload in known.items()})
    joined = [known[j.image] for j in joints]
    wanted = (*joined, *(u for u in known.values() if u.there))
    if not wanted:
        raise UsageError("merge", "no shard is given, and the registry has no image of this commit", "name the files")
    staged = Staged(
        uploads=(*wanted, *mirrored(plan, wanted)),
        digests={j.image: join(registry, j) for j in joints} | {u.image: u.there for u in wanted if u.there},
        # Which base images of moving tags the shards were built on is not known here.
        marks={u.image: u.mark.tag for u in joined if u.mark and not u.mark.bases},
    )
    with keeping_unfinished(session.project.folder / UNFINISHED, session.console.warn):
        merged = tag_all(registry, staged, release=release, wait=session.pause)
    keep_release(session.project.folder, merged)
    if arguments.release:
        write_release(arguments.release, merged)
    attach_origin(registry, merged, [i for i in merged.everywhere if not known[i.image].there])
    rows = [
        {"image": f"{i.repository}:{tag}", "platforms": [p.platform for p in i.platforms], "digest": i.digest}
        for i in merged.everywhere
        for tag in i.tags
    ]
    short = [{**row, "platforms": " ".join(row["platforms"]), "digest": row["digest"][:19]} for row in rows]
    show(arguments.format, rows, table(short), quiet=session.console.quiet)
    return 0


def _refuse_others(session: Session, shards: "Sequence[Shard]") -> None:
    """Raise for shards of another project or commit than the ones here, whose plan gives the tags, and for empty ones.

    A shard is a file that came from another job: it names neither the project nor the repository that is written to.
    """
    project, head = session.project.config.project.name, session.head.revision
    for shard in shards:
        if shard.release.project != project:
            what = f"is of the project {shard.release.project!r}, not of {project!r}"
            raise ReleaseError(shard.name, what, "merge the files of this workspace's jobs")
        if not shard.release.images:
            raise ReleaseError(shard.name, "has no image", "merge the files of jobs that built one")
    for release in (s.release for s in shards):
        if release.revision != head:
            what = f"the shards are of {release.revision[:12] or 'no commit'}, and {head[:12] or 'none'} is checked out"
            raise UsageError("revision", what, "check out the commit that was built")


def refuse_elsewhere(joints: "Sequence[Joint]", repositories: Mapping[str, str]) -> None:
    """Raise for an image that the shards have in another repository than bake.toml, which a merge would write to."""
    for joint in joints:
        if joint.repository != repositories[joint.image]:
            what = f"the shards have it in {joint.repository}, bake.toml in {repositories[joint.image]}"
            raise ReleaseError(joint.image, what, "merge with the settings that the shards were built with")


def _plan(session: Session, arguments: argparse.Namespace, shards: "Sequence[Shard]") -> "Plan":
    """The plan of a push from this checkout."""
    built = {i.image for s in shards for i in s.release.images}
    targets = (*(_words(arguments) or ("all",)), *built)
    selection = Selection(targets=targets, platforms=parse_platforms(arguments.platform))
    return session.plan(selection, named(arguments.tag, push=True, mirrors=arguments.to))


def _uploads(session: Session, plan: "Plan", shards: "Sequence[Shard]", registry: "Registry") -> "Mapping[str, Upload]":
    """Image -> what a push from this checkout would put up; with its digest where no shard has it, as none had to."""
    from bake.build import load_uploads, make_ready

    built = {i.image for s in shards for i in s.release.images}
    known = load_uploads(session, make_ready(session, plan), registry)
    return {u.image: dataclasses.replace(u, there="") if u.image in built else u for u in known}


def _joints(
    session: Session, arguments: argparse.Namespace, shards: "Sequence[Shard]", there: Collection[str]
) -> "tuple[Release, tuple[Joint, ...]]":
    """What the shards have, and what is known of all. there: images that need no shard."""
    from bake.plan import select
    from bake.publish import plan_merge

    asked = select(session.project.config, _words(arguments))
    targets = [t for t in asked if t not in there]
    if (asked and not targets) or not (shards or targets):
        return session.release, ()
    wanted = parse_platforms(arguments.platform) or session.project.config.project.platforms
    return plan_merge(shards, platforms=wanted, targets=targets)


def _words(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(word for text in arguments.targets or () for word in text.split())
