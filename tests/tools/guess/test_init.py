import json
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bake.cli import main
from bake.config import Layers, parse_config
from bake.evidence import heredocs, load_facts
from bake.files import unified_diff
from bake.guess import Guess, amend, guess, render_config
from bake.lockfile import Entry, Lockfile, ScriptAdvice, advise
from bake.workspace import load_workspace
from tests.plant import plant

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"


def workspace(root: Path, manifests: Mapping[str, Mapping[str, object]], **files: object) -> Path:
    """Write an npm workspace. manifests: by package path. top: fields of the root. lock: entries."""
    top = {"name": "shop", "workspaces": sorted(manifests)} | dict(files.pop("top", {}))  # type: ignore[call-overload]
    links = {f"node_modules/{m.get('name', p)}": {"resolved": p, "link": True} for p, m in manifests.items()}
    extra = files.pop("lock", {})
    assert isinstance(extra, dict)
    lock = {"lockfileVersion": 3, "packages": {"": top, **manifests, **links, **extra}}
    content = {"package.json": top, "package-lock.json": lock, **{f"{p}/package.json": m for p, m in manifests.items()}}
    return plant(root, {**content, **files})


def guessed(root: Path, manifests: Mapping[str, Mapping[str, object]], **files: object) -> Guess:
    return guess(load_facts(load_workspace(workspace(root, manifests, **files))))


def toml(found: Guess) -> dict[str, object]:
    text = render_config(found)
    parse_config(text)
    return tomllib.loads(text)


API: Mapping[str, object] = {
    "name": "api",
    "scripts": {"build": "tsc", "start": "node dist/server.js", "worker": "tsx src/worker.ts"},
    "dependencies": {"express": "4"},
}


def test_the_example_is_guessed_as_its_own_bake_toml_says() -> None:
    found = toml(guess(load_facts(load_workspace(EXAMPLE))))
    services = found["services"]
    assert isinstance(services, dict)
    own = tomllib.loads((EXAMPLE / "bake.toml").read_text())["services"]
    assert set(services) == {*own} - {"cli"}  # nothing in production starts it
    assert services["metastore"] == own["metastore"]
    assert services["frontend"]["static"] == "dist"
    assert services["catalog"]["roles"]["api"] == {
        "command": "node dist/server.js",
        "port": 4000,
        "health": "/healthz",
        "env": {"APPHUB_QUEUE_DIR": "/var/lib/apphub/queues"},
    }
    commands = {n: {r["command"] for r in s["roles"].values()} for n, s in services.items() if "roles" in s}
    assert commands == {n: {r["command"] for r in s["roles"].values()} for n, s in own.items() if "roles" in s}


def test_a_worker_script_becomes_a_role_beside_the_api(tmp_path: Path) -> None:
    source = "app.get('/health', ok); app.listen(Number(process.env.PORT ?? 4000))"
    found = toml(guessed(tmp_path, {"services/api": API}, **{
        "services/api/src/server.ts": source}))  # fmt: skip
    assert found["services"] == {
        "api": {
            "package": "services/api",
            "roles": {
                "api": {"command": "node dist/server.js", "port": 4000, "health": "/health"},
                "worker": {"command": "tsx src/worker.ts", "writable": ["/tmp"]},
            },
        }
    }


@pytest.mark.parametrize(
    ("script", "text", "role"),
    [
        ("builds", "tsx src/buildWorker.ts", "builds"),
        ("partition-build", "tsx src/workers/partitionBuildWorker.ts", "partition-build"),
        ("ingest", "node dist/jobs/ingest.js", "ingest"),
        ("build:queue", "tsc src/queue.ts", ""),
        ("backfill", "tsx src/scripts/backfillRegistry.ts", ""),
        ("test:worker", "tsx tests/worker.ts", ""),
    ],
)
def test_a_script_that_runs_a_file_called_a_worker_is_a_process(
    tmp_path: Path, script: str, text: str, role: str
) -> None:
    manifest = {"name": "api", "scripts": {"start": "node dist/server.js", script: text}}
    found = guessed(tmp_path, {"services/api": manifest})
    assert [p.role for p in found.services[0].processes if p.words[1] != "dist/server.js"] == ([role] if role else [])


def test_a_procfile_and_a_compose_file_name_further_roles(tmp_path: Path) -> None:
    compose = "services:\n  cron: {build: services/api, command: node dist/cron.js}\n"
    files = {"services/api/Procfile": "mail: node dist/mail.js\n", "compose.yaml": compose}
    found = guessed(tmp_path, {"services/api": API}, **files)
    assert [p.role for p in found.services[0].processes] == ["api", "cron", "mail", "worker"]


def test_a_dockerfile_beside_the_package_is_believed(tmp_path: Path) -> None:
    docker = 'FROM node:22-alpine\nEXPOSE 8081\nCMD ["node", "/app/services/api/dist/main.js"]\n'
    found = guessed(tmp_path, {"services/api": {"name": "api", "scripts": {"start": "nodemon"}}}, **{
        "services/api/Dockerfile": docker})  # fmt: skip
    process = found.services[0].processes[0]
    assert (process.words, process.port, found.node, found.alpine) == (("node", "dist/main.js"), 8081, 22, True)


