from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.errors import WorkspaceError
from bake.lockfile.npm import make_lockfile
from bake.plan import closure
from bake.workspace import Package, Workspace, find_circle, in_order, load_workspace
from tests.generate import generate
from tests.plant import plant

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"
LOCK: Mapping[str, Any] = {"lockfileVersion": 3, "packages": {"": {}}}


def load(root: Path, manifests: Mapping[str, Mapping[str, Any]], **files: object) -> Workspace:
    """Write package.json files (by package path) and others, then load."""
    everything = {f"{path}/package.json".lstrip("/"): manifest for path, manifest in manifests.items()}
    return load_workspace(plant(root, {"package-lock.json": LOCK, **everything, **files}))


def in_memory(
    root: Path, packages: Mapping[str, Mapping[str, Any]], references: Mapping[str, tuple[str, ...]] | None = None
) -> Workspace:
    members = [
        Package(path=path, name=f"@w/{path}", version="1.0.0", manifest=packages[path]) for path in sorted(packages)
    ]
    return Workspace(
        root=root,
        manager="npm",
        packages=tuple(members),
        root_package=Package(path="", name="root", version="", manifest={}),
        lock=make_lockfile(LOCK),
        references=references or {},
    )


def refused(root: Path, files: Mapping[str, object]) -> str:
    with pytest.raises(WorkspaceError) as caught:
        load_workspace(plant(root, files))
    return str(caught.value)


# --- packages ---------------------------------------------------------------------------------------


def test_the_example_is_loaded_with_its_packages_and_their_graph() -> None:
    workspace = load_workspace(EXAMPLE)
    assert (workspace.manager, workspace.lock_name, workspace.root_package.name) == (
        "npm",
        "package-lock.json",
        "apphub",
    )
    paths = [package.path for package in workspace.packages]
    assert paths == sorted(paths)
    assert {"apps/frontend", "packages/shared", "services/catalog"} <= set(paths)
    assert "packages/shared" in workspace.needs("services/catalog")
    order = in_order(["services/catalog"], workspace.all_needs)
    assert order.index("packages/shared") < order.index("services/catalog")
    assert "services/timestore" not in order


@pytest.mark.parametrize(
    ("patterns", "members"),
    [
        (["packages/*"], ["packages/a", "packages/b"]),
        (["./packages/a/", "apps/web"], ["apps/web", "packages/a"]),
        ({"packages": ["packages/*"], "nohoist": ["**"]}, ["packages/a", "packages/b"]),
        (["packages/*", "!packages/b"], ["packages/a"]),
        (["packages/*", "!packages/*", "packages/b"], ["packages/b"]),
        (["{apps,packages}/*"], ["apps/web", "packages/a", "packages/b"]),
        (["**"], ["apps/web", "packages/a", "packages/a/nested", "packages/b"]),
        (["packages/[a]"], ["packages/a"]),
        (["nowhere/*"], []),
    ],
)
def test_members_are_found_by_npms_patterns(tmp_path: Path, patterns: object, members: list[str]) -> None:
    folders = ("apps/web", "packages/a", "packages/a/nested", "packages/b", "packages/b/node_modules/x")
    named: dict[str, Mapping[str, Any]] = {"": {"workspaces": patterns}}
    named |= {folder: {"name": folder.replace("/", "-")} for folder in (*folders, "packages/.hidden")}
    (tmp_path / "packages" / "no-manifest").mkdir(parents=True)
    workspace = load(tmp_path, named)
    assert [package.path for package in workspace.packages] == members


def test_a_package_tells_what_its_manifest_says(tmp_path: Path) -> None:
    manifest: Mapping[str, Any] = {
        "scripts": {"build": "tsc"},
        "dependencies": {"a": "1"},
        "optionalDependencies": {"b": "2"},
        "peerDependencies": {"a": "0", "c": "3"},
        "devDependencies": {"d": "4"},
        "bin": "cli.js",
    }
    package = load(tmp_path, {"": {"workspaces": ["*"]}, "tool": manifest}).packages[0]
    assert (package.path, package.name, package.version) == ("tool", "tool", "")
    assert package.dependencies == {"a": "1", "b": "2", "c": "3"}
    assert package.dev_dependencies == {"d": "4"}
    assert (package.scripts, package.bins) == ({"build": "tsc"}, {"tool": "cli.js"})


