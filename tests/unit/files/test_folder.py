"""The folder of generated files."""

import errno
import os
import threading
from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.files import HISTORY, read_chapter, read_file, write_chapter, write_file, write_files


def test_a_changed_file_of_the_same_length_has_another_time(tmp_path: Path) -> None:
    # BuildKit would go on with its old copy of the file otherwise.
    write_files(tmp_path, {"manifests/package.json": "1.0.1"})
    before = (tmp_path / "manifests/package.json").stat()
    write_files(tmp_path, {"manifests/package.json": "1.0.2"})
    after = (tmp_path / "manifests/package.json").stat()
    assert (before.st_size, after.st_size) == (5, 5)
    assert before.st_mtime != after.st_mtime


def test_the_time_of_a_file_depends_on_nothing_but_its_content(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_files(tmp_path / folder, {"tools/serve.mjs": "export {}\n"})
    assert len({(tmp_path / folder / "tools/serve.mjs").stat().st_mtime for folder in ("one", "two")}) == 1


HERE = {"Dockerfile": "FROM x\n", "manifests/package.json": "{}", "manifests/packages/a/package.json": "{}"}


@pytest.mark.parametrize("place", ["", "manifests", "manifests/packages", "manifests/packages/a", "plan", "tools"])
def test_a_folder_that_is_a_link_is_refused_and_nothing_behind_it_is_touched(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    (victim / "packages").mkdir(parents=True)
    (victim / "kept").write_text("mine")
    link = tmp_path / "w" / ".bake" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(victim)
    with pytest.raises(WorkspaceError) as caught:
        write_files(tmp_path / "w" / ".bake", {**HERE, "plan/layers.json": "{}", "tools/serve.mjs": ""})
    name = f".bake/{place}".rstrip("/")
    assert str(caught.value) == f"{name}: is a link, and bake writes through none; remove it"
    assert sorted(p.name for p in victim.rglob("*")) == ["kept", "packages"]


@pytest.mark.parametrize("name", [".gitignore", "Dockerfile", "manifests/package.json"])
def test_a_file_that_is_a_link_is_replaced_and_its_target_stays(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "authorized_keys"
    victim.write_text("mine")
    file = tmp_path / ".bake" / name
    file.parent.mkdir(parents=True)
    file.symlink_to(victim)
    write_files(tmp_path / ".bake", HERE)
    assert victim.read_text() == "mine"
    assert file.is_file()
    assert not file.is_symlink()


def test_no_name_of_a_new_file_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    new = f".new-{os.getpid()}-{threading.get_native_id()}-last-build.json"
    (tmp_path / ".bake").mkdir()
    (tmp_path / ".bake" / new).symlink_to(victim)
    write_file(tmp_path / ".bake", "last-build.json", b"{}")
    assert victim.read_text() == "mine"
    assert [p.name for p in (tmp_path / ".bake").iterdir()] == ["last-build.json"]


def test_what_earlier_runs_wrote_is_removed(tmp_path: Path) -> None:
    write_files(tmp_path, {**HERE, "plan/packages/a.json": "{}"})
    (tmp_path / "manifests" / ".new-1-2-package.json").write_text("killed")
    write_files(tmp_path, {"manifests/package.json": "{}"})
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        ".gitignore",
        "Dockerfile",
        "manifests",
        "manifests/package.json",
        "plan",
    ]


def test_what_bake_did_not_write_is_never_removed(tmp_path: Path) -> None:
    write_files(tmp_path / ".bake", HERE)
    (tmp_path / ".bake" / "tools").mkdir()
    (tmp_path / ".bake" / "tools" / "notes.md").write_text("mine")
    with pytest.raises(WorkspaceError) as caught:
        write_files(tmp_path / ".bake", HERE)
    assert str(caught.value) == ".bake/tools/notes.md: is not bake's, and builds would get it; remove it"
    assert (tmp_path / ".bake" / "tools" / "notes.md").read_text() == "mine"


def test_a_full_disk_names_the_file_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: str, _target: str, **_options: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_files(tmp_path, HERE)
    assert caught.value.filename == f"{tmp_path}/.gitignore"
    assert list(tmp_path.iterdir()) == []


def test_files_of_bake_are_not_read_through_links(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (tmp_path / ".bake").mkdir()
    (tmp_path / ".bake" / "last-build.json").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"last-build\.json"):
        read_file(tmp_path / ".bake", "last-build.json")


def test_a_chapter_of_the_history_leaves_the_others_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_chapter(tmp_path, "builds", {"a": 1})
    write_chapter(tmp_path, "made", {"b": [2]})
    write_chapter(tmp_path, "builds", {"a": 3})
    assert (read_chapter(tmp_path, "builds"), read_chapter(tmp_path, "made")) == ({"a": 3}, {"b": [2]})
    assert (tmp_path / HISTORY).stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyError):
        read_chapter(tmp_path, "account")
    for broken in ("{", "[]"):
        (tmp_path / HISTORY).write_text(broken)
        write_chapter(tmp_path, "made", {"b": 1})
        assert read_chapter(tmp_path, "made") == {"b": 1}
