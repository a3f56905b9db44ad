"""pnpm's lockfile, its layout and its settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.errors import WorkspaceError
from bake.lockfile.graph import Graph
from bake.lockfile.pnpm import built_packages, directory_name, isolated, parse_pnpm_lock, relinking, without_suffix
from bake.plan import closure
from bake.workspace import Workspace, load_workspace, staged_files
from tests.shelf import write_shelf

AMD64 = ("linux/amd64",)


@pytest.fixture
def shelf(tmp_path: Path) -> Workspace:
    """The fixture workspace as pnpm locks it."""
    write_shelf(tmp_path, "pnpm")
    return load_workspace(tmp_path)


def changed(root: Path, files: dict[str, str]) -> Workspace:
    """The fixture workspace with other files in it."""
    write_shelf(root, "pnpm")
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    return load_workspace(root)


def refused(folder: Path, files: dict[str, str]) -> str:
    with pytest.raises(WorkspaceError) as caught:
        changed(folder / str(len(list(folder.iterdir()))), files)
    return str(caught.value)


def graph(text: str) -> Graph:
    return parse_pnpm_lock(f"lockfileVersion: '9.0'\n{text}", {})


# --- closures ---------------------------------------------------------------------------------------


def test_a_closure_holds_packages_in_the_store_and_every_link_that_leads_to_them(shelf: Workspace) -> None:
    reach = closure(shelf.lock, "services/worker", platforms=AMD64, libc="glibc")
    store = "node_modules/.pnpm"
    stream = f"{store}/JSONStream@1.3.5_fb8f73c374dcf7070ffed90b688edabd/node_modules"
    debug = f"{store}/debug@4.4.0_supports-color@7.2.0/node_modules"
    assert reach.packages == ("packages/lib", "services/worker")
    assert reach.missing == ()
    assert reach.entries == (
        f"{stream}/JSONStream",
        f"{stream}/jsonparse",
        f"{stream}/through",
        f"{debug}/debug",
        f"{debug}/ms",
        f"{store}/jsonparse@1.3.1/node_modules/jsonparse",
        f"{store}/ms@2.0.0/node_modules/ms",
        f"{store}/ms@2.1.3/node_modules/ms",
        f"{store}/through@2.3.7/node_modules/through",
        "packages/lib/node_modules/ms",
        "services/worker/node_modules/@shelf/lib",
        "services/worker/node_modules/JSONStream",
        "services/worker/node_modules/debug",
        "services/worker/node_modules/ms",
    )


@pytest.mark.parametrize(
    ("platforms", "libc", "found"),
    [
        (AMD64, "glibc", {"crc32-linux-x64-gnu"}),
        (AMD64, "musl", {"crc32-linux-x64-musl"}),
        (("linux/amd64", "linux/arm64"), "glibc", {"crc32-linux-x64-gnu", "crc32-linux-arm64-gnu"}),
    ],
)
def test_platform_packages_and_their_links_are_those_of_the_platforms(
    shelf: Workspace, platforms: tuple[str, ...], libc: str, found: set[str]
) -> None:
    reach = closure(shelf.lock, "services/api", platforms=platforms, libc=libc)
    limited = [path for path in reach.entries if "crc32-" in path.rpartition("/")[2]]
    assert {path.rpartition("/")[2] for path in limited} == found
    assert len(limited) == 2 * len(found)
    assert all(shelf.lock.entries[path].native for path in limited)


def test_links_lead_where_pnpm_makes_them_lead(shelf: Workspace) -> None:
    store = "node_modules/.pnpm"
    links = {path: entry.link for path, entry in shelf.lock.entries.items()}
    assert links["services/api/node_modules/old-ms"] == f"{store}/ms@2.0.0/node_modules/ms"
    assert links["services/api/node_modules/@shelf/lib"] == "packages/lib"
    assert links["packages/lib/node_modules/ms"] == f"{store}/ms@2.1.3/node_modules/ms"
    errors = f"{store}/ajv-errors@3.0.0_ajv@8.17.1/node_modules"
    assert links[f"{errors}/ajv"] == f"{store}/ajv@8.17.1/node_modules/ajv"
    assert links[f"{errors}/ajv-errors"] == ""


def test_an_optional_peer_that_only_development_has_is_left_out(shelf: Workspace) -> None:
    reach = closure(shelf.lock, "services/api", platforms=AMD64, libc="glibc")
    assert [path for path in reach.entries if path.endswith("supports-color")] == []
    debug = "node_modules/.pnpm/debug@4.4.0_supports-color@7.2.0/node_modules"
    assert shelf.lock.entries[f"{debug}/supports-color"].dev


def test_what_only_development_has_is_marked(shelf: Workspace) -> None:
    development = {e.name for e in shelf.lock.entries.values() if e.dev}
    assert development == {"picocolors", "supports-color", "has-flag"}


def test_workspace_packages_are_those_of_pnpm_workspace_yaml(shelf: Workspace) -> None:
    assert [p.path for p in shelf.packages] == ["packages/lib", "packages/tool", "services/api", "services/worker"]
    assert shelf.manager == "pnpm"
    assert shelf.needs("services/api") == ("packages/lib", "packages/tool")


def test_a_reference_is_read_as_pnpm_reads_it() -> None:
    found = graph("""
