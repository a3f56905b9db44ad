import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.sources import Import, imported_packages, load_imports, undeclared
from bake.sources.imports import provider
from bake.workspace import Workspace, load_workspace
from tests.plant import plant

Write = Callable[[Mapping[str, Any]], Workspace]

MEMBERS: Mapping[str, Any] = {
    "services/a": {"name": "@w/a", "version": "1.0.0"},
    "services/b": {"name": "@w/b", "version": "1.0.0"},
    "packages/shared": {"name": "@w/shared", "version": "1.0.0"},
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a workspace: path -> text or JSON; a path that is a member's adds to its package.json."""

    def put(files: Mapping[str, Any]) -> Workspace:
        members = {path: {**MEMBERS[path], **files.get(path, {})} for path in MEMBERS}
        root = {
            "name": "w",
            "version": "1.0.0",
            "workspaces": ["services/*", "packages/*"],
            **files.get("", {}),
        }
        manifests = {f"{path}/package.json": manifest for path, manifest in members.items()}
        links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in members.items()}
        entries = {path: entry for path, entry in files.items() if isinstance(entry, dict) and "node_modules/" in path}
        lock = {"lockfileVersion": 3, "packages": {"": root, **members, **links, **entries}}
        others = {path: text for path, text in files.items() if path not in {*MEMBERS, *entries, ""}}
        everything = {"package.json": root, "package-lock.json": lock, **manifests, **others}
        return load_workspace(plant(tmp_path, everything))

    return put


def names(workspace: Workspace, path: str = "services/a", **options: Any) -> list[str]:
    return [one.name for one in load_imports(workspace, path, **options)]


def test_an_import_says_where_it_is_and_how_it_is_written(write: Write) -> None:
    workspace = write({"services/a/src/x.ts": 'import fs from "fs";\nconst y = require("@c/d/e");\n'})

    assert load_imports(workspace, "@w/a") == (
        Import(package="services/a", file="services/a/src/x.ts", line=2, name="@c/d", kind="require"),
    )


def test_what_leads_to_the_package_itself_is_left_out(write: Write) -> None:
    own = ("./y", "../z.js", "#x", "@w/a", "@w/a/sub", "node:fs", "/q")

    assert names(write({"services/a/src/x.ts": "".join(f'import "{name}";' for name in own)})) == []


@pytest.mark.parametrize(
    "file",
    [
        "x.test.ts",
        "x.spec.mjs",
        "x.e2e.ts",
        "x.servertest.ts",
        "__e2e__/x.ts",
        "x.stories.tsx",
        "x.d.ts",
        "x.d.mts",
        "x.d.css.ts",
        "__tests__/x.ts",
        "src/__mocks__/x.ts",
        "src/deep/test/x.ts",
        "tests/deep/x.ts",
        "e2e/x.ts",
        "stories/x.tsx",
        "node_modules/d/x.js",
        ".hidden/x.ts",
        "src/x.txt",
        "coverage/x.js",
    ],
)
def test_files_that_no_process_loads_are_left_out(write: Write, file: str) -> None:
    assert names(write({f"services/a/{file}": 'import "c"'})) == []


@pytest.mark.parametrize(
    "file",
    [
        "vite.config.ts",
        "scripts/x.mjs",
        "scripts/deep/x.mjs",
        "gulpfile.js",
        "build.mjs",
        "esbuild.prod.js",
        "vitest.setup.ts",
        "vitest.config.unit.cjs",
    ],
)
def test_files_that_only_builds_load_are_of_kind_build(write: Write, file: str) -> None:
    (one,) = load_imports(write({f"services/a/{file}": 'import "c"'}), "services/a")

    assert (one.name, one.kind) == ("c", "build")


@pytest.mark.parametrize(
    "file", ["src/scripts/x.ts", "src/build.ts", "dist/x.js", "index.cjs", "src/testing/x.ts", "src/x.vue"]
)
def test_files_that_a_process_may_load_are_in(write: Write, file: str) -> None:
    text = '<script>import "c"</script>' if file.endswith(".vue") else 'import "c"'
    (one,) = load_imports(write({f"services/a/{file}": text}), "services/a")

    assert (one.name, one.kind) == ("c", "static")


