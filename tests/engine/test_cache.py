"""The registry cache on engines that start empty, and the counting of steps."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

Start = Callable[[], AbstractContextManager[str]]


def _built(workspace: Workspace, *words: str, **environment: str) -> list[dict[str, Any]]:
    done = workspace.bake("all", "--format", "json", *words, **environment)
    assert done.returncode == 0, done.stderr
    images: list[dict[str, Any]] = json.loads(done.stdout)["images"]
    return images


def _ran(images: list[dict[str, Any]]) -> set[str]:
    return {s["stage"] for i in images for s in i["stages"] if s["ran"]}


def _compiled(workspace: Workspace) -> None:
    """Give every package a build to run."""
    for package in ("services/api", "services/worker", "libraries/common"):
        file = workspace.root / package / "package.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(manifest | {"scripts": {"build": "cp index.js built.js"}}), encoding="utf-8")
    config = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    workspace.write("bake.toml", f'{config}\n[cache]\nref = "{REGISTRY}/bake-test/{workspace.project}-cache"\n')
    workspace.commit()


def test_a_cold_engine_with_the_cache_runs_nothing_and_after_an_edit_only_the_edited_package(
    tiny_workspace: Workspace,
    cold_engine: Start,
    registry: Registry,
    forget: Callable[[str], None],
) -> None:
    _compiled(tiny_workspace)
    forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-cache")
    _built(tiny_workspace, "--cache-to", CI="")
    assert registry.tags(f"{REGISTRY}/bake-test/{tiny_workspace.project}-cache") == ("workspace.main",)

    with cold_engine() as host:
        assert _ran(_built(tiny_workspace, CI="1", DOCKER_HOST=host, GITHUB_REF_TYPE="tag")) == set()

    tiny_workspace.write("services/api/index.js", "console.log('edited');\n")
    tiny_workspace.commit()
    with cold_engine() as host:
        ran = _ran(_built(tiny_workspace, CI="1", DOCKER_HOST=host, GITHUB_REF_TYPE="tag"))
    assert ran == {"build-services-api", "out-services-api"}


def test_an_unchanged_workspace_runs_nothing_and_an_edit_only_its_package(tiny_workspace: Workspace) -> None:
    _compiled(tiny_workspace)
    _built(tiny_workspace, CI="")
    assert _ran(_built(tiny_workspace, CI="")) == set()
    tiny_workspace.write("services/worker/index.js", f"console.log('{tiny_workspace.project}');\n")
    assert _ran(_built(tiny_workspace, CI="")) == {"build-services-worker", "out-services-worker"}


def test_a_registry_that_cannot_be_written_gives_one_warning_and_the_build_goes_on(tiny_workspace: Workspace) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text(encoding="utf-8")
    tiny_workspace.write("bake.toml", f'{config}\n[cache]\nref = "127.0.0.1:9/closed/cache"\n')
    done = tiny_workspace.bake("api", "--cache-to", CI="")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("bake: warning: no cache is written: ") == 1
