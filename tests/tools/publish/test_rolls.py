"""`bake manifest`: which images roll against a push, a commit and what is deployed, and digests put into files."""

import dataclasses
import json
from pathlib import Path

import pytest

from bake.cli import main
from bake.publish import Release, write_release
from bake.publish.release import ReleasedImage
from tests.git_workspace import GitWorkspace, make_git_workspace


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitWorkspace:
    shop = make_git_workspace(tmp_path / "shop")
    monkeypatch.chdir(shop.root)
    return shop


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def released(shop: GitWorkspace, file: Path, **digests: str) -> Release:
    """Leave the manifest of a push of the commit that is checked out."""
    images = tuple(
        ReleasedImage(image=n, repository=f"ghcr.io/acme/shop-{n}", digest=digest(d), platforms=(), bytes=1)
        for n, d in digests.items()
    )
    release = Release(project="shop", revision=shop.git("rev-parse", "HEAD"), images=images)
    write_release(file, release)
    return release


def manifest(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main(["manifest", *words]) == 0
    said = capsys.readouterr()
    return said.out, said.err


@pytest.fixture
def pushes(shop: GitWorkspace, tmp_path: Path) -> tuple[str, str]:
    """Two pushes, between which api's library and its package left changed."""
    released(shop, tmp_path / "old.json", api="a", web="b")
    shop.write("packages/lib/src/index.ts", "export const x = 1;\n")
    shop.lock({"left": "1.1.0"})
    shop.commit()
    released(shop, tmp_path / "new.json", api="c", web="b")
    return str(tmp_path / "old.json"), str(tmp_path / "new.json")


WHY = ("left 1.0.0 -> 1.1.0", "packages/lib/src/index.ts")


def test_an_image_rolls_when_its_digest_is_another_and_its_inputs_say_why(
    pushes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = pushes
    out, err = manifest(capsys, "--release", new, "--against", old)
    assert [line.split(maxsplit=2) for line in out.splitlines()[1:]] == [["api", "yes", "; ".join(WHY)], ["web", "no"]]
    assert err == "1 of 2 images rolls\n"

    out, _ = manifest(capsys, "--release", new, "--against", old, "--format", "markdown")
    assert out == f"**1 of 2 images rolls**\n\n| image | because |\n| --- | --- |\n| api | {'; '.join(WHY)} |\n"

    out, _ = manifest(capsys, "--release", new, "--against", old, "--format", "json")
    assert json.loads(out) == [
        {"image": "api", "rolls": True, "before": digest("a"), "after": digest("c"), "inputs": list(WHY)},
        {"image": "web", "rolls": False, "before": digest("b"), "after": digest("b"), "inputs": []},
    ]


def test_a_commit_tells_what_will_roll_before_anything_is_pushed(
    pushes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = manifest(capsys, "--against", "HEAD~1")
    assert [line.split(maxsplit=2) for line in out.splitlines()[1:]] == [["api", "yes", "; ".join(WHY)], ["web", "no"]]
    assert err == "1 of 2 images rolls\n"


def test_what_is_deployed_is_compared_by_its_digests_and_edited(
    shop: GitWorkspace, pushes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# Kept.\nimages:\n" + "".join(
        f"  - name: shop-{n}\n    digest: {digest(d)}\n" for n, d in (("api", "a"), ("web", "b"))
    )
    shop.write("deploy/kustomization.yaml", text)
    shop.write("deploy/templates/api.yaml", "{{- if .Values.api }}\n")
    out, _ = manifest(capsys, "--release", pushes[1], "--against", "deploy")
    assert [line.split() for line in out.splitlines()[1:]] == [["api", "yes"], ["web", "no"]]

    out, err = manifest(capsys, "--release", pushes[1], "--write", "deploy")
    assert out == "kustomization.yaml:4: api\n"
    assert err.splitlines() == [
        "bake: warning: templates/api.yaml:1: is not YAML; check what `helm template` gives; left out",
        "1 digest changed, 1 stayed",
    ]
    assert (shop.root / "deploy/kustomization.yaml").read_text() == text.replace(digest("a"), digest("c"))
    assert manifest(capsys, "--release", pushes[1], "--write", "deploy")[0] == ""


def test_inputs_are_told_of_the_commit_that_is_checked_out_alone(
    shop: GitWorkspace, pushes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    shop.commit()
    out, err = manifest(capsys, "--release", pushes[1], "--against", pushes[0])
    assert out.splitlines()[1].split() == ["api", "yes"]
    assert err.splitlines() == [
        "bake: warning: inputs are not told: the push's commit is not the one that is checked out",
        "1 of 2 images rolls",
    ]


def test_a_push_of_a_commit_that_is_not_in_the_clone_says_so(
    shop: GitWorkspace, pushes: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = dataclasses.replace(released(shop, tmp_path / "x.json", api="a"), revision="1" * 40)
    write_release(tmp_path / "x.json", old)
    _, err = manifest(capsys, "--release", pushes[1], "--against", str(tmp_path / "x.json"))
    assert err.splitlines()[0] == (
        f"bake: warning: inputs are not told: {'1' * 40}: no such revision in this clone; fetch it, or name another one"
    )