def test_a_test_helper_or_config_that_a_source_imports_counts_as_a_source(write: Write) -> None:
    workspace = write(
        {
            "services/a/src/x.ts": 'import "./app.config"; import "./test/y.js";',
            "services/a/src/app.config.ts": 'import "c"',
            "services/a/src/test/y.ts": 'import "d"',
            "services/a/src/test/z.ts": 'import "e"',
        }
    )

    assert [(one.name, one.kind) for one in load_imports(workspace, "services/a")] == [
        ("c", "static"),
        ("d", "static"),
    ]


def test_a_project_inside_a_package_is_left_out_but_not_a_marker_of_its_module_kind(write: Write) -> None:
    workspace = write(
        {
            "services/a/template/package.json": '{"name": "t", "version": "1.0.0"}',
            "services/a/template/x.js": 'import "c"',
            "services/a/dist/package.json": '{"type": "commonjs"}',
            "services/a/dist/x.js": 'require("d")',
        }
    )

    assert names(workspace) == ["d"]


def test_other_packages_are_no_part_of_the_root(write: Write) -> None:
    workspace = write({"x.js": 'import "c"', "services/a/x.js": 'import "d"'})

    assert names(workspace, "") == ["c"]


def test_sources_come_before_built_output(write: Write) -> None:
    workspace = write(
        {
            "services/a/tsconfig.json": '{"compilerOptions": {"outDir": "dist"}}',
            "services/a/dist/x.js": 'require("c")',
            "services/a/src/x.ts": 'import "d"; import "c"',
        }
    )

    assert [(one.name, one.file) for one in load_imports(workspace, "services/a")] == [
        ("c", "services/a/src/x.ts"),
        ("d", "services/a/src/x.ts"),
        ("c", "services/a/dist/x.js"),
    ]


# --- aliases


def test_an_alias_through_extends_is_no_package(write: Write) -> None:
    workspace = write(
        {
            "tsconfig.base.json": '{/* c */ "compilerOptions": {"baseUrl": ".", '
            '"paths": {"own/*": ["services/a/src/*"],},},}',
            "services/a/tsconfig.json": '{"extends": "../../tsconfig.base" // base\n}',
            "services/a/src/x.ts": 'import "own/y"; import "own/not/there"; import "other"',
        }
    )

    assert names(workspace) == ["other"]


def test_an_alias_that_leads_to_another_member_is_an_import_of_it(write: Write) -> None:
    paths = {"~shared/*": ["./packages/shared/src/*"], "s": ["packages/shared"]}
    workspace = write(
        {
            "tsconfig.json": {"compilerOptions": {"paths": paths}},
            "services/a/src/x.ts": 'import "~shared/y";\nimport s from "s"; s()',
        }
    )

    assert [(one.name, one.line) for one in load_imports(workspace, "services/a")] == [
        ("@w/shared", 1),
        ("@w/shared", 2),
    ]


def test_a_relative_path_into_another_member_is_an_import_of_it(write: Write) -> None:
    workspace = write({"services/a/src/x.ts": 'import "../../../packages/shared/src/y"; import "../../../tests/z"'})

    assert names(workspace) == ["@w/shared"]


def test_the_longest_pattern_decides(write: Write) -> None:
    paths = {
        "@w/*": ["packages/*/src"],
        "@w/own/*": ["services/a/src/*"],
        "@w/own/shared": ["packages/shared/x"],
    }
    workspace = write(
        {
            "tsconfig.json": {"compilerOptions": {"paths": paths}},
            "services/a/src/x.ts": 'import "@w/shared";\nimport "@w/own/y";\nimport "@w/own/shared";',
            "services/a/src/y.ts": "",
        }
    )

    assert [one.line for one in load_imports(workspace, "services/a")] == [1, 3]


