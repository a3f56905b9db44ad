"""Images that only the tag of their content holds, and what is said beside images, in a registry in memory."""

import json
from collections.abc import Iterator

import pytest

from bake.components import attach_sboms
from bake.config import parse_reference
from bake.errors import RegistryError
from bake.plan import Plan
from bake.project import Project
from bake.publish import Release, choose_leftovers, find_leftovers, remove_leftovers
from bake.publish.origin import ORIGIN
from bake.publish.release import ReleasedImage, ReleasedPlatform
from bake.registry import INDEX_TYPES
from tests.memory_registry import MemoryRegistry, memory_registry
from tests.scripted_server import Answer

DAY = 86400


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as running:
        yield running


def pushed(registry: MemoryRegistry, content: str, *tags: str, created: str = "") -> str:
    """An image of acme/api with a tag for its content and others; its referrer tells when it was made."""
    digest = registry.image("acme/api", revision="", created="", content=content)
    for tag in (f"content-{content}", *tags):
        registry.tags["acme/api", tag] = digest
    if created:
        subject, client = parse_reference(f"{registry.host}/acme/api@{digest}"), registry.client()
        told = {"org.opencontainers.image.created": created}
        client.put_referrer(subject, client.manifest(subject), ORIGIN, told, listed=True)
    return digest


def test_an_image_is_left_over_when_only_its_content_names_it_and_no_release_does(registry: MemoryRegistry) -> None:
    pushed(registry, "a", "main")
    old = pushed(registry, "b", created="2026-01-01T00:00:00Z")
    released = pushed(registry, "c")
    pushed(registry, "d")
    new = pushed(registry, "e", created="2026-03-01T00:00:00Z")
    strange = pushed(registry, "f", created="last week")
    kept = frozenset({released, "content-d"})

    found = find_leftovers(registry.client(), [f"{registry.host}/acme/api", f"{registry.host}/acme/none"], kept)

    assert [(one.digest, one.tags) for one in found] == [
        (new, ("content-e",)),
        (old, ("content-b",)),
        (strange, ("content-f",)),
    ]
    assert [one.created for one in found] == [1772323200, 1767225600, None]


def test_a_tag_in_the_list_that_names_no_image_is_passed_over(registry: MemoryRegistry) -> None:
    registry.tags["acme/api", "content-gone"] = "sha256:" + "0" * 64
    old = pushed(registry, "b")

    found = find_leftovers(registry.client(), [f"{registry.host}/acme/api"], frozenset())

    assert [(one.digest, one.tags) for one in found] == [(old, ("content-b",))]


def test_a_release_names_what_a_rollback_would_put_back_too() -> None:
    one = {"image": "api", "digest": "sha256:" + "1" * 64, "platforms": (), "bytes": 0}
    before = {"main": "sha256:" + "0" * 64, "new": ""}
    there = ReleasedImage(repository="r/api", tags=("main", "new"), previous=before, **one)  # type: ignore[arg-type]
    copied = ReleasedImage(repository="other/api", **one | {"digest": "sha256:" + "2" * 64})  # type: ignore[arg-type]
    named = Release(project="acme", images=(there,), mirrors=(copied,)).digests
    assert {digest[7] for digest in named} == {"0", "1", "2"}


def test_age_and_count_choose_and_an_unknown_age_stays_unless_asked(registry: MemoryRegistry) -> None:
    digests = {c: pushed(registry, c, created=f"2026-01-0{c}T00:00:00Z") for c in ("1", "2", "3")}
    unknown = pushed(registry, "x")
    found = find_leftovers(registry.client(), [f"{registry.host}/acme/api"], frozenset())
    now = 1767225600 + 40 * DAY

    def chosen(days: int, most: int, *, undated: bool = False) -> set[str]:
        return {one.digest for one in choose_leftovers(found, now=now, days=days, most=most, undated=undated)}

    assert chosen(30, 0) == {*digests.values()}
    assert chosen(39, 0) == {digests["1"]}
    assert chosen(30, 2) == {digests["1"]}
    assert chosen(30, 0, undated=True) == {*digests.values(), unknown}