@pytest.mark.parametrize(
    ("manifest", "files", "static"),
    [
        ({"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}, {"index.html": "<html>"}, "dist"),
        (
            {"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}},
            {"index.html": "<html>", "vite.config.ts": "export default { build: { outDir: './www/' } }"},
            "www",
        ),
        ({"scripts": {"build": "react-scripts build"}, "dependencies": {"react-scripts": "5"}}, {}, "build"),
        (
            {
                "scripts": {"start": "react-app-rewired start", "build": "react-app-rewired build"},
                "devDependencies": {"react-app-rewired": "2"},
            },
            {},
            "build",
        ),
        (
            {
                "scripts": {"build": "NODE_ENV=production webpack --config ./config/webpack.prod.ts"},
                "devDependencies": {"webpack": "5", "html-webpack-plugin": "5"},
            },
            {},
            "dist",
        ),
        (
            {"scripts": {"build": "rspack build"}, "devDependencies": {"@rspack/cli": "1", "@rspack/plugin-html": "1"}},
            {"rspack.config.js": "module.exports = { output: { path: path.resolve(__dirname, '../www') } }"},
            "www",
        ),
        (
            {"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "15"}},
            {"next.config.mjs": "export default { output: 'export' }"},
            "out",
        ),
        ({"scripts": {"build": "astro build"}, "dependencies": {"astro": "5"}}, {}, "dist"),
        ({"devDependencies": {"@sveltejs/kit": "2", "@sveltejs/adapter-static": "3"}}, {}, "build"),
        (
            {"scripts": {"build": "ng build"}, "dependencies": {"@angular/core": "20"}},
            {
                "angular.json": json.dumps(
                    {
                        "projects": {
                            "shop": {
                                "projectType": "application",
                                "architect": {"build": {"builder": "@angular/build:application", "options": {}}},
                            }
                        }
                    }
                )
            },
            "dist/shop/browser",
        ),
    ],
)  # fmt: skip
def test_frontends_are_served_from_the_folder_they_build(
    tmp_path: Path, manifest: Mapping[str, object], files: Mapping[str, str], static: str
) -> None:
    found = guessed(
        tmp_path, {"apps/web": {"name": "web", **manifest}}, **{f"apps/web/{n}": t for n, t in files.items()}
    )
    assert [(s.name, s.static) for s in found.services] == [("web", static)]


@pytest.mark.parametrize(
    "source",
    [
        "app.use(express.static(path.join(__dirname, '../../web/dist')))",
        "const root = join(__dirname, '..', '..', 'web', 'dist', 'index.html')",
        "app.use(express.static(`${import.meta.dirname}/../../web/dist/assets`))",
    ],
)
def test_a_frontend_that_a_server_serves_is_in_its_image(tmp_path: Path, source: str) -> None:
    web = {"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}
    api = {"name": "api", "scripts": {"start": "node dist/server.js"}}
    files = {"apps/web/index.html": "<html>", "apps/api/src/server.js": source}
    found = guessed(tmp_path, {"apps/api": api, "apps/web": web}, **files)
    tables = toml(found)
    assert tables["services"] == {"api": {"package": "apps/api", "command": "node dist/server.js"}}
    assert tables["packages"] == {"apps/api": {"serves": ["apps/web"]}, "apps/web": {"files": ["dist/**"]}}
    assert found.left_out == (("apps/web", "in the image of apps/api, which serves it"),)


def test_what_another_packages_own_program_builds_for_a_server_is_in_its_image(tmp_path: Path) -> None:
    web = {"name": "web", "scripts": {"build": "node build.js"}}
    api = {"name": "api", "scripts": {"start": "node src/a.js"}}
    source = "app.use(express.static(path.join(__dirname, '../../web/public_html')))"
    files = {"apps/api/src/a.js": source, "apps/web/build.js": "", "apps/web/src/a.html": ""}
    found = guessed(tmp_path, {"apps/api": api, "apps/web": web}, **files)
    assert toml(found)["packages"] == {"apps/api": {"serves": ["apps/web"]}}
    assert found.left_out == (("apps/web", "in the image of apps/api, which serves it"),)
    there = guessed(tmp_path, {"apps/api": api, "apps/web": web}, **files, **{"apps/web/public_html/a.html": ""})
    assert "packages" not in toml(there)


def test_a_next_server_keeps_its_build_and_its_typescript_configuration(tmp_path: Path) -> None:
    manifest = {
        "name": "web",
        "scripts": {"build": "next build", "start": "next start"},
        "dependencies": {"next": "15"},
    }
    found = toml(guessed(tmp_path, {"apps/web": manifest}, **{"apps/web/next.config.ts": "export default {}"}))
    assert found["services"] == {
        "web": {
            "package": "apps/web",
            "command": "next start",
            "port": 3000,
            "writable": ["/app/apps/web/.next/cache"],
        }
    }
    assert found["packages"] == {"apps/web": {"files": [".next/**", "next.config.*"]}}


def test_a_tool_that_the_root_declares_counts_where_a_script_calls_it(tmp_path: Path) -> None:
    web = {"name": "web", "scripts": {"build": "tsc && vite build"}}
    tool = {"name": "tool", "scripts": {"build": "tsc"}}
    top = {"devDependencies": {"vite": "7"}}
    files = {"apps/web/index.html": "<html>", "apps/tool/index.html": "<html>"}
    found = guessed(tmp_path, {"apps/web": web, "apps/tool": tool}, top=top, **files)
    assert [(s.package, s.static) for s in found.services] == [("apps/web", "dist")]


def test_the_compiler_of_next_stays_out_where_no_configuration_needs_it(tmp_path: Path) -> None:
    found = toml(guessed(tmp_path / "a", {"apps/web": NEXT}, **{"apps/web/next.config.mjs": ""}))
    layers = found["layers"]
    assert isinstance(layers, dict)
    assert layers["trim"] == [*Layers().trim, "node_modules/@next/swc-*/**"]
    assert "layers" not in toml(guessed(tmp_path / "b", {"apps/web": NEXT}, **{"apps/web/next.config.ts": ""}))


def test_the_copy_that_standalone_output_makes_stays_out_of_images(tmp_path: Path) -> None:
    config = "export default { output: process.env.DOCKER ? 'standalone' : undefined, distDir: 'build' }"
    found = toml(guessed(tmp_path, {"apps/web": NEXT}, **{"apps/web/next.config.mjs": config}))
    assert found["packages"] == {"apps/web": {"exclude": ["build/standalone/**"]}}


def test_a_next_app_that_always_builds_standalone_is_that(tmp_path: Path) -> None:
    config = "export default { output: 'standalone', transpilePackages: ['x'] }"
    found = guessed(tmp_path, {"apps/web": NEXT}, **{"apps/web/next.config.ts": config})
    text = render_config(found)
    assert 'standalone = ".next/standalone"  # apps/web/next.config.ts\n' in text
    assert 'command = "node server.js"' in text
    assert 'env = { HOSTNAME = "0.0.0.0" }\n' in text
    assert "packages" not in toml(found)


def test_a_next_app_whose_script_starts_the_standalone_server_is_that(tmp_path: Path) -> None:
    web = {**NEXT, "scripts": {"build": "next build", "start": "node .next/standalone/apps/web/server.js"}}
    config = "export default { output: process.env.X ? 'standalone' : undefined }"
    found = toml(guessed(tmp_path, {"apps/web": web}, **{"apps/web/next.config.mjs": config}))
    service = {"standalone": ".next/standalone", "command": "node server.js", "env": {"HOSTNAME": "0.0.0.0"}}
    more = {"package": "apps/web", "port": 3000, "writable": ["/app/apps/web/.next/cache"]}
    assert found["services"] == {"web": {**service, **more}}


_ASTRO = {"astro": "5", "@astrojs/node": "9"}
_NITRO = {"standalone": ".output", "command": "node .output/server/index.mjs", "port": 3000}


@pytest.mark.parametrize(
    ("manifest", "files", "expected"),
    [
        ({"scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "4"}}, {}, _NITRO),
        ({"scripts": {"build": "nuxt build", "start": "nuxt start"}, "devDependencies": {"nuxt": "4"}}, {}, _NITRO),
        (
            {"scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "4"}},
            {"nuxt.config.ts": "export default defineNuxtConfig({ nitro: { preset: 'node-cluster' } })"},
            _NITRO,
        ),
        (
            {"scripts": {"build": "NITRO_PRESET=static nuxt build"}, "dependencies": {"nuxt": "4"}},
            {},
            {"static": ".output/public"},
        ),
        ({"scripts": {"build": "vinxi build", "start": "vinxi start"}, "dependencies": {"vinxi": "0.5"}}, {}, _NITRO),
        (
            {
                "scripts": {"build": "vite build", "start": "node ./.output/server/index.mjs"},
                "dependencies": {"nitro": "3", "vite": "7"},
            },
            {"index.html": "<html>"},
            _NITRO,
        ),
        (
            {
                "scripts": {"build": "vite build"},
                "devDependencies": {"@sveltejs/kit": "2", "@sveltejs/adapter-node": "5"},
            },
            {"svelte.config.js": "export default { kit: { adapter: adapter({ out: 'server' }) } }"},
            {"command": "node server", "port": 3000},
        ),
        (
            {"scripts": {"build": "astro build", "start": "node ./dist/server/entry.mjs"}, "dependencies": _ASTRO},
            {"astro.config.mjs": "export default { adapter: node({ mode: 'standalone' }) }"},
            {"command": "node ./dist/server/entry.mjs", "port": 4321, "env": {"HOST": "0.0.0.0"}},
        ),
        (
            {"scripts": {"build": "astro build", "start": "HOST=:: node server.mjs"}, "dependencies": _ASTRO},
            {"astro.config.mjs": "adapter({ mode: 'middleware' })", "server.mjs": "app.listen(8000)"},
            {"command": "node server.mjs", "port": 8000, "env": {"HOST": "::"}},
        ),
        (
            {
                "scripts": {"build": "react-router build"},
                "dependencies": {"@react-router/serve": "7"},
                "devDependencies": {"@react-router/dev": "7"},
            },
            {},
            {"command": "react-router-serve build/server/index.js", "port": 3000},
        ),
        (
            {
                "scripts": {
                    "build": "npm run build:client && npm run build:server",
                    "build:client": "vite build --outDir dist/client",
                    "build:server": "vite build --outDir dist/server --ssr src/entry-server.js",
                    "preview": "cross-env NODE_ENV=production node server",
                },
                "dependencies": {"express": "5"},
                "devDependencies": {"vite": "7"},
            },
            {"index.html": "<html>", "server.js": "const port = process.env.PORT || 5173"},
            {"command": "node server", "port": 5173},
        ),
    ],
)  # fmt: skip
def test_servers_of_frameworks_are_started_as_these_say(
    tmp_path: Path, manifest: Mapping[str, object], files: Mapping[str, str], expected: Mapping[str, object]
) -> None:
    named = {f"apps/web/{path}": text for path, text in files.items()}
    found = toml(guessed(tmp_path, {"apps/web": {"name": "web", **manifest}}, **named))
    assert found["services"] == {"web": {"package": "apps/web", **expected}}


def test_what_nitro_builds_for_a_platform_is_no_server_of_node_s(tmp_path: Path) -> None:
    web = {"name": "web", "scripts": {"build": "nuxt build --preset=vercel"}, "dependencies": {"nuxt": "4"}}
    assert guessed(tmp_path, {"apps/web": web}).services == ()


def test_nitro_s_output_is_known_where_a_dockerfile_has_it_elsewhere(tmp_path: Path) -> None:
    web = {"name": "web", "scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "4"}}
    docker = "FROM node:24 AS build\nWORKDIR /src\nCOPY . .\nRUN npm run build -w web\nFROM node:24\nWORKDIR /app\n"
    docker += "COPY --from=build /src/apps/web/.output ./\nCMD node server/index.mjs\n"
    found = toml(guessed(tmp_path, {"apps/web": web}, **{"apps/web/Dockerfile": docker}))
    assert found["services"] == {"web": {"package": "apps/web", **_NITRO}}


def test_beside_another_process_the_whole_package_is_kept(tmp_path: Path) -> None:
    scripts = {"build": "next build", "start": "next start", "worker": "tsx src/worker.ts"}
    files = {"apps/web/next.config.ts": "export default { output: 'standalone' }", "apps/web/src/worker.ts": ""}
    found = toml(guessed(tmp_path, {"apps/web": {**NEXT, "scripts": scripts}}, **files))
    services = found["services"]
    assert isinstance(services, dict)
    assert {n: r["command"] for n, r in services["web"]["roles"].items()} == {
        "api": "next start",
        "worker": "tsx src/worker.ts",
    }
    assert found["packages"] == {
        "apps/web": {"files": [".next/**", "next.config.*"], "exclude": [".next/standalone/**"]}
    }


def test_a_vite_library_is_no_service(tmp_path: Path) -> None:
    library = {"name": "ui", "scripts": {"build": "vite build", "start": "vite"}, "devDependencies": {"vite": "7"}}
    config = "export default { build: { lib: { entry: 'src/index.ts' } } }"
    files = {"packages/ui/vite.config.ts": config, "packages/ui/index.html": "<html>"}
    found = guessed(tmp_path, {"packages/ui": library, "services/api": API}, **files)
    assert [s.name for s in found.services] == ["api"]
    assert found.left_out == (("packages/ui", "`vite` is for development"),)


def test_a_package_that_others_import_is_no_frontend_whatever_builds_it(tmp_path: Path) -> None:
    build = {"scripts": {"build": "react-scripts build"}, "devDependencies": {"react-scripts": "5"}}
    common = {"name": "common", "main": "src/index.js", **build}
    web = {"name": "web", "dependencies": {"common": "*"}, **build}
    found = guessed(tmp_path, {"packages/common": common, "apps/web": web})
    assert [s.package for s in found.services] == ["apps/web"]
    assert found.libraries == ("packages/common",)


def test_tests_and_mobile_apps_are_left_out_with_the_reason(tmp_path: Path) -> None:
    start = {"scripts": {"start": "node index.js"}}
    found = guessed(
        tmp_path,
        {
            "services/api": API,
            "e2e": {"name": "e2e", **start},
            "apps/phone": {"name": "phone", **start, "dependencies": {"expo": "52"}},
            "packages/shared": {"name": "shared", "main": "dist/index.js"},
        },
    )
    assert found.left_out == (("apps/phone", "a mobile app"), ("e2e", "`e2e` in its name"))
    assert found.libraries == ("packages/shared",)
    text = render_config(found)
    assert "# Left out: e2e, `e2e` in its name.\n" in text
    assert "# Libraries, part of the images that need them: packages/shared.\n" in text


def test_packages_of_one_folder_name_are_told_apart(tmp_path: Path) -> None:
    manifests = {p: {"name": p.replace("/", "-"), "scripts": {"start": "node x.js"}} for p in ("a/api", "b/api")}
    assert [s.name for s in guessed(tmp_path, manifests).services] == ["a-api", "b-api"]


@pytest.mark.parametrize(
    ("files", "node"),
    [
        ({".nvmrc": "v22.3.0\n"}, (22, ".nvmrc")),
        ({".nvmrc": "lts/iron"}, (20, ".nvmrc")),
        ({".tool-versions": "python 3\nnodejs 18.20.1\n"}, (18, ".tool-versions")),
        ({"top": {"volta": {"node": "20.1.0"}}}, (20, "package.json: volta")),
        ({"top": {"engines": {"node": ">=18 <23"}}}, (22, "package.json: engines.node >=18 <23")),
        ({".nvmrc": "18", "top": {"engines": {"node": ">=22 <23"}}}, (22, "package.json: engines.node >=22 <23")),
        ({}, (24, "")),
    ],
)
def test_nodes_version_comes_from_where_it_is_stated(
    tmp_path: Path, files: Mapping[str, object], node: tuple[int, str]
) -> None:
    found = guessed(tmp_path, {"services/api": API}, **files)
    assert (found.node, found.node_source) == node
    assert toml(found).get("base") == (
        {"build": f"node:{node[0]}", "runtime": f"node:{node[0]}-slim"} if node[1] else None
    )


NEXT: Mapping[str, object] = {
    "name": "web",
    "scripts": {"build": "next build", "start": "next start"},
    "dependencies": {"next": "15"},
}


def test_a_standalone_next_server_of_a_dockerfile_is_started_by_next_itself(tmp_path: Path) -> None:
    docker = (
        'FROM node:24\nENTRYPOINT ["dumb-init", "--", "./web/entrypoint.sh"]\nCMD if x; then node web/server.js; fi\n'
    )
    files = {"web/Dockerfile": docker, "web/entrypoint.sh": "", "web/src/db.ts": "const port = 8443;"}
    process = guessed(tmp_path, {"web": NEXT}, **files).services[0].processes[0]
    found = ("./entrypoint.sh", "next", "start")
    assert (process.words, process.port, process.port_source) == (found, 3000, "Next.js's own")


def test_a_script_that_a_dockerfile_starts_is_named_as_the_package_has_it(tmp_path: Path) -> None:
    docker = 'FROM node:24\nENTRYPOINT ["tini", "--", "./worker/entrypoint.sh"]\nCMD ["node", "worker/dist/x.js"]\n'
    manifest = {"name": "worker", "scripts": {"start": "node dist/main.js"}}
    files = {"worker/Dockerfile": docker, "worker/entrypoint.sh": ""}
    found = guessed(tmp_path, {"worker": manifest}, **files).services[0].processes[0]
    assert found.words == ("./entrypoint.sh", "node", "dist/x.js")


def test_a_script_from_elsewhere_gives_way_to_what_it_starts(tmp_path: Path) -> None:
    manifest = {"name": "worker", "scripts": {"start": "./prefix-output.sh node dist/x.js"}}
    found = guessed(tmp_path, {"worker": manifest}).services[0].processes[0]
    assert found.words == ("node", "dist/x.js")


def test_a_script_from_elsewhere_that_a_dockerfile_copies_is_not_believed(tmp_path: Path) -> None:
    manifest = {"name": "worker", "scripts": {"start": "node dist/main.js"}}
    docker = 'FROM node:24\nCOPY scripts/run.sh ./\nCMD ["./run.sh"]\n'
    found = guessed(tmp_path, {"worker": manifest}, **{"worker/Dockerfile": docker}).services[0].processes[0]
    assert found.words == ("node", "dist/main.js")


@pytest.mark.parametrize(
    ("start", "files", "port"),
    [
        ("PORT=3002 node x.js", {}, (3002, "services/api/package.json: scripts.start")),
        ("react-router-serve ./build/server/index.js", {}, (3000, "React Router's own")),
        ("node .output/server/index.mjs", {}, (3000, "Nitro's own")),
        (
            "node x.js",
            {"packages/env/src/env.ts": "z.object({ PORT: z.coerce.number().default(4001) })"},
            (4001, "packages/env/src/env.ts"),
        ),
        ("node x.js", {"services/api/src/test-utils/x.ts": "app.listen(4444)"}, (None, "")),
    ],
)  # fmt: skip
def test_ports_come_from_commands_their_tools_and_shared_settings(
    tmp_path: Path, start: str, files: Mapping[str, str], port: tuple[int | None, str]
) -> None:
    api = {"name": "api", "scripts": {"start": start}, "dependencies": {"hono": "4", "env": "*"}}
    found = guessed(tmp_path, {"services/api": api, "packages/env": {"name": "env"}}, **files)
    process = found.services[0].processes[0]
    assert (process.port, process.port_source) == port


def test_shared_settings_of_two_servers_tell_no_port(tmp_path: Path) -> None:
    api = {"scripts": {"start": "node x.js"}, "dependencies": {"hono": "4", "env": "*"}}
    manifests: dict[str, dict[str, object]] = {
        "a": {"name": "a", **api},
        "b": {"name": "b", **api},
        "packages/env": {"name": "env"},
    }
    found = guessed(tmp_path, manifests, **{"packages/env/src/env.ts": "process.env.PORT ?? 4001"})
    assert [s.processes[0].port for s in found.services] == [None, None]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"scripts": {"dev": "tsx watch src/index.ts"}}, ("tsx", "src/index.ts")),
        (
            {"scripts": {"dev": "npm run env -- node --watch src/server.js", "env": "dotenv --"}},
            ("node", "src/server.js"),
        ),
        (
            {
                "scripts": {"dev": "tsx watch src/index.ts"},
                "main": "dist/x.cjs",
                "private": True,
                "devDependencies": {"hono": "4"},
            },
            ("node", "dist/x.cjs"),
        ),
        ({"scripts": {"dev": "node scripts/dev.js"}}, None),
        ({"scripts": {"dev": "tsup --watch"}}, None),
    ],
)  # fmt: skip
def test_a_package_that_only_development_starts_is_started_without_watching(
    tmp_path: Path, manifest: Mapping[str, object], words: tuple[str, ...] | None
) -> None:
    web = {"name": "web", "dependencies": {"server": "*"}}
    found = guessed(tmp_path, {"apps/server": {"name": "server", **manifest}, "apps/web": web})
    assert [s.processes[0].words for s in found.services] == ([words] if words else [])


def test_what_resets_a_queue_is_no_process(tmp_path: Path) -> None:
    scripts = {"queue:reset": "tsx src/reset.ts", "refill-queue": "tsx src/x.ts", "queue": "tsx src/scripts/queue.ts"}
    assert guessed(tmp_path, {"packages/queue": {"name": "queue", "scripts": scripts}}).services == ()


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"scripts": {"dev": "wrangler dev"}}, "it is for Cloudflare Workers"),
        ({"scripts": {"start": "web-dev-server"}}, "`web-dev-server` is for development"),
        ({"scripts": {"start": "../infra/with-db.sh node x.js"}}, "`../infra/with-db.sh` is outside of the package"),
        ({"devDependencies": {"@crxjs/vite-plugin": "2"}}, "a browser extension"),
    ],
)
def test_what_no_image_runs_is_left_out_with_the_reason(
    tmp_path: Path, manifest: Mapping[str, object], reason: str
) -> None:
    found = guessed(tmp_path, {"services/api": API, "apps/x": {"name": "x", **manifest}})
    assert found.left_out == (("apps/x", reason),)


def test_a_shell_script_as_binary_is_no_program_for_node(tmp_path: Path) -> None:
    found = guessed(tmp_path, {"apps/make": {"name": "make", "bin": "./index.sh"}})
    assert found.services[0].processes[0].words == ("./index.sh",)


def test_a_binary_that_the_build_makes_beside_package_json_is_believed(tmp_path: Path) -> None:
    found = guessed(tmp_path, {"apps/make": {"name": "make", "bin": "./cli.js", "scripts": {"build": "esbuild"}}})
    assert found.services[0].processes[0].words == ("node", "cli.js")


def test_files_that_vite_writes_for_another_package_are_no_service(tmp_path: Path) -> None:
    manifest = {"name": "web", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}
    config = "export default { build: { outDir: '../api/public' } }"
    files = {"apps/web/vite.config.ts": config, "apps/web/index.html": "<html>"}
    assert guessed(tmp_path, {"apps/web": manifest}, **files).services == ()


def test_install_scripts_are_sorted_by_what_is_known(tmp_path: Path) -> None:
    lock = {
        f"node_modules/{name}": {"version": version, "hasInstallScript": True}
        for name, version in {"esbuild": "0.25.0", "sharp": "0.32.6", "bcrypt": "6.0.0", "acme-addon": "1.0.0"}.items()
    }
    root = workspace(tmp_path, {"services/api": API}, lock=lock)
    advice = advise(load_workspace(root).lock, lock)
    assert (advice.run, advice.without, advice.unknown) == (("sharp",), ("bcrypt", "esbuild"), ("acme-addon",))


def test_known_install_scripts_are_advised_where_the_lockfile_tells_of_none() -> None:
    entries = {
        f"node_modules/{n}": Entry(path=f"node_modules/{n}", name=n, version="12.0.0") for n in ("sqlite3", "ms")
    }
    lock = Lockfile(entries=entries, packages={}, raw={}, manager="yarn", file="yarn.lock")
    assert advise(lock, entries) == ScriptAdvice(run=("sqlite3",))
    assert advise(replace(lock, manager="npm"), entries) == ScriptAdvice()


PRISMA = 'generator client {\n  provider = "prisma-client-js"\n}\n'
CLIENT = {"node_modules/@prisma/client": {"version": "6.19.0"}}


def test_prismas_client_is_generated_and_kept(tmp_path: Path) -> None:
    database = {"name": "db", "scripts": {"generate": "prisma generate"}, "dependencies": {"@prisma/client": "6"}}
    api = {**API, "dependencies": {"db": "*"}}
    files = {"packages/db/prisma/schema.prisma": PRISMA}
    found = guessed(tmp_path, {"packages/db": database, "services/api": api}, lock=CLIENT, **files)
    assert toml(found)["packages"] == {"packages/db": {"build": "generate", "outputs": ["node_modules/.prisma"]}}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("scripts", "notes"),
    [
        ({"build": "prisma generate && tsc"}, ()),
        ({"build": "tsc", "prebuild": "npm run generate", "generate": "prisma generate"}, ()),
        ({"build": "tsc", "postinstall": "prisma generate"}, ()),
        (
            {"build": "tsc"},
            ("services/api: its build has to run `prisma generate` first; write it into its scripts.build",),
        ),
        (
            {"build": "prisma generate && tsc", "install": "node scripts/fetch.js"},
            ("services/api: its `install` script does not run in builds: node scripts/fetch.js",),
        ),
    ],
)
def test_a_build_that_relies_on_an_install_script_is_told(
    tmp_path: Path, scripts: Mapping[str, str], notes: tuple[str, ...]
) -> None:
    api = {"name": "api", "scripts": {"start": "node dist/x.js", **scripts}, "dependencies": {"@prisma/client": "6"}}
    files = {"services/api/prisma/schema.prisma": PRISMA}
    assert guessed(tmp_path, {"services/api": api}, lock=CLIENT, **files).notes == notes