def test_an_alias_for_everything_holds_only_for_what_is_there(write: Write) -> None:
    workspace = write(
        {
            "services/a/tsconfig.json": '{"compilerOptions": {"paths": {"*": ["./src/*"]}}}',
            "services/a/src/x.ts": 'import "y"; import "c"',
            "services/a/src/y/index.ts": "",
        }
    )

    assert names(workspace) == ["c"]


def test_a_base_url_holds_only_for_what_is_there_and_no_package(write: Write) -> None:
    workspace = write(
        {
            "services/a": {"dependencies": {"z": "1.0.0"}},
            "services/a/tsconfig.json": '{"compilerOptions": {"baseUrl": "./src"}}',
            "services/a/src/x.ts": 'import "y"; import "z"; import "c"',
            "services/a/src/y.ts": "",
            "services/a/src/z.ts": "",
        }
    )

    assert names(workspace) == ["c", "z"]


def test_types_that_are_mapped_leave_the_package_what_it_is(write: Write) -> None:
    paths = {"c": ["./types/c.d.ts"], "d": ["./node_modules/@types/d"]}
    workspace = write(
        {
            "services/a/tsconfig.json": {"compilerOptions": {"paths": paths}},
            "services/a/src/x.ts": 'import "c"; import "d"',
        }
    )

    assert names(workspace) == ["c", "d"]


def test_options_come_from_a_package_of_the_workspace_and_from_references_inside(write: Write) -> None:
    workspace = write(
        {
            "packages/shared/base.json": {"compilerOptions": {"paths": {"p": ["${configDir}/q"]}}},
            "services/a/tsconfig.json": '{"files": [], "references": [{"path": "./tsconfig.app.json"}]}',
            "services/a/tsconfig.app.json": {"extends": ["@w/shared/base.json", "@not/installed/x.json"]},
            "services/a/src/x.ts": 'import "p"; import "c"',
        }
    )

    assert names(workspace) == ["c"]


def test_a_tsconfig_that_extends_itself_is_passed_over(write: Write) -> None:
    workspace = write({"services/a/tsconfig.json": '{"extends": "./tsconfig.json"}', "services/a/x.ts": 'import "c"'})

    assert names(workspace) == ["c"]


@pytest.mark.parametrize("text", ["{", "[]", '{"compilerOptions": []}', '{"extends": 1, "references": 2}'])
def test_a_tsconfig_that_makes_no_sense_is_passed_over(write: Write, text: str) -> None:
    workspace = write({"services/a/x.ts": 'import "c"'})
    (workspace.root / "services/a/tsconfig.json").write_text(text)

    assert names(workspace) == ["c"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "type"), ({"verbatimModuleSyntax": True}, "static"), ({"emitDecoratorMetadata": True}, "static")],
)
def test_an_elided_import_is_a_type_unless_the_compiler_keeps_it(
    write: Write, options: Mapping[str, bool], kind: str
) -> None:
    workspace = write(
        {
            "services/a/tsconfig.json": {"compilerOptions": options},
            "services/a/src/x.ts": 'import { C } from "c"; let x: C',
        }
    )

    assert [one.kind for one in load_imports(workspace, "services/a")] == [kind]


# --- from the files that processes start with

REACHED = {
    "services/a/tsconfig.json": '{"compilerOptions": {"outDir": "dist", "rootDir": "src"}}',
    "services/a/src/server.ts": ('import "./lib/db.js"; import "one"; new Worker(new URL("./w.js", import.meta.url))'),
    "services/a/src/lib/db.ts": 'export * from "./deep"; import "two"',
    "services/a/src/lib/deep/index.ts": 'import "three"; import type { T } from "../../other"',
    "services/a/src/w.ts": 'import "four"',
    "services/a/src/other.ts": 'import "five"',
    "services/a/vite.config.ts": 'import "six"',
}


def loaded(workspace: Workspace, *entries: str) -> list[str]:
    """The names in files that processes load, sorted."""
    found = load_imports(workspace, "services/a", entries=entries)
    return sorted(one.name for one in found if one.kind != "build")


@pytest.mark.parametrize("entry", ["dist/server.js", "src/server.ts", "./dist/server"])
def test_only_what_the_entries_reach_counts(write: Write, entry: str) -> None:
    found = loaded(write(REACHED), entry)

    assert found == ["four", "one", "three", "two"]


