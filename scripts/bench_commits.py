"""Commits that each touch one package, pushed one after another by runners that start cold; for scripts/bench.

What a cluster restarts by digest: with bake, with a `docker build` per image, and with that and a registry cache.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bake.table import table

ROOT = Path(__file__).parents[1]
COUNT = int(os.environ.get("BENCH_COMMITS", "20"))
REGISTRY = os.environ.get("BENCH_REGISTRY", "127.0.0.1:5000")
_WHO = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What one push did. digests: by image."""

    built: int
    seconds: float
    digests: Mapping[str, str]


Push = Callable[[str], Pushed]
"""Push the commit that is checked out, with this builder."""


def measure_commits(root: Path, images: Sequence[str]) -> None:
    """Print a table with a row per commit, and how many processes each way restarts. root: a copy of the example."""
    prefix = f"{REGISTRY}/bench-{uuid.uuid4().hex[:8]}"
    ways: Mapping[str, Push] = {
        "bake": lambda builder: _bake(root, prefix, builder),
        "classic": lambda builder: _classic(root, images, f"{prefix}/classic", builder, cache=False),
        "classic, cache": lambda builder: _classic(root, images, f"{prefix}/cached", builder, cache=True),
    }
    _git(root, "init", "-q", "-b", "main")
    _commit(root, "Begin")
    before = {name: _cold(push) for name, push in ways.items()}
    rows, restarts, least = [], dict.fromkeys(ways, 0), 0
    for number in range(COUNT):
        package = _touch(root, number)
        least += _affected(root)
        row = {"commit": package}
        for name, push in ways.items():
            now = _cold(push)
            changed = sum(before[name].digests.get(i) != d for i, d in now.digests.items())
            restarts[name] += changed
            row |= {f"{name}: built": str(now.built), "changed": str(changed), f"{name} s": f"{now.seconds:.1f}"}
            row = {k if k != "changed" else f"{name}: changed": v for k, v in row.items()}
            before[name] = now
        rows.append(row)
    print(f"\ncommits ({COUNT} that touch one package each, each pushed by a builder without a cache)\n{table(rows)}")
    told = ", ".join(f"{name} {count}" for name, count in restarts.items())
    print(f"processes restarted: {told}; the least possible {least}")


def _cold(push: Push) -> Pushed:
    with _builder() as builder:
        return push(builder)


@contextlib.contextmanager
def _builder() -> Iterator[str]:
    """A BuildKit of its own, without a cache, as a runner has it."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    options = ("--driver", "docker-container", "--driver-opt", "network=host", "--bootstrap")
    _run(["docker", "buildx", "create", "--name", name, *options], ROOT)
    try:
        yield name
    finally:
        _run(["docker", "buildx", "rm", name], ROOT)


def _touch(root: Path, number: int) -> str:
    """Change a line of one package and commit it; gives the package."""
    packages = sorted(p.parent for p in (*root.glob("packages/*/src"), *root.glob("services/*/src")))
    package = packages[number % len(packages)]
    file = sorted(f for f in (package / "src").rglob("*.ts") if not f.name.endswith(".d.ts"))[0]
    file.write_text(f"{file.read_text(encoding='utf-8')}\nexport const c{number} = {number};\n", encoding="utf-8")
    name = package.relative_to(root).as_posix()
    _commit(root, f"Change {name}")
    return name


def _affected(root: Path) -> int:
    """How many images the last commit changes."""
    words = ("affected", "--since", "HEAD~1", "--format", "names", "-q")
    return len(_run([sys.executable, "-m", "bake", *words], root).stdout.split())


def _bake(root: Path, prefix: str, builder: str) -> Pushed:
    command = [sys.executable, "-m", "bake", "all", "--push", "--platform", "linux/amd64", "--builder", builder]
    started = time.perf_counter()
    done = _run([*command, "--format", "json", "-q"], root, BAKE_REGISTRY=prefix)
    seconds = time.perf_counter() - started
    images = json.loads(done.stdout)["images"]
    built = sum(bool(i["steps"]) for i in images)
    return Pushed(built=built, seconds=seconds, digests={i["image"]: i["digest"] for i in images})


def _classic(root: Path, images: Sequence[str], prefix: str, builder: str, *, cache: bool) -> Pushed:
    """A build per image, with the commit in a label, as the usual actions do."""
    revision = _git(root, "rev-parse", "HEAD")
    digests = {}
    started = time.perf_counter()
    for image in images:
        ref = f"type=registry,ref={prefix}-cache:{image}"
        cached = ("--cache-from", ref, "--cache-to", f"{ref},mode=max") if cache else ()
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder, "told.json")
            file = ROOT / "scripts" / "classic" / "Dockerfile"
            words = ("--provenance=false", "--push", "-f", str(file), "--target", image, "--metadata-file", str(told))
            label = ("--label", f"org.opencontainers.image.revision={revision}")
            name = ("-t", f"{prefix}-{image}:main")
            _run(["docker", "buildx", "build", "--builder", builder, *words, *label, *cached, *name, "."], root)
            digests[image] = json.loads(told.read_text(encoding="utf-8"))["containerimage.digest"]
    return Pushed(built=len(images), seconds=time.perf_counter() - started, digests=digests)


def _commit(root: Path, message: str) -> None:
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", message)


def _git(root: Path, *words: str) -> str:
    return _run(["git", *_WHO, *words], root).stdout.strip()


def _run(command: Sequence[str], root: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done
