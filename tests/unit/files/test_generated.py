"""The folder of generated files."""

from pathlib import Path

from bake.files import write_files


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