def test_a_directory_that_a_file_dependency_links_is_a_package_too(tmp_path: Path) -> None:
    lock = {"": {}, "vendor/kept": {}, "node_modules/kept": {"link": True, "resolved": "vendor/kept"}}
    manifests: Mapping[str, Any] = {
        "": {"workspaces": ["apps/*"]},
        "apps/web": {"name": "web", "dependencies": {"kept": "file:../../vendor/kept"}},
        "vendor/kept": {"name": "kept"},
    }
    workspace = load(tmp_path, manifests, **{"package-lock.json": {"lockfileVersion": 3, "packages": lock}})
    assert [package.path for package in workspace.packages] == ["apps/web", "vendor/kept"]
    assert workspace.needs("web") == ("vendor/kept",)


@pytest.mark.parametrize("manager", ["pnpm", "yarn"])
def test_a_folder_that_a_dependency_links_is_a_package_too(tmp_path: Path, manager: str) -> None:
    manifests: Mapping[str, Any] = {
        "": {"packageManager": "pnpm@10.0.0" if manager == "pnpm" else "yarn@4.9.1", "workspaces": ["apps/*"]},
        "apps/web": {"name": "web", "dependencies": {"kept": "link:../../vendor/kept"}},
        "vendor/kept": {"name": "kept", "dependencies": {"ms": "2.1.3"}},
    }
    workspace = load(tmp_path, manifests, **_LINKING[manager])
    assert [package.path for package in workspace.packages] == ["apps/web", "vendor/kept"]
    assert workspace.needs("web") == ("vendor/kept",)
    reach = closure(workspace.lock, "apps/web", platforms=("linux/amd64",), libc="glibc")
    assert (reach.packages, reach.missing) == (("apps/web", "vendor/kept"), ())


_LINKING: Mapping[str, Mapping[str, Any]] = {
    "pnpm": {
        "pnpm-workspace.yaml": "packages: [apps/*]\n",
        "pnpm-lock.yaml": """\
lockfileVersion: '9.0'
importers:
  .: {}
  apps/web:
    dependencies:
      kept:
        specifier: link:../../vendor/kept
        version: link:../../vendor/kept
""",
    },
    "yarn": {
        ".yarnrc.yml": "nodeLinker: node-modules\n",
        "yarn.lock": """\
__metadata:
  version: 8
"kept@link:../../vendor/kept::locator=web%40workspace%3Aapps%2Fweb":
  version: 0.0.0-use.local
  resolution: "kept@link:../../vendor/kept::locator=web%40workspace%3Aapps%2Fweb"
  linkType: soft
"web@workspace:apps/web":
  version: 0.0.0-use.local
  resolution: "web@workspace:apps/web"
  linkType: soft
""",
    },
}


def test_what_a_portal_depends_on_is_what_the_lockfile_has_for_it(tmp_path: Path) -> None:
    lock = """\
__metadata:
  version: 8
"kept@portal:../../kept::locator=web%40workspace%3Aapps%2Fweb":
  resolution: "kept@portal:../../kept::locator=web%40workspace%3Aapps%2Fweb"
  dependencies:
    ms: "npm:2.1.3"
"ms@npm:2.1.3":
  version: 2.1.3
  resolution: "ms@npm:2.1.3"
"""
    manifests: Mapping[str, Any] = {
        "": {"packageManager": "yarn@4.9.1", "workspaces": ["apps/*"]},
        "apps/web": {"name": "web", "dependencies": {"kept": "portal:../../kept"}},
        "kept": {"name": "kept", "dependencies": {"ms": "2.1.3"}},
    }
    files = {".yarnrc.yml": "nodeLinker: node-modules\n", "yarn.lock": lock}
    workspace = load(tmp_path, manifests, **files)
    reach = closure(workspace.lock, "apps/web", platforms=("linux/amd64",), libc="glibc")
    assert (reach.packages, reach.missing) == (("apps/web", "kept"), ())
    assert "node_modules/ms" in reach.entries


