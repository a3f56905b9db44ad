import shutil
import subprocess
from pathlib import Path

import pytest

from bake.cli import main
from bake.commands import COMMANDS

EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def complete(text: str, *words: str) -> set[str]:
    """What bash offers for the last word; `bake` itself is replaced by a function that names one image."""
    line = " ".join(f"'{w}'" for w in ("bake", *words))
    program = (
        f"bake() {{ echo all api; }}\n{text}\nCOMP_WORDS=({line}) COMP_CWORD={len(words)}\n"
        '_bake; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_bash_offers_commands_and_images_first(capsys: pytest.CaptureFixture[str]) -> None:
    text = script("bash", capsys)
    offered = complete(text, "")
    assert {*COMMANDS, "all", "api", "--push", "--version"} <= offered
    assert complete(text, "a") == {"affected", "all", "api"}


def test_bash_offers_a_commands_own_options_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    text = script("bash", capsys)
    assert complete(text, "build", "--pu") == {"--pull", "--push"}
    assert complete(text, "print", "--format", "") == {"hcl", "json", "dockerfile", "dockerignore"}
    assert complete(text, "completion", "z") == {"zsh"}
    assert "all" not in complete(text, "schema", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    assert all(name in text for name in COMMANDS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_names_come_from_bake_toml_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert script("targets", capsys) == ""
    (tmp_path / "bake.toml").write_text('[project]\nname="x"\n[services.a.roles.b]\n[services.a]\npackage="gone"\n')
    assert script("targets", capsys) == "all a a-b\n"
