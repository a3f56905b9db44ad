"""What shells offer behind `bake`; they run what `bake completion` prints."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bake.cli import main
from bake.commands import COMMANDS


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.fixture
def bash(capsys: pytest.CaptureFixture[str]) -> str:
    return script("bash", capsys)


BAKE = 'bake() { case "$2" in (targets) printf "all\\napi\\n" ;; (images) printf "api-web\\n" ;; esac; }'


def offered(text: str, *words: str, cwd: Path | None = None) -> set[str]:
    """What bash offers for the last word; `bake` itself is a function that names one service and its image."""
    line = " ".join(f"'{w}'" for w in ("bake", *words))
    program = (
        f"{BAKE}\n{text}\ncompopt() {{ :; }}\nCOMP_WORDS=({line}) COMP_CWORD={len(words)}\n"
        '_bake; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, cwd=cwd)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_offers_commands_and_targets_first(bash: str) -> None:
    assert offered(bash, "") == {*COMMANDS, "all", "api"}
    assert offered(bash, "a") == {"affected", "all", "api", "audit"}
    assert {"--push", "--version", "--file", "-q"} <= offered(bash, "-")


def test_bash_goes_on_with_targets_where_the_command_is_left_out(bash: str) -> None:
    assert offered(bash, "api", "a") == {"all", "api"}
    assert offered(bash, "api", "--pu") == {"--pull", "--push"}
    assert offered(bash, "--format", "") == {"table", "json"}


def test_bash_offers_a_commands_own_options_and_values(bash: str) -> None:
    assert offered(bash, "build", "--pu") == {"--pull", "--push"}
    assert offered(bash, "print", "--format", "") == {"hcl", "json", "dockerfile", "dockerignore"}
    assert offered(bash, "completion", "z") == {"zsh"}
    assert offered(bash, "-q", "") == {*COMMANDS, "all", "api"}
    assert offered(bash, "-q", "build", "a") == {"all", "api"}
    assert offered(bash, "schema", "") == set()


@pytest.mark.parametrize("command", ["inspect", "why"])
def test_bash_offers_images_where_one_is_wanted(bash: str, command: str) -> None:
    assert offered(bash, command, "") == {"api-web"}


@pytest.mark.parametrize("words", [("list", "--file"), ("promote",), ("merge",), ("build", "--timeline")])
def test_bash_offers_files_where_one_is_wanted(tmp_path: Path, bash: str, words: tuple[str, ...]) -> None:
    (tmp_path / "release.json").write_text("")
    assert offered(bash, *words, "rel", cwd=tmp_path) == {"release.json"}


def fish(text: str, line: str, cwd: Path) -> set[str]:
    program = f"{FISH_BAKE}\n{text}\ncomplete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, check=True, cwd=cwd)
    assert done.stderr == ""
    return {offer.split("\t")[0] for offer in done.stdout.splitlines()}


FISH_BAKE = """
function bake
  switch $argv[2]
    case targets; printf 'all\\napi\\n'
    case images; echo api-web
  end
end"""


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_offers_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "release.json").write_text("")
    text = script("fish", capsys)
    assert fish(text, "bake ", tmp_path) == {*COMMANDS, "all", "api"}
    assert fish(text, "bake api a", tmp_path) == {"all", "api"}
    assert fish(text, "bake api --pu", tmp_path) == {"--pull", "--push"}
    assert fish(text, "bake print --format ", tmp_path) == {"hcl", "json", "dockerfile", "dockerignore"}
    assert fish(text, "bake inspect ", tmp_path) == {"api-web"}
    assert fish(text, "bake promote rel", tmp_path) == {"release.json"}
    assert fish(text, "bake list --file rel", tmp_path) == {"release.json"}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    text = script("zsh", capsys)
    subprocess.run(["zsh", "-n"], input=text, text=True, check=True)
    assert '  "*:images, services, \\`all\\` or patterns (default\\: all):_bake_targets"\n' in text


def test_names_come_from_bake_toml_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert script("targets", capsys) == "\n"
    (tmp_path / "bake.toml").write_text('[project]\nname="x"\n[services.a.roles.b]\n[services.a]\npackage="gone"\n')
    assert script("targets", capsys) == "all\na\na-b\n"
    assert script("images", capsys) == "a-b\n"
