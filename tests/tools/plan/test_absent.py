"""What is said of a file that an image lacks: the rule, and the key that brings it back."""

import json
from pathlib import Path

import pytest
import yaml

from bake.commands.run import docker_words
from bake.compose import render_compose
from bake.inputs import absence
from bake.plan import Finding, Request, check, make_plan
from bake.project import load_project
from bake.publish import make_workload
from bake.render import render_dockerfile
from tests.git_workspace import GitWorkspace, make_git_workspace


@pytest.fixture
def shop(tmp_path: Path) -> GitWorkspace:
    workspace = make_git_workspace(tmp_path / "shop")
    for name in ("services/api/test/data.json", "services/api/secret/a.txt", "data/b.json", "services/api/src/c.ts"):
        workspace.write(name, "{}")
    workspace.write("bake.toml", (workspace.root / "bake.toml").read_text() + EXCLUDES)
    workspace.commit()
    return workspace


EXCLUDES = '\n[packages."services/api"]\nexclude = ["secret"]\n'
OUTPUTS = 'add "{0}" to packages."services/api".outputs'


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("test/data.json", f"is left out, as its name tells of development: {OUTPUTS}"),
        ("/app/services/api/test", f"is left out, as its name tells of development: {OUTPUTS}"),
        ("secret/a.txt", 'is left out by packages."services/api".exclude'),
        (
            "../../data/b.json",
            'is in git, beside what its build gets: add "{0}" to packages."services/api".inputs and '
            'packages."services/api".outputs',
        ),
        (
            "src/c.ts",
            'is left out, as TypeScript that nothing runs: set packages."services/api".sources = true',
        ),
        ("gone.json", ""),
        ("/etc/hosts", ""),
    ],
)
def test_the_rule_that_leaves_a_file_out_is_named(shop: GitWorkspace, path: str, said: str) -> None:
    project = load_project(shop.root / "bake.toml", {})
    plan = make_plan(project, Request())
    explain = absence(project, plan, next(i for i in plan.images if i.package == "services/api"))
    place = path.removeprefix("/app/") if path.startswith("/app/") else f"services/api/{path}"
    place = place.replace("services/api/../../", "")
    assert explain(path) == (f"{place} {said.format(place)}" if said else "")