def test_sources_that_no_entry_reaches_are_for_builds(write: Write) -> None:
    found = load_imports(write(REACHED), "services/a", entries=("dist/w.js",))

    assert sorted((one.name, one.kind) for one in found) == [
        ("five", "build"),
        ("four", "static"),
        ("one", "build"),
        ("six", "build"),
        ("three", "build"),
        ("two", "build"),
    ]


def test_two_entries_reach_what_each_reaches(write: Write) -> None:
    found = loaded(write(REACHED), "dist/w.js", "src/other.ts")

    assert found == ["five", "four"]


@pytest.mark.parametrize("entries", [(), ("dist/missing.js",), ("dist/server.js", "bin/x")])
def test_every_source_counts_when_an_entry_is_not_found(write: Write, entries: tuple[str, ...]) -> None:
    assert loaded(write(REACHED), *entries) == ["five", "four", "one", "three", "two"]


@pytest.mark.parametrize("text", ["require(name)", "import(`${x}/y`)", 'import "@w/a/other"'])
def test_every_source_counts_when_it_is_unclear_what_is_loaded(write: Write, text: str) -> None:
    files = {**REACHED, "services/a/src/w.ts": f"import 'four'; {text}"}

    assert "five" in loaded(write(files), "dist/w.js")


def test_a_template_reaches_the_files_that_begin_so(write: Write) -> None:
    files = {**REACHED, "services/a/src/w.ts": "import(`./lib/${x}.js`)"}

    assert loaded(write(files), "dist/w.js") == ["three", "two"]


def test_an_alias_and_an_internal_name_lead_on(write: Write) -> None:
    files = {
        "services/a": {"imports": {"#lib/*": {"types": "./x.d.ts", "default": ["./src/lib/*.ts"]}}},
        "services/a/tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        "services/a/src/server.ts": 'import "@/one"; import "#lib/two"',
        "services/a/src/one.ts": 'import "one"',
        "services/a/src/lib/two.ts": 'import "two"',
        "services/a/src/three.ts": 'import "three"',
    }

    assert loaded(write(files), "src/server.ts") == ["one", "two"]


def test_built_output_that_is_there_counts_beside_its_source(write: Write) -> None:
    files = {**REACHED, "services/a/dist/w.js": 'require("built")'}

    assert loaded(write(files), "dist/w.js") == ["built", "four"]


# --- undeclared


def test_an_import_that_the_root_provides_is_undeclared_and_names_its_provider(write: Write) -> None:
    workspace = write(
        {
            "services/a": {"dependencies": {"declared": "1"}, "devDependencies": {"dev": "1"}},
            "node_modules/declared": {"version": "1.0.0"},
            "node_modules/hoisted": {"version": "1.0.0"},
            "node_modules/dev": {"version": "1.0.0", "dev": True},
            "services/a/node_modules/nested": {"version": "1.0.0"},
            "services/a/src/x.ts": "".join(
                f'import "{name}";\n' for name in ("declared", "hoisted", "nested", "dev", "nothing", "@w/shared")
            ),
        }
    )
    found = undeclared(workspace, "services/a", load_imports(workspace, "services/a"))

    assert [(one.import_.line, one.import_.name, one.provider, one.dev) for one in found] == [
        (2, "hoisted", "node_modules/hoisted", False),
        (3, "nested", "services/a/node_modules/nested", False),
        (4, "dev", "node_modules/dev", True),
        (5, "nothing", "", False),
        (6, "@w/shared", "packages/shared", False),
    ]


def test_optional_and_peer_dependencies_are_declared(write: Write) -> None:
    tables = {"optionalDependencies": {"c": "1"}, "peerDependencies": {"d": "1"}}
    workspace = write({"services/a": tables, "services/a/x.js": 'require("c"); require("d")'})

    assert undeclared(workspace, "services/a", load_imports(workspace, "services/a")) == ()


