"""What builds get of the libraries that they need, and why."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.engine import Progress, Step
from bake.inputs import Handed, handed, keep_undeclared, load_undeclared
from bake.plan import Request, make_plan
from bake.project import load_project
from tests.plant import plant

CONFIG = '[project]\nname = "shop"\n\n[services.api]\npackage = "apps/api"\ncommand = "node dist/main.js"\n'
COMPOSITE = {"compilerOptions": {"composite": True, "rootDir": "src", "outDir": "dist"}, "include": ["src"]}


def given(
    root: Path,
    *,
    build: str = "tsc -b",
    library: str = "tsc -b",
    more: str = "",
    versions: tuple[str, str] = ("5.9.2", "5.9.2"),
    said: Mapping[str, str] | None = None,
) -> tuple[Handed, ...]:
    """What is handed to the build of api, which needs lib."""
    manifests: dict[str, dict[str, Any]] = {
        "apps/api": {"name": "api", "dependencies": {"lib": "1.0.0"}, "scripts": {"build": build}},
        "packages/lib": {"name": "lib", "scripts": {"build": library}},
    }
    workspace = {"name": "shop", "workspaces": ["apps/*", "packages/*"], "devDependencies": {"typescript": "*"}}
    links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in manifests.items()}
    compilers = {
        "node_modules/typescript": {"version": versions[0], "dev": True},
        "packages/lib/node_modules/typescript": {"version": versions[1], "dev": True},
    }
    numbered = {path: {**m, "version": "1.0.0"} for path, m in manifests.items()}
    lock = {"lockfileVersion": 3, "packages": {"": workspace, **numbered, **links, **compilers}}
    files: dict[str, Any] = {"package.json": workspace, "package-lock.json": lock}
    for path, manifest in numbered.items():
        files |= {f"{path}/package.json": manifest, f"{path}/src/main.ts": "export {};"}
        files[f"{path}/tsconfig.json"] = COMPOSITE
    files["apps/api/tsconfig.json"] = {**COMPOSITE, "references": [{"path": "../../packages/lib"}]}
    plant(root, files)
    (root / "bake.toml").write_text(CONFIG + more, encoding="utf-8")
    plan = make_plan(load_project(root / "bake.toml", {}), Request())
    return handed(plan, plan.images[0], said or {})


def test_a_build_that_only_compiles_gets_declarations(tmp_path: Path) -> None:
    assert given(tmp_path) == (Handed(package="apps/api", needs=("packages/lib",)),)
    known = given(tmp_path, said={"packages/lib": "they do not stand alone"})
    assert known == (Handed(package="apps/api", needs=("packages/lib",), why="they do not stand alone"),)


OFF = '[packages."packages/lib"]\ndeclarations = false\n'


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"build": "tsc -b && webpack"}, "the build of apps/api does more than compile"),
        ({"library": "rollup -c"}, "the build of packages/lib does more than compile"),
        ({"more": OFF}, 'packages."packages/lib".declarations = false'),
        ({"build": "tsc -b && cp ../../packages/lib/dist/x dist/"}, "it reads more than declarations there"),
        ({"versions": ("5.9.2", "5.8.3")}, "it is compiled by another TypeScript"),
        (
            {"build": "tsc -b --clean && tsc -b", "versions": ("5.5.4", "5.5.4")},
            "its TypeScript, before 5.6, checks again what it compiles again",
        ),
        ({"build": "tsc -b --clean && tsc -b"}, ""),
        ({"versions": ("5.5.4", "5.5.4")}, ""),
    ],
)
def test_a_build_that_gets_all_of_a_library_says_why(tmp_path: Path, case: Mapping[str, Any], why: str) -> None:
    assert given(tmp_path, **case) == (Handed(package="apps/api", needs=("packages/lib",), why=why),)


def test_what_the_steps_said_is_kept_until_they_say_something_else(tmp_path: Path) -> None:
    def ran(*lines: str) -> None:
        progress = Progress()
        log = [f"{line}\n" for line in lines]
        progress.steps["1"] = Step(digest="1", name="", stage="declared-build-packages-lib", log=log)
        keep_undeclared(tmp_path, progress)

    handing = "packages that only compile get"
    ran(
        f"packages/lib: {handing} all of it: its declarations do not stand alone (x)",
        f"packages/b: {handing} its declarations",
    )
    assert load_undeclared(tmp_path) == {"packages/lib": "its declarations do not stand alone (x)"}
    ran(f"packages/c: {handing} all of it: why")
    assert load_undeclared(tmp_path).keys() == {"packages/lib", "packages/c"}
    ran(f"packages/lib: {handing} its declarations")
    assert json.loads((tmp_path / "history.json").read_text())["declared"] == {"packages/c": "why"}
