"""Which packages production starts, of those that could: small workspaces in the shapes of public ones."""

from collections.abc import Mapping
from pathlib import Path

from tests.tools.guess.test_init import guessed
from tests.tools.guess.test_production import processes

WEB: Mapping[str, object] = {
    "name": "@shop/web",
    "scripts": {"build": "vite build"},
    "devDependencies": {"vite": "7"},
    "private": True,
}
CORE: Mapping[str, object] = {
    "name": "core",
    "main": "build/index.js",
    "private": True,
    "scripts": {"start": "NODE_ENV=production node ."},
    "dependencies": {"koa": "3", "@shop/web": "*"},
}
TOOL: Mapping[str, object] = {
    "name": "@shop/tool",
    "main": "lib/index.js",
    "bin": {"shop-tool": "bin/index.js"},
    "publishConfig": {"access": "public"},
    "scripts": {"start": "node ."},
}


def test_a_root_script_that_goes_into_a_package_starts_that_package(tmp_path: Path) -> None:
    docker = 'FROM node:24\nWORKDIR /etc/shop\nCOPY . .\nEXPOSE 3001\nENTRYPOINT ["npm", "run"]\nCMD ["start"]\n'
    files: dict[str, object] = {
        "Dockerfile": docker,
        "top": {"scripts": {"start": "cd packages/core && npm start"}},
        "packages/web/index.html": "<html>",
    }
    packages = {"packages/core": CORE, "packages/web": WEB, "packages/tool": TOOL}
    found = guessed(tmp_path, packages, **files)
    assert processes(found) == {"core": "node build/index.js"}
    assert [(p.path, p.serves) for p in found.packages if p.serves] == [("packages/core", ("packages/web",))]
    reason = (
        "nothing in production starts it; by packages/tool/package.json: scripts.start it would be `node lib/index.js`"
    )
    assert ("packages/tool", reason) in found.left_out


def test_what_an_image_has_beside_its_process_lies_there_by_a_link(tmp_path: Path) -> None:
    docker = """\
FROM node:24 AS build
WORKDIR /app
COPY . .
RUN npm run build -w @shop/web -w server
FROM node:24
WORKDIR /app
COPY --from=build /app/apps/web/dist ./public
COPY --from=build /app/apps/server/dist/index.cjs ./index.cjs
RUN mkdir -p /app/.data
ENV STORE=/app/.data
CMD ["node", "index.cjs"]
"""
    files = {"Dockerfile": docker, "apps/web/index.html": "<html>"}
    server = {"name": "server", "scripts": {"build": "esbuild src/index.ts"}, "dependencies": {"hono": "4"}}
    (service,) = guessed(tmp_path, {"apps/server": server, "apps/web": WEB}, **files).services
    assert service.links == {"/app/apps/server/public": "apps/web/dist"}
    (process,) = service.processes
    assert (process.words, process.writable) == (("node", "dist/index.cjs"), ("/app/apps/server/.data",))
    assert dict(process.env) == {"STORE": "/app/apps/server/.data"}


def test_what_several_packages_are_called_is_the_one_beside_who_names_it(tmp_path: Path) -> None:
    shared: Mapping[str, object] = {"scripts": {"build": "tsc"}}
    packages: dict[str, Mapping[str, object]] = {f"{at}/shared": {**shared, "name": f"{at}-shared"} for at in "ab"}
    packages |= {f"{at}/local": {"name": f"{at}-local", "scripts": {"start": "node main.js"}} for at in "ab"}
    files = {f"{at}/local/main.js": "link(join(__dirname, '../shared/build'))" for at in "ab"}
    found = guessed(tmp_path, packages, **files)
    serving = [(p.path, p.serves) for p in found.packages if p.serves]
    assert serving == [("a/local", ("a/shared",)), ("b/local", ("b/shared",))]
