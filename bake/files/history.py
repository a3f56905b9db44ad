"""`.bake/history.json`: what builds here did, a chapter for each who asks. For its owner alone."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bake.files.folder import read_file, write_file

HISTORY = "history.json"
"""Its name below .bake/."""


def read_chapter(folder: Path, chapter: str) -> Any:
    """What was kept last. Raises OSError, ValueError, KeyError or TypeError where there is none."""
    return json.loads(read_file(folder, HISTORY))[chapter]


def write_chapter(folder: Path, chapter: str, value: Mapping[str, Any]) -> None:
    """Keep one chapter anew and the others as they are; the file appears whole. Raises OSError."""
    known: object = {}
    with suppress(OSError, ValueError):
        known = json.loads(read_file(folder, HISTORY))
    table = {**(known if isinstance(known, dict) else {}), chapter: value}
    write_file(folder, HISTORY, f"{json.dumps(table, ensure_ascii=False)}\n".encode(), private=True)
