"""The tags of a commit are those of just that commit, and a checkout that git refuses gets none."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git_workspace import GitWorkspace, make_git_workspace


@pytest.fixture
def shop(tmp_path: Path) -> GitWorkspace:
    workspace = make_git_workspace(tmp_path / "shop")
    workspace.write(".gitignore", "node_modules/\n.bake/\n*.log\n")
    workspace.commit()
    return workspace


def bake(shop: GitWorkspace, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bake", *words], cwd=shop.root, env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def tag(shop: GitWorkspace, *words: str) -> str:
    """The tag of the first image."""
    done = bake(shop, "api", "--dry-run", "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)[0]["reference"]).rpartition(":")[2]


@pytest.mark.parametrize(
    ("change", "marked"),
    [
        (lambda shop: shop.write("services/api/src/index.ts", "export const a = 1;\n"), True),
        (lambda shop: shop.write("services/api/src/new.ts", ""), True),
        (lambda shop: shop.git("mv", "services/api/src/index.ts", "services/api/src/main.ts"), True),
        (lambda shop: shop.git("rm", "-q", "packages/lib/src/index.ts"), True),
        (lambda shop: shop.lock({"left": "1.1.0"}), True),
        (lambda shop: shop.replace("bake.toml", "dist/server.js", "dist/main.js"), True),
        (lambda shop: shop.write("README.md", "# Our shop\n"), False),
        (lambda shop: shop.write(".github/workflows/ci.yml", "on: push\n"), False),
        (lambda shop: shop.write("services/api/src/debug.log", "x"), False),
        (lambda _: None, False),
    ],
    ids=["edited", "new", "renamed", "deleted", "lockfile", "bake.toml", "document", "workflow", "ignored", "clean"],
)  # fmt: skip
def test_a_tag_of_a_commit_says_when_builds_see_what_the_commit_does_not_have(
    shop: GitWorkspace, change: Callable[[GitWorkspace], object], *, marked: bool
) -> None:
    sha = shop.git("rev-parse", "HEAD")[:12]
    shop.git("tag", "v1.2.3")
    change(shop)
    assert tag(shop) == (f"{sha}-dirty" if marked else sha)
    assert tag(shop, "--tag", "v{version}") == ("v1.2.3-dirty" if marked else "v1.2.3")
    assert tag(shop, "--tag", "{branch}") == "main"


def test_a_checkout_that_git_refuses_is_named_with_the_command_that_helps(shop: GitWorkspace) -> None:
    done = bake(shop, "api", "--dry-run", GIT_TEST_ASSUME_DIFFERENT_OWNER="1", GIT_CONFIG_GLOBAL="/dev/null")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"bake: error: {shop.root}: git refuses this checkout, which belongs to another user; "
        f"run `git config --global --add safe.directory {shop.root}`\n"
    )


def test_a_checkout_that_git_cannot_read_is_not_taken_for_none(shop: GitWorkspace) -> None:
    (shop.root / ".git" / "HEAD").write_text("nonsense")
    done = bake(shop, "api", "--dry-run")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"bake: error: {shop.root}: git cannot read this checkout (")


def test_a_folder_without_git_gets_a_tag_of_no_commit(shop: GitWorkspace) -> None:
    (shop.root / ".git").rename(shop.root.parent / "elsewhere")
    assert tag(shop) == "dev"
