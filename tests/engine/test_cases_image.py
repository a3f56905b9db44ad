"""Images give the values that the same workspace gives without a container: files that only running code shows."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

_COPY = "require('node:fs').cpSync('src', 'dist', { recursive: true });\n"
_KEY = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
_SERVICES = {
    # What lies at the root, by a folder two up, by the whole of a folder and by a link.
    "beyond": {
        "build.js": _COPY,
        "src/main.js": """
            const { readFileSync, readdirSync } = require('node:fs'), { join } = require('node:path');
            const root = join(__dirname, '../../..');
            console.log(readFileSync(join(root, 'proto', 'hello.proto'), 'utf8').trim());
            console.log(readdirSync('../../locales').join(), readdirSync('linked').join());
            console.log(require('../../../package.json').version, require('@cases/lib').template());
        """,
        "src/unused.ts": "export {};",
        # The compiler's alone: Node finds the library by its name.
        "tsconfig.json": '{"compilerOptions": {"paths": {"@cases/lib": ["../../libraries/lib/src/index.ts"]}}}',
    },
    # Names that look like development, written by a build or read by the process.
    "names": {
        "build.js": _COPY,
        "src/tests/tests.js": "exports.list = 'maths';",
        "src/coverage/share.js": "exports.share = 0.8;",
        "src/__tests__/a.js": "exports.a = 'a';",
        "src/main.js": """
            const { readFileSync } = require('node:fs'), { createPublicKey } = require('node:crypto');
            const read = (name) => readFileSync(name, 'utf8').trim();
            console.log(require('./tests/tests').list, require('./coverage/share').share, require('./__tests__/a').a);
            console.log(read('docs/guide.md'), read('prompt.md'), read('README.md'), require('../test/data.json').n);
            console.log(createPublicKey(read('keys/public.pem')).asymmetricKeyType, process.env.FROM_FILE);
            console.log(require('node:fs').readdirSync(`${__dirname}/../templates`, { recursive: true }).sort().join());
        """,
        "docs/guide.md": "guide",
        "prompt.md": "prompt",
        "README.md": "readme",
        "keys/public.pem": _KEY,
        "test/data.json": '{"n": 7}',
        ".env": "FROM_FILE=tracked\n",
        "templates/src/app.tsx": "",
        "templates/src/app.test.tsx": "",
        "templates/tsconfig.json": "{}",
    },
    # A module, a worker by its URL, an alias by `imports`, a setting that a loader reads.
    "module": {
        "build.js": _COPY,
        "src/main.mjs": """
            import { Worker } from 'node:worker_threads';
            import { once } from 'node:events';
            import { readFileSync } from 'node:fs';
            import { shared } from '#shared/value.mjs';
            const worker = new Worker(new URL('../e2e/worker.mjs', import.meta.url));
            const [said] = await once(worker, 'message');
            const { paths } = JSON.parse(readFileSync('tsconfig.json', 'utf8')).compilerOptions;
            console.log(said, shared, Object.keys(paths).join());
        """,
        "e2e/worker.mjs": "import { parentPort } from 'node:worker_threads'; parentPort.postMessage('worker');",
        "src/shared/value.mjs": "export const shared = 'shared';",
        "tsconfig.json": '{"compilerOptions": {"paths": {"@mod/*": ["./src/*"]}}}',
    },
    # Started at the root: what it reads, preloads and writes is there, also by a library's hand.
    "begun": {
        "build.js": _COPY,
        "src/main.js": """
            const { mkdirSync, readFileSync, readdirSync, writeFileSync } = require('node:fs');
            const { join } = require('node:path');
            mkdirSync('state', { recursive: true }), writeFileSync('state/one.txt', process.cwd());
            console.log(globalThis.preloaded, readFileSync('conf/app.json', 'utf8'));
            console.log(readdirSync(join(process.cwd(), 'views')).join());
            console.log(require('@cases/lib').word(), readFileSync('state/one.txt', 'utf8'));
            console.log(readFileSync('/opt/shop/sql/one.sql', 'utf8'), readdirSync(join('/srv/begun', 'seeds')).join());
        """,
        "seeds/a.json": "{}",
    },
    # Folders that it makes, and one that git keeps for it; a seed that it changes.
    "writer": {
        "server.js": """
            const { appendFileSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
            mkdirSync('data/deep', { recursive: true });
            writeFileSync('data/deep/db.json', '{}');
            writeFileSync('uploads/one.txt', 'x');
            appendFileSync('var/seed.txt', ' more');
            console.log('written', readFileSync('var/seed.txt', 'utf8'), require('@cases/types/package.json').name);
        """,
        "uploads/.gitkeep": "",
        "var/seed.txt": "seed",
    },
}
_BEGUN = 'directory = "."\nlinks = { "/opt/shop" = ".", "/srv/begun" = "services/begun" }\n'
_RIGHT = {
    "beyond": 'import "common/more.proto";\nde.json,en.json de.json,en.json\n4.5.6 <b>\n',
    "names": "maths 0.8 a\nguide prompt readme 7\ned25519 tracked\nsrc,src/app.test.tsx,src/app.tsx,tsconfig.json\n",
    "module": "worker shared @mod/*\n",
    "begun": "preloaded {}\na.html\nword /app\nselect a.json\n",
    "writer": "written seed more @cases/types\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The services above and two libraries, built by one run."""
    name = "tcasesimage"
    workspace = Workspace(root=tmp_path_factory.mktemp("cases") / "workspace", project=name)
    workspace.root.mkdir()
    for path, text in _files(name).items():
        workspace.write(path, text)
    link = Path(workspace.root, "services/beyond/linked")
    link.symlink_to("../../locales")
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Begin")
    done = workspace.bake("all", "--platform", "linux/amd64", "--tag", "t")
    assert done.returncode == 0, done.stderr
    yield workspace
    images = [f"{name}-{service}:t" for service in _SERVICES]
    subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=False)


