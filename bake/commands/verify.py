"""Compare the compiled files of every package across all images, and with the old all-in-one image.

Nothing is started: the files are read out of the images. Status 1 when a file differs, is missing or is lost.
"""

import argparse
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bake.commands.arguments import (
    add_plan_arguments,
    add_reading_arguments,
    add_since_argument,
    named,
    narrowed,
    selected,
)
from bake.console import Console
from bake.engine import Containers, containers
from bake.errors import EngineError
from bake.images import (
    Content,
    Tally,
    compare_trees,
    keepers,
    open_monolith,
    read_files,
    read_fleet,
    require_images,
)
from bake.plan import MONOLITH, Names, Plan
from bake.session import Session
from bake.table import JSON_FORMAT, show, table
from bake.workspace import shown

_SHOWN = 20
"""Paths of one package that the table names; JSON has them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and the old one."""
    add_plan_arguments(parser)
    add_since_argument(parser)
    add_reading_arguments(parser)
    parser.add_argument("--no-monolith", action="store_true", help="compare the new images only")
    parser.add_argument("--signed", metavar="MANIFEST", type=Path, help="verify a push's signatures instead, by cosign")
    parser.add_argument("--key", metavar="KEY", default="", help="of --signed: the public key")
    parser.add_argument(
        "--identity", metavar="REGEX", default="", help="of --signed: who signed, as its certificate says"
    )
    parser.add_argument("--issuer", metavar="URL", default="", help="of --signed: who vouches for the identity")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Read, compare, report."""
    if arguments.signed:
        return _verify_signatures(session.console, arguments)
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    plan = narrowed(session, plan, arguments.since)
    if not plan.targets:
        show(arguments.format, {"format": JSON_FORMAT, "packages": [], "monolith": False}, "", quiet=True)
        return 0
    require_images(plan, pushed=arguments.pushed)
    with containers(uuid.uuid4().hex[:12]) as engine:
        names = session.names(plan)
        fleet = read_fleet(plan, names, engine, pushed=arguments.pushed)
        old = (
            None
            if arguments.no_monolith
            else _old(session.console, plan, names, engine, against=arguments.against, pushed=arguments.pushed)
        )
    monolith = session.project.config.monolith
    tallies = compare_trees(fleet, old, keepers(plan, monolith.accept if monolith else ()))
    _show_tallies(session.console, tallies, fleet, old, arguments.format)
    return 0 if all(t.count(kind) == 0 for t in tallies for kind in ("differing", "missing", "lost")) else 1


def _verify_signatures(console: Console, arguments: argparse.Namespace) -> int:
    """Let cosign verify the images of a push and its manifest."""
    from bake.engine import call_tool
    from bake.publish import load_release, verify_calls

    release, by = load_release(arguments.signed), {n: getattr(arguments, n) for n in ("key", "identity", "issuer")}
    for words in verify_calls(release, arguments.signed, **by):
        call_tool(words, "install it: docs.sigstore.dev/cosign")
    console.say(f"{len(release.everywhere)} images and their manifest are signed")
    return 0


def _old(
    console: Console, plan: Plan, names: Names, engine: Containers, *, against: str | None, pushed: bool
) -> Content | None:
    """The old image; without --against it may be absent, with a warning."""
    if not against and plan.monolith is None:
        return None
    try:
        box = open_monolith(plan, names, engine, against=against, pushed=pushed)
    except EngineError as error:
        if against:
            raise
        console.warn(f"not compared with the monolith: {error}")
        return None
    packages = tuple(o.package for o in plan.outputs)
    files = read_files(box, box.configured.directory, packages)
    return Content(name=MONOLITH, packages=packages, files=files)


def _show_tallies(
    console: Console, tallies: Sequence[Tally], fleet: Sequence[Content], old: Content | None, form: str
) -> None:
    value = {"format": JSON_FORMAT, "packages": [_values(t) for t in tallies], "monolith": old is not None}
    show(form, value, table([_cells(t) for t in tallies]), quiet=console.quiet)
    if form == "json":
        return
    for tally in tallies:
        for line in _lines(tally):
            print(line, file=sys.stderr)
    bad = sum(t.files - t.identical for t in tallies)
    against = " and the monolith" if old else ""
    verdict = f"{bad} files are not the same" if bad else "every file is the same"
    console.say(f"{verdict} in {len(fleet)} images{against}")


def _cells(tally: Tally) -> dict[str, object]:
    return {
        "package": shown(tally.package),
        "images": tally.images,
        "files": tally.files,
        "identical": tally.identical,
        "differing": tally.count("differing"),
        "missing": tally.count("missing"),
        "lost": tally.count("lost"),
        "new": tally.count("gained"),
    }


_WORDS = {"differing": "differs in", "missing": "is missing in", "lost": "is lost: only in"}


def _lines(tally: Tally) -> list[str]:
    bad = [f for f in tally.findings if f.kind != "gained"]
    lines = [f"  {f.path} {_WORDS[f.kind]} {', '.join(f.images)}" for f in bad[:_SHOWN]]
    more = len(bad) - _SHOWN
    return [*lines, f"  and {more} more in {shown(tally.package)}"] if more > 0 else lines


def _values(tally: Tally) -> dict[str, Any]:
    return {
        "package": shown(tally.package),
        "images": tally.images,
        "files": tally.files,
        "identical": tally.identical,
        "findings": [{"kind": f.kind, "path": f.path, "images": list(f.images)} for f in tally.findings],
    }
