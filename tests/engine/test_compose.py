"""The daily loop: docker compose's own watch, with the rules that bake wrote."""

import contextlib
import re
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.engine.conftest import Workspace
from tests.engine.test_pods import free_port

SERVER = """\
const { greeting } = require('@tiny/common');
const server = require('http').createServer((request, response) => response.end(greeting)).listen(PORT);
console.log(`NAME says ${greeting}`);
process.on('SIGTERM', () => server.close());
"""

HAS_COMPOSE = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def watching(workspace: Workspace) -> Iterator[Iterator[str]]:
    """`docker compose up --watch`; gives its lines, for two minutes at most."""
    words = ["docker", "compose", "-f", ".bake/compose.yaml"]
    process = subprocess.Popen(
        [*words, "--ansi=never", "up", "--watch", "--no-color"],
        cwd=workspace.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    limit = threading.Timer(120, process.kill)
    limit.start()
    try:
        yield iter(process.stdout.readline, "")
    finally:
        limit.cancel()
        process.send_signal(signal.SIGINT)
        process.communicate()
        subprocess.run([*words, "down", "--timeout", "5"], cwd=workspace.root, capture_output=True, check=True)


def until(lines: Iterator[str], *texts: str) -> list[str]:
    """Read until every text was in a line; the lines."""
    wanted, seen = set(texts), []
    for line in lines:
        seen.append(line)
        wanted -= {text for text in wanted if text in line}
        if not wanted:
            return seen
    raise AssertionError(f"{wanted} never came:\n{''.join(seen)}")


@pytest.mark.skipif(not HAS_COMPOSE, reason="docker compose is not installed")
def test_an_edit_is_rebuilt_restarted_and_answered_and_nothing_else_is(tiny_workspace: Workspace) -> None:
    text = (tiny_workspace.root / "bake.toml").read_text("utf-8")
    text = re.sub(r'runtime = ".*"', 'runtime = "node:24-slim"', text).replace("port = 3000\n", "")
    for service in ("api", "worker"):
        port = free_port()
        source = SERVER.replace("PORT", str(port)).replace("NAME", service)
        tiny_workspace.write(f"services/{service}/index.js", source)
        own = f'package = "services/{service}"\n'
        text = text.replace(own, f'{own}command = "node index.js"\nport = {port}\n')
    tiny_workspace.write("bake.toml", text)
    tiny_workspace.commit()
    done = tiny_workspace.bake("compose")
    assert (done.returncode, done.stderr) == (
        0,
        ".bake/compose.yaml written; start it with `docker compose -f .bake/compose.yaml up --watch`\n",
    )

    with watching(tiny_workspace) as lines:
        until(lines, "api says hello", "worker says hello", "Watch enabled")
        file = tiny_workspace.root / "services/api/index.js"
        file.write_text(file.read_text("utf-8").replace("says", "now says"), encoding="utf-8")
        seen = until(lines, "api now says hello")
        assert not any("worker says" in line for line in seen)
        tiny_workspace.write("libraries/common/index.js", "exports.greeting = 'good day';\n")
        until(lines, "api now says good day", "worker says good day")
