"""Where a path leads that a repository names."""

from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.files import is_inside, normal, read_text, require_inside


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        (".", ""),
        ("a/../b", "b"),
        ("a/..", ""),
        ("..", None),
        ("../a", None),
        ("a/../../b", None),
        ("packages/../../../../victim", None),
        ("/etc/passwd", None),
        ("//etc", None),
        ("a\0b", None),
    ],
)
def test_a_path_is_normal_or_leaves_the_workspace(path: str, plain: str | None) -> None:
    assert normal(path) == plain


def test_a_path_counts_from_the_folder_that_names_it() -> None:
    assert normal("../shared", folder="packages/a") == "packages/shared"
    assert normal("../../../x", folder="packages/a") is None


def test_links_within_the_workspace_are_inside_and_others_are_not(tmp_path: Path) -> None:
    root = tmp_path / "w"
    (root / "packages/a").mkdir(parents=True)
    (root / "near").symlink_to("packages/a")
    (root / "far").symlink_to(tmp_path)
    (root / "endless").symlink_to("endless")
    assert is_inside(root, "near/x")
    assert is_inside(root, "no/such/file")
    assert not is_inside(root, "far/x")
    assert not is_inside(root, "far")


def test_the_workspace_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "link").symlink_to("w")
    assert is_inside(tmp_path / "link", "a")


def test_a_complaint_tells_a_link_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/link").symlink_to(tmp_path)
    with pytest.raises(WorkspaceError) as caught:
        require_inside(tmp_path / "w", "../id_rsa", ".yarnrc.yml: yarnPath")
    assert str(caught.value) == (".yarnrc.yml: yarnPath: '../id_rsa' leads out of the workspace; name a path inside it")
    with pytest.raises(WorkspaceError) as caught:
        read_text(tmp_path / "w", "link/id_rsa")
    assert str(caught.value) == (
        "link/id_rsa: 'link/id_rsa' leads out of the workspace through a link; name a path inside it"
    )
