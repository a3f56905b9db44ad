"""What packages read outside their folders: inputs of their builds that nobody has to write down."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.reads import Outside, Read, parse_build
from bake.workspace import Package
from tests.plant import plant

MEMBERS = {"": "root", "apps/api": "api", "apps/web": "web", "packages/lib": "lib"}


def read(root: Path, files: Mapping[str, str], *, package: str = "apps/api", build: str = "") -> Read:
    """What a package reads whose script `build` is given."""
    plant(root, files)
    found = Outside(root, (member(root, path) for path in MEMBERS), lambda path: "ignored" not in path)
    return found.load(package, parse_build({"build": build}, ("build",)), scripts=("build",))


def member(root: Path, path: str) -> Package:
    file = root / path / "package.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return Package(path=path, name=MEMBERS[path], version="", manifest=manifest)


def outside(root: Path, files: Mapping[str, str], *, package: str = "apps/api") -> list[str]:
    """What is read by a build of which nothing is known."""
    found = read(root, files, package=package)
    assert found.run == ()
    return list(found.built)


SHARED = {"shared/name.ts": "export const name = 1;", "shared/deep/more.ts": "", "LICENSE": "", "proto/a.proto": ""}


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("src/main.ts", "import { name } from '../../../shared/name';", ["shared/name.ts"]),
        ("src/main.ts", "import { name } from '../../../shared/name.js';", ["shared/name.ts"]),
        ("src/main.ts", "join(__dirname, '..', '..', '..', 'proto', 'a.proto')", ["proto/a.proto"]),
        ("src/main.ts", "const root = join(__dirname, '../../..'); load(join(root, 'proto'))", ["proto"]),
        ("src/main.ts", "const up = ['..', '..', '..']; load(join(base, 'proto', 'a.proto'))", ["proto/a.proto"]),
        ("package.json", '{"scripts": {"build": "tsc && cp ../../LICENSE dist/"}}', ["LICENSE"]),
        ("build.sh", "cp -r ../../proto dist", ["proto"]),
        ("tsconfig.json", '{"include": ["src", "../../shared/**/*"]}', ["shared"]),
        ("vite.config.ts", "alias: { '@': resolve(__dirname, '../../shared/deep') }", ["shared/deep"]),
        ("src/main.ts", "import '../../../gone/x'; import '../..'; import '../../web'", []),
        ("src/main.ts", "import '../../../../../../etc/passwd'; import '../../../node_modules/x/y'", []),
    ],
)
def test_a_path_that_leads_out_is_found_where_its_file_is(
    tmp_path: Path, file: str, text: str, found: list[str]
) -> None:
    assert outside(tmp_path, SHARED | {f"apps/api/{file}": text}) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("findUpSync('.shoprc.json'); findUpSync('package.json')", [".shoprc.json"]),
        (
            "if (dirname(dir) === dir) return; try { read('near.json'), read('.shoprc.json') }",
            [".shoprc.json", "apps/near.json"],
        ),
        ("while (dir !== path.dirname(dir)) has(dir, 'package.json').workspaces", ["package.json"]),
        ("read('.shoprc.json'), join(dirname(dir), 'near.json')", []),
    ],
)
def test_what_code_looks_for_in_the_folders_above_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    files = {".shoprc.json": "{}", "apps/near.json": "{}", "package.json": "{}", "apps/api/src/main.ts": text}
    assert outside(tmp_path, files) == found


def test_what_is_found_is_followed(tmp_path: Path) -> None:
    files = {
        "apps/api/src/main.ts": "import '../../../shared/a'",
        "shared/a.ts": "import './b'; import '../other/c.json'",
        "shared/b.ts": "",
        "shared/unused.ts": "",
        "other/c.json": "{}",
    }
    assert outside(tmp_path, files) == ["other/c.json", "shared/a.ts", "shared/b.ts"]


def test_aliases_of_typescript_lead_out_too(tmp_path: Path) -> None:
    files = SHARED | {
        "tsconfig.base.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@deep/*": ["shared/deep/*"]}}}',
        "apps/api/tsconfig.json": '{"extends": "../../tsconfig.base.json"}',
        "apps/api/src/main.ts": "import '@deep/more'; import 'shared/name'; import '@deep/gone'",
        "apps/web/src/main.ts": "",
    }
    assert outside(tmp_path, files) == ["shared/deep/more.ts", "shared/name.ts", "tsconfig.base.json"]
    assert outside(tmp_path, {}, package="apps/web") == []


def test_a_link_brings_what_it_leads_to_but_nothing_outside_the_workspace(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("", encoding="utf-8")
    outside(root, SHARED)
    (root / "apps/api/shared").symlink_to("../../shared")
    (root / "apps/api/secrets").symlink_to(tmp_path / "secrets")
    (root / "apps/api/dangling").symlink_to("../../gone")
    assert outside(root, {"apps/api/x.ts": "import '../../secrets/key'"}) == ["shared"]


def test_files_of_another_package_are_found_but_neither_all_of_it_nor_what_no_clone_has(tmp_path: Path) -> None:
    files = {
        "apps/api/x.ts": "import '../../packages/lib'; '../../packages/lib/schema.json'",
        "apps/api/y.ts": "'../../packages'; '../web/ignored'",
        "packages/lib/schema.json": "{}",
        "apps/web/ignored": "",
    }
    assert outside(tmp_path, files) == ["packages/lib/schema.json"]


def test_settings_of_a_package_manager_name_files_that_an_install_reads(tmp_path: Path) -> None:
    files = {".pnpmfile.cjs": "require('./tools/pins.json')", "tools/pins.json": "{}", "tools/more.json": "{}"}
    outside(tmp_path, files)
    found = Outside(tmp_path, (), lambda _: True).named_by((".pnpmfile.cjs",))
    assert found == (".pnpmfile.cjs", "tools/pins.json")


def test_what_a_proto_file_imports_comes_with_it(tmp_path: Path) -> None:
    files = {
        "apps/api/src/main.js": "load('../../proto/a.proto')",
        "proto/a.proto": 'import "b/b.proto";\nimport public "gone.proto";',
        "proto/b/b.proto": 'import "proto/c.proto";',
        "proto/c.proto": "",
        "proto/other.proto": "",
    }
    assert outside(tmp_path, files) == ["proto/a.proto", "proto/b/b.proto", "proto/c.proto"]


def test_scripts_that_no_build_runs_name_nothing_unless_it_runs_them(tmp_path: Path) -> None:
    scripts = {"test": "node ../../proto/a.proto", "dev:all": "x ../../shared", "codegen": "x ../../LICENSE"}
    manifest = {"scripts": scripts, "prisma": {"schema": "../../shared/name.ts"}}
    files = SHARED | {"apps/api/package.json": json.dumps(manifest)}
    assert outside(tmp_path, files) == ["LICENSE", "shared/name.ts"]
    manifest["scripts"] = scripts | {"build": "npm run test"}
    assert outside(tmp_path, {"apps/api/package.json": json.dumps(manifest)}) == [
        "LICENSE",
        "proto/a.proto",
        "shared/name.ts",
    ]


TSC = {
    "apps/api/tsconfig.json": '{"extends": "../../tsconfig.base.json", "include": ["src"]}',
    "tsconfig.base.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@lib/*": ["packages/lib/src/*"]}}}',
    "packages/lib/src/a.ts": "import './b'; import type { C } from '../../../shared/c';",
    "packages/lib/src/b.ts": "",
    "packages/lib/src/unused.ts": "",
    "shared/c.ts": "",
    "shared/d.json": "",
}
BASE = "tsconfig.base.json"
LIB = ["packages/lib/src/a.ts", "packages/lib/src/b.ts", "shared/c.ts"]


@pytest.mark.parametrize(
    ("text", "built", "run"),
    [
        ("import { c } from '../../../shared/c.js';", ["shared/c.ts"], []),
        ("export * from '../../../shared/c';", ["shared/c.ts"], []),
        ("import c = require('../../../shared/c');", ["shared/c.ts"], []),
        ("type C = import('../../../shared/c').C;", ["shared/c.ts"], []),
        ("await import(/* webpackChunkName: 'c' */ '../../../shared/c');", ["shared/c.ts"], []),
        ("import d from '../../../shared/d.json';", ["shared/d.json"], []),
        ("/// <reference path='../../../shared/c.ts' />", ["shared/c.ts"], []),
        ("declare module '../../../shared/c' { interface C {} }", ["shared/c.ts"], []),
        ("import { a } from '@lib/a';", LIB, []),
        ("const a = require('@lib/a');", [], []),
        ("const c = require('../../../shared/c');", [], ["shared/c.ts"]),
        ("load(join(__dirname, '../../../shared'))", [], ["shared"]),
    ],
)
def test_the_compiler_reads_what_it_resolves_and_processes_what_is_named(
    tmp_path: Path, text: str, built: list[str], run: list[str]
) -> None:
    found = read(tmp_path, TSC | {"apps/api/src/main.ts": text}, build="rimraf dist && tsc -p . && tsc-alias")
    assert (list(found.built), list(found.run)) == ([*built, BASE], run)


def test_tests_count_where_a_configuration_compiles_them(tmp_path: Path) -> None:
    files = TSC | {"apps/api/src/a.test.ts": "import '../../../shared/c'", "apps/api/test/b.ts": "import '@lib/a'"}
    assert read(tmp_path, files, build="tsc").built == ("shared/c.ts", BASE)
    some = '{"extends": "../../tsconfig.base.json", "include": ["**/*"], "exclude": ["**/*.test.ts"]}'
    assert read(tmp_path, {"apps/api/tsconfig.json": some}, build="tsc").built == (*LIB, BASE)


def test_what_a_configuration_names_is_read_whatever_imports_it(tmp_path: Path) -> None:
    config = {
        "files": ["src/main.ts", "../../shared/c.ts"],
        "include": ["../../generated/**/*.d.ts"],
        "references": [{"path": "../../tools"}, {"path": "../../packages/lib"}],
        "compilerOptions": {"typeRoots": ["../../types"], "outDir": "../../out", "allowJs": True},
    }
    files = TSC | {
        "apps/api/tsconfig.json": json.dumps(config),
        "apps/api/src/main.ts": "import './more.js'",
        "apps/api/src/more.js": "require('../../../shared/d.json')",
        "generated/x/api.d.ts": "",
        "types/node/index.d.ts": "",
        "out/old.js": "",
        "tools/tsconfig.json": '{"include": ["*.ts"]}',
        "tools/package.json": '{"type": "module"}',
        "tools/t.ts": "",
        "packages/lib/tsconfig.json": '{"include": ["src/a.ts"]}',
    }
    assert read(tmp_path, files, build="tsc -b").built == (
        "generated",
        "shared/c.ts",
        "shared/d.json",
        "tools/package.json",
        "tools/t.ts",
        "tools/tsconfig.json",
        "types",
    )


@pytest.mark.parametrize(
    ("build", "built"),
    [
        ("tsc && node scripts/copy.js", ["proto", BASE]),
        ("tsc && cp -r ../../proto dist/", ["proto", BASE]),
        # What these read is not known: all that is named counts.
        ("tsc && node scripts/generate.js", ["LICENSE", "proto", "shared", BASE]),
        ("tsc && node scripts/start.js", ["LICENSE", "proto", "shared", BASE]),
        ("tsc && esbuild src/main.ts", ["LICENSE", "proto", "shared", BASE]),
        ("tsc -p $CONFIG", ["LICENSE", "proto", "shared", BASE]),
        ("tsc -p gone.json", ["LICENSE", "proto", "shared", BASE]),
        ("vite build", ["LICENSE", "proto", "shared", BASE]),
    ],
)
def test_a_program_beside_the_compiler_reads_what_it_names_unless_it_has_others_read(
    tmp_path: Path, build: str, built: list[str]
) -> None:
    files = TSC | {
        "apps/api/src/main.ts": "open('../../shared')",
        "apps/api/scripts/copy.js": "const { cpSync } = require('node:fs'); cpSync('../../proto', 'dist')",
        "apps/api/scripts/generate.js": "const glob = require('glob'); '../../proto'",
        "apps/api/scripts/start.js": "import { spawn } from 'child_process'; '../../LICENSE'",
    }
    assert list(read(tmp_path, SHARED | files, build=build).built) == built


REFERRED = {
    "packages/lib/tsconfig.json": '{"include": ["src"], "compilerOptions": {"composite": true, "outDir": "dist"}}',
    "apps/api/src/main.ts": "import { a } from '@lib/a';",
}
REFERRING = '{"extends": "../../tsconfig.base.json", "references": [{"path": "../../packages/lib"}]}'


def test_declarations_do_for_what_is_referred_to_and_for_nothing_that_is_read_otherwise(tmp_path: Path) -> None:
    plain = read(tmp_path, TSC | REFERRED, build="tsc -b")
    assert plain.compiled is not None
    assert plain.compiled.whole == {"packages/lib"}  # `paths` lead to its sources, which then are compiled too
    referring = read(tmp_path, {"apps/api/tsconfig.json": REFERRING}, build="tsc -b")
    assert referring.compiled is not None
    assert referring.compiled.whole == frozenset()
    copying = read(tmp_path, {}, build="tsc -b && cp ../../packages/lib/src/a.ts dist/")
    assert copying.compiled is not None
    assert copying.compiled.whole == {"packages/lib"}
    assert read(tmp_path, {}, build="tsc -b && webpack").compiled is None


@pytest.mark.parametrize(
    ("build", "whole", "named"),
    [
        ("cp -r ../../packages/lib/schemas dist/", set(), {"packages/lib/schemas"}),
        ("node copy.js", set(), {"packages/lib/schemas/a.txt"}),
        # Sources come as their declarations, and what a build writes there is in no clone.
        ("cp -r ../../packages/lib/src dist/", {"packages/lib"}, set()),
        ("cp ../../packages/lib/dist/made.json dist/", {"packages/lib"}, set()),
        ("cp -r ../../packages/lib dist/", {"packages/lib"}, set()),
    ],
)
def test_places_that_a_build_names_in_a_library_come_beside_its_declarations(
    tmp_path: Path, build: str, whole: set[str], named: set[str]
) -> None:
    files = {
        "apps/api/tsconfig.json": REFERRING,
        "apps/api/copy.js": "require('fs').cpSync('../../packages/lib/schemas/a.txt', 'dist/a.txt')",
        "apps/api/package-lock.json": '{"packages": {"../../packages/lib": {}}}',
        "packages/lib/schemas/a.txt": "",
    }
    found = read(tmp_path, TSC | REFERRED | files, build=f"tsc -b && {build}").compiled
    assert found is not None
    assert (set(found.whole), set(found.named)) == (whole, named)


@pytest.mark.parametrize(
    ("options", "declares"),
    [
        ({"composite": True, "outDir": "dist"}, (("dist", "."),)),
        ({"declaration": True, "outDir": "dist", "rootDir": "src"}, (("dist", "src"),)),
        ({"declaration": True, "outDir": "dist"}, ()),
        ({"declaration": True, "outDir": "../../dist", "rootDir": "src"}, ()),
        ({"composite": True, "outDir": "dist", "declarationDir": "types"}, ()),
        ({"composite": True, "noEmit": True, "outDir": "dist"}, ()),
        ({"outDir": "dist", "rootDir": "src"}, ()),
    ],
)
def test_declarations_are_handed_on_from_where_they_are_known_to_be(
    tmp_path: Path, options: Mapping[str, object], declares: tuple[tuple[str, str], ...]
) -> None:
    files = {"apps/api/tsconfig.json": json.dumps({"compilerOptions": options}), "apps/api/src/main.ts": ""}
    found = read(tmp_path, files, build="tsc").compiled
    assert found is not None
    assert (found.declares, found.configs) == (declares, ("tsconfig.json",))


def test_what_a_library_does_not_compile_itself_is_needed_as_it_is(tmp_path: Path) -> None:
    options = {"composite": True, "outDir": "dist"}
    files = {
        "apps/api/tsconfig.json": REFERRING,
        "packages/lib/tsconfig.json": json.dumps({"files": ["src/b.ts"], "compilerOptions": options}),
    }
    found = read(tmp_path, TSC | REFERRED | files, build="tsc -b").compiled
    assert found is not None
    assert found.whole == {"packages/lib"}
