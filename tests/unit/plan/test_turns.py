"""In which order builds go that are ready at once."""

import json
from pathlib import Path

import pytest

from bake.errors import ConfigError
from bake.plan import Request, Turns, make_plan, name_images, plan_cache
from bake.project import load_project
from bake.render import render, render_bake_file
from tests.shop import CONFIG, write_workspace

MANIFEST = {"name": "@shop/api", "scripts": {"build": "tsc"}, "dependencies": {"@shop/web": "1.0.0"}}
FILES = {
    "services/api/package.json": json.dumps(MANIFEST),
    "services/api/tsconfig.json": "{}",
    "services/api/a.ts": "",
    "services/api-b/a.js": "",
}
STEP = """\
    --mount=type=secret,id=bake-turns,target=/bake/turns.json \\
    --mount=type=bind,from=tools,source=turns.mjs,target=/bake/turns.mjs \\
    node /bake/turns.mjs build-services-api 'npm run build'
"""


def test_a_build_weighs_what_is_compiled_from_its_begin_on(tmp_path: Path) -> None:
    config = f"{CONFIG}[workspace]\nconcurrency = 3\n"
    project = load_project(write_workspace(tmp_path, config=config, files=FILES), {})
    plan = make_plan(project, Request())

    weights = {"build-services-web": 4, "build-services-api": 3}
    turns = Turns(concurrency=3, weights=weights, holdable=("build-services-api",))
    assert plan.builds.turns == turns
    told = {"concurrency": 3, "weights": weights, "holdable": ["build-services-api"]}
    assert json.loads(plan.builds.variables["BAKE_TURNS"]) == told
    assert STEP in render(project, plan)["Dockerfile"]
    secret = '  secret    = ["id=bake-turns,env=BAKE_TURNS"]\n'
    assert render_bake_file(project, plan, name_images(project, plan), plan_cache(project, plan)).count(secret) == 1


def test_what_is_only_bundled_is_half_the_work(tmp_path: Path) -> None:
    bundles = {"package.json": '{"name": "@shop/web", "scripts": {"build": "vite build"}}', "vite.config.js": ""}
    sources = {f"src/{name}.ts": "" for name in "abcde"}
    files = {f"services/web/{path}": text for path, text in {**bundles, **sources}.items()}
    project = load_project(write_workspace(tmp_path, files=FILES | files), {})
    turns = make_plan(project, Request()).builds.turns
    assert turns is not None
    assert turns.weights == {"build-services-web": 7, "build-services-api": 3}


def test_the_order_changes_no_step(tmp_path: Path) -> None:
    config = write_workspace(tmp_path, files=FILES)
    project = load_project(config, {})
    before = render(project, make_plan(project, Request()))
    (tmp_path / "services/api/more.js").write_text("")
    config.write_text(f"{CONFIG}[workspace]\nconcurrency = 3\n")
    project = load_project(config, {})
    after = render(project, make_plan(project, Request()))

    assert after == before


@pytest.mark.parametrize("config", [f'{CONFIG}[workspace]\nbuild = "whole"\n', CONFIG.partition("[services.web]")[0]])
def test_a_single_build_has_no_turn(tmp_path: Path, config: str) -> None:
    project = load_project(write_workspace(tmp_path, config=config), {})
    plan = make_plan(project, Request())

    bake_file = render_bake_file(project, plan, name_images(project, plan), plan_cache(project, plan))
    assert (plan.builds.turns, plan.builds.variables) == (None, {})
    assert not [name for name, text in {**render(project, plan), "bake": bake_file}.items() if "turns" in name + text]


def test_no_build_at_all_is_too_few(tmp_path: Path) -> None:
    config = write_workspace(tmp_path, config=f"{CONFIG}[workspace]\nconcurrency = 0\n")
    with pytest.raises(ConfigError) as caught:
        load_project(config, {})
    assert caught.value.complaints == ("bake.toml: workspace.concurrency: 0 is not a number from 1",)
