"""Find what would go wrong: lockfile, platforms, undeclared imports, install scripts, commands. Status 1 on errors."""

import argparse
import dataclasses
import json

from bake.build import show_findings
from bake.commands.arguments import add_plan_arguments, named, selected
from bake.plan import check, errors
from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format."""
    add_plan_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print every finding."""
    findings = check(
        session.project, session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    )
    if arguments.format == "json":
        print(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))
    else:
        show_findings(session.console, findings)
    return 1 if errors(findings) else 0
