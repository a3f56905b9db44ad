"""What made a build slow: what it waited for, and the slowest steps with the reason they ran. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping

from bake.build import Account, Leg
from bake.inputs import Reason, first
from bake.plan import Plan

_LEGS = 8
_MOST = 5
_LEAST = 0.1
"""Seconds below which no step is slow."""
_LOST = "nothing that bake follows: no cache had it, or none was asked"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SlowStep:
    """A step that ran. before: its seconds in the build before, None when it did not run there."""

    title: str
    seconds: float
    reason: str
    before: float | None


def longest_legs(account: Account) -> tuple[tuple[Leg, ...], float]:
    """The longest of what the build waited for, in their order, and the seconds of all the rest."""
    legs = sorted(account.path, key=lambda leg: -leg.seconds)[:_LEGS]
    least = max(_LEAST, account.seconds / 50)
    shown = tuple(leg for leg in account.path if leg in legs and leg.seconds >= least)
    return shown, max(0.0, account.seconds - sum(leg.seconds for leg in shown))


def slowest(account: Account, plan: Plan, reasons: Mapping[str, Iterable[Reason]] | None) -> tuple[SlowStep, ...]:
    """The slowest steps. reasons: target -> why it was built; None when nobody knows."""
    stages = {step.title: step.stage for step in account.steps}
    taken = sorted(account.times.items(), key=lambda t: (-t[1], t[0]))[:_MOST]
    return tuple(
        SlowStep(
            title=title,
            seconds=seconds,
            reason="" if reasons is None else _reason(plan, stages[title], reasons),
            before=_seconds_before(account, title),
        )
        for title, seconds in taken
        if seconds >= _LEAST
    )


def _seconds_before(account: Account, title: str) -> float | None:
    """What the step took in the build before; of one platform, BuildKit does not name it, of several it does."""
    steps = account.before.steps if account.before else {}
    known = {
        title,
        *(f"{title} ({p.removeprefix('linux/')})" for p in account.platforms if len(account.platforms) == 1),
    }
    known |= {title.removesuffix(f" ({p.removeprefix('linux/')})") for p in account.platforms}
    return max((steps[name] for name in known if name in steps), default=None)


def _reason(plan: Plan, stage: str, reasons: Mapping[str, Iterable[Reason]]) -> str:
    """The nearest thing that changed: for the build of a package, what it holds or reaches."""
    package = next(
        (s.package for s in plan.builds.stages if stage in (s.name, f"out-{s.name.removeprefix('build-')}")), None
    )
    every = [reason for each in reasons.values() for reason in each]
    if package is not None and not plan.builds.whole:
        near = [dataclasses.replace(r, via=r.via[r.via.index(package) :]) for r in every if package in r.via]
        every = [*near, *(r for r in every if not r.via)]
    unique: dict[str, Reason] = {}
    for reason in sorted(every, key=lambda r: (r.kind == "unknown", len(r.via), r.what)):
        unique.setdefault(reason.what, reason)
    return first(tuple(unique.values())) or _LOST
