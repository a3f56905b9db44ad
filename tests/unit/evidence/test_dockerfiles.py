"""A Dockerfile, stage by stage, with what it says about a process."""

from collections.abc import Iterable

import pytest

from bake.evidence import image_node
from bake.evidence.distribution import SystemPackage
from bake.evidence.dockerfiles import (
    Copied,
    asked_path,
    asked_port,
    final_stages,
    parse_dockerfile,
    substitute,
)


def test_each_stage_has_what_the_stages_below_it_have() -> None:
    text = """\
ARG NODE_VERSION=22.13.0
FROM node:${NODE_VERSION}-alpine AS base
WORKDIR /app
ENV DATA=/data PORT=4000
FROM base AS build
RUN npm run build
FROM base
ARG SUB=x
ENV LOGS=$DATA/$SUB
EXPOSE ${PORT}/tcp
USER node
VOLUME ["/data", "/cache"]
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
"""
    stages = parse_dockerfile(text)
    last = stages[-1]
    assert final_stages(stages) == (2,)
    assert (last.image, last.workdir, last.words) == ("node:22.13.0-alpine", "/app", ("node", "dist/server.js"))
    assert (last.ports, last.user, last.volumes) == ((4000,), "node", ("/data", "/cache"))
    assert last.env == {"DATA": "/data", "PORT": "4000", "LOGS": "/data/x"}
    assert [run.text for run in stages[1].runs] == ["npm run build"]
    assert parse_dockerfile(text, {"NODE_VERSION": "24"})[0].image == "node:24-alpine"


def test_every_stage_that_runs_and_is_used_by_no_other_is_an_image() -> None:
    text = """\
FROM node:24 AS base
FROM base AS test
CMD ["npm", "test"]
FROM base AS api
CMD ["node", "a.js"]
FROM base AS lint
RUN npm run lint
FROM base AS worker
CMD ["node", "b.js"]
"""
    stages = parse_dockerfile(text)
    assert [stages[at].name for at in final_stages(stages)] == ["test", "api", "worker"]


def test_a_command_in_shell_form_is_a_shells_and_an_entrypoint_takes_the_stage_below_its_command() -> None:
    text = 'FROM node:22\nCMD node \\\n  # the server\n  dist/main.js\nFROM node:22\nCMD ["a"]\nENTRYPOINT ["b"]\n'
    first, second = parse_dockerfile(text)
    assert first.words == ("sh", "-c", "node dist/main.js")
    assert second.words == ("b", "a")
    below = 'FROM node:22 AS x\nCMD ["a"]\nFROM x\nENTRYPOINT ["b"]\n'
    assert parse_dockerfile(below)[-1].words == ("b",)


def test_copies_tell_where_files_come_from() -> None:
    text = """\
FROM node:24 AS build
WORKDIR /src
COPY package*.json ./
COPY . .
RUN pnpm --filter @w/worker deploy --prod /prod/worker && mv dist /out
FROM node:24
WORKDIR /app
COPY --chown=node --from=build /prod/worker ./worker
COPY docker/start.sh .prettierignore ./
ADD ["scripts/a.sh", "/usr/local/bin/run"]
"""
    build, last = parse_dockerfile(text)
    assert build.copied == (
        Copied(place="/src", source="package*.json"),
        Copied(place="/src", source=".", into=True),
        Copied(place="/prod/worker", source="package:@w/worker"),
        Copied(place="/out", source="/src/dist", stage=0),
    )
    assert last.copied == (
        Copied(place="/app/worker", source="/prod/worker", stage=0),
        Copied(place="/app/start.sh", source="docker/start.sh", one=True),
        Copied(place="/app/.prettierignore", source=".prettierignore", one=True),
        Copied(place="/usr/local/bin/run", source="scripts/a.sh", one=True),
    )


def names(found: Iterable[SystemPackage]) -> list[str]:
    return [package.name for package in found]


