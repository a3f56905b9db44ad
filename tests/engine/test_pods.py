"""The manifests of a push, played by podman: a second engine that takes what was pushed, as a cluster's nodes do."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import REGISTRY, ROOT, Workspace

SERVER = """\
const { greeting } = require('@tiny/common');
const server = require('http').createServer((request, response) => response.end(greeting)).listen(PORT);
process.on('SIGTERM', () => server.close());
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def servers(tiny_workspace: Workspace, forget: Callable[[str], None]) -> Workspace:
    """Two servers on Node's own image, pushed."""
    text = (tiny_workspace.root / "bake.toml").read_text("utf-8")
    text = re.sub(r'runtime = ".*"', 'runtime = "node:24-slim"', text).replace("port = 3000\n", "")
    for service in ("api", "worker"):
        port = free_port()
        tiny_workspace.write(f"services/{service}/index.js", SERVER.replace("PORT", str(port)))
        own = f'package = "services/{service}"\n'
        text = text.replace(own, f'{own}command = "node index.js"\nport = {port}\nhealth = "/"\n')
        forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-{service}")
    tiny_workspace.write("bake.toml", text)
    tiny_workspace.commit()
    return tiny_workspace


@pytest.fixture
def home() -> Iterator[Path]:
    """Where podman keeps this test's images: a short path, as podman wants it."""
    with tempfile.TemporaryDirectory(prefix="pods-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        subprocess.run(["umount", f"{folder}/pods/storage/overlay"], capture_output=True, check=False)


def push_and_write(workspace: Workspace) -> Path:
    folder = workspace.root / "deploy"
    for words in (("all", "--push", "--quiet"), ("manifest", "--format", "kubernetes", "--output", str(folder))):
        done = workspace.bake(*words)
        assert done.returncode == 0, done.stderr
    return folder


def pods(word: str, folder: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ROOT / "scripts" / "pods", word, folder],
        env={**os.environ, "ENGINE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(text: str) -> dict[str, list[str]]:
    """Service -> digest, pod, answer."""
    found = [line.split(maxsplit=3) for line in text.splitlines() if "-pod-0-" in line]
    return {row[0].rpartition("-")[2]: row[1:] for row in found}


@pytest.mark.skipif(os.geteuid() != 0, reason="podman keeps its own storage as root only")
def test_pods_of_a_push_answer_and_after_a_commit_only_the_changed_one_is_another(
    servers: Workspace, home: Path
) -> None:
    before = pods("play", push_and_write(servers), home)
    assert before.returncode == 0, before.stdout + before.stderr
    assert {name: row[2] for name, row in rows(before.stdout).items()} == {"api": "200 GET /", "worker": "200 GET /"}

    source = servers.root / "services/api/index.js"
    source.write_text(source.read_text("utf-8") + "// edited\n", encoding="utf-8")
    servers.commit()
    after = pods("play", push_and_write(servers), home)
    assert after.returncode == 0, after.stdout + after.stderr
    old, new = rows(before.stdout), rows(after.stdout)
    assert old["worker"] == new["worker"]
    assert old["api"][0] != new["api"][0]
    assert old["api"][1] != new["api"][1]

    ended = pods("down", servers.root / "deploy", home)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {name: row[0] for name, row in rows(ended.stdout).items()} == {"api": "0", "worker": "0"}
