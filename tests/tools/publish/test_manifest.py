"""A push as Kubernetes' tools read it, and manifests that use something else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bake.errors import BakeError
from bake.publish import (
    Release,
    check_manifests,
    join_releases,
    parse_documents,
    render_manifest,
    used_images,
    write_release,
)
from bake.publish.release import ReleasedImage, ReleasedPlatform

BOTH = ("linux/amd64", "linux/arm64")


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def image(target: str, letter: str, *platforms: str) -> ReleasedImage:
    parts = tuple(ReleasedPlatform(platform=p, digest=digest("9"), bytes=1) for p in platforms or BOTH)
    return ReleasedImage(
        image=target,
        repository=f"ghcr.io/acme/shop-{target}",
        digest=digest(letter),
        platforms=parts,
        bytes=1,
        tags=("v1",),
    )


RELEASE = Release(project="shop", images=(image("web", "b"), image("api", "a"), image("old-cli", "c", "linux/amd64")))


def pod(image: str, extra: str = "") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d}}
spec:
  template:
    spec:
      {extra}
      containers: [{{name: main, image: "{image}"}}]
"""


def found(text: str) -> list[str]:
    return [str(m) for m in check_manifests(parse_documents(text, "d.yaml"), RELEASE)]


def test_kustomize_gets_a_component_that_puts_digests_in_place_of_short_names() -> None:
    assert yaml.safe_load(render_manifest(RELEASE, "kustomize")) == {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "images": [
            {"name": "shop-api", "newName": "ghcr.io/acme/shop-api", "digest": digest("a")},
            {"name": "shop-old-cli", "newName": "ghcr.io/acme/shop-old-cli", "digest": digest("c")},
            {"name": "shop-web", "newName": "ghcr.io/acme/shop-web", "digest": digest("b")},
        ],
    }


def test_helm_gets_values_by_image() -> None:
    values = yaml.safe_load(render_manifest(RELEASE, "helm"))
    assert values["images"]["api"] == {"repository": "ghcr.io/acme/shop-api", "digest": digest("a")}


def test_a_shell_gets_variables() -> None:
    assert render_manifest(RELEASE, "env").splitlines()[1] == (
        f"SHOP_OLD_CLI_IMAGE=ghcr.io/acme/shop-old-cli@{digest('c')}"
    )


def test_a_variable_does_not_begin_with_a_digit() -> None:
    release = Release(project="3d", images=(image("i", "a"),))
    assert render_manifest(release, "env") == f"_3D_I_IMAGE=ghcr.io/acme/shop-i@{digest('a')}\n"


def test_json_says_which_platforms_there_are() -> None:
    assert json.loads(render_manifest(RELEASE, "json"))["old-cli"] == {
        "reference": f"ghcr.io/acme/shop-old-cli@{digest('c')}",
        "platforms": ["linux/amd64"],
    }


def test_of_several_pushes_the_last_that_has_an_image_counts() -> None:
    later = Release(project="shop", revision="f" * 40, images=(image("api", "d"),))
    joined = join_releases([RELEASE, later])
    assert joined.revision == "f" * 40
    assert {i.image: i.digest for i in joined.images} == {
        "web": digest("b"),
        "api": digest("d"),
        "old-cli": digest("c"),
    }


@pytest.mark.parametrize(
    "used",
    [
        "shop-api",
        "shop-api:dev",
        f"ghcr.io/acme/shop-api@{digest('a')}",
        f"ghcr.io/acme/shop-api@{digest('9')}",
        "ghcr.io/acme/shop-api:v1",
        "postgres:17",
        "ghcr.io/others/shop-thing:1",
    ],
)
def test_images_of_the_push_and_of_others_fit(used: str) -> None:
    assert found(pod(used)) == []


@pytest.mark.parametrize(
    ("used", "complaint"),
    [
        ("shop-apj", "shop-apj is not in this push; did you mean `shop-api`?"),
        (
            "ghcr.io/acme/shop-queue:v1",
            "ghcr.io/acme/shop-queue:v1 is not in this push; build and push it, or take it out",
        ),
        (
            "ghcr.io/acme/shop-api:v0",
            f"ghcr.io/acme/shop-api:v0 is no tag of this push; use ghcr.io/acme/shop-api@{digest('a')}",
        ),
        (
            f"shop-api@{digest('0')}",
            f"shop-api@{digest('0')} is not the digest of this push ({digest('a')[:19]}); "
            f"use ghcr.io/acme/shop-api@{digest('a')}",
        ),
        (
            "ghcr.io/acme/shop-api@sha256:0",
            f"ghcr.io/acme/shop-api@sha256:0 is no image reference; use ghcr.io/acme/shop-api@{digest('a')}",
        ),
    ],
)
def test_an_image_that_was_not_built_is_named_with_its_place(used: str, complaint: str) -> None:
    assert found(pod(used)) == [f"d.yaml: Deployment/d: container main: {complaint}"]


