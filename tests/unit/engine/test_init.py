"""Whether the engine has an init, as `docker info` says it."""

from pathlib import Path

import pytest

from bake.engine import has_init


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ('{"InitCommit": {"ID": "N/A"}}', False),
        ('{"InitCommit": {"ID": "de40ad0"}}', True),
        ("{}", True),
        ("", True),
    ],
)
def test_an_engine_without_an_init_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, found: bool
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\necho '{told}'\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert has_init() is found
