"""Containers of a run that was killed are told from those of one that goes on."""

import os
import subprocess
import time

import pytest

from bake.engine.owners import is_left, this_owner


def test_a_process_that_lives_keeps_what_it_made() -> None:
    assert not is_left(this_owner(time.time()), time.time())


def test_what_a_process_made_that_is_gone_is_left() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    assert is_left(this_owner(time.time()).replace(f" {os.getpid()} ", f" {ended.pid} "), time.time())


def test_of_another_machine_only_what_is_a_day_old_is_left() -> None:
    owner = f"elsewhere {os.getpid()} 1000000"
    assert not is_left(owner, 1_000_000 + 3600)
    assert is_left(owner, 1_000_000 + 25 * 3600)


@pytest.mark.parametrize("owner", ["", "x", "a b c", "a 1 2 3"])
def test_what_names_no_owner_is_nobodys(owner: str) -> None:
    assert not is_left(owner, 1e12)
