"""Workspaces of strangers: no traceback, nothing slow, nothing outside. `scripts/fuzz` is the long run of it."""

from pathlib import Path

import pytest

from tests.hostile import made, tried


@pytest.mark.parametrize("start", range(0, 120, 8))
def test_no_workspace_of_a_stranger_does_harm(tmp_path: Path, start: int) -> None:
    found = []
    for seed in range(start, start + 8):
        root = tmp_path / str(seed)
        odd = made(seed, root)
        found += [f"seed {seed}: {odd}: {what}" for what in tried(root)]
    assert found == []
