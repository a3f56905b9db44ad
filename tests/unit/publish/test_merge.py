"""Shards of several runners become one release, in any order, and only when they are whole and agree."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping

import pytest

from bake.commands.merge import refuse_elsewhere
from bake.errors import ReleaseError
from bake.publish import Joint, Release
from bake.publish.release import ReleasedImage, ReleasedPlatform
from bake.publish.shards import Shard, join, part_of, plan_merge, render_index
from bake.registry import INDEX_TYPES, Manifest
from bake.registry.oci import MANIFEST_TYPES
from tests.memory_registry import MemoryRegistry, memory_registry

BOTH = ("linux/amd64", "linux/arm64")
AMD, ARM = BOTH


def digest(of: str) -> str:
    return f"sha256:{hashlib.sha256(of.encode()).hexdigest()}"


def image(target: str, *platforms: str, repository: str = "", content: str = "") -> ReleasedImage:
    parts = tuple(ReleasedPlatform(platform=p, digest=digest(f"{target}{p}{content}"), bytes=1) for p in platforms)
    whole = parts[0].digest if len(parts) == 1 else digest(f"{target} index")
    name = repository or f"r.example/acme/{target}"
    return ReleasedImage(image=target, repository=name, digest=whole, platforms=parts, bytes=1)


def shard(name: str, *images: ReleasedImage, **fields: object) -> Shard:
    release = Release(project="acme", revision="a" * 40, branch="main", created=1, images=images)
    return Shard(name=name, release=dataclasses.replace(release, **fields))  # type: ignore[arg-type]


def test_shards_are_joined_alike_in_any_order() -> None:
    shards = [
        shard("amd.json", image("api", AMD), image("web", AMD)),
        shard("arm-1.json", image("api", ARM)),
        shard("arm-2.json", image("web", ARM)),
    ]
    plans = [plan_merge(order, platforms=BOTH) for order in itertools.permutations(shards)]

    release, joints = plans[0]
    assert all(plan == plans[0] for plan in plans)
    assert (release.project, release.revision, release.images) == ("acme", "a" * 40, ())
    assert [j.image for j in joints] == ["api", "web"]
    assert {p: d for d, (p,) in joints[0].sources.items()} == {p: digest(f"api{p}") for p in BOTH}


def test_an_image_that_one_shard_has_whole_is_taken_as_it_is() -> None:
    _, joints = plan_merge([shard("a.json", image("api", AMD)), shard("b.json", image("api", *BOTH))], platforms=BOTH)
    assert joints[0].sources == {digest("api index"): BOTH}


def test_a_platform_that_no_shard_has_is_named() -> None:
    shards = [shard("amd.json", image("api", AMD), image("web", AMD)), shard("arm.json", image("api", ARM))]
    with pytest.raises(ReleaseError) as caught:
        plan_merge(shards, platforms=BOTH)
    assert str(caught.value) == "the shards: have no web for linux/arm64; merge the files of every job"


def test_an_image_that_no_shard_has_is_named() -> None:
    with pytest.raises(ReleaseError) as caught:
        plan_merge([shard("a.json", image("api", *BOTH))], platforms=BOTH, targets=("api", "web", "worker"))
    assert str(caught.value) == "web, worker: no shard has it; merge the files of every job"


def test_a_platform_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ReleaseError) as caught:
        plan_merge([shard("a.json", image("api", *BOTH))], platforms=(AMD,))
    assert str(caught.value) == "api: has linux/arm64, which is not asked for; name every platform with --platform"


def test_shards_of_different_revisions_are_refused() -> None:
    shards = [shard("amd.json", image("api", AMD)), shard("arm.json", image("api", ARM), revision="b" * 40)]
    with pytest.raises(ReleaseError) as caught:
        plan_merge(shards, platforms=BOTH)
    assert str(caught.value) == (
        f"revision: the shards differ ({'a' * 40} in amd.json, {'b' * 40} in arm.json); "
        "merge the manifests of one revision's shards"
    )


def test_shards_with_two_digests_of_one_platform_are_refused() -> None:
    shards = [shard("1.json", image("api", *BOTH)), shard("2.json", image("api", AMD, content="other"))]
    with pytest.raises(ReleaseError) as caught:
        plan_merge(shards, platforms=BOTH)
    first, second = digest(f"api{AMD}")[:19], digest(f"api{AMD}other")[:19]
    assert caught.value.what == f"linux/amd64 is {first} in 1.json and {second} in 2.json"


def test_shards_in_different_repositories_are_refused() -> None:
    shards = [shard("1.json", image("api", AMD)), shard("2.json", image("api", ARM, repository="r.example/b/api"))]
    with pytest.raises(ReleaseError) as caught:
        plan_merge(shards, platforms=BOTH)
    assert caught.value.what == "is in r.example/acme/api by 1.json and in r.example/b/api by 2.json"


# The index


def index(platform: str, *, annotations: Mapping[str, str]) -> Manifest:
    """One platform with its attestation, as BuildKit pushes it."""
    about = {"vnd.docker.reference.digest": digest(platform), "vnd.docker.reference.type": "attestation-manifest"}
    system, architecture = platform.split("/")
    content = {
        "manifests": [
            {
                "digest": digest(platform),
                "size": 1,
                "platform": {"os": system, "architecture": architecture},
                "annotations": {"of": platform},
            },
            {
                "digest": digest(f"about {platform}"),
                "size": 2,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": about,
            },
        ],
        "annotations": dict(annotations),
    }
    return Manifest(digest=digest("index"), media_type=INDEX_TYPES[0], body=b"", content=content)


def test_an_index_lists_platforms_then_their_attestations_and_keeps_annotations() -> None:
    parts = [
        part_of(index(ARM, annotations={"same": "1", "who": "arm"}), (ARM,)),
        part_of(index(AMD, annotations={"same": "1", "who": "amd"}), (AMD,)),
    ]
    body = render_index(parts)

    assert body == render_index(parts[::-1])
    content = json.loads(body)
    assert [m["digest"] for m in content["manifests"]] == [
        digest(each) for each in (AMD, ARM, f"about {AMD}", f"about {ARM}")
    ]
    assert content["manifests"][1]["annotations"] == {"of": ARM}
    assert content["annotations"] == {"same": "1", "who": "amd"}


def test_only_the_platforms_wanted_come_from_an_index_with_their_attestations() -> None:
    assert part_of(index(ARM, annotations={}), (AMD,)).descriptors == ()


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as running:
        yield running


def test_manifests_of_single_platforms_are_joined_by_digest_without_a_tag(registry: MemoryRegistry) -> None:
    digests = {}
    for platform in BOTH:
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": {}, "of": platform}).encode()
        digests[platform] = f"sha256:{hashlib.sha256(body).hexdigest()}"
        registry.manifests["acme/api", digests[platform]] = (MANIFEST_TYPES[0], body)
    joint = Joint(image="api", repository=f"{registry.host}/acme/api", sources={digests[p]: (p,) for p in BOTH})

    joined = join(registry.client(), joint)

    media_type, body = registry.manifests["acme/api", joined]
    assert media_type == INDEX_TYPES[0]
    listed = json.loads(body)["manifests"]
    assert [(m["digest"], m["platform"]) for m in listed] == [
        (digests[AMD], {"architecture": "amd64", "os": "linux"}),
        (digests[ARM], {"architecture": "arm64", "os": "linux"}),
    ]
    assert {tag for _, tag in registry.tags} <= {joined}


def test_an_image_in_another_repository_than_bake_tomls_is_refused() -> None:
    joint = Joint(image="api", repository="r.example/victim/api", sources={})
    refuse_elsewhere([joint], {"api": "r.example/victim/api", "web": "r.example/acme/web"})
    with pytest.raises(ReleaseError) as caught:
        refuse_elsewhere([joint], {"api": "r.example/acme/api"})
    assert str(caught.value) == (
        "api: the shards have it in r.example/victim/api, bake.toml in r.example/acme/api; "
        "merge with the settings that the shards were built with"
    )
