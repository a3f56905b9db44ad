"""Files of a workspace as texts and as JSON: what is wrong with one is told with its name and the place in it."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from bake.errors import WorkspaceError
from bake.files.inside import require_inside

_MOST = 256_000_000
"""Bytes of the largest file that is read whole: lockfiles of the largest workspaces have a tenth of it."""


def read_text(root: Path, path: str, *, where: str = "") -> str | None:
    """The text of a file of the workspace, None when there is none. where: what names it, when it is no fixed name.

    Raises WorkspaceError for a path that leads out of the workspace, a file that cannot be read and one that is not
    UTF-8.
    """
    plain = require_inside(root, path, where or path)
    file = root / plain
    try:
        if not file.is_file():
            return None
        if file.stat().st_size > _MOST:
            raise WorkspaceError(path, f"has more than {_MOST // 1_000_000} MB", "is it the file that it should be?")
        return decode(file.read_bytes(), path)
    except OSError as error:
        raise WorkspaceError(path, f"cannot be read ({error.strerror})", "see that bake may read it") from None


def decode(data: bytes, file: str) -> str:
    """The text of a UTF-8 file, with or without a mark at its start. Raises WorkspaceError with the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise WorkspaceError(f"{file}:{line}", what, "save it as UTF-8") from None


def parse_json(text: str, file: str, remedy: str = "correct the file") -> Any:
    """The value of a JSON text. Raises WorkspaceError with the file and, where it is known, the line."""
    value = _guarded(json.loads, text.removeprefix("\ufeff"), file, "JSON", remedy)
    # json gives halves of pairs that no UTF-8 file can hold again; searching first spares walking every lockfile.
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            _refuse_surrogate(error, text, file)
    return value


def parse_object(text: str, file: str) -> Mapping[str, Any]:
    """The object that a JSON text holds. Raises WorkspaceError."""
    value = parse_json(text, file)
    if not isinstance(value, dict):
        raise WorkspaceError(file, "holds no JSON object", "correct the file")
    return value


def parse_toml(text: str, file: str, remedy: str = "correct the file") -> Mapping[str, Any]:
    """The table of a TOML text. Raises WorkspaceError."""
    value: Mapping[str, Any] = _guarded(tomllib.loads, text, file, "TOML", remedy)
    return value


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse_surrogate(error: UnicodeEncodeError, text: str, file: str) -> NoReturn:
    code = f"{ord(error.object[error.start]):04x}"
    found = re.search(rf"\\u{code}", text, re.I)
    line = text.count("\n", 0, found.start()) + 1 if found else 1
    raise WorkspaceError(f"{file}:{line}", f"holds half of a character (\\u{code})", "correct the file") from None


def _guarded(parse: Callable[[str], Any], text: str, file: str, what: str, remedy: str) -> Any:
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        raise WorkspaceError(f"{file}:{error.lineno}", f"not {what}: {error.msg}", remedy) from None
    except RecursionError:
        raise WorkspaceError(file, f"its {what} is nested too deeply", remedy) from None
    except ValueError as error:  # TOML's own, and numbers of more digits than Python takes
        said = "a number has too many digits" if "digits" in str(error) else str(error)
        raise WorkspaceError(file, f"not {what} ({said})", remedy) from None
