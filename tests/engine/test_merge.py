"""Two runners push a platform each without tags; one more joins them: the whole flow on a real registry."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture
def workspace(tiny_workspace: Workspace, forget: Callable[[str], None]) -> Workspace:
    """The tiny workspace for both platforms."""
    text = (tiny_workspace.root / "bake.toml").read_text("utf-8")
    tiny_workspace.write("bake.toml", text.replace('["linux/amd64"]', json.dumps(BOTH)))
    tiny_workspace.commit("Build for both platforms")
    for service in ("api", "worker"):
        forget(repository(tiny_workspace, service))
    return tiny_workspace


def repository(workspace: Workspace, service: str) -> str:
    return f"{REGISTRY}/bake-test/{workspace.project}-{service}"


def push(workspace: Workspace, job: Mapping[str, str]) -> Path:
    """What a job of the matrix does; gives the shard."""
    file = workspace.root.parent / f"shard-{job['name']}.json"
    words = [*job["targets"].split(), "--platform", job["platforms"], "--push", "--no-tags", "--release", str(file)]
    done = workspace.bake("build", *words)
    assert done.returncode == 0, done.stderr
    return file


def test_shards_of_a_matrix_become_one_index_per_image_and_only_then_have_tags(
    workspace: Workspace, registry: Registry
) -> None:
    printed: Mapping[str, Any] = json.loads(workspace.bake("matrix", "--by", "platform").stdout)
    shards = [str(push(workspace, job)) for job in printed["include"]]
    assert len(shards) == 2
    assert [registry.tags(repository(workspace, s)) for s in ("api", "worker")] == [(), ()]

    alone = workspace.bake("merge", shards[0], "--target", "all")
    assert (alone.returncode, registry.tags(repository(workspace, "api"))) == (2, ())
    assert alone.stderr == (
        "bake: error: the shards: have no api for linux/arm64, no worker for linux/arm64; "
        "merge the files of every job\n"
    )

    merged = workspace.bake("merge", *reversed(shards), "--target", "api worker", "--format", "json")
    assert merged.returncode == 0, merged.stderr
    release = json.loads((workspace.root / ".bake" / "release.json").read_text("utf-8"))
    revision = workspace.git("rev-parse", "HEAD")
    for image in release["images"]:
        assert {revision[:12], "main"} <= set(registry.tags(image["repository"]))
        assert {registry.digest(f"{image['repository']}:{t}") for t in image["tags"]} == {image["digest"]}
        assert registry.platforms(f"{image['repository']}:main") == BOTH
    single = {
        p["digest"] for s in shards for i in json.loads(Path(s).read_text("utf-8"))["images"] for p in i["platforms"]
    }
    assert {p["digest"] for i in release["images"] for p in i["platforms"]} == single

    # In the other order, the same indexes.
    again = workspace.bake("merge", *shards, "--format", "json")
    assert again.stdout == merged.stdout

    # The same from one machine, whose engine writes indexes of its own.
    whole = workspace.bake("all", "--push")
    assert whole.returncode == 0, whole.stderr
    release = json.loads((workspace.root / ".bake" / "release.json").read_text("utf-8"))
    assert {p["digest"] for i in release["images"] for p in i["platforms"]} == single


def test_shards_of_another_commit_than_the_one_checked_out_are_refused(workspace: Workspace) -> None:
    shard = push(workspace, {"name": "one", "targets": "api", "platforms": ",".join(BOTH)})
    old, new = workspace.git("rev-parse", "HEAD"), ""
    workspace.write("services/api/index.js", "console.log('changed');\n")
    new = workspace.commit()

    done = workspace.bake("merge", str(shard))

    assert done.returncode == 2
    assert done.stderr == (
        f"bake: error: revision: the shards are of {old[:12]}, and {new[:12]} is checked out; "
        "check out the commit that was built\n"
    )
