"""Temporary folders: gone at the end, and those that a killed run left are gone with the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bake.files import scratch_folder
from bake.files.scratch import sweep_scratch

HOLDS = """
from bake.files import scratch_folder
with scratch_folder() as folder:
    (folder / "images.tar").write_text("x")
    print(folder.parent, flush=True)
    input()
"""


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_holds_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", HOLDS]
    with subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        left = Path(running.stdout.readline().strip())
        with scratch_folder() as own:
            assert {left, own.parent} == {*tmp_path.iterdir()}
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert (left / "work/images.tar").exists()
    with scratch_folder() as own:
        assert [own.parent] == [*tmp_path.iterdir()]
    assert [*tmp_path.iterdir()] == []


def test_what_bake_did_not_make_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/lock").touch()
    (tmp_path / "bake-run-link").symlink_to(tmp_path / "victim")
    (tmp_path / "bake-run-notes").mkdir()
    before = {*tmp_path.rglob("*")}
    sweep_scratch(tmp_path)
    assert {*tmp_path.rglob("*")} == before