def _files(name: str) -> Mapping[str, str]:
    root = {"name": "cases", "version": "4.5.6", "private": True, "workspaces": ["services/*", "libraries/*"]}
    manifests: dict[str, dict[str, object]] = {
        "libraries/lib": {"name": "@cases/lib", "version": "1.0.0", "main": "index.js"},
        "libraries/types": {"name": "@cases/types", "version": "1.0.0", "types": "index.d.ts"},
        **{f"services/{s}": _manifest(s, files) for s, files in _SERVICES.items()},
    }
    links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in manifests.items()}
    lock = {"name": "cases", "version": "4.5.6", "lockfileVersion": 3, "packages": {"": root, **manifests, **links}}
    services = "".join(
        f'[services.{s}]\npackage = "services/{s}"\ncommand = "{_command(s)}"\n'
        + ('writable = ["data", "uploads", "var"]\n' if s == "writer" else "")
        + (_BEGUN if s == "begun" else "")
        for s in _SERVICES
    )
    return {
        "bake.toml": f'[project]\nname = "{name}"\n{services}',
        ".gitignore": "node_modules/\n.bake/\ndist/\n",
        "package.json": json.dumps(root),
        "package-lock.json": json.dumps(lock),
        "proto/hello.proto": 'import "common/more.proto";\n',
        "proto/common/more.proto": 'syntax = "proto3";\n',
        "conf/app.json": "{}",
        "sql/one.sql": "select",
        "scripts/preload.js": "globalThis.preloaded = 'preloaded';",
        "views/a.html": "",
        "words/word.txt": "word",
        "locales/de.json": "{}",
        "locales/en.json": "{}",
        "libraries/lib/index.js": """
            const { readFileSync } = require('node:fs'), { join } = require('node:path');
            exports.word = () => readFileSync('words/word.txt', 'utf8');
            exports.template = () => readFileSync(join(__dirname, 'test', 'a.html'), 'utf8');
        """,
        "libraries/lib/test/a.html": "<b>",
        "libraries/lib/src/index.ts": "export const word: () => string;",
        "libraries/types/index.d.ts": "export type A = 1;",
        **{f"{path}/package.json": json.dumps(manifest) for path, manifest in manifests.items()},
        **{f"services/{s}/{path}": text for s, files in _SERVICES.items() for path, text in files.items()},
    }


def _manifest(service: str, files: Mapping[str, str]) -> dict[str, object]:
    lib = {"@cases/lib": "1.0.0"}
    needs = {"beyond": lib, "begun": lib, "writer": {"@cases/types": "1.0.0"}}.get(service, {})
    manifest: dict[str, object] = {"name": f"@cases/{service}", "version": "1.0.0", "dependencies": needs}
    if service == "module":
        manifest["imports"] = {"#shared/*": "./dist/shared/*"}
    return manifest | ({"scripts": {"build": "node build.js"}} if "build.js" in files else {})


def _command(service: str) -> str:
    commands = {
        "names": "node --env-file=.env dist/main.js",
        "module": "node dist/main.mjs",
        "writer": "node server.js",
        "begun": "node -r ./scripts/preload.js services/begun/dist/main.js",
    }
    return commands.get(service, "node dist/main.js")


@pytest.mark.parametrize("service", _SERVICES)
def test_an_image_gives_what_its_process_gives_outside(built: Workspace, service: str) -> None:
    words = ["docker", "run", "--rm", "--network", "none", f"{built.project}-{service}:t"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (_RIGHT[service], "")


def test_what_no_process_reads_stays_out(built: Workspace) -> None:
    words = ["docker", "run", "--rm", "--entrypoint", "find", f"{built.project}-beyond:t", "/app", "-type", "f"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(p.removeprefix("/app/") for p in found) == [
        "libraries/lib/index.js",
        "libraries/lib/package.json",
        "libraries/lib/test/a.html",
        "locales/de.json",
        "locales/en.json",
        "package.json",
        "proto/common/more.proto",
        "proto/hello.proto",
        "services/beyond/build.js",
        "services/beyond/dist/main.js",
        "services/beyond/package.json",
        "services/beyond/src/main.js",
    ]
