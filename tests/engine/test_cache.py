"""The registry cache on engines that start empty, and the counting of steps."""

import json
import re
import subprocess
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


def _asked(images: list[dict[str, Any]]) -> list[str]:
    """The images that BuildKit was asked for."""
    return [i["image"] for i in images if i["steps"]]


def _cached(images: list[dict[str, Any]]) -> dict[str, bool]:
    return {i["image"]: i["ran"] == 0 and i["cached"] > 0 for i in images}


def _compiled(workspace: Workspace) -> None:
    """Give every package a build, and the workspace an install that no other test runs at the same time."""
    for name in ("package.json", "package-lock.json"):
        text = (workspace.root / name).read_text(encoding="utf-8")
        assert '"name": "tiny"' in text
        workspace.write(name, text.replace('"name": "tiny"', f'"name": "{workspace.project}"'))
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
    again = _built(tiny_workspace, "--force", CI="")
    assert _ran(again) == set()
    assert _cached(again) == {"api": True, "worker": True}
    tiny_workspace.write("services/worker/index.js", f"console.log('{tiny_workspace.project}');\n")
    assert _ran(_built(tiny_workspace, CI="")) == {"build-services-worker", "out-services-worker"}


TAGS = ("--tag", "v1", "--tag", "v2")
"""Such as no edit changes: `{sha}` would say that there is one, of every image."""


def test_buildkit_is_asked_only_for_images_that_changed_or_that_the_engine_lost(tiny_workspace: Workspace) -> None:
    first = _built(tiny_workspace, *TAGS, CI="")
    again = _built(tiny_workspace, *TAGS, CI="")
    assert _asked(again) == []
    assert [i["digest"] for i in again] == [i["digest"] for i in first]
    assert [i["bytes"] for i in again] == [i["bytes"] for i in first]

    tiny_workspace.write("services/worker/index.js", f"console.log('{tiny_workspace.project}');\n")
    edited = _built(tiny_workspace, *TAGS, CI="")
    assert _asked(edited) == ["worker"]
    assert edited[1]["digest"] != first[1]["digest"]

    lost = edited[0]["references"][-1]
    subprocess.run(["docker", "image", "rm", lost], capture_output=True, check=True)
    restored = _built(tiny_workspace, *TAGS, CI="")
    assert _asked(restored) == ["api"]
    assert restored[0]["digest"] == first[0]["digest"]
    subprocess.run(["docker", "tag", edited[1]["references"][0], lost], check=True)
    assert _asked(_built(tiny_workspace, *TAGS, CI="")) == ["api"]

    done = tiny_workspace.bake("all", *TAGS, CI="")
    assert "2 images, up to date (" in done.stderr


def test_a_base_image_that_moves_in_its_registry_is_noticed(
    tiny_workspace: Workspace, tiny_base: str, forget: Callable[[str], None]
) -> None:
    base = f"{REGISTRY}/bake-test/{tiny_workspace.project}-base"
    for text in ("one", "two"):
        words = ["docker", "buildx", "build", "--push", "--provenance=false", "-t", base, "-"]
        subprocess.run(words, input=f"FROM {tiny_base}\nLABEL is={text}\n", text=True, capture_output=True, check=True)
        if text == "one":
            config = (tiny_workspace.root / "bake.toml").read_text(encoding="utf-8")
            tiny_workspace.write("bake.toml", re.sub(r"runtime = .*", f'runtime = "{base}"', config))
            _built(tiny_workspace, CI="")
            assert _asked(_built(tiny_workspace, CI="")) == []
    assert _asked(_built(tiny_workspace, CI="")) == ["api", "worker"]
    forget(base)


def test_a_registry_that_cannot_be_written_gives_one_warning_and_the_build_goes_on(tiny_workspace: Workspace) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text(encoding="utf-8")
    tiny_workspace.write("bake.toml", f'{config}\n[cache]\nref = "127.0.0.1:9/closed/cache"\n')
    done = tiny_workspace.bake("api", "--cache-to", CI="")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("bake: warning: no cache is written: ") == 1
