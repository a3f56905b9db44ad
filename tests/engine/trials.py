"""A workspace whose processes misbehave, each in its own way, on a real Node base; built once per test module."""

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.engine.conftest import REGISTRY, Workspace

_READY = "console.log('ready');"
_STOPS = "process.on('SIGTERM', () => process.exit(0));"
_STAYS = "setInterval(() => {}, 1000);"
_SERVES = "require('http').createServer((_, answer) => answer.end('fine'))"

PROCESSES = {
    "well": f"{_SERVES}.listen(3000); {_STOPS}",
    "once": "console.log('usage: once');",
    "root": f"{_STOPS} {_STAYS} {_READY}",
    "deaf": f"{_STAYS} {_READY}",
    "late": f"process.on('SIGTERM', () => process.exit(9)); {_STAYS} {_READY}",
    "writer": f"require('fs').mkdirSync(['/app', 'cache/pages'].join('/'), {{ recursive: true }}); {_STAYS} {_READY}",
    "keeper": f"require('fs').writeFileSync('/data/page', 'x'); {_STOPS} {_STAYS} {_READY}",
    "silent": f"{_STOPS} {_STAYS}",
    "hidden": f"{_SERVES}.listen(3000, '127.0.0.1'); {_STOPS}",
    "greedy": f"const kept = []; setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 1); {_STAYS}",
    "needy": f"require('net').connect(7000, process.env.STORE, () => {{ {_READY} }}); {_STOPS} {_STAYS}",
}
"""Role of the service `box` -> its program, src/<role>.js."""

_BUILD = "require('fs').cpSync('src', 'dist', { recursive: true })"
_MONOLITH = """\
FROM node:24-slim
WORKDIR /app
ENV STORE=127.0.0.1 OLD_SETTING=1
COPY . .
RUN for each in services/*; do (cd $each && node build.js); done
RUN ln -s ../libraries/words node_modules/@trial/words 2>/dev/null || true
EXPOSE 3000 9000
CMD ["node", "supervisor.js"]
"""
_SUPERVISOR = """\
const programs = [
  { name: 'well', command: ['node', 'dist/well.js'], cwd: 'services/box' },
  { name: 'page', command: 'node services/page/dist/page.js' },
  { name: 'database', command: ['postgres', '-D', '/data'] },
];
"""


def make_trials(root: Path, name: str) -> Workspace:
    """Write the workspace. name: a project name that no other test has."""
    workspace = Workspace(root=root, project=name)
    root.mkdir()
    for path, text in _files(name).items():
        workspace.write(path, text)
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Begin")
    return workspace


def built_trials(root: Path, *targets: str) -> Iterator[Workspace]:
    """The workspace with its images built; they are removed afterwards."""
    workspace = make_trials(root, f"t{uuid.uuid4().hex[:10]}")
    built = workspace.bake("--quiet", *targets)
    assert built.returncode == 0, built.stderr
    yield workspace
    remove_images(workspace.project)


def remove_images(name: str) -> None:
    """Remove every image whose name has the project's name in it."""
    listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*{name}*"]
    images = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=True)


def containers_of(name: str) -> list[str]:
    """Every container, running or not, of the project's images."""
    listed = subprocess.run(
        ["docker", "ps", "--all", "--filter", "label=bake.smoke", "--format", "{{.Image}} {{.State}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if name in line]


def _files(name: str) -> Mapping[str, str]:
    root = {"name": "trials", "version": "1.0.0", "private": True, "workspaces": ["services/*", "libraries/*"]}
    words = {"name": "@trial/words", "version": "1.0.0", "main": "index.js"}
    services = {s: _manifest(s) for s in ("box", "page")}
    lock = {
        "name": "trials",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {
            "": root,
            "libraries/words": words,
            "node_modules/@trial/words": {"resolved": "libraries/words", "link": True},
            **{f"node_modules/@trial/{s}": {"resolved": f"services/{s}", "link": True} for s in services},
            **{f"services/{s}": manifest for s, manifest in services.items()},
        },
    }
    return {
        "bake.toml": _config(name),
        ".gitignore": "node_modules/\n.bake/\ndist/\n",
        "Dockerfile": _MONOLITH,
        "supervisor.js": _SUPERVISOR,
        "package.json": json.dumps(root),
        "package-lock.json": json.dumps(lock),
        "libraries/words/package.json": json.dumps(words),
        "libraries/words/index.js": "exports.word = 'hello';\n",
        **{f"services/{s}/package.json": json.dumps(m) for s, m in services.items()},
        **{f"services/{s}/build.js": f"{_BUILD};\n" for s in services},
        **{f"services/box/src/{role}.js": f"{text}\n" for role, text in PROCESSES.items()},
        "services/box/assets/list.json": '["one", "two"]\n',
        "services/box/tests/box.js": "// no part of any image\n",
        "services/page/src/page.js": "console.log(require('@trial/words').word);\n",
    }


def _manifest(service: str) -> Mapping[str, object]:
    return {
        "name": f"@trial/{service}",
        "version": "1.0.0",
        "scripts": {"build": "node build.js"},
        "dependencies": {"@trial/words": "1.0.0"},
    }


def _config(name: str) -> str:
    return f"""\
[project]
name = "{name}"
registry = "{REGISTRY}/bake-test"
platforms = ["linux/amd64"]
tag = "trial"

[base]
build = "node:24-slim"
runtime = "node:24-slim"

[services.box]
package = "services/box"

[services.box.roles]
well = {{ command = "node dist/well.js", port = 3000, health = "/" }}
once = {{ command = "node dist/once.js", once = true }}
root = {{ command = "node dist/root.js", user = "0:0", health = {{ log = "ready" }} }}
deaf = {{ command = "node dist/deaf.js", health = {{ log = "ready" }} }}
late = {{ command = "node dist/late.js", health = {{ log = "ready" }} }}
writer = {{ command = "node dist/writer.js", health = {{ log = "ready" }} }}
keeper = {{ command = "node dist/keeper.js", health = {{ log = "ready" }}, writable = ["/data"] }}
silent = {{ command = "node dist/silent.js", port = 3000, health = {{ path = "/healthz", timeout = 3 }} }}
hidden = {{ command = "node dist/hidden.js", port = 3000, health = {{ path = "/", timeout = 10 }} }}
greedy = {{ command = "node dist/greedy.js", health = {{ log = "ready" }} }}
needy = {{ command = "node dist/needy.js", health = {{ log = "ready" }} }}

[services.page]
package = "services/page"
command = "node dist/page.js"
once = true

[monolith]

[smoke]
memory = "128m"
grace = 5

[smoke.env]
STORE = "store"

[smoke.dependencies.store]
image = "node:24-slim"
command = ["node", "-e", "require('net').createServer().listen(7000, () => console.log('listening'))"]
log = "listening"
"""
