"""What is said on stderr, and in which colour."""

import sys

import pytest

from bake.console import painted


class Terminal:
    """stderr as a person has it."""

    def __init__(self, *, watched: bool) -> None:
        self.watched = watched

    def isatty(self) -> bool:
        return self.watched


@pytest.mark.parametrize(
    ("watched", "environment", "text"),
    [
        (True, {}, "\x1b[1;31mbake: error:\x1b[0m"),
        (True, {"NO_COLOR": "1"}, "bake: error:"),
        (True, {"NO_COLOR": ""}, "\x1b[1;31mbake: error:\x1b[0m"),
        (True, {"TERM": "dumb"}, "bake: error:"),
        (False, {}, "bake: error:"),
    ],
)
def test_errors_are_red_for_a_person_who_wants_colours(
    monkeypatch: pytest.MonkeyPatch, watched: bool, environment: dict[str, str], text: str
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal(watched=watched))
    assert painted("bake: error:", "red", environment) == text
