"""What runs before build scripts, as turbo, Nx, wireit and the root's scripts say it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.workspace import Package, Tasks, load_tasks
from tests.plant import plant


def load(root: Path, files: Mapping[str, Any], root_scripts: Mapping[str, str] | None = None) -> Tasks:
    plant(root, files)
    manifests = {path: files.get(f"{path}/package.json", {}) for path in ("apps/api", "packages/lib")}
    members = (Package(path=p, name=p.rpartition("/")[2], version="", manifest=m) for p, m in manifests.items())
    about = {"scripts": root_scripts or {}}
    return load_tasks(root, (Package(path="", name="root", version="", manifest=about), *members), "build")


def package(path: str, **scripts: str) -> Package:
    return Package(path=path, name=path.rpartition("/")[2], version="", manifest={"scripts": scripts})


API, LIB = package("apps/api"), package("packages/lib")


@pytest.mark.parametrize("key", ["tasks", "pipeline"])
def test_turbo_s_tasks_of_the_root_hold_for_all_but_those_that_say_their_own(tmp_path: Path, key: str) -> None:
    tasks = {
        "build": {"dependsOn": ["^build", "codegen", "lint", "test:unit", "$CI"]},
        "lib#build": {"dependsOn": ["schema"]},
    }
    own = {"extends": ["//"], "tasks": {"build": {"dependsOn": ["lib#gen"]}, "codegen": {"outputs": []}}}
    found = load(tmp_path, {"turbo.json": {key: tasks}, "apps/api/turbo.json": own})
    assert found.before(package("apps/web"), "build") == ("^build", "codegen")
    assert found.before(LIB, "build") == ("schema",)
    assert found.before(API, "build") == ("lib#gen",)
    assert found.before(API, "codegen") == ()


def test_lage_s_pipeline_is_read_where_it_is_a_literal(tmp_path: Path) -> None:
    text = """\