def test_a_client_that_prisma_writes_into_the_sources_needs_nothing(tmp_path: Path) -> None:
    api = {**API, "dependencies": {"@prisma/client": "6"}}
    schema = PRISMA.replace("}", '  output = "../src/generated"\n}')
    found = guessed(tmp_path, {"services/api": api}, lock=CLIENT, **{"services/api/prisma/schema.prisma": schema})
    assert (found.packages, found.notes) == ((), ())


def test_a_database_port_is_not_the_services(tmp_path: Path) -> None:
    source = "connect({ port: 5432 }); const x = process.env.REDIS_PORT || 6379;"
    found = guessed(tmp_path, {"services/api": API}, **{"services/api/src/db.ts": source})
    assert found.services[0].processes[0].port is None
    assert found.services[0].unknown == ("port",)


@pytest.mark.parametrize(
    "source",
    [
        "const { PORT = 4000 } = process.env",
        "app.set('port', parseEnvInt(process.env.API_PORT || process.env.PORT, 4000, { min: 1 }))",
        "const port = Number(config.PORT) || (developmentMode ? 9000 : 4000)",
        "const port = env.PORT\n  ? Number.parseInt(env.PORT, 10)\n  : 4000;\nconst b = 5000",
        "z.object({ backendPort: z.number().positive().default(4000) })",
        "const url = `http://${host}:${process.env.API_PORT || process.env.WEB_PORT || 3000}`; x = { port: 4000 }",
        "const other = process.env.QUEUE_PORT || 3000; listen(process.env.PORT || 4000)",
        "const endpoint = process.env.EDGE_PORT || 4566; app.listen(4000)",
    ],
)
def test_a_port_is_told_by_what_the_service_itself_listens_on(tmp_path: Path, source: str) -> None:
    found = guessed(tmp_path, {"services/api": API}, **{"services/api/src/server.ts": source})
    assert found.services[0].processes[0].port == 4000