@pytest.mark.parametrize(
    "text",
    [
        "just a string\n---\n[1]\n---\nspec: {containers: [3, null, {image: [a]}]}",
        "nodeSelector: [x]\naffinity: y\ncontainers: [{image: shop-api}]",
        "images: [3, {name: [x]}, {}]",
        "a: &a [*a]",
    ],
)
def test_what_is_in_no_form_of_kubernetes_is_passed_over(text: str) -> None:
    assert found(text) == []


def test_a_date_that_is_in_no_calendar_is_no_yaml() -> None:
    with pytest.raises(BakeError) as caught:
        parse_documents("a: 2026-99-99\n", "t.yaml")
    assert str(caught.value) == "t.yaml: is not YAML; correct it"


SELECTOR = "nodeSelector: {kubernetes.io/arch: arm64}"
AFFINITY = """affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [amd64, arm64]}]"""


@pytest.mark.parametrize("extra", [SELECTOR, AFFINITY])
def test_an_architecture_that_was_not_built_is_named(extra: str) -> None:
    assert found(pod("shop-api", extra)) == []
    assert found(pod("shop-old-cli", extra)) == [
        "d.yaml: Deployment/d: container main: may run on arm64, and shop-old-cli was built for amd64; "
        "build it with --platform linux/arm64 too"
    ]


def test_pods_are_found_in_cron_jobs_lists_and_as_init_containers() -> None:
    text = """
kind: List
items:
  - kind: CronJob
    metadata: {name: nightly}
    spec:
      jobTemplate:
        spec:
          template:
            spec:
              initContainers: [{name: first, image: shop-zzzzz}]
              containers: [{name: main, image: shop-api}]
"""
    assert found(text) == [
        "d.yaml: CronJob/nightly: container first: shop-zzzzz is not in this push; build and push it, or take it out"
    ]
    assert used_images(parse_documents(text, "d.yaml"), RELEASE) == 1


def test_a_kustomization_that_puts_another_digest_in_place_is_named() -> None:
    text = render_manifest(RELEASE, "kustomize").replace(digest("a"), digest("0"))
    assert found(text) == [
        f"d.yaml: Component/: ghcr.io/acme/shop-api@{digest('0')} is not the digest of this push "
        f"({digest('a')[:19]}); use ghcr.io/acme/shop-api@{digest('a')}"
    ]
    assert found(render_manifest(RELEASE, "kustomize")) == []


def test_a_template_of_helm_is_no_yaml_and_the_remedy_says_what_to_check() -> None:
    with pytest.raises(BakeError) as caught:
        parse_documents("a: {{ .Values.x }}\nb: {{- if }}\n", "t.yaml")
    assert str(caught.value) == "t.yaml:2: is not YAML; check what `helm template` gives"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_itself_puts_the_digests_in(tmp_path: Path) -> None:
    for folder, text in {
        "base": "resources: [d.yaml]\n",
        "images": render_manifest(RELEASE, "kustomize"),
        ".": "resources: [base]\ncomponents: [images]\n",
    }.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "kustomization.yaml").write_text(text, "utf-8")
    (tmp_path / "base/d.yaml").write_text(pod("shop-api"), "utf-8")

    built = subprocess.run(["kubectl", "kustomize", tmp_path], capture_output=True, text=True, check=True).stdout

    assert f"image: ghcr.io/acme/shop-api@{digest('a')}\n" in built
    assert found(built) == []


def bake(*words: str) -> "subprocess.CompletedProcess[str]":
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-m", "bake", "manifest", *words],
        cwd=root / "examples" / "apphub",
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_that_uses_what_was_not_built_fails_and_one_that_fits_does_not(tmp_path: Path) -> None:
    write_release(tmp_path / "release.toml", RELEASE)
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "template.yaml").write_text("a: {{- if .Values.x }}\n", "utf-8")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe")
    (folder / "d.yaml").write_text(pod("shop-api"), "utf-8")
    words = ("--release", str(tmp_path / "release.toml"), "--check", str(folder))

    fits = bake(*words)
    (folder / "d.yaml").write_text(pod("shop-apj"), "utf-8")
    fails = bake(*words)

    assert (fits.returncode, fits.stdout) == (0, "")
    assert fits.stderr == (
        "bake: warning: binary.yaml: cannot be read (it is not UTF-8); left out\n"
        "bake: warning: template.yaml:1: is not YAML; check what `helm template` gives; left out\n"
        "1 container of 1 document fits the push\n"
    )
    assert (fails.returncode, fails.stdout) == (
        1,
        "d.yaml: Deployment/d: container main: shop-apj is not in this push; did you mean `shop-api`?\n",
    )
    assert fails.stderr.endswith("bake: error: manifests: 1 does not fit the push; see above\n")