def test_what_is_chosen_goes_and_all_else_stays(registry: MemoryRegistry) -> None:
    pushed(registry, "a", "main")
    pushed(registry, "b")
    found = find_leftovers(registry.client(), [f"{registry.host}/acme/api"], frozenset())
    remove_leftovers(registry.client(), found)
    assert {tag for _, tag in registry.tags} == {"content-a", "main"}


def test_a_registry_without_deletes_says_so_once(registry: MemoryRegistry) -> None:
    registry.deletes = False
    for content in ("a", "b"):
        pushed(registry, content)
    found = find_leftovers(registry.client(), [f"{registry.host}/acme/api"], frozenset())
    with pytest.raises(RegistryError) as caught:
        remove_leftovers(registry.client(), found)
    assert caught.value.what == f"{registry.host} does not allow deletes (UNSUPPORTED)"
    assert caught.value.remedy == "for registry:2 set REGISTRY_STORAGE_DELETE_ENABLED=true"


def release_of(registry: MemoryRegistry, image: str) -> tuple[Release, str]:
    index = registry.image("acme/x", revision="", created="")
    listed = json.loads(registry.manifests["acme/x", index][1])["manifests"]
    parts = tuple(
        ReleasedPlatform(platform=f"linux/{m['platform']['architecture']}", digest=m["digest"], bytes=1) for m in listed
    )
    released = ReleasedImage(
        image=image, repository=f"{registry.host}/acme/x", digest=index, platforms=parts, bytes=1, tags=("main",)
    )
    return Release(project="acme", images=(released,)), index


def test_a_bill_of_materials_is_attached_to_each_platform_and_no_digest_changes(
    registry: MemoryRegistry, example_project: Project, example_plan: Plan
) -> None:
    release, index = release_of(registry, "metastore")
    registry.tags["acme/x", "main"] = index
    client = registry.client()
    for _ in range(2):  # again, it is there already
        assert attach_sboms(client, example_project, example_plan, release.parts, "cyclonedx") == 2
    assert client.digest(f"{registry.host}/acme/x:main") == index
    for part in release.images[0].platforms:
        (found,) = client.referrers(parse_reference(f"{registry.host}/acme/x@{part.digest}"))
        assert found["artifactType"] == "application/vnd.cyclonedx+json"
        attached = json.loads(registry.manifests["acme/x", found["digest"]][1])
        assert attached["subject"]["digest"] == part.digest
        assert attached["layers"][0]["mediaType"] == "application/vnd.cyclonedx+json"
    assert sorted(tag for _, tag in registry.tags if tag.startswith("sha256-")) == sorted(
        part.digest.replace(":", "-") for part in release.images[0].platforms
    )


def test_a_registry_that_lists_referrers_itself_gets_no_tag_for_them(
    registry: MemoryRegistry, example_project: Project, example_plan: Plan
) -> None:
    release, _ = release_of(registry, "metastore")
    subject = release.images[0].platforms[0].digest
    registry.before = lambda asked: (
        Answer(status=201, headers={"OCI-Subject": subject})
        if asked.method == "PUT" and "/manifests/" in asked.path
        else None
    )
    attach_sboms(registry.client(), example_project, example_plan, release.parts, "spdx")
    assert [tag for _, tag in registry.tags if tag.startswith("sha256-")] == []
    listed = {"manifests": [{"artifactType": "a", "digest": "x"}, {"artifactType": "b", "digest": "y"}]}
    registry.before = lambda asked: (
        Answer(body=json.dumps({"mediaType": INDEX_TYPES[0], **listed}).encode())
        if "/referrers/" in asked.path
        else None
    )
    reference = parse_reference(f"{registry.host}/acme/x@{subject}")
    assert [each["digest"] for each in registry.client().referrers(reference, "a")] == ["x"]
