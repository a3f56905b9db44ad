"""What production says is what `bake init` proposes: small workspaces in the shapes of public ones."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.config import parse_config
from bake.evidence import load_facts
from bake.guess import Guess, guess, render_config
from bake.workspace import load_workspace
from tests.tools.guess.test_init import API, guessed, toml, workspace

WEB: Mapping[str, object] = {
    "name": "web",
    "scripts": {"build": "vite build", "build:bundle": "vite build --mode x"},
    "devDependencies": {"vite": "7"},
}
SERVER: Mapping[str, object] = {
    "name": "server",
    "scripts": {"build": "tsc", "start": "tsx src/main.ts", "dev": "tsx watch src/main.ts"},
    "dependencies": {"express": "5"},
}


def processes(found: Guess) -> dict[str, str]:
    """Image -> its command, or the folder it serves."""
    rows: dict[str, str] = {}
    for service in found.services:
        if service.static:
            rows[service.name] = service.static
        for each in service.processes:
            rows[f"{service.name}-{each.role}".rstrip("-")] = " ".join(each.words)
    return rows


def test_each_final_stage_of_one_dockerfile_is_placed_in_its_package(tmp_path: Path) -> None:
    docker = """\
FROM node:22.13.0-alpine AS base
WORKDIR /app
COPY . .
RUN npm ci && npm run build
FROM node:22.13.0-alpine AS api
WORKDIR /srv
COPY --from=base /app/apps/server ./server
ENV PORT=8080 LOG=info
EXPOSE 9090
CMD ["node", "server/dist/main.js"]
FROM api AS worker
CMD ["node", "server/dist/jobs/worker.js"]
FROM nginx:1.27 AS web
COPY --from=base /app/apps/web/dist /usr/share/nginx/html
FROM base AS test
CMD ["npm", "test"]
FROM web
"""
    files = {"Dockerfile": docker, "apps/web/index.html": "<html>"}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/web": WEB}, **files)
    assert processes(found) == {
        "server-api": "node dist/main.js",
        "server-worker": "node dist/jobs/worker.js",
        "web": "dist",
    }
    api = found.services[0].processes[0]
    assert (api.port, api.port_source, dict(api.env)) == (8080, "Dockerfile: api", {"PORT": "8080", "LOG": "info"})
    assert (found.node, found.node_source) == (22, "Dockerfile: Node 22.13.0")


def test_a_file_server_that_is_followed_by_a_stage_for_development_is_an_image(tmp_path: Path) -> None:
    docker = """\
