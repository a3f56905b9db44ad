"""The measurements behind scripts/bench."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bake.plan import Request, make_plan
from bake.project import load_project
from bake.render import render
from bake.table import table
from scripts.bench_commits import measure_commits
from tests.generate import generate

ROOT = Path(__file__).parents[1]
SERVICES = ("catalog", "metastore", "filestore", "timestore")
IMAGES = (
    "catalog-api",
    "catalog-worker",
    "catalog-build-worker",
    "catalog-launch-worker",
    "catalog-scheduler",
    "metastore",
    "filestore-api",
    "filestore-reconciliation-worker",
    "timestore-api",
    "timestore-ingestion-worker",
    "timestore-lifecycle-worker",
)
FIRST = ("catalog-api", "metastore", "filestore-api", "timestore-api")
RUNS = 3
UPDATED, VERSIONS = "croner", ("8.1.0", "8.1.1", "8.1.2")


def main(parts: Sequence[str]) -> None:
    known: Mapping[str, Callable[[], None]] = {"plan": plan, "size": size, "time": times, "commits": commits}
    for part in parts or ("plan", "size", "time"):
        known[part]()


def median(measure: Callable[[], object], runs: int = RUNS) -> float:
    """Median seconds of some runs."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        measure()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def plan() -> None:
    """Growth of load, plan and render with the size of the workspace."""
    rows = []
    for packages, services, entries in ((75, 25, 1250), (150, 50, 2500), (300, 100, 5000)):
        with tempfile.TemporaryDirectory() as folder:
            file = _generated(Path(folder), packages, services, entries)
            load_project(file, {})  # scans the imports once, as every later run finds them
            project = load_project(file, {})
            made = make_plan(project, Request())
            rows.append(
                {
                    "workspace": f"{packages} packages, {services} services, {entries} entries",
                    "load s": f"{median(lambda: load_project(file, {}), 5):.2f}",  # noqa: B023
                    "plan s": f"{median(lambda: make_plan(load_project(file, {}), Request()), 5):.2f}",  # noqa: B023
                    "render s": f"{median(lambda: render(project, made), 5):.2f}",  # noqa: B023
                }
            )
    print(f"\nplan (`plan s` loads as well; medians of 5)\n{table(rows)}")


def _generated(root: Path, packages: int, services: int, entries: int) -> Path:
    generate(root, packages=packages, services=services, entries=entries)
    names = sorted(p.name for p in (root / "services").iterdir())
    text = '[project]\nname = "gen"\n' + "".join(f'[services.{n}]\npackage = "services/{n}"\n' for n in names)
    (root / "bake.toml").write_text(text, encoding="utf-8")
    return root / "bake.toml"


def size() -> None:
    """Compressed bytes above the base image, per image and for the fleet."""
    with _example() as root:
        _bake(root, *SERVICES)
        _classic(root)
        ours = _layers([f"bench-{i}:bench" for i in FIRST])
        theirs = _layers([f"bench-classic-{i}:bench" for i in FIRST])
    rows = [
        {
            "image": i,
            "bake MB": _mega(ours[f"bench-{i}:bench"]),
            "classic MB": _mega(theirs[f"bench-classic-{i}:bench"]),
        }
        for i in FIRST
    ]
    fleet = [dict(x for layers in side.values() for x in layers.items()) for side in (ours, theirs)]
    rows.append({"image": "unique blobs", "bake MB": _mega(fleet[0]), "classic MB": _mega(fleet[1])})
    print(f"\nsize (linux/amd64, compressed, above node:24-slim)\n{table(rows)}")