def test_what_the_distribution_gives_and_which_folders_are_made_is_known() -> None:
    text = """\
FROM node:24-slim
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg openssl=3.0 \\
 && rm -rf /var/lib/apt/lists/*
RUN apk add --no-cache --virtual .build python3 && mkdir -p /data/uploads
"""
    last = parse_dockerfile(text)[-1]
    assert (names(last.system), last.folders) == (["ffmpeg", "openssl"], ("/data/uploads",))


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("apt-get install -y git gnupg && apt-get purge -y gnupg", [("git", True)]),
        (
            "apk add --no-cache git cairo nss weird~=1",
            [("git", True), ("libcairo2", True), ("libnss3", True), ("weird", False)],
        ),
        ("apt-get install -y libpq5 libpq-dev", [("libpq5", True), ("libpq-dev", False)]),
        ("dnf install -y git", [("git", False)]),
        ("DEBIAN_FRONTEND=noninteractive apt-get install -y git curl/bookworm", [("git", True), ("curl", True)]),
        ("if true; then sudo -E apt-get install -y git; fi && { apk add jq; }", [("git", True), ("jq", True)]),
        ("apt-get install -y foo- bar_ baz: g++", [("g++", True)]),
        ("apk add --no-cache --virtual=.build git", []),
        ("apt-get -qq install -t bookworm-backports $MORE git", [("git", True)]),
        (
            "echo deb https://x.example ./ > /etc/apt/sources.list.d/x.list && apt-get install -y google-chrome-stable",
            [("google-chrome-stable", False)],
        ),
    ],
)
def test_packages_are_certain_where_debians_archive_has_them_by_their_name(
    run: str, found: list[tuple[str, bool]]
) -> None:
    (stage,) = parse_dockerfile(f"FROM node:24\nRUN {run}\n")
    assert [(p.name, p.certain) for p in stage.system] == found


def test_a_file_that_a_here_document_writes_is_kept_and_one_that_is_run_is_not() -> None:
    text = "FROM node:24\nRUN cat <<'END' > /etc/a.conf\n[program:a]\nEND\n"
    text += "RUN <<END\napk add git\nEND\nCOPY <<E /b\nx\nE\n"
    last = parse_dockerfile(text)[-1]
    assert (last.written, names(last.system)) == ({"/etc/a.conf": "[program:a]\n", "/b": "x\n"}, ["git"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "1"),
        ("${A}b", "1b"),
        ("${B:-2}", "2"),
        ("${B-2}", "2"),
        ("${A:+3}", "3"),
        ("${B}", "${B}"),
        ("${E:-4}", "4"),
    ],
)
def test_variables_are_put_in_as_docker_does(text: str, value: str) -> None:
    assert substitute(text, {"A": "1", "E": ""}) == value


@pytest.mark.parametrize(
    ("check", "path", "port"),
    [
        ("CMD curl --fail http://localhost:4000/healthz || exit 1", "/healthz", 4000),
        ("node -e \"get('http://127.0.0.1:'+(process.env.PORT||8000)+'/healthz',f)\"", "/healthz", 8000),
        ('wget --spider "http://127.0.0.1:${PORT:-3000}/api/health" || exit 1', "/api/health", 3000),
        ("CMD curl -f http://localhost:8080/ || exit 1", "/", 8080),
        ("node -e \"fetch('http://localhost:3000/').then(f)\"", "/", 3000),
        ("CMD curl -f http://localhost:8080 || exit 1", "", 8080),
        ("CMD node healthcheck.js", "", None),
    ],
)
def test_a_health_check_tells_its_path_and_its_port(check: str, path: str, port: int | None) -> None:
    assert (asked_path(check), asked_port(check)) == (path, port)


@pytest.mark.parametrize(("name", "major"), [("node:24-slim", 24), ("ghcr.io/acme/node:v22", 22), ("acme/base:1", 0)])
def test_an_image_name_tells_nodes_version(name: str, major: int) -> None:
    assert image_node(name) == major


def test_a_file_that_ends_in_the_middle_of_an_instruction_is_read_to_its_end() -> None:
    (stage,) = parse_dockerfile("FROM node:24\r\nRUN a \\\r\n  && b \\\r\n")
    assert [run.text for run in stage.runs] == ["a && b"]
