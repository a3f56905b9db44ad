"""Where the seconds of a build went: a few words under its table. Pure."""

import re
from collections.abc import Sequence

from bake.engine import Progress, Step, union
from bake.plan import Plan

_INSTALLS = re.compile(r"(install|build-dependencies|shared-dependencies|dependencies|scripts|modules)(-|$)")
"""Stages in which packages from the registry are installed."""

_LEAST = 0.5
"""Seconds from which on a part is worth a word."""


def spent(plan: Plan, progress: Progress) -> str:
    """`installs 8.1 s, builds 12.0 s, images 3.2 s, storing 4.0 s`: seconds in which at least one such step ran.

    They overlap, for BuildKit runs steps beside each other. "" where nothing took long.
    """
    parts: dict[str, list[Step]] = {"installs": [], "builds": [], "images": [], "storing": []}
    for step in progress.steps.values():
        if kind := _kind(plan, step):
            parts[kind].append(step)
    seconds = {kind: _ran(steps) for kind, steps in parts.items()}
    return ", ".join(f"{kind} {taken:.1f} s" for kind, taken in seconds.items() if taken >= _LEAST)


def _kind(plan: Plan, step: Step) -> str:
    """What a step is for; "" for what is not the build's own work."""
    if step.cached or (step.stage and not step.works):
        return ""
    if not step.stage:
        return "storing" if step.exports else ""
    if any(step.stage == stage.name for stage in plan.builds.stages):
        return "builds"
    return "installs" if _INSTALLS.match(step.stage) else "images"


def _ran(steps: Sequence[Step]) -> float:
    return union(interval for step in steps for interval in step.intervals.items())