def test_a_port_that_the_start_script_sets_stays_set(tmp_path: Path) -> None:
    manifest = {"name": "web", "scripts": {"start": "cross-env PORT=${WEB_PORT:-3001} node dist/server.js"}}
    found = toml(guessed(tmp_path, {"apps/web": manifest}))
    web = {"package": "apps/web", "command": "node dist/server.js", "port": 3001, "env": {"PORT": "3001"}}
    assert found["services"] == {"web": web}


def test_a_framework_s_server_has_its_own_port_and_health_whatever_its_sources_name(tmp_path: Path) -> None:
    web = {
        "name": "web",
        "scripts": {"build": "next build", "start": "next start -p ${PORT}"},
        "dependencies": {"next": "15", "api": "*"},
    }
    files = {
        "apps/web/src/form.ts": "const fields = { port: 5439 }",
        "services/api/src/server.ts": "app.get('/health', ok); app.listen(4000)",
    }
    found = guessed(tmp_path, {"apps/web": web, "services/api": {**API, "name": "api"}}, **files)
    process = next(s for s in found.services if s.name == "web").processes[0]
    assert (process.words, process.port) == (("sh", "-c", "exec next start -p ${PORT}"), 3000)
    assert (process.env, process.health) == ((("PORT", "3000"),), "")


