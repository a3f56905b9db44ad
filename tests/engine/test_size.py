"""A heavy package is caught, and only what it changes is built, on a real engine and registry."""

import json
import random

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

HEAVY = 20_000_000


def add_heavy(workspace: Workspace) -> None:
    """Make `api` need a new library with 20 MB of data that does not compress."""
    heavy = {"name": "@tiny/heavy", "version": "1.0.0", "main": "index.js"}
    workspace.write("libraries/heavy/package.json", json.dumps(heavy))
    # Of this run alone: a step that an earlier run left in the engine's cache would not run.
    workspace.write("libraries/heavy/index.js", f"exports.weight = '20 MB of {workspace.project}';\n")
    (workspace.root / "libraries/heavy/data.bin").write_bytes(random.Random(6).randbytes(HEAVY))
    api = json.loads((workspace.root / "services/api/package.json").read_text())
    api["dependencies"]["@tiny/heavy"] = "1.0.0"
    workspace.write("services/api/package.json", json.dumps(api))
    lock = json.loads((workspace.root / "package-lock.json").read_text())
    lock["packages"]["services/api"] = api
    lock["packages"]["libraries/heavy"] = heavy
    lock["packages"]["node_modules/@tiny/heavy"] = {"resolved": "libraries/heavy", "link": True}
    workspace.write("package-lock.json", json.dumps(lock))


def test_a_package_of_20_mb_is_caught_and_builds_its_image_only(tiny_workspace: Workspace) -> None:
    config = (tiny_workspace.root / "bake.toml").read_text()
    tiny_workspace.write("bake.toml", f'{config}\n[budget]\nimage = "1 MB"\n')
    tiny_workspace.commit()
    pushed = tiny_workspace.bake("all", "--push", "--release", "releases/old.json")
    assert pushed.returncode == 0, pushed.stderr
    small = tiny_workspace.bake("size", "--pushed", "--format", "json")
    assert (small.returncode, json.loads(small.stdout)["over"]) == (0, []), small.stderr

    add_heavy(tiny_workspace)
    tiny_workspace.commit()
    assert tiny_workspace.bake("affected", "--since", "HEAD~1", "--format", "names").stdout == "api\n"
    built = tiny_workspace.bake("build", "--since", "HEAD~1", "--format", "json")
    assert built.returncode == 0, built.stderr
    assert [row["image"] for row in json.loads(built.stdout)["images"]] == ["api"]

    size = tiny_workspace.bake("size", "api", "--against", "releases/old.json", "--format", "json")
    assert size.returncode == 1, size.stderr
    report = json.loads(size.stdout)
    assert report["over"][0]["where"] == "budget.image"
    assert report["images"][0]["change"] > HEAVY
    largest = report["growth"][0]
    assert (largest["holder"], largest["images"]) == ("libraries/heavy", ["api"])
    assert largest["via"] == ["services/api", "node_modules/@tiny/heavy", "libraries/heavy"]
    assert largest["bytes"] > HEAVY

    why = tiny_workspace.bake("why", "api").stdout
    assert "its last build first ran" in why
    assert "source: services/api/package.json" in why
    assert "libraries/heavy" in tiny_workspace.bake("inspect", "api", "libraries/heavy").stdout
