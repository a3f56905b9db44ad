"""What a build leaves for people: the step's summary on GitHub, and a page, from a real engine and registry."""

import json
from pathlib import Path

import pytest

from tests.engine.conftest import Workspace

pytestmark = pytest.mark.engine


def test_a_build_and_two_pushes_are_told_in_the_summary_and_on_a_page(
    tiny_workspace: Workspace, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"

    def bake(*words: str) -> str:
        done = tiny_workspace.bake(*words, GITHUB_STEP_SUMMARY=str(summary))
        assert done.returncode == 0, done.stderr
        text = summary.read_text("utf-8") if summary.exists() else ""
        summary.unlink(missing_ok=True)
        return text

    text = bake("all", "--no-cache")
    assert text.startswith(f"### {tiny_workspace.project}: 2 images in ")
    assert f"| `{tiny_workspace.project}-api:" in text
    assert "```mermaid\ngantt\n" in text
    assert "last push" not in text
    assert bake("report", "--html", "loaded.html") == ""
    assert_page(tiny_workspace, "loaded.html", "not pushed")

    assert "last push" not in bake("all", "--push")
    tiny_workspace.write("services/api/data.json", json.dumps([i * i for i in range(9999)]))
    tiny_workspace.commit()
    text = bake("all", "--push")
    changes = text[text.index("#### Size since the last push") :]
    assert "| `api` | " in changes
    assert " | +" in changes
    assert "| `worker` | " not in changes
    bake("report", "--html", "pushed.html")
    assert_page(tiny_workspace, "pushed.html", "pushed")


def assert_page(workspace: Workspace, name: str, where: str) -> None:
    """The page has both images, their layers and sizes."""
    page = (workspace.root / name).read_text("utf-8")
    assert f"linux/amd64, {where}</p>" in page
    assert '<th scope="row">base image</th>' in page
    assert '<th scope="row">libraries/common</th>' in page
    assert 'id="slow">What made this build slow</h2>' in page
    assert "compressed, " in page
    assert '<th scope="row">services/worker</th>' in page
    assert page.count("<td>linux/amd64</td>") >= 2
    assert "if nothing were shared" in page
    assert "<svg " in page
