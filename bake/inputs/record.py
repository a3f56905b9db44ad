"""What the last build here was made of: per image its inputs, and its first step that ran.

It is a chapter of `.bake/history.json`, which holds digests and no text of a file.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bake.files import read_chapter, write_chapter
from bake.inputs.content import Inputs
from bake.inputs.reasons import forgetful

if TYPE_CHECKING:
    from bake.engine import Progress, Step

_CHAPTER = "builds"

_FORMAT = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """The first step of an image that did not come from the cache."""

    stage: str
    platform: str
    what: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastBuild:
    """One image's last build. before: the inputs of the build before that one, None when there was none."""

    inputs: Inputs
    platforms: tuple[str, ...] = ()
    before: Inputs | None = None
    step: FirstStep | None = None


Record = Mapping[str, LastBuild]
"""Target -> its last build."""


def first_step(progress: "Progress", target: str) -> FirstStep | None:
    """The step that ran first; None when the cache had everything.

    BuildKit looks at FROM's images at each build, and the stage that sends all sources runs after every edit: neither
    says what the edit concerns.
    """
    steps = (s for s in progress.of(target) if s.stage != "source" and not s.what.startswith("FROM "))
    ran = [s for s in steps if not s.cached and s.started is not None]
    step = min(ran, key=lambda s: s.started or 0.0, default=None)
    return FirstStep(stage=step.stage, platform=step.platform, what=_what(step)) if step else None


def _what(step: "Step") -> str:
    return " ".join(step.what.replace("\\\n", " ").split())


def add(
    record: Record, inputs: Mapping[str, Inputs], platforms: tuple[str, ...], steps: Mapping[str, FirstStep | None]
) -> Record:
    """The record after a build of these targets, made of these inputs."""
    new = {
        target: LastBuild(
            inputs=forgetful(inputs[target]),
            platforms=platforms,
            before=record[target].inputs if target in record else None,
            step=step,
        )
        for target, step in steps.items()
        if target in inputs
    }
    return {**record, **new}


def load_record(folder: Path) -> Record:
    """The record in .bake/; empty where there is none, or one of another bake."""
    try:
        return parse_record(read_chapter(folder, _CHAPTER))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_record(folder: Path, record: Record) -> None:
    """Leave the record in .bake/. Raises OSError."""
    write_chapter(folder, _CHAPTER, record_table(record))


def record_table(record: Record) -> Mapping[str, Any]:
    """The record as a table."""
    images = {
        target: {
            "platforms": build.platforms,
            "before": build.before is not None,
            "step": dataclasses.asdict(build.step) if build.step else None,
        }
        for target, build in record.items()
    }
    now = {target: build.inputs for target, build in record.items()}
    before = {f"{target} before": build.before for target, build in record.items() if build.before}
    return {"format": _FORMAT, "images": images, "inputs": list(_shared({**now, **before}))}


def _shared(inputs: Mapping[str, Inputs]) -> Iterable[Mapping[str, Any]]:
    """What the same images have in common, once: most of a library's files are in several."""
    holders: dict[tuple[str, str, str], list[str]] = {}
    for holder, each in inputs.items():
        for part, table in (("digests", each.digests), ("settings", each.settings)):
            for name, value in table.items():
                holders.setdefault((part, name, value), []).append(holder)
    sets: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}
    for (part, name, value), held in holders.items():
        sets.setdefault(tuple(held), {"digests": {}, "settings": {}})[part][name] = value
    return ({"of": of, **tables} for of, tables in sets.items())


def parse_record(table: Mapping[str, Any]) -> Record:
    """Read it. Raises ValueError, KeyError or TypeError for what is no record of this bake."""
    if table["format"] != _FORMAT:
        raise ValueError(table["format"])
    tables: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for each in table["inputs"]:
        for holder in each["of"]:
            digests, settings = tables.setdefault(holder, ({}, {}))
            digests.update(each["digests"])
            settings.update(each["settings"])
    found = {t: Inputs(digests=digests, settings=settings, kept=True) for t, (digests, settings) in tables.items()}
    return {
        target: LastBuild(
            inputs=found[target],
            platforms=tuple(value["platforms"]),
            before=found[f"{target} before"] if value["before"] else None,
            step=FirstStep(**value["step"]) if value["step"] else None,
        )
        for target, value in table["images"].items()
    }
