"""BuildKit's progress as data: which step ran, for whom, how long, from cache or not, and what it printed. Pure."""

import base64
import binascii
import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

_NAME = re.compile(r"\[(?P<head>[^\]]*?)(?: (?P<index>\d+)/(?P<total>\d+))?\] (?P<what>.*)", re.S)
_PLATFORM = re.compile(r"linux/[a-z0-9]+(/v\d+)?(->[a-z0-9/]+)?$")
_BASE = re.compile(r"FROM (?P<name>\S+)@(?P<digest>sha256:[0-9a-f]+)$")


@dataclasses.dataclass(slots=True, kw_only=True)
class Step:
    """One vertex of the build graph; several targets may share it.

    stage: the Dockerfile stage, "" for internal steps. intervals: start -> end, in seconds since 1970; BuildKit tells
    each target its own start of the same execution, so they overlap. inputs: digests of the steps that it waits for.
    error: BuildKit's words. waits, turn: whether it waits for its turn, and when it had it.
    """

    digest: str
    name: str
    stage: str = ""
    platform: str = ""
    what: str = ""
    targets: set[str] = dataclasses.field(default_factory=set)
    inputs: set[str] = dataclasses.field(default_factory=set)
    cached: bool = False
    started: float | None = None
    completed: float | None = None
    intervals: dict[float, float] = dataclasses.field(default_factory=dict)
    error: str = ""
    log: list[str] = dataclasses.field(default_factory=list)
    waits: bool = False
    turn: float | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock seconds during which it ran, 0 when cached."""
        return 0.0 if self.cached else union(self.intervals.items())

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.completed is not None

    @property
    def failed(self) -> bool:
        """Whether it broke. BuildKit cancels steps in builds that go well, too: it does equal ones once."""
        return bool(self.error) and "context canceled" not in self.error

    @property
    def runs(self) -> bool:
        """Whether it is an instruction of the Dockerfile that runs a command."""
        return self.what.startswith("RUN ")

    @property
    def exports(self) -> bool:
        """Whether it stores or pushes what was built."""
        return "exporting to " in self.name

    @property
    def works(self) -> bool:
        """Whether it is an instruction that makes something; FROM waits for a pull."""
        return bool(self.stage) and not self.what.startswith("FROM ")


class Progress:
    """The steps of one run, fed line by line from `--progress=rawjson` (source: moby/buildkit client/graph.go)."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.other: list[str] = []
        """Lines that are not progress: buildx's closing words, errors."""
        self.warnings: list[str] = []

    def feed(self, line: str, *, target: str = "") -> list[Step]:
        """Take one line; gives the steps that ended with it. `target` names the build when names do not."""
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.other.append(line.rstrip("\n"))
            return []
        ended = [s for v in message.get("vertexes") or () if (s := self._vertex(v, target))]
        for log in message.get("logs") or ():
            if step := self.steps.get(log.get("vertex", "")):
                _take_log(step, _decoded_log(log.get("data", "")), _seconds(log.get("timestamp")))
        self.warnings += [_decoded_log(w.get("short", "")) for w in message.get("warnings") or ()]
        return ended

    def running(self) -> tuple[Step, ...]:
        """The RUN steps that have begun and not ended, in the order they started."""
        steps = (s for s in tuple(self.steps.values()) if s.runs and not s.waits)
        begun = (s for s in steps if s.started is not None and not s.done)
        return tuple(sorted(begun, key=lambda s: s.started or 0.0))

    def of(self, target: str) -> tuple[Step, ...]:
        """The Dockerfile's steps of one target."""
        return tuple(s for s in self.steps.values() if target in s.targets and s.stage)

    def bases(self) -> Mapping[str, str]:
        """Base image -> the digest that its tag had."""
        found = (_BASE.match(s.what) for s in self.steps.values())
        return {f["name"]: f["digest"] for f in found if f}

    def seconds(self, target: str) -> float:
        """Wall-clock seconds during which at least one instruction of the target ran; pulls and contexts do not count.

        Steps that targets share count for each of them, so images' seconds do not add up to the build's.
        """
        return worked(self.of(target))

    def stages(self, target: str) -> tuple["StageTime", ...]:
        """The target's stages, in the order of their first step."""
        found: dict[tuple[str, str], list[Step]] = {}
        for step in sorted(self.of(target), key=lambda s: s.started or 0.0):
            found.setdefault((step.stage, step.platform), []).append(step)
        return tuple(
            StageTime(
                stage=stage,
                platform=platform,
                seconds=worked(steps),
                steps=len(steps),
                cached=sum(s.cached for s in steps),
                ran=sum(s.runs and not s.cached and bool(s.intervals) for s in steps),
            )
            for (stage, platform), steps in found.items()
        )

    def failed(self) -> Step | None:
        """The step that failed first; steps that were cancelled with it do not count."""
        broken = [s for s in self.steps.values() if s.failed]
        return min(broken, key=lambda s: s.completed or 0.0, default=None)

    def closing(self) -> str:
        """Why the run failed, in buildx's closing words, "" without any.

        These may be about a target that was only cancelled with another one: then in the words of the step that failed.
        """
        line = next((o for o in reversed(self.other) if o.startswith("ERROR")), "").removeprefix("ERROR: ")
        step = self.failed()
        return step.error if step and (not line or "context canceled" in line) else line

    def ran(self) -> tuple[Step, ...]:
        """The RUN steps that were executed, not taken from a cache, in the order they started."""
        steps = (s for s in self.steps.values() if s.runs and not s.cached and s.intervals)
        return tuple(sorted(steps, key=lambda s: s.started or 0.0))

    def keep_last(self, seconds: float) -> None:
        """Make hits of steps that had ended before a run of that length began.

        Of a step that other builds hold, BuildKit tells when it ran for them. Measured by the builder's own clock.
        """
        begin = max((end for s in self.steps.values() for end in s.intervals.values()), default=0.0) - seconds
        for step in self.steps.values():
            kept = {max(start, begin): end for start, end in step.intervals.items() if end >= begin}
            if step.intervals and not kept:
                step.cached, kept = True, {begin: begin}
            step.intervals, step.started, step.completed = (
                kept,
                min(kept, default=None),
                max(kept.values(), default=None),
            )

    def _vertex(self, vertex: Mapping[str, Any], target: str) -> Step | None:
        step = self.steps.setdefault(vertex["digest"], Step(digest=vertex["digest"], name=vertex.get("name", "")))
        _take_name(step, vertex.get("name", ""), target)
        step.inputs.update(vertex.get("inputs") or ())
        step.cached = step.cached or bool(vertex.get("cached"))
        step.error = vertex.get("error") or step.error
        before = step.done
        start, end = _seconds(vertex.get("started")), _seconds(vertex.get("completed"))
        if start is not None:
            start = max(start, step.turn or start)
            step.started = start if step.started is None else min(start, step.started)
        if start is not None and end is not None:
            step.intervals[start] = end
            step.completed = max(end, step.completed or end)
        return step if step.done and not before else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """What a stage took for one image. steps: its instructions; cached: those of them; ran: RUN steps executed."""

    stage: str
    platform: str
    seconds: float
    steps: int
    cached: int
    ran: int


