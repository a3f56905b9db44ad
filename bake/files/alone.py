"""One run at a time: two would write the same files of bake's folder, and each build what the other asked for."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bake.files.folder import open_file

NAME = "lock"
"""The file below bake's folder that a run holds; it says who does."""


@contextlib.contextmanager
def working_alone(folder: Path, words: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other run works with the folder, and say for whom. words: this run's command line.

    The system lets go of a lock when its process ends, however it ends. Raises OSError and WorkspaceError.
    """
    descriptor = open_file(folder, NAME)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(descriptor, 1_000, 0).decode(errors="replace").strip() or "another run"
            say(f"waiting for {other}, which builds in this workspace")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"`{' '.join(words)}` (process {os.getpid()})\n".encode(errors="replace"), 0)
        yield
    finally:
        os.close(descriptor)
