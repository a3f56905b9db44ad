"""What a shell makes of a text, and what is around a process: one answer for all who ask."""

import pytest

from bake.lockfile import steps
from bake.shell import AROUND, WRAPPERS, Call, called_scripts, parse_call, parse_line, plain_number, split_words, unwrap
from bake.sources import Program, identity, start_of
from bake.workspace import Package

API = Package(path="services/api", name="api", version="1.0.0", manifest={})


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("a && b | c; d & e > f 2>&1", [(("a",), "&&"), (("b",), "|"), (("c",), ";"), (("d",), "&"), (("e",), "")]),
        ('sh -c "cd dist && node server.js"', [(("sh", "-c", "cd dist && node server.js"), "")]),
        ("X='a && b' node c # not this && that", [(("X=a && b", "node", "c"), "")]),
        ('node "$(dirname "$0")/x.js"', [(("node", '$(dirname "$0")/x.js'), "")]),
        ("node \\\n  x.js\nnode y.js", [(("node", "x.js"), "\n"), (("node", "y.js"), "")]),
        ("node ${A:-b c} `id`", [(("node", "${A:-b c}", "`id`"), "")]),
        ("(cd a; node b) >> log", [(("cd", "a"), ";"), (("node", "b"), ")")]),
        ("echo 'does not end", []),
        ("", []),
    ],
)
def test_a_line_is_cut_where_a_shell_cuts_it(text: str, commands: list[tuple[tuple[str, ...], str]]) -> None:
    assert [(step.words, step.joint) for step in parse_line(text)] == commands


def test_a_step_is_kept_as_it_is_written_and_tells_whether_a_shell_is_needed() -> None:
    first, last = parse_line("prisma migrate deploy --schema 'a b' && node x.js $PORT")
    assert (first.text, first.expands) == ("prisma migrate deploy --schema 'a b'", False)
    assert (last.text, last.expands) == ("node x.js $PORT", True)


@pytest.mark.parametrize(
    "wrapped",
    [
        "tini -- node dist/server.js",
        "/usr/bin/tini -g -- node dist/server.js",
        "dumb-init --rewrite 15:3 node dist/server.js",
        "catatonit node dist/server.js",
        "doppler run --print-config -- node dist/server.js",
        "infisical run --env=prod -- node dist/server.js",
        "nohup node dist/server.js",
        "nice -n 5 node dist/server.js",
        "stdbuf -oL node dist/server.js",
        "time node dist/server.js",
        "timeout -k 5 60 node dist/server.js",
        "su-exec node:node node dist/server.js",
        "docker-entrypoint.sh node dist/server.js",
        "env -u HOME A=1 node dist/server.js",
        "env -i -S 'node dist/server.js'",
        "cross-env A=1 node dist/server.js",
        "dotenvx run -f .env -- node dist/server.js",
        "env-cmd -f .env node dist/server.js",
        "exec node dist/server.js",
        "bash -lc 'node dist/server.js'",
        "sh -c 'exec tini -- node dist/server.js'",
        "npx -y dotenv -- node dist/server.js",
        "pm2-runtime dist/server.js",
        "pm2-runtime start dist/server.js --name api -i max",
        "npx pm2-runtime --max-memory-restart=1G start dist/server.js",
        "pm2 start --no-daemon dist/server.js",
    ],
)
def test_every_reader_sees_through_the_same_wrappers(wrapped: str) -> None:
    program = Program(name="x", words=split_words(wrapped), directory="/app/services/api")
    assert start_of(wrapped, API).words == ("node", "dist/server.js")
    assert identity(program, "/app", ["services/api"], {}) == "services/api/dist/server.js"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pm2-runtime npm -- start", "npm start"),
        ("pm2-runtime start 'npm run start:prod' --name api", "npm run start:prod"),
        (
            "pm2-runtime --node-args='--expose-gc -r ./x.js' dist/a.js -- --port 1",
            "node --expose-gc -r ./x.js dist/a.js --port 1",
        ),
        ("pm2-runtime --interpreter tsx src/a.js", "tsx src/a.js"),
        ("pm2-runtime start ecosystem.config.js --env production", ""),
        ("pm2-runtime process.json", ""),
        ("pm2 start dist/a.js", ""),
    ],
)
def test_pm2_starts_one_program_or_those_of_a_file(line: str, words: str) -> None:
    assert " ".join(unwrap(split_words(line)).words) == (words or " ".join(split_words(line)))


@pytest.mark.parametrize("name", ["sh", "tini", "npm", "pnpm", "npx", "catatonit", "bash"])
def test_smoke_knows_what_is_around_a_process_from_the_same_list(name: str) -> None:
    assert name in AROUND


def test_a_shell_with_steps_inside_its_quotes_is_one_process() -> None:
    found = ("sh", "-c", "cd dist && exec node server.js")
    assert start_of('sh -c "cd dist && node server.js"', API).words == found
    program = Program(name="x", words=("sh", "-c", "cd dist && node server.js"), directory="/app/services/api")
    assert identity(program, "/app", ["services/api"], {}) == "services/api/dist/server.js"


