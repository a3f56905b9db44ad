"""Secrets as steps of the Dockerfile mount them."""

import dataclasses
import re
from pathlib import Path

import pytest

from bake.config import parse_config
from bake.errors import ConfigError, WorkspaceError
from bake.plan import Cache, Request, make_plan, name_images
from bake.project import load_project
from bake.render import render_bake_file, render_dockerfile
from tests.git_workspace import CONFIG, make_git_workspace

MINIMAL = '[project]\nname = "x"\n[services.a]\npackage = "a"\n'
EXAMPLE = Path(__file__).parents[3] / "examples" / "apphub"


TURNS = 'secret    = ["id=bake-turns,env=BAKE_TURNS"]'
"""The only secret of the example."""


def rendered(secrets: str, **places: str) -> tuple[str, str]:
    """Dockerfile and bake file of the example with these secrets."""
    project = load_project(EXAMPLE / "bake.toml", {})
    config = parse_config((EXAMPLE / "bake.toml").read_text("utf-8") + secrets)
    project = dataclasses.replace(project, config=config, secrets=places)
    plan = make_plan(project, Request())
    return render_dockerfile(project, plan), render_bake_file(project, plan, name_images(project, plan), Cache())


def steps(dockerfile: str) -> list[str]:
    """RUN instructions that run npm."""
    joined = dockerfile.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("RUN") and re.search(r"\bnpm (ci|run)\b", line)]


@pytest.mark.parametrize(
    ("target", "place"), [("", "/run/secrets/ca"), ('target = "/etc/our-ca.pem"', "/etc/our-ca.pem")]
)
def test_installs_and_builds_trust_the_bundle_where_it_is_mounted(target: str, place: str) -> None:
    dockerfile, _ = rendered(f'\n[secrets.ca]\nfile = "ca.pem"\n{target}\n', ca="src=/somewhere/ca.pem")
    found = steps(dockerfile)
    assert {bool(re.search("npm ci", s)) for s in found} == {True, False}
    for step in found:
        assert f"NODE_EXTRA_CA_CERTS={place} SSL_CERT_FILE={place} npm" in step
        assert f"--mount=type=secret,id=ca,target={place},required=true" in step


def test_without_a_bundle_nothing_is_said_of_one() -> None:
    assert "NODE_EXTRA_CA_CERTS" not in rendered("")[0]


def test_an_optional_secret_that_is_absent_is_no_part_of_the_bake_file() -> None:
    dockerfile, bake_file = rendered('\n[secrets.npmrc]\nfile = "~/.npmrc"\nrequired = false\n')
    assert TURNS in bake_file
    assert all("--mount=type=secret,id=npmrc,target=/root/.npmrc " in step for step in steps(dockerfile))


def test_only_the_place_of_a_secret_is_written_down() -> None:
    _, bake_file = rendered('\n[secrets.token]\nenv = "TOKEN"\nvariable = "TOKEN"\n', token="env=TOKEN")
    assert 'secret    = ["id=token,env=TOKEN", "id=bake-turns,env=BAKE_TURNS"]' in bake_file


@pytest.mark.parametrize(
    "target", ["/etc/our ca.pem", "/a,required=false", "/a'b", "/$HOME/x", "relative", "/a\\nRUN x"]
)
def test_a_place_that_a_mount_cannot_take_is_refused(target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(
            f'[project]\nname = "x"\n[services.a]\npackage = "a"\n[secrets.ca]\nfile = "c"\ntarget = "{target}"'
        )
    (line,) = caught.value.complaints
    assert line.startswith("bake.toml: secrets.ca.target: ")
    assert line.endswith("is not an absolute path without spaces, commas, quotes, `$` and `\\`")


@pytest.mark.parametrize(("place", "told"), [("", '"git"'), ("src=/home/me/key", '"git=/home/me/key"')])
def test_git_logs_in_by_an_agent_or_a_key_that_no_layer_holds(place: str, told: str) -> None:
    dockerfile, bake_file = rendered("\n[secrets.git]\nssh = true\n", git=place)
    assert f"ssh       = [{told}]" in bake_file
    assert TURNS in bake_file
    for step in steps(dockerfile):
        assert "--mount=type=ssh,id=git,required=true" in step
    assert "GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=accept-new' npm ci" in dockerfile


def test_ssh_goes_with_a_file_or_alone() -> None:
    with pytest.raises(ConfigError) as caught:
        rendered('\n[secrets.git]\nssh = true\nenv = "KEY"\n')
    assert caught.value.complaints == ("bake.toml: secrets.git: ssh goes with `file` alone, or with nothing",)


def test_an_agent_that_does_not_run_is_said_before_a_build(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    shop.write("bake.toml", f"{CONFIG}\n[secrets.git]\nssh = true\n")
    absent = load_project(shop.root / "bake.toml", {}).absent
    assert absent == ("bake.toml: secrets.git: $SSH_AUTH_SOCK is not set; provide it or set required = false",)
    assert load_project(shop.root / "bake.toml", {"SSH_AUTH_SOCK": "/tmp/agent"}).absent == ()


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ('[workspace]\nroot = "link"\n', "bake.toml: workspace.root: 'link'"),
        ('[monolith]\ncontext = "link"\n', "bake.toml: monolith.context: 'link'"),
        ('[monolith]\ndockerfile = "link/x"\n', "bake.toml: monolith.dockerfile: 'link/x'"),
    ],
)
def test_folders_of_bake_toml_that_are_links_out_are_refused(tmp_path: Path, lines: str, where: str) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/link").symlink_to(tmp_path)
    (tmp_path / "w/bake.toml").write_text(MINIMAL + lines)
    (tmp_path / "w/package.json").write_text("{}")
    with pytest.raises(WorkspaceError) as caught:
        load_project(tmp_path / "w/bake.toml", {})
    assert str(caught.value) == f"{where} leads out of the workspace through a link; name a path inside it"
