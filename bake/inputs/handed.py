"""What builds of an image get of the libraries that they need: declarations or all, and why all."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bake.files import read_chapter, write_chapter
from bake.plan import Image, Plan, Stage

if TYPE_CHECKING:
    from bake.engine import Progress

_CHAPTER = "declared"

_SAID = re.compile(r"^(?P<package>.+): packages that only compile get (?:its|all of it: (?P<why>.+))", re.M)
"""The words of docker/declare.mjs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the build of a package gets of some that it needs. why: it gets all of them; "" when only declarations."""

    package: str
    needs: tuple[str, ...]
    why: str = ""


def handed(plan: Plan, image: Image, undeclared: Mapping[str, str]) -> tuple[Handed, ...]:
    """What the builds get that an image is made of. undeclared: package -> why it has no declarations to hand on."""
    stages = {stage.package: stage for stage in plan.builds.stages}
    service = next(s for s in plan.services if s.service == image.service)
    own = [p for p in (image.package, *service.closure.packages) if p in stages]
    reached = dict.fromkeys(path for p in own for path in (*stages[p].needs, p))
    return tuple(each for path in sorted(reached) for each in _of_stage(stages[path], undeclared))


def _of_stage(stage: Stage, undeclared: Mapping[str, str]) -> Iterable[Handed]:
    reasons = {**{need: undeclared.get(need, "") for need in stage.declared}, **dict(stage.wholly)}
    for why in dict.fromkeys(reasons[need] for need in stage.needs if need in reasons):
        needs = tuple(need for need in stage.needs if reasons.get(need) == why)
        yield Handed(package=stage.package, needs=needs, why=why)


def keep_undeclared(folder: Path, progress: "Progress") -> None:
    """Keep what the steps said that hand on declarations. Raises OSError."""
    steps = (step for step in progress.steps.values() if step.stage.startswith("declared-"))
    said = {found["package"]: found["why"] or "" for step in steps for found in _SAID.finditer("".join(step.log))}
    if said:
        known = {**load_undeclared(folder), **said}
        write_chapter(folder, _CHAPTER, {package: why for package, why in known.items() if why})


def load_undeclared(folder: Path) -> Mapping[str, str]:
    """Package -> why it has no declarations to hand on, as far as builds here said."""
    try:
        return {str(package): str(why) for package, why in read_chapter(folder, _CHAPTER).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
