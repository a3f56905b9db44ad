"""The folder of generated files: written so that unchanged files stay as they are and strangers disappear."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

_EPOCH = 946684800
"""2000-01-01: files' times count from here, so that copies in images do not depend on when bake ran."""

_OWNED = ("manifests", "plan", "tools")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Make `folder` hold exactly these texts (path -> text), apart from other tools' files at its top.

    Each file appears whole or not at all. Raises OSError.
    """
    for name, text in files.items():
        _write(folder / name, text)
    ignore_in_git(folder)
    for owned in _OWNED:
        _remove_strangers(folder, folder / owned, set(files))


def ignore_in_git(folder: Path) -> None:
    """Make git ignore the folder, which is made if need be. Raises OSError."""
    _write(folder / ".gitignore", "*\n")


def replace_file(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all; its folder is there. Raises OSError."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _write(path: Path, text: str) -> None:
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    time = _time(data)
    os.utime(path, (time, time))


def _time(data: bytes) -> int:
    """A time in seconds that only this content has.

    BuildKit sends a file again when its size or time changed (tonistiigi/fsutil, diff by stat) and takes folders
    of one name for one folder: with one time for all, a lockfile of the same length would not arrive.
    """
    return _EPOCH + (int.from_bytes(hashlib.sha256(data).digest()[:4], "big") >> 4)


def _remove_strangers(folder: Path, path: Path, keep: set[str]) -> None:
    if not path.is_dir():
        return
    for child in path.iterdir():
        name = child.relative_to(folder).as_posix()
        if child.is_dir() and any(k.startswith(f"{name}/") for k in keep):
            _remove_strangers(folder, child, keep)
        elif child.is_dir():
            shutil.rmtree(child)
        elif name not in keep:
            child.unlink()
