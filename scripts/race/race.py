"""bake beside those that people would take instead: the same workspace, services and base images, in one run."""

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.race.fleet import Fleet, read_fleet
from scripts.race.peers import FILE, PEERS, Peer
from scripts.race.workspace import write_workspace

ROOT = Path(__file__).parents[2]
TAG = "race"
LEAF, LIBRARY, UPDATED, USER = "services/metastore", "packages/event-bus", "croner", "services/catalog"
VERSIONS = ("8.1.0", "8.1.1", "8.1.2", "9.0.0", "9.1.0")


class FailedError(Exception):
    """A build that failed, with the line that says why."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """A peer at work in its own copy of the workspace. lost: service that it cannot build -> why.

    first: seconds of its first build, where that ran every step and built all.
    """

    peer: Peer
    root: Path
    fleet: Fleet
    edits: int = 0
    lost: dict[str, str] = field(default_factory=dict)
    first: float | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The images that it builds."""
        return tuple(i for s in self.fleet.services for i in s.images)

    def reference(self, target: str) -> str:
        """What an image is called in the engine."""
        return f"race-{self.peer.name}-{target}:{TAG}"

    def build(self, platforms: str, *words: str, host: str = "", push: str = "") -> None:
        """Build all images and keep them in the engine, or push them below `push` with a cache in that registry."""
        if not self.peer.dockerfile:
            self._build_with_bake(platforms, *words, host=host, push=push)
        elif self.peer.singly:
            for number, target in enumerate(self.targets):
                self._bake((target,), platforms, *(words if number == 0 else ()), host=host, push=push)
        else:
            self._bake(self.targets, platforms, *words, host=host, push=push)

    def _build_with_bake(self, platforms: str, *words: str, host: str, push: str) -> None:
        services = [s.name for s in self.fleet.services]
        command = [sys.executable, "-m", "bake", *services, "--platform", platforms, "--tag", TAG, *words]
        runner = {"CI": "1", "GITHUB_REF_TYPE": "tag", "DOCKER_HOST": host} if host else {"CI": ""}
        pushed = ["--push", *([] if host else ["--cache-to"])] if push else []
        run([*command, *pushed], self.root, BAKE_REGISTRY=f"{push}/{self.peer.name}" if push else "", **runner)

    def _bake(self, targets: Sequence[str], platforms: str, *words: str, host: str, push: str) -> None:
        file = self.root / "race.json"
        file.write_text(json.dumps(self._bake_file(targets, platforms.split(","), push)), encoding="utf-8")
        command = ["docker", "buildx", "bake", "--provenance=false", "--file", file.name, *words]
        networks = ["--allow", "network.host"] if push else []
        run([*command, *networks, *(["--push"] if push else [])], self.root, **({"DOCKER_HOST": host} if host else {}))

    def _bake_file(self, targets: Sequence[str], platforms: Sequence[str], push: str) -> Mapping[str, object]:
        return {
            "group": {"default": {"targets": list(targets)}},
            "target": {t: self._target(t, platforms, push) for t in targets},
        }

    def _target(self, name: str, platforms: Sequence[str], push: str) -> Mapping[str, object]:
        told = {"context": ".", "dockerfile": FILE, "target": name, "platforms": platforms}
        if not push:
            return {**told, "tags": [self.reference(name)]}
        cache = f"type=registry,ref={push}/{self.peer.name}/cache:{name}"
        caches = {"cache-from": [cache], "cache-to": [f"{cache},mode=max"]}
        return {**told, **caches, "tags": [f"{push}/{self.peer.name}/{name}:{TAG}"], "network": "host"}

    def edit(self, package: str) -> None:
        """Add a line to a package that runs and that its declarations do not show."""
        self.edits += 1
        sources = (f for f in sorted((self.root / package / "src").glob("*.ts")) if not f.name.endswith(".d.ts"))
        with next(sources).open("a", encoding="utf-8") as file:
            file.write(f"\nvoid {time.time_ns()};\n")

    def update(self) -> None:
        """Another version of a dependency that one service alone uses."""
        self.edits += 1
        known = {"version": f"{UPDATED}@{VERSIONS[self.edits % len(VERSIONS)]}", "folder": USER}
        more = (
            () if self.peer.name == "pnpm" else ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
        )
        run([*(word.format(**known) for word in self.peer.update), *more], self.root)