FROM node:24-alpine AS base
WORKDIR /app
COPY . .
FROM base AS build
RUN npm run build -w web
FROM nginx:alpine AS production
COPY --from=build /app/apps/web/dist /usr/share/nginx/html
EXPOSE 80
FROM base AS development
CMD ["npm", "exec", "-w", "web", "--", "vite", "--host", "0.0.0.0"]
"""
    files = {"apps/web/Dockerfile": docker, "apps/web/index.html": "<html>", "apps/web/vercel.json": "{}"}
    found = guessed(tmp_path, {"apps/web": WEB}, **files)
    assert (processes(found), found.notes) == ({"web": "dist"}, ())


def test_what_of_the_system_a_process_feels_is_said_and_the_usual_is_not(tmp_path: Path) -> None:
    env = "NODE_ENV={} LANG={} TZ=Europe/Berlin API_VERSION=v2 TINI_VERSION=1 LC_ALL=C.UTF-8"
    docker = "FROM node:24\nCOPY . .\nWORKDIR /apps/server\nENV {}\nSTOPSIGNAL {}\nCMD node dist/{}.js\n"
    files = {
        "apps/server/Dockerfile": docker.format(env.format("staging", "de_DE.UTF-8"), "SIGQUIT", "main"),
        "apps/server/Dockerfile.worker": docker.format(env.format("production", "en_US.UTF-8"), "SIGTERM", "worker"),
        "compose.yml": "services: {server: {build: {dockerfile: apps/server/Dockerfile}, stop_signal: int}}",
    }
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    services = toml(found)["services"]
    assert isinstance(services, dict)
    assert services["server"]["roles"] == {
        "api": {
            "command": "node dist/main.js",
            "env": {"NODE_ENV": "staging", "LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin", "API_VERSION": "v2"},
            "stop-signal": "SIGINT",
        },
        "worker": {"command": "node dist/worker.js", "env": {"TZ": "Europe/Berlin", "API_VERSION": "v2"}},
    }


_NGINX = """\
server {
  root /usr/share/nginx/html;
  add_header X-Frame-Options "DENY" always;
  add_header Content-Security-Policy "default-src 'self'";
  add_header Cache-Control no-store; # bake's own business
  add_header X-Host $host;
  location = / { return 302 /app/; }
  location /app/ { try_files $uri /app/index.html; add_header X-App 1; }
  location /api/ { proxy_pass http://api:4000/; }
  error_page 500 502 /50x.html;
  error_page 404 /index.html;
  auth_basic off;
}
"""


def test_a_file_servers_path_headers_and_what_else_it_does_are_said(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
COPY . .
RUN npm run build -w web
FROM nginx:1.27
COPY apps/web/nginx.conf /etc/nginx/conf.d/default.conf
COPY apps/web/40-env.sh /docker-entrypoint.d/
COPY --from=build /apps/web/dist /usr/share/nginx/html/app
"""
    config = "export default { base: '/app/' };"
    files = {"apps/web/index.html": "", "apps/web/vite.config.js": config, "apps/web/40-env.sh": "echo"}
    files |= {"apps/web/Dockerfile": docker, "apps/web/nginx.conf": _NGINX}
    found = guessed(tmp_path, {"apps/web": WEB}, **files)
    assert toml(found)["services"] == {
        "web": {
            "package": "apps/web",
            "static": "dist",
            "prefix": "/app/",
            "headers": {"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'self'"},
            "proxy": {"/api/": "http://api:4000/"},
        }
    }
    assert found.services[0].notes == (
        "Production's file server has `return 302`, `auth_basic`: that of bake's images does none of it.",
        "Production's image runs apps/web/40-env.sh before it serves: bake's images hold the files as built.",
    )


@pytest.mark.parametrize(
    ("composed", "value"),
    [("https://api.example", "https://api.example"), ("${API}", "/api"), ("https://one.example, again", "/api")],
)
def test_build_arguments_are_what_compose_gives_them(tmp_path: Path, composed: str, value: str) -> None:
    docker = "FROM node:24 AS build\nCOPY . .\nARG VITE_API=/api\nARG VITE_MODE\nRUN npm run build -w web\nFROM nginx\n"
    docker += "COPY --from=build /apps/web/dist /usr/share/nginx/html\n"
    url, _, again = composed.partition(", ")
    build = "{{context: ., dockerfile: apps/web/Dockerfile, args: {{VITE_API: '{}', VITE_MODE: live}}}}"
    compose = f"services:\n  web: {{build: {build.format(url)}}}\n"
    compose += f"  other: {{build: {build.format('https://other.example')}}}\n" if again else ""
    source = "fetch(import.meta.env.VITE_API + import.meta.env.VITE_MODE)"
    files = {"apps/web/index.html": "", "apps/web/src/main.ts": source, "apps/web/Dockerfile": docker}
    found = toml(guessed(tmp_path, {"apps/web": WEB}, **files, **{"compose.yml": compose}))
    packages = found["packages"]
    assert isinstance(packages, dict)
    assert packages["apps/web"]["args"] == {
        "VITE_API": {"env": "VITE_API", "default": value},
        "VITE_MODE": {"env": "VITE_MODE", "default": "live"},
    }


@pytest.mark.parametrize(
    ("build", "base", "prefix"),
    [
        ("vite build", "base: './'", None),
        ("vite build", "base: process.env.BASE", None),
        ("vite build", "base: 'https://cdn.example/x/y/'", "/x/y/"),
        ("vite build", "base: command === 'serve' ? '/' : '/app/'", "/app/"),
        ("vite build", "base: mode === 'production' ? '/app/' : '/'", "/app/"),
        ("vite build", "base: mode !== 'production' ? '/' : '/app/'", "/app/"),
        ("vite build", "base: isDev ? '/dev/' : '/'", None),
        ("tsc && vite build --mode x --base=/shop", "base: '/app/'", "/shop/"),
    ],
)
def test_the_path_that_a_frontend_is_built_for_is_said(
    tmp_path: Path, build: str, base: str, prefix: str | None
) -> None:
    files = {"apps/web/index.html": "", "apps/web/vite.config.js": f"export default {{ {base} }};"}
    assert _prefix(guessed(tmp_path, {"apps/web": {**WEB, "scripts": {"build": build}}}, **files)) == prefix


def _prefix(found: Guess) -> object:
    services = toml(found)["services"]
    assert isinstance(services, dict)
    return services["web"].get("prefix")


_ANGULAR = {"builder": "@angular/build:application", "defaultConfiguration": "production"}
_ADMIN = {**_ANGULAR, "options": {"baseHref": "/"}, "configurations": {"production": {"baseHref": "/admin/"}, "x": {}}}


@pytest.mark.parametrize(
    ("tool", "build", "file", "text", "prefix"),
    [
        ("astro", "astro build", "astro.config.mjs", "base: '/docs'", "/docs/"),
        ("astro", "astro build --base /docs", "astro.config.mjs", "", "/docs/"),
        (
            "@sveltejs/adapter-static @sveltejs/kit",
            "vite build",
            "svelte.config.js",
            "paths: { base: '/kit' }",
            "/kit/",
        ),
        ("next", "next build", "next.config.mjs", "output: 'export', basePath: '/site'", "/site/"),
        ("@vue/cli-service", "vue-cli-service build", "vue.config.js", "publicPath: '/shop/'", "/shop/"),
        ("gatsby", "gatsby build --prefix-paths", "gatsby-config.js", "pathPrefix: '/blog'", "/blog/"),
        ("gatsby", "gatsby build", "gatsby-config.js", "pathPrefix: '/blog'", None),
        ("webpack html-webpack-plugin", "webpack", "webpack.config.js", "output: { publicPath: '/w/' }", "/w/"),
        ("parcel", "parcel build src/index.html --public-url /p/", "x.config.js", "", "/p/"),
        ("@rsbuild/core", "rsbuild build", "rsbuild.config.ts", "server: { base: '/rs' }", "/rs/"),
        ("react-scripts", "PUBLIC_URL=/cra react-scripts build", "x.config.js", "", "/cra/"),
        ("react-scripts", "react-scripts build", ".env.production", "PUBLIC_URL=/live\n", "/live/"),
        ("@angular/core", "ng build", "angular.json", "", "/admin/"),
        ("@angular/core", "ng build -c x", "angular.json", "", None),
        ("@angular/core", "ng build --base-href=/panel/", "angular.json", "", "/panel/"),
    ],
)
def test_each_framework_says_in_its_own_way_which_path_it_builds_for(
    tmp_path: Path, tool: str, build: str, file: str, text: str, prefix: str | None
) -> None:
    package = {"devDependencies": dict.fromkeys(tool.split(), "1"), "scripts": {"build": build}}
    project = {"projects": {"web": {"projectType": "application", "architect": {"build": _ADMIN}}}}
    shown = json.dumps(project) if file == "angular.json" else text if file.startswith(".") else f"x = {{ {text} }};"
    assert _prefix(guessed(tmp_path, {"apps/web": package}, **{f"apps/web/{file}": shown})) == prefix


def test_compose_says_which_target_command_port_and_health_a_service_has(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nWORKDIR /app/apps/server\nCMD npm start\n"
    compose = """\
x-build: &build
  context: ..
  dockerfile: docker/Dockerfile
services:
  shop-api:
    build: *build
    command: node dist/main.js
    ports: ["80:4000"]
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:4000/up"]}
  shop-mailer: {build: *build, command: ["node", "dist/mailer.js"]}
  shop-migrate: {build: *build, command: npx prisma migrate deploy}
  db: {image: "postgres:16"}
  old: {build: *build, command: node dist/old.js, profiles: [deprecated]}
"""
    files = {"docker/Dockerfile": docker, "docker/compose.yaml": compose}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert processes(found) == {"server-api": "node dist/main.js", "server-mailer": "node dist/mailer.js"}
    api = found.services[0].processes[0]
    assert (api.port, api.health, api.health_certain) == (4000, "/up", True)


def test_scripts_in_front_of_a_process_are_seen_through_and_what_they_do_is_said(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nCOPY docker/start.sh /usr/local/bin/\n"
    docker += 'ENTRYPOINT ["start.sh"]\nCMD ["api"]\n'
    script = """\
#!/bin/sh
npx prisma migrate deploy
case "$1" in
  api) cd apps/server
    exec node dist/main.js ;;
  worker) cd apps/server
    exec node dist/worker.js ;;
esac
"""
    compose = 'services:\n  worker: {build: ., command: ["worker"]}\n'
    files = {"Dockerfile": docker, "docker/start.sh": script, "docker-compose.yml": compose}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert processes(found) == {"server-api": "node dist/main.js", "server-worker": "node dist/worker.js"}
    text = render_config(found)
    assert "# Its script first runs `npx prisma migrate deploy`: a Kubernetes Job's business." in text
    assert "# Production starts it by docker/start.sh, which does more than the command here." in text


def test_what_pnpm_deploys_and_turbo_prunes_is_of_the_package(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS pruner
WORKDIR /app
COPY . .
RUN turbo prune server --docker
FROM node:24 AS build
WORKDIR /app
COPY --from=pruner /app/out/full/ .
RUN pnpm --filter server deploy --prod /prod/server
FROM node:24
COPY --from=build /prod/server /srv/app
WORKDIR /srv/app
CMD ["dumb-init", "--", "node", "--enable-source-maps", "dist/main.js"]
"""
    found = guessed(tmp_path, {"apps/server": SERVER}, Dockerfile=docker)
    assert processes(found) == {"server": "node --enable-source-maps dist/main.js"}


def test_a_server_in_the_layout_of_next_s_standalone_output_is_started_by_next(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
FROM node:24
WORKDIR /app
COPY --from=build /app/web/.next/standalone ./
COPY web/entrypoint.sh ./web/
ENTRYPOINT ["dumb-init", "--", "./web/entrypoint.sh"]
CMD if [ -n "$TRACE" ]; then node --import trace ./web/server.js; else node ./web/server.js; fi
"""
    next_app = {
        "name": "web",
        "scripts": {"build": "next build", "start": "next start"},
        "dependencies": {"next": "15"},
    }
    script = '#!/bin/sh\nif [ -z "$URL" ]; then\n  exit 1\nfi\nprisma migrate deploy\nexec "$@"\n'
    found = guessed(tmp_path, {"web": next_app}, **{"web/Dockerfile": docker, "web/entrypoint.sh": script})
    assert processes(found) == {"web": "next start"}
    assert found.services[0].processes[0].before == ("prisma migrate deploy",)


def test_supervisors_of_every_kind_name_processes(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nCMD ["supervisord"]\n'
    files = {
        "Dockerfile": docker,
        "supervisord.conf": "[program:api]\ncommand=node apps/server/dist/main.js\n[program:db]\ncommand=redis\n",
        "docker/s6-rc.d/svc-mail/run": "#!/command/with-contenv sh\ncd /app/apps/server\nexec node dist/mail.js\n",
        "Procfile": "cron: node apps/server/dist/cron.js\nrelease: npx prisma migrate deploy\n",
    }
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert processes(found) == {
        "server-api": "node dist/main.js",
        "server-cron": "node dist/cron.js",
        "server-mail": "node dist/mail.js",
    }


def test_kubernetes_says_ports_probes_and_workers(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app/apps/server\nCOPY apps/server .\nCMD ["node", "dist/main.js"]\n'
    manifest = """\
kind: Deployment
metadata: {name: shop-server}
spec: {template: {spec: {containers: [{name: api, image: "ghcr.io/x/server:1", ports: [{containerPort: 4300}],
  livenessProbe: {httpGet: {path: /alive, port: 4300}}}]}}}
---
kind: Deployment
metadata: {name: server-reports}
spec: {template: {spec: {containers: [{name: w, image: "ghcr.io/x/server:1", command: [node, dist/reports.js]}]}}}
---
kind: Job
metadata: {name: server-migrate}
spec: {template: {spec: {containers: [{name: m, image: "ghcr.io/x/server:1", command: [node, dist/migrate.js]}]}}}
"""
    files = {"apps/server/Dockerfile": docker, "deploy/k8s/all.yaml": manifest}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert processes(found) == {"server-api": "node dist/main.js", "server-reports": "node dist/reports.js"}
    api = found.services[0].processes[0]
    assert (api.port, api.health, api.health_source) == (4300, "/alive", "deploy/k8s/all.yaml: shop-server")


@pytest.mark.parametrize(
    ("file", "text", "health"),
    [
        (
            "render.yaml",
            "services:\n- {type: web, runtime: node, startCommand: 'npm start -w server', healthCheckPath: /ok}\n",
            "/ok",
        ),
        (
            "railway.toml",
            '[deploy]\nstartCommand = "npx turbo run start --filter=server"\nhealthcheckPath = "/ok"\n',
            "/ok",
        ),
        ("fly.toml", 'app = "x"\n[processes]\napp = "npm start -w server"\n[http_service]\ninternal_port = 8080\n', ""),
        ("apps/server/railway.json", '{"deploy": {"startCommand": "node apps/server/dist/main.js"}}', ""),
        ("Procfile", "web: cd apps/server && node dist/main.js\r\n", ""),
        ("nixpacks.toml", '[start]\ncmd = "cd apps/server && node dist/main.js"\n', ""),
    ],
)
def test_platforms_files_say_what_starts(tmp_path: Path, file: str, text: str, health: str) -> None:
    server = {**SERVER, "scripts": {"build": "tsc", "start": "node dist/main.js"}}
    process = guessed(tmp_path, {"apps/server": server}, **{file: text}).services[0].processes[0]
    assert (process.words, process.source.partition(":")[0]) == (("node", "dist/main.js"), file)
    assert process.health == (health if process.port else "")


def test_a_workflow_and_a_script_say_which_target_and_context_a_build_has(tmp_path: Path) -> None:
    docker = """\
ARG APP=none
FROM node:24 AS base
FROM base AS dev
CMD ["npm", "run", "dev"]
FROM base AS serve
ARG APP
WORKDIR /repo
COPY . .
WORKDIR /repo/apps/${APP}
CMD ["node", "dist/main.js"]
FROM base
CMD ["true"]
"""
    workflow = """\
jobs:
  build:
    strategy: {matrix: {include: [{app: server}]}}
    steps:
    - uses: docker/build-push-action@v6
      with:
        context: .
        file: ./ops/Dockerfile
        target: serve
        build-args: |
          APP=${{ matrix.app }}
"""
    files = {"ops/Dockerfile": docker, ".github/workflows/ci.yml": workflow}
    assert processes(guessed(tmp_path, {"apps/server": SERVER}, **files)) == {"server": "node dist/main.js"}


def test_a_frontend_whose_output_an_image_holds_is_served_by_its_process(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
FROM node:24
WORKDIR /app
COPY --from=build /app/apps/server/dist apps/server/dist
COPY --from=build /app/apps/web/dist apps/web/dist
CMD ["node", "apps/server/dist/main.js"]
"""
    files = {"Dockerfile": docker, "apps/web/index.html": "<html>"}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/web": WEB}, **files)
    assert processes(found) == {"server": "node dist/main.js"}
    assert found.left_out == (("apps/web", "in the image of apps/server, which serves it"),)


def test_what_a_file_server_hands_on_is_handed_on_by_bakes_too(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build -w web
FROM nginx
COPY --from=build /app/apps/web/dist /usr/share/nginx/html
COPY apps/web/nginx /etc/nginx/templates
"""
    nginx = """\
upstream back { server api:4000 weight=1; }
server {
  location / { try_files $uri /index.html; }
  location /api/ { proxy_set_header Host $host; proxy_pass http://back/; } # proxy_pass http://wrong;
  location ^~ /auth { if ($a) { return 1; } proxy_pass ${AUTH_URL}; }
  location /mail { proxy_pass http://$mail; }
}
"""
    files = {"apps/web/Dockerfile": docker, "apps/web/index.html": "", "apps/web/nginx/default.conf.template": nginx}
    text = render_config(guessed(tmp_path, {"apps/web": WEB}, **files))
    assert (
        'static = "dist"\nproxy = { "/api/" = "http://api:4000/" }\n# Production\'s file server hands /auth on to'
        in text
    )


@pytest.mark.parametrize("entrypoint", ['["/sbin/tini", "--"]', '["dumb-init"]'])
def test_an_init_before_the_process_is_told(tmp_path: Path, entrypoint: str) -> None:
    docker = f"FROM node:24 AS base\nENTRYPOINT {entrypoint}\nFROM base\nWORKDIR /app\nCOPY . .\n"
    docker += 'CMD ["node", "apps/server/dist/main.js"]\n'
    found = guessed(tmp_path, {"apps/server": SERVER}, Dockerfile=docker)
    assert processes(found) == {"server": "node dist/main.js"}
    assert "init = true  # an init is process 1 there\n" in render_config(found)
    assert found.notes == ()


def test_the_build_script_is_the_one_that_production_runs(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build:bundle -w web
FROM nginx
COPY --from=build /app/apps/web/dist /usr/share/nginx/html
"""
    files = {"apps/web/Dockerfile": docker, "apps/web/index.html": "<html>"}
    found = guessed(tmp_path, {"apps/web": WEB}, **files)
    assert [(p.build, p.source) for p in found.packages] == [("build:bundle", "apps/web/Dockerfile runs it")]


def test_nothing_is_invented_beside_what_production_starts(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nCMD ["node", "apps/server/dist/main.js"]\n'
    scripts = {"build": "tsc", "start": "tsx src/main.ts", "queue": "tsx src/queueWorker.ts"}
    library = {"name": "kit", "scripts": {"start": "node dist/x.js"}, "main": "dist/index.js"}
    packages: dict[str, Mapping[str, object]] = {
        "apps/server": {**SERVER, "scripts": scripts, "dependencies": {"express": "5", "kit": "*"}},
        "packages/kit": library,
        "packages/site": {**WEB, "name": "site"},
        "packages/tool": {"name": "tool", "bin": "dist/cli.js", "private": True},
    }
    found = guessed(tmp_path, packages, **{"Dockerfile": docker, "packages/site/index.html": "<html>"})
    assert processes(found) == {"server": "node dist/main.js"}
    assert found.libraries == ("packages/kit",)
    assert [path for path, _ in found.left_out] == ["packages/site", "packages/tool"]
    seen = "apps/server/package.json: scripts.queue looks like a process, and nothing starts it in production: "
    assert f"{seen}tsx src/queueWorker.ts" in found.notes


def test_services_in_folders_called_docs_or_demo_count_where_compose_runs_them(tmp_path: Path) -> None:
    docker = 'FROM node:24\nCOPY . .\nCMD ["node", "dist/main.js"]\n'
    compose = "services:\n  demo: {build: apps/demo}\n"
    files = {"apps/demo/Dockerfile": docker, "docker-compose.yml": compose}
    found = guessed(tmp_path, {"apps/demo": {**SERVER, "name": "demo"}, "apps/api": API}, **files)
    assert processes(found)["demo"] == "node dist/main.js"


def test_what_production_has_and_bake_does_not_give_is_written_down(tmp_path: Path) -> None:
    docker = (
        "FROM node:24-slim\nRUN apt-get update && apt-get install -y curl ffmpeg libpq-dev\nWORKDIR /app\nCOPY . .\n"
    )
    docker += 'VOLUME /data\nCMD ["node", "apps/server/dist/main.js"]\n'
    text = render_config(guessed(tmp_path, {"apps/server": SERVER}, Dockerfile=docker))
    assert 'writable = ["/data"]\n' in text
    assert 'package = "apps/server"\nsystem = ["ffmpeg"]  # Dockerfile\n' in text
    assert (
        "# Production's image has libpq-dev (Dockerfile): where the process needs them, add what Debian calls" in text
    )
    assert "# Production keeps /data (Dockerfile): mount a volume there for what has to stay.\n" in text


def test_every_application_of_nest_and_nx_in_one_package_is_a_role(tmp_path: Path) -> None:
    nest = '{"monorepo": true, "projects": {"api": {"type": "application", "root": "apps/api", "entryFile": "main"},'
    nest += (
        '"mailer": {"type": "application", "root": "apps/mailer"}, "common": {"type": "library", "root": "libs/c"}}}'
    )
    files = {
        "nest-cli.json": nest,
        "apps/api/src/main.ts": "await app.listen(3000)",
        "apps/mailer/src/main.ts": "await app.listen(3001)",
    }
    top = {"name": "shop", "private": True, "scripts": {"build": "nest build --all", "start": "nest start"}}
    found = guessed(tmp_path / "nest", {}, top=top, **files)
    assert [(p.role, " ".join(p.words), p.port) for p in found.services[0].processes] == [
        ("api", "node dist/apps/api/main.js", 3000),
        ("mailer", "node dist/apps/mailer/main.js", 3001),
    ]
    project = '{"name": "jobs", "projectType": "application", "targets": {"serve": {"executor": "@nx/js:node"},'
    project += '"build": {"executor": "@nx/esbuild:esbuild", "options": {"outputPath": "dist/apps/jobs"}}}}'
    nx = guessed(tmp_path / "nx", {}, top={"name": "x", "private": True}, **{"apps/jobs/project.json": project})
    assert processes(nx) == {"app": "node dist/apps/jobs/main.js"}


def test_an_application_of_nx_that_a_dockerfile_starts_by_its_folder_is_one_role(tmp_path: Path) -> None:
    project = '{"name": "gate", "projectType": "application", "targets": {"serve": {"executor": "@nx/js:node"},'
    project += '"build": {"executor": "@nx/esbuild:esbuild", "options": {"outputPath": "dist/apps/gate"}}}}'
    docker = 'FROM node:22-slim\nWORKDIR /app\nCOPY dist/apps/gate gate/\nEXPOSE 3333\nCMD ["node", "gate"]\n'
    top = {"name": "x", "private": True, "scripts": {"build": "nx run-many -t build"}}
    files = {"nx.json": "{}", "apps/gate/project.json": project, "apps/gate/Dockerfile": docker}
    found = guessed(tmp_path, {}, top=top, **files)
    assert processes(found) == {"app": "node dist/apps/gate/main.js"}
    assert (found.services[0].processes[0].port, found.packages) == (3333, ())


def test_pnpm_takes_two_packages_of_one_name_and_exclusions_in_any_order(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"apps/web": {"name": "web"}, "sites/web": {"name": "web"}, "apps/old": {"name": "old"}})
    (root / "package-lock.json").unlink()
    (root / "pnpm-workspace.yaml").write_text("packages: ['!apps/old', 'apps/*', 'sites/*']\n")
    (root / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'\nimporters: {.: {}, apps/web: {}, sites/web: {}}\n")
    found = load_workspace(root)
    assert [p.path for p in found.packages] == ["apps/web", "sites/web"]
    assert load_facts(found).name == "shop"


def test_what_is_proposed_is_a_bake_toml(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nCMD node apps/server/dist/main.js --port $PORT\n"
    found = toml(guessed(tmp_path, {"apps/server": SERVER}, Dockerfile=docker))
    assert found["services"] == {
        "server": {
            "package": "apps/server",
            "directory": ".",
            "command": ["sh", "-c", "exec node apps/server/dist/main.js --port $PORT"],
        }
    }


def test_what_bake_toml_cannot_say_is_not_proposed(tmp_path: Path) -> None:
    docker = """\
FROM nginx
RUN apt-get install -y foo- 'a b' git
COPY --from=build /app/apps/web/dist /usr/share/nginx/html
COPY apps/web/default.conf /etc/nginx/conf.d/
"""
    docker = "FROM node:24 AS build\nWORKDIR /app\nCOPY . .\nRUN npm run build -w web\n" + docker
    nginx = """\
upstream back { server unix:/tmp/x; }
location /socket/ { proxy_pass http://unix:/tmp/x:/; }
location /back/ { proxy_pass http://back/; }
location /six/ { proxy_pass http://[::1]:80/; }
location /ask/ { proxy_pass http://x/?a=b; }
location /good/ { proxy_pass http://x:80/v~1/; }
"""
    compose = """\
services:
  server: {build: ., environment: {spring.profile: x, "a b": y, "1": z, MODE: fast}}
  py: {build: {context: py, target: "0"}}
  "!!": {build: {context: py, target: one}}
"""
    files = {
        "Dockerfile": 'FROM node:24\nCOPY . /app\nENV my.var=1\nCMD ["node", "/app/apps/server/dist/main.js"]\n',
        "apps/web/Dockerfile": docker,
        "apps/web/default.conf": nginx,
        "apps/web/index.html": "",
        "compose.yaml": compose,
        "py/Dockerfile": "FROM python AS one\n",
    }
    text = render_config(guessed(tmp_path, {"apps/server": SERVER, "apps/web": WEB}, **files))
    config = parse_config(text)
    assert dict(config.services["server"].env) == {"MODE": "fast"}
    assert dict(config.services["web"].proxy) == {"/good/": "http://x:80/v~1/"}
    assert {*config.services} == {"server", "web"}


_DOCKER = 'FROM node:24\nWORKDIR /app/apps/server\nCOPY . /app\nENV MODE=image\nCMD ["node", "dist/main.js"]\n'
_COMPOSE = """\
services:
  api:
    build: .
    env_file: .env.api
    environment: {MODE: fast, EVERY: 5, DATABASE_URL: "postgres://db/x", REDIS_HOST: redis, QUEUE_AT: "redis:6379"}
  worker:
    build: .
    command: node dist/worker.js
    environment: ["EVERY=${EVERY:-60}", "JWT_SECRET=x", "LOG=info", "GIVEN", "SITE_URL=${SITE_URL}"]
  redis:
    image: redis
"""
_POD = """\
kind: Deployment
metadata: {name: server}
spec:
  template:
    spec:
      containers:
        - image: server
          command: [node, dist/main.js]
          env: [{name: EVERY, value: "7"}, {name: KEY, valueFrom: {secretKeyRef: {name: a, key: b}}}]
"""
_PM2 = "module.exports = { apps: [{ name: 'api', cwd: 'apps/server', script: 'dist/main.js', env: { A: 'x', N: 3 },"
_PM2 += " 'env_production': { A: 'y', API_KEY: 'k' } }, { name: 'two', cwd: 'apps/server', script: 'dist/two.js' }] }"
_PROGRAM = '[program:api]\ncommand=node dist/main.js\ndirectory=/app/apps/server\nenvironment=A="x",API_TOKEN="t"\n'


@pytest.mark.parametrize(
    ("files", "env", "unset"),
    [
        (
            {"Dockerfile": _DOCKER, "docker-compose.yml": _COMPOSE},
            {"server-api": {"MODE": "fast", "EVERY": "5"},
             "server-worker": {"MODE": "image", "EVERY": "60", "LOG": "info"}},
            {"server-api": "DATABASE_URL, REDIS_HOST, QUEUE_AT, those of .env.api",
             "server-worker": "JWT_SECRET, SITE_URL, GIVEN"},
        ),
        ({"Dockerfile": _DOCKER, "k8s/a.yaml": _POD}, {"server": {"MODE": "image", "EVERY": "7"}},
         {"server": "KEY"}),
        ({"ecosystem.config.js": _PM2}, {"server-api": {"A": "y", "N": "3"}, "server-two": {}},
         {"server-api": "API_KEY"}),
        ({"Dockerfile": _DOCKER.replace("node", "supervisord"), "supervisord.conf": _PROGRAM}, {"server": {"A": "x"}},
         {"server": "API_TOKEN"}),
    ],
)  # fmt: skip
def test_variables_that_production_sets_are_each_process_s_own(
    tmp_path: Path, files: Mapping[str, str], env: Mapping[str, Mapping[str, str]], unset: Mapping[str, str]
) -> None:
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    rows = {f"{s.name}-{p.role}".rstrip("-"): p for s in found.services for p in s.processes}
    assert {name: dict(p.env) for name, p in rows.items()} == env
    said = {name: [n for n in p.notes if n.startswith("Production sets")] for name, p in rows.items()}
    tail = ": they are for where it runs."
    assert said == {n: [f"Production sets {unset[n]}{tail}"] if n in unset else [] for n in rows}


_SRV = "COPY . /srv\nWORKDIR /srv"


@pytest.mark.parametrize(
    ("start", "directory", "command"),
    [
        (f"{_SRV}\nCMD node apps/server/dist/main.js --x", ".", "node apps/server/dist/main.js --x"),
        (
            f"{_SRV}\nCMD node -r ./apps/server/src/main.ts /srv/apps/server/dist/main.js",
            ".",
            "node -r ./apps/server/src/main.ts apps/server/dist/main.js",
        ),
        (f"{_SRV}/apps\nCMD node server/dist/main.js", "apps", "node server/dist/main.js"),
        (f"{_SRV}/apps/server/dist\nCMD node main.js", "apps/server/dist", "node main.js"),
        (f"{_SRV}/apps/server\nCMD node dist/main.js", None, "node dist/main.js"),
        (f"{_SRV}\nCMD npm run begin -w server", None, "node dist/main.js"),
        (f"{_SRV}\nCMD cd apps/server && node dist/main.js", None, "node dist/main.js"),
        ("COPY apps/server/dist /srv/dist\nWORKDIR /srv\nCMD node dist/main.js", None, "node dist/main.js"),
        (
            "WORKDIR /a\nCOPY apps/server/dist server/\nCOPY apps/server/package.json server/\nCMD node server/main.js",
            None,
            "node dist/main.js",
        ),
    ],
)
def test_a_process_starts_in_the_folder_that_production_starts_it_in(
    tmp_path: Path, start: str, directory: str | None, command: str
) -> None:
    server = {**SERVER, "scripts": {"build": "tsc", "begin": "node dist/main.js"}}
    files = {"apps/server/Dockerfile": f"FROM node:24\n{start}\n", "apps/server/src/main.ts": "x"}
    found = toml(guessed(tmp_path, {"apps/server": server}, **files))
    own = {} if directory is None else {"directory": directory}
    assert found["services"] == {"server": {"package": "apps/server", "command": command, **own}}


@pytest.mark.parametrize(
    ("copies", "code", "links"),
    [
        ("COPY . /opt/shop", "readFileSync('/opt/shop/sql/a.sql')", {"/opt/shop": "."}),
        ("COPY apps/server /opt/shop", "join('/opt/shop', 'data')", {"/opt/shop": "apps/server"}),
        ("COPY apps/server /app", "read('/app/data/a.json')", {"/app/data": "apps/server/data"}),
        ("COPY . /app", "read('/app/sql/a.sql', '/etc/hosts', '/health')", {}),
        ("COPY apps/server/data /etc\nCOPY . /app", "read('/etc')", {}),
        ("COPY sql /srv/a/b\nCOPY . /srv/a", "read('/srv/a/apps', '/srv/a/b/a.sql')", {"/srv/a": "."}),
    ],
)
def test_absolute_places_that_code_knows_are_links(
    tmp_path: Path, copies: str, code: str, links: Mapping[str, str]
) -> None:
    home = copies.rsplit(maxsplit=1)[-1]
    main = "apps/server/dist/main.js" if " . " in copies else "dist/main.js"
    docker = f"FROM node:24\n{copies}\nWORKDIR {home}\nCMD node {main}\n"
    files = {"Dockerfile": docker, "apps/server/src/main.ts": code, "apps/server/data/a.json": "{}", "sql/a.sql": "x"}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert [s.links for s in found.services] == [links]
    toml(found)


def test_the_version_of_node_that_compose_gives_to_a_dockerfile_counts(tmp_path: Path) -> None:
    docker = 'ARG NODE_VERSION=20\nFROM node:${NODE_VERSION}-slim\nCOPY . .\nCMD ["node", "apps/server/dist/main.js"]\n'
    build = "{context: .., dockerfile: apps/server/Dockerfile, args: {NODE_VERSION: 22}}"
    files = {"apps/server/Dockerfile": docker, "docker/compose.yml": f"services:\n  server:\n    build: {build}\n"}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert (found.node, found.node_source) == (22, "apps/server/Dockerfile")


def test_a_process_that_production_gives_arguments_is_the_main_one(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nCMD ["npm", "start"]\n'
    compose = "services:\n  shop:\n    build: {context: ., dockerfile: apps/server/Dockerfile}\n"
    compose += '    working_dir: /app/apps/server\n    command: ["node", "dist/main.js", "--serve"]\n'
    files = {"apps/server/Dockerfile": docker, "docker-compose.yml": compose}
    found = guessed(tmp_path, {"apps/server": {**SERVER, "scripts": {"start": "node dist/main.js"}}}, **files)
    assert processes(found) == {"server": "node dist/main.js --serve"}


@pytest.mark.parametrize(
    ("build", "output"),
    [
        ("vite build --outDir ../server/public", "apps/server/public"),
        ("vite build --outDir=../server/public/ --emptyOutDir", "apps/server/public"),
        ("esbuild src/main.ts --bundle --outfile=../server/public/app.js", "apps/server/public/app.js"),
        ("vite build && cp -r dist ../server/public", "apps/server/public"),
        ("BUILD_PATH=../server/public react-scripts build", "apps/server/public"),
        ("vite build && cp -r dist ../server", ""),
        ("vite build && cp ../server/theme.css src", ""),
    ],
)
def test_a_build_that_is_told_to_write_into_its_servers_folder_is_in_its_image(
    tmp_path: Path, build: str, output: str
) -> None:
    web = {**WEB, "scripts": {"build": build}}
    found = guessed(tmp_path, {"apps/web": web, "apps/server": SERVER}, **{"apps/web/index.html": "<html>"})
    rows = {p.path: (p.serves, p.outputs) for p in found.packages}
    told = (rows.get("apps/server", ((), ()))[0], rows.get("apps/web", ((), ()))[1])
    assert told == ((("apps/web",), (output,)) if output else ((), ()))


@pytest.mark.parametrize("folder", ["'../server/public'", 'path.resolve(__dirname, "..", "server", "public")'])
def test_a_frontend_that_is_built_into_its_servers_folder_is_in_its_image(tmp_path: Path, folder: str) -> None:
    config = f"export default {{ build: {{ outDir: {folder}, emptyOutDir: true }} }};\n"
    files = {"apps/web/vite.config.ts": config, "apps/web/index.html": "<html>"}
    found = guessed(tmp_path, {"apps/web": WEB, "apps/server": SERVER}, **files)
    assert processes(found) == {"server": "tsx src/main.ts"}
    lines = render_config(found)
    assert '[packages."apps/server"]\nserves = ["apps/web"]  # it serves what they build\n' in lines
    assert '[packages."apps/web"]\noutputs = ["apps/server/public"]  # its build writes there\n' in lines


def test_a_build_for_a_process_that_starts_elsewhere_writes_there(tmp_path: Path) -> None:
    def outputs(folder: Path, start: str) -> tuple[str, ...]:
        server = {"name": "server", "scripts": {"build": "tsc", "start": start}}
        found = guessed(folder, {"apps/server": server}, **{"tools/run.js": "x", "apps/server/src/main.ts": "x"})
        return found.packages[0].outputs if found.packages else ()

    assert outputs(tmp_path / "a", "node ../../dist/apps/server/main.js") == ("dist/apps/server",)
    assert outputs(tmp_path / "b", "node ../../tools/run.js") == ()
    assert outputs(tmp_path / "c", "node ../../node_modules/x/cli.js") == ()
    assert outputs(tmp_path / "d", "node dist/main.js") == ()


def test_folders_of_the_repository_that_production_keeps_are_where_images_have_them(tmp_path: Path) -> None:
    docker = (
        "FROM node:24\nWORKDIR /opt/shop\nCOPY . .\nVOLUME /opt/shop/var /data\nRUN apt-get install -y tar gzip git\n"
    )
    docker += 'WORKDIR /opt/shop/apps/server\nENTRYPOINT ["node", "dist/main.js"]\n'
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server"}}, Dockerfile=docker).services
    (process,) = service.processes
    assert process.writable == ("/app/var", "/data")
    assert process.entrypoint
    assert process.system == ("git",)


@pytest.mark.parametrize(
    ("docker", "writable"),
    [
        ("COPY .nvmrc /var/x/\nCOPY apps /srv/apps\nWORKDIR /srv\nVOLUME /var/x/data\n", ("/var/x/data",)),
        ("COPY conf /\nCOPY . /srv\nWORKDIR /srv\nVOLUME /data\n", ("/data",)),
    ],
)
def test_folders_that_are_not_the_repositorys_stay_where_they_are(
    tmp_path: Path, docker: str, writable: tuple[str, ...]
) -> None:
    files = {"Dockerfile": f"FROM node:24\n{docker}CMD node apps/server/dist/main.js\n", ".nvmrc": "24", "conf/a": "x"}
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server"}}, **files).services
    assert service.processes[0].writable == writable


def test_what_is_flattened_or_standalone_starts_in_its_package(tmp_path: Path) -> None:
    flat = "FROM node:24\nWORKDIR /app/apps/server\nCOPY apps/server/dist/main.js main.js\nCMD node main.js\n"
    web = 'FROM node:24\nWORKDIR /srv\nCOPY apps/web/.next/standalone ./\nCMD ["node", "apps/web/server.js"]\n'
    packages: dict[str, Mapping[str, object]] = {
        "apps/server": {"name": "server"},
        "apps/web": {"name": "web", "dependencies": {"next": "15"}},
    }
    found = guessed(tmp_path, packages, **{"apps/server/Dockerfile": flat, "apps/web/Dockerfile": web})
    assert {s.name: s.processes[0].directory for s in found.services} == {"server": None, "web": None}


_HELM = """\
{{- /* the server */ -}}
{{- if .Values.api.enabled }}
kind: Deployment
metadata:
  name: {{ include "shop.fullname" . }}-server
spec:
  template:
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.api.image }}:{{ .Chart.AppVersion }}"
          command:
            {{- toYaml .Values.api.command | nindent 12 }}
          ports:
            - {name: metrics, containerPort: 9464}
            - name: http
              containerPort: {{ .Values.api.port | default 3001 }}
          livenessProbe: {httpGet: {path: "{{ .Values.none }}", port: http}}
          readinessProbe: {httpGet: {path: /ready, port: http}}
{{- end }}
"""
_CRON = """\
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: x, image: x/jobs, command: [node, dist/nightly.js]}]}}}}
---
kind: Job
metadata: {name: fill}
spec: {template: {spec: {containers: [{name: x, image: x/jobs, command: [node, dist/fill.js]}]}}}
"""


def test_helm_s_values_schedules_and_static_sites_are_what_platforms_run(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nWORKDIR /app/{}\nCMD node {}\n"
    render = """\
services:
- {type: web, runtime: static, name: site, staticPublishPath: ./apps/web/dist}
- {type: cron, runtime: node, name: digest, schedule: "@daily", startCommand: node apps/jobs/dist/digest.js}
"""
    files = {
        "apps/server/Dockerfile": docker.format("apps/server", "dist/main.js"),
        "apps/jobs/Dockerfile": docker.format("apps/jobs", "dist/index.js"),
        "charts/shop/values.yaml": "api: {image: x/server, command: [node, dist/main.js, --all]}\n",
        "charts/shop/templates/api.yaml": _HELM,
        "k8s/cron.yaml": _CRON,
        "render.yaml": render,
        "apps/web/index.html": "",
        "apps/server/src/main.ts": "x",
        "fly.toml": '[deploy]\nrelease_command = "npm run fill -w jobs"\n',
    }
    jobs = {"name": "jobs", "scripts": {"build": "tsc"}}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/web": WEB, "apps/jobs": jobs}, **files)
    assert toml(found)["services"] == {
        "server": {"package": "apps/server", "command": "node dist/main.js --all", "port": 3001, "health": "/ready"},
        "web": {"package": "apps/web", "static": "dist"},
        "jobs": {"package": "apps/jobs", "roles": {
            "main": {"command": "node dist/index.js"},
            "nightly": {"command": "node dist/nightly.js", "schedule": "0 3 * * *"},
            "digest": {"command": "node apps/jobs/dist/digest.js", "directory": ".", "schedule": "@daily"},
        }},
    }  # fmt: skip
    told = [note.partition(" starts")[0] for note in found.notes]
    assert told == ["fly.toml: release_command", "k8s/cron.yaml: fill"]


_COMMON = "services: {base: {build: {context: ../.., dockerfile: apps/jobs/Dockerfile}, environment: {LOG: json}}}\n"
_ROLES = """\
#!/bin/bash
role=${ROLE:-server}
if [ "$role" = "jobs" ]; then
  export QUEUE=all
  exec node apps/jobs/dist/index.js
elif [[ $role == server ]]
then
  exec node apps/server/dist/main.js
else
  exit 1
fi
"""


def test_compose_files_extend_each_other_and_one_image_has_several_roles(tmp_path: Path) -> None:
    base = """\
services:
  server: {build: ., command: npm run dev, environment: [MODE=slow]}
  jobs: {build: ., environment: {ROLE: jobs}}
"""
    over = "services:\n  server: {command: [], environment: {MODE: fast}, ports: ['80:4000']}\n"
    extra = """\
services:
  mail: {extends: {file: ../common.yml, service: base}, command: node dist/mail.js}
  shell: {extends: mail, profiles: [debug], command: sh}
"""
    files = {
        "Dockerfile": 'FROM node:24\nWORKDIR /app\nCOPY . .\nEXPOSE 4000\nENTRYPOINT ["bash", "docker/roles.sh"]\n',
        "docker/roles.sh": _ROLES,
        "apps/jobs/Dockerfile": "FROM node:24\nWORKDIR /app/apps/jobs\nCOPY apps/jobs .\nCMD node dist/index.js\n",
        "docker-compose.yml": base,
        "docker-compose.prod.yml": over,
        "docker/common.yml": _COMMON.replace("../..", ".."),
        "docker/more/compose.yml": extra,
    }
    jobs = {"name": "jobs", "scripts": {"build": "tsc"}}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/jobs": jobs}, **files)
    assert toml(found)["services"] == {
        "server": {
            "package": "apps/server",
            "directory": ".",
            "command": "node apps/server/dist/main.js",
            "port": 4000,
            "env": {"MODE": "fast"},
        },
        "jobs": {
            "package": "apps/jobs",
            "roles": {
                "main": {
                    "directory": ".",
                    "command": "node apps/jobs/dist/index.js",
                    "env": {"ROLE": "jobs", "QUEUE": "all"},
                },
                "mail": {"command": "node dist/mail.js", "env": {"LOG": "json"}},
            },
        },
    }


def test_what_stands_around_processes_in_one_image_is_seen_through(tmp_path: Path) -> None:
    docker = """\
FROM node:24
RUN apt-get install -y ffmpeg nginx
WORKDIR /app
COPY . .
RUN npm run build -ws
COPY rootfs /
EXPOSE 80
ENTRYPOINT ["/init"]
"""
    pm2 = """\
const path = require('path')
module.exports = { apps: [
  { name: 'a', cwd: path.join(__dirname, 'apps/jobs'), script: 'dist/a.js', node_args: '--expose-gc', args: '-q x' },
  { name: 'b', cwd: `${__dirname}/apps/jobs`, script: './dist/b.js', node_args: ['-r', './c.js'] },
  { name: 'c', cwd: __dirname + '/apps/jobs', script: 'dist/c.js' },
] }
"""
    run = "rootfs/etc/s6-overlay/s6-rc.d/{}/run"
    files = {
        "Dockerfile": docker,
        run.format("api"): "#!/bin/sh\nexport PORT=8000\ncd /app/apps/server\nexec s6-setuidgid x node dist/main.js\n",
        run.format("front"): "#!/bin/sh\nexec nginx -g 'daemon off;'\n",
        "rootfs/etc/nginx/nginx.conf": "root /app/apps/web/dist; location /api/ { proxy_pass http://127.0.0.1:80; }\n",
        "apps/web/index.html": "",
        "ecosystem.config.cjs": pm2,
    }
    jobs = {"name": "jobs", "scripts": {"build": "tsc"}}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/jobs": jobs, "apps/web": WEB}, **files)
    assert processes(found) == {
        "server": "node dist/main.js",
        "jobs-a": "node --expose-gc dist/a.js -q x",
        "jobs-b": "node -r ./c.js dist/b.js",
        "jobs-c": "node dist/c.js",
        "web": "dist",
    }
    assert [s.processes[0].port for s in found.services if s.name == "server"] == [8000]
    assert [s.proxy for s in found.services if s.static] == [(("/api/", ""),)]
    assert "Dockerfile installs ffmpeg for all its processes; those that call them want `system`" in found.notes


def test_a_program_that_a_variable_tells_what_to_be_is_several_processes(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
RUN pnpm deploy --filter=server --prod /prod
FROM node:24
WORKDIR /app
COPY --from=build /prod ./
ENV DATABASE_URL=file:./data/db.sqlite STRIPE_KEY=__your_key__
RUN mkdir -p -m 700 ./data ./inbox && useradd x && mkdir /home/x
EXPOSE 1221
CMD ["pnpm", "start:migrated"]
"""
    fly = """\
[build]
dockerfile = "Dockerfile"
[processes]
web = "env PROCESS_MODE=web pnpm --silent start"
worker = "env PROCESS_MODE=worker pnpm --silent start"
[http_service]
processes = ["web"]
[checks.up]
path = "/up"
"""
    scripts = {"start": "node dist/main.js", "start:migrated": "pnpm migrate && pnpm start"}
    files = {"apps/server/fly.toml": fly, "apps/server/Dockerfile": docker}
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server", "scripts": scripts}}, **files).services
    web, worker = service.processes
    assert (web.role, web.words, web.port, web.health) == ("api", ("node", "dist/main.js"), 1221, "/up")
    assert (worker.role, worker.words) == ("worker", ("node", "dist/main.js"))
    database = {"DATABASE_URL": "file:./data/db.sqlite"}
    assert dict(web.env) == {**database, "PROCESS_MODE": "web"}
    assert dict(worker.env) == {**database, "PROCESS_MODE": "worker"}
    assert web.writable == ("/app/apps/server/data", "/app/apps/server/inbox")


def test_a_variable_that_is_the_same_everywhere_makes_no_further_process(tmp_path: Path) -> None:
    compose = """\
services:
  api: {build: {context: ., dockerfile: Dockerfile}, environment: {APP_MODE: production, SHOP_ROLE: x}}
  again: {build: {context: ., dockerfile: Dockerfile}, environment: {APP_MODE: staging}}
  mailer: {build: {context: ., dockerfile: Dockerfile}, environment: {SERVICE_ROLE: mailer}}
"""
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nCMD node apps/server/dist/main.js\n"
    files = {"Dockerfile": docker, "compose.yaml": compose}
    found = guessed(tmp_path, {"apps/server": {"name": "server"}}, **files)
    assert processes(found) == {"server": "node dist/main.js"}


def test_the_published_command_that_an_image_installs_is_the_packages_own(tmp_path: Path) -> None:
    docker = """\
FROM node:24-alpine
ARG version=latest
RUN npm install -g @acme/fakes@$version
EXPOSE 3000
ENTRYPOINT ["acme-fakes", "start", "--quiet"]
"""
    bump = 'FROM archlinux\nRUN pacman -S git\nCOPY bump /usr/local/bin/\nENTRYPOINT ["/usr/local/bin/bump"]\n'
    packages: dict[str, Mapping[str, object]] = {
        "packages/fakes": {"name": "@acme/fakes", "bin": {"acme-fakes": "./bin/run.js"}},
        "packages/app": {"name": "app", "devDependencies": {"electron": "40"}},
    }
    files = {"packages/fakes/docker/Dockerfile": docker, "packages/app/scripts/Dockerfile": bump}
    found = guessed(tmp_path, packages, **files, **{"packages/app/scripts/bump": "#!/bin/bash\n"})
    assert processes(found) == {"fakes": "node bin/run.js start --quiet"}
    assert found.services[0].processes[0].port == 3000
    assert found.left_out == (("packages/app", "a desktop app"),)


@pytest.mark.parametrize(
    "docker",
    [
        "FROM node:24 AS build\nRUN npm i -g fakes\nFROM node:24\nCOPY --from=build /usr/local /usr/local\n",
        "FROM node:24\nWORKDIR /x\nCOPY . .\nRUN npm ci && npm pack && npm i --global fakes.tgz\nWORKDIR /y\n",
        "FROM node:24\nWORKDIR /x\nCOPY . .\nRUN npm i -g ./packages/fakes\nWORKDIR /y\n",
    ],
)
def test_a_command_that_an_image_installs_of_what_it_packs_is_the_members(tmp_path: Path, docker: str) -> None:
    packages: dict[str, Mapping[str, object]] = {
        "packages/fakes": {"name": "fakes", "bin": {"fakes": "./bin/run.js"}},
        "packages/other": {"name": "other", "bin": {"other": "./run.js"}},
    }
    found = guessed(tmp_path, packages, Dockerfile=f'{docker}ENTRYPOINT ["fakes", "start"]\n')
    assert processes(found) == {"fakes": "node bin/run.js start"}


def test_a_site_with_a_lockfile_of_its_own_is_none_of_the_workspaces(tmp_path: Path) -> None:
    docker = "FROM node:24 AS build\nWORKDIR /app\nCOPY package.json list ./\nCOPY src ./src\nRUN yarn build\n"
    docker += "FROM nginx\nCOPY --from=build /app/dist/site/ /usr/share/nginx/html/\n"
    files: dict[str, object] = {"site/Dockerfile": docker, "site/package.json": "{}", "site/yarn.lock": ""}
    files |= {"site/list": "", "site/src/main.ts": ""}
    found = guessed(tmp_path, {"apps/server": SERVER}, **files)
    assert processes(found) == {"server": "tsx src/main.ts"}
    assert found.notes == (
        "site/Dockerfile starts something that is not used here: site/dist/site is of a package that is none of the "
        "workspace's",
    )


def test_what_a_script_waits_for_beside_a_file_server_is_the_process(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nWORKDIR /app/apps/server\n"
    docker += 'ENTRYPOINT ["/app/apps/server/entry.sh"]\nCMD ["/app/apps/server/run.sh"]\n'
    files = {
        "Dockerfile": docker,
        "apps/server/entry.sh": '#!/bin/sh\nif [ -z "$SKIP" ]; then\n  npm run migrate\nfi\nexec "$@"\n',
        "apps/server/run.sh": '#!/bin/sh\nnode -r x dist/main.js &\nnginx -g "daemon off;" &\nwait -n\nexit $?\n',
    }
    (service,) = guessed(tmp_path, {"apps/server": SERVER}, **files).services
    (process,) = service.processes
    assert (process.words, process.before) == (("node", "-r", "x", "dist/main.js"), ("npm run migrate",))


def test_arguments_of_an_image_of_others_start_nothing_here(tmp_path: Path) -> None:
    compose = "services:\n  pay: {image: stripe/stripe-cli, command: listen --to x}\n"
    compose += "  shop: {image: acme/server, command: jobs}\n"
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["node", "apps/server/dist/main.js"]\n'
    files = {"compose.yml": compose, "apps/server/Dockerfile": docker}
    assert processes(guessed(tmp_path, {"apps/server": SERVER}, **files)) == {"server": "node dist/main.js jobs"}


def test_of_scripts_for_each_system_that_of_linux_is_meant(tmp_path: Path) -> None:
    scripts = {"start": "run-script-os", "start:windows": "node win.js", "start:nix": "node main.js"}
    scripts |= {"start-worker": "run-script-os", "start-worker:win32": "x", "start-worker:default": "node jobs.js"}
    files = {"apps/server/main.js": "", "apps/server/jobs.js": "", "apps/server/win.js": ""}
    found = guessed(tmp_path, {"apps/server": {"name": "server", "scripts": scripts}}, **files)
    assert processes(found) == {"server-main": "node main.js", "server-worker": "node jobs.js"}


def test_a_member_that_an_image_installs_and_pm2_starts_is_the_members_own(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /work
COPY . .
RUN npm ci && npm run build -ws && cd apps/server && npm pack && npm install -g $(ls *.tgz)
FROM node:24
WORKDIR /service
COPY --from=build /usr/local/lib/node_modules/@acme/server /usr/local/lib/node_modules/@acme/server
EXPOSE 4100
CMD ["sh", "-c", "npx prisma migrate deploy && node /usr/local/lib/node_modules/@acme/server/dist/core/index.js"]
"""
    copied = "FROM node:24\nWORKDIR /app\nCOPY . .\nENV TZ=UTC\nWORKDIR /app/apps/jobs\n"
    jobs = f'{copied}CMD ["pm2-runtime", "start", "dist/main.js"]\n'
    members = {"apps/server": {"name": "@acme/server"}, "apps/jobs": {"name": "jobs"}}
    found = guessed(tmp_path, members, **{"apps/server/Dockerfile": docker, "apps/jobs/Dockerfile": jobs})
    assert processes(found) == {"server": "node dist/core/index.js", "jobs": "node dist/main.js"}
    assert [(p.port, p.env) for s in found.services for p in s.processes] == [(None, (("TZ", "UTC"),)), (4100, ())]


def test_a_context_that_is_a_pruned_repository_is_the_repository(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS dev
WORKDIR /usr/src/app
COPY ./meta .
COPY ./pkg .
FROM node:24
WORKDIR /usr/src/app
COPY --from=dev /usr/src/app .
WORKDIR /usr/src/app/apps/server
CMD ["pm2-runtime", "start", "dist/main.js"]
"""
    (service,) = guessed(tmp_path, {"apps/server": SERVER}, **{"apps/server/Dockerfile": docker}).services
    assert [(p.words, p.directory) for p in service.processes] == [(("node", "dist/main.js"), None)]


def test_a_server_above_its_package_has_what_it_needs_at_its_own_place(tmp_path: Path) -> None:
    docker = """\
FROM node:24-slim AS builder
WORKDIR /service
COPY *.json yarn.lock .yarnrc.yml ./
COPY ./packages/api/*.json ./packages/api/
COPY ./packages/lib/ ./packages/lib
COPY ./packages/api/ ./packages/api
RUN npm run build -ws
FROM node:24-slim
WORKDIR /service
COPY --from=builder /service/*.json /service/yarn.lock ./
COPY --from=builder /service/packages/api/dist ./packages/api/dist
COPY --from=builder /service/packages/lib/dist ./packages/lib/dist
CMD ["yarn", "workspace", "api", "node", "./dist/start.js"]
"""
    cli = """\
FROM node:24-slim
WORKDIR /service
COPY ./packages/cli/scripts/admin.sh ./
COPY ./packages/cli ./packages/cli
ENTRYPOINT ["./admin.sh"]
"""
    compose = """\
services:
  api:
    build: { context: ., dockerfile: packages/api/Dockerfile }
    command: [node, "--max-old-space-size=${LIMIT:-824}", packages/api/dist/start.js, "$$HOME"]
  cli:
    build: { context: ., dockerfile: packages/cli/Dockerfile }
    entrypoint: []
    command: tail -f /dev/null
    volumes: ["./x:/service/packages/cli/src"]
"""
    files = {"packages/api/Dockerfile": docker, "packages/cli/Dockerfile": cli, "compose.yaml": compose}
    files |= {
        "packages/cli/scripts/admin.sh": "#!/bin/sh\n",
        "tools/ui/Dockerfile": 'FROM acme/ui\nCMD ["node", "server.js"]',
    }
    api = {"name": "api", "scripts": {"build": "tsc"}, "dependencies": {"lib": "1.0.0"}}
    members: dict[str, Mapping[str, object]] = {
        "packages/api": api,
        "packages/lib": {"name": "lib"},
        "packages/cli": {"name": "cli"},
    }
    found = guessed(tmp_path, members, **files)
    words = "node --max-old-space-size=824 dist/start.js $HOME"
    assert processes(found) == {"api": words, "cli": "./scripts/admin.sh"}
    assert [s.links for s in found.services] == [{}, {}]
    assert found.services[1].processes[0].writable == ("/app/packages/cli/src",)


def test_commands_of_packages_are_known_by_their_files(tmp_path: Path) -> None:
    docker = """\
FROM node:24
WORKDIR /app
COPY . .
CMD ["node", "node_modules/pm2/bin/pm2-runtime", "start", "ecosystem.config.js"]
"""
    pm2 = """\
module.exports = { apps: [
  { name: 'web', script: 'node_modules/next/dist/bin/next', args: 'start', cwd: './apps/web' },
  { name: 'api', script: 'dist/main.js', cwd: './apps/server', ...(process.env.X && { node_args: '-r x' }) },
  ...(process.env.IDLE ? [{ name: 'idle', script: './apps/server/idle.js' }] : []),
] };
"""
    web = {"name": "web", "scripts": {"build": "next build"}, "dependencies": {"next": "16"}}
    members: dict[str, Mapping[str, object]] = {"apps/server": {"name": "server"}, "apps/web": web}
    found = guessed(tmp_path, members, **{"Dockerfile": docker, "ecosystem.config.js": pm2})
    assert processes(found) == {"server": "node dist/main.js", "web": "next start"}
    assert found.monolith == "Dockerfile"


def test_what_the_root_does_behind_its_packages_builds_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "package.json"
    members = {"apps/server": SERVER}
    guessed(tmp_path, members)
    scripts = {"build": "lerna run build", "postbuild": "node copy-views.js"}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "scripts": scripts}), "utf-8")
    notes = guess(load_facts(load_workspace(tmp_path))).notes
    assert notes == ("the root's `postbuild` script does not run in images: node copy-views.js",)


def test_what_create_react_app_builds_with_options_is_served(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nWORKDIR /app/apps/web\nCMD ["npm", "run", "start:static"]\n'
    scripts = {
        "build": "react-app-rewired --max_old_space_size=4096 build",
        "start:static": "http-server build -p 4200",
    }
    web = {"name": "web", "scripts": scripts, "devDependencies": {"react-app-rewired": "2"}}
    assert processes(guessed(tmp_path, {"apps/web": web}, **{"apps/web/Dockerfile": docker})) == {"web": "build"}


def test_a_tool_has_no_port_of_a_server_that_another_script_starts(tmp_path: Path) -> None:
    scripts = {"build": "tsc && chmod +x dist/stdio.js", "start": "tsx src/dev_server.ts", "up": "node dist/up.js"}
    scripts |= {"dev": "node scripts/dev.js"}
    server = {"name": "server", "scripts": scripts, "dependencies": {"express": "5"}}
    begin = "FROM node:24\nRUN npm install -g pnpm\nWORKDIR /app\nCOPY . .\n"
    docker = f'{begin}ENTRYPOINT ["node", "apps/server/dist/stdio.js"]\n'
    files = {
        "apps/server/scripts/dev.js": "spawn('pnpm', ['build'])\n",
        "apps/server/Dockerfile": docker,
        "apps/server/old.Dockerfile": docker.replace("stdio", "http-server"),
        "apps/server/src/stdio.ts": "import './up.js'\n",
        "apps/server/src/up.ts": "",
        "apps/server/src/dev_server.ts": "app.listen(process.env.PORT || 3001)\n",
    }
    (service,) = guessed(tmp_path, {"apps/server": server}, **files).services
    assert [(" ".join(p.words), p.port) for p in service.processes] == [
        ("node dist/stdio.js", None),
        ("node dist/http-server.js", None),
    ]
    stale = "Nothing here is compiled into dist/http-server.js: is apps/server/old.Dockerfile still in use?"
    assert [p.notes for p in service.processes] == [(), (stale,)]


def test_one_program_of_pm2_makes_no_image_of_several(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /app\nCOPY . .\nCMD ["pm2-runtime", "apps/server/dist/main.js"]\n'
    found = guessed(tmp_path, {"apps/server": SERVER}, Dockerfile=docker)
    assert (processes(found), found.monolith) == ({"server": "node dist/main.js"}, "")


def test_files_that_a_dockerfile_itself_has_in_a_package_are_told_of(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /repo
COPY . .
COPY docker/entrypoint.sh ./entrypoint.sh
RUN npm ci && npm run build -ws && cp -R node_modules kept_node_modules
RUN curl -sf https://shop.example/sdk.js -o apps/server/public/sdk.js
WORKDIR /repo/apps/server
RUN cp src/.env.production dist/.env.production && cp -r src/mails dist/ && cp dist/main.js dist/index.js
RUN npm prune --omit=dev
FROM node:24
WORKDIR /repo
COPY --from=build /repo .
COPY settings.json.docker settings.json
COPY ops/nginx.conf /etc/nginx/nginx.conf
WORKDIR /repo/apps/server
CMD ["node", "dist/main.js"]
"""
    files = ("src/.env.production", "src/mails/hello.html")
    texts = {f"apps/server/{file}": "" for file in files} | {"settings.json.docker": "", "ops/nginx.conf": ""}
    members = {"apps/server": SERVER, "apps/web": WEB}
    found = guessed(tmp_path, members, **{"apps/server/Dockerfile": docker, "docker/entrypoint.sh": "", **texts})
    (process,) = found.services[0].processes
    assert process.notes == (
        "apps/server/Dockerfile itself makes apps/server/dist/.env.production from apps/server/src/.env.production, "
        "apps/server/dist/mails from apps/server/src/mails, "
        "apps/server/public/sdk.js from https://shop.example/sdk.js: "
        "where no script does that too, let the build do it, or commit it.",
    )


def test_a_command_of_npm_that_production_installs_and_code_starts_is_told_of(tmp_path: Path) -> None:
    docker = "FROM node:24 AS base\nRUN npm i -g pnpm@9 && corepack enable yarn\n"
    docker += "FROM base\nWORKDIR /app\nCOPY . .\nCMD node apps/server/dist/main.js\n"
    code = "export const all = ['pnpm', 'yarn']; const out = await runCmd(['pnpm', '--version']);"
    files = {"Dockerfile": docker, "apps/server/static/js/plugins.ts": code}
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server"}}, **files).services
    assert service.processes[0].notes == (
        "apps/server/static/js/plugins.ts starts pnpm, which production's image has (Dockerfile): give it a base of "
        'its own, `base = "tools"`, with `[bases.tools]` and `dockerfile = "..."`, a file of two lines: FROM the '
        "runtime image above, RUN npm install -g pnpm.",
    )


def test_a_port_of_a_mode_that_production_does_not_start_is_none(tmp_path: Path) -> None:
    choice = """\
const mode = process.argv[2] || "stdio";
switch (mode) {
  case "stdio": await import("./stdio.js"); break;
  case "sse": await import("./sse.js"); break;
}
"""
    files = {
        "Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\nCMD node apps/mcp/dist/index.js\n",
        "apps/mcp/src/index.ts": choice,
        "apps/mcp/src/sse.ts": "app.listen(process.env.PORT || 3001)",
    }
    packages: dict[str, Mapping[str, object]] = {"apps/mcp": {"name": "mcp", "dependencies": {"express": "5"}}}
    (service,) = guessed(tmp_path, packages, **files).services
    assert (service.processes[0].port, service.unknown) == (None, ())
    files["Dockerfile"] = files["Dockerfile"].replace("index.js", "index.js sse")
    (service,) = guessed(tmp_path, packages, **files).services
    assert service.processes[0].port == 3001


def test_a_server_listens_at_the_port_of_its_own_address(tmp_path: Path) -> None:
    packages: dict[str, Mapping[str, object]] = {
        "apps/worker": {
            "name": "worker",
            "scripts": {"start": "node dist/index.js"},
            "dependencies": {"settings": "*"},
        },
        "packages/settings": {"name": "settings"},
    }
    files = {
        "apps/worker/src/api.ts": "const at = new URL(env.WORKER_URL);\napp.listen(Number(at.port) || 80)",
        "packages/settings/src/env.ts": 'WORKER_URL: z.url().default("http://localhost:3060"), OTHER: "http://x:1"',
    }
    (service,) = guessed(tmp_path, packages, **files).services
    process = service.processes[0]
    assert (process.port, process.port_source) == (3060, "packages/settings/src/env.ts")


def test_what_scripts_make_is_neither_a_process_nor_served(tmp_path: Path) -> None:
    schema = "ts-json-schema-generator --path src/*.ts --type JobsOptions --out ./src/jobs.json"
    packages: dict[str, Mapping[str, object]] = {
        "apps/server": {"name": "server", "scripts": {"start": "node dist/main.js", "gen:schema": schema}},
        "docs": {"name": "docs", "scripts": {"build": "nuxt build"}},
    }
    files = {
        "apps/server/src/main.ts": "import type { T } from '../../../docs/types'; make('../../../docs/status.json')",
        "docs/types.ts": "export type T = 1",
    }
    found = guessed(tmp_path, packages, **files)
    assert processes(found) == {"server": "node dist/main.js"}
    assert not any(package.serves for package in found.packages)


def test_modules_of_another_package_are_imported_and_not_served(tmp_path: Path) -> None:
    packages: dict[str, Mapping[str, object]] = {
        "api": {"name": "api", "scripts": {"build": "tsc", "start": "node dist/index.js"}},
        "shared": {"name": "shared", "main": "dist/index.js", "scripts": {"build": "tsc"}},
    }
    source = "const shared = require('../../shared/dist/index.js');\nimport { x } from \"../../shared/dist/x.js\";\n"
    found = guessed(tmp_path, packages, **{"api/src/index.ts": source})
    assert (found.libraries, [p.serves for p in found.packages if p.serves]) == (("shared",), [])


def test_folders_that_an_image_keeps_are_meant_by_its_variables_too(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /shop\nCOPY . .\nENV STORE=/shop/data/files\nVOLUME /shop/data\n"
    docker += "CMD node apps/server/dist/main.js\n"
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server"}}, Dockerfile=docker).services
    assert dict(service.processes[0].env) == {"STORE": "/app/data/files"}


def test_a_variable_that_production_and_next_both_set_stands_once(tmp_path: Path) -> None:
    docker = "FROM node:24\nWORKDIR /srv\nENV HOSTNAME=0.0.0.0\nCOPY apps/web/.next/standalone ./\n"
    docker += 'CMD ["node", "apps/web/server.js"]\n'
    config = 'export default { output: "standalone" }'
    packages: dict[str, Mapping[str, object]] = {"apps/web": {"name": "web", "dependencies": {"next": "15"}}}
    files = {"apps/web/Dockerfile": docker, "apps/web/next.config.mjs": config}
    assert 'env = { HOSTNAME = "0.0.0.0" }' in render_config(guessed(tmp_path, packages, **files))


_TASK = """\
{"containerDefinitions": [
  {"name": "api", "image": "x/shop", "command": ["server", "--all"], "portMappings": [{"containerPort": 4000}],
   "healthCheck": {"command": ["CMD-SHELL", "curl localhost:4000/up"]}, "environment": [{"name": "LOG", "value": "x"}]},
  {"name": "jobs", "image": "x/shop", "entryPoint": ["node"], "command": ["apps/jobs/dist/index.js"]}]}
"""
_BAKE = """\
target "_all" {
  context = "."
  dockerfile = "ops/Dockerfile"
}
target "server" {
  inherits = ["_all"]
  args = { APP = "server", FILE = "dist/main.js" }
}
target "jobs" {
  inherits = ["_all"]
  args = {
    APP = "jobs" # not the server
    FILE = "dist/index.js"
  }
}
"""
_CASE = '#!/bin/sh\ncase "$1" in\n server) shift; exec node apps/server/dist/main.js "$@" ;;\nesac\nexec "$@"\n'
_TARGETS = (
    "FROM node:24 AS base\nWORKDIR /app\nCOPY . .\nFROM base AS one\nCMD node apps/server/dist/main.js\n"
    "FROM base AS two\nCMD node apps/jobs/dist/index.js\nFROM base AS test\nCMD npm test\n"
)


@pytest.mark.parametrize(
    ("files", "commands", "server"),
    [
        (
            {"heroku.yml": "build: {docker: {web: D1, worker: D2}}\nrun: {web: node dist/main.js --all}\n"
             "release: {command: [npm run fill]}\n",
             "D1": "FROM node:24\nWORKDIR /app/apps/server\nCOPY apps/server .\nCMD node dist/main.js\n"},
            {"server": "node dist/main.js --all", "jobs": "node dist/index.js"},
            (None, ""),
        ),
        (
            {".do/app.yaml": "services:\n- {name: server, run_command: npm start -w server -- --all, http_port: 4000,\n"
             "   health_check: {http_path: /up}}\n"
             "workers: [{name: jobs, source_dir: apps/jobs, run_command: npm start}]\n"
             "static_sites: [{name: web, source_dir: apps/web, output_dir: dist}]\n"},
            {"server": "node dist/main.js --all", "jobs": "node dist/index.js", "web": "dist"},
            (4000, "/up"),
        ),
        (
            {"ops/task-definition.json": _TASK, "entry.sh": _CASE,
             "Dockerfile": 'FROM node:24\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["./entry.sh"]\nCMD ["server"]\n'},
            {"server": "node dist/main.js --all", "jobs": "node dist/index.js"},
            (4000, "/up"),
        ),
        (
            {"docker-bake.hcl": _BAKE, "ops/Dockerfile":
             "FROM node:24\nARG APP\nARG FILE\nENV FILE=$FILE\nCOPY . /srv\nWORKDIR /srv/apps/$APP\nCMD node $FILE\n"},
            {"server": "sh -c exec node $FILE", "jobs": "sh -c exec node $FILE"},
            (None, ""),
        ),
        (
            {".gitlab-ci.yml": "x:\n  script: [docker build --target one -f ops/Dockerfile .]\n",
             "ops/Dockerfile": _TARGETS},
            {"server": "node dist/main.js", "jobs": "node dist/index.js"},
            (None, ""),
        ),
        (
            {"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\n", "compose.yaml":
             "services: {server: {build: ., command: npm run main}, jobs: {build: ., command: npm run jobs -- -x}}\n"},
            {"server": "node dist/main.js --all", "jobs": "node dist/index.js -x"},
            (None, ""),
        ),
    ],
)  # fmt: skip
def test_files_of_other_platforms_and_builders_say_what_starts(
    tmp_path: Path, files: Mapping[str, str], commands: Mapping[str, str], server: tuple[int | None, str]
) -> None:
    renamed = {name.replace("D1", "apps/server/Dockerfile"): text for name, text in files.items()}
    plain = {n: t.replace("D1", "apps/server/Dockerfile").replace("D2", "no/Dockerfile") for n, t in renamed.items()}
    jobs = {"name": "jobs", "scripts": {"build": "tsc", "start": "node dist/index.js"}}
    main = {**SERVER, "scripts": {"build": "tsc", "start": "node dist/main.js"}, "dependencies": {}}
    root = {"scripts": {"main": "node apps/server/dist/main.js --all", "jobs": "cd apps/jobs && node dist/index.js"}}
    manifests: Mapping[str, Mapping[str, object]] = {"apps/server": main, "apps/jobs": jobs, "apps/web": WEB}
    more: Mapping[str, object] = {**plain, "apps/web/index.html": "", "top": root}
    found = guessed(tmp_path, manifests, **more)
    assert processes(found) == commands
    (own,) = (s.processes[0] for s in found.services if s.name == "server")
    assert (own.port, own.health) == server
    toml(found)


def test_what_code_calls_of_the_usual_packages_is_in_its_image(tmp_path: Path) -> None:
    docker = "FROM node:24\nRUN apt-get install -y python3 make curl git\nWORKDIR /app/apps/server\nCOPY . /app\n"
    files = {"Dockerfile": f"{docker}CMD node dist/main.js\n", "apps/server/src/main.ts": "spawn('python3', ['x.py'])"}
    assert toml(guessed(tmp_path, {"apps/server": SERVER}, **files))["services"] == {
        "server": {"package": "apps/server", "system": ["python3", "git"], "command": "node dist/main.js"}
    }


def test_a_tool_that_an_image_starts_without_arguments_takes_them(tmp_path: Path) -> None:
    docker = (
        'FROM node:24\nWORKDIR /app/apps/mock\nCOPY apps/mock .\nEXPOSE 4010\nENTRYPOINT ["node", "dist/index.js"]\n'
    )
    tool = {"name": "tool", "bin": {"tool": "./dist/index.js"}, "dependencies": {"yargs": "17", "fastify": "5"}}
    packages: dict[str, Mapping[str, object]] = {
        "apps/tool": tool,
        "apps/server": {"name": "server", "dependencies": {"fastify": "5"}},
    }
    files = {f"{path}/Dockerfile": docker.replace("apps/mock", path) for path in packages}
    found = guessed(tmp_path, packages, **files)
    lines = render_config(found)
    assert "[services.tool]" in lines
    assert (
        'entrypoint = "node dist/index.js"  # apps/tool/Dockerfile\n'
        'command = "--help"  # what it does without arguments\n'
        "# port = 4010  # apps/tool/Dockerfile: EXPOSE; once `command` gives it arguments\n"
    ) in lines
    assert 'command = "node dist/index.js"  # apps/server/Dockerfile\nport = 4010' in lines


_WORKS = "    build: {context: ., dockerfile: apps/jobs/Dockerfile}\n"


def test_what_only_waits_or_repeats_is_no_process_and_one_image_has_several_by_arguments(tmp_path: Path) -> None:
    compose = f"""\
services:
  server:
    build: .
    command: dockerize -wait tcp://db:1 -timeout 9s node apps/server/dist/main.js
  again:
    build: .
    entrypoint: /bin/sh
    command: -c 'while true; do node apps/server/dist/again.js; sleep 9; done'
  mail:
{_WORKS}    command: sh -c "sleep 9 && node dist/index.js mail"
    environment: {{QUEUE: mail}}
  export:
{_WORKS}    command: ./wait.sh db:1 -t 9 -- node dist/index.js export
"""
    caddy = ":80 {\nhandle_path /v1/* {\n reverse_proxy server:80\n}\nreverse_proxy /api/* {$API:http://server:81}\n}\n"
    web = "FROM node AS build\nWORKDIR /app\nCOPY . .\nRUN npm run build -w web\n"
    files = {
        "compose.yaml": compose,
        "Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\n",
        "apps/jobs/Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY apps/jobs .\nCMD node dist/index.js\n",
        "apps/jobs/wait.sh": '#!/bin/sh\nuntil nc -z $1; do sleep 1; done\nexec "$@"\n',
        "apps/web/Dockerfile": f"{web}FROM caddy\nCOPY Caddyfile /etc/caddy/\nCOPY --from=0 /app/apps/web/dist /srv\n",
        "apps/web/index.html": "",
        "Caddyfile": caddy,
    }
    jobs = {"name": "jobs", "scripts": {"build": "tsc", "start": "node dist/index.js"}}
    found = guessed(tmp_path, {"apps/server": SERVER, "apps/jobs": jobs, "apps/web": WEB}, **files)
    assert processes(found) == {
        "server": "node dist/main.js",
        "jobs-mail": "node dist/index.js mail",
        "jobs-export": "node dist/index.js export",
        "web": "dist",
    }
    (mail,) = (p for s in found.services for p in s.processes if p.role == "mail")
    assert dict(mail.env) == {"QUEUE": "mail"}
    assert [s.proxy for s in found.services if s.static] == [
        (("/v1/", "http://server:80/"), ("/api/", "http://server:81"))
    ]
    assert [note.partition(" starts")[0] for note in found.notes] == ["compose.yaml: again"]


def test_copies_are_of_what_lies_in_the_context_whatever_their_paths_and_names(tmp_path: Path) -> None:
    build = "FROM node:24 AS build\nWORKDIR /app\nCOPY ../../apps/x runner ./x/\nCOPY ../../ .\n"
    site = 'FROM nginx\nENV TO=/usr/share/nginx/html\nCOPY --from=0 /app/apps/web/dist/ "$TO"\n'
    files: dict[str, object] = {
        "apps/web/Dockerfile": f"{build}RUN npm run build -w web\n{site}",
        "apps/server/Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY ../.. .\nCMD node apps/server/dist/main.js\n",
        "apps/tool/Dockerfile": 'FROM node:24\nWORKDIR /srv\nCOPY apps/tool/start package.json ./\nCMD ["./start"]\n',
        "apps/tool/start": "#!/bin/sh\nexec node main.js\n",
        "apps/tool/main.js": "",
        "apps/web/index.html": "",
        "runner": "",
    }
    packages: dict[str, Mapping[str, object]] = {"apps/web": WEB, "apps/server": SERVER, "apps/tool": {"name": "tool"}}
    assert processes(guessed(tmp_path, packages, **files)) == {
        "web": "dist",
        "server": "node dist/main.js",
        "tool": "./start",
    }


@pytest.mark.parametrize(
    ("file", "volumes"), [("compose.yml", "[./apps/server/src:/app/src]"), ("compose.tst.yml", "[]")]
)
def test_a_service_with_sources_mounted_or_of_tests_is_no_production(tmp_path: Path, file: str, volumes: str) -> None:
    service = (
        f"{{build: {{context: ., dockerfile: apps/server/Dockerfile}}, command: [node, x.js], volumes: {volumes}}}"
    )
    docker = "FROM node:24\nWORKDIR /app\nCOPY apps/server .\nCMD node dist/main.js\n"
    files = {file: f"services:\n  server: {service}\n", "apps/server/Dockerfile": docker, "apps/server/x.js": ""}
    files |= {"test/fake/Dockerfile": "FROM node:24\nCOPY . .\nCMD node x.js\n", "test/fake/x.js": ""}
    assert processes(guessed(tmp_path, {"apps/server": SERVER}, **files)) == {"server": "node dist/main.js"}


def test_a_service_with_the_workspace_mounted_is_for_development(tmp_path: Path) -> None:
    compose = """\
services:
  server:
    build: {context: ., dockerfile: Dockerfile.work}
    command: sh -c "./setup.sh && yarn && yarn start"
    environment: {LEVEL: debug}
    volumes: [".:/work", "modules:/work/node_modules"]
"""
    docker = (
        "FROM node:24\nARG TARGET=server\nWORKDIR /app\nCOPY . .\nENV TARGET=$TARGET\nENTRYPOINT yarn $TARGET start\n"
    )
    server = {"name": "@shop/server", "scripts": {"start": "node dist/index.js"}}
    worker = {"name": "@shop/worker", "scripts": {"start": "node dist/jobs.js"}}
    scripts = {
        "start": "node scripts/start.js",
        "server": "yarn workspace @shop/server",
        "worker": "yarn workspace @shop/worker",
    }
    files: dict[str, object] = {
        "docker-compose.yml": compose,
        "Dockerfile.work": "FROM node:24\nCMD sleep infinity\n",
        "Dockerfile": docker,
        "Procfile": "web: yarn server start\nworker: yarn worker start\n",
        "top": {"scripts": scripts},
        "scripts/start.js": "",
    }
    helpers = {"name": "helpers", "scripts": {"start": "docker-compose up"}}
    found = guessed(tmp_path, {"server": server, "worker": worker, "docker": helpers}, **files)
    assert processes(found) == {"server": "node dist/index.js", "worker": "node dist/jobs.js"}
    (process,) = found.services[0].processes
    assert (process.writable, dict(process.env)) == ((), {"TARGET": "server"})


def test_what_concurrently_starts_is_several_processes(tmp_path: Path) -> None:
    docker = """\
FROM node:24
WORKDIR /data
COPY . .
RUN mkdir -p apps/web/.next/cache
EXPOSE 3000
HEALTHCHECK CMD curl -f http://127.0.0.1:3000/up
CMD prisma migrate deploy && exec concurrently -k -n web,worker \\
  "cd /data/apps/web && exec next start" "cd /data/apps/worker && exec tsx worker.ts"
"""
    packages: dict[str, Mapping[str, object]] = {
        "apps/web": {"name": "web", "dependencies": {"next": "15"}},
        "apps/worker": {"name": "worker", "scripts": {"start": "tsx index.ts"}, "dependencies": {"tsx": "4"}},
    }
    files: dict[str, object] = {"Dockerfile": docker, "apps/worker/worker.ts": "", "apps/worker/index.ts": ""}
    files["lock"] = {"node_modules/next": {"version": "15.0.0", "bin": {"next": "dist/bin/next"}}}
    found = guessed(tmp_path, packages, **files)
    assert processes(found) == {"web": "next start", "worker": "tsx worker.ts"}
    web, worker = (service.processes[0] for service in found.services)
    assert (web.port, web.health, worker.port, worker.writable) == (3000, "/up", None, ("/tmp",))


@pytest.mark.parametrize(
    ("scripts", "found", "before"),
    [
        ({"start": "concurrently -k 'npm:serve' 'node side.js'", "serve": "node main.js"}, ["main", "side"], ()),
        ({"start": "run-p start:*", "start:main": "node main.js", "start:side": "node side.js"}, ["main", "side"], ()),
        ({"start": "concurrently 'tsc -w' 'node main.js'"}, ["main"], ()),
        ({"start": "run-s check go", "check": "node check.js", "go": "node main.js"}, ["main"], ("npm run check",)),
        ({"start": "npm-run-all -s check go", "go": "node main.js", "check": ""}, ["main"], ("npm run check",)),
        ({"prestart": "npm run build && node wait.js", "start": "node main.js"}, ["main"], ("node wait.js",)),
    ],
)
def test_what_a_start_script_does_beside_and_before_its_process_is_told(
    tmp_path: Path, scripts: Mapping[str, str], found: list[str], before: tuple[str, ...]
) -> None:
    package = {"name": "server", "scripts": scripts}
    (service,) = guessed(tmp_path, {"apps/server": package}, **{f"apps/server/{n}.js": "" for n in found}).services
    assert sorted(p.words[-1] for p in service.processes) == [f"{name}.js" for name in found]
    assert service.processes[0].before == before


def test_a_health_check_tells_the_port_that_its_image_leaves_open(tmp_path: Path) -> None:
    docker = """\
FROM node:24
ARG PORT
WORKDIR /app
COPY . .
EXPOSE ${PORT}
HEALTHCHECK CMD node -e "require('http').get('http://localhost:'+(process.env.PORT||8000)+'/up', end)"
CMD ["node", "apps/server/dist/main.js"]
"""
    (service,) = guessed(tmp_path, {"apps/server": {"name": "server"}}, Dockerfile=docker).services
    assert (service.processes[0].port, service.processes[0].health) == (8000, "/up")


@pytest.mark.parametrize(
    ("files", "commands", "rest"),
    [
        (
            {"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\nCMD npm run all\n"},
            {"server": "node dist/main.js", "jobs": "node dist/index.js -x"},
            (None, "", ""),
        ),
        (
            {"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\nCMD npm run both\n"},
            {"server": "node dist/main.js", "jobs": "node dist/index.js -x"},
            (None, "", ""),
        ),
        (
            {"Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY . .\nCOPY ops/crontab /etc/cron.d/app\nCMD cron -f\n",
             "ops/crontab": "# each night\n0 3 * * * root node /app/apps/server/dist/night.js >> /x.log 2>&1\n"},
            {"server-api": "node dist/main.js", "server-night": "node dist/night.js", "jobs": "node dist/index.js"},
            (4100, "", "0 3 * * *"),
        ),
        (
            {"ops/stack.yml": "services: {server: {image: x/server, command: node dist/main.js -a, ports: ['80:9']}}\n",
             "apps/server/Dockerfile": "FROM node:24\nWORKDIR /app\nCOPY apps/server .\nCMD node dist/main.js\n"},
            {"server": "node dist/main.js -a", "jobs": "node dist/index.js"},
            (9, "", ""),
        ),
        ({}, {"server": "node --env-file=.env.x dist/main.js", "jobs": "node dist/index.js"}, (4100, "", "")),
    ],
)  # fmt: skip
def test_processes_beside_each_other_at_times_and_with_files_of_variables(
    tmp_path: Path, files: Mapping[str, str], commands: Mapping[str, str], rest: tuple[int | None, str, str]
) -> None:
    start = "node dist/main.js" if files else "node --env-file=.env.x dist/main.js"
    server = {
        "name": "server",
        "scripts": {"start": start},
        "dependencies": {"dotenv": "1"} if "ops/crontab" in files else {},
    }
    jobs = {"name": "jobs", "scripts": {"start": "node dist/index.js"}}
    root = {"all": 'concurrently -k "npm:start:*"', "start:server": "npm start -w server"}
    root |= {"start:jobs": "npm start -w jobs -- -x", "both": "run-p start:*"}
    variables = {"apps/server/.env": "PORT=4100\n", "apps/server/.env.x": "A=1\nPORT='4100'\n"}
    more: Mapping[str, object] = {**files, **variables, "top": {"scripts": root}}
    manifests: Mapping[str, Mapping[str, object]] = {"apps/server": server, "apps/jobs": jobs}
    found = guessed(tmp_path, manifests, **more)
    assert processes(found) == commands
    own = [p for s in found.services if s.name == "server" for p in s.processes]
    assert (own[0].port, own[0].health, own[-1].schedule) == rest


def test_the_port_of_a_config_map_is_that_of_its_process_and_the_rest_is_told(tmp_path: Path) -> None:
    manifest = """\
kind: Deployment
metadata: {name: server}
spec:
  template:
    spec:
      containers:
      - image: x/server
        command: [node, dist/main.js]
        envFrom: [{configMapRef: {name: own}}, {configMapRef: {name: made}}, {secretRef: {name: s}}]
        env: [{name: B, value: "2"}]
---
kind: ConfigMap
metadata: {name: own}
data: {PORT: "8080", B: "1", DATABASE_URL: "postgres://x"}
"""
    made = "configMapGenerator:\n- {name: made, literals: [C=3]}\n- {name: other, literals: [D=4]}\n"
    found = guessed(tmp_path, {"apps/server": SERVER}, **{"k8s/a.yaml": manifest, "k8s/kustomization.yaml": made})
    assert toml(found)["services"] == {
        "server": {
            "package": "apps/server",
            "command": "node dist/main.js",
            "port": 8080,
            "env": {"PORT": "8080", "B": "2"},
        }
    }
    assert found.services[0].processes[0].notes == (
        "Production sets those of the ConfigMap own, those of the ConfigMap made: they are for where it runs.",
    )


_CREATED = """\
kind: Deployment
metadata: {name: '{{ include "api.fullname" . }}'}
spec:
  template:
    spec:
      {{- with .Values.gone }}
      nodeSelector: {{ toYaml . }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          {{- with .Values.service }}
          ports: [{name: http, containerPort: {{ .port }}}]
          {{- end }}
          {{- with .Values.livenessProbe }}
          livenessProbe:
            {{- toYaml . | nindent 12 }}
          {{- end }}
"""


def test_a_chart_as_helm_makes_them_and_files_of_variables_tell_ports(tmp_path: Path) -> None:
    values = "image: {repository: x/server, tag: ''}\nservice: {port: 8088}\n"
    values += "livenessProbe: {httpGet: {path: /livez, port: http}}\n"
    docker = "FROM node:24\nWORKDIR /app\nCOPY . .\nWORKDIR /app/apps/{}\nCMD {}\n"
    built = "{context: .., dockerfile: apps/jobs/Dockerfile}"
    files = {
        "deploy/chart/Chart.yaml": "name: server\n",
        "deploy/chart/values.yaml": values,
        "deploy/chart/templates/deployment.yaml": _CREATED,
        "apps/server/Dockerfile": docker.format("server", "npm run start:prod"),
        "apps/jobs/Dockerfile": docker.format("jobs", "node dist/index.js"),
        "apps/web/Dockerfile": docker.format("web", "npx vite preview --port 4000"),
        "apps/web/index.html": "",
        "ops/compose.yml": f"services: {{jobs: {{build: {built}, env_file: jobs.env}}}}",
        "ops/jobs.env": "A=1\nPORT=4400\n",
    }
    scripts = {"prestart:prod": "npm run build && node dist/migrate.js", "start:prod": "node dist/main.js"}
    server = {"name": "server", "scripts": scripts}
    manifests: Mapping[str, Mapping[str, object]] = {
        "apps/server": server,
        "apps/jobs": {"name": "jobs"},
        "apps/web": WEB,
    }
    found = guessed(tmp_path, manifests, **files)
    assert toml(found)["services"] == {
        "server": {"package": "apps/server", "command": "node dist/main.js", "port": 8088, "health": "/livez"},
        "jobs": {"package": "apps/jobs", "command": "node dist/index.js", "port": 4400, "env": {"PORT": "4400"}},
        "web": {"package": "apps/web", "static": "dist"},
    }
    (own,) = (p for s in found.services if s.name == "server" for p in s.processes)
    assert own.before == ("node dist/migrate.js",)