def test_a_dockerfiles_healthcheck_is_the_health_and_its_command_is_named_from_the_package(tmp_path: Path) -> None:
    docker = "FROM node:22\nEXPOSE 8081\nHEALTHCHECK CMD curl -f http://localhost:8081/up\n"
    docker += 'ENTRYPOINT ["./services/api/bin/shop", "api"]\n'
    found = guessed(tmp_path, {"services/api": {"name": "api"}}, **{"services/api/Dockerfile": docker})
    process = found.services[0].processes[0]
    assert process.words == ("./bin/shop", "api")
    assert (process.health, process.health_source) == ("/up", "services/api/Dockerfile: HEALTHCHECK")


def test_a_command_that_is_a_server_has_its_own_port(tmp_path: Path) -> None:
    manifest = {"name": "web", "scripts": {"start": "react-router-serve ./build/server/index.js"}}
    process = guessed(tmp_path, {"apps/web": manifest}).services[0].processes[0]
    assert (process.port, process.port_source) == (3000, "React Router's own")


def test_a_dockerfile_in_a_folder_of_the_package_tells_the_port_and_the_command_where_its_files_come_from(
    tmp_path: Path,
) -> None:
    docker = 'FROM node:22\nCOPY dist/src dist\nEXPOSE 8081\nCMD ["node", "dist/main.js"]\n'
    files = {"services/api/docker/Dockerfile": docker}
    found = guessed(tmp_path, {"services/api": {"name": "api", "scripts": {"start": "node dist/src/main"}}}, **files)
    process = found.services[0].processes[0]
    assert (process.words, process.port, found.node) == (("node", "dist/src/main.js"), 8081, 22)


