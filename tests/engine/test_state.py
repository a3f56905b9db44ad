"""What a bundler keeps comes back, on another machine too, and images are the same as without."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

# Webpack's own cache, with which a second build takes the modules of the first.
BUILD = """
const webpack = require('webpack');
const fs = require('node:fs');
fs.rmSync('dist', { recursive: true, force: true });
const known = fs.existsSync('node_modules/.cache/webpack') ? 'known' : 'new';
const entry = Object.fromEntries(fs.readdirSync('src').map((name) => [name.slice(0, -3), `./src/${name}`]));
webpack({ mode: 'production', target: 'node', entry, cache: { type: 'filesystem' } }, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
  console.log(`the cache is ${known}`);
});
"""


@pytest.fixture
def workspace(tmp_path: Path, project_name: str) -> Workspace:
    made = Workspace(root=tmp_path / "workspace", project=project_name)
    root = {"name": "t", "version": "1.0.0", "private": True, "workspaces": ["services/*"]}
    made.write("package.json", json.dumps({**root, "devDependencies": {"webpack": "5.101.3"}}))
    manifest = {"name": "@t/web", "version": "1.0.0", "scripts": {"build": "node build.cjs"}}
    made.write("services/web/package.json", json.dumps(manifest))
    made.write("services/web/build.cjs", BUILD)
    made.write("services/web/src/main.js", f"console.log('{project_name}');\n")
    made.write("services/web/src/other.js", "console.log('other');\n")
    made.write(".gitignore", "node_modules\n.bake\ndist\n")
    service = '[services.web]\npackage = "services/web"\ncommand = "node dist/main.js"\n'
    project = f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\nregistry = "{REGISTRY}/bake-test"\n'
    made.write("bake.toml", f'{project}[cache]\nstate = true\nwrite = "always"\n{service}')
    made.lock()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("Begin")
    return made


def build(workspace: Workspace) -> tuple[str, str]:
    """The image's digest, and what the build said."""
    done = workspace.bake("all", "--verbose", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["images"][0]["digest"], done.stderr


def forget(workspace: Workspace) -> None:
    """Take away what the engine keeps of the workspace's builds, as if it were another one."""
    listed = subprocess.run(["docker", "buildx", "du", "--verbose"], capture_output=True, text=True, check=True).stdout
    records = [record for record in listed.split("\n\n") if f"bake-state-{workspace.project}-" in record]
    assert records
    for record in records:
        found = re.search(r"ID:\s+(\w+)", record)
        assert found is not None
        words = ["docker", "buildx", "prune", "--force", "--filter", f"id={found[1]}"]
        subprocess.run(words, capture_output=True, check=True)


def test_a_build_begins_with_what_the_last_one_kept_and_gives_the_same_image(workspace: Workspace) -> None:
    _, said = build(workspace)
    assert "the cache is new" in said
    forget(workspace)
    workspace.write("services/web/src/main.js", f"console.log('{workspace.project} again');\n")
    edited, said = build(workspace)
    assert "services/web: begins with what its last build kept" in said
    assert "the cache is known" in said
    (workspace.root / "services/web/src/other.js").unlink()
    removed, said = build(workspace)
    assert "begins without what its last build kept: services/web/src/other.js is gone" in said
    assert "the cache is new" in said
    config = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    workspace.write("bake.toml", f"{config}\n[workspace]\nstate = false\n")
    plain, said = build(workspace)
    assert "what its last build kept" not in said
    assert plain == removed
    workspace.write("services/web/src/other.js", "console.log('other');\n")
    assert build(workspace)[0] == edited
