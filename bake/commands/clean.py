"""Delete images that only the tag of their content holds in the registry: no other tag, no release names them.

Without --delete it tells what would go. A push that needs one of them again builds it again.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bake.errors import UsageError
from bake.session import Naming, Selection, Session
from bake.table import show, table

if TYPE_CHECKING:
    from bake.plan import Plan
    from bake.registry import Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What stays."""
    parser.add_argument("manifests", nargs="*", metavar="MANIFEST", type=Path, help="pushes whose images stay")
    parser.add_argument("--days", type=_number, default=30, metavar="N", help="younger ones stay (default: 30)")
    parser.add_argument("--most", type=_number, default=5, metavar="N", help="newest that stay per image (default: 5)")
    parser.add_argument("--undated", action="store_true", help="also those whose age the registry does not tell")
    parser.add_argument("--delete", action="store_true", help="delete them; without it, only tell")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return int(text)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Look, choose, tell, and delete when asked."""
    from bake.publish import choose_leftovers, find_leftovers, remove_leftovers
    from bake.registry import load_registry

    plan = session.plan(Selection(), Naming(push=True))
    if not plan.registry:
        raise UsageError("bake clean", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")
    registry = load_registry(session.environment)
    kept = frozenset(_kept(session, plan, registry, arguments.manifests))
    places = [f"{r}/{image.repository}" for r in (plan.registry, *plan.mirrors) for image in plan.processes]
    found = find_leftovers(registry, places, kept)
    chosen = choose_leftovers(
        found, now=session.now(), days=arguments.days, most=arguments.most, undated=arguments.undated
    )
    if arguments.delete:
        remove_leftovers(registry, chosen)
    short = [{**dataclasses.asdict(c), "tags": " ".join(c.tags), "digest": c.digest[:19]} for c in chosen]
    show(arguments.format, chosen, table(short), quiet=session.console.quiet)
    done = "deleted" if arguments.delete else "would be deleted; add --delete"
    session.console.say(f"{len(chosen)} of {len(found)} images without another tag {done}")
    undated = sum(each.created is None for each in found)
    if undated and not arguments.undated:
        session.console.say(
            f"{undated} of them stay, as the registry does not tell their age; --undated takes them too"
        )
    return 0


def _kept(session: Session, plan: "Plan", registry: "Registry", manifests: list[Path]) -> Iterator[str]:
    """Digests of pushes and what they replaced, and the content tags that a push of this checkout would find."""
    from bake.build import load_uploads, make_ready
    from bake.publish import FILE_NAME, load_release

    last = session.project.folder / FILE_NAME
    for file in (*manifests, *([last] if last.is_file() else [])):
        yield from load_release(file).digests
    for upload in load_uploads(session, make_ready(session, plan), registry):
        yield from (upload.there, *([upload.mark.tag] if upload.mark else []))
