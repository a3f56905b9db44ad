"""What the last build did, for its summary and its page: images, steps and warnings, in `.bake/history.json`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bake.display import stage_title, step_title
from bake.engine import Built, Progress, StageTime, Step, critical_path, plain, union
from bake.errors import UsageError
from bake.files import read_chapter, write_chapter
from bake.plan import Plan
from bake.project import Project

_CHAPTER = "account"

_FORMAT = 3
_ALL = "all"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """One image. bytes: compressed, with the base: of the engine's own platform, after a push of the largest one; None
    when nobody knows. above: those of them above the base, None where bake.lock does not say what the base weighs.

    steps, cached: its Dockerfile's steps and those of them that a cache had. ran: those that ran.
    """

    image: str
    service: str
    platforms: tuple[str, ...]
    references: tuple[str, ...]
    digest: str
    bytes: int | None
    seconds: float
    steps: int
    cached: int
    ran: int = 0
    stages: tuple[StageTime, ...] = ()
    above: int | None = None

    @property
    def reference(self) -> str:
        """The first of its names."""
        return self.references[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What one platform of an image weighs, compressed: with its base, and above it. None where nobody knows."""

    bytes: int | None = None
    above: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One step of the Dockerfile. title, about: it and its stage, in words. intervals: in seconds since 1970."""

    title: str
    about: str
    stage: str
    platform: str
    what: str
    cached: bool
    failed: bool
    intervals: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A part of what the build waited for, one after the other; waited: seconds before it in which none of it ran."""

    title: str
    seconds: float
    waited: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The build before: its seconds, and those of the steps that ran, by title."""

    seconds: float
    steps: Mapping[str, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One build. seconds: from its begin to its end. pushed: whether the images are in a registry.

    path: what it waited for. before: the build before it here, None when there was none.
    """

    project: str
    platforms: tuple[str, ...]
    seconds: float
    images: tuple[BuiltImage, ...]
    revision: str = ""
    branch: str = ""
    pushed: bool = False
    steps: tuple[Ran, ...] = ()
    warnings: tuple[str, ...] = ()
    path: tuple[Leg, ...] = ()
    before: Before | None = None

    @property
    def weighed(self) -> bool:
        """Whether it is known of any image what of it is above the base."""
        return any(image.above is not None for image in self.images)

    @property
    def begin(self) -> float | None:
        """When its first step began, in seconds since 1970; None when it had none."""
        return min((start for s in self.steps for start, _ in s.intervals), default=None)

    @property
    def progress(self) -> Progress:
        """Its steps, as one target's."""
        progress = Progress()
        progress.steps = {str(i): _step_of(str(i), ran) for i, ran in enumerate(self.steps)}
        return progress

    @property
    def times(self) -> Mapping[str, float]:
        """Title -> seconds in which steps of that name ran, of those that did."""
        ran: dict[str, list[tuple[float, float]]] = {}
        for step in self.steps:
            if not step.cached and not step.what.startswith("FROM "):
                ran.setdefault(step.title, []).extend(step.intervals)
        return {title: round(union(intervals), 2) for title, intervals in ran.items()}

    @property
    def stages(self) -> tuple[StageTime, ...]:
        """Its stages, in the order in which they began."""
        return self.progress.stages(_ALL)


def _step_of(digest: str, ran: Ran) -> Step:
    return Step(
        digest=digest,
        name="",
        stage=ran.about,
        platform=ran.platform,
        what=ran.what,
        targets={_ALL},
        cached=ran.cached,
        started=min((start for start, _ in ran.intervals), default=None),
        completed=max((end for _, end in ran.intervals), default=None),
        intervals=dict(ran.intervals),
        error="failed" if ran.failed else "",
    )


def ran_steps(plan: Plan, progress: Progress) -> tuple[Ran, ...]:
    """The Dockerfile's steps of a build, without what they printed."""
    return tuple(
        Ran(
            title=step_title(plan, s),
            about=stage_title(plan, s.stage),
            stage=s.stage,
            platform=s.platform,
            what=plain(s.what),
            cached=s.cached,
            failed=s.failed,
            intervals=tuple((round(start, 3), round(end, 3)) for start, end in sorted(s.intervals.items())),
        )
        for s in progress.steps.values()
        if s.stage and s.intervals
    )


