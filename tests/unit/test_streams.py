"""What leaves on stdout and stderr."""

import io
import sys

import pytest

from bake.console import Console
from bake.streams import Guarded, command, guarded, printable


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\tb\n", "a\tb\n"),
        ("\x1b[1;31mbake: error:\x1b[0m x", "\x1b[1;31mbake: error:\x1b[0m x"),
        ("\x1b[8mhidden\x1b[2J\x1b[1;1H", "hidden"),
        ("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\y", "xy"),
        ("\x1bPq\x1b\\z\x1b", "z"),
        ("a\rb\x08\x07\x00\x9b31m", "ab31m"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("größe 猫", "größe 猫"),
    ],
)
def test_nothing_that_acts_on_a_terminal_is_left(text: str, left: str) -> None:
    assert printable(text) == left


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["::set-output name=a::b\n"], ": :set-output name=a::b\n"),
        (["x\n", "  ::add-mask::y", "\n"], "x\n  : :add-mask::y\n"),
        (["a\r::stop-commands::x\n"], "a::stop-commands::x\n"),
        (["  ", "::debug::x\n"], "  : :debug::x\n"),
        (["a ::b\n", "##[add-mask]z\n"], "a ::b\n## [add-mask]z\n"),
    ],
)
def test_no_text_of_others_commands_the_runner(texts: list[str], left: str) -> None:
    stream = io.StringIO()
    guard = Guarded(stream, commands=True)
    for text in texts:
        guard.write(text)
    assert stream.getvalue() == left


def test_elsewhere_colons_are_colons() -> None:
    stream = io.StringIO()
    Guarded(stream, commands=False).write("::a\n##[b]\n")
    assert stream.getvalue() == "::a\n##[b]\n"


def test_names_that_are_no_text_are_written_all_the_same() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Guarded(stream, commands=False).write("\udcff ü\n")
    stream.seek(0)
    assert stream.read() == "\\udcff \\xfc\n"


def test_annotations_hold_what_they_are_given() -> None:
    told = command("warning", "100% of a\n::error::b", file="a,b:c%.json", line=3)
    assert told == "::warning file=a%2Cb%3Ac%25.json,line=3::100%25 of a%0A::error::b"


def test_a_group_of_others_text_cannot_be_left(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"GITHUB_ACTIONS": "true"}
    with guarded(environment):
        Console(environment=environment).group("steps\n::x", "::endgroup::\n::set-output name=a::b")
        Console(environment=environment).warn("b\n::c")
    assert capsys.readouterr().err.splitlines() == [
        "::group::steps%0A::x",
        ": :endgroup::",
        ": :set-output name=a::b",
        "::endgroup::",
        "::warning::bake: warning: b%0A::c",
    ]


def test_the_streams_are_as_before_afterwards() -> None:
    before = sys.stdout, sys.stderr
    with guarded({}):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
