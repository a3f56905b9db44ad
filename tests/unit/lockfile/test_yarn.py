"""yarn's lockfiles, of berry and classic, and its settings."""

from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.lockfile import hoisted
from bake.lockfile.graph import Graph
from bake.lockfile.yarn import parse_yarn_lock
from bake.plan import closure
from bake.workspace import Workspace, load_workspace, staged_files
from tests.plant import plant
from tests.shelf import write_shelf

AMD64 = ("linux/amd64",)
WORKER = (
    "node_modules/@shelf/lib",
    "node_modules/JSONStream",
    "node_modules/debug",
    "node_modules/jsonparse",
    "node_modules/ms",
    "node_modules/through",
    "services/worker/node_modules/ms",
)


@pytest.fixture(params=["berry", "classic"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """The fixture workspace as yarn 4 and yarn 1 lock it."""
    write_shelf(tmp_path, request.param)
    return load_workspace(tmp_path)


def changed(root: Path, manager: str, files: dict[str, str]) -> Workspace:
    """The fixture workspace with other files in it."""
    write_shelf(root, manager)
    return load_workspace(plant(root, files))


def refused(folder: Path, manager: str, files: dict[str, str]) -> str:
    with pytest.raises(WorkspaceError) as caught:
        changed(folder / str(len(list(folder.iterdir()))), manager, files)
    return str(caught.value)


def berry(text: str, **manifest: object) -> Graph:
    return parse_yarn_lock(f"__metadata:\n  version: 8\n{text}", {"": manifest})


# --- closures ---------------------------------------------------------------------------------------


def test_a_closure_is_what_the_expected_tree_leads_to(shelf: Workspace) -> None:
    reach = closure(shelf.lock, "services/worker", platforms=AMD64, libc="glibc")
    assert reach.entries == WORKER
    assert reach.packages == ("packages/lib", "services/worker")
    assert shelf.lock.entries["services/worker/node_modules/ms"].version == "2.0.0"
    assert shelf.lock.entries["node_modules/ms"].version == "2.1.3"


@pytest.mark.parametrize(
    ("platforms", "libc", "found"),
    [
        (AMD64, "glibc", {"crc32-linux-x64-gnu"}),
        (AMD64, "musl", {"crc32-linux-x64-musl"}),
        (("linux/amd64", "linux/arm64"), "glibc", {"crc32-linux-x64-gnu", "crc32-linux-arm64-gnu"}),
    ],
)
def test_platform_packages_are_those_of_the_platforms(
    shelf: Workspace, platforms: tuple[str, ...], libc: str, found: set[str]
) -> None:
    reach = closure(shelf.lock, "services/api", platforms=platforms, libc=libc)
    assert {path.rpartition("/")[2] for path in reach.entries if "/crc32-" in path} == found


def test_a_resolution_decides_the_version(shelf: Workspace) -> None:
    assert shelf.lock.entries["node_modules/through"].version == "2.3.7"


def test_an_alias_keeps_the_package_s_own_name(shelf: Workspace) -> None:
    entry = shelf.lock.entries["node_modules/old-ms"]
    assert (entry.name, entry.version) == ("ms", "2.0.0")


def test_workspace_packages_are_linked(shelf: Workspace) -> None:
    assert shelf.lock.entries["node_modules/@shelf/lib"].link == "packages/lib"
    assert shelf.needs("services/api") == ("packages/lib", "packages/tool")
    assert (shelf.manager, shelf.tool.layout) == ("yarn", "walk")


def test_an_optional_peer_that_only_development_has_is_left_out(shelf: Workspace) -> None:
    reach = closure(shelf.lock, "services/worker", platforms=AMD64, libc="glibc")
    assert "node_modules/supports-color" not in reach.entries
    assert shelf.lock.entries["node_modules/supports-color"].dev


def test_a_workspace_package_that_nobody_depends_on_is_linked_at_the_root(shelf: Workspace) -> None:
    assert shelf.lock.entries["node_modules/@shelf/api"].link == "services/api"


def test_packages_that_need_each_other_are_laid_out_once() -> None:
    found = berry(
        """
"a@npm:1":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
  dependencies: {b: "npm:1"}
"b@npm:1":
  version: 1.0.0
  resolution: "b@npm:1.0.0"
  dependencies: {a: "npm:2"}
"a@npm:2":
  version: 2.0.0
  resolution: "a@npm:2.0.0"
  dependencies: {b: "npm:1"}
""",
        dependencies={"a": "1"},
    )
    lock = hoisted(found, manager="yarn", file="yarn.lock")
    assert {path: entry.version for path, entry in lock.entries.items()} == {
        "node_modules/a": "1.0.0",
        "node_modules/b": "1.0.0",
        "node_modules/b/node_modules/a": "2.0.0",
    }


def test_conditions_of_a_berry_package_are_its_platforms() -> None:
    found = berry("""
"a@npm:1":
  version: 1.0.0
  resolution: "a@npm:1.0.0"
  conditions: (os=linux | os=darwin) & cpu=x64 & libc=musl
""")
    entry = found.nodes["a@npm:1"].entry
    assert (entry.os, entry.cpu, entry.libc, entry.optional) == (("linux", "darwin"), ("x64",), ("musl",), True)


def test_local_packages_and_patches_are_found_without_who_asked() -> None:
    found = berry(
        """
"a@patch:a@npm%3A1.0.0#~/.yarn/patches/a.patch":
  version: 1.0.0
  resolution: "a@patch:a@npm%3A1.0.0#~/.yarn/patches/a.patch::version=1.0.0&hash=00ff"
"b@file:./b::locator=root%40workspace%3A.":
  version: 2.0.0
  resolution: "b@file:./b#./b::hash=00ff&locator=root%40workspace%3A."
""",
        dependencies={"a": "patch:a@npm%3A1.0.0#~/.yarn/patches/a.patch", "b": "file:./b"},
    )
    lock = hoisted(found, manager="yarn", file="yarn.lock")
    assert {entry.name: entry.version for entry in lock.entries.values()} == {"a": "1.0.0", "b": "2.0.0"}


# --- mistakes and settings --------------------------------------------------------------------------


def test_what_is_not_supported_is_refused_with_a_way_out(tmp_path: Path) -> None:
    way = "set `nodeLinker: node-modules` and run `yarn install`"
    assert refused(tmp_path, "berry", {".yarnrc.yml": ""}) == f".yarnrc.yml: Plug'n'Play is not supported; {way}"
    assert refused(tmp_path, "berry", {".yarnrc.yml": "nodeLinker: pnpm\n"}) == (
        f".yarnrc.yml: nodeLinker: pnpm is not supported; {way}"
    )
    assert refused(tmp_path, "berry", {"yarn.lock": "__metadata:\n  version: 4\n"}) == (
        "yarn.lock: lockfile version 4 of yarn 2 is not supported; run `yarn set version stable` and `yarn install`"
    )
    assert refused(tmp_path, "classic", {"yarn.lock": "# yarn lockfile v1\n<<<<<<< HEAD\n"}) == (
        "yarn.lock: has merge conflicts; settle them and run `yarn install`"
    )


@pytest.mark.parametrize("manager", ["berry", "classic"])
def test_a_dependency_that_the_lockfile_lacks_is_an_error(tmp_path: Path, manager: str) -> None:
    manifest = '{"name": "@shelf/tool", "dependencies": {"left-pad": "^1.0.0"}}'
    assert refused(tmp_path, manager, {"packages/tool/package.json": manifest}) == (
        "packages/tool/package.json: left-pad@^1.0.0 is not in yarn.lock; run `yarn install`"
    )


def test_a_release_of_yarn_that_is_committed_is_used(tmp_path: Path) -> None:
    release = ".yarn/releases/yarn-4.9.1.cjs"
    settings = f"nodeLinker: node-modules\nyarnPath: {release}\n"
    tool = changed(tmp_path, "berry", {".yarnrc.yml": settings, release: "// yarn"}).tool
    assert tool.setup == ""
    assert tool.run == f"node /app/{release} run"
    assert set(tool.files) == {"yarn.lock", ".yarnrc.yml", release}


def test_settings_go_to_the_install_without_tokens_and_with_every_platform(tmp_path: Path) -> None:
    settings = (
        "nodeLinker: node-modules\nnpmAuthToken: secret\nnpmScopes:\n  acme:\n"
        '    npmAuthToken: "${TOKEN}"\n    npmRegistryServer: "https://npm.example"\n'
    )
    workspace = changed(tmp_path, "berry", {".yarnrc.yml": settings, ".yarn/patches/a.patch": "diff"})
    staged = staged_files(workspace.tool, AMD64, ("musl",))
    assert staged[".yarnrc.yml"] == (
        'nodeLinker: node-modules\nnpmScopes:\n  acme:\n    npmRegistryServer: "https://npm.example"\n'
        "supportedArchitectures:\n  os: [current, linux]\n  cpu: [current, x64]\n  libc: [current, musl]\n"
    )
    assert staged[".yarn/patches/a.patch"] == "diff"


def test_the_manager_that_package_json_names_wins_over_another_lockfile(tmp_path: Path) -> None:
    workspace = changed(tmp_path, "berry", {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    assert workspace.manager == "yarn"


def test_yarn_1_waits_longer_than_its_own_half_minute_for_a_package(tmp_path: Path) -> None:
    assert changed(tmp_path, "classic", {}).tool.install.endswith(" --ignore-platform --network-timeout 300000")
