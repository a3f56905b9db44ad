"""BuildKit's live display, passed on to the terminal as it is, but for what buildx prints about a failure.

buildx closes a failed build with an excerpt of the Dockerfile, which the user has not written. That is kept back, so
that the failure can be told in the workspace's words.
"""

import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator

# After the display: the failed steps with their logs, a piece of the Dockerfile, the error.
_END = re.compile(rb"(?:(?<=\n)|(?<=\x1b\[\?25h)|^)(?=------\n > |ERROR: )")
_BEGINNINGS = (b"------\n > ", b"ERROR: ")
_CONTEXT = 8  # bytes before a chunk that tell whether it begins a line


class Display:
    """Tells a display from the end of a failed build, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._before = b"\n"
        self._pending = b""
        self._closing = False

    @property
    def closing(self) -> str:
        """What came after the display."""
        return self._pending.decode("utf-8", errors="replace") if self._closing else ""

    def feed(self, data: bytes) -> bytes:
        """Take what was written; gives what to show now."""
        self._pending += data
        if self._closing:
            return b""
        text = self._before + self._pending
        found = _END.search(text, len(self._before))
        self._closing = found is not None
        end = found.start() if found else len(text) - _unsure(self._pending)
        shown, self._pending = text[len(self._before) : end], text[end:]
        self._before = text[:end][-_CONTEXT:]
        return shown

    def rest(self) -> bytes:
        """What is left to show at the end, when nothing failed."""
        return b"" if self._closing else self._pending


def _unsure(data: bytes) -> int:
    """How many of the last bytes may begin the end."""
    lengths = (n for mark in _BEGINNINGS for n in range(1, len(mark)) if data.endswith(mark[:n]))
    return max(lengths, default=0)


@contextlib.contextmanager
def watched(display: Display, stderr: int = 2) -> Iterator[None]:
    """Give the block a terminal in the place of stderr; at its end the display knows how the build ended.

    Waits for every process that the block started to close it, so that nothing is written after what follows.
    """
    (master, slave), real = pty.openpty(), os.dup(stderr)
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # the real terminal turns \n into \r\n
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    _copy_size(real, master)
    os.dup2(slave, stderr)
    os.close(slave)
    pump = threading.Thread(target=_pump, args=(master, real, display), daemon=True)
    pump.start()
    try:
        yield
    finally:
        os.dup2(real, stderr)
        pump.join(10)
        if not pump.is_alive():  # else a process that stays behind writes on
            os.close(master)
            os.close(real)


def _pump(master: int, real: int, display: Display) -> None:
    while data := _read(master):
        _copy_size(real, master)
        _write(real, display.feed(data))
    _write(real, display.rest())


def _read(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # EIO: nobody has the other end any more
        return b""


def _write(real: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # a terminal that went away stops no build
        while data:
            data = data[os.write(real, data) :]


def _copy_size(real: int, master: int) -> None:
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(real, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)