/** @type {import('lage').ConfigOptions} */
module.exports = {
  pipeline: {
    build: ['^build', "codegen"], // first
    codegen: { type: 'npmScript', dependsOn: ['^^schema'], options: { a: { b: 1 } } },
    test: ['build'], 'lib#build': [`schema`],
  },
  npmClient: 'yarn',
};
"""
    (tmp_path / "lage.config.js").write_text(text, encoding="utf-8")
    found = load(tmp_path, {})
    assert found.before(API, "build") == ("^build", "codegen")
    assert found.before(API, "codegen") == ("^schema",)
    assert found.before(LIB, "build") == ("schema",)
    (tmp_path / "lage.config.js").write_text("const a = []; module.exports = { pipeline: { build: a } };")
    assert load(tmp_path, {}).before(API, "build") == ()


def test_targets_of_nx_are_read_from_all_their_places(tmp_path: Path) -> None:
    defaults = {"build": {"dependsOn": ["^build", {"target": "gen", "projects": "self"}, "build:css", "lib:codegen"]}}
    project = {"targets": {"build": {"dependsOn": [{"dependencies": True, "target": "compile"}]}}}
    manifest = {"nx": {"targets": {"build": {"dependsOn": [{"target": "x", "projects": ["api"]}]}}}}
    files = {"nx.json": {"targetDefaults": defaults}, "apps/api/project.json": project}
    found = load(tmp_path, files | {"packages/lib/package.json": manifest})
    assert found.before(package("apps/web"), "build") == ("^build", "gen", "build:css", "lib#codegen")
    assert found.before(API, "build") == ("^compile",)
    assert found.before(LIB, "build") == ("api#x",)


def test_wireit_runs_its_own_package_s_scripts_itself(tmp_path: Path) -> None:
    about = {"wireit": {"build": {"command": "tsc", "dependencies": ["gen", "../../packages/lib:build"]}}}
    assert load(tmp_path, {"apps/api/package.json": about}).before(API, "build") == ("lib#build",)


@pytest.mark.parametrize(
    ("scripts", "first"),
    [
        ({"build": "npm run gen -ws --if-present && npm run build -ws"}, (("gen", ()),)),
        ({"build": "npm run all", "all": "pnpm -r gen && pnpm -r build && pnpm -r docs"}, (("gen", ()),)),
        ({"prebuild": "yarn workspace lib gen", "build": "yarn workspaces run build"}, (("gen", ("lib",)),)),
        ({"build": "npm run lint -ws && npm run build -ws"}, ()),
        ({"build": "turbo run build"}, ()),
    ],
)
def test_the_root_s_build_says_what_runs_in_packages_first(
    tmp_path: Path, scripts: Mapping[str, str], first: tuple[Any, ...]
) -> None:
    assert load(tmp_path, {}, scripts).first == first


def test_a_prepared_package_is_one_that_has_the_script_and_is_meant() -> None:
    tasks = Tasks(first=(("gen", ()), ("proto", ("lib",))))
    assert list(tasks.prepared(package("packages/lib", gen="", proto=""))) == ["gen", "proto"]
    assert list(tasks.prepared(package("apps/api", gen="", proto=""))) == ["gen"]
    assert list(tasks.prepared(package("apps/web"))) == []


REFERENCES = {
    "tsconfig.json": '{"files": [], "references": [{"path": "apps/api"}]} // all',
    "apps/api/tsconfig.json": {"references": [{"path": "../../packages/lib/tsconfig.lib.json"}]},
    "packages/lib/tsconfig.lib.json": {"references": [{"path": "../../../outside"}]},
}


@pytest.mark.parametrize(
    ("script", "compiled"),
    [
        ("tsc -b", {"apps/api": "tsc -b tsconfig.json", "packages/lib": "tsc -b tsconfig.lib.json"}),
        ("tsc --build --verbose .", {"apps/api": "tsc -b tsconfig.json", "packages/lib": "tsc -b tsconfig.lib.json"}),
        ("tsc -b packages/lib/tsconfig.lib.json", {"packages/lib": "tsc -b tsconfig.lib.json"}),
        ("npx tsc -b packages/*/tsconfig*.json", {"packages/lib": "tsc -b tsconfig.lib.json"}),
        ("npm run compile", {"apps/api": "tsc -p tsconfig.json"}),
        ("tsc", {}),
        ("tsc -b ../elsewhere", {}),
    ],
)
def test_packages_that_a_script_of_the_root_compiles_are_known(
    tmp_path: Path, script: str, compiled: Mapping[str, str]
) -> None:
    scripts = {"build": script, "compile": "tsc -p apps/api"}
    assert load(tmp_path, REFERENCES, scripts).compiled == compiled


def test_settings_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    files = {"turbo.json": "{", "nx.json": "[]", "apps/api/project.json": '{"targets": 1}'}
    assert load(tmp_path, files) == Tasks()


def test_applications_without_a_package_json_are_built_by_nx(tmp_path: Path) -> None:
    target = {"projectType": "application", "targets": {"build": {"executor": "@nx/esbuild:esbuild"}}}
    files = {
        "nx.json": {},
        "apps/gate/project.json": {"name": "gate", **target},
        "apps/jobs/project.json": target,
        "apps/api/project.json": {"name": "api", **target},
        "libs/words/project.json": {"name": "words", "projectType": "library", "targets": target["targets"]},
        "apps/gate-e2e/project.json": {"name": "e2e", "projectType": "application", "targets": {"e2e": {}}},
    }
    assert load(tmp_path, files).compiled == {"": "NX_DAEMON=false nx run-many -t build -p gate,jobs"}
    del files["nx.json"]
    assert load(tmp_path / "without", files).compiled == {}


@pytest.mark.parametrize(
    ("scripts", "own"),
    [
        ({"build": "tsc -p . && npm run build -ws"}, "tsc -p ."),
        (
            {"build": "npm run libs && npm run own", "libs": "turbo build", "own": "node gen.js && tsc"},
            "node gen.js && tsc",
        ),
        ({"build": "pnpm -r build"}, ""),
        ({"build": "tsc && node copy.js"}, ""),
        ({"build": "cd client && npm run build && cd .. && yarn workspaces run build"}, ""),
        ({"build": "tsc; turbo build || true"}, ""),
    ],
)
def test_what_the_roots_build_does_for_itself_is_told_from_what_it_hands_on(
    tmp_path: Path, scripts: Mapping[str, str], own: str
) -> None:
    assert load(tmp_path, {}, scripts).compiled == ({"": own} if own else {})


def test_what_the_root_makes_before_it_builds_packages_is_run_for_those_that_it_names(tmp_path: Path) -> None:
    files = {
        "scripts/gen.mjs": "writeFileSync(join(root, 'packages', 'lib', 'src/x.ts'), text)",
        "scripts/look.mjs": "console.log('packages/lib')",
        "scripts/after.mjs": "writeFileSync('apps/api/x.ts', text)",
        "codegen.yml": "generates: {apps/api/src/gql.ts: {}}",
    }
    scripts = {
        "codegen": "node scripts/gen.mjs && npx graphql-codegen",
        "look": "node scripts/look.mjs",
        "build": "rimraf lib && npm run look && npm run codegen && npm run build -ws && node scripts/after.mjs",
    }
    made = load(tmp_path, files, scripts).made
    assert made == {"packages/lib": ("node scripts/gen.mjs",), "apps/api": ("npx graphql-codegen",)}
    assert load(tmp_path, {}, {"build": "turbo run build", "codegen": scripts["codegen"]}).made == {}
    turbo = {"tasks": {"build": {"dependsOn": ["^build", "//#codegen", "//#lint"]}, "//#codegen": {}}}
    asked = {**scripts, "build": "turbo run build", "lint": "node scripts/gen.mjs --check"}
    tasks = load(tmp_path, {"turbo.json": json.dumps(turbo)}, asked)
    assert (tasks.made, tasks.shared["build"]) == (made, ("^build",))


@pytest.mark.parametrize("odd", [3, True, "x", {"a": 1}, [3, None, {"target": 3}], None])
def test_tasks_of_another_kind_than_their_tools_have_say_nothing(tmp_path: Path, odd: object) -> None:
    about = {"dependsOn": odd}
    (tmp_path / "turbo.json").write_text(json.dumps({"tasks": {"build": about, "other": odd}}))
    (tmp_path / "nx.json").write_text(json.dumps({"targetDefaults": {"build": about, "other": odd}}))
    manifest = {"nx": {"targets": {"build": about}}, "wireit": {"build": {"dependencies": odd}, "other": odd}}
    packages = [Package(path=path, name=path or "w", version="", manifest=manifest) for path in ("", "a")]
    assert load_tasks(tmp_path, packages, "build").before(packages[1], "build") in {(), ("x",)}
