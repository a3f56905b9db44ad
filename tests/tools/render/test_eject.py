import subprocess
from pathlib import Path

import pytest

from bake import __version__
from bake.cli import main
from bake.project import EJECTED, TEMPLATES
from bake.render import behind, make_ejected, strip_header, template_text
from tests.tools.guess.test_init import API, workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"bake.toml": '[project]\nname = "x"\n[services.api]\npackage = "services/api"\n'}
    monkeypatch.chdir(workspace(tmp_path, {"services/api": API}, **files))
    return tmp_path


def test_a_copy_renders_what_the_original_renders(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    formats = ("hcl", "dockerfile")
    before = [(main(["print", "--format", f]), capsys.readouterr().out) for f in formats]
    assert main(["eject"]) == 0
    assert (root / EJECTED / TEMPLATES[0]).is_file()
    capsys.readouterr()
    assert [(main(["print", "--format", f]), capsys.readouterr().out) for f in formats] == before


def test_a_changed_copy_is_what_bake_renders(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["eject", "-q"])
    file = root / EJECTED / "docker/Dockerfile"
    file.write_text(file.read_text() + "# mine\n")
    main(["print", "--format", "dockerfile"])
    captured = capsys.readouterr()
    assert captured.out.endswith("# mine\n")
    assert captured.err == ""


def test_a_copy_is_behind_once_the_original_changes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["eject", "-q"])
    older = template_text("docker/Dockerfile").replace("# 1. Everything", "# 1. All")
    file = root / EJECTED / "docker/Dockerfile"
    file.write_text(make_ejected("docker/Dockerfile", older + "# mine\n", "0.0.9"))
    (root / EJECTED / "original/docker/Dockerfile").write_text(older)
    capsys.readouterr()

    assert main(["list", "-q"]) == 0
    told = f"{EJECTED}/docker/Dockerfile: bake's own has changed since it was copied; see `bake eject --diff`"
    assert capsys.readouterr().err == f"bake: warning: {told}\n"
    assert main(["eject", "--diff"]) == 1
    patch = capsys.readouterr().out
    assert "-# 1. All" in patch
    assert "mine" not in patch

    subprocess.run(["patch", "-p0", "-s"], input=patch, text=True, check=True)
    assert main(["eject", "--current", "-q"]) == 0
    assert main(["eject", "--diff"]) == 0
    assert strip_header(file.read_text()) == template_text("docker/Dockerfile") + "# mine\n"


def test_copies_are_not_written_over_unasked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["eject", "-q"])
    (root / EJECTED / "docker/Dockerfile").write_text("FROM mine\n")
    assert main(["eject"]) == 2
    assert capsys.readouterr().err.startswith(f"bake: error: {EJECTED}/docker/Dockerfile, ")
    assert main(["eject", "--force", "-q"]) == 0
    assert (root / EJECTED / "docker/Dockerfile").read_text().startswith("{#- bake eject: docker/Dockerfile of bake ")


def test_the_header_names_version_and_original() -> None:
    text = make_ejected("a", "body\n", __version__)
    assert f"a of bake {__version__}, sha256 " in text
    assert strip_header(text) == "body\n"
    assert behind({"a": text}, {"a": "body\n"}) == ()
    assert behind({"a": text}, {"a": "other\n"}) == ("a",)
    assert behind({"a": "no header\n"}, {"a": "other\n"}) == ()
