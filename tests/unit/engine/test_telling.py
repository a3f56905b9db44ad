"""What the engine says of itself and of its containers, by a docker that only tells."""

from pathlib import Path

import pytest

from bake.engine import has_init, running_containers


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
    telling(tmp_path, monkeypatch, f"echo '{told}'")
    assert has_init() is found


def test_containers_are_known_by_the_name_that_they_were_started_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = ("shop-api:dev", "127.0.0.1:5000/shop-api@sha256:12", "shop-api-worker:dev", "shop-api")
    lines = "\n".join(f"/c{number} {image}" for number, image in enumerate(images))
    telling(tmp_path, monkeypatch, f"[ $1 = ps ] && echo 'id1 id2' && exit; [ $5 = id2 ] && echo '{lines}'")
    assert running_containers("shop-api") == ["c0", "c1", "c3"]
    telling(tmp_path, monkeypatch, "[ $1 = ps ]")
    assert running_containers("shop-api") == []


def telling(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\n{program}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
