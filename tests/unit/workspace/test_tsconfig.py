"""What tsconfig files say of each other: one walk over `extends` and `references` for all who ask."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.project import load_tsconfigs
from bake.workspace import TsConfigs, load_workspace, tsconfigs_of
from tests.plant import plant

LOCK = {"lockfileVersion": 3, "packages": {"": {}}}
MANIFESTS = {
    "package.json": {"name": "root", "workspaces": ["api", "kit"]},
    "package-lock.json": LOCK,
    "api/package.json": {"name": "api"},
    "kit/package.json": {"name": "@acme/kit"},
}


def written(root: Path, files: Mapping[str, object]) -> TsConfigs:
    plant(root, files)
    return TsConfigs(str(root), {"@acme/kit": str(root / "kit")})


@pytest.mark.parametrize(
    ("extends", "found"),
    [
        ("../tsconfig.base.json", ["tsconfig.base.json"]),
        ("../tsconfig.base", ["tsconfig.base.json"]),
        (["../tsconfig.base", "../config"], ["tsconfig.base.json", "config/tsconfig.json"]),
        ("@acme/kit/strict.json", ["kit/strict.json"]),
        ("@acme/kit/strict", ["kit/strict.json"]),
        ("@acme/kit", ["kit/tsconfig.json"]),
        ("installed/x", ["node_modules/installed/x.json"]),
        (["../absent", "absent/x.json", 3], []),
        (None, []),
    ],
)
def test_extends_names_files_as_typescript_finds_them(tmp_path: Path, extends: object, found: list[str]) -> None:
    there = ("tsconfig.base.json", "config/tsconfig.json", "kit/strict.json", "kit/tsconfig.json")
    files = dict.fromkeys((*there, "node_modules/installed/x.json"), "{}")
    configs = written(tmp_path, {**files, "api/tsconfig.json": {"extends": extends}})
    assert configs.bases(f"{tmp_path}/api/tsconfig.json") == tuple(f"{tmp_path}/{name}" for name in found)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("../kit", "kit/tsconfig.json"),
        ("../kit/tsconfig.lib", "kit/tsconfig.lib.json"),
        ("../kit/tsconfig.lib.json", "kit/tsconfig.lib.json"),
        ("../absent", "absent"),
    ],
)
def test_references_name_a_file_or_a_folder(tmp_path: Path, path: str, found: str) -> None:
    files = {"kit/tsconfig.json": "{}", "kit/tsconfig.lib.json": "{}"}
    configs = written(tmp_path, {**files, "api/tsconfig.json": {"references": [{"path": path}, 3, {}]}})
    assert configs.references(f"{tmp_path}/api/tsconfig.json") == (f"{tmp_path}/{found}",)


def test_bases_of_bases_are_found_once_in_circles_too(tmp_path: Path) -> None:
    configs = written(
        tmp_path,
        {
            "api/tsconfig.json": {"extends": ["../a", "../b.json"]},
            "a.json": {"extends": "./c"},
            "b.json": {"extends": "./c"},
            "c.json": {"extends": "./a"},
        },
    )
    assert configs.all_bases(f"{tmp_path}/api/tsconfig.json") == {f"{tmp_path}/{name}.json" for name in "abc"}


def test_builds_get_what_tsconfig_files_extend_outside_packages(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            **MANIFESTS,
            "api/tsconfig.json": {"extends": ["../config/node", "@acme/kit/strict", "installed/x"]},
            "api/tsconfig.build.json": {"extends": "./tsconfig.json"},
            "config/node.json": {"extends": "../tsconfig.base"},
            "tsconfig.base.json": {"extends": "../outside.json"},
            "kit/strict.json": "{}",
            "node_modules/installed/x.json": "{}",
            "../outside.json": "{}",
        },
    )
    workspace = load_workspace(tmp_path)
    assert load_tsconfigs(tmp_path, workspace.everyone, tsconfigs_of(workspace)) == (
        "config/node.json",
        "tsconfig.base.json",
    )


@pytest.mark.parametrize(("extends", "needs"), [("../kit/strict", {"api": ("kit",)}), ("@acme/kit/strict", {})])
def test_a_build_needs_the_package_whose_configuration_it_extends_by_a_path(
    tmp_path: Path, extends: str, needs: Mapping[str, object]
) -> None:
    written(tmp_path, {**MANIFESTS, "api/tsconfig.json": {"extends": [extends]}, "kit/strict.json": "{}"})
    assert load_workspace(tmp_path).references == needs


def test_no_configuration_outside_the_workspace_is_read(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (tmp_path / "secret.json").write_text('{"compilerOptions": {"outDir": "hidden"}}')
    (root / "kit").mkdir(parents=True)
    (root / "kit/linked.json").symlink_to(tmp_path / "secret.json")
    configs = written(root, {"api/tsconfig.json": {"extends": ["../../secret.json", "../kit/linked.json"]}})
    assert configs.load(f"{root}/api").outputs == ()
