"""Building twice: the same bytes where nothing is random, else the file that is."""

import json

import pytest

from tests.engine.conftest import Workspace

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
