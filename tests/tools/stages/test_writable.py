"""docker/carve gives processes the folders that they write to."""

import json
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.plant import plant
from tests.tools.stages.test_carve import SCRIPT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def carve(home: Path, writable: Sequence[tuple[str, str]]) -> str:
    """Take a package's files; gives what is complained of."""
    plant(home / "app/api", {"package.json": "{}", "a.js": "", "data/seed.db": "x"})
    spec = {"path": "api", "files": None, "never": [], "leaves": [], "writable": writable}
    (home / "spec.json").write_text(json.dumps(spec))
    words = ("package", "--tree", home / "app", "--spec", home / "spec.json", "--out", home / "out")
    done = subprocess.run(["node", SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)
    return done.stderr


def owned(home: Path) -> dict[str, tuple[int, int, str]]:
    """Path -> owner and mode of what is not root's, or not 0755 or 0644."""
    found = {}
    for path in sorted((home / "out").rglob("*")):
        status = path.stat()
        about = (status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode)))
        if about not in ((0, 0, "0o755"), (0, 0, "0o644")):
            found[str(path.relative_to(home / "out"))] = about
    return found


def test_folders_are_made_and_given_with_all_that_is_in_them(tmp_path: Path) -> None:
    folders = [("/app/api/data", "1000:1000"), ("/app/api/uploads", "1000:1000"), ("/tmp", "1000:1000")]
    assert carve(tmp_path, folders) == ""
    assert owned(tmp_path) == {
        "app/api/data": (1000, 1000, "0o755"),
        "app/api/data/seed.db": (1000, 1000, "0o644"),
        "app/api/uploads": (1000, 1000, "0o755"),
    }
    assert {round(p.stat().st_mtime) for p in (tmp_path / "out").rglob("*") if p.is_dir()} == {946684800}


def test_what_lies_above_stays_as_base_images_have_it(tmp_path: Path) -> None:
    folders = [("/tmp/x", "1000"), ("/home/node/.cache", "1000:1000"), ("/var/run/api", "1000:1000")]
    assert carve(tmp_path, folders) == ""
    assert owned(tmp_path) == {
        "home/node": (1000, 1000, "0o755"),
        "home/node/.cache": (1000, 1000, "0o755"),
        "run/api": (1000, 1000, "0o755"),
        "tmp": (0, 0, "0o1777"),
        "tmp/x": (1000, 0, "0o755"),
    }


def test_roles_of_several_users_share_a_folder(tmp_path: Path) -> None:
    assert carve(tmp_path, [("/app/api/data", "1000:1000"), ("/app/api/data", "2000")]) == ""
    assert owned(tmp_path) == {
        "app/api/data": (1000, 1000, "0o777"),
        "app/api/data/seed.db": (1000, 1000, "0o666"),
    }


def test_a_user_that_the_base_of_builds_does_not_know_is_named(tmp_path: Path) -> None:
    assert carve(tmp_path, [("/data", "nobody-knows")]) == (
        'carve: nobody-knows is no user or group of base.build, so its number is not known; set user = "UID:GID"\n'
    )
