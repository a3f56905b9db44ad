"""BuildKit's live display and what is kept back of it."""

import os
import pty
import subprocess
import sys

import pytest

from bake.engine import Progress
from bake.engine.display import Display, watched

FAILURE = """\
------
 > [build-services-api 2/2] RUN --mount=type=cache,id=bake-npm,target=/root/.npm     npm run build:
2.166\x20
2.166 > tsc -b
57.00 src/a.ts(39,7): error TS2322: Type 'string' is not assignable to type 'number'.
------
Dockerfile:72
--------------------
  71 |     WORKDIR /app/services/api
  72 | >>> RUN npm run build
--------------------
ERROR: failed to solve: process "/bin/sh -c npm run build" did not complete successfully: exit code: 2
"""
SCREEN = "\x1b[31m => ERROR [build-services-api 2/2] RUN npm run build\n => => # ERROR: no end\n ------\n\x1b[?25h"


@pytest.mark.parametrize("size", [1, 3, 7, 64, 10_000])
def test_the_end_of_a_failed_build_is_kept_back_in_whatever_pieces_it_comes(size: int) -> None:
    display, data = Display(), (SCREEN + FAILURE).encode()
    shown = b"".join(display.feed(data[i : i + size]) for i in range(0, len(data), size))
    assert (shown + display.rest()).decode() == SCREEN
    assert display.closing == FAILURE


def test_an_error_without_a_step_is_kept_back_too() -> None:
    display = Display()
    assert display.feed(b"ERROR: invalid override key foo, expected target.name\n") == b""
    assert display.closing == "ERROR: invalid override key foo, expected target.name\n"


@pytest.mark.parametrize("size", [1, 5])
def test_the_display_of_a_build_that_succeeds_is_shown_whole(size: int) -> None:
    display, data = Display(), (SCREEN + "done\n------\n > ").encode()[:-1]
    shown = b"".join(display.feed(data[i : i + size]) for i in range(0, len(data), size))
    assert shown + display.rest() == data
    assert display.closing == ""


def test_the_step_that_failed_is_read_from_the_end() -> None:
    progress = Progress()
    progress.feed_closing(FAILURE, target="api")
    step = progress.failed()
    assert step is not None
    assert (step.stage, step.targets) == ("build-services-api", {"api"})
    assert step.what == "RUN --mount=type=cache,id=bake-npm,target=/root/.npm     npm run build"
    assert step.error.endswith("exit code: 2")
    assert "".join(step.log).splitlines() == [
        "",
        "> tsc -b",
        "src/a.ts(39,7): error TS2322: Type 'string' is not assignable to type 'number'.",
    ]


def test_processes_see_a_terminal_of_the_same_width_and_their_last_words_come_before_what_follows() -> None:
    master, slave = pty.openpty()
    display, real = Display(), os.dup(slave)
    code = "import os, sys; print(os.isatty(2), os.get_terminal_size(2).columns, file=sys.stderr)"
    subprocess.run(["stty", "cols", "93"], stdin=slave, check=True)
    with watched(display, slave):
        subprocess.run([sys.executable, "-c", code], stderr=slave, check=True)
    os.write(slave, b"after\n")
    with os.fdopen(os.dup(master), "rb", buffering=0) as lines:
        assert [lines.readline() for _ in range(2)] == [b"True 93\r\n", b"after\r\n"]
    for each in (master, slave, real):
        os.close(each)
