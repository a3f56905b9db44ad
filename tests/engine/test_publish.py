"""Pushes through real BuildKit to a real registry that fails on the way: tags move when all is well, else stay."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bake.publish import Release, load_release
from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace
from tests.fault_proxy import Fault, FaultProxy, fault_proxy

pytestmark = pytest.mark.engine

EMPTY = f"sha256%3A{hashlib.sha256(b'{}').hexdigest()}"


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with fault_proxy(REGISTRY) as running:
        yield running


class Pushes:
    """A workspace and where its images go, seen past the proxy."""

    def __init__(self, workspace: Workspace, registry: Registry, proxy: FaultProxy) -> None:
        self.workspace, self.registry, self.proxy = workspace, registry, proxy

    def push(self, *words: str) -> tuple[int, str]:
        """Push through the proxy; gives the exit status and the last line of stderr."""
        done = self.workspace.bake("all", "--push", "--quiet", *words, BAKE_REGISTRY=f"{self.proxy.host}/bake-test")
        return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]

    def release(self) -> Release:
        return load_release(self.workspace.root / ".bake" / "release.json")

    def repository(self, service: str) -> str:
        return f"{REGISTRY}/bake-test/{self.workspace.project}-{service}"

    def tags(self) -> dict[str, dict[str, str]]:
        """Service -> tag -> digest, as the registry has them, without the tags that stand for contents."""
        return {
            s: {
                t: self.registry.digest(f"{name}:{t}") for t in self.registry.tags(name) if not t.startswith("content-")
            }
            for s in ("api", "worker")
            if (name := self.repository(s))
        }

    def edit(self, text: str) -> str:
        """Change what both services print, and commit."""
        self.workspace.write("libraries/common/index.js", f"exports.greeting = '{text}';\n")
        return self.workspace.commit(text)


@pytest.fixture
def pushes(tiny_workspace: Workspace, registry: Registry, proxy: FaultProxy, forget: Callable[[str], None]) -> Pushes:
    made = Pushes(tiny_workspace, registry, proxy)
    for service in ("api", "worker"):
        forget(made.repository(service))
    return made


def test_a_push_moves_every_tag_and_leaves_nothing_else(pushes: Pushes) -> None:
    sha = pushes.workspace.git("rev-parse", "HEAD")[:12]

    assert pushes.push("--release", "out.toml") == (0, "")

    release = pushes.release()
    digests = {i.image: i.digest for i in release.images}
    assert pushes.tags() == {s: {sha: digests[s], "main": digests[s]} for s in ("api", "worker")}
    assert load_release(pushes.workspace.root / "out.toml") == release
    assert [p.platform for i in release.images for p in i.platforms] == ["linux/amd64", "linux/amd64"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "/blobs/uploads/", status=500, times=1),
        Fault("PUT", "/blobs/uploads/", kind="reset", times=1),
        Fault("PUT", "/blobs/uploads/", kind="slow"),
    ],
    ids=["500", "reset", "slow"],
)
def test_a_fault_that_passes_does_not_stop_a_push(pushes: Pushes, fault: Fault) -> None:
    pushes.proxy.faults.append(fault)

    assert pushes.push() == (0, "")
    assert fault.hit
    assert [sorted(tags) for tags in pushes.tags().values()] == [
        sorted([pushes.workspace.git("rev-parse", "HEAD")[:12], "main"])
    ] * 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("PUT", r"worker/blobs/uploads/", status=401), "wants a login"),
        (Fault("PUT", r"worker/blobs/uploads/", status=507), "has no room left"),
        (Fault("PUT", r"worker/manifests/(bake-staging|sha256)", status=403), "denies access"),
        (Fault("PUT", r"worker/manifests/main", status=500), "failed with status 500"),
    ],
    ids=["401", "507", "403 for the manifest", "500 for a tag"],
)
def test_a_fault_that_stays_leaves_every_tag_where_it_was(pushes: Pushes, fault: Fault, message: str) -> None:
    assert pushes.push() == (0, "")
    before, manifest = pushes.tags(), pushes.release()
    pushes.edit("changed")
    pushes.proxy.faults.append(fault)

    status, error = pushes.push()

    assert (status, fault.hit > 0) == (5, True)
    assert error.startswith(f"bake: error: {pushes.proxy.host}/bake-test/{pushes.workspace.project}-worker")
    assert message in error
    assert pushes.tags() == before
    assert pushes.release() == manifest


def test_an_interrupt_while_a_push_is_told_of_finds_every_tag_moved(pushes: Pushes, tmp_path: Path) -> None:
    """How much the cache takes is asked when a build is over: it may hang, and nobody has to wait for it."""
    asking = tmp_path / "docker"
    docker = shutil.which("docker")
    asking.write_text(f"""#!/bin/sh\n[ "$1 $2" = "buildx du" ] && kill -INT $PPID\nexec {docker} "$@"\n""")
    asking.chmod(0o755)
    config = (pushes.workspace.root / "bake.toml").read_text(encoding="utf-8")
    pushes.workspace.write("bake.toml", f'{config}\n[cache]\nbudget = "1 TB"\n')
    sha = pushes.workspace.commit("a budget")[:12]

    done = pushes.workspace.bake(
        "all",
        "--push",
        "--quiet",
        BAKE_REGISTRY=f"{pushes.proxy.host}/bake-test",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )

    assert (done.returncode, done.stderr) == (130, "bake: interrupted\n")
    digests = {i.image: i.digest for i in pushes.release().images}
    assert pushes.tags() == {s: {sha: digests[s], "main": digests[s]} for s in ("api", "worker")}


