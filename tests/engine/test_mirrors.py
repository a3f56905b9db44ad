"""One push to two real registries, and releases copied between them: tags move in both or in none."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bake.config import parse_reference
from bake.publish import load_release
from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace
from tests.engine.second_registry import second_registry
from tests.fault_proxy import Fault, FaultProxy, fault_proxy

pytestmark = pytest.mark.engine

SERVICES = ("api", "worker")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with second_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def proxy(other: str) -> Iterator[FaultProxy]:
    with fault_proxy(other) as running:
        yield running


@pytest.fixture
def workspace(tiny_workspace: Workspace, forget: Callable[[str], None]) -> Workspace:
    for service in SERVICES:
        forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-{service}")
    return tiny_workspace


def tags(registry: Registry, workspace: Workspace, place: str, tag: str) -> dict[str, str]:
    """Service -> the digest of the tag in a registry, "" for none."""
    names = {s: f"{place}/{workspace.project}-{s}" for s in SERVICES}
    return {s: registry.digest(f"{n}:{tag}") if tag in registry.tags(n) else "" for s, n in names.items()}


def test_a_push_to_two_registries_moves_tags_in_both_and_rollback_puts_back_both(
    workspace: Workspace, registry: Registry, other: str
) -> None:
    done = workspace.bake("all", "--push", "--quiet", "--to", f"{other}/team")
    assert (done.returncode, done.stderr) == (0, "")
    release = load_release(workspace.root / ".bake" / "release.json")
    digests = {i.image: i.digest for i in release.images}
    assert {i.image: i.digest for i in release.mirrors} == digests
    assert {i.repository for i in release.mirrors} == {f"{other}/team/{workspace.project}-{s}" for s in SERVICES}
    for place in (f"{REGISTRY}/bake-test", f"{other}/team"):
        assert tags(registry, workspace, place, "main") == digests

    # What the first registry has and the second lacks is copied, not built.
    workspace.write("bake.toml", (workspace.root / "bake.toml").read_text().replace(
        "platforms =", f'mirrors = ["{other}/team", "{other}/more"]\nplatforms ='))  # fmt: skip
    again = workspace.bake("all", "--push", "--tag", "second")
    assert "2 of 2 images are in the registry already: their tags move" in again.stderr
    assert tags(registry, workspace, f"{other}/more", "second") == digests

    back = workspace.bake("rollback", ".bake/release.json", "--quiet")
    assert back.returncode == 0, back.stderr
    for place in (f"{REGISTRY}/bake-test", f"{other}/team", f"{other}/more"):
        assert tags(registry, workspace, place, "second") == dict.fromkeys(SERVICES, "")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", r"worker/blobs/uploads/", status=507),
        Fault("PUT", r"worker/manifests/sha256", status=403),
        Fault("PUT", r"worker/manifests/main", status=500),
    ],
    ids=["blob", "manifest", "tag"],
)
def test_one_registry_that_fails_in_mid_push_leaves_every_tag_of_both(
    workspace: Workspace, registry: Registry, proxy: FaultProxy, fault: Fault
) -> None:
    first = workspace.bake("all", "--push", "--quiet", "--to", f"{proxy.host}/team")
    assert first.returncode == 0, first.stderr
    places = (f"{REGISTRY}/bake-test", f"{proxy.host}/team")
    before = [tags(registry, workspace, place, "main") for place in places]
    workspace.write("libraries/common/index.js", f"exports.greeting = '{fault.path}';\n")
    workspace.commit("Change")
    proxy.faults.append(fault)

    done = workspace.bake("all", "--push", "--quiet", "--to", f"{proxy.host}/team")

    assert (done.returncode, fault.hit > 0) == (5, True)
    assert f"bake: error: {proxy.host}/team/{workspace.project}-worker" in done.stderr
    assert [tags(registry, workspace, place, "main") for place in places] == before


def test_a_release_is_copied_by_digest_with_its_tags_or_others(
    workspace: Workspace, registry: Registry, other: str, tmp_path: Path
) -> None:
    assert workspace.bake("all", "--push", "--quiet", "--release", "out.json").returncode == 0
    digests = {i.image: i.digest for i in load_release(workspace.root / "out.json").images}

    done = workspace.bake("copy", "out.json", f"{other}/copied", "--tag", "stable", "--release", "copy.toml")

    assert done.returncode == 0, done.stderr
    copied = load_release(workspace.root / "copy.toml")
    assert {i.image: i.digest for i in copied.images} == digests
    assert [i.reference for i in copied.images] == [
        f"{other}/copied/{workspace.project}-{s}@{digests[s]}" for s in SERVICES
    ]
    assert tags(registry, workspace, f"{other}/copied", "stable") == digests
    # Within one host, blobs are mounted.
    with fault_proxy(other) as watched:
        for name in ("first", "second"):
            watched.passed.clear()
            again = workspace.bake("copy", "out.json" if name == "first" else f"{name}.json", f"{watched.host}/{name}",
                                   "--release", "second.json")  # fmt: skip
            assert again.returncode == 0, again.stderr
        assert watched.uploads() == []
    assert tags(registry, workspace, f"{other}/second", "main") == digests


def test_what_no_push_names_any_more_is_cleaned_and_bills_of_materials_are_attached(
    workspace: Workspace, registry: Registry
) -> None:
    name = f"{REGISTRY}/bake-test/{workspace.project}-api"
    first = workspace.bake("all", "--push", "--quiet", "--tag", "main", "--sbom")
    assert (first.returncode, first.stderr) == (0, "")
    image = load_release(workspace.root / ".bake" / "release.json").images[0]
    subject = parse_reference(f"{name}@{image.platforms[0].digest}")
    assert [each["artifactType"] for each in registry.referrers(subject)] == ["application/vnd.cyclonedx+json"]
    for word in ("later", "last"):  # of the one before the last, a rollback needs the images
        workspace.write("libraries/common/index.js", f"exports.greeting = '{word}';\n")
        workspace.commit("Change")
        assert workspace.bake("all", "--push", "--quiet", "--tag", "main").returncode == 0
    before = [tag for tag in registry.tags(name) if tag.startswith("content-")]
    assert len(before) == 3

    told = workspace.bake("clean", "--undated", "--days", "0", "--most", "0")
    assert "2 of 2 images without another tag would be deleted; add --delete" in told.stderr
    assert [tag for tag in registry.tags(name) if tag.startswith("content-")] == before

    done = workspace.bake("clean", "--undated", "--days", "0", "--most", "0", "--delete")
    assert "2 of 2 images without another tag deleted" in done.stderr
    left = {registry.digest(f"{name}:{tag}") for tag in registry.tags(name) if tag.startswith("content-")}
    assert len(left) == 2
    assert registry.digest(f"{name}:main") in left


def test_layers_are_packed_with_zstd_where_bake_toml_says_so_and_the_image_is_another_one(
    workspace: Workspace, registry: Registry
) -> None:
    name = f"{REGISTRY}/bake-test/{workspace.project}-api"
    assert workspace.bake("api", "--push", "--quiet", "--tag", "main").returncode == 0
    workspace.write("bake.toml", (workspace.root / "bake.toml").read_text() + '\n[layers]\ncompression = "zstd"\n')
    digests = []
    for words in ((), ("--rebuild",)):
        done = workspace.bake("api", "--push", "--quiet", "--tag", "small", *words)
        assert done.returncode == 0, done.stderr
        digests.append(registry.digest(f"{name}:small"))
    assert digests[0] == digests[1] != registry.digest(f"{name}:main")
    (platform,) = load_release(workspace.root / ".bake" / "release.json").images[0].platforms
    layers = registry.manifest(f"{name}@{platform.digest}").content["layers"]
    assert {layer["mediaType"] for layer in layers} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
