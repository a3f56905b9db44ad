"""Tell which images a change affects, and by what: from git, the packages' graph and the lockfile's closures."""

import argparse

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.inputs import first, load_reasons
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to compare with."""
    add_plan_arguments(parser)
    parser.add_argument(
        "--since", metavar="REV", help="a commit, branch or tag to compare with (default: each image's last build here)"
    )
    parser.add_argument(
        "--format", choices=("table", "json", "names"), default="table", help="form of the result on stdout"
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the affected images with their reasons."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    found = load_reasons(session.project, plan, session.tree, arguments.since)
    hit = {target: found[target] for target in plan.targets if found.get(target)}
    if arguments.format == "names":
        print("".join(f"{target}\n" for target in hit), end="")
    elif hit or arguments.format == "json":
        rows = [{"image": t, "kind": r[0].kind, "reason": first(r)} for t, r in hit.items()]
        show(arguments.format, hit, table(rows))
    session.console.say(
        f"{len(hit)} of {len(plan.targets)} images affected since {arguments.since or 'the last build'}"
    )
    return 0
