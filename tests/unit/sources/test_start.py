"""The plain process behind a start command."""

from collections.abc import Mapping

import pytest

from bake.sources import Start, start_of
from bake.workspace import Package


def package(scripts: Mapping[str, str] | None = None, path: str = "services/api", **fields: object) -> Package:
    manifest = {"scripts": scripts or {}, **fields}
    return Package(path=path, name=f"@w/{path.rpartition('/')[2]}", version="1.0.0", manifest=manifest)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("node dist/server.js", ("node", "dist/server.js")),
        ("cross-env NODE_ENV=production node dist/server.js", ("node", "dist/server.js")),
        ("NODE_ENV=development node dist/server.js", ("node", "dist/server.js")),
        ("dotenv -e ../../.env -- node dist/server.js", ("node", "dist/server.js")),
        ("doppler run --print-config -- node dist/server.js", ("node", "dist/server.js")),
        ("tsc && node dist/server.js", ("node", "dist/server.js")),
        ("node --env-file=.env --env-file-if-exists x dist/server.js", ("node", "dist/server.js")),
        ("tsx --env-file ../../.env src/x.ts", ("tsx", "src/x.ts")),
        ("npm run build && npm run serve -- --quiet", ("node", "dist/x.js", "--quiet")),
        ("npx tsx src/server.ts", ("tsx", "src/server.ts")),
        ("nest start", ("node", "dist/main")),
        ("./node_modules/.bin/next start", ("next", "start")),
        ("node .", ("node", "dist/index.js")),
        ("node dist/server.js --port ${PORT:-3000}", ("sh", "-c", "exec node dist/server.js --port ${PORT:-3000}")),
        ("yarn serve", ("node", "dist/x.js")),
        ("cd dist && graphile-worker -c 4", ("sh", "-c", "cd dist && exec graphile-worker -c 4")),
        ("cd dist && node x.js $PORT", ("sh", "-c", "cd dist && exec node x.js $PORT")),
        ("cd ../.. && node services/api/x.js", ("node", "services/api/x.js")),
    ],
)
def test_the_process_behind_a_script_is_found(script: str, words: tuple[str, ...]) -> None:
    own = package({"serve": "node dist/x.js", "build": "tsc"}, main="dist/index.js")
    assert start_of(script, own).words == words


@pytest.mark.parametrize(
    ("script", "words", "dropped"),
    [
        ("node --env-file=.env dist/a.js", ("node", "--env-file=.env", "dist/a.js"), ()),
        ("tsx --env-file ../../.env a.ts", ("tsx", "--env-file", "../../.env", "a.ts"), ()),
        (
            "node --env-file .env.local --env-file=.env a.js",
            ("node", "--env-file=.env", "a.js"),
            ("--env-file .env.local",),
        ),
        ("dotenv -- node a.js", ("dotenv", "--", "node", "a.js"), ()),
        ("dotenv -e ../../.env -- node a.js", ("dotenv", "-e", "../../.env", "--", "node", "a.js"), ()),
        ("env-cmd -f .env.local node a.js", ("node", "a.js"), ()),
    ],
)
def test_a_file_of_variables_that_git_tracks_is_read_as_before(
    script: str, words: tuple[str, ...], dropped: tuple[str, ...]
) -> None:
    start = start_of(script, package(), paths={".env", "services/api/.env"})
    assert (start.words, start.dropped) == (words, dropped)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("concurrently 'npm:a' 'npm:b'", "`concurrently` starts several processes"),
        ("func start", "`func` is for Azure Functions"),
        ("vite --port 3000", "`vite --port 3000` is for development"),
        ("tsx watch src/server.ts", "`tsx watch src/server.ts` is for development"),
        ("node a.js & node b.js", "`node a.js & node b.js` is a shell's program"),
        ("npm run nothing", "there is no script `nothing`"),
        ("", "it names no process"),
    ],
)
def test_what_is_no_single_process_says_why(script: str, reason: str) -> None:
    assert start_of(script, package()) == Start(reason=reason)


def test_what_a_script_runs_first_and_sets_is_kept() -> None:
    start = start_of("prisma migrate deploy && TZ=UTC node dist/server.js", package())
    expected = Start(words=("node", "dist/server.js"), env=(("TZ", "UTC"),), before=("prisma migrate deploy",))
    assert start == expected


def test_a_variable_is_set_to_what_it_is_when_nobody_says_otherwise() -> None:
    start = start_of(
        'cross-env PORT=${WEB_PORT:-3001} NODE_OPTIONS="${NODE_OPTIONS:-} -r ./env" HOST=$HOST node x', package()
    )
    assert start == Start(words=("node", "x"), env=(("PORT", "3001"), ("NODE_OPTIONS", "-r ./env")))


def test_a_script_of_another_package_is_followed() -> None:
    other = package({"start": "node dist/worker.js"}, path="services/worker")
    for words in (["npm", "start", "--workspace=@w/worker"], ["npm", "--prefix", "services/worker", "run", "start"]):
        assert start_of(words, package(), [other]).words == ("node", "dist/worker.js")


def test_a_folder_inside_another_package_is_gone_to_there() -> None:
    other = package({}, path="services/worker")
    start = start_of("cd services/worker/bin && ./run jobs", package(path=""), [other])
    assert (start.package, start.words) == ("services/worker", ("sh", "-c", "cd bin && exec ./run jobs"))


def test_scripts_that_call_each_other_end() -> None:
    assert start_of("npm start", package({"start": "npm start"})).reason == "it names no process"


def test_a_file_server_is_static() -> None:
    assert start_of("serve -s build", package()).static
    assert start_of("vite preview", package()).static