def test_types_and_guarded_imports_and_build_files_are_not_undeclared(write: Write) -> None:
    workspace = write(
        {
            "services/a": {"devDependencies": {"d": "1"}},
            "services/a/src/x.ts": 'import type { T } from "c"; try { require("@w/b") } catch {}',
            "services/a/vite.config.ts": 'import "d"; import "e"',
        }
    )
    found = load_imports(workspace, "services/a")

    assert undeclared(workspace, "services/a", found) == ()
    assert [one.import_.name for one in undeclared(workspace, "services/a", found, build=True)] == ["e"]


def test_what_has_types_alone_is_not_undeclared_in_typescript(write: Write) -> None:
    workspace = write(
        {
            "node_modules/@types/c": {"version": "1.0.0", "dev": True},
            "node_modules/@types/s__d": {"version": "1.0.0", "dev": True},
            "services/a/tsconfig.json": {"compilerOptions": {"verbatimModuleSyntax": True}},
            "services/a/src/x.ts": 'import { C } from "c"; import { D } from "@s/d"; import { E } from "e"',
            "services/a/src/y.js": 'import { C } from "c"',
        }
    )
    found = undeclared(workspace, "services/a", load_imports(workspace, "services/a"))

    assert [(one.import_.name, one.import_.file) for one in found] == [
        ("e", "services/a/src/x.ts"),
        ("c", "services/a/src/y.js"),
    ]


def test_a_build_needs_the_members_it_imports_types_of_but_none_behind_a_guard(write: Write) -> None:
    text = 'import type { T } from "@w/shared"; try { require("@w/b") } catch {} import "c"'
    workspace = write({"services/a/src/x.ts": text})

    assert imported_packages(workspace, load_imports(workspace, "services/a")) == ("packages/shared",)


def test_a_member_that_the_lockfile_does_not_link_is_a_provider_by_its_name(write: Write) -> None:
    workspace = write({"node_modules/@w/b": {"version": "9.0.0"}})

    assert provider(workspace, "services/a", "@w/b") == "node_modules/@w/b"
    assert provider(workspace, "services/a", "@w/shared") == "packages/shared"
    assert provider(workspace, "services/a", "w") == ""


# --- what is no file


def test_a_link_to_nowhere_and_a_folder_called_like_a_script_are_passed_over(write: Write) -> None:
    workspace = write({"services/a/x.js/y.ts": 'import "c"'})
    (workspace.root / "services/a/z.ts").symlink_to("nowhere.ts")

    assert names(workspace) == ["c"]


# --- the example


def test_the_example_uses_packages_that_it_does_not_declare() -> None:
    workspace = load_workspace(Path(__file__).parents[3] / "examples" / "apphub")
    found = load_imports(workspace, "services/catalog")

    assert "packages/filestore-client" in imported_packages(workspace, found)
    assert {(one.import_.name, one.provider) for one in undeclared(workspace, "services/catalog", found)} == {
        ("@apphub/filestore-client", "packages/filestore-client")
    }


def test_what_nextjs_answers_itself_is_declared_where_nextjs_is(write: Write) -> None:
    files = {"services/a/src/x.ts": 'import "server-only";', "services/b/src/x.ts": 'import "server-only";'}
    workspace = write({**files, "services/a": {"dependencies": {"next": "1"}}})

    def found(path: str) -> list[str]:
        return [one.import_.name for one in undeclared(workspace, path, load_imports(workspace, path))]

    assert (found("services/a"), found("services/b")) == ([], ["server-only"])