def test_a_package_is_found_by_path_or_name(tmp_path: Path) -> None:
    workspace = in_memory(tmp_path, {"api": {}})
    assert workspace.package("api") is workspace.package("@w/api") is workspace.package("./api/")
    assert workspace.package(".") is workspace.package("") is workspace.root_package


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("service/catalog", "service/catalog: no such package in the workspace; did you mean services/catalog?"),
        ("catalogue", "catalogue: no such package in the workspace; did you mean services/catalog?"),
        ("zzz", "zzz: no such package in the workspace; packages are services/catalog, services/files"),
    ],
)
def test_an_unknown_package_is_refused_with_the_nearest_name(tmp_path: Path, wanted: str, message: str) -> None:
    workspace = in_memory(tmp_path, {"services/catalog": {}, "services/files": {}})
    with pytest.raises(WorkspaceError) as caught:
        workspace.package(wanted)
    assert str(caught.value) == message


# --- the graph --------------------------------------------------------------------------------------


def depends(*names: str, dev: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "dependencies": {f"@w/{name}": "1.0.0" for name in names},
        "devDependencies": {f"@w/{name}": "1.0.0" for name in dev},
    }


def test_a_build_needs_dependencies_dev_dependencies_and_references(tmp_path: Path) -> None:
    packages = {"api": depends("lib", dev=("kit",)), "lib": {}, "kit": {}, "types": depends("lib")}
    workspace = in_memory(tmp_path, packages, {"api": ("types",)})
    assert workspace.needs("api") == ("kit", "lib", "types")
    assert in_order(["api"], workspace.all_needs) == ("kit", "lib", "types", "api")
    assert in_order(["types", "lib"], workspace.all_needs) == ("lib", "types")


def test_a_dev_dependency_that_would_close_a_cycle_is_dropped(tmp_path: Path) -> None:
    workspace = in_memory(tmp_path, {"a": depends("b"), "b": depends(dev=("a", "c")), "c": depends(dev=("b",))})
    assert (workspace.needs("a"), workspace.needs("b"), workspace.needs("c")) == (("b",), ("c",), ())
    assert in_order(["a", "b", "c"], workspace.all_needs) == ("c", "b", "a")


def test_a_circle_of_dependencies_is_named_where_two_builds_are_in_it(tmp_path: Path) -> None:
    packages = {"a": depends("b"), "b": depends("c"), "c": {}, "start": depends("a")}
    workspace = in_memory(tmp_path, packages, {"c": ("a",)})
    assert find_circle({"a", "c"}, workspace.all_needs) == ("a", "b", "c", "a")
    assert find_circle({"a", "start"}, workspace.all_needs) == ()
    assert in_order(["start"], workspace.all_needs) == ("c", "b", "a", "start")


def test_a_published_version_of_a_member_in_the_lockfile_is_no_need(tmp_path: Path) -> None:
    lock = {
        "": {},
        "api": {},
        "lib": {},
        "node_modules/lib": {"link": True, "resolved": "lib"},
        "api/node_modules/lib": {"version": "0.9.0"},
    }
    manifests: Mapping[str, Any] = {
        "": {"workspaces": ["*"]},
        "api": {"dependencies": {"lib": "^0.9.0"}},
        "lib": {"name": "lib"},
    }
    workspace = load(tmp_path, manifests, **{"package-lock.json": {"lockfileVersion": 3, "packages": lock}})
    assert workspace.needs("api") == ()


# --- tsconfig ---------------------------------------------------------------------------------------