def test_an_app_that_nx_alone_starts_is_left_out_with_what_to_do(tmp_path: Path) -> None:
    packages: dict[str, Mapping[str, object]] = {"apps/a": {"name": "a"}, "apps/b": API, "libs/l": {"name": "l"}}
    found = guessed(tmp_path, packages, **{"nx.json": "{}"})
    reason = "Nx alone builds and starts it, and bake runs scripts: see docs/start.md"
    assert (found.left_out, found.libraries) == ((("apps/a", reason),), ("libs/l",))


def test_a_command_line_tool_prints_its_help_where_nobody_gives_it_arguments(tmp_path: Path) -> None:
    tool = {"name": "tool", "bin": "dist/cli.js", "private": True, "scripts": {"build": "tsc"}}
    known = guessed(tmp_path, {"apps/tool": tool | {"dependencies": {"commander": "14"}}})
    assert toml(known)["services"] == {
        "tool": {"package": "apps/tool", "entrypoint": "node dist/cli.js", "command": "--help"}
    }
    assert toml(guessed(tmp_path, {"apps/tool": tool}))["services"] == {
        "tool": {"package": "apps/tool", "entrypoint": "node dist/cli.js"}
    }


def test_a_process_that_a_shell_script_starts_is_named_without_what_makes_it_one(tmp_path: Path) -> None:
    script = "#!/bin/sh\nnode /app/services/api/dist/jobs.js &\nexec crond\n"
    found = guessed(tmp_path, {"services/api": API}, **{"docker/start-jobs.sh": script})
    assert [p.role for p in found.services[0].processes] == ["api", "jobs", "worker"]


def test_a_supervisor_names_the_main_process_of_a_package_without_a_script(tmp_path: Path) -> None:
    api = {"name": "api", "private": True, "main": "index.js", "dependencies": {"express": "5"}}
    text = "[program:api]\ncommand=./prefix.sh node services/api/dist/index.js\n"
    text += "[program:mail]\ncommand=node services/api/dist/mail.js\n"
    found = guessed(tmp_path, {"services/api": api}, **{"supervisord.conf": text})
    processes = [(p.role, p.words) for p in found.services[0].processes]
    assert processes == [("api", ("node", "dist/index.js")), ("mail", ("node", "dist/mail.js"))]


def test_a_script_for_development_is_no_role(tmp_path: Path) -> None:
    scripts = {"start": "node dist/x.js", "dev:worker": "tsx src/worker.ts", "worker:watch": "node src/worker.js"}
    found = guessed(tmp_path, {"services/api": {"name": "api", "scripts": scripts}})
    assert [p.role for p in found.services[0].processes] == [""]


