"""Images that hold only the files their processes load: code that loads late answers as it does with all files."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine

_SERVICES = {
    # Drivers that a library loads by a name which it puts together, or is given.
    "sql": {
        "src/main.js": """
            const knex = require('knex')({ client: 'pg' });
            const { DataSource } = require('typeorm');
            const { Sequelize } = require('sequelize');
            const source = new DataSource({ type: 'postgres', url: 'postgres://u:p@localhost/d' });
            const orm = new Sequelize('postgres://u:p@localhost/d', { logging: false });
            console.log(knex('t').where({ a: 1 }).toString());
            console.log(source.driver.options.type, typeof source.driver.postgres.Client);
            console.log(orm.getDialect(), orm.escape("it's"), typeof orm.connectionManager.lib.Pool);
        """,
    },
    # Transports that run in a thread of their own, formats that are loaded when they are asked for,
    # a `require` that a module makes, files beside it by a name that run time gives.
    "logs": {
        "src/main.mjs": """
            import pino from 'pino';
            import winston from 'winston';
            import { readFileSync } from 'node:fs';
            import * as modules from 'node:module';
            import { join } from 'node:path';
            import { createRequire } from 'node:module';
            const load = createRequire(import.meta.url), other = modules.createRequire(import.meta.url);
            console.log(load('ms')(1000), createRequire(import.meta.url)('./kind.json').kind);
            console.log(other('fecha/package.json').name);
            const kind = `${process.env.KIND ?? 'a'}.txt`;
            console.log(readFileSync(join(import.meta.dirname, 'kinds', kind), 'utf8').trim());
            const options = { colorize: false, ignore: 'time,pid,hostname' };
            const log = pino({ transport: { target: 'pino-pretty', options } });
            log.info('pretty');
            log.flush(() => {
              const { format, transports } = winston;
              const lines = format.combine(format.logstash(), format.uncolorize());
              winston.createLogger({ format: lines, transports: [new transports.Console()] }).info('stash');
            });
        """,
        "src/kind.json": '{"kind": "json"}',
        "src/kinds/a.txt": "a kind",
    },
    # Views of an engine that a setting names, in a folder that run time names; a framework with optional parts.
    "web": {
        "src/main.js": """
            require('reflect-metadata');
            const express = require('express'), path = require('node:path');
            const { NestFactory } = require('@nestjs/core'), { Module } = require('@nestjs/common');
            const { graphqlSync, buildSchema } = require('graphql');
            const app = express();
            app.set('view engine', 'ejs');
            app.set('views', path.join(process.cwd(), process.env.VIEWS ?? 'templates'));
            app.use(express.static('public'), express.static('./src/browser'));
            class Root {}
            Module({})(Root);
            app.get('/', (_, response) => response.render('hello', { name: 'views' }));
            const server = app.listen(0, async () => {
              const at = `http://127.0.0.1:${server.address().port}`;
              console.log((await (await fetch(at)).text()).trim(), (await (await fetch(`${at}/app.js`)).text()).trim());
              console.log(await (await fetch(`${at}/page.js`)).text());
              const schema = buildSchema('type Query { a: Int }');
              console.log(graphqlSync({ schema, source: '{ a }', rootValue: { a: 4 } }).data.a);
              const nest = await NestFactory.create(Root, { logger: false });
              console.log(typeof nest.getHttpAdapter().getInstance());
              process.exit();
            });
        """,
        "templates/hello.ejs": "<b><%= name %></b>\n",
        "public/app.js": "/* of the browser */\n",
        "src/browser/page.js": "/* beside the server's code */",
    },
    # Files that are no code, settings that are loaded by their name, clients that load parts at the first call.
    "data": {
        "src/main.js": """
            const { S3Client, GetObjectCommand } = require('@aws-sdk/client-s3');
            const moment = require('moment');
            const { EventEmitter } = require('node:events');
            const found = [];
            const redis = Object.assign(new EventEmitter(), {
              ...{ status: 'ready', options: { maxRetriesPerRequest: null } },
              ...{ connect() {}, disconnect() {}, duplicate() { return redis; } },
              ...{ info: async () => 'redis_version:7.2.0', defineCommand: (name) => found.push(name) },
            });
            moment.locale('de');
            const handler = { handle: async () => ({ response: { statusCode: 200, headers: {} } }) };
            const client = new S3Client({ region: 'eu-central-1', requestHandler: handler });
            Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
            (async () => {
              const asked = client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
              await asked.catch((error) => console.log(error.message));
              console.log(moment(0).utc().format('dddd'), require('./late/' + 'one').late);
              const queue = new (require('bullmq').Queue)('q', { connection: redis });
              await queue.waitUntilReady();
              console.log(found.length > 10);
              process.exit();
            })();
        """,
        "src/late/one.js": "exports.late = 'late';",
    },
    # A binary that comes for one platform, protocols that are loaded at their first use.
    "media": {
        "src/main.js": """
            const sharp = require('sharp'), jwt = require('jsonwebtoken');
            const puppeteer = require('puppeteer-core');
            const told = (error) => console.log(error.message);
            (async () => {
              const image = sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } });
              console.log((await image.png().toBuffer()).subarray(1, 4).toString(), sharp.versions.sharp);
              const token = jwt.sign({ a: 1, iat: 1 }, 'secret', { algorithm: 'HS256' });
              console.log(token, jwt.verify(token, 'secret').a);
              await puppeteer.launch({ executablePath: '/nowhere' }).catch(told);
              const browser = { browserWSEndpoint: 'ws://127.0.0.1:9/', protocol: 'webDriverBiDi' };
              await puppeteer.connect(browser).catch(told);
              process.exit();
            })();
        """,
    },
    # A file that no trace finds.
    "lost": {
        "src/main.js": """
            const { existsSync } = require('node:fs');
            require('ejs');
            if (process.argv[2]) setInterval(() => {}, 1000);
            existsSync(require('./settings.json').file);
            console.log('ready');
        """,
        "src/settings.json": '{"file": "/app/node_modules/ejs/README.md"}',
    },
}
_DEPENDENCIES = {
    "sql": {"knex": "3.1.0", "pg": "8.16.3", "pg-hstore": "2.3.4", "sequelize": "6.37.7", "typeorm": "0.3.27"},
    "logs": {"ms": "2.1.3", "pino": "9.9.5", "pino-pretty": "13.1.1", "winston": "3.17.0"},
    "web": {
        "ejs": "3.1.10",
        "express": "5.1.0",
        "graphql": "16.11.0",
        "reflect-metadata": "0.2.2",
        "rxjs": "7.8.2",
        **dict.fromkeys(("@nestjs/common", "@nestjs/core", "@nestjs/platform-express"), "11.1.6"),
    },
    "media": {"jsonwebtoken": "9.0.2", "puppeteer-core": "24.22.0", "sharp": "0.34.4"},
    "lost": {"ejs": "3.1.10"},
    "data": {"@aws-sdk/client-s3": "3.896.0", "bullmq": "1.91.1", "moment": "2.30.1"},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The services above with all files (tag `whole`) and with those that are needed (tag `files`)."""
    workspace = Workspace(root=tmp_path_factory.mktemp("traced") / "workspace", project="ttraced")
    workspace.root.mkdir()
    for path, text in _files(workspace.project).items():
        workspace.write(path, text)
    workspace.lock()
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Begin")
    for tag, more in (("whole", ""), ("files", '[layers]\ntrace = "files"\n')):
        workspace.write("bake.toml", Path(workspace.root, "bake.toml").read_text("utf-8") + more)
        done = workspace.bake("all", "--platform", "linux/amd64", "--tag", tag)
        assert done.returncode == 0, done.stderr
    yield workspace
    images = [f"{workspace.project}-{service}:{tag}" for service in _SERVICES for tag in ("whole", "files")]
    subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=False)