def union(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of what the intervals cover together."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def worked(steps: Iterable[Step]) -> float:
    """Wall-clock seconds during which at least one of the steps ran."""
    return union(i for s in steps if s.works and not s.cached for i in s.intervals.items())


_WAITS, _TURN = "bake: waits for its turn\n", "bake: its turn\n"
"""What docker/turns.mjs says."""


def _take_log(step: Step, text: str, at: float | None) -> None:
    """Keep what a step printed; one that waits for its turn begins when it has it."""
    step.waits = (step.waits or _WAITS in text) and _TURN not in text
    if _TURN in text:
        step.turn = step.started = at
    step.log.append(text.replace(_WAITS, "").replace(_TURN, ""))


def _take_name(step: Step, name: str, target: str) -> None:
    """Read `[TARGET PLATFORM STAGE i/n] INSTRUCTION`; TARGET is there when several are built."""
    match = _NAME.match(name)
    if match is None:
        step.what = step.what or name
        return
    words = match["head"].split()
    platform = next((w for w in words if _PLATFORM.match(w)), "")
    rest = [w for w in words if w not in {platform, "internal"}]
    stage = rest.pop() if rest and "internal" not in words and match["index"] else ""
    step.stage, step.what = step.stage or stage, step.what or match["what"]
    step.platform = step.platform or platform
    step.targets.update([target] if target else rest[:1])


def _seconds(timestamp: str | None) -> float | None:
    """An RFC 3339 time with nanoseconds as seconds since 1970."""
    if not timestamp:
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp)).timestamp()


def _decoded_log(data: str) -> str:
    try:
        return base64.b64decode(data).decode("utf-8", errors="replace")
    except (binascii.Error, ValueError):
        return ""


def merge(runs: Iterable[Progress]) -> Progress:
    """Several runs as one; a step that several saw counts once, with every target, and as run when one ran it."""
    whole = Progress()
    for run in runs:
        for digest, step in run.steps.items():
            known = whole.steps.get(digest)
            if known is None or (known.cached and not step.cached):
                whole.steps[digest] = step
            if known is not None:
                whole.steps[digest].targets |= known.targets | step.targets
                whole.steps[digest].inputs |= known.inputs | step.inputs
        whole.other += run.other
        whole.warnings += run.warnings
    return whole


_UNRESOLVED = re.compile(r"failed to resolve source metadata for (\S+): (.*)")


def missing_image(line: str) -> tuple[str, str, str] | None:
    """Which base image BuildKit could not get, why, and what to do; None when it failed with something else."""
    found = _UNRESOLVED.search(line)
    if found is None:
        return None
    image, said = found[1].removeprefix("docker.io/library/").removeprefix("docker.io/"), found[2].rpartition(": ")[2]
    if re.search(r"401|403|denied|unauthori[sz]ed|authorization", found[2], re.I):
        return image, "may not be pulled", f"`docker login {found[1].partition('/')[0]}`"
    if said == "not found":
        name, pinned, _ = image.partition("@")
        if pinned:
            return name, "its registry does not have the digest that bake.lock pins", "run `bake lock`"
        if name.startswith("docker/dockerfile"):
            return image, "is not in its registry", "take the `# syntax=` line out of the Dockerfile that asks for it"
        return image, "is not in its registry", "name another in [base] of bake.toml"
    return image, f"cannot be pulled ({said})", "`bake doctor` says which registries answer"


def plain(instruction: str) -> str:
    """An instruction in one short line."""
    text = " ".join(w for w in instruction.split() if w != "\\" and not w.startswith("--mount="))
    return text if len(text) <= 120 else f"{text[:117]}..."
