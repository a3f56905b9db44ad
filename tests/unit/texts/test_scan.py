from pathlib import Path

import pytest

from bake.texts import Found, package_name
from bake.texts.scan import scan


def found(text: str, suffix: str = ".ts") -> list[tuple[str, int, str]]:
    return [(one.specifier, one.line, one.kind) for one in scan(text, suffix=suffix)]


@pytest.mark.parametrize("suffix", [".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('import x from "a"; x()', "static"),
        ('import * as x from "a"; x.y()', "static"),
        ('import { x } from "a"; x()', "static"),
        ("import x, { y as z } from 'a'; z()", "static"),
        ('import {\n  x,\n} from "a"; x()', "static"),
        ('import "a"', "static"),
        ('import x from "a" with { type: "json" }; x()', "static"),
        ('export * from "a"', "static"),
        ('export * as x from "a"', "static"),
        ('export { x } from "a"', "static"),
        ('const x = require("a")', "require"),
        ("require?.('a')", "require"),
        ('function f() { return require.resolve("a") }', "require"),
        ('const x = await import("a")', "dynamic"),
        ("import(`a`).then(f)", "dynamic"),
        ('import(/* webpackChunkName: "b" */ "a")', "dynamic"),
        ('import.meta.resolve("a")', "dynamic"),
    ],
)
def test_every_form_of_import_is_found_in_every_kind_of_file(text: str, kind: str, suffix: str) -> None:
    line = 3 if "\n" in text else 1

    assert found(text, suffix) == [("a", line, kind)]


@pytest.mark.parametrize("suffix", [".ts", ".tsx", ".mts", ".cts"])
@pytest.mark.parametrize(
    "text",
    [
        'import type { X } from "a"',
        'import type X from "a"',
        'import type X = require("a")',
        'export type { X } from "a"',
        'export type * from "a"',
        'type X = typeof import("a")',
        'let x: import("a").X',
        'type X = import("a").X<string>',
        'const x = y as import("a").X',
        'function f(x: Awaited<typeof import("a")>): void {}',
        'declare module "b" { import { X } from "a" }',
    ],
)
def test_what_types_alone_need_is_of_kind_type(text: str, suffix: str) -> None:
    assert found(text, suffix) == [("a", 1, "type")]


TYPES_ONLY = [
    'import { type X, type Y } from "a"',
    'export { type X } from "a"',
    'import { X } from "a"; let x: X',
    'import X from "a"; let x: X.Y; type Z = typeof X',
    'import * as X from "a"; export function f(x: X.Y<string>): x is X.Z { return true }',
    'import { X } from "a"; class Y implements X {}',
    'import { X } from "a"; export type { X }',
    'import X = require("a"); let x: X.Y',
    'import { X } from "a"; // X\nconst y = "X"',
]
VALUES = [
    'import { X } from "a"; class Y extends X<string> {}',
    'import { X } from "a"; export { X }',
    'import { X } from "a"; export default X',
    'import { X } from "a"; const y = { X }',
    'import { X } from "a"; f(...X)',
    'import { X } from "a"; let x: X = new X()',
    'import { X } from "a"; @X() class Y {}',
    'import { X, type Z } from "a"; X satisfies Z',
    'import { Y as X } from "a"; const y = `${X}`',
    'import X = require("a"); X()',
]
# Files are parsed only as far as they import when what follows is clear; this makes much follow.
FILLER = "\n" + "const filler = 1;\n" * 20


@pytest.mark.parametrize("text", TYPES_ONLY)
def test_an_import_that_typescript_drops_is_elided(text: str) -> None:
    assert found(text) == [("a", 1, "elided")]
    assert found(text, ".tsx") == [("a", 1, "elided")]
    assert found(text.replace('"a";', f'"a";{FILLER}') + FILLER) == [("a", 1, "elided")]


@pytest.mark.parametrize("text", VALUES)
def test_an_import_whose_value_is_used_is_not_elided(text: str) -> None:
    assert found(text) == [("a", 1, "static")]
    assert found(text.replace('"a";', f'"a";{FILLER}') + FILLER) == [("a", 1, "static")]


@pytest.mark.parametrize("suffix", [".ts", ".tsx", ".js"])
@pytest.mark.parametrize(
    "text",
    [
        'import { b } from "a"; FILL; import("c")',
        'import { b } from "a"; FILL; export * from "c"',
        'import { b } from "a"; FILL; function f() { return require("c"); FILL }',
        'import { b } from "a"; FILL; const x = {\n y: require("c"), FILLED: `${b()}`,\n FILLED2: 1 }; FILL',
        'import { b } from "a"; // important\nFILL; export\n{ x }\nfrom\n"c"; FILL; imports()',
        'import { b } from "a";\nimport {\n d,\n}\nfrom "c"; d(); FILL',
    ],
)
def test_imports_are_found_however_far_down(text: str, suffix: str) -> None:
    text = text.replace("FILL;", FILLER).replace("FILL ", FILLER) + "; b()"

    assert [name for name, _, _ in found(text, suffix)] == ["a", "c"]


def test_a_path_that_may_lead_to_another_package_is_elided_too() -> None:
    assert found('import { T } from "../../b/types"; let x: T;') == [("../../b/types", 1, "elided")]
    assert found('import { T } from "../types"; let x: T;') == [("../types", 1, "static")]


def test_an_import_that_only_elements_use_is_not_elided() -> None:
    assert found('import { X } from "a"; const y = <X.Provider />', ".tsx") == [("a", 1, "static")]
    assert found('import React from "react"; const y = <b />', ".tsx") == [("react", 1, "static")]