def test_references_are_read_from_tsconfig_files_with_comments(tmp_path: Path) -> None:
    manifests: dict[str, Mapping[str, Any]] = {"": {"workspaces": ["*"]}}
    manifests |= {path: {} for path in ("web", "lib", "types", "tools", "client")}
    workspace = load(
        tmp_path,
        manifests,
        **{
            # As Vite writes it: a file that only refers to others of the same package.
            "web/tsconfig.json": {"files": [], "references": [{"path": "./tsconfig.app.json"}]},
            "web/tsconfig.app.json": """{ // the app
                "references": [{"path": "../lib"}, /* more */ {"path": "../types/tsconfig.x.json"},],}""",
            "web/tsconfig.build.json": {"compilerOptions": {"paths": {"tools": ["../tools/src"]}}},
            "lib/tsconfig.json": {"extends": "../tsconfig.base.json", "references": [{"path": "../gone"}]},
            "types/tsconfig.json": {"extends": "./tsconfig.own.json"},
            "types/tsconfig.own.json": {"compilerOptions": {"baseUrl": "..", "paths": {"c/*": ["client/src/*"]}}},
            # A map of every package for everyone says nothing about what a package needs.
            "tsconfig.base.json": {"compilerOptions": {"baseUrl": ".", "paths": {"web": ["web/src"]}}},
        },
    )
    assert workspace.references == {"web": ("lib", "tools", "types"), "types": ("client",)}


def test_what_an_alias_leads_to_is_no_tsconfig_file(tmp_path: Path) -> None:
    aliases = {"compilerOptions": {"paths": {"@http": ["./src/http/index.ts"], "@lib": ["../lib/src/index.ts"]}}}
    files = {"api/tsconfig.json": aliases, "api/src/http/index.ts": "export const get = 1;"}
    workspace = load(tmp_path, {"": {"workspaces": ["*"]}, "api": {}, "lib": {}}, **files)
    assert workspace.references == {"api": ("lib",)}


def test_a_build_that_names_its_tsconfig_file_needs_nothing_of_the_others(tmp_path: Path) -> None:
    build = {"scripts": {"build": "tsc --build ./tsconfig.build.json"}}
    workspace = load(
        tmp_path,
        {"": {"workspaces": ["*"]}, "api": build, "lib": {}, "kit": {"dependencies": {"api": "*"}}},
        **{
            "api/tsconfig.json": {"references": [{"path": "tsconfig.build.json"}, {"path": "tsconfig.test.json"}]},
            "api/tsconfig.build.json": {"references": [{"path": "../lib"}]},
            "api/tsconfig.test.json": {"references": [{"path": "../kit"}]},
        },
    )
    assert workspace.references == {"api": ("lib",)}


# --- mistakes ---------------------------------------------------------------------------------------


def test_a_workspace_without_what_is_needed_is_refused_with_a_remedy(tmp_path: Path) -> None:
    relock = "run `npm install --package-lock-only`"
    advice = "run bake at the monorepo's root, or correct workspace.root"
    assert refused(tmp_path, {}) == f"workspace: no package.json in {tmp_path}; {advice}"
    for name in ("client", "server", ".old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "package.json").write_text("{}")
    advice = (
        "client, server: each with its own lockfile is a workspace of its own, run bake there; workspace.root names one"
    )
    assert refused(tmp_path, {}) == f"workspace: no package.json in {tmp_path}; {advice}"
    assert refused(tmp_path, {"package.json": {}}) == f"workspace: no package-lock.json in {tmp_path}; {relock}"
    lacks = f"workspace: no pnpm-lock.yaml in {tmp_path}; run `pnpm install --lockfile-only`"
    assert refused(tmp_path, {"package.json": {"packageManager": "pnpm@10.0.0"}}) == lacks
    lacks = f"workspace: no yarn.lock in {tmp_path}; run `yarn install`"
    assert refused(tmp_path, {"package.json": {"packageManager": "yarn@4.1.0"}}) == lacks
    bun = refused(tmp_path, {"bun.lock": ""})
    assert bun == f"bun.lock: bun workspaces are not supported; use npm: {relock}"


def test_workspaces_of_rush_and_of_lerna_alone_are_refused_with_a_way_out(tmp_path: Path) -> None:
    advice = "Rush keeps its lockfile elsewhere, which is not supported; name the packages in a pnpm-workspace.yaml"
    assert refused(tmp_path, {"rush.json": {}}) == f"workspace: no package.json in {tmp_path}; {advice}"
    assert refused(tmp_path, {"package.json": {}, "lerna.json": {"packages": ["packages/*"]}}) == (
        "lerna.json: names packages, which have no lockfile in common; "
        'name them as "workspaces" in package.json and run `npm install --package-lock-only`'
    )


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({"package.json": {}}, "npm"),
        ({"package.json": {}, "pnpm-workspace.yaml": "packages: [apps/*]\n"}, "pnpm"),
        ({"package.json": {"devEngines": {"packageManager": {"name": "pnpm"}}}}, "pnpm"),
        ({"package.json": {"packageManager": "npm@11.0.0", "scripts": {"build": "pnpm -r build"}}}, "npm"),
        ({"package.json": {"scripts": {"build": "yarn workspaces run build", "lint": "yarn eslint ."}}}, "yarn"),
        ({"package.json": {}, "Dockerfile": "FROM node\nRUN corepack enable && pnpm install\n"}, "pnpm"),
    ],
)
def test_of_several_lockfiles_the_one_that_the_workspace_works_with_is_read(
    tmp_path: Path, files: Mapping[str, object], manager: str
) -> None:
    locks = {
        "package-lock.json": LOCK,
        "pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n",
        "yarn.lock": "# yarn lockfile v1\n",
    }
    assert load_workspace(plant(tmp_path, {**locks, **files})).manager == manager


