"""Builds that get only the dependencies they can reach: an update runs again what uses it, and nothing else."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

DEPENDENCIES = {"services/api": {"ms": "2.1.2"}, "services/web": {"once": "1.4.0"}}
BUILD = "node -e \"require('{name}'); require('node:fs').writeFileSync('index.js', 'console.log(1)')\""
LOCK = {
    "npm": ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit"],
    "pnpm": ["npx", "--yes", "pnpm@10.15.1", "install", "--lockfile-only"],
    "yarn": ["npx", "--yes", "yarn@1.22.22", "install", "--ignore-scripts", "--no-progress"],
}


@pytest.fixture
def workspace(tmp_path: Path, project_name: str) -> Workspace:
    made = Workspace(root=tmp_path / "workspace", project=project_name)
    for path, dependencies in DEPENDENCIES.items():
        made.write(f"{path}/own.js", f"// of {project_name} alone: no earlier run has built this\n")
        write(made, path, dependencies, build=BUILD.format(name=next(iter(dependencies))))
    services = "".join(f'[services.{s}]\npackage = "services/{s}"\n' for s in ("api", "web"))
    made.write("bake.toml", f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\n{services}')
    made.write(".gitignore", "node_modules\n.bake\n")
    return made


def write(workspace: Workspace, path: str, dependencies: Mapping[str, str], *, build: str) -> None:
    name = path.rpartition("/")[2]
    manifest = {"name": f"@t/{name}", "version": "1.0.0", "main": "index.js", "scripts": {"build": build}}
    workspace.write(f"{path}/package.json", json.dumps(manifest | {"dependencies": dependencies}))


def lock(workspace: Workspace, manager: str) -> None:
    root = {"name": workspace.project, "version": "1.0.0", "private": True, "workspaces": ["services/*"]}
    if manager != "npm":
        root["packageManager"] = {"pnpm": "pnpm@10.15.1", "yarn": "yarn@1.22.22"}[manager]
    workspace.write("package.json", json.dumps(root))
    if manager == "pnpm":
        workspace.write("pnpm-workspace.yaml", "packages: ['services/*']\n")
    subprocess.run(LOCK[manager], cwd=workspace.root, check=True, capture_output=True)


def ran(workspace: Workspace) -> set[str]:
    """The stages of which a build ran steps."""
    done = workspace.bake("all", "--format", "json")
    assert done.returncode == 0, done.stderr
    images: list[dict[str, Any]] = json.loads(done.stdout)["images"]
    return {s["stage"] for i in images for s in i["stages"] if s["ran"]}


@pytest.mark.parametrize("manager", ["npm", "pnpm"])
def test_an_update_builds_again_only_what_uses_it(workspace: Workspace, manager: str) -> None:
    lock(workspace, manager)
    ran(workspace)
    write(workspace, "services/api", {"ms": "2.1.3"}, build=BUILD.format(name="ms"))
    lock(workspace, manager)
    again = ran(workspace)
    assert {stage for stage in again if stage.startswith(("build-services", "out-"))} == {
        "build-services-api",
        "out-services-api",
    }
    assert {"install", "build-dependencies"} <= again


def test_yarn_1_builds_again_what_an_update_concerns(workspace: Workspace) -> None:
    lock(workspace, "yarn")
    ran(workspace)
    write(workspace, "services/api", {"ms": "2.1.3"}, build=BUILD.format(name="ms"))
    lock(workspace, "yarn")
    # No more than that: yarn 1 has been seen to install what makes the other build run too.
    assert {"build-services-api", "out-services-api", "build-dependencies"} <= ran(workspace)


def test_a_build_that_hides_what_it_loads_is_told_the_key(workspace: Workspace) -> None:
    hidden = "node -e \"require(['m', 's'].join(''))\""
    write(workspace, "services/web", {"once": "1.4.0"}, build=hidden)
    lock(workspace, "npm")
    done = workspace.bake("web")
    assert done.stderr.splitlines()[-1] == (
        "bake: error: services/web: `npm run build` failed with exit code 1; it needs ms: declare it in "
        'services/web/package.json, or add it to packages."services/web".needs'
    )
    config = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    workspace.write("bake.toml", f'{config}[packages."services/web"]\nneeds = ["ms"]\nfiles = ["*.json", "*.js"]\n')
    workspace.write("services/web/index.js", "")
    assert workspace.bake("web").returncode == 0
