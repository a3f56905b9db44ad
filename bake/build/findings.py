"""What a check found, said to a person or as annotations of GitHub's."""

from collections.abc import Iterable, Mapping, Sequence

from bake.console import Console
from bake.plan import Finding


def show_findings(console: Console, findings: Iterable[Finding]) -> None:
    """Say the findings on stderr; in GitHub Actions as annotations of their files."""
    found = tuple(findings)
    console.noted.extend(map(str, found))
    whole = bool(console.environment.get("GITHUB_ACTIONS")) or console.volume == "verbose"
    alike = _group_alike(found)
    for finding in found:
        group = alike[_finding_key(finding)]
        place = group.index(finding)
        if whole or len(group) <= _MOST or place < _MOST - 1:
            _tell(console, finding)
        elif place == _MOST - 1:
            left = f"{len(group) - place} more like this one; `bake check -v` shows each"
            _say(console, finding, f"bake: {finding.level}: {left}")
    if not found:
        console.say("bake: nothing to complain of")


def _group_alike(findings: Iterable[Finding]) -> Mapping[tuple[str, ...], Sequence[Finding]]:
    """Findings of one level with one and the same remedy, together."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_finding_key(finding), []).append(finding)
    return groups


def _finding_key(finding: Finding) -> tuple[str, ...]:
    return (finding.level, finding.rule, finding.remedy, *finding.services)


_MOST = 5
"""Findings with one and the same remedy that are shown at once."""


def _tell(console: Console, finding: Finding) -> None:
    if not console.environment.get("GITHUB_ACTIONS"):
        _say(console, finding, f"bake: {finding.level}: {finding}")
    elif finding.level == "error" or console.volume != "quiet":
        place = {"file": finding.file, "line": max(finding.line, 1)} if finding.file else {}
        console.command(finding.level, str(finding), **place)


def _say(console: Console, finding: Finding, text: str) -> None:
    (console.complain if finding.level == "error" else console.say)(text)
