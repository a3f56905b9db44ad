"""Builds in images give what builds in a clone give: files that installs and builds read, wherever they lie."""

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

LOCK = {
    "npm": ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit"],
    "pnpm": ["npx", "--yes", "pnpm@10.15.1", "install", "--lockfile-only"],
    "berry": ["npx", "--yes", "-p", "@yarnpkg/cli-dist@4.9.2", "yarn", "install", "--mode=update-lockfile"],
    "classic": ["npx", "--yes", "yarn@1.22.22", "install", "--ignore-scripts", "--no-progress"],
}
NAMED = {"pnpm": "pnpm@10.15.1", "berry": "yarn@4.9.2", "classic": "yarn@1.22.22"}
WORKSPACES = ["apps/*", "packages/*", "tools/*"]

BUILD = """
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const text = (file) => readFileSync(file, 'utf8').trim();
const found = {
  brand: JSON.parse(text('../../package.json')).config.brand,
  command: text('dist/command.txt'),
  env: process.env.FROM_FILE,
  generated: text('src/generated/schema.txt'),
  key: text('public.pem'),
  outside: text('../../proto/hello.proto'),
  readme: text('README.md'),
  root: text('dist/root.txt'),
  sha: process.env.GIT_SHA,
  shared: text('src/shared/name.txt'),
};
writeFileSync('dist/main.js', `console.log(JSON.stringify({
  ...${JSON.stringify(found)}, sheet: require('sheet'), table: require('@kinds/table') }))`);
"""
GEN = "#!/usr/bin/env node\nrequire('node:fs').mkdirSync('dist', { recursive: true });\n"
FILES = {
    ".gitignore": "node_modules\ndist\ngenerated\n.bake\n.yarn\n",
    "proto/hello.proto": "service Greeter\n",
    "shared/name.txt": "shared\n",
    "turbo.json": json.dumps({"tasks": {"build": {"dependsOn": ["^build", "codegen"]}}}),
    "apps/api/.env": "FROM_FILE=tracked\n",
    "apps/api/README.md": "# api\n",
    "apps/api/public.pem": "public\n",
    "apps/api/build.mjs": BUILD,
    "apps/api/codegen.mjs": "import fs from 'node:fs';\nfs.cpSync('schema.txt', 'src/generated/schema.txt');\n",
    "apps/api/schema.txt": "schema 3\n",
    "tools/gen/bin/gen.js": f"{GEN}require('node:fs').writeFileSync('dist/command.txt', 'shop-gen');\n",
    "packages/table/build.mjs": "import fs from 'node:fs';\nfs.mkdirSync('dist');\n"
    "fs.writeFileSync('dist/package.json', '{\"main\": \"./main.js\"}');\n"
    "fs.writeFileSync('dist/main.js', 'module.exports = \"table\";');\n",
}
WANTED = {
    "brand": "Acme",
    "command": "shop-gen",
    "env": "tracked",
    "generated": "schema 3",
    "key": "public",
    "outside": "service Greeter",
    "readme": "# api",
    "root": "1.2.3",
    "shared": "shared",
    "sheet": "sheet",
    "table": "table",
}


def manifests(manager: str) -> Mapping[str, Any]:
    own = "workspace:*" if manager in {"pnpm", "berry"} else "1.0.0"
    # pnpm alone links the folder that a package publishes.
    table = {"publishConfig": {"directory": "dist", "linkDirectory": True}} if manager == "pnpm" else {}
    root = {"name": "kinds", "version": "7.3.0", "private": True, "config": {"brand": "Acme"}}
    root |= {"workspaces": WORKSPACES, "devDependencies": {"semver": "7.7.2"}}
    root |= {"packageManager": NAMED[manager]} if manager in NAMED else {}
    api = {
        "scripts": {
            "codegen": "node codegen.mjs",
            "build": "shop-gen && semver 1.2.3 > dist/root.txt && node --env-file=.env build.mjs",
        },
        "dependencies": {"sheet": "file:../../vendor/sheet-1.4.0.tgz", "@kinds/table": own, "@kinds/types": own},
        "devDependencies": {"@kinds/gen": own},
    }
    members: dict[str, dict[str, Any]] = {
        "apps/api": {"name": "@kinds/api", **api},
        "tools/gen": {"name": "@kinds/gen", "bin": {"shop-gen": "./bin/gen.js"}},
        "packages/table": {
            "name": "@kinds/table",
            "scripts": {"build": "node build.mjs"},
            "main": "dist/main.js",
            **table,
        },
        "packages/types": {"name": "@kinds/types", "types": "index.d.ts"},
    }
    return {"": root, **{path: {"version": "1.0.0", **about} for path, about in members.items()}}


def write_tarball(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = {"package.json": '{"name": "sheet", "version": "1.4.0"}', "index.js": "module.exports = 'sheet';"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in texts.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    # The same bytes in every run: yarn 1 keeps a package of that name and version for good.
    file.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


@pytest.fixture
def kinds(request: pytest.FixtureRequest, tmp_path: Path, project_name: str) -> Workspace:
    manager = str(request.param)
    made = Workspace(root=tmp_path / "workspace", project=project_name)
    more = {"packages/types/index.d.ts": "export interface Order { id: string }\n"}
    if manager == "pnpm":
        more["pnpm-workspace.yaml"] = "packages: ['apps/*', 'packages/*', 'tools/*']\n"
        more[".pnpmfile.cjs"] = "module.exports = { hooks: { readPackage: require('./tools/pins.cjs') } };\n"
        more["tools/pins.cjs"] = "module.exports = (about) => about;\n"
    if manager == "berry":
        more[".yarnrc.yml"] = "nodeLinker: node-modules\nenableImmutableInstalls: false\n"
    for path, text in {**FILES, **more}.items():
        made.write(path, text)
    for path, about in manifests(manager).items():
        made.write(f"{path}/package.json".lstrip("/"), json.dumps(about))
    (made.root / "apps/api/src").mkdir()
    (made.root / "apps/api/src/shared").symlink_to("../../../shared")
    write_tarball(made.root / "vendor/sheet-1.4.0.tgz")
    subprocess.run(LOCK[manager], cwd=made.root, check=True, capture_output=True)
    service = '[services.api]\npackage = "apps/api"\ncommand = "node dist/main.js"\n'
    asked = '[packages."apps/api".args]\nGIT_SHA = "{sha}"\n'
    made.write("bake.toml", f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\n{service}{asked}')
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", "--all", "--force", "--", ".", ":!node_modules", ":!*/node_modules", ":!.yarn")
    made.git("commit", "--quiet", "--message", "Begin")
    return made


@pytest.mark.parametrize("kinds", ["npm", "pnpm", "berry", "classic"], indirect=True)
def test_a_build_reads_what_it_reads_in_a_clone(kinds: Workspace) -> None:
    done = kinds.bake("all")
    assert done.returncode == 0, done.stderr
    listed = ["docker", "image", "ls", "--quiet", f"{kinds.project}-api"]
    image = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()[0]
    ran = subprocess.run(["docker", "run", "--rm", image], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {**WANTED, "sha": kinds.git("rev-parse", "HEAD")[:12]}
