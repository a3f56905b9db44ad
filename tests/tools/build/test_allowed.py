"""Secrets from outside the workspace are mounted when a person said so, once."""

import dataclasses
import json
from pathlib import Path

import pytest

from bake.allowed import require_allowed
from bake.console import Console
from bake.errors import ConfigError
from bake.project import Project
from bake.session import Session


def session(project: Project, home: Path, **environment: str) -> Session:
    made = Session(console=Console(environment={"HOME": str(home), **environment}), directory=project.root)
    made.__dict__["project"] = project
    return made


@pytest.fixture
def project(example_project: Project) -> Project:
    inside = f"src={example_project.root}/package.json"
    return dataclasses.replace(
        example_project, secrets={"host": "src=/etc/hostname", "own": inside, "token": "env=TOKEN"}
    )


def test_a_file_outside_is_refused_with_what_lets_it_in(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        require_allowed(session(project, tmp_path))
    assert caught.value.complaints == (
        "bake.toml: secrets.host: builds would get /etc/hostname, which lies outside the workspace; "
        "--allow host lets them, once for this workspace (BAKE_ALLOW=host in CI)",
    )
    assert list(tmp_path.iterdir()) == []


def test_an_option_is_remembered_for_the_workspace_and_the_file(project: Project, tmp_path: Path) -> None:
    require_allowed(session(project, tmp_path), ("host",))
    require_allowed(session(project, tmp_path))
    kept = json.loads((tmp_path / ".local/state/bake/allowed.json").read_text())
    assert kept == {str(project.root): {"host": "/etc/hostname"}}
    other = dataclasses.replace(project, secrets={"host": "src=/etc/passwd"})
    with pytest.raises(ConfigError):
        require_allowed(session(other, tmp_path))


def test_a_variable_counts_for_one_run(project: Project, tmp_path: Path) -> None:
    require_allowed(session(project, tmp_path, BAKE_ALLOW="x,host"))
    assert list(tmp_path.rglob("allowed.json")) == []


def test_a_link_out_of_the_workspace_is_outside(project: Project, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "key").symlink_to("/etc/hostname")
    linked = dataclasses.replace(project, root=tmp_path / "w", secrets={"k": f"src={tmp_path}/w/key"})
    assert linked.outside_secrets == {"k": "/etc/hostname"}


def test_what_was_kept_and_is_damaged_is_asked_again(project: Project, tmp_path: Path) -> None:
    (tmp_path / ".local/state/bake").mkdir(parents=True)
    (tmp_path / ".local/state/bake/allowed.json").write_text('{"a": 1}')
    with pytest.raises(ConfigError):
        require_allowed(session(project, tmp_path))
