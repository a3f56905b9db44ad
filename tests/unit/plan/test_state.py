"""Which builds keep state, and how the Dockerfile says so."""

import json
from pathlib import Path

import pytest

from bake.plan import Request, make_plan
from bake.project import load_project
from bake.render import render
from tests.shop import CONFIG, write_workspace

BUNDLED = json.dumps({"name": "@shop/api", "scripts": {"build": "node bundle.mjs"}})
COMPILED = json.dumps({"name": "@shop/api", "scripts": {"build": "tsc"}})
FILES = {"services/api/package.json": BUNDLED, "services/api/tsconfig.json": "{}", "services/api/src/a.ts": ""}
MOUNT = "--mount=type=cache,id=bake-state-shop-services-api,target=/bake/state,sharing=private"


def dockerfile(root: Path, config: str = CONFIG, manifest: str = BUNDLED) -> str:
    files = {**FILES, "services/api/package.json": manifest}
    project = load_project(write_workspace(root, config=config, files=files), {})
    return render(project, make_plan(project, Request()))["Dockerfile"]


def test_a_build_that_may_bundle_keeps_state_and_is_told_what_must_not_be_in_it(tmp_path: Path) -> None:
    config = CONFIG + (
        '[secrets.npmrc]\nfile = "~/.npmrc"\n[secrets.token]\nenv = "TOKEN"\nvariable = "TOKEN"\n'
        '[secrets.ca]\nfile = "ca.pem"\n[secrets.git]\nssh = true\n'
    )
    step = dockerfile(tmp_path, config).partition("AS build-services-api\n")[2].partition("\nRUN ")[2]
    lines = step.partition("\n\n")[0].splitlines()
    assert MOUNT in lines[1]
    assert lines[2].startswith(
        "    node /bake/state.mjs restore --tree /app --home services/api --state /bake/state --of "
    )
    assert lines[2].endswith(" --hidden TOKEN --secrets /root/.npmrc && \\")
    assert lines[3].endswith("npm run build && \\")
    assert lines[4] == lines[2].replace("restore", "save").removesuffix(" && \\")


@pytest.mark.parametrize(
    ("more", "manifest"),
    [
        ("[workspace]\nstate = false\n", BUNDLED),
        ('[packages."services/api"]\nstate = false\n', BUNDLED),
        ('[workspace]\nbuild = "whole"\n', BUNDLED),
        ("", COMPILED),
        ("", '{"name": "@shop/api"}'),
    ],
)
def test_others_do_not(tmp_path: Path, more: str, manifest: str) -> None:
    assert "bake-state-shop-services-api" not in dockerfile(tmp_path, CONFIG + more, manifest)