def _files(name: str) -> Mapping[str, str]:
    services = "".join(
        f'[services.{s}]\npackage = "services/{s}"\ncommand = "node {next(iter(files))}"\n'
        + ("once = true\n" if s == "lost" else "")
        for s, files in _SERVICES.items()
    )
    manifests = {
        f"services/{s}/package.json": json.dumps({"name": f"@late/{s}", "version": "1.0.0", "dependencies": needs})
        for s, needs in _DEPENDENCIES.items()
    }
    return {
        "bake.toml": f'[project]\nname = "{name}"\n{services}',
        ".gitignore": "node_modules/\n.bake/\n",
        "package.json": json.dumps({"name": "late", "private": True, "workspaces": ["services/*"]}),
        **manifests,
        **{f"services/{s}/{path}": text for s, files in _SERVICES.items() for path, text in files.items()},
    }


@pytest.mark.parametrize("service", _SERVICES)
def test_code_that_loads_late_finds_what_it_finds_with_all_files(built: Workspace, service: str) -> None:
    whole, files = (_run(f"{built.project}-{service}:{tag}") for tag in ("whole", "files"))
    assert whole[0] == 0, whole
    assert whole == files


def test_what_only_tracing_left_out_is_told_with_the_key_that_adds_it(built: Workspace) -> None:
    done = built.bake("smoke", "lost", "--platform", "linux/amd64", "--tag", "files")
    assert done.returncode == 1, done.stdout
    remedy = 'add "node_modules/ejs/README.md" to services.lost.keep'
    assert f"trace: /app/node_modules/ejs/README.md is not in the image; {remedy}" in done.stderr


def test_a_shell_beside_a_process_has_its_files(built: Workspace) -> None:
    name = f"{built.project}-beside"
    image = f"{built.project}-lost:files"
    words = ["docker", "run", "--detach", "--rm", "--read-only", "--name", name, image, "node", "src/main.js", "stay"]
    subprocess.run(words, check=True, capture_output=True)
    try:
        done = built.bake("debug", "lost", "--", "sh", "-c", "pwd; ls /app/node_modules")
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
    assert done.stdout.split()[0] == "/app/services/lost", done.stderr
    assert "ejs" in done.stdout.split()


def _run(image: str) -> tuple[int, list[str], str]:
    words = ["docker", "run", "--rm", "--network", "none", image]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, sorted(done.stdout.splitlines()), done.stderr