def test_the_shrinkwrap_is_preferred_and_named_in_messages(tmp_path: Path) -> None:
    assert refused(
        tmp_path, {"package.json": {}, "package-lock.json": LOCK, "npm-shrinkwrap.json": {"lockfileVersion": 1}}
    ) == (
        "npm-shrinkwrap.json: lockfileVersion 1 does not record where packages lie; "
        "run `npm install --package-lock-only --lockfile-version 3`"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"api/package.json": '{\n "name": api\n}'},
            "api/package.json:2: not JSON: Expecting value; correct the file",
        ),
        ({"api/package.json": "[]"}, "api/package.json: holds no JSON object; correct the file"),
        (
            {"api/package.json": {"name": "x"}, "web/package.json": {"name": "x"}},
            "web/package.json: api is called x too; rename one of them",
        ),
        (
            {"package.json": {"workspaces": "packages/*"}},
            'package.json: `workspaces` is no list of patterns; write for example ["packages/*"]',
        ),
        (
            {
                "package-lock.json": {
                    "lockfileVersion": 3,
                    "packages": {"": {}, "node_modules/x": {"link": True, "resolved": "../x"}},
                }
            },
            "package-lock.json: node_modules/x links to ../x, outside the workspace; "
            "move that package into the workspace or depend on a published version",
        ),
    ],
)
def test_a_mistake_in_a_file_is_refused_in_one_line(tmp_path: Path, files: Mapping[str, object], message: str) -> None:
    base = {"package.json": {"workspaces": ["*"]}, "package-lock.json": LOCK}
    assert refused(tmp_path, {**base, **files}) == message


def test_a_broken_tsconfig_is_refused_in_one_line(tmp_path: Path) -> None:
    files = {"package.json": {"workspaces": ["*"]}, "package-lock.json": LOCK, "api/package.json": {}}
    message = refused(tmp_path, {**files, "api/tsconfig.json": '{"references": oops}'})
    assert message.startswith("api/tsconfig.json: not JSON with comments: ")
    assert message.endswith("; correct the file")


# --- the generator ----------------------------------------------------------------------------------


def test_a_generated_workspace_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    generate(tmp_path, packages=12, services=5, entries=300)
    workspace = load_workspace(tmp_path)
    third_party = [entry for entry in workspace.lock.entries.values() if not entry.link]
    assert (len(workspace.packages), len(third_party)) == (12, 300)
    assert len([package for package in workspace.packages if package.path.startswith("services/")]) == 5
    paths = {package.path for package in workspace.packages}
    assert set(in_order(paths, workspace.all_needs)) == paths
    assert find_circle(paths, workspace.all_needs) == ()
