"""Which programs an all-in-one image runs, and what is lost without it."""

from pathlib import Path

import pytest

from bake.images import Inventory, Item, compare_inventories, join_inventories, variables
from bake.sources import Program, identity, parse_programs

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"
PACKAGES = ("apps/frontend", "services/catalog", "services/timestore")
SCRIPTS = {"services/catalog": {"start": "node dist/server.js", "worker": "tsx src/worker.ts"}}


def known(words: str, directory: str = "/app") -> str:
    program = Program(name="x", words=tuple(words.split(" ")), directory=directory)
    return identity(program, "/app", PACKAGES, SCRIPTS | {"@apphub/catalog": SCRIPTS["services/catalog"]})


@pytest.mark.parametrize(
    ("words", "directory", "expected"),
    [
        ("node dist/server.js", "/app/services/catalog", "services/catalog/dist/server.js"),
        ("node services/catalog/dist/server.js", "/app", "services/catalog/dist/server.js"),
        ("node --enable-source-maps /app/services/catalog/dist/server.js", "/", "services/catalog/dist/server.js"),
        ("env NODE_ENV=production node dist/server.js", "/app/services/catalog", "services/catalog/dist/server.js"),
        ("tsx src/worker.ts", "/app/services/catalog", "services/catalog/src/worker.ts"),
        ("npx tsx src/worker.ts", "/app/services/catalog", "services/catalog/src/worker.ts"),
        ("npm run worker --workspace @apphub/catalog", "/app", "services/catalog/src/worker.ts"),
        ("npm start --prefix services/catalog", "/app", "services/catalog/dist/server.js"),
        ("npm start", "/app/services/catalog", "services/catalog/dist/server.js"),
        ("serve -s apps/frontend/dist -l 4173", "/app", "apps/frontend/dist"),
        ("serve -s dist", "/app/apps/frontend", "apps/frontend/dist"),
        ("node /app/serve.mjs /app/apps/frontend/dist", "/app/apps/frontend", "apps/frontend/dist"),
        ("/usr/bin/redis-server --bind 0.0.0.0", "/app", "redis-server"),
        ("node docker/cron.mjs", "/app", "docker/cron.mjs"),
    ],
)
def test_a_process_is_the_same_however_it_is_started(words: str, directory: str, expected: str) -> None:
    assert known(words, directory) == expected


def test_a_process_behind_a_shell_is_the_one_that_the_shell_runs() -> None:
    program = Program(name="x", words=("sh", "-c", "cd services/catalog && exec node dist/server.js"), directory="/app")
    assert identity(program, "/app", PACKAGES, {}) == "services/catalog/dist/server.js"


def test_the_examples_supervisor_is_read() -> None:
    text = (EXAMPLE / "docker" / "supervisor.mjs").read_text(encoding="utf-8")
    programs = parse_programs("/app/docker/supervisor.mjs", text, "/app")
    assert len(programs) == 12
    assert programs[0] == Program(
        name="catalog-api", words=("node", "dist/server.js"), directory="/app/services/catalog"
    )
    assert programs[1].words == ("tsx", "src/worker.ts")


def test_a_supervisord_file_is_read() -> None:
    text = """\
[supervisord]
nodaemon=true

[program:catalog-api]
command=node services/catalog/dist/server.js ; the API
directory=/app
environment=PORT=4100,HOST=0.0.0.0

[program:redis]
command=redis-server --save "" --bind 0.0.0.0
"""
    assert parse_programs("/etc/supervisor/conf.d/apphub.conf", text, "/srv") == (
        Program(
            name="catalog-api",
            words=("node", "services/catalog/dist/server.js"),
            directory="/app",
            env={"PORT": "4100", "HOST": "0.0.0.0"},
        ),
        Program(name="redis", words=("redis-server", "--save", "", "--bind", "0.0.0.0"), directory="/srv"),
    )


def test_a_procfile_is_read() -> None:
    text = "web: node dist/server.js\nworker: npm run worker\n"
    assert parse_programs("/app/Procfile", text, "/app") == (
        Program(name="web", words=("node", "dist/server.js"), directory="/app"),
        Program(name="worker", words=("npm", "run", "worker"), directory="/app"),
    )