def test_nothing_is_elided_in_javascript() -> None:
    assert found('import { X } from "a"', ".js") == [("a", 1, "static")]


@pytest.mark.parametrize(
    "text",
    [
        '// import x from "a"',
        '/* require("a") */',
        "const x = 'import y from \"a\"'",
        "const x = `require('a')`",
        'x.require("a"); x.import("a"); from("a")',
        'export const imported = "from"',
        "const re = /require('a')/",
    ],
)
def test_text_that_looks_like_an_import_is_none(text: str) -> None:
    assert found(text) == []


def test_a_cast_in_angle_brackets_is_read_in_ts() -> None:
    assert found('const x = <any>require("a");\nimport b from "b"; b()') == [
        ("a", 1, "require"),
        ("b", 2, "static"),
    ]


def test_elements_are_read_in_tsx_and_js() -> None:
    text = 'const x = <div>{f("it\'s")} don\'t</div>;\nimport("a")'

    assert found(text, ".tsx") == [("a", 2, "dynamic")]
    assert found(text, ".js") == [("a", 2, "dynamic")]


@pytest.mark.parametrize(
    "text",
    [
        'try { require("a") } catch { x() }',
        'try { const x = await import("a") } catch (error) {}',
        'import("a").catch(() => undefined)',
        'import("a").then((x) => x.default).catch(f)',
    ],
)
def test_an_import_that_may_fail_is_guarded(text: str) -> None:
    assert [(one.specifier, one.guarded) for one in scan(text, suffix=".ts")] == [("a", True)]


@pytest.mark.parametrize(
    "text",
    [
        'try { x() } catch { require("a") }',
        'try { f(() => require("a")) } catch {}',
        'try { require("a") } finally { x() }',
        'import("a").then(f)',
    ],
)
def test_an_import_that_must_not_fail_is_not_guarded(text: str) -> None:
    assert [(one.specifier, one.guarded) for one in scan(text, suffix=".ts")] == [("a", False)]


def test_a_name_that_is_put_together_is_computed() -> None:
    assert found("import(`./jobs/${x}.js`); require(x)") == [("./jobs/", 1, "computed"), ("", 1, "computed")]


def test_a_name_whose_package_is_written_out_is_an_import_of_it() -> None:
    assert found("import(`@a/b/locale/${x}.js`)") == [("@a/b/locale/", 1, "dynamic")]


def test_scripts_that_code_may_start_are_noted() -> None:
    text = "import { fork } from 'node:child_process';\nfork(path.join(__dirname, 'child.js'));\nf('other.js')"

    assert found(text, ".js")[1:] == [("child.js", 2, "file"), ("other.js", 3, "file")]


def test_the_script_blocks_of_a_component_are_read_with_the_lines_of_the_file() -> None:
    text = (
        '<template>\n  <A :b="c" />\n</template>\n<script setup lang="ts">\nimport A from "a";\n'
        'import type { X } from "x";\n</script>\n<script>\nimport "b"\n</script>\n'
    )

    assert found(text, ".vue") == [("a", 5, "static"), ("x", 6, "type"), ("b", 9, "static")]
    assert found(text, ".svelte") == found(text, ".vue")


def test_imports_behind_a_mistake_are_found_once() -> None:
    text = 'import a from "a"; a();\nconst x = (((;\n<<<<<<< ours\nimport b from "b"; b();\nrequire("c")'

    assert [name for name, _, _ in found(text)] == ["a", "b", "c"]


def test_imports_behind_type_arguments_of_an_import_are_found_in_tsx() -> None:
    text = 'type X = import("a")\n  .X<string>;\nimport b from "b";\nconst y = <b.C />; require("c");\n// "d"'

    assert found(text, ".tsx") == [("a", 1, "type"), ("b", 3, "static"), ("c", 4, "require")]


def test_text_that_is_no_script_holds_no_imports() -> None:
    assert scan('import "a"', suffix=".py") == ()
    assert scan("", suffix=".ts") == ()
    assert scan("\ufeffimport 'a'", suffix=".ts") == (Found("a", 1, "static"),)


@pytest.mark.parametrize(
    ("specifier", "name"),
    [
        ("a", "a"),
        ("a/b/c.js", "a"),
        ("@a/b", "@a/b"),
        ("@a/b/c", "@a/b"),
        ("lodash.get", "lodash.get"),
        ("a?raw", "a"),
        ("fs", ""),
        ("fs/promises", ""),
        ("node:test", ""),
        ("buffer/", "buffer"),
        ("string_decoder/lib", "string_decoder"),
        ("./a", ""),
        ("..", ""),
        ("/a", ""),
        ("#a", ""),
        ("~/a", ""),
        ("@/a", ""),
        ("$lib/a", ""),
        ("virtual:a", ""),
        ("https://a/b.js", ""),
        ("raw-loader!./a", ""),
        ("@a", ""),
        ("", ""),
    ],
)
def test_a_specifier_is_reduced_to_the_package_it_names(specifier: str, name: str) -> None:
    assert package_name(specifier) == name


def test_every_source_of_the_example_can_be_read() -> None:
    root = Path(__file__).parents[3] / "examples" / "apphub"
    files = [file for file in root.glob("*/*/src/**/*.ts") if "node_modules" not in file.parts]

    assert {one.kind for file in files for one in scan(file.read_text(), suffix=".ts")} >= {"static"}
