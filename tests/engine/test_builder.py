"""A builder made from bake.toml, which pushes both platforms; and what is said when it cannot."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from bake.registry import Registry
from tests.engine.buildkit_port import buildkit_port
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

CONFIG = """
[builder]
name = "{name}"
driver = "remote"

[builder.nodes.both]
platforms = ["linux/amd64", "linux/arm64"]
endpoint = "{endpoint}"
"""


@pytest.fixture
def workspace(tiny_workspace: Workspace, forget: Callable[[str], None]) -> Iterator[Workspace]:
    """The tiny workspace for both platforms, with a remote builder."""
    text = (tiny_workspace.root / "bake.toml").read_text("utf-8")
    text = text.replace('["linux/amd64"]', '["linux/amd64", "linux/arm64"]')
    for service in ("api", "worker"):
        forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-{service}")
    with buildkit_port() as endpoint:
        tiny_workspace.write("bake.toml", text + CONFIG.format(name=tiny_workspace.project, endpoint=endpoint))
        tiny_workspace.commit("Build remotely")
        yield tiny_workspace
    subprocess.run(["docker", "buildx", "rm", tiny_workspace.project], capture_output=True, check=False)


def test_a_builder_is_made_builds_on_its_nodes_and_is_removed(workspace: Workspace, registry: Registry) -> None:
    name = workspace.project
    absent = workspace.bake("all", "--push")
    assert (absent.returncode, absent.stderr) == (
        4,
        f"bake: error: builder {name}: does not exist; run `bake builder up`, or see `docker buildx ls`\n",
    )

    up = workspace.bake("builder", "up")
    assert (up.returncode, up.stderr) == (0, f"builder {name} (remote) is up: 1 node\n")
    assert workspace.bake("builder", "up").stderr == up.stderr
    status = workspace.bake("builder", "status", "--format", "json")
    assert status.returncode == 0, status.stderr
    shown = json.loads(status.stdout)
    assert [(n["node"], n["status"], n["platforms"].split()[:2]) for n in shown["nodes"]] == [
        ("both", "running", ["linux/amd64", "linux/arm64"])
    ]
    assert shown["can"]["push by digest"] == ""

    pushed = workspace.bake("all", "--push")
    assert pushed.returncode == 0, pushed.stderr
    revision = workspace.git("rev-parse", "HEAD")
    for service in ("api", "worker"):
        repository = f"{REGISTRY}/bake-test/{name}-{service}"
        assert registry.platforms(f"{repository}:main") == ("linux/amd64", "linux/arm64")
        assert {revision[:12], "main"} <= set(registry.tags(repository))

    down = workspace.bake("builder", "down")
    assert (down.returncode, down.stderr) == (0, f"builder {name} is removed\n")
    assert workspace.bake("builder", "down").stderr == f"builder {name} does not exist\n"


def test_a_builder_that_is_not_as_bake_toml_says_is_not_used_as_if_it_were(workspace: Workspace) -> None:
    assert workspace.bake("builder", "up").returncode == 0
    text = (workspace.root / "bake.toml").read_text("utf-8")
    workspace.write("bake.toml", text.replace("[builder.nodes.both]", "[builder.nodes.other]"))

    up = workspace.bake("builder", "up")

    assert (up.returncode, up.stderr) == (
        4,
        f"bake: error: builder {workspace.project}: it has no node other; it has a node both besides; "
        "run `bake builder down`, then `up` again\n",
    )
    assert workspace.bake("builder", "status").returncode == 1


def test_an_option_that_buildx_refuses_is_named_and_nothing_is_left(workspace: Workspace) -> None:
    text = (workspace.root / "bake.toml").read_text("utf-8")
    workspace.write(
        "bake.toml", text.replace("[builder.nodes.both]", "options = { replicas = 2 }\n[builder.nodes.both]")
    )

    up = workspace.bake("builder", "up")

    name = workspace.project
    assert (up.returncode, up.stderr) == (
        4,
        f"bake: error: builder {name}: failed to initialize builder {name} (both): "
        "invalid driver option replicas for remote driver; see [builder] in bake.toml\n",
    )
    assert workspace.bake("builder", "status").stderr == (
        f"bake: error: builder {name}: does not exist; run `bake builder up`\n"
    )
