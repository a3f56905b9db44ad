"""The tag that stands for an image's content: another one after every kind of change, and the same one after none."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bake.build.present import Resolve, load_marks, load_present
from bake.engine import Progress
from bake.inputs import load_inputs
from bake.plan import Request, make_plan
from bake.project import load_project
from bake.publish import Mark, Upload
from bake.render import files, filling, render, templates
from tests.git_workspace import GitWorkspace, make_git_workspace
from tests.memory_registry import MemoryRegistry, memory_registry
from tests.scripted_server import Answer, Asked

Change = Callable[[GitWorkspace], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = make_git_workspace(tmp_path_factory.mktemp("template"))
    shop.write("patches/left+1.0.0.patch", "diff --git a/node_modules/left/a.js b/node_modules/left/a.js\n")
    shop.write("services/api/patches/.keep", "")
    root = json.loads((shop.root / "package.json").read_text())
    shop.write("package.json", json.dumps(root | {"scripts": {"postinstall": "patch-package"}}))
    shop.commit()
    return shop.root


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(Path(shutil.copytree(template, tmp_path / "shop")))


def moved(digest: str) -> Resolve:
    """All base images have this digest now."""
    return lambda names: dict.fromkeys(names, f"sha256:{digest * 64}")


NOW = moved("a")


def marks(shop: GitWorkspace, resolve: Resolve = NOW, platforms: tuple[str, ...] = ()) -> Mapping[str, str]:
    project = load_project(shop.root / "bake.toml", {})
    plan = make_plan(project, Request(platforms=platforms))
    found = load_marks(project, plan, load_inputs(project, plan, render(project, plan)), resolve)
    return {target: mark.tag for target, mark in found.items()}


def config(shop: GitWorkspace, text: str) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text()}\n{text}\n")


ALL, API, WEB = {"api", "web"}, {"api"}, {"web"}


@pytest.mark.parametrize(
    ("change", "images"),
    [
        pytest.param(lambda s: s.write("services/web/src/index.ts", "export const x = 1;\n"), WEB, id="a source"),
        pytest.param(lambda s: s.write("services/web/src/new.ts", ""), WEB, id="a new source"),
        pytest.param(lambda s: (s.root / "services/web/src/index.ts").unlink(), WEB, id="a source less"),
        pytest.param(lambda s: (s.root / "services/web/src/index.ts").chmod(0o755), WEB, id="a source's mode"),
        pytest.param(lambda s: s.write("packages/types/src/index.ts", "export type X = 1;\n"), API, id="a library"),
        pytest.param(lambda s: s.lock({"right": "1.0.1"}), WEB, id="a dependency"),
        pytest.param(lambda s: s.lock({"deep": "1.0.1"}), ALL, id="a dependency of a dependency"),
        pytest.param(lambda s: s.lock({"tsc-like": "1.0.1"}), ALL, id="the compiler"),
        pytest.param(lambda s: s.write("tsconfig.base.json", '{"a": 1}'), ALL, id="a root file"),
        pytest.param(lambda s: s.replace("bake.toml", '"local"', '"shop.example"'), WEB, id="an argument"),
        pytest.param(lambda s: config(s, "[workspace.environment]\nTZ = 'UTC'"), ALL, id="a variable of builds"),
        pytest.param(lambda s: s.replace("bake.toml", "dist/server.js", "dist/main.js"), API, id="a command"),
        pytest.param(lambda s: config(s, "[labels]\nteam = 'shop'"), ALL, id="a label"),
        pytest.param(lambda s: config(s, "[base]\nruntime = 'node:22-slim'"), ALL, id="the base"),
        pytest.param(lambda s: config(s, "[base]\nbuild = 'node:22'"), ALL, id="the Node version of builds"),
        pytest.param(lambda s: config(s, "[attestations]\nprovenance = 'min'"), ALL, id="an attestation"),
        pytest.param(lambda s: s.write(".npmrc", "legacy-peer-deps=true\n"), ALL, id="a setting in .npmrc"),
        pytest.param(lambda s: s.write(".npmrc", "//registry.example/:_authToken=1\n"), set(), id="a token in .npmrc"),
        pytest.param(lambda s: s.write("patches/left+1.0.0.patch", "another\n"), API, id="a patch"),
        pytest.param(lambda s: s.write("README.md", "# Ours\n"), set(), id="a document"),
        pytest.param(lambda s: s.git("commit", "-q", "--allow-empty", "-m", "more"), set(), id="a commit"),
        pytest.param(lambda s: config(s, "[smoke]\ngrace = 5"), set(), id="a key of another command"),
    ],
)
def test_every_kind_of_change_gives_the_images_that_it_is_in_another_tag_and_no_other(
    shop: GitWorkspace, change: Change, images: set[str]
) -> None:
    before = marks(shop)
    assert marks(shop) == before
    change(shop)
    after = marks(shop)
    assert {target for target in before if before[target] != after[target]} == images
    shop.git("checkout", "-q", "--", ".")
    shop.git("clean", "-q", "-f", "-d")
    assert marks(shop) == before


def test_a_base_image_whose_tag_moved_gives_another_tag_and_one_nobody_knows_gives_none(
    shop: GitWorkspace,
) -> None:
    assert not set(marks(shop, moved("a")).values()) & set(marks(shop, moved("b")).values())
    assert marks(shop, lambda _: {}) == {}


def test_another_packing_of_layers_gives_another_tag(shop: GitWorkspace) -> None:
    before = marks(shop)
    config(shop, '[layers]\ncompression = "zstd"')
    assert not set(before.values()) & set(marks(shop).values())


def test_platforms_give_another_tag(shop: GitWorkspace) -> None:
    assert not set(marks(shop).values()) & set(marks(shop, platforms=("linux/arm64",)).values())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("docker/carve/package.mjs", "import", "\nimport"),
        ("docker/Dockerfile", "2000-01-01", "2001-01-01"),
        ("docker/Dockerfile", "USER", "STOPSIGNAL 15\nUSER"),
    ],
)
def test_another_bake_gives_another_tag_where_it_builds_in_another_way(
    shop: GitWorkspace, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str
) -> None:
    before, real = marks(shop), templates.template_text
    monkeypatch.setattr("bake.__version__", "9.9.9")
    assert marks(shop) == before

    def other(asked: str) -> str:
        text = real(asked)
        assert asked != name or old in text
        return text.replace(old, new) if asked == name else text

    for module in (files, filling):
        monkeypatch.setattr(module, "template_text", other)
    after = marks(shop)
    assert {t for t in before if before[t] != after[t]} == {"api", "web"}


def test_templates_of_the_workspaces_own_can_read_anything_so_nothing_is_there(shop: GitWorkspace) -> None:
    shop.write(".bake-templates/docker/Dockerfile", "FROM scratch\n")
    assert marks(shop) == {}


def test_a_mark_is_true_of_the_base_images_that_buildkit_took() -> None:
    mark = Mark(tag="content-1", bases={"node:24": "sha256:" + "a" * 64})
    for taken, true in (("a", True), ("b", False)):
        progress = Progress()
        name = f"[api 1/2] FROM docker.io/library/node:24@sha256:{taken * 64}"
        progress.feed(json.dumps({"vertexes": [{"digest": "sha256:1", "name": name}]}))
        assert mark.is_true(progress.bases()) is true
    assert not mark.is_true({})


def present(registry: MemoryRegistry, platforms: Sequence[str]) -> list[str]:
    uploads = [Upload(image=n, repository=f"{registry.host}/acme/{n}", tags=("main",)) for n in ("api", "web")]
    known = {n: Mark(tag=f"content-{n}", bases={}) for n in ("api", "web")}
    return [u.there for u in load_present(registry.client(), uploads, known, platforms)]


def test_an_image_is_there_when_its_tag_is_there_for_every_platform() -> None:
    with memory_registry() as registry:
        digest = registry.image("acme/web", revision="", created="")
        registry.tags["acme/web", "content-web"] = digest
        assert present(registry, ["linux/amd64", "linux/arm64"]) == ["", digest]
        assert present(registry, ["linux/s390x"]) == ["", ""]


def test_a_registry_that_denies_what_is_not_there_has_not_got_it() -> None:
    def deny(asked: Asked) -> Answer | None:
        return Answer(status=403) if "/acme/api/" in asked.path else None

    with memory_registry() as registry:
        registry.before = deny
        digest = registry.image("acme/web", revision="", created="")
        registry.tags["acme/web", "content-web"] = digest
        assert present(registry, ["linux/amd64"]) == ["", digest]
