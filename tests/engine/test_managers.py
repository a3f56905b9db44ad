"""Images of one workspace under pnpm, yarn 4 and yarn 1: installed by the manager itself, tried as containers."""

import json
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from bake.plan import closure
from bake.workspace import load_workspace
from tests.engine.conftest import Workspace
from tests.shelf import write_shelf

pytestmark = pytest.mark.engine

API = {"day": 86400000, "crc": zlib.crc32(b"shelf"), "old": "2.0.0"}
WORKER = {"day": 86400000, "ms": "2.0.0"}

# Every package and link in the node_modules folders of an image; commands and pnpm's own extra links left out.
_LISTING = """
const { existsSync, lstatSync, readdirSync } = require('node:fs');
const visit = (folder) => {
  for (const each of readdirSync('/app/' + folder, { withFileTypes: true })) {
    const path = folder ? `${folder}/${each.name}` : each.name;
    const parent = folder.split('/').filter((name) => !name.startsWith('@')).at(-1);
    if (each.name === '.bin' || path === 'node_modules/.pnpm/node_modules') continue;
    const installed = parent === 'node_modules' && existsSync(`/app/${path}/package.json`);
    if (each.isSymbolicLink() || installed) console.log(path);
    if (each.isDirectory()) visit(path);
  }
};
visit('');
"""


@dataclass(frozen=True)
class Shelf:
    """The fixture workspace under one manager."""

    workspace: Workspace

    def run(self, service: str, *command: str) -> str:
        """What a container of the service prints."""
        listed = ["docker", "image", "ls", "--quiet", f"{self.workspace.project}-{service}"]
        image = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()[0]
        words = ["docker", "run", "--rm", "--read-only", image, *command]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def closure(self, package: str) -> list[str]:
        """What the lockfile says that the service's image holds."""
        lock = load_workspace(self.workspace.root).lock
        return list(closure(lock, package, platforms=("linux/amd64",), libc="glibc").entries)


@pytest.fixture
def shelf(request: pytest.FixtureRequest, tmp_path: Path, project_name: str) -> Shelf:
    manager, _, linker = str(request.param).partition(" ")
    workspace = Workspace(root=tmp_path / "workspace", project=project_name)
    write_shelf(workspace.root, manager)
    if linker:
        workspace.write(".npmrc", f"node-linker={linker}\n")
    services = "".join(f'[services.{name}]\npackage = "services/{name}"\n' for name in ("api", "worker"))
    workspace.write("bake.toml", f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\n{services}')
    workspace.write(".gitignore", "node_modules\ndist\n.bake\n")
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit()
    return Shelf(workspace)


@pytest.mark.parametrize("shelf", ["pnpm", "pnpm hoisted", "berry", "classic"], indirect=True)
def test_images_hold_the_closure_of_the_lockfile_and_run(shelf: Shelf) -> None:
    done = shelf.workspace.bake("all")
    assert done.returncode == 0, done.stderr
    assert json.loads(shelf.run("api")) == API
    assert json.loads(shelf.run("worker")) == WORKER
    for service in ("api", "worker"):
        found = shelf.run(service, "node", "-e", _LISTING).split()
        assert sorted(found) == sorted(shelf.closure(f"services/{service}"))


@pytest.mark.parametrize("shelf", ["pnpm", "berry", "classic"], indirect=True)
def test_a_manifest_that_the_lockfile_does_not_know_stops_the_build(shelf: Shelf) -> None:
    manifest = shelf.workspace.root / "services/worker/package.json"
    changed = json.loads(manifest.read_text(encoding="utf-8"))
    changed["dependencies"]["ms"] = "^2.0.0"
    manifest.write_text(json.dumps(changed), encoding="utf-8")
    shelf.workspace.commit()
    done = shelf.workspace.bake("worker")
    assert done.returncode != 0
    assert any(
        sign in done.stderr
        for sign in (
            "ERR_PNPM_OUTDATED_LOCKFILE",
            "The lockfile would have been modified",
            "ms@^2.0.0 is not in yarn.lock",
        )
    )