def _layers(references: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Per reference: digest -> compressed bytes of the layers that the base image has not."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        subprocess.run(["docker", "save", "-o", str(archive), *references], check=True)
        with tarfile.open(archive) as tar:
            index = _json(tar, "index.json")
            found = {
                e["annotations"]["io.containerd.image.name"].split("/")[-1]: _sizes(tar, e) for e in index["manifests"]
            }
    base = _base_layers()
    return {name: {d: s for d, s in layers.items() if d not in base} for name, layers in found.items()}


def _base_layers() -> set[str]:
    """The layers that node:24-slim brings."""
    subprocess.run(
        ["docker", "buildx", "build", "-q", "--provenance=false", "-t", "bench-base:bench", "-"],
        input="FROM node:24-slim\n",
        text=True,
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "base.tar"
        subprocess.run(["docker", "save", "-o", str(archive), "bench-base:bench"], check=True)
        with tarfile.open(archive) as tar:
            return set(_sizes(tar, _json(tar, "index.json")["manifests"][0]))


def _sizes(tar: tarfile.TarFile, entry: Mapping[str, Any]) -> Mapping[str, int]:
    manifest = _json(tar, "blobs/" + entry["digest"].replace(":", "/"))
    while "manifests" in manifest:
        native = next(m for m in manifest["manifests"] if m.get("platform", {}).get("architecture") == "amd64")
        manifest = _json(tar, "blobs/" + native["digest"].replace(":", "/"))
    return {layer["digest"]: layer["size"] for layer in manifest["layers"]}


def _json(tar: tarfile.TarFile, name: str) -> Any:
    member = tar.extractfile(name)
    assert member is not None
    return json.load(member)


def _mega(layers: Mapping[str, int]) -> str:
    return f"{sum(layers.values()) / 1e6:.1f}"


def times() -> None:
    """Seconds of the situations that people wait for."""
    with _example() as root:
        _bake(root, *SERVICES)  # base images are pulled once for both
        _classic(root)
        ours = {
            "cold, amd64": median(lambda: _bake(root, *SERVICES, "--no-cache")),
            "cold, amd64 + arm64": median(
                lambda: _bake(root, *SERVICES, "--no-cache", platforms="linux/amd64,linux/arm64")
            ),
        }
        theirs = {"cold, amd64": median(lambda: _classic(root, "--no-cache"))}
        _bake(root, *SERVICES)
        _classic(root)
        ours["one line changed"] = median(lambda: _bake(_edited(root), *SERVICES))
        theirs["one line changed"] = median(lambda: _classic(_edited(root)))
        edited = _builds_that_ran(_bake(_edited(root), *SERVICES))
        ours["one dependency updated"], updated = _timed_updates(root, lambda: _bake(root, *SERVICES))
        theirs["one dependency updated"], _ = _timed_updates(root, lambda: _classic(root))
        ours["nothing changed"] = median(lambda: _bake(root, *SERVICES))
        theirs["nothing changed"] = median(lambda: _classic(root))
        ours["the same with --force"] = median(lambda: _bake(root, *SERVICES, "--force"))
        raw = median(lambda: _raw(root))
    rows = [
        {
            "situation": k,
            "bake s": f"{ours[k]:.1f}",
            "classic s": f"{theirs[k]:.1f}" if k in theirs else "",
            "ratio": f"{ours[k] / theirs[k]:.2f}" if k in theirs else "",
        }
        for k in ours
    ]
    print(f"\ntime ({len(IMAGES)} images of four services, medians of {RUNS})\n{table(rows)}")
    both = ours["cold, amd64 + arm64"] / ours["cold, amd64"]
    print(
        f"two platforms take {both:.2f} times one; with nothing changed bake takes {ours['nothing changed']:.2f} s, "
        f"raw `docker buildx bake` {raw:.2f} s ({ours['nothing changed'] / raw:.2f})"
    )
    print(f"builds that ran after one line of metastore changed: {', '.join(edited)}")
    print(f"builds that ran after an update of {UPDATED}, which catalog uses: {', '.join(updated)}")


def commits() -> None:
    """What commits that touch one package each build, change and restart, on runners that start cold."""
    with _example() as root:
        measure_commits(root, IMAGES)


def _edited(root: Path) -> Path:
    """The workspace with one more line in metastore."""
    file = root / "services/metastore/src/routes.ts"
    file.write_text(f"{file.read_text(encoding='utf-8')}\nexport const t{time.time_ns()} = 1;\n", encoding="utf-8")
    return root


def _timed_updates(root: Path, build: Callable[[], str | None]) -> tuple[float, list[str]]:
    """Median seconds of a build after each update, and the packages that the last one compiled."""
    taken, lines = [], ""
    for _ in _updates(root):
        start = time.perf_counter()
        lines = build() or ""
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), _builds_that_ran(lines)


def _updates(root: Path) -> Iterator[None]:
    """At each step, another version of a dependency that only catalog uses."""
    for version in VERSIONS:
        words = ["install", f"{UPDATED}@{version}", "--save-exact", "--workspace", "services/catalog"]
        _run(["npm", *words, "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"], root)
        yield


def _builds_that_ran(lines: str) -> list[str]:
    """Packages whose build ran, by bake's lines about steps."""
    return sorted({line.split(":")[0].split(" ")[0] for line in lines.splitlines() if line.startswith("build-")})


@contextmanager
def _example() -> Iterator[Path]:
    """A copy of the example, under another project name, its images removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "apphub"
        ignore = shutil.ignore_patterns("node_modules", ".bake", "dist")
        shutil.copytree(ROOT / "examples" / "apphub", root, ignore=ignore)
        config = root / "bake.toml"
        config.write_text(config.read_text().replace('name = "apphub"', 'name = "bench"', 1))
        with (root / "tsconfig.base.json").open("a") as shared:
            shared.write(f"// {time.time_ns()}: no build of an earlier run is in the cache\n")
        _run([sys.executable, "-m", "bake", "lock"], root)
        try:
            yield root
        finally:
            listed = ["docker", "image", "ls", "-q", "--filter", "reference=bench-*:bench"]
            found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
            subprocess.run(["docker", "image", "rm", "--force", *found], capture_output=True, check=False)


def _bake(root: Path, *words: str, platforms: str = "linux/amd64") -> str:
    command = [sys.executable, "-m", "bake", *words, "--platform", platforms, "--tag", "bench"]
    return _run(command, root).stderr


def _raw(root: Path) -> None:
    _run(["docker", "buildx", "bake", "-f", ".bake/docker-bake.hcl", *SERVICES], root)


def _classic(root: Path, *words: str) -> None:
    """Image by image, as a script with a `docker build` per image does; only the first is built without cache."""
    for number, image in enumerate(IMAGES):
        options = words if number == 0 else ()
        tag = f"bench-classic-{image}:bench"
        file = str(ROOT / "scripts" / "classic" / "Dockerfile")
        command = [
            "docker",
            "buildx",
            "build",
            "--provenance=false",
            "--load",
            *options,
            "-f",
            file,
            "--target",
            image,
        ]
        _run([*command, "-t", tag, "."], root)


def _run(command: Sequence[str], root: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done


if __name__ == "__main__":
    main(sys.argv[1:])