def run(command: Sequence[str], root: Path, **more: str) -> str:
    """Standard output of a command; FailedError with the line that says why it failed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FailedError(_reason(done.stderr or done.stdout))
    return done.stdout


_TELLING = ("error TS", "npm error", "ERR_PNPM", "bake: error", "Error:", "ERROR:")


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for telling in _TELLING:
        found = [line[line.index(telling) :] for line in lines if telling in line]
        if found:
            return found[0][:200]
    return lines[-1][:200] if lines else "it says nothing"


def native() -> str:
    """The engine's own platform."""
    words = ("docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
    return run(words, ROOT).strip()


@contextlib.contextmanager
def entries(workspace: str, peers: Sequence[str], *, fresh: bool) -> Iterator[tuple[Entry, ...]]:
    """The peers, each in a copy of the workspace; their images are removed afterwards.

    fresh: such a workspace that no build of an earlier run is in the engine's cache.
    """
    with tempfile.TemporaryDirectory(prefix="race-") as folder:
        first = Path(folder, "workspace")
        _write_workspace(workspace, first, fresh=fresh)
        fleet = read_fleet(first)
        made = []
        for name in peers:
            root = Path(folder, name)
            shutil.copytree(first, root, symlinks=True)
            made.append(_enter(PEERS[name], root, fleet))
        try:
            yield tuple(made)
        finally:
            listed = ["docker", "image", "ls", "-q", "--filter", f"reference=race-*:{TAG}"]
            images = run(listed, ROOT).split()
            subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=False)


def _write_workspace(workspace: str, root: Path, *, fresh: bool) -> None:
    if workspace == "generated":
        root.mkdir()
        write_workspace(root)
    else:
        ignore = shutil.ignore_patterns("node_modules", ".bake", "dist", "*.tsbuildinfo")
        shutil.copytree(ROOT / "examples" / "apphub", root, ignore=ignore, symlinks=True)
    if fresh:
        with (root / "tsconfig.base.json").open("a", encoding="utf-8") as shared:
            shared.write(f"// {time.time_ns()}\n")


def _enter(peer: Peer, root: Path, fleet: Fleet) -> Entry:
    config = root / "bake.toml"
    text = config.read_text(encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("name = "))
    config.write_text(text.replace(name, f'name = "race-{peer.name}"', 1), encoding="utf-8")
    if peer.manifests:
        peer.manifests(root, fleet)
    entry = Entry(peer=peer, root=root, fleet=fleet)
    for command in peer.prepare:
        run(command, root)
    if not peer.dockerfile:
        run([sys.executable, "-m", "bake", "lock"], root)
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*_WHO, "commit", "-q", "-m", "Begin")):
            run(["git", *words], root)
    peer.write(root, fleet)
    return entry


_WHO = ("-c", "user.name=race", "-c", "user.email=race@example.invalid")


def warm(entry: Entry, platforms: str, *words: str) -> None:
    """Build once; services that the peer cannot build are left out, and it is kept why."""
    try:
        seconds = _timed(lambda: entry.build(platforms, *words))
        entry.first = seconds if "--no-cache" in words else None
    except FailedError:
        whole = entry.fleet
        for service in whole.services:
            entry.fleet = Fleet(services=(service,), packages=whole.packages)
            entry.peer.write(entry.root, entry.fleet)
            try:
                entry.build(platforms)
            except FailedError as error:
                entry.lost[service.name] = str(error)
        entry.fleet = whole.without(entry.lost)
        entry.peer.write(entry.root, entry.fleet)


Row = Callable[[Entry, str], float]
"""Seconds that a situation takes a peer that has built before, on these platforms."""


