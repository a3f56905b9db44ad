"""One run at a time in a workspace."""

import threading
from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.files import working_alone


def test_a_second_run_waits_and_says_for_whom(tmp_path: Path) -> None:
    said: list[str] = []
    order: list[str] = []
    waiting = threading.Event()

    def wait(text: str) -> None:
        said.append(text)
        waiting.set()

    def second() -> None:
        with working_alone(tmp_path / ".bake", ("bake", "b"), wait):
            order.append("second")

    with working_alone(tmp_path / ".bake", ("bake", "api", "--tag", "a"), said.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    (line,) = said
    assert line.startswith("waiting for `bake api --tag a` (process ")
    assert line.endswith("), which builds in this workspace")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".bake").mkdir()
    (tmp_path / ".bake" / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="lock"), working_alone(tmp_path / ".bake", ("bake",), print):
        pass
    assert not (tmp_path / "victim").exists()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".bake").symlink_to(tmp_path)
    with pytest.raises(WorkspaceError, match="is a link"), working_alone(tmp_path / ".bake", ("bake",), print):
        pass
