"""Builds that ask git: known before they fail."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.sources import load_git_call
from bake.workspace import Package
from tests.plant import plant


def call(root: Path, build: str, files: Mapping[str, str]) -> str:
    plant(root / "api", files)
    manifest = {"scripts": {"build": build, "release": "git tag v1"}}
    return load_git_call(root, Package(path="api", name="api", version="", manifest=manifest), "build")


@pytest.mark.parametrize(
    ("build", "files", "place"),
    [
        ("GIT_SHA=$(git rev-parse HEAD) vite build", {}, "api/package.json"),
        ("node build.mjs", {"build.mjs": "\nexecSync('git describe --tags')"}, "api/build.mjs:2"),
        ("node ./scripts/b.js", {"scripts/b.js": "spawnSync('git', ['rev-parse', 'HEAD'])"}, "api/scripts/b.js:1"),
        ("vite build", {"vite.config.ts": "\n\nexecSync(`git log -1 --format=%h`)"}, "api/vite.config.ts:3"),
        ("node build.mjs", {"build.mjs": "", "other.mjs": "execSync('git describe')"}, ""),
        ("tsc", {"src/git.ts": "execSync('git log')"}, ""),
        ("node build.mjs", {"build.mjs": "// see git-log(1); a digit, log of it"}, ""),
    ],
)
def test_a_call_is_found_in_scripts_the_files_they_name_and_settings(
    tmp_path: Path, build: str, files: Mapping[str, str], place: str
) -> None:
    assert call(tmp_path, build, files) == place