def test_pm2s_file_is_read() -> None:
    text = "module.exports = { apps: [{ name: 'api', script: 'dist/server.js', args: '--port 1', cwd: '/app/api' }] }"
    assert parse_programs("/app/ecosystem.config.js", text, "/app") == (
        Program(name="api", words=("node", "dist/server.js", "--port", "1"), directory="/app/api"),
    )


def test_pm2s_applications_are_read_whatever_runs_them_and_their_variables_are_none() -> None:
    text = """\
module.exports = {
  apps: [
    { name: 'http', script: './dist/http.js', env: { PORT: 1, cmd: x }, env_production: { NODE_ENV: 'production' } },
    { name: 'web', script: 'npm', args: 'run start:web' },
    { name: 'jobs', interpreter: 'tsx', script: 'src/jobs.ts', log: { file: `${home}/x` } },
    { name: 'own', interpreter: 'none', script: './bin/own' },
    { name: 'named', script: `./dist/${name}.js`, env: {} },
  ],
};
"""
    programs = parse_programs("/app/ecosystem.config.js", text, "/app")
    assert [(p.name, " ".join(p.words)) for p in programs] == [
        ("http", "node ./dist/http.js"),
        ("web", "npm run start:web"),
        ("jobs", "tsx src/jobs.ts"),
        ("own", "./bin/own"),
    ]


def test_calls_of_spawn_are_read() -> None:
    text = "import { spawn } from 'node:child_process';\nspawn('node', ['dist/a.js', \"--x\"], { cwd: here });\n"
    assert parse_programs("/app/start.mjs", text, "/app") == (
        Program(name="", words=("node", "dist/a.js", "--x"), directory="/app"),
    )


def test_a_shell_scripts_background_jobs_are_read() -> None:
    text = """\
#!/bin/sh
set -e
mkdir -p /data && chown node /data
cd services/catalog
node dist/worker.js &
exec node dist/server.js
"""
    assert parse_programs("/app/start.sh", text, "/app") == (
        Program(name="start.sh", words=("node", "dist/worker.js"), directory="/app/services/catalog"),
        Program(name="start.sh", words=("node", "dist/server.js"), directory="/app/services/catalog"),
    )


def test_a_script_that_becomes_its_arguments_names_no_program() -> None:
    assert parse_programs("/entrypoint.sh", '#!/bin/bash\nset -e\nexec "$@"\n', "/app") == ()


def test_each_side_names_what_the_other_lacks() -> None:
    old = Inventory(
        commands={"services/a/dist/a.js": "node dist/a.js", "redis-server": "redis: redis-server"},
        files=frozenset({"services/a/x.json", "services/a/y.json"}),
        ports=frozenset({"80", "6379", "4000"}),
        env=variables({"PATH": "/bin", "NODE_VERSION": "24", "REDIS_URL": "redis://127.0.0.1"}),
    )
    new = Inventory(
        commands={"services/a/dist/a.js": "node dist/a.js"},
        files=frozenset({"services/a/x.json"}),
        ports=frozenset({"80"}),
        env=variables({"PORT": "80"}),
    )
    parity = compare_inventories(old, new, ["Command redis-*", "port 4000"])
    assert [(str(i), i.detail, i.accepted) for i in parity.lost] == [
        ("command redis-server", "redis: redis-server", True),
        ("file services/a/y.json", "", False),
        ("port 4000", "", True),
        ("port 6379", "", False),
        ("env REDIS_URL", "redis://127.0.0.1", False),
    ]
    assert parity.gained == (Item(kind="env", name="PORT", detail="80"),)
    assert not parity.ok


def test_nothing_is_lost_when_everything_is_accepted() -> None:
    old = Inventory(env=variables({"A_ONE": "1", "A_TWO": "2"}))
    assert compare_inventories(old, Inventory(), ["env A_*"]).ok


def test_several_images_count_as_one() -> None:
    one = Inventory(commands={"a": "a"}, ports=frozenset({"1"}), env=variables({"X": "1"}))
    two = Inventory(commands={"b": "b"}, files=frozenset({"f"}), env=variables({"X": "2"}))
    assert join_inventories([one, two]) == Inventory(
        commands={"a": "a", "b": "b"},
        files=frozenset({"f"}),
        ports=frozenset({"1"}),
        env={"X": frozenset({"1", "2"})},
    )
