"""docker/rebuild.mjs runs install scripts of named packages."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "rebuild.mjs"
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

_FAILS = {"scripts": {"install": "node -e 'process.exit(3)'"}}


def rebuild(tree: Path, manifests: Mapping[str, Mapping[str, object]]) -> "subprocess.CompletedProcess[str]":
    for folder, manifest in manifests.items():
        (tree / folder).mkdir(parents=True, exist_ok=True)
        named = {"name": Path(folder).name or "root", "version": "1.0.0", **manifest}
        (tree / folder / "package.json").write_text(json.dumps(named))
    words = ["node", str(SCRIPT), "--tree", str(tree), "addon"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_failed_script_of_what_is_needed_ends_the_build(tmp_path: Path) -> None:
    some = {"dependencies": {"addon": "1"}}
    done = rebuild(tmp_path, {"": {"optionalDependencies": {"addon": "1"}}, "a": some, "node_modules/addon": _FAILS})
    assert done.returncode == 3


def test_a_failed_script_of_what_is_optional_to_all_is_a_warning(tmp_path: Path) -> None:
    optional = {"optionalDependencies": {"addon": "1"}}
    done = rebuild(tmp_path, {"": {}, "a": optional, "node_modules/addon": _FAILS, "node_modules/user": optional})
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == (
        "warning: addon: its install script failed; it is optional, so images go without what the script makes"
    )
