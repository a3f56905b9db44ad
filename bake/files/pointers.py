"""Files that Git LFS keeps elsewhere, and that a clone has only pointers to."""

from collections.abc import Sequence
from pathlib import Path

_BEGINNING = b"version https://git-lfs.github.com/spec/v1\n"
_LONGEST = 1024
"""Source: github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""


def load_pointers(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return which of a workspace's files are pointers; files are looked at where a .gitattributes speaks of LFS."""
    named = (file for file in files if file.rpartition("/")[2] == ".gitattributes")
    if not any(b"filter=lfs" in _begins(root, file, 1 << 16) for file in named):
        return ()
    small = (file for file in files if _size(root, file) <= _LONGEST)
    return tuple(file for file in small if _begins(root, file, len(_BEGINNING)) == _BEGINNING)


def _size(root: Path, file: str) -> int:
    try:
        return (root / file).lstat().st_size
    except OSError:
        return 0


def _begins(root: Path, file: str, length: int) -> bytes:
    try:
        with (root / file).open("rb") as opened:
            return opened.read(length)
    except OSError:
        return b""