def waited_for(plan: Plan, progress: Progress) -> tuple[Leg, ...]:
    """The chain of steps that decided how long the build took; of neighbours with one name, one leg."""
    legs: list[Leg] = []
    for leg in critical_path(progress):
        title = _leg_title(plan, leg.step)
        if legs and legs[-1].title == title:
            legs[-1] = dataclasses.replace(legs[-1], seconds=legs[-1].seconds + leg.waited + leg.seconds)
        else:
            legs.append(Leg(title=title, seconds=leg.seconds, waited=leg.waited))
    return tuple(Leg(title=n.title, seconds=round(n.seconds, 2), waited=round(n.waited, 2)) for n in legs)


def _leg_title(plan: Plan, step: Step) -> str:
    if step.exports:
        return "images stored"
    if not step.stage:
        return "files sent to the engine" if "load" in step.name and "metadata" not in step.name else plain(step.name)
    if step.works:
        return step_title(plan, step)
    return f"base image {step.what.removeprefix('FROM ').partition('@')[0].removeprefix('docker.io/library/')}"


def built_image(plan: Plan, target: str, built: Built, *, references: Sequence[str], weight: Weight) -> BuiltImage:
    """The image of a target, as it was built."""
    progress = built.progress
    steps = progress.of(target)
    return BuiltImage(
        image=target,
        service=plan.owners.get(target, target),
        platforms=plan.platforms_of(target),
        references=tuple(references),
        digest=built.digest(target),
        bytes=weight.bytes,
        seconds=round(progress.seconds(target), 1),
        steps=len(steps),
        cached=sum(s.cached for s in steps),
        ran=sum(target in s.targets for s in progress.ran()),
        stages=tuple(dataclasses.replace(s, seconds=round(s.seconds, 2)) for s in progress.stages(target)),
        above=weight.above,
    )


def weigh(project: Project, plan: Plan, target: str, platform: str, bytes_: int | None) -> Weight:
    """Bytes of an image, and what of them is above a base that it has whole, and packed as its registry has it."""
    image = next((i for i in plan.images if i.target == target), None)
    service = next((s for s in plan.services if image and s.service == image.service), None)
    if bytes_ is None or service is None or service.minimal or plan.base_of(service):
        return Weight(bytes=bytes_)
    repacked = plan.request.push and project.config.layers.compression != "gzip"
    base = None if repacked else project.base_bytes(service.base, platform)
    return Weight(bytes=bytes_, above=bytes_ - base if base and base <= bytes_ else None)


def warnings_of(noted: Iterable[str], progress: Progress) -> tuple[str, ...]:
    """What bake and BuildKit warned of, each thing once."""
    return tuple(dict.fromkeys(text for text in (*noted, *progress.warnings) if text))


def account_table(account: Account) -> Mapping[str, Any]:
    """The account as a table."""
    return {"format": _FORMAT, **dataclasses.asdict(account)}


def parse_account(given: Mapping[str, Any]) -> Account:
    """Read it. Raises ValueError, KeyError or TypeError for what is no account of this bake."""
    table = dict(given)
    if (written := table.pop("format")) != _FORMAT:
        raise ValueError(written)
    before = table["before"]
    table["before"] = Before(**before) if before else None
    table["path"] = tuple(Leg(**leg) for leg in table["path"])
    table["images"] = tuple(_built_image(i) for i in table["images"])
    table["steps"] = tuple(Ran(**{**s, "intervals": tuple((a, b) for a, b in s["intervals"])}) for s in table["steps"])
    return Account(**{**table, "platforms": tuple(table["platforms"]), "warnings": tuple(table["warnings"])})


def _built_image(table: dict[str, Any]) -> BuiltImage:
    lists = {name: tuple(table[name]) for name in ("platforms", "references")}
    return BuiltImage(**{**table, **lists, "stages": tuple(StageTime(**s) for s in table["stages"])})


def write_account(folder: Path, account: Account) -> None:
    """Leave the account in .bake/. Raises OSError."""
    write_chapter(folder, _CHAPTER, account_table(account))


def load_before(folder: Path) -> Before | None:
    """What the account in .bake/ tells of the build that wrote it; None where there is none."""
    with suppress(UsageError):
        last = load_account(folder)
        return Before(seconds=last.seconds, steps=last.times)
    return None


def load_account(folder: Path) -> Account:
    """The account in .bake/. Raises UsageError where there is none, or one of another bake."""
    try:
        return parse_account(read_chapter(folder, _CHAPTER))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("report", "there is no account of a build here", "run `bake build` first") from None
