"""A second real registry, beside the one that images are pushed to."""

import contextlib
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.engine.test_pods import free_port

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: {deletes}}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


@contextlib.contextmanager
def second_registry(folder: Path, *, deletes: bool = True) -> Iterator[str]:
    """Its host:port. The program of Debian's docker-registry, else its image."""
    port = free_port()
    file = folder / "registry.yml"
    file.write_text(_CONFIG.format(folder=folder / "data", port=port, deletes=str(deletes).lower()))
    program = shutil.which("docker-registry")
    words = [program, "serve", str(file)] if program else _container(port, deletes=deletes)
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/v2/", running)
        yield f"127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=30)


def _container(port: int, *, deletes: bool) -> list[str]:
    setting = f"REGISTRY_STORAGE_DELETE_ENABLED={str(deletes).lower()}"
    return ["docker", "run", "--rm", "-e", setting, "-p", f"127.0.0.1:{port}:5000", "registry:2"]


def _wait(address: str, running: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert running.poll() is None, "the registry ended"
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(address).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"no registry answers at {address}")
