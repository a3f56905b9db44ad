"""Files that a test begins with."""

import json
from collections.abc import Mapping
from pathlib import Path


def plant(root: Path, files: Mapping[str, object]) -> Path:
    """Write files below a folder, which is given back: text and bytes as they are, all else as JSON."""
    root.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root
