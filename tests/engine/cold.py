"""A second, empty Docker engine beside the machine's own: what a fresh CI runner starts with."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_ENGINE = Path(os.environ.get("ENGINE_HOME", "/var/lib/bake-engine")) / "root" / "usr"


@contextlib.contextmanager
def cold_docker(folder: Path, *, registry: str) -> Iterator[str]:
    """Start dockerd with its state below `folder`; gives its DOCKER_HOST, and ends it by its pid.

    Its steps have no way to any network, so a step that should come from a cache and runs cannot install anything.
    Base images come through `registry` as docker.io's mirror. Needs root and dockerd.
    """
    path = f"{_ENGINE / 'bin'}:{_ENGINE / 'sbin'}:{os.environ['PATH']}"
    program = shutil.which("dockerd", path=path)
    if program is None or os.geteuid() != 0:
        pytest.skip("a second engine needs root and dockerd (scripts/engine up)")
    host = f"unix://{folder / 'docker.sock'}"
    bridge = f"bkcold{os.getpid() % 100000}"
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "addr", "add", f"172.31.{os.getpid() % 250}.1/24", "dev", bridge], check=True)
        (folder / "daemon.json").write_text(json.dumps(_settings(folder, host, bridge, registry)), encoding="utf-8")
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(
                [program, "--config-file", str(folder / "daemon.json")],
                env={**os.environ, "PATH": path},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait(daemon, host, folder)
            yield host
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
    finally:
        subprocess.run(["ip", "link", "del", bridge], check=False)


def _settings(folder: Path, host: str, bridge: str, registry: str) -> dict[str, object]:
    return {
        "data-root": str(folder / "data"),
        "exec-root": str(folder / "exec"),
        "pidfile": str(folder / "pid"),
        "hosts": [host],
        "features": {"containerd-snapshotter": True},
        "registry-mirrors": [f"http://{registry}"],
        # The first engine's rules and forwarding stay as they are.
        "bridge": bridge,
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "ip-masq": False,
        "userland-proxy": False,
    }


def _wait(daemon: "subprocess.Popen[bytes]", host: str, folder: Path) -> None:
    """Until it answers; `docker version` itself takes the time between two tries."""
    for _ in range(400):
        if subprocess.run(["docker", "-H", host, "version"], capture_output=True, check=False).returncode == 0:
            return
        if daemon.poll() is not None:
            break
    pytest.fail(f"the second engine does not start: {(folder / 'log').read_text(encoding='utf-8')[-800:]}")