def test_what_is_published_to_a_registry_is_no_service(tmp_path: Path) -> None:
    plugin = {"name": "plugin", "main": "dist/index.js", "dependencies": {"express": "5"}, "files": ["dist"]}
    tool = {"name": "tool", "bin": "dist/cli.js", "publishConfig": {"access": "public"}}
    site = {"name": "site", "files": ["dist"], "scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}
    packages = {"services/api": API, "packages/plugin": plugin, "packages/tool": tool, "packages/site": site}
    found = guessed(tmp_path, packages, **{"packages/site/index.html": "<html>"})
    assert [s.package for s in found.services] == ["services/api"]
    assert found.libraries == ("packages/plugin", "packages/site", "packages/tool")


def test_an_install_script_that_builds_is_not_missed(tmp_path: Path) -> None:
    api = {**API, "scripts": {**API["scripts"], "postinstall": "yarn build"}}  # type: ignore[dict-item]
    top = {"scripts": {"postinstall": "npm run build -w shared"}}
    assert guessed(tmp_path, {"services/api": api}, top=top).notes == ()


# --- the command ------------------------------------------------------------------------------------------


def run(root: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.chdir(root)
    return main(["init", *words])


def test_init_writes_a_file_that_bake_can_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = workspace(tmp_path, {"services/api": {**API, "scripts": {"start": "node dist/server.js"}}})
    assert run(root, monkeypatch) == 0
    assert "  api: node dist/server.js (services/api/package.json: scripts.start)\n" in capsys.readouterr().err
    assert main(["list"]) == 0
    assert "node dist/server.js" in capsys.readouterr().out


def test_what_init_leaves_in_the_folder_of_generated_files_is_ignored_by_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace(tmp_path, {"services/api": {**API, "scripts": {"start": "node dist/server.js"}}})
    assert run(root, monkeypatch) == 0
    assert {p.name for p in root.iterdir()} == {"package.json", "package-lock.json", "services", "bake.toml", ".bake"}
    assert (root / ".bake" / ".gitignore").read_text() == "*\n"


def test_packages_that_need_each_other_are_built_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"name": "shared", "main": "dist/index.js", "scripts": {"build": "tsc"}}
    api = {**API, "scripts": {"build": "tsc", "start": "node dist/server.js"}, "dependencies": {"shared": "*"}}
    source = "import type { Order } from 'api';"
    files = {"packages/shared/src/index.ts": source}
    root = workspace(tmp_path, {"packages/shared": shared, "services/api": api}, **files)
    assert run(root, monkeypatch) == 0
    text = (root / "bake.toml").read_text()
    assert 'build = "whole"  # packages need each other to build: packages/shared -> services/api -> ' in text
    assert main(["print"]) == 0


def test_a_dry_run_prints_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = workspace(tmp_path, {"services/api": API})
    assert run(root, monkeypatch, "--dry-run") == 0
    assert "[services.api]" in capsys.readouterr().out
    assert not (root / "bake.toml").exists()


def test_a_bake_toml_that_is_there_is_kept_and_a_new_service_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = '[project]\nname = "mine"\n\n[services.api]\npackage = "services/api"\n'
    worker = {"name": "mailer", "scripts": {"start": "node dist/mail.js"}}
    root = workspace(tmp_path, {"services/api": API, "services/mailer": worker}, **{"bake.toml": own})
    assert run(root, monkeypatch) == 0
    patch = capsys.readouterr().out
    assert (root / "bake.toml").read_text() == own
    assert '+[services.mailer]\n+package = "services/mailer"\n+command = "node dist/mail.js"' in patch
    subprocess.run(["patch", "-p0", "-s"], input=patch, text=True, check=True)
    assert run(root, monkeypatch) == 0
    assert capsys.readouterr().out == ""


def test_force_writes_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = workspace(tmp_path, {"services/api": API}, **{"bake.toml": "[project]\n"})
    assert run(root, monkeypatch, "--force") == 0
    assert 'name = "shop"' in (root / "bake.toml").read_text()


def test_a_workspace_where_nothing_runs_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = workspace(tmp_path, {"packages/shared": {"name": "shared"}})
    assert run(root, monkeypatch) == 1
    assert "no package was found that runs; nothing written" in capsys.readouterr().err
    assert not (root / "bake.toml").exists()


def test_a_repository_without_workspaces_that_starts_nothing_gets_no_bake_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace(tmp_path, {}), monkeypatch) == 1
    assert capsys.readouterr().err == (
        "  - .: left out, no script, binary or Dockerfile starts it\n"
        "bake: warning: no package was found that runs; nothing written, write bake.toml by hand (`bake schema`)\n"
    )


def test_a_repository_without_workspaces_is_written_as_one_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    top = {"name": "shop", "scripts": {"build": "tsc", "start": "node dist/server.js"}}
    root = workspace(tmp_path, {}, top=top, **{"src/server.ts": "app.listen(4000)"})
    assert run(root, monkeypatch) == 0
    written = tomllib.loads((root / "bake.toml").read_text())
    assert written["services"] == {"app": {"package": ".", "command": "node dist/server.js", "port": 4000}}
    capsys.readouterr()
    assert run(root / "src", monkeypatch) == 0
    assert capsys.readouterr().err == "bake.toml is there and names everything that the workspace has\n"


@pytest.mark.parametrize(
    ("top", "files", "command"),
    [
        ({"scripts": {"start": "node dist/main"}}, {"src/main.ts": "//"}, "node dist/main"),
        ({"scripts": {"start": "node server.js"}}, {"server.js": "//"}, "node server.js"),
        ({"private": True, "main": "dist/index.js"}, {"src/index.ts": "//"}, "node dist/index.js"),
        ({"scripts": {"start": "next start", "build": "next build"}, "dependencies": {"next": "15"}}, {
            "app/page.tsx": "//"}, "next start"),
        ({}, {"Dockerfile": 'FROM node:24\nCMD ["node", "/app/src/main.js"]\n', "src/main.js": "//"},
            "node src/main.js"),
    ],
)  # fmt: skip
def test_a_root_that_runs_beside_members_is_a_service(
    tmp_path: Path, top: Mapping[str, object], files: Mapping[str, str], command: str
) -> None:
    found = toml(guessed(tmp_path, {"services/api": API}, top=top, **files))
    services = found["services"]
    assert isinstance(services, dict)
    assert set(services) == {"api", "app"}
    assert (services["app"]["package"], services["app"]["command"]) == (".", command)


def test_a_binary_of_a_root_alone_is_its_entry_point(tmp_path: Path) -> None:
    found = toml(guessed(tmp_path, {}, top={"name": "tool", "bin": "cli.js"}, **{"cli.js": "//"}))
    assert found["services"] == {"app": {"package": ".", "entrypoint": "node cli.js"}}


@pytest.mark.parametrize(
    "start",
    [
        "turbo run start",
        "nx serve api",
        "npm start --workspace services/api",
        "npm run start -ws",
        "pnpm -r start",
        "yarn workspace api start",
        "node services/api/dist/server.js",
        "cd services/api && node dist/server.js",
        "concurrently 'npm:a' 'npm:b'",
        "docker compose up",
        "node gone.js",
    ],
)
def test_a_root_that_only_starts_others_is_no_service(tmp_path: Path, start: str) -> None:
    found = guessed(tmp_path, {"services/api": API}, top={"scripts": {"start": start}}, **{"src/shared.ts": "//"})
    assert [s.package for s in found.services] == ["services/api"]
    assert (found.left_out, found.libraries) == ((), ())


def test_a_root_with_scripts_of_its_developers_alone_is_no_service(tmp_path: Path) -> None:
    top = {"scripts": {"start": "node scripts/start.js"}}
    found = guessed(tmp_path, {"services/api": API}, top=top, **{"scripts/start.js": "//", "jest.config.js": "//"})
    assert [s.package for s in found.services] == ["services/api"]


def test_a_root_whose_build_builds_all_is_built_by_its_own_script(tmp_path: Path) -> None:
    scripts = {"build": "turbo run build && npm run build:app", "build:app": "tsc", "start": "node dist/main.js"}
    found = toml(guessed(tmp_path, {"services/api": API}, top={"scripts": scripts}, **{"src/main.ts": "//"}))
    assert found["packages"] == {".": {"build": "build:app"}}