def test_a_package_that_code_names_comes_along_where_the_root_or_development_declares_it(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("services/api/src/log.ts", "export const log = pino({ transport: { target: 'tsc-like' } });\n")
    project = load_project(shop.root / "bake.toml", {})
    assert project.named("services/api") == {"tsc-like"}
    shop.write("services/api/src/plug.ts", "export const plug = import(process.env.PLUG ?? '@shop/web');\n")
    assert load_project(shop.root / "bake.toml", {}).named("services/api") == {"tsc-like", "@shop/web"}
    plan = make_plan(project, Request())
    (api,) = (s for s in plan.services if s.service == "api")
    assert "node_modules/tsc-like" in api.closure.entries


def test_what_package_managers_tell_a_script_of_its_package_is_there_where_code_asks(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    manifest = json.loads((shop.root / "services/api/package.json").read_text())
    manifest |= {"version": "3.2.1", "config": {"port": 80, "deep": {"on": True}}}
    shop.write("services/api/package.json", json.dumps(manifest))

    def told() -> dict[str, str]:
        plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
        (api,) = (i for i in plan.images if i.service == "api")
        return {name: value for name, value in api.env.items() if name != "NODE_ENV"}

    assert told() == {}
    shop.write("packages/lib/src/about.ts", "export const about = process.env.npm_package_name;\n")
    shop.write(
        "services/api/src/port.ts", "const { npm_package_config_port: port, npm_package_bin_x: x } = process.env;"
    )
    assert told() == {"npm_package_config_port": "80", "npm_package_name": "@shop/api"}
    shop.write("services/api/src/more.ts", "env('npm_package_config_deep_on'), env('npm_package_version');")
    shop.replace("bake.toml", 'js"', 'js"\nenv.npm_package_version = "mine"')
    assert told() == {
        "npm_package_config_deep_on": "true",
        "npm_package_config_port": "80",
        "npm_package_name": "@shop/api",
        "npm_package_version": "mine",
    }


@pytest.mark.parametrize(
    ("dependencies", "command", "left"),
    [
        ({}, "node dist/server.js", {".babelrc", "babel.config.js", "vite.config.js"}),
        ({"@babel/register": "7"}, "node dist/server.js", {"vite.config.js"}),
        ({}, "vite-node dist/server.js", {".babelrc", "babel.config.js"}),
        ({"vite": "7"}, "node dist/server.js", {".babelrc", "babel.config.js"}),
    ],
)
def test_settings_of_a_tool_stay_where_processes_load_them(
    tmp_path: Path, dependencies: dict[str, str], command: str, left: set[str]
) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name in (".babelrc", "babel.config.js", "vite.config.js"):
        shop.write(f"services/api/{name}", "{}")
    manifest = json.loads((shop.root / "services/api/package.json").read_text())
    shop.write("services/api/package.json", json.dumps(manifest | {"dependencies": dependencies}))
    shop.replace("bake.toml", "node dist/server.js", command)
    plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
    (output,) = (o for o in plan.outputs if o.package == "services/api")
    assert left == {*output.unneeded} & {".babelrc", "babel.config.js", "vite.config.js"}


def test_settings_in_typescript_that_a_command_compiles_are_followed(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name in ("tsc.config.ts", "tscfile.mts", "other.config.ts", "deep/tsc.config.ts"):
        shop.write(f"services/api/{name}", "export default {};")
    shop.replace("bake.toml", "node dist/server.js", "npx tsc-like run")
    shop.commit()
    plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
    (output,) = (o for o in plan.outputs if o.package == "services/api")
    assert output.entries == ("tsc.config.ts", "tscfile.mts")


def test_a_database_beside_code_is_writable_there_in_libraries_too(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("services/api/src/server.ts", "new DatabaseSync('shop.sqlite'); mkdirSync('own')")
    library = "new Database(join(__dirname, 'lib.db')), new Database('data/x.db'), mkdirSync('cache'), 'x'"
    shop.write("packages/lib/index.js", library)
    shop.commit()
    plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
    (api,) = (i for i in plan.images if i.service == "api")
    home, inside = "/app/services/api", "/app/packages/lib"
    assert {*api.writable} == {home, f"{home}/own", f"{home}/data", inside}
    assert {*api.filled} == {home, inside}
    (lib,) = (o for o in plan.outputs if o.package == "packages/lib")
    assert lib.writable == ((inside, api.user),)


def test_nothing_is_mounted_over_what_a_writable_folder_has_in_the_image(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name in ("data/seed.db", "var/.gitkeep", "src/server.ts"):
        shop.write(f"services/api/{name}", "new Database('data/app.db'), writeFileSync(join(__dirname, 'x.txt'), '')")
    shop.write("services/api/tsconfig.json", '{"compilerOptions": {"outDir": "dist", "rootDir": "src"}}')
    shop.replace("bake.toml", 'js"', 'js"\nwritable = ["/tmp"]')
    shop.commit()
    project = load_project(shop.root / "bake.toml", {})
    plan = make_plan(project, Request())
    (api,) = (i for i in plan.images if i.service == "api")
    home = "/app/services/api"
    assert {*api.writable} == {"/tmp", f"{home}/data", f"{home}/dist", f"{home}/var"}
    assert ({*api.filled}, {*api.mounted}) == ({f"{home}/data", f"{home}/dist"}, {"/tmp", f"{home}/var"})
    composed = yaml.safe_load(render_compose(project, plan))["services"]["api"]
    assert ("read_only" in composed, {*composed["tmpfs"]}) == (False, {f"{p}:mode=1777" for p in api.mounted})
    workload = make_workload(project.config, api)
    assert (workload.fixed, {*workload.writable}) == (False, {*api.mounted})
    words = docker_words(api, "api:dev", ())
    assert "--read-only" not in words
    assert {w for w in words if w.startswith("--tmpfs")} == {f"--tmpfs={p}:mode=1777" for p in api.mounted}


def test_what_a_command_names_outside_its_package_is_in_the_image(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("config/.env.live", "A=1")
    for command in ("node --env-file=../../config/.env.live x.js", "env-cmd -f ../../config/.env.live node x.js"):
        shop.replace("bake.toml", "node dist/server.js", command)
        shop.commit()
        plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
        (output,) = (o for o in plan.outputs if o.package == "services/api")
        assert output.extra == ("config/.env.live",)
        shop.replace("bake.toml", command, "node dist/server.js")


def test_the_signal_that_ends_a_process_is_its_images(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.replace("bake.toml", 'js"', 'js"\nstop-signal = "SIGINT"')
    project = load_project(shop.root / "bake.toml", {})
    plan = make_plan(project, Request())
    lines = render_dockerfile(project, plan).splitlines()
    assert lines[lines.index("STOPSIGNAL SIGINT") - 1] == "USER 1000:1000"
    assert lines.count("STOPSIGNAL SIGINT") == 1


def test_a_private_key_that_git_tracks_is_warned_of_and_a_public_one_is_not(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name, kind in (("own.pem", "PRIVATE KEY"), ("test/own.key", "RSA PRIVATE KEY"), ("public.pem", "PUBLIC KEY")):
        shop.write(f"services/api/{name}", f"-----BEGIN {kind}-----\nx\n-----END {kind}-----\n")
    shop.commit()
    project = load_project(shop.root / "bake.toml", {})
    (found,) = (f for f in check(project, make_plan(project, Request())) if f.rule == "key")
    assert str(found) == (
        "services/api/own.pem: a private key that git tracks is in images (in api); "
        'mount it where it is used, and add "own.pem" to packages."services/api".exclude'
    )


def test_an_alias_of_module_alias_is_no_package(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    manifest = json.loads((shop.root / "services/api/package.json").read_text())
    manifest["dependencies"] = {**manifest.get("dependencies", {}), "module-alias": "2.2.3"}
    manifest["_moduleAliases"] = {"@root": "."}
    shop.write("services/api/package.json", json.dumps(manifest))
    shop.write(
        "services/api/src/aliases.js", "require('module-alias').addAliases({ '@models': `${__dirname}/models` });"
    )
    shop.write("services/api/src/main.js", "require('@models/bookmark'); require('@root/x'); require('@gone/z');")
    project = load_project(shop.root / "bake.toml", {})
    assert {u.import_.name for u in project.undeclared("services/api")} == {"@gone/z"}
    shop.replace("bake.toml", "[services.api]", '[packages."services/api"]\nignore = ["@gone/*"]\n\n[services.api]')
    assert load_project(shop.root / "bake.toml", {}).undeclared("services/api") == ()


def test_what_lies_in_a_folder_of_node_path_is_no_package(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("services/api/src/main.js", "require('models/user'); require('consts'); require('made'); require('no');")
    for file in ("lib/models/user.js", "more/consts.cjs", "src/made.ts"):
        shop.write(f"services/api/{file}", "module.exports = 1")
    given = 'command = "node dist/server.js"'
    shop.replace("bake.toml", given, f'{given}\nenv.NODE_PATH = "lib:/app/services/api/more"')
    shop.commit()
    project = load_project(shop.root / "bake.toml", {})
    assert {u.import_.name for u in project.undeclared("services/api")} == {"no"}


def test_a_start_by_the_packages_own_command_is_by_its_file(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    manifest = json.loads((shop.root / "services/api/package.json").read_text())
    manifest |= {
        "bin": {"shop-serve": "./bin/run.js"},
        "scripts": {**manifest["scripts"], "start": "shop-serve --port 1"},
    }
    shop.write("services/api/package.json", json.dumps(manifest))
    text, given = (shop.root / "bake.toml").read_text(), 'command = "node dist/server.js"\n'
    for line, rest in (('command = "shop-serve x"\n', ("x",)), ("", ("--port", "1"))):
        shop.write("bake.toml", text.replace(given, line))
        plan = make_plan(load_project(shop.root / "bake.toml", {}), Request())
        (api,) = (i for i in plan.images if i.package == "services/api")
        assert api.command == ("node", "bin/run.js", *rest)
    shop.write("bake.toml", text.replace(given, "command = ['sh', '-c', 'shop-serve-x; exec shop-serve $PORT']\n"))
    (api,) = (i for i in make_plan(load_project(shop.root / "bake.toml", {}), Request()).images if i.service == "api")
    assert api.command == ("sh", "-c", "shop-serve-x; exec node bin/run.js $PORT")


def test_links_to_themselves_are_files_like_others(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for folder in (shop.root, shop.root / "services/api/src"):
        for name in (".nvmrc", "loop", "loop.ts", "loop.json", "loop.config.js"):
            (folder / name).symlink_to(name)
    shop.commit()
    project = load_project(shop.root / "bake.toml", {})
    assert [str(one) for one in check(project, make_plan(project, Request())) if "loop" in str(one)] == []


def test_pointers_of_git_lfs_are_told(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name in ("services/api/a.png", "services/api/b.png", "docs/c.png"):
        shop.write(name, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")
    shop.write("services/api/d.png", "version https://git-lfs.github.com/spec/v2\n")
    shop.commit()
    assert "lfs" not in {finding.rule for finding in found_in(shop)}
    shop.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n")
    assert [str(finding) for finding in found_in(shop) if finding.rule == "lfs"] == [
        "services/api/a.png: is a pointer of Git LFS and not the file itself, as 1 more (in api); "
        "run `git lfs pull` (in CI: a checkout with LFS)"
    ]


def test_what_code_names_above_the_workspace_is_told_where_git_has_it(tmp_path: Path) -> None:
    top = make_git_workspace(tmp_path / "shop")
    folders = [path for path in sorted(top.root.iterdir()) if path.name != ".git"]
    for folder in folders:
        (top.root / "web").mkdir(exist_ok=True)
        folder.rename(top.root / "web" / folder.name)
    for name in ("schema/api.yaml", "VERSION", "py/x.py"):
        top.write(name, "")
    names = "'../../../../VERSION' '../../../../..' '../../../../.env' '../../../../web/package.json' '../../../x.yaml'"
    top.write("web/services/api/src/a.ts", f"join(__dirname, '../../../..', 'py'); read('../../../schema'); {names}")
    top.write("web/services/api/src/a.test.ts", "read('../../../../schema/api.yaml')")
    top.commit()
    top.write(".env", "")
    shop = GitWorkspace(top.root / "web")
    assert [str(finding) for finding in found_in(shop) if finding.rule == "outside"] == [
        f"services/api/src/a.ts: names ../{name}, above the workspace, and builds and images have what is in it alone "
        "(in api); keep that in the workspace, or a copy of it that git tracks"
        for name in ("VERSION", "schema")
    ]


def found_in(shop: GitWorkspace) -> tuple[Finding, ...]:
    project = load_project(shop.root / "bake.toml", {})
    return check(project, make_plan(project, Request()))
