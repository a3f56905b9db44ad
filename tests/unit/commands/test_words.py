"""Options and words in any order, and what follows `--` handed on as it is."""

import socket

import pytest

from bake.commands import command_parser
from bake.commands.debug import debug_words
from bake.commands.run import docker_words, is_taken
from bake.plan import Plan


@pytest.mark.parametrize(
    ("line", "container", "words"),
    [
        ("api --container x -- ls -l", "x", ["ls", "-l"]),
        ("--container x api -- ls -l", "x", ["ls", "-l"]),
        ("api -- ls --container x", None, ["ls", "--container", "x"]),
        ("api -- -- ls", None, ["--", "ls"]),
        ("api --container x", "x", []),
        ("api ls --container x", "x", ["ls"]),
    ],
)
def test_options_stand_before_or_behind_the_image_and_words_follow(
    line: str, container: str | None, words: list[str]
) -> None:
    parsed = command_parser("debug").parse_args(line.split())
    assert (parsed.target, parsed.container, parsed.words) == ("api", container, words)


@pytest.mark.parametrize(
    ("command", "line", "field", "value"),
    [
        ("build", "api --tag x worker", "targets", ["api", "worker"]),
        ("build", "--push api --platform linux/amd64 worker", "targets", ["api", "worker"]),
        ("build", "--push", "targets", []),
        ("why", "api --since HEAD zod", "what", "zod"),
        ("inspect", "api --pushed fastify", "package", "fastify"),
        ("inputs", "api --format json worker", "names", ["api", "worker"]),
        ("builder", "--format json status", "action", "status"),
        ("run", "api -e A=1 -- node x.js", "words", ["node", "x.js"]),
    ],
)
def test_words_stand_on_both_sides_of_options(command: str, line: str, field: str, value: object) -> None:
    assert getattr(command_parser(command).parse_args(line.split()), field) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("debug --container x", "the following arguments are required: IMAGE"),
        ("debug -- ls", "the following arguments are required: IMAGE"),
        ("run api --nope -- ls", "unrecognized arguments: --nope"),
        ("build api --plattform linux/amd64", "unrecognized arguments: --plattform linux/amd64"),
    ],
)
def test_what_is_missing_or_unknown_is_named(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *words = line.split()
    with pytest.raises(SystemExit, match="2"):
        command_parser(command).parse_args(words)
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {message}")


def test_the_help_tells_of_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command_parser("debug").parse_args(["--help"])
    assert " IMAGE [-- ARG ...]" in " ".join(capsys.readouterr().out.split())


def test_docker_gets_the_words_settings_and_port_as_they_were_given(example_plan: Plan) -> None:
    words = docker_words(example_plan.image("metastore"), "m:dev", ["node", "-v"], ["A=1"], publish=81, files=[".env"])
    assert words[:3] == ["docker", "run", "--rm"]
    assert words[-8:] == ["--publish=81:4100", "--env-file", ".env", "--env", "A=1", "m:dev", "node", "-v"]
    assert debug_words("c", "node:24", "/app", ["ls", "-l"])[-4:] == ["sh", "/app", "ls", "-l"]


def test_a_port_is_taken_while_a_program_listens_there() -> None:
    with socket.create_server(("", 0)) as server:
        port = int(server.getsockname()[1])
        assert is_taken(port)
    assert not is_taken(port)
