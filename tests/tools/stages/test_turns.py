"""docker/turns.mjs lets builds take turns."""

import json
import os
import select
import subprocess
from pathlib import Path
from typing import IO

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "turns.mjs"


class Turns:
    """Builds that share a folder, each of which says that it began and ends when it is let go."""

    def __init__(self, folder: Path, concurrency: int, **weights: int) -> None:
        self.folder, self.places = folder, folder / "turns"
        self.places.mkdir()
        plan = {"concurrency": concurrency, "weights": weights, "holdable": ["compiler"]}
        (folder / "turns.json").write_text(json.dumps(plan))

    def start(self, name: str, *commands: str) -> "subprocess.Popen[str]":
        known = {"TURNS_FOLDER": str(self.places), "TURNS_PLAN": str(self.folder / "turns.json")}
        return subprocess.Popen(
            ["node", str(SCRIPT), name, *(commands or ("echo begun", "read line"))],
            text=True,
            env={**os.environ, **known},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def line(stream: "IO[str] | None") -> str:
    """The next line of a build, which is there before long."""
    assert stream is not None
    assert select.select([stream], [], [], 60)[0]
    return stream.readline()


def end(build: "subprocess.Popen[str]") -> tuple[str, str]:
    return build.communicate("\n", timeout=60)


def test_of_those_that_wait_the_one_begins_that_most_waits_for(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1, first=30, heavy=20, light=1)
    first = turns.start("first")
    assert line(first.stdout) == "begun\n"
    light, heavy = turns.start("light"), turns.start("heavy:unpack")
    assert [line(light.stderr), line(heavy.stderr)] == ["bake: waits for its turn\n"] * 2
    end(first)

    assert (line(heavy.stderr), line(heavy.stdout)) == ("bake: its turn\n", "begun\n")
    assert [each.suffix for each in sorted(turns.places.iterdir())] == [".runs", ".waits"]
    end(heavy)
    assert end(light) == ("begun\n", "bake: its turn\n")
    assert list(turns.places.iterdir()) == []


def test_the_one_that_most_waits_for_begins_beside_others_but_not_beside_twice_as_many(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1, light=1, heavy=20, heavier=30)
    light = turns.start("light")
    assert line(light.stdout) == "begun\n"
    heavy = turns.start("heavy")
    assert line(heavy.stdout) == "begun\n"
    heavier = turns.start("heavier")
    assert line(heavier.stderr) == "bake: waits for its turn\n"
    end(light)

    assert (line(heavier.stderr), line(heavier.stdout)) == ("bake: its turn\n", "begun\n")
    assert [end(heavy), end(heavier)] == [("", ""), ("", "")]


def test_a_compiler_is_held_while_others_run_that_more_waits_for(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1, compiler=1, heavy=20)
    compiler = turns.start("compiler", "echo begun", "cat >&2")
    assert line(compiler.stdout) == "begun\n"
    heavy = turns.start("heavy")
    assert (line(heavy.stdout), line(compiler.stderr)) == ("begun\n", "bake: makes way\n")
    assert compiler.stdin is not None
    compiler.stdin.write("what a held process does not read\n")
    compiler.stdin.flush()
    end(heavy)

    assert compiler.communicate(timeout=60) == ("", "bake: goes on\nwhat a held process does not read\n")
    assert compiler.returncode == 0


@pytest.mark.parametrize("name", ["bundler", "compiler:unpack"])
def test_what_is_no_compiler_is_never_held(tmp_path: Path, name: str) -> None:
    turns = Turns(tmp_path, 1, bundler=1, compiler=1, heavy=20)
    bundler = turns.start(name)
    assert line(bundler.stdout) == "begun\n"
    heavy = turns.start("heavy")
    assert line(heavy.stdout) == "begun\n"

    assert [end(bundler), end(heavy)] == [("", ""), ("", "")]


def test_a_place_of_a_build_that_was_killed_is_free(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1)
    killed = turns.places / "000999999999999-001700000000000-a.runs"
    killed.write_text("")
    os.utime(killed, (1, 1))

    assert turns.start("next", "echo begun").communicate(timeout=60) == ("begun\n", "")
    assert list(turns.places.iterdir()) == []


def test_commands_run_as_long_as_they_go_well_and_their_status_is_passed_on(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1)

    failed = turns.start("a", "echo one", "exit 3", "echo two")
    assert failed.communicate(timeout=60) == ("one\n", "")
    assert failed.returncode == 3
    killed = turns.start("a", "kill -9 $$")
    killed.communicate(timeout=60)
    assert killed.returncode == 137
    assert list(turns.places.iterdir()) == []


def test_a_build_runs_at_once_where_the_folder_or_the_plan_is_missing(tmp_path: Path) -> None:
    known = {"TURNS_FOLDER": str(tmp_path / "no"), "TURNS_PLAN": str(tmp_path / "no.json")}
    done = subprocess.run(
        ["node", str(SCRIPT), "a", "echo begun"],
        capture_output=True,
        text=True,
        env={**os.environ, **known},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n", "")
