"""Which builds go first where more of them are ready than run at once."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from bake.plan.stages import Stage
from bake.project import Project

TURNS = "BAKE_TURNS"
_LONGEST = 1 << 17  # what Linux takes of a variable, with its name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What docker/turns.mjs goes by. concurrency: builds that run at once, None for the cores of the builder.

    weights: stage -> source files that are compiled from its begin to the end of all that waits for it, those that a
    bundler takes without a look at their types as half. holdable: stages that run the TypeScript compiler alone, which
    can be held while others run.
    """

    concurrency: int | None
    weights: Mapping[str, int]
    holdable: tuple[str, ...]

    @property
    def variables(self) -> Mapping[str, str]:
        """The variable that the bake file makes a secret of: files' contents would decide what is built again."""
        text = json.dumps(dataclasses.asdict(self), separators=(",", ":"))
        return {TURNS: text} if len(text) < _LONGEST else {}


def plan_turns(project: Project, stages: Sequence[Stage]) -> Turns | None:
    """None where there is one build only. stages: each after those that it needs."""
    settings = project.config.workspace
    builds = [s for s in stages if s.script]
    if settings.build == "whole" or len(builds) < 2:
        return None
    longest = {stage.package: 0 for stage in stages}
    weights = {}
    for stage in reversed(builds):
        weights[stage.name] = weight = longest[stage.package] + _work(project, stage.package)
        longest |= {need: max(longest[need], weight) for need in stage.needs}
    holdable = tuple(s.name for s in builds if project.outside(s.package).compiled is not None)
    return Turns(concurrency=settings.concurrency, weights=dict(reversed(weights.items())), holdable=holdable)


def _work(project: Project, package: str) -> int:
    files = len(project.sources_of(package))
    return files if project.outside(package).bundled is None else -(-files // 2)
