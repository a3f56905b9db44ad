"""A build as Markdown for GitHub's step summary: images, stages over time, sizes against the last push, warnings. Pure.

GitHub strips pictures that are no files of their own, and draws Mermaid: the stages are a Gantt chart.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from bake.build import Account, BuiltImage
from bake.config import size, size_difference
from bake.engine import StageTime, Step
from bake.publish import Release
from bake.table import cached_steps, markdown

_MOST_STAGES = 60
"""Bars of the chart: Mermaid draws no text of more than 50,000 characters, and nobody reads that many."""
_MOST_WARNINGS = 50
_LEAST = 1000
"""Bytes from which on a difference is told: less is labels, and how well the same files happened to pack."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An image's compressed bytes on the largest platform that both pushes have; before is None for a new image."""

    image: str
    before: int | None
    after: int


def size_changes(before: Release, after: Release) -> tuple[Change, ...]:
    """The images of a push whose size is not what it was, by a kilobyte or more, the largest growth first."""
    found = (
        _size_change(before, image.image, {p.platform: p.bytes for p in image.platforms}) for image in after.images
    )
    changed = [c for c in found if c.before is None or abs(c.after - c.before) >= _LEAST]
    return tuple(sorted(changed, key=lambda c: (-(c.after - (c.before or 0)), c.image)))


def _size_change(before: Release, target: str, now: Mapping[str, int]) -> Change:
    old = before.image(target)
    was = {p.platform: p.bytes for p in old.platforms if p.platform in now} if old else {}
    if not was:
        return Change(image=target, before=None, after=max(now.values(), default=0))
    largest = max(was, key=lambda platform: now[platform])
    return Change(image=target, before=was[largest], after=now[largest])


def summary(account: Account, changes: Sequence[Change] | None) -> str:
    """The build that went well. changes: None when there is no earlier push to compare with."""
    count = len(account.images)
    parts = [
        f"### {escape_markdown(account.project)}: {count} image{'s' * (count != 1)} in {account.seconds:.1f} s",
        _build_facts(account),
        markdown([_image_row(i, weighed=account.weighed) for i in account.images]),
        *_timeline_parts(account),
        *(_changed_part(changes) if changes is not None else ()),
        *_warnings_part(account.warnings),
    ]
    return "\n\n".join(filter(None, parts)) + "\n\n"


def failure(message: str, warnings: Sequence[str] = ()) -> str:
    """The build that did not."""
    return "\n\n".join(["### bake failed", escape_markdown(message), *_warnings_part(warnings)]) + "\n\n"


def _build_facts(account: Account) -> str:
    commit = f"{account.branch} {account.revision[:12]}".strip()
    where = "pushed" if account.pushed else "not pushed"
    return escape_markdown(", ".join(filter(None, (commit, *account.platforms, where))))


def _image_row(image: BuiltImage, *, weighed: bool) -> Mapping[str, object]:
    return {
        "image": f"`{image.reference}`",
        "digest": f"`{image.digest[:19]}`" if image.digest else "",
        "size": size(image.bytes) if image.bytes else "",
        **({"above base": "" if image.above is None else size(image.above)} if weighed else {}),
        "seconds": f"{image.seconds:.1f}",
        "cached": cached_steps(image.cached, image.steps),
    }


def _timeline_parts(account: Account) -> list[str]:
    steps = [s for s in account.progress.steps.values() if s.works and not s.cached]
    if not steps:
        return ["Every step came from a cache."] if account.steps else []
    bars = _stage_bars(steps)
    longest = sorted(bars, key=lambda b: b[1] - b[2])[:_MOST_STAGES]
    chart = ["gantt", "dateFormat x", "axisFormat %s s", "todayMarker off"]
    chart += [
        f"{name} :{'crit, ' * failed}{start}, {end}" for name, start, end, failed in bars if name in _bar_names(longest)
    ]
    ran = [s for s in account.stages if s.ran or s.seconds >= 0.05]
    return [
        f"<details><summary>{len(bars)} stages that ran</summary>",
        "```mermaid\n" + "\n".join(chart) + "\n```",
        markdown([_stage_row(s) for s in ran]),
        "</details>",
    ]


_Bar = tuple[str, int, int, bool]


def _stage_bars(steps: Iterable[Step]) -> list[_Bar]:
    """Name, start and end in milliseconds, whether it failed: of each stage, from its first step to its last."""
    stages: dict[str, list[Step]] = {}
    for step in sorted(steps, key=lambda s: min(s.intervals)):
        stages.setdefault(_stage_name(step.stage, step.platform), []).append(step)
    begin = min(min(s.intervals) for group in stages.values() for s in group)
    return [
        (
            name,
            _to_milliseconds(min(min(s.intervals) for s in group) - begin),
            # Mermaid draws nothing that takes no time.
            max(_to_milliseconds(max(max(s.intervals.values()) for s in group) - begin), 1),
            any(s.failed for s in group),
        )
        for name, group in stages.items()
    ]


def _bar_names(bars: Iterable[_Bar]) -> frozenset[str]:
    return frozenset(bar[0] for bar in bars)


def _to_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _stage_name(stage: str, platform: str) -> str:
    """A stage as Mermaid takes it: colons, semicolons and `#` have a meaning there."""
    short = platform.rpartition("->")[2].removeprefix("linux/")
    return re.sub(r"[^A-Za-z0-9_./@+ -]", "-", f"{stage} {short}".strip())


def _stage_row(stage: StageTime) -> Mapping[str, object]:
    return {
        "stage": f"`{_stage_name(stage.stage, stage.platform)}`",
        "seconds": f"{stage.seconds:.1f}",
        "cached": f"{stage.cached}/{stage.steps}",
    }


def _changed_part(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["No image changed its size since the last push."]
    rows = [
        {
            "image": f"`{c.image}`",
            "size": size(c.after),
            "change": "new" if c.before is None else size_difference(c.after - c.before),
        }
        for c in changes
    ]
    return ["#### Size since the last push", markdown(rows)]


def _warnings_part(warnings: Sequence[str]) -> list[str]:
    if not warnings:
        return []
    lines = [f"- {escape_markdown(w)}" for w in warnings[:_MOST_WARNINGS]]
    left = len(warnings) - _MOST_WARNINGS
    more = [f"- and {left} more, in the log"] if left > 0 else []
    return ["#### Warnings and findings", "\n".join([*lines, *more])]


def escape_markdown(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~&$])", r"\\\1", " ".join(text.split()))
