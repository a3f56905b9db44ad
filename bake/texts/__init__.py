"""What the text of a file says by itself, remembered from run to run."""

from bake.texts.patterns import relative_paths
from bake.texts.readers import CHOSEN, GLOBS, IMPORTS, NAMES, PATHS, QUOTED, WRITES, Reader
from bake.texts.said import (
    BUILTINS,
    COMPONENTS,
    SCRIPTS,
    Chosen,
    Found,
    FoundKind,
    Paths,
    Text,
    Write,
    package_name,
)
from bake.texts.store import Texts

__all__ = [
    "BUILTINS",
    "CHOSEN",
    "COMPONENTS",
    "Chosen",
    "Found",
    "FoundKind",
    "GLOBS",
    "IMPORTS",
    "NAMES",
    "PATHS",
    "Paths",
    "QUOTED",
    "Reader",
    "SCRIPTS",
    "Text",
    "Texts",
    "WRITES",
    "Write",
    "package_name",
    "relative_paths",
]
