"""What bake tells docker/carve of the dependencies that each build gets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.plan import Request, make_plan
from bake.project import load_project
from bake.render import render
from tests.shelf import write_shelf
from tests.shop import CONFIG, write_workspace


def rendered(root: Path, config: str = CONFIG, **files: str) -> Mapping[str, str]:
    project = load_project(write_workspace(root, config=config, files=files), {})
    return render(project, make_plan(project, Request()))


def extra(root: Path, config: str = CONFIG, **files: str) -> list[str]:
    """What the build of api gets beside what manifests declare."""
    plan: Mapping[str, Any] = json.loads(rendered(root, config, **files)["plan/builds.json"])
    found: list[str] = plan["stages"]["build-services-api"]["extra"]
    return found


def test_each_build_names_its_packages_and_the_whole_workspace_is_known(tmp_path: Path) -> None:
    assert json.loads(rendered(tmp_path)["plan/builds.json"]) == {
        "lockfile": "package-lock.json",
        "packages": ["", "services/api", "services/web"],
        "stages": {
            "build-services-api": {"packages": ["services/api"], "extra": []},
            "build-services-web": {"packages": ["services/web"], "extra": []},
        },
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("services/api/src/a.ts", "import ms from 'ms';"),
        ("services/api/src/a.test.ts", 'import ms from "ms/sub";'),
        ("services/api/build.config.js", "module.exports = { plugins: [`ms`] }"),
        ("services/api/.babelrc", '{"presets": ["ms"]}'),
        ("services/api/src/style.css", '@import "ms/theme.css";'),
        ("services/api/tsconfig.json", '{"extends": "ms/tsconfig.json"}'),
    ],
)
def test_a_build_gets_what_its_files_mention(tmp_path: Path, path: str, text: str) -> None:
    assert extra(tmp_path, **{path: text}) == ["ms"]


def test_a_build_gets_what_its_scripts_call(tmp_path: Path) -> None:
    manifest = {"name": "@shop/api", "scripts": {"build": "mkdirp dist && node -r ms/register build.js"}}
    assert extra(tmp_path, **{"services/api/package.json": json.dumps(manifest)}) == ["mkdirp"]


def test_a_build_gets_what_its_packages_needs_name(tmp_path: Path) -> None:
    config = f'{CONFIG}\n[packages."services/api"]\nneeds = ["ms", "@shop/web"]\n'
    project = load_project(write_workspace(tmp_path, config=config), {})
    plan = make_plan(project, Request())
    assert next(s.needs for s in plan.builds.stages if s.package == "services/api") == ("services/web",)
    assert extra(tmp_path, config) == ["ms"]


@pytest.mark.parametrize(
    "path",
    ["services/api/node_modules/x/a.js", "services/api/dist/a.js", "services/api/.next/a.js", "services/web/a.js"],
)
def test_files_that_are_not_the_packages_sources_mention_nothing(tmp_path: Path, path: str) -> None:
    assert extra(tmp_path, **{path: "require('ms')"}) == []


@pytest.mark.parametrize(
    "setting",
    [
        "[workspace]\nisolate = false",
        '[workspace]\nbuild = "whole"',
        '[packages."services/web"]\nbuild = false',
    ],
    ids=["switched off", "one stage for all", "a single build"],
)
def test_builds_share_the_whole_install_where_nothing_is_kept_apart(tmp_path: Path, setting: str) -> None:
    files = rendered(tmp_path, f"{CONFIG}\n{setting}\n")
    assert "plan/builds.json" not in files
    assert "FROM install AS shared-files" in files["Dockerfile"]
    assert "build-dependencies" not in files["Dockerfile"]


def test_a_build_unpacks_its_dependencies_beside_those_that_all_builds_share(tmp_path: Path) -> None:
    files = rendered(tmp_path)
    dockerfile = files["Dockerfile"]
    assert files["tools/unpack.mjs"] == Path("docker/unpack.mjs").read_text(encoding="utf-8")
    mount = "RUN --network=none --mount=type=bind,from=build-dependencies,source=/builds/{},target=/bake/packs "
    assert stage(dockerfile, "shared-dependencies").startswith(mount.format("base"))
    for name in ("build-services-api", "build-services-web"):
        assert f"\nFROM shared-dependencies AS modules-{name}\n" in dockerfile
        assert stage(dockerfile, f"modules-{name}").startswith(mount.format(name))
        assert f"\nFROM modules-{name} AS {name}\n" in dockerfile


def stage(dockerfile: str, name: str) -> str:
    return dockerfile.partition(f" AS {name}\n")[2].partition("\nFROM ")[0]


@pytest.mark.parametrize(
    ("setting", "shares"),
    [
        ("", True),
        ('[install]\nscripts = ["express"]', False),
        ('[install]\nbuild-scripts = ["express"]', False),
        ('[base]\nruntime = "node:24-alpine"', False),
        ('[base]\nbuild = "node:24-alpine"\nruntime = "node:24-alpine"', True),
    ],
)
def test_images_of_the_builds_own_platform_need_no_second_install(tmp_path: Path, setting: str, shares: bool) -> None:
    text = rendered(tmp_path, f"{CONFIG}\n{setting}\n")["Dockerfile"]
    assert ('[ "$TARGETPLATFORM" = "$BUILDPLATFORM" ] && exit;' in stage(text, "dependencies")) == shares
    assert ("\nFROM install AS layers\n" in text) == shares


@pytest.mark.parametrize("manager", ["pnpm", "berry", "classic"])
def test_a_build_for_one_more_platform_installs_and_compiles_nothing_again(tmp_path: Path, manager: str) -> None:
    write_shelf(tmp_path, manager)
    platforms = ("linux/amd64", "linux/arm64")
    services = "".join(f'[services.{name}]\npackage = "services/{name}"\n' for name in ("api", "worker"))
    config = f'[project]\nname = "shelf"\nplatforms = {json.dumps(platforms)}\n{services}'
    (tmp_path / "bake.toml").write_text(config, encoding="utf-8")
    project = load_project(tmp_path / "bake.toml", {})
    one, both = (render(project, make_plan(project, Request(platforms=some))) for some in (platforms[:1], platforms))
    differing = {name for name in both if one.get(name) != both[name]}
    assert differing <= {
        name for name in both if name.startswith(("plan/packages/", "plan/layers.json"))
    }  # carved anew


def test_a_bundlers_build_gets_the_files_that_aliases_reach_and_waits_for_no_reference(tmp_path: Path) -> None:
    alias = "import { resolve } from 'path'; export default { resolve: { alias: { '@shop/web': resolve(%s) } } }"
    files = {
        "services/api/package.json": json.dumps({"name": "@shop/api", "scripts": {"build": "vite build"}}),
        "services/api/vite.config.ts": alias % "__dirname, '../web/src'",
        "services/api/tsconfig.json": '{"references": [{"path": "../web"}]}',
        "services/api/src/main.ts": "import '@shop/web/a'",
        "services/web/src/a.ts": "import 'ms'",
        "services/web/src/b.ts": "import 'ms'",
    }
    found = rendered(tmp_path, **files)
    assert json.loads(found["plan/builds.json"])["stages"]["build-services-api"] == {
        "packages": ["services/api"],
        "extra": [],
        "beside": {"services/web": ["@babel/runtime", "@swc/helpers", "ms", "tslib"]},
    }
    api = found["Dockerfile"].split(" AS build-services-api")[1].split("FROM ")[0]
    assert '"/services/web/src/a.ts"' in api
    assert "build-services-web" not in api
    # What cannot be followed needs all of the package, as it is when it is built.
    found = rendered(tmp_path, **{**files, "services/api/vite.config.ts": alias % "find()"})
    api = found["Dockerfile"].split(" AS build-services-api")[1].split("FROM ")[0]
    assert "COPY --from=build-services-web" in api
