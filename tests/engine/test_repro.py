"""Building twice: the same bytes where nothing is random, else the file that is."""

import json
from collections.abc import Callable, Mapping

import pytest

from bake.registry import Registry
from tests.engine.buildkit_port import buildkit_port
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine


def add(workspace: Workspace, text: str, build: str) -> None:
    """A static service whose build runs a script."""
    manifest = {"name": "@tiny/site", "version": "1.0.0", "scripts": {"build": build}}
    workspace.write("services/site/package.json", json.dumps(manifest))
    lock = json.loads((workspace.root / "package-lock.json").read_text())
    lock["packages"]["services/site"] = {"name": "@tiny/site", "version": "1.0.0"}
    lock["packages"]["node_modules/@tiny/site"] = {"resolved": "services/site", "link": True}
    workspace.write("package-lock.json", json.dumps(lock))
    workspace.write("services/site/make.mjs", text)
    config = (workspace.root / "bake.toml").read_text()
    workspace.write("bake.toml", f'{config}\n[services.site]\npackage = "services/site"\nstatic = "dist"\n')
    workspace.commit("Add a site")


MAKE = "import {{mkdirSync, writeFileSync}} from 'node:fs'; mkdirSync('dist'); writeFileSync('dist/index.html', {});"


def test_images_of_the_same_sources_are_the_same_bytes(tiny_workspace: Workspace) -> None:
    add(tiny_workspace, MAKE.format("'hello'"), "node make.mjs")

    done = tiny_workspace.bake("repro", "--format", "json", "-q")

    found = json.loads(done.stdout)
    assert {t: [(c["platform"], c["differences"]) for c in one] for t, one in found.items()} == {
        t: [("linux/amd64", [])] for t in ("api", "worker", "site")
    }
    assert done.returncode == 0


def test_a_file_that_a_build_makes_anew_each_time_is_named(tiny_workspace: Workspace) -> None:
    add(tiny_workspace, MAKE.format("String(Math.random())"), "node make.mjs")

    done = tiny_workspace.bake("repro", "site", "--format", "json", "-q")

    (platform,) = json.loads(done.stdout)["site"]
    (difference,) = [d for d in platform["differences"] if d["layer"] != "configuration"]
    assert (difference["path"], "content" in difference["what"]) == ("app/services/site/dist/index.html", True)
    assert done.returncode == 1


def built(workspace: Workspace, *words: str) -> Mapping[str, str]:
    """Image -> the digest that a build gives it."""
    done = workspace.bake("all", "--format", "json", "-q", *words)
    assert done.returncode == 0, done.stderr
    return {row["image"]: row["digest"] for row in json.loads(done.stdout)["images"]}


def test_a_digest_follows_the_inputs_and_neither_commit_nor_cache_nor_where_the_image_goes(
    tiny_workspace: Workspace, registry: Registry, forget: Callable[[str], None]
) -> None:
    for service in ("api", "worker"):
        forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-{service}")
    first = built(tiny_workspace)
    tiny_workspace.git("commit", "--quiet", "--allow-empty", "--message", "Nothing", "--date", "2033-01-01T00:00:00Z")

    assert built(tiny_workspace, "--force") == built(tiny_workspace, "--no-cache") == first
    assert built(tiny_workspace, "--push") == first
    config = (tiny_workspace.root / "bake.toml").read_text()
    with buildkit_port() as endpoint:
        node = f'[builder.nodes.a]\nendpoint = "{endpoint}"\n'
        name = f'[builder]\nname = "{tiny_workspace.project}"\ndriver = "remote"\n'
        tiny_workspace.write("bake.toml", f"{config}\n{name}{node}")
        try:
            assert tiny_workspace.bake("builder", "up").returncode == 0
            assert built(tiny_workspace, "--force") == built(tiny_workspace, "--push") == first
        finally:
            tiny_workspace.bake("builder", "down")
    tiny_workspace.write("bake.toml", config)

    edited = (tiny_workspace.root / "services/worker/index.js").read_text() + "// a comment\n"
    tiny_workspace.write("services/worker/index.js", edited)
    second = built(tiny_workspace)
    assert (second["api"] == first["api"], second["worker"] == first["worker"]) == (True, False)
