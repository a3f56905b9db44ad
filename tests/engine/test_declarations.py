"""Builds that only compile get declarations of libraries: an edit inside a function rebuilds its own package alone."""

import json
import subprocess
from typing import Any

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

OPTIONS = {"target": "ES2020", "module": "CommonJS", "rootDir": "src", "outDir": "dist", "types": [], "strict": True}
REFERENCED = {**OPTIONS, "composite": True, "declarationMap": True, "baseUrl": "../.."}
PATHS = {"paths": {"@t/*": ["packages/*/src"]}}
LIB = """
import { base } from '@t/base';
export class Greeter { private name = base; greet(): string { return `hello ${this.name}`; } }
export enum Mood { Good = 'good' }
export const make = () => new Greeter();
export default class { count = 0; }
"""
USE = "import { make, Mood } from '@t/lib'; console.log(make().greet(), Mood.Good);\n"
PACKAGES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "packages/base": ("export const base = 'base';\n", REFERENCED, []),
    "packages/lib": (LIB, {**REFERENCED, **PATHS}, ["base"]),
    "services/refers": (USE, {**REFERENCED, **PATHS}, ["lib"]),
    "services/plain": (USE, OPTIONS, []),
}


PNPM = "pnpm@10.15.1"


@pytest.fixture(params=["npm"])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, project_name: str) -> Workspace:
    pnpm = request.param == "pnpm"
    made = Workspace(root=tmp_path_factory.mktemp("w") / "workspace", project=project_name)
    root = {"name": "t", "version": "1.0.0", "private": True, "workspaces": ["packages/*", "services/*"]}
    if pnpm:
        root["packageManager"] = PNPM
        made.write("pnpm-workspace.yaml", "packages: ['packages/*', 'services/*']\n")
    made.write("package.json", json.dumps({**root, "devDependencies": {"typescript": "5.9.2"}}))
    for path, (text, options, references) in PACKAGES.items():
        name = path.rpartition("/")[2]
        needs = {"packages/base": [], "packages/lib": ["base"]}.get(path, ["lib"])
        manifest = {
            "name": f"@t/{name}",
            "version": "1.0.0",
            "main": "dist/index.js",
            "types": "dist/index.d.ts",
            # A build that cleans compiles what stands for its libraries' sources.
            "scripts": {"build": {"refers": "tsc -b --clean && tsc -b", "plain": "tsc"}.get(name, "tsc -b")},
            "dependencies": {f"@t/{need}": "workspace:*" if pnpm else "1.0.0" for need in needs},
        }
        config = {
            "compilerOptions": options,
            "include": ["src"],
            "references": [{"path": f"../../packages/{one}"} for one in references],
        }
        made.write(f"{path}/package.json", json.dumps(manifest))
        made.write(f"{path}/tsconfig.json", json.dumps(config))
        made.write(f"{path}/src/index.ts", text)
    # No earlier run has built this: what is unique is in the declarations too.
    made.write("packages/base/src/own.ts", f"export const own = '{project_name}';\n")
    made.write(".gitignore", "node_modules\n.bake\ndist\n")
    services = "".join(
        f'[services.{s}]\npackage = "services/{s}"\ncommand = "node dist/index.js"\n' for s in ("refers", "plain")
    )
    made.write("bake.toml", f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\n{services}')
    if pnpm:
        words = ["npx", "--yes", PNPM, "install", "--lockfile-only"]
        subprocess.run(words, cwd=made.root, check=True, capture_output=True)
    else:
        made.lock()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("Begin")
    return made


def build(workspace: Workspace) -> tuple[set[str], dict[str, str]]:
    """The stages of builds of which steps ran, and the digest of every image."""
    done = workspace.bake("all", "--format", "json")
    assert done.returncode == 0, done.stderr
    images: list[dict[str, Any]] = json.loads(done.stdout)["images"]
    ran = {s["stage"] for i in images for s in i["stages"] if s["ran"] and s["stage"].startswith("build-")}
    return ran - {"build-dependencies"}, {i["image"]: i["digest"] for i in images}


def test_an_edit_inside_a_function_builds_its_package_alone_and_gives_what_a_whole_build_gives(
    workspace: Workspace,
) -> None:
    everything, begun = build(workspace)
    services = {"build-services-refers", "build-services-plain"}
    assert services < everything
    workspace.write("packages/lib/src/index.ts", LIB.replace("hello", "goodbye"))
    inside, edited = build(workspace)
    assert inside == {"build-packages-lib"}
    assert all(begun[target] != edited[target] for target in begun)
    workspace.write("packages/lib/src/index.ts", LIB.replace("hello", "goodbye") + "export const more = 1;\n")
    declared, _ = build(workspace)
    assert declared == {"build-packages-lib", *services}
    # The same without it.
    workspace.write("packages/lib/src/index.ts", LIB.replace("hello", "goodbye"))
    config = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    off = "".join(f'[packages."packages/{name}"]\ndeclarations = false\n' for name in ("base", "lib"))
    workspace.write("bake.toml", config + off)
    again, whole = build(workspace)
    assert services < again
    assert whole == edited


@pytest.mark.parametrize("workspace", ["pnpm"], indirect=True)
def test_declarations_do_where_each_package_has_links_of_its_own(workspace: Workspace) -> None:
    build(workspace)
    workspace.write("packages/lib/src/index.ts", LIB.replace("hello", "goodbye"))
    inside, _ = build(workspace)
    assert inside == {"build-packages-lib"}
