"""Which builds keep state, and how the Dockerfile says so."""

import json
import re
from pathlib import Path

import pytest

from bake.ci import Run
from bake.config import parse_config
from bake.errors import ConfigError
from bake.plan import Request, make_plan, name_images, plan_cache
from bake.project import load_project
from bake.render import render, render_bake_file
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
    restore = "node /bake/state.mjs restore --tree /app --home services/api --state /bake/state --of "
    assert MOUNT in lines[1]
    assert lines[6].startswith(f"    node /bake/turns.mjs build-services-api '{restore}")
    assert lines[6].endswith(" --hidden TOKEN --secrets /root/.npmrc' \\")
    assert lines[7].endswith(" npm run build' \\")
    saved = lines[6].partition(" '")[2].replace("restore", "save").removesuffix(" \\")
    assert lines[8] == f"    '{saved}"


NOTES = '{"compilerOptions": {"incremental": true, "outDir": "dist", "rootDir": "src"}}'


@pytest.mark.parametrize(
    ("build", "tsconfig", "told"),
    [
        ("tsc", NOTES, "dist:src"),
        ("tsc -p . && cp -r src/assets dist", NOTES, "dist:src"),
        ("tsc -b", '{"compilerOptions": {"composite": true, "outDir": "dist"}}', "dist:."),
        ("tsc", NOTES.replace('"incremental": true,', ""), ""),
        ("tsc", NOTES.replace('"outDir": "dist",', ""), ""),
        ("tsc", NOTES.replace('"src"', '"src", "noEmit": true'), ""),
        # What the compiler wrote is gone, moved or changed behind it.
        ("rm -rf dist && tsc", NOTES, ""),
        ("tsc --build --clean && tsc -b", NOTES, ""),
        ("tsc && mv dist/a.js dist/b.js", NOTES, ""),
        ("tsc && tsc-alias", NOTES, ""),
        ("tsc && node banner.js", NOTES, ""),
        ("tsc && echo more >> dist/a.js", NOTES, ""),
    ],
)
def test_a_build_that_only_compiles_keeps_what_the_compiler_writes_and_notes(
    tmp_path: Path, build: str, tsconfig: str, told: str
) -> None:
    manifest = json.dumps({"name": "@shop/api", "scripts": {"build": build}})
    files = {**FILES, "services/api/package.json": manifest, "services/api/tsconfig.json": tsconfig}
    project = load_project(write_workspace(tmp_path, config=CONFIG, files={**files, "services/api/banner.js": ""}), {})
    made = render(project, make_plan(project, Request()))["Dockerfile"]
    found = re.findall(r" save --tree /app --home services/api .* --results ([^ ']+)'", made)
    assert found == ([told] if told else [])
    assert ("bake-state-shop-services-api" in made) == bool(told)


def test_what_others_use_is_compiled_anew(tmp_path: Path) -> None:
    web = {"name": "@shop/web", "scripts": {"build": "tsc"}, "dependencies": {"@shop/api": "*"}}
    manifests = {"services/api/package.json": COMPILED, "services/web/package.json": json.dumps(web)}
    files = {**FILES, **manifests, "services/api/tsconfig.json": NOTES, "services/web/tsconfig.json": NOTES}
    project = load_project(write_workspace(tmp_path, config=CONFIG, files=files), {})
    made = render(project, make_plan(project, Request()))["Dockerfile"]
    assert re.findall(r"id=bake-state-shop-([\w-]+),", made) == ["services-web"]


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


TRAVELS = CONFIG.replace("[project]\n", '[project]\nregistry = "ghcr.io/acme"\n') + "[cache]\nstate = true\n"
PLACE = "ghcr.io/acme/shop/buildcache:build-services-api_state"


def test_what_builds_keep_is_an_image_of_the_cache_for_the_run_that_writes_it(tmp_path: Path) -> None:
    project = load_project(write_workspace(tmp_path, config=TRAVELS, files=FILES), {})
    request = Request(run=Run(ci=True), branch="topic", cache_to=True)
    plan = make_plan(project, request)
    cache = plan_cache(project, plan)
    assert cache.taken["build-services-api"] == (f"{PLACE}.topic", f"{PLACE}.main")
    assert cache.given["build-services-api"] == f"{PLACE}.topic"
    assert cache.without_exports("why").given == {}
    assert cache.importing(lambda entry: entry == f"{PLACE}.main").taken == {"build-services-api": (f"{PLACE}.main",)}
    files = render(project, plan)
    assert "FROM build-services-api AS give-build-services-api\nRUN " + MOUNT in files["Dockerfile"]
    text = render_bake_file(project, plan, name_images(project, plan, {}, dirty=False), cache)
    assert f'contexts   = {{ taken = "docker-image://{PLACE}.topic" }}' in text
    assert f'output     = ["type=image,push=true,oci-mediatypes=true,name={PLACE}.topic"]' in text
    fork = make_plan(project, Request(run=Run(ci=True, fork=True), branch="topic"))
    assert plan_cache(project, fork).given == {}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ('type = "gha"\n', 'is about a repository of images: it needs cache.type = "registry"'),
        (
            '[secrets.token]\nenv = "TOKEN"\n[secrets.npmrc]\nfile = "~/.npmrc"\n',
            "what builds keep may hold secrets.token, which they are given; do without one of them",
        ),
    ],
)
def test_what_cannot_travel_is_told(more: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(TRAVELS + more)
    assert caught.value.complaints == (f"bake.toml: cache.state: {complaint}",)
