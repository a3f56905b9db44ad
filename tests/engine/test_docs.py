"""The pages whose commands build: what they show is what the engine gives."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.test_docs import ENGINE, commands, example, run_here, workspace

pytestmark = pytest.mark.engine

__all__ = ["example", "workspace"]


@pytest.fixture
def built(workspace: Path) -> Iterator[Path]:
    """The workspace; the images that its commit's tag names are removed afterwards."""
    yield workspace
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=workspace, capture_output=True, text=True, check=True)
    images = [f"apphub-metastore:{head.stdout[:12]}", "apphub-metastore:dev"]
    subprocess.run(["docker", "image", "rm", "--force", *images], check=False, capture_output=True)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_a_page_shows_what_its_builds_print(page: str, built: Path) -> None:
    assert any(command.text in ENGINE for command in commands(page))
    for command in commands(page):
        run_here(command, engine=True)
