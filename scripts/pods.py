"""Play Kubernetes manifests with podman, as `kubectl apply` would: what is unchanged keeps running."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bake.table import table

HOME = Path(os.environ.get("ENGINE_HOME", "/var/lib/bake-engine")) / "pods"
NOISE = ("systemd connection", "healthcheck", "syslog")
"""What podman says where no systemd runs: its timers for probes are not there, `ask` does their work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One process that a manifest runs. path: what its readiness probe asks, "" for none."""

    name: str
    container: str
    image: str
    port: int | None = None
    path: str = ""


def main() -> int:
    """Play a folder, or take it down."""
    parser = argparse.ArgumentParser(prog="scripts/pods", description=__doc__)
    parser.add_argument("what", choices=("play", "down"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    files = [f for f in sorted(arguments.folder.glob("*.yaml")) if f.name != "kustomization.yaml"]
    if not files:
        print(f"pods: {arguments.folder}: no manifests; write them with `bake manifest --format kubernetes --output`")
        return 2
    podman = Podman()
    try:
        return play(podman, files) if arguments.what == "play" else down(podman, files)
    except subprocess.CalledProcessError as error:
        print(f"pods: {' '.join(map(str, error.cmd[-4:]))} failed:\n{error.stderr}", file=sys.stderr)
        return 1


class Podman:
    """podman with storage of its own when it is root: this machine's own containers are not ours."""

    def __init__(self) -> None:
        self.options: tuple[str, ...] = ()
        self.environment: Mapping[str, str] = os.environ
        if os.geteuid() == 0:
            HOME.mkdir(parents=True, exist_ok=True)
            settings = HOME / "containers.conf"
            # Without systemd: cgroups by hand, and no limit raised that this container may not raise.
            settings.write_text(
                '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
                '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
                encoding="utf-8",
            )
            self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
            self.options = ("--root", f"{HOME}/storage", "--runroot", f"{HOME}/run", *self._runtime())

    def _runtime(self) -> tuple[str, ...]:
        """runc where it is there: crun refuses cgroups in hybrid mode."""
        runc = shutil.which("runc")
        return ("--runtime", runc) if runc else ()

    def run(self, *words: str | Path) -> str:
        """What it prints. Raises CalledProcessError."""
        command = ["podman", *self.options, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        said = "\n".join(line for line in done.stderr.splitlines() if not any(n in line for n in NOISE))
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, said)
        return done.stdout

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """What it knows of a container; None when there is none."""
        with contextlib.suppress(subprocess.CalledProcessError):
            found: Mapping[str, Any] = json.loads(self.run("container", "inspect", container))[0]
            return found
        return None


def play(podman: Podman, files: Sequence[Path]) -> int:
    """Start what changed since it was last played, then wait for all."""
    for file in files:
        played = HOME / "played" / file.name
        text = deployments(file)
        if not text:
            print(f"pods: {file.name}: nothing that podman plays")
            continue
        if played.is_file() and played.read_text(encoding="utf-8") == text and is_running(podman, file):
            print(f"pods: {file.name}: unchanged")
            continue
        print(f"pods: {file.name}: playing", flush=True)
        # Only the local registry speaks plain HTTP; others are asked over TLS all the same.
        played.parent.mkdir(parents=True, exist_ok=True)
        played.write_text(text, encoding="utf-8")
        podman.run("kube", "play", "--replace", "--tls-verify=false", played)
    rows = [row(podman, pod) for file in files for pod in pods(file)]
    print(table(rows))
    return 0 if all(r["answer"] == "runs" or r["answer"].startswith("200") for r in rows) else 1


def is_running(podman: Podman, file: Path) -> bool:
    """Whether every pod of the file is there."""
    return all(podman.inspect(pod.container) for pod in pods(file))


def down(podman: Podman, files: Sequence[Path]) -> int:
    """SIGTERM to all, as a cluster sends it; 1 when one had to be killed or complained."""
    rows: list[dict[str, str]] = []
    for file in files:
        for pod in pods(file):
            podman.run("stop", "--time", "30", pod.container)
            state = (podman.inspect(pod.container) or {})["State"]
            rows.append({"process": pod.container, "status": str(state["ExitCode"])})
        played = HOME / "played" / file.name
        if played.is_file():
            podman.run("kube", "down", played)
            played.unlink()
    print(table(rows))
    # 143: it has no handler of its own and SIGTERM ended it.
    return 0 if all(r["status"] in ("0", "143") for r in rows) else 1


def deployments(file: Path) -> str:
    """The file's Deployments: podman 4 plays neither Jobs nor CronJobs, and has no Services."""
    documents = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return "---\n".join(yaml.safe_dump(d) for d in documents if d["kind"] == "Deployment")


def pods(file: Path) -> Iterator[Pod]:
    """The processes of a file; podman names a Deployment's pod `<name>-pod-0`."""
    for document in yaml.safe_load_all(deployments(file)):
        main = document["spec"]["template"]["spec"]["containers"][0]
        pod = f"{document['metadata']['name']}-pod-0"
        yield Pod(
            name=pod,
            container=f"{pod}-{main['name']}",
            image=main["image"],
            port=next((p["containerPort"] for p in main.get("ports", ())), None),
            path=main.get("readinessProbe", {}).get("httpGet", {}).get("path", ""),
        )


def row(podman: Podman, pod: Pod) -> dict[str, str]:
    """Wait until the pod answers; what it said."""
    return {
        "process": pod.container,
        "digest": pod.image.rpartition("@")[2][:19],
        "pod": str((podman.inspect(pod.container) or {}).get("Pod", ""))[:12],
        "answer": ask(podman, pod),
    }


def ask(podman: Podman, pod: Pod) -> str:
    """The status of its probe, asked from outside; whether it runs, where it has none."""
    answer = "never ran"
    for _ in range(60):
        found = podman.inspect(pod.container)
        state = found["State"] if found else {"Status": "not there"}
        if not pod.path and state["Status"] == "running":
            return "runs"
        if pod.path and found:
            answer = get(f"http://{address(podman, found)}:{pod.port}{pod.path}")
            if answer.startswith("200"):
                return answer
        time.sleep(0.5)
    return answer


def address(podman: Podman, container: Mapping[str, Any]) -> str:
    """The pod's address: that of its infra container."""
    pod = json.loads(podman.run("pod", "inspect", container["Pod"]))
    infra = podman.inspect(pod["InfraContainerID"]) or {}
    networks = infra.get("NetworkSettings", {}).get("Networks", {})
    return next((str(n["IPAddress"]) for n in networks.values()), "127.0.0.1")


def get(url: str) -> str:
    """`200 GET /path`, or why not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return f"{answer.status} GET {urllib.parse.urlsplit(url).path}"
    except urllib.error.HTTPError as error:
        return f"{error.code}"
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
