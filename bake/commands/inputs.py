"""List what an image is made of, with digests, or write what Skaffold or Tilt need to watch and build it."""

import argparse
import dataclasses
from pathlib import Path

from bake.commands.arguments import selected
from bake.compose import Watched, render_skaffold, render_tilt, watched
from bake.inputs import load_inputs
from bake.render import render
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and for whom."""
    parser.add_argument("names", nargs="+", metavar="IMAGE", help="images, or services")
    parser.add_argument(
        "--format",
        choices=("table", "json", "skaffold", "tilt"),
        default="table",
        help="`json`: with watched paths and build command; `skaffold`: a skaffold.yaml; `tilt`: lines of a Tiltfile",
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    plan = session.plan(selected(arguments.names, None))
    watches = [_there(session.project.root, watched(session.project, plan, image)) for image in plan.chosen()]
    if arguments.format in {"skaffold", "tilt"}:
        print((render_skaffold if arguments.format == "skaffold" else render_tilt)(watches), end="")
        return 0
    found = load_inputs(session.project, plan, render(session.project, plan), session.tree)
    rows = [
        {"image": target, "kind": kind, "what": what, "digest": digest}
        for target in plan.targets
        for name, digest in sorted(found[target].digests.items())
        for kind, _, what in [name.partition(" ")]
    ]
    answers = [{**dataclasses.asdict(each), "inputs": found[each.image].digests} for each in watches]
    show(arguments.format, answers, table(rows))
    return 0


def _there(root: Path, each: Watched) -> Watched:
    """Without paths that are not there: Skaffold refuses them."""
    paths, planned = (tuple(p for p in part if (root / p).exists()) for part in (each.paths, each.planned))
    return dataclasses.replace(each, paths=paths, planned=planned)
