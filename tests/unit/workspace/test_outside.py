"""A workspace of strangers: what it names outside itself is refused, with the place that names it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.errors import WorkspaceError
from bake.workspace import load_workspace
from tests.plant import plant

PNPM = "lockfileVersion: '9.0'\nimporters:\n  .: {}\npackages: {}\nsnapshots: {}\n"
BERRY = '__metadata:\n  version: 8\n\n"w@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "w@workspace:."\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for a workspace, beside one that is none of its business."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "package.json").write_text('{"name": "victim"}')
    (tmp_path / "victim" / "id_rsa").write_text("secret")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "link").symlink_to(tmp_path / "victim")
    return tmp_path / "w"


def write(root: Path, files: Mapping[str, Any]) -> None:
    plant(root, {"package.json": {"name": "w", "version": "1.0.0"}, **files})


def lock(entries: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"lockfileVersion": 3, "packages": {"": {"name": "w", "version": "1.0.0"}, **entries}}


def complaint(root: Path, files: Mapping[str, Any]) -> str:
    write(root, files)
    with pytest.raises(WorkspaceError) as caught:
        load_workspace(root)
    assert caught.value.status == 3
    return str(caught.value)


RELOCK = "run `npm install --package-lock-only`"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"package.json": {"workspaces": ["../victim"]}, "package-lock.json": lock({})},
            "package.json: workspaces: '../victim' leads out of the workspace; move these packages into it",
        ),
        (
            {"package.json": {"workspaces": ["a/../../*"]}, "package-lock.json": lock({})},
            "package.json: workspaces: 'a/../../*' leads out of the workspace; move these packages into it",
        ),
        (
            {"package.json": {"workspaces": ["{a,b}{a,b}" * 9]}, "package-lock.json": lock({})},
            f"package.json: workspaces: {'{a,b}{a,b}' * 9!r} stands for too many patterns; write fewer braces",
        ),
        (
            {"package-lock.json": lock({"node_modules/../../etc": {"version": "1.0.0"}})},
            f"package-lock.json: 'node_modules/../../etc' is no path in the workspace; {RELOCK}",
        ),
        (
            {"package-lock.json": lock({"/etc": {"version": "1.0.0"}})},
            f"package-lock.json: '/etc' is no path in the workspace; {RELOCK}",
        ),
        (
            {"package-lock.json": lock({"node_modules/v": {"link": True, "resolved": "a/../../victim"}})},
            "package-lock.json: node_modules/v links to a/../../victim, outside the workspace; "
            "move that package into the workspace or depend on a published version",
        ),
        (
            {"package-lock.json": lock({"node_modules/v": {"link": True, "resolved": "link"}, "link": {}})},
            "package-lock.json: node_modules/v links to link, outside the workspace; "
            "move that package into the workspace or depend on a published version",
        ),
        (
            {"pnpm-lock.yaml": PNPM, "pnpm-workspace.yaml": "packages: ['../*']\n"},
            "pnpm-workspace.yaml: packages: '../*' leads out of the workspace; move these packages into it",
        ),
        (
            {"pnpm-lock.yaml": PNPM, "pnpm-workspace.yaml": "patchedDependencies: {ms: link/id_rsa}\n"},
            "patchedDependencies: 'link/id_rsa' leads out of the workspace through a link; name a path inside it",
        ),
        (
            {"pnpm-lock.yaml": PNPM, "package.json": {"pnpm": {"patchedDependencies": {"ms": "../victim/id_rsa"}}}},
            "patchedDependencies: '../victim/id_rsa' leads out of the workspace; name a path inside it",
        ),
        (
            {"yarn.lock": BERRY, ".yarnrc.yml": "nodeLinker: node-modules\nyarnPath: link/id_rsa\n"},
            ".yarnrc.yml: yarnPath: 'link/id_rsa' leads out of the workspace through a link; name a path inside it",
        ),
        (
            {"yarn.lock": BERRY, ".yarnrc.yml": "nodeLinker: node-modules\nplugins: [{path: ../victim/id_rsa}]\n"},
            ".yarnrc.yml: plugins: '../victim/id_rsa' leads out of the workspace; name a path inside it",
        ),
        (
            {"pnpm-lock.yaml": PNPM, "package.json": {"packageManager": "pnpm@9.0.0; touch /pwned"}},
            "package.json: packageManager: 'pnpm@9.0.0; touch /pwned' names no version; write pnpm@<version>",
        ),
        (
            {"package-lock.json": lock({"node_modules/a": None})},
            'package-lock.json: "node_modules/a": expected an object, got null; correct the file',
        ),
        (
            {"package-lock.json": lock({}), "package.json": {"scripts": {"build": None}}},
            "package.json: scripts.build: expected a string, got null; correct the file",
        ),
        (
            {"package-lock.json": lock({}), "tsconfig.json": {"extends": [None]}},
            "tsconfig.json: extends[0]: expected a string, got null; correct the file",
        ),
    ],
)
def test_what_leads_out_or_has_another_type_is_told_with_its_place(
    root: Path, files: Mapping[str, Any], words: str
) -> None:
    assert complaint(root, files) == words


@pytest.mark.parametrize(
    "name", ["package.json", "package-lock.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "yarn.lock"]
)
def test_files_that_are_not_utf_8_are_named(root: Path, name: str) -> None:
    locks = {"yarn.lock": BERRY, "pnpm-lock.yaml": PNPM, "package-lock.json": json.dumps(lock({}))}
    of = {"pnpm-workspace.yaml": "pnpm-lock.yaml", "package.json": "package-lock.json"}.get(name, name)
    write(root, {of: locks[of]})
    (root / name).write_bytes(b"# \xff\n")
    with pytest.raises(WorkspaceError) as caught:
        load_workspace(root)
    assert str(caught.value) == f"{name}:1: byte 0xff is not UTF-8; save it as UTF-8"


def test_members_behind_links_out_of_the_workspace_are_none(root: Path) -> None:
    write(root, {"package.json": {"workspaces": ["*", "**"]}, "package-lock.json": lock({})})
    assert load_workspace(root).packages == ()


def test_links_in_circles_and_many_stars_end(root: Path) -> None:
    write(root, {"package.json": {"workspaces": ["**/" * 40 + "*"]}, "package-lock.json": lock({}), "a/b/x": ""})
    write(root, {"package.json": {"workspaces": ["**/" * 40 + "*"]}, "a/b/package.json": {"name": "b"}})
    (root / "a" / "up").symlink_to("..")
    assert [p.path for p in load_workspace(root).packages] == ["a/b"]


def test_a_manifest_that_is_a_pipe_is_none(root: Path) -> None:
    write(root, {"package.json": {"workspaces": ["a"]}, "package-lock.json": lock({}), "a/x": ""})
    os.mkfifo(root / "a" / "package.json")
    assert load_workspace(root).packages == ()


def test_a_tsconfig_outside_is_not_read(root: Path) -> None:
    (root.parent / "victim" / "tsconfig.json").write_text("{{{ not JSON")
    write(
        root,
        {"package-lock.json": lock({}), "tsconfig.json": {"references": [{"path": "../victim"}, {"path": "link"}]}},
    )
    assert load_workspace(root).references == {}
