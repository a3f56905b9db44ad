"""Digests in deployments' files: found in every form, replaced without a change of anything else."""

import pytest

from bake.errors import BakeError
from bake.publish import Release, deployed_digests, find_digests, replace_digests
from bake.publish.release import ReleasedImage


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


RELEASE = Release(
    project="shop",
    images=tuple(
        ReleasedImage(image=n, repository=f"ghcr.io/acme/shop-{n}", digest=digest("f"), platforms=(), bytes=1)
        for n in ("api", "web")
    ),
)

KUSTOMIZE = f"""\
# Ours.
images:
  - name: shop-api   # the short name
    newName: ghcr.io/acme/shop-api
    digest: {digest("a")}
  - {{digest: "{digest("f")}", name: shop-web}}
  - name: other/shop-api
    digest: {digest("b")}
"""

HELM = f"""\
api:
  image:
    registry: ghcr.io
    repository: acme/shop-api
    digest: '{digest("a")}'
images:
  web: {{ repository: ghcr.io/acme/shop-web, digest: {digest("b")} }}
"""

PLAIN = f"""\
kind: Deployment
spec:
  containers:
    - image: ghcr.io/acme/shop-api:v1@{digest("a")}  # pinned
    - image: "ghcr.io/acme/shop-web@{digest("b")}"
    - image: ghcr.io/acme/shop-web:v1
    - image: docker.io/library/redis@{digest("c")}
---
kind: CronJob
spec: {{image: &x ghcr.io/acme/shop-api@{digest("a")}, again: *x}}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KUSTOMIZE, [("api", "a", 5), ("web", "f", 6)]),
        (HELM, [("api", "a", 5), ("web", "b", 7)]),
        (PLAIN, [("api", "a", 4), ("web", "b", 5), ("api", "a", 10)]),
        (PLAIN.replace("\n", "\r\n"), [("api", "a", 4), ("web", "b", 5), ("api", "a", 10)]),
        ("", []),
        ("digest: 1\nname: [shop-api]\n", []),
    ],
    ids=["kustomize", "helm", "manifests", "from Windows", "empty", "something else"],
)
def test_digests_of_the_push_are_found_and_replaced_alone(text: str, found: list[tuple[str, str, int]]) -> None:
    spots = find_digests(text, "d.yaml", RELEASE)
    assert [(s.image, s.digest[-1], s.line) for s in spots] == found

    new = replace_digests(text, spots, RELEASE)
    assert replace_digests(new, find_digests(new, "d.yaml", RELEASE), RELEASE) == new
    assert all(s.digest == digest("f") for s in find_digests(new, "d.yaml", RELEASE))
    changed = [(a, b) for a, b in zip(text.splitlines(), new.splitlines(), strict=True) if a != b]
    assert [a.replace(digest("a"), digest("f")).replace(digest("b"), digest("f")) for a, _ in changed] == [
        b for _, b in changed
    ]
    assert len(changed) == sum(letter != "f" for _, letter, _ in found)


def test_a_digest_that_the_text_writes_in_another_way_than_it_reads_is_left() -> None:
    text = f'image: "ghcr.io/acme/shop-api@sha256:\\x61{"a" * 63}"\n'
    assert find_digests(text, "d.yaml", RELEASE) == ()


def test_what_is_no_yaml_is_named_by_its_line() -> None:
    with pytest.raises(BakeError) as caught:
        find_digests("a: b\n  {{ c }}: {\n", "templates/d.yaml", RELEASE)
    assert str(caught.value).startswith("templates/d.yaml:")
    found, wrong = deployed_digests({"a.yaml": PLAIN, "b.yaml": "a: {"}, RELEASE)
    assert found == {"api": digest("a"), "web": digest("b")}
    assert [e.where.partition(":")[0] for e in wrong] == ["b.yaml"]
