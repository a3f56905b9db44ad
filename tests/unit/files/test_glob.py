"""What a glob names in a workspace."""

from pathlib import Path

import pytest

from bake.files import expand_glob


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("w/a/x.json", "w/a/b/y.json", "w/.git/z.json", "out/secret.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "w/link").symlink_to(tmp_path / "out")
    (tmp_path / "w/a/up").symlink_to("..")
    return tmp_path / "w"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ("a", "link")),
        ("a/*.json", ("a/x.json",)),
        ("**/*.json", ("a/b/y.json", "a/x.json")),
        ("**/**/**/**/**/**/**/**/**/**/*.json", ("a/b/y.json", "a/x.json")),
        ("*" * 40 + "a" + "*a" * 40, ()),
        ("link/*", ()),
        ("a/up/a/*.json", ("a/up/a/x.json",)),
        ("a/**b/*.json", ("a/b/y.json",)),
        ("[z-a]", ()),
        ("[", ()),
        ("", ()),
    ],
)
def test_a_glob_names_what_lies_in_the_workspace(root: Path, pattern: str, names: tuple[str, ...]) -> None:
    assert expand_glob(root, pattern, skip={".git"}) == names