def test_what_names_the_routes_is_for_builds(write: Write) -> None:
    text = 'import { index } from "@react-router/dev/routes";'
    workspace = write({"services/a/app/routes.ts": text, "services/a": {"devDependencies": {"@react-router/dev": "7"}}})
    assert undeclared(workspace, "services/a", load_imports(workspace, "services/a")) == ()


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ('resolve: { alias: { "odd/link": "./x.ts" } }', ["other"]),
        ("resolve: { alias: { odd$: './x.ts' } }", ["odd", "other"]),
        ("resolve: { alias: { 'odd$': './x.ts' } }", ["other"]),
        ("resolve: { alias: [{ find: /^odd/, replacement: './x.ts' }, { find: 'other', replacement: '' }] }", []),
        ("resolve: { alias: { odd: './x.ts', 'other$': './y.ts' } }", []),
        ("optimizeDeps: { include: ['odd', 'other'] }", ["odd", "other"]),
    ],
)
def test_what_a_bundler_takes_for_something_else_needs_no_provider(write: Write, config: str, left: list[str]) -> None:
    workspace = write(
        {
            "services/a/src/x.ts": 'import "odd/link";\nimport "other";\n',
            "services/a/vite.config.ts": f"export default {{ {config} }};\n",
        }
    )
    found = undeclared(workspace, "services/a", load_imports(workspace, "services/a"))
    assert [one.import_.name for one in found] == left


_RESOLVER = '{"plugins": [["module-resolver", {"alias": {"@odd": "./src/odd"}, "root": ["./src"]}]]}'
_WEBPACK = "resolve: { alias: { '@odd': x }, modules: [resolve(__dirname, 'src'), 'node_modules'] }"
_ADDED = "require('app-module-path').addPath(__dirname + '/../src'); m.addAlias('@odd', 'src')"


@pytest.mark.parametrize(
    ("files", "manifest"),
    [
        ({"services/a/.babelrc": _RESOLVER}, {}),
        ({"babel.config.js": "module.exports = { alias: { '@odd': '.' }, root: ['./src'] }"}, {}),
        ({}, {"babel": json.loads(_RESOLVER)}),
        ({"services/a/rollup.config.mjs": "alias({ entries: { other: './src/other', '@odd': './src/odd' } })"}, {}),
        ({"services/a/webpack.common.js": _WEBPACK}, {}),
        ({}, {"scripts": {"build": "esbuild src/x.js --bundle --alias:@odd=./src/odd --alias:other=./src/other"}}),
        ({"services/a/src/y.js": _ADDED}, {"dependencies": {"app-module-path": "2", "module-alias": "2"}}),
    ],
)
def test_what_compilers_and_loaders_find_by_other_names_needs_no_provider(
    write: Write, files: Mapping[str, str], manifest: Mapping[str, Any]
) -> None:
    sources = {
        "services/a/src/x.js": "require('@odd/a.js'); require('other/b'); require('no')",
        "services/a/src/other/b.js": "",
    }
    workspace = write({**sources, **files, "services/a": manifest})
    found = undeclared(workspace, "services/a", load_imports(workspace, "services/a"))
    missing = {one.import_.name for one in found}
    assert missing - {"app-module-path"} == {"no"}


TSLIB = {"node_modules/tslib": {"version": "2.8.1"}}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"importHelpers": True}, ["tslib"]),
        ({"importHelpers": True, "noEmit": True}, []),
        ({"importHelpers": True, "emitDeclarationOnly": True}, ["tslib"]),
        ({"importHelpers": False}, []),
    ],
    ids=["helpers", "a bundler's", "a loader's", "none"],
)
def test_helpers_that_the_compiler_imports_are_among_the_imports(
    write: Write, options: Mapping[str, Any], found: list[str]
) -> None:
    base = {"tsconfig.base.json": {"compilerOptions": options}}
    own = {"services/a/tsconfig.json": {"references": [{"path": "./tsconfig.app.json"}]}}
    app = {"services/a/tsconfig.app.json": {"extends": "../../tsconfig.base.json"}, "services/a/src/x.ts": "export {};"}
    workspace = write(TSLIB | base | own | app)
    assert names(workspace) == found
    missing = [
        (u.import_.file, u.import_.name)
        for u in undeclared(workspace, "services/a", load_imports(workspace, "services/a"))
    ]
    assert missing == [("services/a/tsconfig.json", name) for name in found]


def test_helpers_are_no_matter_of_javascript_or_of_a_workspace_without_them(write: Write) -> None:
    options = {"services/a/tsconfig.json": {"compilerOptions": {"importHelpers": True}}}
    assert names(write(TSLIB | options | {"services/a/src/x.js": "1;"})) == []
    assert names(write(options | {"services/a/src/x.ts": "export {};"})) == []
