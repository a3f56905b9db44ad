"""Find what would go wrong: lockfile, platforms, undeclared imports, install scripts, commands. Status 1 on errors."""

import argparse
import dataclasses
import json
from collections.abc import Iterable

from bake.check import Finding, check, errors, gathered
from bake.context import Context, add_plan_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format."""
    add_plan_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print every finding."""
    findings = check(context.project, context.plan(arguments))
    if arguments.format == "json":
        print(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))
    else:
        show(context, findings)
    return 1 if errors(findings) else 0


def show(context: Context, findings: Iterable[Finding]) -> None:
    """Say the findings on stderr; in GitHub Actions as annotations of their files."""
    count = {"error": 0, "warning": 0}
    annotates = bool(context.environment.get("GITHUB_ACTIONS"))
    for finding in findings if annotates else gathered(findings):
        count[finding.level] += 1
        context.noted.append(str(finding))
        if annotates:
            place = f" file={finding.file},line={max(finding.line, 1)}" if finding.file else ""
            context.say(f"::{finding.level}{place}::{finding}")
        else:
            context.say(f"bake: {finding.level}: {finding}")
    if not any(count.values()):
        context.say("bake: nothing to complain of")