importers:
  a:
    dependencies:
      x: {specifier: ^1, version: 1.0.0(y@2.0.0)}
      alias: {specifier: npm:@s/z@1, version: '@s/z@1.0.0'}
      git: {specifier: github:o/r, version: https://codeload.github.com/o/r/tar.gz/abc}
      root: {specifier: 'workspace:*', version: link:..}
packages:
  x@1.0.0: {resolution: {integrity: sha512-x}}
  '@s/z@1.0.0': {resolution: {integrity: sha512-z}}
  git@https://codeload.github.com/o/r/tar.gz/abc: {resolution: {tarball: t}, version: 3.0.0}
snapshots:
  x@1.0.0(y@2.0.0): {}
  '@s/z@1.0.0': {}
  git@https://codeload.github.com/o/r/tar.gz/abc: {}
""")
    assert found.members["a"].targets == {
        "x": "x@1.0.0(y@2.0.0)",
        "alias": "@s/z@1.0.0",
        "git": "git@https://codeload.github.com/o/r/tar.gz/abc",
        "root": "link:",
    }
    assert found.nodes["git@https://codeload.github.com/o/r/tar.gz/abc"].entry.version == "3.0.0"


def test_a_package_that_brings_its_own_node_modules_says_so() -> None:
    found = graph("""
packages: {a@1.0.0: {resolution: {integrity: sha512-a}, bundledDependencies: [b]}}
snapshots: {a@1.0.0: {}}
""")
    assert isolated(found, major=10).entries["node_modules/.pnpm/a@1.0.0/node_modules/a"].bundled == ("b",)


@pytest.mark.parametrize(
    ("settings", "manifest"),
    [
        ({"allowBuilds": {"a": "true", "b@1.0.0 || 2.0.0": "true", "c": "false"}}, {}),
        ({"onlyBuiltDependencies": ["a", "b"]}, {}),
        ({}, {"pnpm": {"onlyBuiltDependencies": ["a", "b"]}}),
        ({}, {"pnpm": {"allowBuilds": {"a": True, "b": True, "c": False}}}),
    ],
)
def test_packages_that_the_workspace_lets_build_have_an_install_script(
    settings: dict[str, object], manifest: dict[str, object]
) -> None:
    held = "".join(f"  {name}@1.0.0: {{}}\n" for name in "abc")
    text = f"lockfileVersion: '9.0'\npackages:\n{held}snapshots:\n{held}"
    lock = isolated(parse_pnpm_lock(text, {}, built_packages(settings, manifest)), major=10)
    assert {e.name for e in lock.entries.values() if e.install_script} == {"a", "b"}


# --- names of directories ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "major", "name"),
    [
        ("ms@2.1.3", 10, "ms@2.1.3"),
        ("@types/node@22.0.0", 10, "@types+node@22.0.0"),
        ("react-dom@18.3.1(react@18.3.1)", 10, "react-dom@18.3.1_react@18.3.1"),
        ("a@1.0.0(b@1.0.0(c@1.0.0))(d@1.0.0)", 10, "a@1.0.0_b@1.0.0_c@1.0.0__d@1.0.0"),
        ("JSONStream@1.3.5", 10, "JSONStream@1.3.5_fb8f73c374dcf7070ffed90b688edabd"),
        ("JSONStream@1.3.5", 9, "JSONStream@1.3.5_r3os6ifnv5rfzwtsmjig3b325i"),
        ("git@https://codeload.github.com/o/r/tar.gz/abc#x", 10, "git@https+++codeload.github.com+o+r+tar.gz+abc+x"),
        ("git@https://codeload.github.com/o/r/tar.gz/abc#x", 9, "git@https+++codeload.github.com+o+r+tar.gz+abc#x"),
        ("a@1.0.0(patch_hash=00ff)(b@1.0.0)", 10, "a@1.0.0_patch_hash=00ff_b@1.0.0"),
        (
            "long@1.0.0" + "(peer@1.0.0)" * 12,
            10,
            "long@1.0.0" + "_peer@1.0.0" * 7 + "_a767ab657a29d0bf9189377dda525a54",
        ),
        ("long@1.0.0" + "(peer@1.0.0)" * 12, 9, "long@1.0.0" + "_peer@1.0.0" * 7 + "_peer@_3a5n5ivrvgs75tyefaoq2dptsi"),
    ],
)
def test_directories_have_the_names_that_pnpm_gives_them(key: str, major: int, name: str) -> None:
    # Recorded from depPathToFilename of @pnpm/dependency-path 5.1.7 (pnpm 9) and 1001.1.11 (pnpm 10).
    assert directory_name(key, major=major) == name


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("a@1.0.0", "a@1.0.0"),
        ("a@1.0.0(b@1.0.0(c@1.0.0))(d@1.0.0)", "a@1.0.0"),
        ("a@1.0.0(patch_hash=00ff)(b@1.0.0)", "a@1.0.0"),
        ("a@file:b(1)c", "a@file:b(1)c"),
    ],
)
def test_a_package_is_found_under_its_key_without_peers(key: str, plain: str) -> None:
    assert without_suffix(key) == plain


# --- mistakes and settings --------------------------------------------------------------------------


def test_what_is_not_supported_is_refused_with_a_way_out(tmp_path: Path) -> None:
    relock = "run `pnpm install --lockfile-only` with pnpm 9 or newer"
    assert refused(tmp_path, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}) == (
        f"pnpm-lock.yaml: lockfileVersion 6.0 is not supported; {relock}"
    )
    assert refused(tmp_path, {"pnpm-lock.yaml": ""}) == f"pnpm-lock.yaml: no pnpm lockfile; {relock}"
    assert refused(tmp_path, {"pnpm-lock.yaml": "a: 1\n<<<<<<< HEAD\nb: 2\n"}) == (
        "pnpm-lock.yaml:3: not YAML; settle its merge conflicts or correct it"
    )
    assert refused(tmp_path, {".npmrc": "node-linker=pnp\n"}) == (
        "pnpm: node-linker=pnp is not supported; set it to isolated or hoisted"
    )
    assert refused(tmp_path, {"pnpm-workspace.yaml": "sharedWorkspaceLockfile: false\n"}) == (
        "pnpm: shared-workspace-lockfile=false is not supported; remove the setting and run `pnpm install`"
    )
    assert refused(tmp_path, {"package.json": '{"packageManager": "pnpm@8.15.0"}'}) == (
        "package.json: packageManager names pnpm 8.15.0, bake supports pnpm 9 and newer; "
        "run `corepack use pnpm@latest-10`"
    )


def test_builds_find_what_pnpm_lets_the_programs_it_starts_find(tmp_path: Path) -> None:
    path = "NODE_PATH=/app/node_modules/.pnpm/node_modules "
    assert changed(tmp_path / "a", {}).tool.run.startswith(path)
    assert not changed(tmp_path / "b", {".npmrc": "node-linker=hoisted\n"}).tool.run.startswith(path)


@pytest.mark.parametrize(
    ("manifest", "version"),
    [
        ({}, "10"),
        ({"packageManager": "pnpm@9.12.3+sha512.00", "engines": {"pnpm": ">=10"}}, "9.12.3"),
        ({"engines": {"pnpm": ">=9.1"}}, "10"),
        ({"engines": {"pnpm": ">=11.7.0"}}, "11"),
        ({"engines": {"pnpm": "8.x"}}, "9"),
        ({"devEngines": {"packageManager": {"name": "pnpm", "version": "^9.3"}}}, "9"),
        ({"devEngines": {"packageManager": {"name": "npm", "version": "^9.3"}}}, "10"),
    ],
)
def test_builds_use_the_pnpm_that_package_json_asks_for(
    tmp_path: Path, manifest: dict[str, object], version: str
) -> None:
    tool = changed(tmp_path, {"package.json": json.dumps(manifest)}).tool
    assert tool.setup == f"npm install --global --no-audit --no-fund pnpm@{version}"


def test_a_hoisted_tree_is_expected_where_the_workspace_asks_for_one(tmp_path: Path) -> None:
    workspace = changed(tmp_path, {".npmrc": "node-linker=hoisted\n"})
    reach = closure(workspace.lock, "services/worker", platforms=AMD64, libc="glibc")
    assert workspace.tool.layout == "walk"
    assert reach.entries == (
        "node_modules/JSONStream",
        "node_modules/debug",
        "node_modules/jsonparse",
        "node_modules/ms",
        "node_modules/through",
        "services/worker/node_modules/@shelf/lib",
        "services/worker/node_modules/ms",
    )


@pytest.mark.parametrize(
    "files",
    [
        {".npmrc": "public-hoist-pattern[]=*s\npublic-hoist-pattern[] = '@shelf/*'\npublic-hoist-pattern[]=!has-*\n"},
        {"pnpm-workspace.yaml": "packages: ['*/*']\npublicHoistPattern: ['*s', '@shelf/*', '!has-*']\n"},
    ],
)
def test_what_pnpm_links_at_the_root_for_everybody_is_known(tmp_path: Path, files: dict[str, str]) -> None:
    lock = changed(tmp_path, files).lock
    root = {path: entry.link for path, entry in lock.entries.items() if path.count("node_modules/") == 1}
    public = {
        path.removeprefix("node_modules/"): link for path, link in root.items() if path.startswith("node_modules")
    }
    store = "node_modules/.pnpm"
    # As pnpm 10.15.1 made them; @emnapi/wasi-threads is of another platform, picocolors the root's own.
    assert public == {
        "@emnapi/wasi-threads": f"{store}/@emnapi+wasi-threads@1.2.3/node_modules/@emnapi/wasi-threads",
        "@shelf/api": "services/api",
        "@shelf/lib": "packages/lib",
        "@shelf/tool": "packages/tool",
        "@shelf/worker": "services/worker",
        "ajv-errors": f"{store}/ajv-errors@3.0.0_ajv@8.17.1/node_modules/ajv-errors",
        "ms": f"{store}/ms@2.1.3/node_modules/ms",
        "old-ms": f"{store}/ms@2.0.0/node_modules/ms",
        "picocolors": f"{store}/picocolors@1.1.1/node_modules/picocolors",
    }


def test_a_workspace_that_hoists_shamefully_has_everything_at_its_root(tmp_path: Path) -> None:
    workspace = changed(tmp_path, {".npmrc": "shamefully-hoist=true\n"})
    link = workspace.lock.entries["node_modules/jsonparse"].link
    assert link == "node_modules/.pnpm/jsonparse@1.3.1/node_modules/jsonparse"


def test_installs_get_every_target_platform_instead_of_the_workspaces_own_choice(tmp_path: Path) -> None:
    own = "supportedArchitectures:\n  os: [darwin]\n  cpu:\n    - arm64\n\n"
    settings = f"packages: [packages/*]\n{own}overrides:\n  a: 1.0.0\n"
    workspace = changed(tmp_path, {"pnpm-workspace.yaml": settings})
    staged = staged_files(workspace.tool, ("linux/amd64", "linux/arm64"), ("glibc",))
    assert staged["pnpm-workspace.yaml"] == (
        "packages: [packages/*]\noverrides:\n  a: 1.0.0\nsupportedArchitectures:\n"
        "  os: [current, linux]\n  cpu: [current, x64, arm64]\n  libc: [current, glibc]\n"
    )


def test_patches_and_the_pnpmfile_go_to_the_install(tmp_path: Path) -> None:
    write_shelf(tmp_path, "pnpm")
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches/ms.patch").write_text("diff", encoding="utf-8")
    settings = "packages: [packages/*]\npatchedDependencies:\n  ms@2.0.0: patches/ms.patch\n"
    workspace = changed(tmp_path, {".pnpmfile.cjs": "", "pnpm-workspace.yaml": settings})
    assert set(workspace.tool.files) == {
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        ".pnpmfile.cjs",
        "patches/ms.patch",
    }


def test_a_copy_of_a_workspace_package_is_the_package_itself() -> None:
    found = graph("""
importers:
  a:
    dependencies:
      '@s/lib': {specifier: 'workspace:*', version: 'file:lib(y@2.0.0)'}
  lib: {}
packages:
  '@s/lib@file:lib': {resolution: {directory: lib, type: directory}}
snapshots:
  '@s/lib@file:lib(y@2.0.0)': {}
""")
    lock = isolated(found, major=10)
    assert {path: entry.link for path, entry in lock.entries.items()} == {"a/node_modules/@s/lib": "lib"}
    place = "node_modules/.pnpm/@s+lib@file+lib_y@2.0.0/node_modules/@s"
    assert relinking(found, major=10, root="/app") == (
        f" && rm -rf {place}/lib && mkdir -p {place} && ln -s /app/lib {place}/lib"
    )


def test_versions_of_a_peer_that_copies_find_and_the_package_does_not_are_told() -> None:
    text = """\
lockfileVersion: '9.0'
importers:
  .: {}
  a:
    dependencies:
      lib: {specifier: workspace:*, version: file:lib(y@1.0.0)}
      y: {specifier: 1.0.0, version: 1.0.0}
  lib:
    devDependencies:
      y: {specifier: 2.0.0, version: 2.0.0}
packages:
  lib@file:lib: {resolution: {directory: lib, type: directory}}
  y@1.0.0: {}
  y@2.0.0: {}
snapshots:
  lib@file:lib(y@1.0.0): {dependencies: {y: 1.0.0}}
  y@1.0.0: {}
  y@2.0.0: {}
"""
    manifests: Mapping[str, Mapping[str, Any]] = {"": {}, "a": {"name": "a"}, "lib": {"name": "lib"}}
    assert isolated(parse_pnpm_lock(text, manifests), major=10).apart == {"lib": {"y": ("1.0.0",)}}
    same = text.replace("specifier: 2.0.0, version: 2.0.0", "specifier: 1.0.0, version: 1.0.0")
    assert isolated(parse_pnpm_lock(same, manifests), major=10).apart == {}


def test_a_link_to_the_folder_that_a_package_publishes_is_one_to_the_package() -> None:
    text = """\
lockfileVersion: '9.0'
importers:
  .: {}
  api:
    dependencies:
      lib:
        specifier: workspace:*
        version: link:../lib/dist
  lib:
    publishDirectory: dist
packages: {}
snapshots: {}
"""
    graph = parse_pnpm_lock(text, {"": {}, "api": {"name": "api"}, "lib": {"name": "lib"}})
    assert isolated(graph, major=10).entries["api/node_modules/lib"].link == "lib"