def test_a_login_that_cannot_push_is_told_before_the_build(pushes: Pushes) -> None:
    pushes.proxy.faults.append(Fault("POST", "worker/blobs/uploads/", status=401))

    status, error = pushes.push()

    repository = f"{pushes.proxy.host}/bake-test/{pushes.workspace.project}-worker"
    assert status == 5
    assert error == (
        f"bake: error: {repository}:latest: {pushes.proxy.host} wants a login (broken on purpose); "
        f"run `docker login {pushes.proxy.host}`"
    )
    assert pushes.tags() == {"api": {}, "worker": {}}


def test_a_push_that_was_interrupted_sends_only_what_is_missing(pushes: Pushes) -> None:
    fault = Fault("PUT", r"worker/manifests/(bake-staging|sha256)", status=403)
    pushes.proxy.faults.append(fault)
    assert pushes.push()[0] == 5
    assert pushes.proxy.uploads()

    pushes.proxy.faults.clear()
    pushes.proxy.passed.clear()
    assert pushes.push() == (0, "")
    # But for the empty blob that what is told beside an image stands on.
    assert [path for path in pushes.proxy.uploads() if EMPTY not in path] == []


def test_promotion_and_rollback_move_tags_only(pushes: Pushes) -> None:
    pushes.push()
    first = pushes.tags()["api"]["main"]
    pushes.edit("second")
    pushes.push()
    second = pushes.tags()["api"]["main"]
    assert first != second

    manifest = ".bake/release.json"
    assert pushes.workspace.bake("promote", manifest, "--tag", "stable", "-q").returncode == 0
    assert pushes.tags()["api"]["stable"] == second
    assert pushes.workspace.bake("rollback", ".bake/release-stable.json", "-q").returncode == 0
    assert pushes.workspace.bake("rollback", manifest, "--tag", "main", "-q").returncode == 0
    tags = pushes.tags()["api"]
    assert tags["main"] == first
    assert "stable" not in tags


def test_the_result_names_digest_size_and_references(pushes: Pushes) -> None:
    done = pushes.workspace.bake("api", "--push", "-q", "--format", "json", BAKE_REGISTRY=f"{REGISTRY}/bake-test")

    image = json.loads(done.stdout)["images"][0]
    released = pushes.release().images[0]
    assert (image["digest"], image["bytes"]) == (released.digest, released.bytes)
    assert image["references"] == [f"{pushes.repository('api')}:{t}" for t in released.tags]


def test_a_manifest_is_written_beside_the_generated_files_only(pushes: Pushes) -> None:
    pushes.push()

    assert pushes.workspace.git("status", "--porcelain") == ""
    assert Path(pushes.workspace.root, ".bake", "release.json").is_file()


def test_a_push_builds_only_what_is_not_there_and_moves_all_tags(pushes: Pushes) -> None:
    assert pushes.push() == (0, "")
    first = pushes.release()
    pushes.workspace.write("services/worker/index.js", "console.log('changed');\n")
    sha = pushes.workspace.commit("Change the worker")[:12]
    pushes.proxy.faults.append(fault := Fault("PUT", r"worker/manifests/main", status=500))

    assert pushes.push()[0] == 5
    assert [sorted(tags) for tags in pushes.tags().values()] == [sorted(first.images[0].tags)] * 2
    assert fault.hit
    pushes.proxy.faults.clear()
    pushes.proxy.passed.clear()

    # What the failed push built is known by its content, and need not be built for the next one.
    done = pushes.workspace.bake("all", "--push", BAKE_REGISTRY=f"{pushes.proxy.host}/bake-test")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 images are in the registry already: their tags move" in done.stderr
    assert pushes.proxy.uploads() == []
    second = pushes.release()
    same = [a.digest == b.digest for a, b in zip(first.images, second.images, strict=True)]
    assert (same, [i.image for i in second.images]) == ([True, False], ["api", "worker"])
    assert [(tags[sha], tags["main"]) for tags in pushes.tags().values()] == [(i.digest,) * 2 for i in second.images]

    assert pushes.push("--rebuild", "--no-cache") == (0, "")
    assert [i.digest for i in pushes.release().images] == [i.digest for i in second.images]


def test_two_pushes_of_different_revisions_at_once_end_on_images_of_one(pushes: Pushes, tmp_path: Path) -> None:
    other = Workspace(root=tmp_path / "other", project=pushes.workspace.project)
    pushes.workspace.git("clone", "--quiet", ".", str(other.root))
    other.write("libraries/common/index.js", "exports.greeting = 'other';\n")
    other.commit("Other")
    both = (pushes.workspace, other)

    def push(workspace: Workspace) -> int:
        done = workspace.bake("all", "--push", "-q", "--tag", "main", BAKE_REGISTRY=f"{REGISTRY}/bake-test")
        return done.returncode

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(push, both)) == [0, 0]

    manifests = [load_release(w.root / ".bake" / "release.json") for w in both]
    standing = [tags["main"] for tags in pushes.tags().values()]
    assert standing in [[i.digest for i in m.images] for m in manifests]


def test_attestations_come_on_request_and_are_no_platform(pushes: Pushes) -> None:
    config = (pushes.workspace.root / "bake.toml").read_text()
    pushes.workspace.write("bake.toml", f'{config}\n[attestations]\nprovenance = "min"\n')
    assert pushes.push() == (0, "bake: warning: the workspace has changes that are not committed: its images are not "
                                "those of the commit")  # fmt: skip

    api = pushes.release().images[0]
    index = pushes.registry.manifest(f"{pushes.repository('api')}@{api.digest}").content["manifests"]
    kinds = [m.get("annotations", {}).get("vnd.docker.reference.type") for m in index]
    assert kinds == [None, "attestation-manifest"]
    assert [p.digest for p in api.platforms] == [index[0]["digest"]]
