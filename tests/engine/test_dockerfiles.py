"""A service with a Dockerfile of its own: built, pushed and tried beside those that are packages."""

import json
import subprocess
from collections.abc import Callable

import pytest

from bake.publish import load_release
from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

_SERVER = "require('http').createServer((_, answer) => answer.end('fine')).listen(8000);"
FILES = {
    "services/ml/Dockerfile": (
        "FROM node:24-slim AS runtime\nARG GREETING\nENV GREETING=$GREETING\nWORKDIR /srv\nCOPY . .\nUSER 1000:1000\n"
        'CMD ["node", "server.js"]\n'
    ),
    "services/ml/server.js": f"process.on('SIGTERM', () => process.exit(0)); {_SERVER}\n",
    "services/ml/.dockerignore": "*.md\n",
    "services/ml/.gitignore": "*.log\n",
    "services/ml/README.md": "x\n",
}
TABLE = """
[services.ml]
dockerfile = "services/ml/Dockerfile"
args.GREETING = "hello"
port = 8000
health = "/"
"""


@pytest.fixture
def workspace(tiny_workspace: Workspace) -> Workspace:
    for path, text in FILES.items():
        tiny_workspace.write(path, text)
    tiny_workspace.write("bake.toml", (tiny_workspace.root / "bake.toml").read_text() + TABLE)
    tiny_workspace.commit("Add a service")
    for path in ("services/ml/debug.log", "services/ml/.env"):
        tiny_workspace.write(path, "secret\n")
    return tiny_workspace


def test_it_is_built_tried_and_up_to_date_like_every_other(workspace: Workspace) -> None:
    done = workspace.bake("ml", "--tag", "x", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    words = ["docker", "run", "--rm", f"{workspace.project}-ml:x", "sh", "-c", "ls -A; echo $GREETING"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert listed == [".dockerignore", ".gitignore", "Dockerfile", "server.js", "hello"]

    tried = workspace.bake("smoke", "ml", "--tag", "x", "--format", "json")
    assert [(i["image"], i["ok"], i["exit"]) for i in json.loads(tried.stdout)["images"]] == [("ml", True, 0)]

    again = workspace.bake("ml", "--tag", "x")
    assert "1 image, up to date" in again.stderr


def test_it_is_pushed_with_all_others_and_not_built_again(
    workspace: Workspace, registry: Registry, forget: Callable[[str], None]
) -> None:
    for service in ("api", "worker", "ml"):
        forget(f"{REGISTRY}/bake-test/{workspace.project}-{service}")
    first = workspace.bake("all", "--push", "--quiet")
    assert (first.returncode, first.stderr) == (0, "")
    release = load_release(workspace.root / ".bake" / "release.json")
    assert [i.image for i in release.images] == ["api", "worker", "ml"]
    assert (image := release.image("ml"))
    assert registry.digest(f"{image.repository}:main") == image.digest

    workspace.write("services/ml/debug.log", "other\n")
    again = workspace.bake("all", "--push", "--tag", "again")
    assert "3 of 3 images are in the registry already: their tags move" in again.stderr

    workspace.write("services/ml/server.js", FILES["services/ml/server.js"] + "// edited\n")
    edited = workspace.bake("all", "--push", "--tag", "edited")
    assert "2 of 3 images are in the registry already: their tags move" in edited.stderr
