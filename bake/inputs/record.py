"""What the last build here was made of: per image the state of the workspace, and its first step that ran.

It is a chapter of `.bake/history.json`. A state is a commit plus what was not committed: the text of files that plans
are made of, the SHA-256 of all files ("" for one that was deleted).
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bake.engine import Progress, Step
from bake.files import is_inside, read_chapter, write_chapter
from bake.git import Changes, read_changes, read_dirty
from bake.inputs.past import without_credentials

_CHAPTER = "builds"

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The workspace at one moment, and what was built of it. Paths are relative to bake.toml's folder.

    revision: "" without git. environment: the variables that build arguments take their values from.
    """

    revision: str = ""
    platforms: tuple[str, ...] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hashes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        """A short name of this state."""
        whole = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """The first step of an image that did not come from the cache."""

    stage: str
    platform: str
    what: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastBuild:
    """One image's last build. before: the state of the build before that one, None when there was none."""

    state: State
    before: State | None = None
    step: FirstStep | None = None


Record = Mapping[str, LastBuild]
"""Target -> its last build."""


def load_state(root: Path, revision: str, planned: Callable[[str], bool]) -> State:
    """The workspace below `root` as it is now. planned: whether planning reads a path."""
    dirty = read_dirty(root) if revision else ()
    return State(
        revision=revision,
        hashes={path: _hash(root / path) for path in dirty},
        texts={p: _text(root, p) for p in dirty if planned(p) and (root / p).is_file() and is_inside(root, p)},
    )


def _text(root: Path, path: str) -> str:
    return without_credentials(path, (root / path).read_text(encoding="utf-8", errors="replace"))


def load_changes(root: Path, state: State) -> Changes:
    """What has changed since that state. Raises UsageError and WorkspaceError where git cannot say."""
    changes = read_changes(root, state.revision, direct=True)
    paths = {*changes.paths, *state.hashes}
    return dataclasses.replace(
        changes,
        paths=tuple(sorted(p for p in paths if p not in state.hashes or _hash(root / p) != state.hashes[p])),
    )


_LARGE = 10_000_000
"""Bytes from which on a file is known by its size and time: data that somebody left there is not read at each build."""


def _hash(file: Path) -> str:
    """The SHA-256 of a file; "" for one that is not there."""
    try:
        about = file.lstat()
        if file.is_symlink():
            return f"link to {file.readlink()}"
        if about.st_size < _LARGE and file.is_file():
            return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
    return f"{about.st_size} bytes at {about.st_mtime_ns}"


def first_step(progress: Progress, target: str) -> FirstStep | None:
    """The step that ran first; None when the cache had everything.

    BuildKit looks at FROM's images at each build, and the stage that sends all sources runs after every edit: neither
    says what the edit concerns.
    """
    steps = (s for s in progress.of(target) if s.stage != "source" and not s.what.startswith("FROM "))
    ran = [s for s in steps if not s.cached and s.started is not None]
    step = min(ran, key=lambda s: s.started or 0.0, default=None)
    return FirstStep(stage=step.stage, platform=step.platform, what=_what(step)) if step else None


def _what(step: Step) -> str:
    return " ".join(step.what.replace("\\\n", " ").split())


def add(record: Record, state: State, steps: Mapping[str, FirstStep | None]) -> Record:
    """The record after a build of these targets in this state."""
    new = {
        target: LastBuild(state=state, before=record[target].state if target in record else None, step=step)
        for target, step in steps.items()
    }
    return {**record, **new}


def load_record(folder: Path) -> Record:
    """The record in .bake/; empty where there is none, or one of another bake."""
    try:
        return parse_record(read_chapter(folder, _CHAPTER))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_record(folder: Path, record: Record) -> None:
    """Leave the record in .bake/. Raises OSError."""
    write_chapter(folder, _CHAPTER, record_table(record))


def record_table(record: Record) -> Mapping[str, Any]:
    """The record as a table; each state stands there once."""
    states = {s.id: s for b in record.values() for s in (b.state, b.before) if s}
    images = {
        target: {
            "state": build.state.id,
            "before": build.before.id if build.before else None,
            "step": dataclasses.asdict(build.step) if build.step else None,
        }
        for target, build in record.items()
    }
    return {"format": _FORMAT, "states": {i: dataclasses.asdict(s) for i, s in states.items()}, "images": images}


def parse_record(table: Mapping[str, Any]) -> Record:
    """Read it. Raises ValueError, KeyError or TypeError for what is no record of this bake."""
    if table["format"] != _FORMAT:
        raise ValueError(table["format"])
    states = {k: State(**{**v, "platforms": tuple(v["platforms"])}) for k, v in table["states"].items()}
    return {target: _last_build(value, states) for target, value in table["images"].items()}


def _last_build(value: Mapping[str, Any], states: Mapping[str, State]) -> LastBuild:
    return LastBuild(
        state=states[value["state"]],
        before=states[value["before"]] if value["before"] else None,
        step=FirstStep(**value["step"]) if value["step"] else None,
    )