def _timed(build: Callable[[], None]) -> float:
    started = time.perf_counter()
    build()
    return time.perf_counter() - started


def _cold(entry: Entry, platforms: str) -> float:
    return _timed(lambda: entry.build(platforms, "--no-cache"))


def _two(entry: Entry, _platforms: str) -> float:
    return _timed(lambda: entry.build("linux/amd64,linux/arm64", "--no-cache"))


def _leaf(entry: Entry, platforms: str) -> float:
    entry.edit(LEAF)
    return _timed(lambda: entry.build(platforms))


def _library(entry: Entry, platforms: str) -> float:
    entry.edit(LIBRARY)
    return _timed(lambda: entry.build(platforms))


def _dependency(entry: Entry, platforms: str) -> float:
    if Path(USER).name in entry.lost:
        raise FailedError(f"it does not build {Path(USER).name}, which has that dependency")
    entry.update()
    return _timed(lambda: entry.build(platforms))


def _nothing(entry: Entry, platforms: str) -> float:
    return _timed(lambda: entry.build(platforms))


def _runner(entry: Entry, platforms: str) -> float:
    """One commit on an engine that has nothing, with the cache that the commit before left in a registry."""
    from tests.engine.cold import cold_docker  # needs root and dockerd, as the other rows do not

    registry = os.environ.get("BENCH_REGISTRY", "127.0.0.1:5000")
    push = f"{registry}/race-{os.getpid()}"
    entry.build(platforms, push=push)
    entry.edit(LEAF)
    with (
        tempfile.TemporaryDirectory(prefix="race-engine-") as folder,
        cold_docker(Path(folder), registry=registry) as host,
    ):
        return _timed(lambda: entry.build(platforms, host=host, push=push))


ROWS: Mapping[str, tuple[str, Row]] = {
    "cold": ("cold", _cold),
    "leaf": ("one line of a service", _leaf),
    "library": ("one line of a library that four services use", _library),
    "dependency": ("a dependency of one service updated", _dependency),
    "nothing": ("nothing changed", _nothing),
    "two": ("cold, amd64 and arm64", _two),
    "runner": ("one commit on a cold engine, cache in a registry", _runner),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a peer did in a row: its seconds, or why it failed. lost: services that it cannot build."""

    row: str
    peer: str
    seconds: tuple[float, ...]
    failed: str
    lost: Mapping[str, str]
    machine: str

    @property
    def median(self) -> float:
        """The median of its runs."""
        return statistics.median(self.seconds)


def race(workspace: str, rows: Sequence[str], peers: Sequence[str], runs: int) -> tuple[Result, ...]:
    """Every row of every peer. Peers take turns, so that what the machine does beside it meets all alike."""
    platforms, results = native(), []
    with entries(workspace, peers, fresh=True) as made:
        for entry in made:
            say(f"{workspace}: {entry.peer.name}: first build")
            warm(entry, platforms, *(("--no-cache",) if "cold" in rows else ()))
        for row in rows:
            for entry in made:
                say(f"{workspace}: {entry.peer.name}: {ROWS[row][0]}")
                results.append(_run_row(entry, row, platforms, runs))
    return tuple(results)


def _run_row(entry: Entry, row: str, platforms: str, runs: int) -> Result:
    seconds = [entry.first] if row == "cold" and entry.first is not None else []
    failed = ""
    try:
        if not entry.targets:
            raise FailedError("it builds no service")
        while len(seconds) < runs:
            seconds.append(ROWS[row][1](entry, platforms))
    except FailedError as error:
        failed = str(error)
    return Result(
        row=row,
        peer=entry.peer.name,
        seconds=tuple(seconds),
        failed=failed,
        lost=dict(entry.lost),
        machine=f"{os.cpu_count()} cores, {platform.machine()}",
    )


def say(text: str) -> None:
    """What it is at, beside the results."""
    print(f"race: {text}", file=sys.stderr, flush=True)
