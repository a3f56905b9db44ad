"""patch-package's patches in images and in builds, from a registry's real packages."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

_MS = """\
diff --git a/node_modules/ms/index.js b/node_modules/ms/index.js
--- a/node_modules/ms/index.js
+++ b/node_modules/ms/index.js
@@ -160,3 +160,4 @@ function plural(ms, msAbs, n, name) {
   var isPlural = msAbs >= n * 1.5;
   return Math.round(ms / n) + ' ' + name + (isPlural ? 's' : '');
 }
+module.exports.patched = '%s';
"""
_IS_NUMBER = """\
diff --git a/node_modules/is-number/index.js b/node_modules/is-number/index.js
--- a/node_modules/is-number/index.js
+++ b/node_modules/is-number/index.js
@@ -16,3 +16,4 @@
   }
   return false;
 };
+module.exports.patched = true;
"""


@pytest.fixture
def shop(tmp_path: Path, project_name: str) -> Workspace:
    """`api` needs ms; the root has patch-package, and is-number for development, which is patched too."""
    workspace = Workspace(root=tmp_path / "shop", project=project_name)
    root = {
        "name": "shop",
        "private": True,
        "workspaces": ["services/*"],
        "scripts": {"postinstall": "patch-package"},
        "devDependencies": {"patch-package": "8.0.0", "is-number": "7.0.0"},
    }
    build = "node -e \"require('node:fs').writeFileSync('built.txt', require('ms').patched)\""
    api = {"name": "@shop/api", "version": "1.0.0", "scripts": {"build": build}, "dependencies": {"ms": "2.1.3"}}
    workspace.write("package.json", json.dumps(root))
    workspace.write("services/api/package.json", json.dumps(api))
    workspace.write("services/api/index.js", "console.log(require('ms').patched);\n")
    workspace.write(".gitignore", "node_modules\n.bake\n")
    config = f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\n'
    workspace.write("bake.toml", f'{config}[services.api]\npackage = "services/api"\ncommand = "node index.js"\n')
    workspace.write("patches/ms+2.1.3.patch", _MS % "one")
    workspace.write("patches/is-number+7.0.0.patch", _IS_NUMBER)
    workspace.lock()
    workspace.git("init", "--quiet", "--initial-branch", "main")
    return workspace


def said(workspace: Workspace, *command: str) -> str:
    words = ["docker", "run", "--rm", "--read-only", f"{workspace.project}-api:t", *command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def built(workspace: Workspace) -> str:
    done = workspace.bake("api", "--tag", "t", "--verbose")
    assert done.returncode == 0, done.stderr
    return done.stderr


INSTALLS = ("workspace", "production dependencies")


def cached(log: str, stage: str, step: str) -> bool:
    line = next(line for line in log.splitlines() if line.startswith(f"{stage}: {step}"))
    return line.endswith("[cached]")


def test_images_and_builds_have_the_patches_and_the_installs_are_kept(shop: Workspace) -> None:
    shop.commit()
    built(shop)
    assert (said(shop), said(shop, "cat", "built.txt")) == ("one", "one")

    shop.write("services/api/index.js", "console.log(require('ms').patched, 'edited');\n")
    log = built(shop)
    assert said(shop) == "one edited"
    assert all(cached(log, s, step) for s in INSTALLS for step in ("npm ci", "patches"))

    two = f"two of {shop.project}"  # no earlier run has applied it
    shop.write("patches/ms+2.1.3.patch", _MS % two)
    affected = shop.bake("affected", "--since", "HEAD", "--format", "json").stdout
    assert "patches/ms+2.1.3.patch" in [reason["what"] for reason in json.loads(affected)["api"]]
    log = built(shop)
    assert (said(shop), said(shop, "cat", "built.txt")) == (f"{two} edited", two)
    assert all(cached(log, stage, "npm ci") for stage in INSTALLS)
    assert not any(cached(log, stage, "patches") for stage in INSTALLS)


def test_a_patch_that_does_not_fit_stops_the_build(shop: Workspace) -> None:
    shop.write("patches/ms+2.1.3.patch", _MS.replace("isPlural ?", "isSingular ?") % "one")
    shop.commit()
    done = shop.bake("api", "--tag", "t")
    assert done.returncode != 0
    assert "Failed to apply patch for package ms" in done.stderr
