"""Whose containers these are, and whether that run is over: one that was killed could not remove them."""

import contextlib
import os
import re
import socket
from pathlib import Path

OWNER = "bake.smoke.owner"
"""The label beside that of the run: the machine, the process, and when it began."""

_LONGEST = 24 * 3600
"""Seconds that no run takes: what is older goes, whoever made it."""


def this_owner(now: float) -> str:
    """The label's value for this process."""
    return f"{_machine()} {os.getpid()} {now:.0f}"


def is_left(owner: str, now: float) -> bool:
    """Whether the run that the label names is over; of a younger one on another machine nobody can tell."""
    found = re.fullmatch(r"(\S+) ([0-9]{1,9}) ([0-9]{1,12})", owner)
    if found is None:
        return False
    return now - int(found[3]) > _LONGEST or (found[1] == _machine() and not _lives(int(found[2])))


def _machine() -> str:
    """Where process numbers mean the same: a boot of a machine, and the namespace in it."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    return re.sub(r"\s", "-", socket.gethostname())


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
