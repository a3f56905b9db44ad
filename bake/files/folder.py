"""The one writer of bake's own folder: unchanged files stay as they are, no link is followed, no stranger removed.

A workspace may be somebody else's, who can commit `.bake` or a folder below it as a link to anywhere. Every name below
the workspace is therefore opened from its parent's descriptor, and never through a link (openat(2), O_NOFOLLOW).
"""

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from bake.errors import WorkspaceError

_EPOCH = 946684800
"""2000-01-01: files' times count from here, so that copies in images do not depend on when bake ran."""

_YEARS = 1 << 28
"""Seconds from there on that the times of files are spread over: eight and a half years."""

_OWNED = ("manifests", "plan", "services", "tools")
_NEW = ".new-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UPDATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Make `folder` hold exactly these texts (path -> text), apart from other tools' files at its top.

    Each file appears whole or not at all. Raises OSError, and WorkspaceError for links and for strangers among what
    builds get.
    """
    ignore_in_git(folder)
    for name, text in files.items():
        data = text.encode()
        _write(folder, name, data, time=_time(data))
    for owned in _OWNED:
        _remove_old(folder, owned, set(files))


def ignore_in_git(folder: Path) -> None:
    """Make git ignore the folder, which is made if need be. Raises OSError and WorkspaceError."""
    _write(folder, ".gitignore", b"*\n", time=_time(b"*\n"))


def write_file(folder: Path, name: str, data: bytes, *, private: bool = False) -> None:
    """Write one file below the folder; it appears whole or not at all. Raises OSError and WorkspaceError.

    private: for its owner alone.
    """
    _write(folder, name, data, mode=0o600 if private else 0o644)


def open_file(folder: Path, name: str) -> int:
    """The descriptor of a file below the folder, made if need be. Raises OSError and WorkspaceError."""
    with _opened(folder, name, make=True) as parent:
        return os.open(PurePosixPath(name).name, _UPDATE, 0o644, dir_fd=parent)


def read_file(folder: Path, name: str) -> bytes:
    """What a file below the folder holds. Raises OSError, also for a link and what is no file."""
    with _opened(folder, name, make=False) as parent:
        return _read(parent, PurePosixPath(name).name)


def _write(folder: Path, name: str, data: bytes, *, time: int | None = None, mode: int = 0o644) -> None:
    last = PurePosixPath(name).name
    try:
        with _opened(folder, name, make=True) as parent:
            if _content(parent, last) != data:
                _replace(parent, last, data, mode)
            if time is not None:
                os.utime(last, (time, time), dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        # An error of a descriptor (a full disk) names no file.
        raise OSError(error.errno, error.strerror, f"{folder / name}") from None


@contextlib.contextmanager
def _opened(folder: Path, name: str, *, make: bool) -> Iterator[int]:
    """The descriptor of the folder that holds `name`, reached through no link."""
    parts = (folder.name, *PurePosixPath(name).parts[:-1])
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for at in range(len(parts)):
            above, descriptor = descriptor, _enter(descriptor, parts[: at + 1], make=make)
            os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(above: int, parts: tuple[str, ...], *, make: bool) -> int:
    part = parts[-1]
    with contextlib.suppress(FileExistsError):
        if make:
            os.mkdir(part, dir_fd=above)
    try:
        return os.open(part, _FOLDER, dir_fd=above)
    except OSError as error:
        # Linux says ENOTDIR for a link that shall be a folder, others ELOOP.
        if make and error.errno in {errno.ELOOP, errno.ENOTDIR} and stat.S_ISLNK(os.lstat(part, dir_fd=above).st_mode):
            raise WorkspaceError("/".join(parts), "is a link, and bake writes through none", "remove it") from None
        raise


def _content(parent: int, name: str) -> bytes | None:
    try:
        return _read(parent, name)
    except OSError:
        return None


def _read(parent: int, name: str) -> bytes:
    descriptor = os.open(name, _READ, dir_fd=parent)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no file", name)
        return file.read()


def _replace(parent: int, name: str, data: bytes, mode: int) -> None:
    new = f"{_NEW}{os.getpid()}-{threading.get_native_id()}-{name}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new, dir_fd=parent)
    try:
        with os.fdopen(os.open(new, _WRITE, mode, dir_fd=parent), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        os.replace(new, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=parent)
        raise


def _time(data: bytes) -> int:
    """A time in seconds that only this content has.

    BuildKit sends a file again when its size or time changed (tonistiigi/fsutil, diff by stat) and takes folders
    of one name for one folder: with one time for all, a lockfile of the same length would not arrive.
    """
    return _EPOCH + int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % _YEARS


def _remove_old(folder: Path, name: str, keep: set[str]) -> None:
    """Remove what earlier runs wrote and this one does not need. Raises WorkspaceError for what none of them wrote."""
    try:
        with _opened(folder, f"{name}/x", make=False) as descriptor:
            _clear(descriptor, f"{folder.name}/{name}", _below(name, keep))
    except FileNotFoundError:
        return


def _clear(descriptor: int, place: str, keep: set[str]) -> bool:
    """Clear one folder; gives whether nothing is left in it."""
    left = False
    for name in sorted(os.listdir(descriptor)):
        about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            left |= _clear_folder(descriptor, name, f"{place}/{name}", keep)
        elif name in keep:
            left = True
        elif name.startswith(_NEW) or _is_ours(about):
            os.unlink(name, dir_fd=descriptor)
        else:
            raise WorkspaceError(f"{place}/{name}", "is not bake's, and builds would get it", "remove it")
    return not left


def _clear_folder(above: int, name: str, place: str, keep: set[str]) -> bool:
    """Clear a folder below and remove it once it is empty; gives whether it is still there."""
    descriptor = os.open(name, _FOLDER, dir_fd=above)
    try:
        empty = _clear(descriptor, place, _below(name, keep))
    finally:
        os.close(descriptor)
    if empty:
        os.rmdir(name, dir_fd=above)
    return not empty


def _below(name: str, paths: set[str]) -> set[str]:
    """Those of the paths that lie in a folder, from there."""
    return {path.removeprefix(f"{name}/") for path in paths if path.startswith(f"{name}/")}


def _is_ours(about: os.stat_result) -> bool:
    """Whether bake wrote this file: no checkout, editor or copy gives files the times of `_time`."""
    return stat.S_ISREG(about.st_mode) and _EPOCH <= about.st_mtime < _EPOCH + _YEARS