def test_what_is_around_is_named_with_what_it_sets() -> None:
    found = unwrap(["A=1", "tini", "--", "env", "B=2", "doppler", "run", "--", "node", "x.js"])
    assert (found.words, found.wrappers) == (("node", "x.js"), ("tini", "env", "doppler"))
    assert found.env == (("A", "1"), ("B", "2"))
    assert unwrap(["doppler", "run", "node"]).words == ("doppler", "run", "node")
    assert all(unwrap([name]).words == (name,) for name in WRAPPERS)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("npm run x -w y -- -p 1", Call(tool="npm", verb="run", name="x", packages=("y",), arguments=("-p", "1"))),
        ("npm --prefix a start", Call(tool="npm", verb="run", name="start", packages=("a",))),
        ("npm run build -ws --if-present", Call(tool="npm", verb="run", name="build", every=True)),
        ("npx -y tsx@4 x.ts", Call(tool="npx", verb="exec", name="tsx", arguments=("x.ts",))),
        ("yarn workspace y start", Call(tool="yarn", verb="run", name="start", packages=("y",))),
        ("yarn server start", Call(tool="yarn", verb="run", name="server", arguments=("start",), maybe=True)),
        ("yarn workspaces foreach -ptA run build", Call(tool="yarn", verb="run", name="build", every=True)),
        ("yarn install --immutable", Call(tool="yarn", verb="install", arguments=("--immutable",))),
        ("pnpm -w build", Call(tool="pnpm", verb="run", name="build", packages=(".",), maybe=True)),
        ("pnpm --filter web... build", Call(tool="pnpm", verb="run", name="build", packages=("web",), maybe=True)),
        (
            "pnpm run --recursive --workspace-concurrency 1 --filter 'x...' build -- --force",
            Call(tool="pnpm", verb="run", name="build", packages=("x",), arguments=("--force",)),
        ),
        ("pnpm --filter w deploy /out", Call(tool="pnpm", verb="deploy", packages=("w",), arguments=("/out",))),
        ("turbo run build --filter=web...", Call(tool="turbo", verb="run", name="build", packages=("web",))),
        ("turbo prune --scope=@a/b --docker", Call(tool="turbo", verb="prune", packages=("@a/b",))),
        ("turbo build", Call(tool="turbo", verb="run", name="build", every=True)),
        ("nx run api:build:production", Call(tool="nx", verb="run", name="build", packages=("api",))),
        ("nx build api --prod", Call(tool="nx", verb="run", name="build", packages=("api",))),
        ("nx run-many -t build -p a,b", Call(tool="nx", verb="run", name="build", packages=("a", "b"))),
        ("lerna run build --scope x", Call(tool="lerna", verb="run", name="build", packages=("x",))),
        ("node --run x -- -p 1", Call(tool="node", verb="run", name="x", arguments=("-p", "1"))),
        ("node --run=x", Call(tool="node", verb="run", name="x")),
        ("node x.js", None),
    ],
)
def test_what_a_manager_or_a_task_runner_is_asked_for(line: str, call: Call | None) -> None:
    assert parse_call(split_words(line)) == call


def test_calls_are_found_behind_wrappers_shells_and_executors() -> None:
    text = "cd /app && CI=1 sh -c 'npx turbo run build --filter=web' && pnpm turbo build"
    assert [(c.tool, c.name, c.packages) for c in called_scripts(text)] == [
        ("npx", "turbo", ()),
        ("turbo", "build", ("web",)),
        ("pnpm", "turbo", ()),
        ("turbo", "build", ()),
    ]


def test_an_install_script_is_cut_as_a_shell_cuts_it() -> None:
    scripts = {"prepare": "npm run gen && sh -c 'a && b'", "gen": "x || true"}
    assert list(steps(scripts, "prepare")) == ["x", "true", "sh -c 'a && b'"]


def test_a_script_that_hands_on_to_another_package_tells_which() -> None:
    root = Package(path="", name="root", version="", manifest={"scripts": {"server": "yarn workspace @w/server"}})
    server = Package(path="server", name="@w/server", version="", manifest={"scripts": {"start": "node dist/x.js"}})
    start = start_of("yarn server start", root, [server])
    assert (start.words, start.package) == (("node", "dist/x.js"), "server")
    assert start_of("turbo run start --filter=@w/server", root, [server]).package == "server"
    assert start_of("npm start -w gone", root, [server]).reason == "it starts gone"


def test_a_variable_is_no_command() -> None:
    assert start_of(["${TARGET}", "start"], API).reason == "`${TARGET}` is a variable"


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("0", 0),
        ("8080", 8080),
        ("65535", 65535),
        ("65536", None),
        ("\u00b2", None),
        ("\u0663", None),
        ("9" * 5000, None),
        ("-1", None),
        ("", None),
    ],
)
def test_a_plain_number_is_one_of_ascii_digits_that_a_port_can_have(word: str, number: int | None) -> None:
    assert plain_number(word) == number
