"""Many images in one bake: are all there, and does what it costs grow with their number?

Services without third-party packages and with builds of a moment, on an engine of its own: what its processes and
bake's used of the CPU is then this build's, whatever else the machine does.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engine.cold import cold_docker

ROOT = Path(__file__).parents[2]
REGISTRY = os.environ.get("BENCH_REGISTRY", "127.0.0.1:5000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one bake took. driver, engine: CPU seconds of bake with buildx, and of dockerd with all steps.

    memory, engine_memory: bytes at the peak of the largest process of each.
    """

    services: int
    images: int
    lost: int
    seconds: float
    driver: float
    engine: float
    memory: int
    engine_memory: int

    @property
    def share(self) -> float:
        """The driver's part of the CPU."""
        return self.driver / (self.driver + self.engine)


def measure_many(counts: Sequence[int]) -> tuple[Spent, ...]:
    """A workspace of each number of services, with two and a half roles each, built on a cold engine."""
    return tuple(_measure(count) for count in counts)


def _measure(count: int) -> Spent:
    with tempfile.TemporaryDirectory(prefix="many-") as folder:
        root, home = Path(folder, "workspace"), Path(folder, "engine")
        home.mkdir()
        images = _write(root, count)
        _lock(root)
        with cold_docker(home, registry=REGISTRY) as host:
            _pull(host)
            before = _engine_cpu(home)
            started = time.perf_counter()
            code, used = _bake(root, host)
            seconds = time.perf_counter() - started
            engine = _engine_cpu(home) - before
            there = _images(host)
            peak = max(_peak(pid) for pid in _pids(home))
        if code != 0:
            sys.exit(f"many: bake ended with {code}: {(root / 'log').read_text(encoding='utf-8')[-2000:]}")
    return Spent(
        services=count,
        images=images,
        lost=images - there,
        seconds=seconds,
        driver=used.ru_utime + used.ru_stime,
        engine=engine,
        memory=used.ru_maxrss * 1024,
        engine_memory=peak,
    )


def _write(root: Path, count: int) -> int:
    """Write the workspace; gives how many images it has."""
    build = {"scripts": {"build": "mkdir -p dist && cp -r src/. dist/"}}
    manifest = {"name": "many", "private": True, "workspaces": ["packages/*", "services/*"]}
    files = {"package.json": json.dumps(manifest), ".gitignore": "dist/\nnode_modules/\n"}
    for number in range(count // 4):
        files |= _package(f"packages/lib-{number:02}", {**build, "main": "dist/index.js"})
    config = '[project]\nname = "many"\n'
    images = 0
    for number in range(count):
        name, library = f"svc-{number:02}", f"@many/lib-{number % max(count // 4, 1):02}"
        files |= _package(f"services/{name}", {**build, "dependencies": {library: "1.0.0"} if count >= 4 else {}})
        roles = ("api", "worker", *(("clock",) if number % 2 else ()))
        images += len(roles)
        config += f'\n[services.{name}]\npackage = "services/{name}"\n'
        config += "".join(f'[services.{name}.roles.{r}]\ncommand = "node dist/index.js {r}"\n' for r in roles)
    for path, text in {**files, "bake.toml": config}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return images


def _package(path: str, more: Mapping[str, object]) -> Mapping[str, str]:
    name = path.rpartition("/")[2]
    manifest = {"name": f"@many/{name}", "version": "1.0.0", **more}
    return {f"{path}/package.json": json.dumps(manifest), f"{path}/src/index.js": f'console.log("{name}");\n'}


def _lock(root: Path) -> None:
    words = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
    subprocess.run(["npm", "install", *words], cwd=root, check=True, capture_output=True)
    who = ("-c", "user.name=many", "-c", "user.email=many@example.invalid")
    for told in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "Begin")):
        subprocess.run(["git", *told], cwd=root, check=True)
    # What the imports say is read once, as in every later run.
    command = [sys.executable, "-m", "bake", "all", "--dry-run"]
    subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)


def _pull(host: str) -> None:
    """The base images: their download is nobody's work here."""
    for base in ("node:24", "node:24-slim"):
        command = ["docker", "-H", host, "pull", "--quiet", base]
        subprocess.run(command, check=True, capture_output=True)


def _bake(root: Path, host: str) -> tuple[int, resource.struct_rusage]:
    """Build all; gives the exit status and what bake and its processes used."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": host}
    with (root / "log").open("wb") as log:
        command = [sys.executable, "-m", "bake", "all", "--tag", "many"]
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used


def _images(host: str) -> int:
    words = ("image", "ls", "--format", "{{.Repository}}", "--filter", "reference=many-*:many")
    listed = subprocess.run(["docker", "-H", host, *words], capture_output=True, text=True, check=True)
    return len(set(listed.stdout.split()))


def _pids(home: Path) -> tuple[int, ...]:
    """dockerd, and the containerd that it started."""
    files = (home / "pid", home / "exec" / "containerd" / "containerd.pid")
    return tuple(int(f.read_text(encoding="utf-8")) for f in files if f.is_file())


def _engine_cpu(home: Path) -> float:
    """CPU seconds of the engine and of all steps that have ended."""
    ticks = 0
    for pid in _pids(home):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += sum(int(f) for f in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
