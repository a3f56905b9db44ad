"""What a build waited for: the chain of steps, each of which began when the one before it had ended. Pure."""

import dataclasses

from bake.engine.progress import Progress, Step

_LEAST = 0.1
"""Seconds from which on a step, or a wait, is a part of the chain."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A step of the chain. seconds: that it took beyond the end of the one before; waited: between the two."""

    step: Step
    seconds: float
    waited: float


def critical_path(progress: Progress) -> tuple[Leg, ...]:
    """The chain that ended last, from its first step on; what came from a cache takes no time and is not in it.

    Of an export BuildKit names no inputs: it follows the steps of its target.
    """
    ran = [s for s in progress.steps.values() if s.intervals and not s.cached]
    twins: dict[object, list[Step]] = {}
    for each in ran:
        twins.setdefault(_same(each), []).append(each)
    chain: list[Step] = []
    step = max(ran, key=_end, default=None)
    while step is not None:
        chain.append(step)
        there = [twin for need in _needed(progress, step) for twin in twins.get(_same(need), ())]
        step = max((s for s in there if _end(s) < _end(chain[-1])), key=_end, default=None)
    return tuple(_legs(chain[::-1]))


def _same(step: Step) -> object:
    """What steps have in common of which BuildKit runs one: for other targets it is a hit under another digest."""
    return (step.stage, step.platform, step.what) if step.stage else step.digest


def _needed(progress: Progress, step: Step) -> list[Step]:
    """All inputs of a step, and theirs; for an export all steps of its target, which a build of one does not name."""
    if step.exports:
        return [s for s in progress.steps.values() if s.stage and (not step.targets or step.targets & s.targets)]
    seen: dict[str, Step] = {}
    left = [*step.inputs]
    while left:
        found = progress.steps.get(digest := left.pop())
        if found is not None and digest not in seen:
            seen[digest] = found
            left += found.inputs
    return list(seen.values())


def _legs(chain: list[Step]) -> list[Leg]:
    legs: list[Leg] = []
    reached = min(chain[0].intervals, default=0.0) if chain else 0.0
    for step in chain:
        begin = max(min(step.intervals), reached)
        leg = Leg(step=step, seconds=max(0.0, _end(step) - begin), waited=max(0.0, begin - reached))
        if leg.seconds + leg.waited >= _LEAST:
            legs.append(leg)
            reached = _end(step)
    return legs


def _end(step: Step) -> float:
    return max(step.intervals.values(), default=0.0)
