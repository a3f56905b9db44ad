"""Builds that put devDependencies into what they write: images need none of these beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.sources import load_bundles
from bake.workspace import Package
from tests.plant import plant

STARTED = ("dist/main.js",)


def bundles(root: Path, manifest: Mapping[str, Any], files: Mapping[str, str], started: tuple[str, ...]) -> bool:
    plant(root / "api", {"src/main.ts": "", **files})
    package = Package(path="api", name="api", version="", manifest=manifest)
    return load_bundles(root, package, "build", started, ("package.json", "src/main.ts", *files))


@pytest.mark.parametrize(
    ("build", "files"),
    [
        ("tsup", {}),
        ("rimraf dist && NODE_ENV=production tsup src/main.ts --format cjs && tsc --noEmit", {}),
        ("npm run bundle", {}),
        ("tsdown", {"tsdown.config.ts": "export default { entry: ['src/main.ts'], noExternal: [/^@x/] }"}),
        ("esbuild src/main.ts --bundle --platform=node --outfile=dist/main.js", {}),
        ("ncc build src/main.ts -o dist", {}),
    ],
)
def test_what_a_bundler_alone_makes_holds_the_dev_dependencies(
    tmp_path: Path, build: str, files: Mapping[str, str]
) -> None:
    assert bundles(tmp_path, {"scripts": {"build": build, "bundle": "tsup"}}, files, STARTED)


@pytest.mark.parametrize(
    ("build", "files"),
    [
        ("tsc", {}),
        ("tsup && tsc -p tsconfig.worker.json", {}),
        ("tsup --external @x/lib", {}),
        ("tsup", {"tsup.config.ts": "export default { external: ['@x/lib'] }"}),
        ("tsup", {"tsup.config.ts": "export default { skipNodeModulesBundle: true }"}),
        ("tsup --config ../tsup.config.ts", {}),
        ("esbuild src/main.ts --outfile=dist/main.js", {}),
        ("esbuild src/main.ts --bundle --packages=external --outfile=dist/main.js", {}),
        ("node build.mjs", {}),
    ],
)
def test_what_may_leave_them_out_counts_as_doing_so(tmp_path: Path, build: str, files: Mapping[str, str]) -> None:
    assert not bundles(tmp_path, {"scripts": {"build": build}}, files, STARTED)


def test_sources_that_processes_or_others_load_themselves_are_no_bundle(tmp_path: Path) -> None:
    built: Mapping[str, Any] = {"scripts": {"build": "tsup"}, "main": "./dist/main.js"}
    assert bundles(tmp_path, built, {}, ())
    assert not bundles(tmp_path, built, {}, ("dist/main.js", "src/main.ts"))
    assert not bundles(tmp_path, {**built, "exports": {"development": "./src/main.ts"}}, {}, ())
    assert not bundles(tmp_path, {"scripts": {"build": "tsup"}}, {}, ())
