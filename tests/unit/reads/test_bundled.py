"""What a bundler's build reads outside its package: what its imports reach by aliases, or as much as any build."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.reads import Bundled, Bundling, Compilation, Outside, parse_build
from bake.workspace import Package
from tests.plant import plant

MEMBERS = {"": "root", "apps/web": "web", "packages/lib": "@t/lib", "packages/ui": "@t/ui", "tools": "tools"}
CONFIG = """
import { defineConfig, type UserConfig } from 'vite';
import { fileURLToPath } from 'node:url';
import path, { dirname, resolve } from 'node:path';
import react from '@vitejs/plugin-react';
const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '..', '..');
const lib = resolve(root, 'packages', 'lib', 'src');
export default defineConfig({
  plugins: [react()],
  resolve: { alias: [{ find: '@t/lib', replacement: lib }, { find: '@t/ui', replacement: `${root}/packages/ui/src` }] },
  server: { fs: { allow: [root] } },
  test: { alias: { 'x': anything() } },
} as UserConfig);
"""
FILES = {
    "apps/web/vite.config.ts": CONFIG,
    "apps/web/tsconfig.json": '{"references": [{"path": "../../packages/lib"}, {"path": "../../packages/ui"}]}',
    "apps/web/src/main.ts": "import { a } from '@t/lib/a'; import type { T } from '@t/lib/types'; import 'zod';",
    "apps/web/src/main.test.ts": "import '@t/lib/unused'",
    "packages/lib/package.json": '{"name": "@t/lib"}',
    "packages/lib/tsconfig.json": '{"extends": "../../tsconfig.base.json", "references": [{"path": "../ui"}]}',
    "packages/lib/src/a.ts": "import { b } from './b.js'; import 'zod/v4'; import type { T } from './types';",
    "packages/lib/src/b.ts": "export const b = 1;",
    "packages/lib/src/types.ts": "",
    "packages/lib/src/unused.ts": "",
    "packages/lib/src/style.css": "",
    "packages/lib/src/locales/de.json": "{}",
    "packages/ui/package.json": '{"name": "@t/ui"}',
    "packages/ui/tsconfig.json": "{}",
    "packages/ui/src/index.tsx": "export * from './button';",
    "packages/ui/src/button.tsx": "",
    "tools/x.ts": "",
    "tsconfig.base.json": "{}",
}
SETTINGS = {"packages/ui/tsconfig.json", "packages/lib/tsconfig.json", "tsconfig.base.json"}
A = SETTINGS | {"packages/lib/package.json", "packages/lib/src/a.ts", "packages/lib/src/b.ts"}


def bundle(root: Path, files: Mapping[str, str], build: str = "vite build") -> Bundled | None:
    """What is read by the build of apps/web."""
    plant(root, {**FILES, **files})
    members = []
    for path, name in MEMBERS.items():
        file = root / path / "package.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        manifest = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        members.append(Package(path=path, name=name, version="", manifest=manifest))
    found = Outside(root, members, lambda path: "dist" not in path.split("/"))
    known = parse_build({"build": build}, ("build",))
    read = found.load("apps/web", known, scripts=("build",))
    if read.bundled is not None:
        assert set(read.built) <= read.bundled.paths
    return read.bundled


def test_a_bundler_reads_what_imports_reach_by_aliases_and_nothing_by_references(tmp_path: Path) -> None:
    found = bundle(tmp_path, {})
    assert found is not None
    assert found.paths == A
    assert found.needs == frozenset()
    assert found.loads == {"packages/lib": ("@babel/runtime", "@swc/helpers", "tslib", "zod")}


@pytest.mark.parametrize(
    ("text", "more", "needs"),
    [
        (
            "import '@t/ui'",
            {"packages/ui/package.json", "packages/ui/src/index.tsx", "packages/ui/src/button.tsx"},
            set(),
        ),
        ("import '@t/lib/locales/de.json'", {"packages/lib/src/locales/de.json"}, set()),
        ("import('@t/lib/unused')", {"packages/lib/src/unused.ts"}, set()),
        ("import x from '@t/lib/unused?raw'", {"packages/lib/src/unused.ts"}, set()),
        ("import '../../../tools/x'", {"tools/x.ts"}, set()),
        # What is read there cannot be told by the import alone.
        ("import '@t/lib/style.css'", set(), {"packages/lib"}),
        ("import(`@t/lib/locales/${name}.json`)", set(), {"packages/lib"}),
        ("import '@t/lib/gone'", set(), {"packages/lib"}),
        ("import '../../../packages/ui/dist/made.js'", set(), {"packages/ui"}),
        ("import 'tools'", set(), {"tools"}),
        ("<style>@import '@t/ui/theme.css';</style>", set(), {"packages/ui"}),
    ],
)
def test_an_import_brings_files_or_else_its_package(tmp_path: Path, text: str, more: set[str], needs: set[str]) -> None:
    suffix = "vue" if text.startswith("<") else "ts"
    found = bundle(tmp_path, {f"apps/web/src/more.{suffix}": text})
    assert found is not None
    assert found.needs == needs
    if not needs:
        assert found.paths == A | more


@pytest.mark.parametrize(
    "text",
    [
        "import.meta.glob('./*.json')",
        "import.meta.glob(['./locales/**'])",
        "require.context('.', true)",
        "import(name)",
        "import x from '#inside'",
        "import x from './generated/client'",  # its build writes that
        "import { a } from '..'",  # its manifest says which file that is
    ],
)
def test_a_file_that_reads_more_than_it_imports_brings_its_package(tmp_path: Path, text: str) -> None:
    found = bundle(tmp_path, {"packages/lib/src/b.ts": text})
    assert found is not None
    assert found.needs == {"packages/lib"}


def test_what_a_file_names_beside_imports_comes_too(tmp_path: Path) -> None:
    text = "new Worker(new URL('./unused.ts', import.meta.url)); import(`./locales/${name}.json`)"
    found = bundle(tmp_path, {"packages/lib/src/b.ts": text, "packages/lib/src/unused.ts": "import 'react'"})
    assert found is not None
    assert found.paths == A | {
        "packages/lib/src/unused.ts",
        "packages/lib/src/locales",
        "packages/lib/src/locales/de.json",
    }
    assert found.loads["packages/lib"] == ("@babel/runtime", "@swc/helpers", "react", "tslib", "zod")


def test_code_of_elements_loads_whatever_its_package_has(tmp_path: Path) -> None:
    found = bundle(tmp_path, {"apps/web/src/more.ts": "import '@t/ui'"})
    assert found is not None
    assert found.loads["packages/ui"] is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("vite.config.ts", CONFIG.replace("replacement: lib", "replacement: find()")),
        ("vite.config.ts", CONFIG.replace("[{ find", "[...more, { find")),
        ("vite.config.ts", CONFIG.replace("find: '@t/lib'", "find: /^@t/")),
        ("vite.config.ts", CONFIG.replace("plugins: [", "plugins: [{ config: (c) => { c.resolve.alias = y } }, ")),
        ("vite.config.ts", CONFIG.replace("'@vitejs/plugin-react'", "'vite-plugin-pages'")),
        ("vite.config.ts", CONFIG + "\nconst pages = resolve(root, 'packages/*/src');"),
        ("vite.config.ts", "import more from './more'; " + CONFIG),
        ("tailwind.config.js", "module.exports = { content: ['../../packages/**/*.tsx'] }"),
        ("tailwind.config.js", "module.exports = { content: ['../../packages/ui/**/*.tsx', join(up, '../x')] }"),
        ("src/main.css", "@source '../../../packages';"),
        ("src/main.ts", "import.meta.glob('../../../packages/*/pages/*.ts')"),
        ("src/main.ts", "import.meta.glob('@t/lib/locales/*.json')"),
    ],
)
def test_where_settings_or_globs_may_lead_anywhere_all_counts_as_before(tmp_path: Path, file: str, text: str) -> None:
    files = {f"apps/web/{file}": text, "apps/web/more.ts": "import pages from 'vite-plugin-pages'"}
    found = bundle(tmp_path, files)
    assert found is None or (file == "tailwind.config.js" and found.needs == {"packages/ui"})


@pytest.mark.parametrize(
    ("build", "known"),
    [
        ("vite build", True),
        ("NODE_ENV=production vite build --mode production -c vite.config.ts && cp a dist/", True),
        ("vite build ../other", False),
        ("vite", False),
        ("vite build && node generate.js", True),
        ("vite build && unknown", False),
        ("tsc -b && vite build", False),
        ("vue-tsc --noEmit && vite build", False),
        ("esbuild src/main.ts --bundle --outfile=dist/main.js", True),
        ("esbuild src/main.ts --bundle --alias:x=../x", False),
        ("tsup src/main.ts --format cjs,esm", True),
        ("tsup src/main.ts --dts", False),
        ("webpack --mode production -c webpack.prod.js", True),
        ("webpack serve", False),
        ("rollup -c", True),
        ("rollup -c rollup.config.mjs", True),
        ("rollup src/main.js -o dist/main.js", False),
        ("next build", True),
        ("next build --turbopack", True),
    ],
)
def test_bundlers_are_known_by_their_commands(build: str, known: bool) -> None:
    found = parse_build({"build": build}, ("build",))
    assert isinstance(found, Bundling) == known
    assert not isinstance(found, Compilation)


@pytest.mark.parametrize(
    ("build", "needs"), [("esbuild src/main.ts --bundle", set()), ("next build", {"packages/lib"})]
)
def test_paths_of_a_tsconfig_are_aliases_of_those_that_read_them(tmp_path: Path, build: str, needs: set[str]) -> None:
    config = {
        "compilerOptions": {"paths": {"@t/ui": ["../../packages/ui/src/index.tsx"]}},
        "references": [{"path": "../../packages/lib"}],
        "include": ["src", "../../shared/**/*.d.ts"],
    }
    files = {"apps/web/tsconfig.json": json.dumps(config), "apps/web/src/main.ts": "import '@t/ui'"}
    files["shared/deep/own.d.ts"] = ""
    found = bundle(tmp_path, {**files, "apps/web/vite.config.ts": ""}, build=build)
    assert found is not None
    assert "packages/ui/src/button.tsx" in found.paths
    assert found.needs == needs
    assert ("shared" in found.paths) == bool(needs)  # where types are checked
    # Vite does not, so that the name is that of the package.
    plain = CONFIG.replace("@t/ui", "@t/other")
    other = bundle(tmp_path, {**files, "apps/web/vite.config.ts": plain}, build="vite build")
    assert other is not None
    assert other.needs == {"packages/ui"}


WEBPACK = """
const path = require('path');
const lib = path.join(__dirname, '../../packages/lib/src');
module.exports = {
  module: { rules: [{ test: /ts$/, use: 'swc-loader' }] },
  resolve: { alias: { '@t/lib$': path.join(lib, 'unused.ts'), '@t/lib': lib } },
};
"""


def test_webpacks_settings_are_read_and_its_loaders_known(tmp_path: Path) -> None:
    files = {"apps/web/vite.config.ts": "", "apps/web/src/more.ts": "import '@t/lib'"}
    found = bundle(tmp_path, {**files, "apps/web/webpack.config.js": WEBPACK}, build="webpack")
    assert found is not None
    assert found.paths == A | {"packages/lib/src/unused.ts"}
    assert not found.needs
    typed = WEBPACK.replace("swc-loader", "ts-loader")
    assert bundle(tmp_path, {**files, "apps/web/webpack.config.js": typed}, build="webpack") is None
