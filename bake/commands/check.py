"""Find what would go wrong: lockfile, platforms, undeclared imports, install scripts, commands. Status 1 on errors."""

import argparse

from bake.build import show_findings
from bake.commands.arguments import add_plan_arguments, named, selected
from bake.plan import check, errors
from bake.session import Session
from bake.table import to_json


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
        print(to_json(findings))
    else:
        show_findings(session.console, findings)
    return 1 if errors(findings) else 0
