"""What builds a package: its script, what runs first, and what others run for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.plan import Plan, Request, make_plan
from bake.project import load_project
from tests.plant import plant

CONFIG = '[project]\nname = "shop"\n\n[services.api]\npackage = "apps/api"\ncommand = "node dist/main.js"\n'
API: Mapping[str, Any] = {"name": "api", "version": "1.0.0", "dependencies": {"lib": "1.0.0"}}
LIB: Mapping[str, Any] = {"name": "lib", "version": "1.0.0"}
GEN: Mapping[str, Any] = {"name": "gen", "version": "1.0.0"}


def planned(
    root: Path, turbo: Mapping[str, Any], scripts: Mapping[str, Mapping[str, str]], build: str = "", more: str = ""
) -> Plan:
    manifests = {"apps/api": API, "packages/lib": LIB, "packages/gen": GEN}
    workspace = {"name": "shop", "workspaces": ["apps/*", "packages/*"], "scripts": {"build": build}}
    links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in manifests.items()}
    lock = {"lockfileVersion": 3, "packages": {"": workspace, **manifests, **links}}
    files: dict[str, Any] = {"package.json": workspace, "package-lock.json": lock, "turbo.json": {"tasks": turbo}}
    files |= {f"{path}/package.json": {**m, "scripts": scripts.get(path, {})} for path, m in manifests.items()}
    files |= {f"{path}/tsconfig.json": {} for path in manifests}
    plant(root, files)
    (root / "bake.toml").write_text(CONFIG + more, encoding="utf-8")
    return make_plan(load_project(root / "bake.toml", {}), Request())


def work(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {s.package: (*s.before, s.script) for s in plan.builds.stages if s.script}


BUILT = {"build": "tsc", "codegen": "gen"}


def test_tasks_run_before_the_build_of_their_package_and_of_those_it_needs(tmp_path: Path) -> None:
    turbo = {"build": {"dependsOn": ["^build", "codegen"]}, "codegen": {"dependsOn": ["^schema"]}}
    plan = planned(tmp_path, turbo, {"apps/api": BUILT, "packages/lib": {"schema": "gen"}})
    assert work(plan) == {"apps/api": ("codegen", "build"), "packages/lib": ("schema",)}


@pytest.mark.parametrize(
    ("scripts", "needs"),
    [
        ({"prebuild": "cd ../../packages/gen && npm run build && cd ../../apps/api && node x.js"}, True),
        ({"build": "npm --prefix ../../packages/gen run build && tsc"}, True),
        ({"build": "pnpm --dir=../../packages/gen build && tsc"}, True),
        ({"dev": "cd ../../packages/gen && npm run dev"}, False),
    ],
)
def test_a_package_whose_folder_a_build_goes_into_is_needed(
    tmp_path: Path, scripts: Mapping[str, str], *, needs: bool
) -> None:
    plan = planned(tmp_path, {}, {"apps/api": {"build": "tsc", **scripts}, "packages/gen": {"build": "tsc"}})
    assert ("packages/gen" in next(s.needs for s in plan.builds.stages if s.package == "apps/api")) == needs


def test_a_task_of_a_package_by_name_makes_it_needed(tmp_path: Path) -> None:
    turbo = {"build": {"dependsOn": ["gen#codegen"]}}
    plan = planned(tmp_path, turbo, {"apps/api": {"build": "tsc"}, "packages/gen": BUILT})
    assert work(plan) == {"apps/api": ("build",), "packages/gen": ("codegen", "build")}
    assert next(s.needs for s in plan.builds.stages if s.package == "apps/api") == ("packages/gen", "packages/lib")


@pytest.mark.parametrize(
    ("build", "files", "needs"),
    [
        ("tsc", {}, ()),
        ("tsc", {"tests/main.test.ts": "import { mock } from 'gen/mock';"}, ("packages/gen",)),
        ("tsc", {"src/main.ts": "/// <reference types='gen' />"}, ("packages/gen",)),
        ("tsc", {"tsconfig.json": {"compilerOptions": {"types": ["gen"]}}}, ("packages/gen",)),
        ("tsc", {"tsconfig.json": {"compilerOptions": {"jsxImportSource": "gen"}}}, ("packages/gen",)),
        ("tsc", {"tsconfig.json": {"extends": "../../packages/gen/tsconfig.json"}}, ("packages/gen",)),
        ("tsc", {"tsconfig.json": {"references": [{"path": "../../packages/gen"}]}}, ("packages/gen",)),
        ("tsc && cp ../../packages/gen/a.json dist", {}, ("packages/gen",)),
        ("tsc && gen", {}, ("packages/gen",)),
        (
            "tsc",
            {"tests/a.test.ts": "import 'gen';", "tsconfig.json": {"include": ["src"]}, "src/main.ts": "import 'ms';"},
            (),
        ),
    ],
)
def test_of_what_only_development_needs_a_compiler_waits_for_what_its_sources_name(
    tmp_path: Path, build: str, files: Mapping[str, Any], needs: tuple[str, ...]
) -> None:
    api = {"name": "api", "version": "1.0.0", "devDependencies": {"gen": "1.0.0"}, "scripts": {"build": build}}
    gen = {**GEN, "scripts": {"build": "tsc"}, "bin": {"gen": "gen.js"}}
    root = {"name": "shop", "workspaces": ["apps/*", "packages/*"]}
    link = {"node_modules/gen": {"resolved": "packages/gen", "link": True}}
    lock = {"lockfileVersion": 3, "packages": {"": root, "apps/api": api, "packages/gen": gen, **link}}
    given = {f"apps/api/{path}": text for path, text in {"tsconfig.json": {}, **files}.items()}
    manifests = {"package.json": root, "apps/api/package.json": api, "packages/gen/package.json": gen}
    beside = {"packages/gen/tsconfig.json": {}, "packages/gen/a.json": {}, "package-lock.json": lock}
    plant(tmp_path, {**manifests, **beside, **given})
    (tmp_path / "bake.toml").write_text(CONFIG, encoding="utf-8")
    plan = make_plan(load_project(tmp_path / "bake.toml", {}), Request())
    assert next(s.needs for s in plan.builds.stages if s.package == "apps/api") == needs


def test_a_package_that_bake_toml_says_is_not_built_runs_nothing(tmp_path: Path) -> None:
    turbo = {"build": {"dependsOn": ["^build", "codegen"]}}
    more = '[packages."packages/lib"]\nbuild = false\n'
    plan = planned(tmp_path, turbo, {"apps/api": BUILT, "packages/lib": BUILT}, more=more)
    assert work(plan) == {"apps/api": ("codegen", "build")}


def test_what_only_a_script_of_the_root_compiles_is_compiled_package_by_package(tmp_path: Path) -> None:
    plan = planned(tmp_path, {}, {"packages/lib": {"build": "tsc"}}, build="tsc -b apps/api packages/lib")
    assert {s.package: (s.script, s.is_command) for s in plan.builds.stages} == {
        "apps/api": ("tsc -b tsconfig.json", True),
        "packages/lib": ("build", False),
    }


def test_a_circle_of_tasks_ends(tmp_path: Path) -> None:
    turbo = {"build": {"dependsOn": ["codegen"]}, "codegen": {"dependsOn": ["build"]}}
    assert work(planned(tmp_path, turbo, {"apps/api": BUILT})) == {"apps/api": ("codegen", "build")}


def test_what_an_install_of_the_workspace_runs_in_a_package_comes_before_its_build(tmp_path: Path) -> None:
    scripts = {
        "apps/api": {"build": "tsc", "postinstall": "node gen.js", "prepare": "npm run build"},
        "packages/lib": {"prepare": "tsc"},
        "packages/gen": {"prepare": "husky"},
    }
    assert work(planned(tmp_path, {}, scripts)) == {"apps/api": ("postinstall", "build"), "packages/lib": ("prepare",)}
    without = '[install]\nwithout-scripts = ["api", "lib"]\n'
    assert work(planned(tmp_path, {}, scripts, more=without)) == {"apps/api": ("build",)}


def test_a_package_without_the_script_runs_what_comes_before_it(tmp_path: Path) -> None:
    turbo = {"build": {"dependsOn": ["codegen", "^build"]}}
    assert work(planned(tmp_path, turbo, {"packages/lib": {"codegen": "gen"}})) == {"packages/lib": ("codegen",)}


def test_a_root_that_runs_is_built_by_its_own_part_of_the_script(tmp_path: Path) -> None:
    root = CONFIG.replace('"apps/api"', '"."')
    plan = planned(tmp_path, {}, {"packages/lib": BUILT}, build="tsc -p . && npm run build -ws")
    assert "" not in {s.package for s in plan.builds.stages}
    (tmp_path / "bake.toml").write_text(root, encoding="utf-8")
    stages = make_plan(load_project(tmp_path / "bake.toml", {}), Request()).builds.stages
    assert [(s.script, s.is_command) for s in stages if not s.package] == [("tsc -p .", True)]


def test_what_code_writes_behind_a_link_of_production_is_writable_where_it_leads(tmp_path: Path) -> None:
    more = 'links = {"/opt/app" = ".", "/srv/own" = "apps/api"}\n'
    (tmp_path / "apps/api").mkdir(parents=True)
    text = "mkdirSync('/opt/app/up'); mkdirSync('/srv/own/own'); mkdirSync('/data')"
    (tmp_path / "apps/api/main.js").write_text(text, encoding="utf-8")
    (image,) = planned(tmp_path, {}, {}, more=more).images
    assert set(image.writable) == {"/app/up", "/app/apps/api/own", "/data"}
