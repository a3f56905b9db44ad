"""Find what would go wrong: lockfile, platforms, undeclared imports, install scripts, commands. Status 1 on errors."""

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

from bake.plan import Finding, check, errors
from bake.session import Context, add_plan_arguments


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
    found = tuple(findings)
    context.noted.extend(map(str, found))
    whole = bool(context.environment.get("GITHUB_ACTIONS")) or context.volume == "verbose"
    alike = _alike(found)
    for finding in found:
        group = alike[_kind(finding)]
        place = group.index(finding)
        tell = context.complain if finding.level == "error" else context.say
        if whole or len(group) <= _MOST or place < _MOST - 1:
            tell(_line(context, finding))
        elif place == _MOST - 1:
            left = f"{len(group) - place} more like this one; `bake check -v` shows each"
            tell(f"bake: {finding.level}: {left}")
    if not found:
        context.say("bake: nothing to complain of")


def _alike(findings: Iterable[Finding]) -> Mapping[tuple[str, ...], Sequence[Finding]]:
    """Findings of one level with one and the same remedy, together."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_kind(finding), []).append(finding)
    return groups


def _kind(finding: Finding) -> tuple[str, ...]:
    return (finding.level, finding.rule, finding.remedy, *finding.services)


_MOST = 5
"""Findings with one and the same remedy that are shown at once."""


def _line(context: Context, finding: Finding) -> str:
    if not context.environment.get("GITHUB_ACTIONS"):
        return f"bake: {finding.level}: {finding}"
    place = f" file={finding.file},line={max(finding.line, 1)}" if finding.file else ""
    return f"::{finding.level}{place}::{finding}"