def test_agents_are_told_once_and_behind_what_they_are_told_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = workspace(tmp_path, {"services/api": {**API, "scripts": {"start": "node dist/server.js"}}})
    (root / "AGENTS.md").write_text("# Ours\n")
    assert run(root, monkeypatch, "--agents") == 0
    assert "AGENTS.md has bake at its end now\n" in capsys.readouterr().err
    text = (root / "AGENTS.md").read_text()
    assert text.startswith("# Ours\n\n# bake, for coding agents\n")
    assert "](" not in text
    assert run(root, monkeypatch, "--agents") == 0
    assert "AGENTS.md tells of bake already\n" in capsys.readouterr().err
    assert (root / "AGENTS.md").read_text() == text


def test_npm_scripts_and_workflows_are_added_without_touching_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = {"scripts": {"docker:build": "mine"}}
    root = workspace(tmp_path, {"services/api": API}, top=scripts)
    assert run(root, monkeypatch, "--npm-scripts", "--workflow") == 0
    manifest = json.loads((root / "package.json").read_text())
    assert manifest["scripts"] == {
        "docker:build": "mine",
        "docker:build:all": "bake build all",
        "docker:push:all": "bake build all --push",
    }
    assert capsys.readouterr().err.endswith("\nnext: `bake doctor` looks at this machine, `bake all` builds\n")
    assert "uses: ./.github/workflows/images.yml" in (root / ".github/workflows/build-images.yml").read_text()
    assert "workflow_call" in (root / ".github/workflows/images.yml").read_text()


# --- a bake.toml that is there ----------------------------------------------------------------------------


def test_a_vanished_service_and_another_node_are_proposed(tmp_path: Path) -> None:
    old = (
        '[project]\nname = "x"\n\n[base]\nbuild = "node:20"\nruntime = "acme/node:20"\n\n[services.old]\n'
        'package = "services/old"\n[services.old.roles.a]\ncommand = "node a.js"\n\n[services.api]\n'
        'package = "services/api"\n'
    )
    found = guessed(tmp_path, {"services/api": API}, **{".nvmrc": "22"})
    new = amend(old, parse_config(old), found, ["services/api"])
    assert new == (
        '[project]\nname = "x"\n\n[base]\nbuild = "node:22"\nruntime = "acme/node:20"\n\n[services.api]\n'
        'package = "services/api"\n'
    )


def test_a_package_named_in_a_comment_is_settled(tmp_path: Path) -> None:
    old = '# not services/api\n[project]\nname = "x"\n[services.b]\npackage = "services/b"\n'
    manifests = {"services/api": API, "services/b": {"name": "b", "scripts": {"start": "node b.js"}}}
    found = guessed(tmp_path, manifests)
    assert amend(old, parse_config(old), found, list(manifests)) == old
    assert unified_diff(old, old, "bake.toml") == ""


def test_a_root_that_bake_toml_names_is_settled(tmp_path: Path) -> None:
    old = '[project]\nname = "x"\n[services.b]\npackage = "."\n'
    found = guessed(tmp_path, {}, top={"scripts": {"start": "node b.js"}}, **{"b.js": "//"})
    assert amend(old, parse_config(old), found, []) == old


ALL_IN_ONE = """\
FROM node:24 AS builder
ARG VITE_API="http://localhost:4000"
ARG VITE_SECRET
RUN npm ci && npm run build
FROM node:24-slim
RUN cat <<'SUPERVISOR' > /etc/supervisor/conf.d/shop.conf
[supervisord]
nodaemon=true

[program:redis]
command=redis-server --bind 0.0.0.0

[program:api]
command=node services/api/dist/server.js
directory=/app

[program:api-queue]
command=node services/api/dist/queue/worker.js
directory=/app
SUPERVISOR
CMD ["supervisord", "-c", "/etc/supervisor/supervisord.conf"]
"""


@pytest.mark.parametrize("runs", ["tsx", "node --enable-source-maps --import tsx", "ts-node"])
def test_an_image_with_a_supervisor_says_what_production_starts_and_stays_buildable(tmp_path: Path, runs: str) -> None:
    scripts = {"build": "tsc", "start": "node dist/server.js", "jobs": f"{runs} src/queue/worker.ts"}
    api = {**API, "scripts": scripts | {"submit:sample": f"{runs} src/sampleJob.ts"}}
    found = toml(guessed(tmp_path, {"services/api": api}, Dockerfile=ALL_IN_ONE))
    assert found["services"] == {
        "api": {
            "package": "services/api",
            "directory": ".",
            "roles": {
                "api": {"command": "node services/api/dist/server.js"},
                "queue": {"command": "node services/api/dist/queue/worker.js"},
            },
        }
    }
    assert found["monolith"] == {"dockerfile": "Dockerfile"}


def test_a_frontend_gets_the_build_arguments_that_a_dockerfile_sets(tmp_path: Path) -> None:
    site = {"name": "site", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}
    read = "export const a = import.meta.env.VITE_API, b = import.meta.env.VITE_SECRET;"
    files = {"apps/site/src/main.ts": read, "apps/site/vite.config.ts": "", "apps/site/index.html": "<html>"}
    text = render_config(guessed(tmp_path, {"apps/site": site}, Dockerfile=ALL_IN_ONE, **files))
    assert (
        '[packages."apps/site".args]  # Dockerfile: ARG\n'
        'VITE_API = { env = "VITE_API", default = "http://localhost:4000" }\n'
        "# Read too while it is built: VITE_SECRET.\n"
    ) in text
    parse_config(text)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("RUN cat <<'END' > /etc/a.conf", "/etc/a.conf"),
        ("RUN cat > /etc/a.conf <<-END", "/etc/a.conf"),
        ("COPY <<END /etc/a.conf", "/etc/a.conf"),
        ('RUN tee /etc/a.conf <<"END"', "/etc/a.conf"),
        ("RUN --mount=type=cache,target=/x mkdir -p /etc && cat >/etc/a.conf <<END", "/etc/a.conf"),
    ],
)
def test_files_that_a_dockerfile_writes_are_found(line: str, path: str) -> None:
    assert list(heredocs(f"FROM node\n{line}\n[program:a]\nx\nEND\nUSER node\n")) == [(path, "[program:a]\nx\n")]


def test_a_here_document_that_is_run_is_no_file() -> None:
    assert list(heredocs("RUN <<END\napt-get update\nEND\n")) == []


def test_a_command_in_a_folder_of_developers_is_no_service(tmp_path: Path) -> None:
    tool = {"name": "gen", "private": True, "bin": "dist/gen.js"}
    found = guessed(tmp_path, {"tools/gen": tool, "apps/gen": {**tool, "name": "apps-gen"}})
    assert [s.package for s in found.services] == ["apps/gen"]
