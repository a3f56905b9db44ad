"""npm's own semver is the reference: every case is asked of both."""

import json
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from bake.semver import is_version, newest, satisfies

VERSIONS = """
0.0.0 0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.0.0 1.2.0 1.2.3 1.2.3-alpha.7 1.2.3-beta.2 1.2.3-beta.10 1.2.4-beta.2
1.2.9 1.3.0 1.3.0-0 2.0.0-rc.1 2.0.0 2.1.0 2.4.5 3.0.0 10.0.0 1.2.3+build.5 not-a-version 1.2
"""
# Separated by commas: the first is the empty range.
RANGES = (
    ",*,x,1,1.x,1.2,1.2.x,1.2.*,=1.2.3,1.2.3,v1.2.3,^1.2.3,^0.2.3,^0.0.3,^0.0,^0,^1.2.3-beta.2,~1.2.3,~1.2,~1,~0.2,"
    "~1.2.3-beta.2,~> 1.2,>1.2.3,>= 1.2.3,<1.2.3,<=1.2.3,>1.2,>1,<=1.2,<1.2,>=1.2,<=1,<1,>*,<*,1.2.3 - 2.3.4,"
    "1.2 - 2.3,1 - 2,1.2.3 || 2.x,^1 || ^3,>=1.2.3 <2,>=1.2.3-beta.2 <1.3.0,latest,git+ssh://x,1.2.3-beta.10,^x,~*,"
    "^1.x,^0.x,^1.2.x,>=2.0.0-rc.1,<2.0.0,<2.0.0-rc.2,^2.0.0-rc.0,|| 1.2.3,1.2.3 nonsense"
)


@pytest.fixture(scope="module")
def node_semver() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    return Path(npm).resolve().parent.parent / "node_modules" / "semver"


def test_every_pair_of_version_and_range_is_judged_as_npm_judges_it(node_semver: Path) -> None:
    versions = VERSIONS.split()
    pairs = [*product(versions, RANGES.split(",")), *((v, f"{sign}{v}") for v in versions for sign in ("", "^"))]
    script = (
        "const s=require(process.argv[1]);let t='';process.stdin.on('data',d=>t+=d).on('end',()=>"
        "console.log(JSON.stringify(JSON.parse(t).map(([v,r])=>s.satisfies(v,r)))))"
    )
    asked = subprocess.run(
        ["node", "-e", script, str(node_semver)],
        input=json.dumps(pairs),
        text=True,
        capture_output=True,
        check=True,
    )
    theirs = json.loads(asked.stdout)
    different = [(pair, theirs[i]) for i, pair in enumerate(pairs) if satisfies(*pair) != theirs[i]]
    assert different == []


def test_the_newest_fitting_version_is_found_whatever_the_order() -> None:
    assert newest(("4.9.0", "4.10.0", "5.0.0", "4.10.1-rc.1"), "^4.0.0") == "4.10.0"


def test_no_version_is_newest_when_none_fits() -> None:
    assert newest(("1.0.0",), "^2.0.0") is None


@pytest.mark.parametrize(("text", "exact"), [("1.2.3", True), ("1.2.3-rc.1", True), ("^1.2.3", False), ("1.2", False)])
def test_an_exact_version_is_told_from_a_range(text: str, *, exact: bool) -> None:
    assert is_version(text) is exact
