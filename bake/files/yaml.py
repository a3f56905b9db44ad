"""YAML as package managers write it: every scalar stays text. Pure."""

from collections.abc import Mapping
from typing import Any

from bake.errors import WorkspaceError


def parse_yaml(text: str, file: str) -> Mapping[str, Any]:
    """Return the last mapping in the text; a file may hold several documents.

    Newer versions of pnpm put a document about pnpm itself before the workspace's. Scalars stay text because
    YAML 1.1 would make a boolean of a package called `on`. Raises WorkspaceError, with the line, for no YAML.
    """
    # Takes 0.1 s to import; npm workspaces do without.
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        # Base loaders make nothing but strings, lists and mappings.
        documents = [each for each in yaml.load_all(text, Loader=loader) if isinstance(each, dict)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise WorkspaceError(where, "not YAML", "settle its merge conflicts or correct it") from None
    return documents[-1] if documents else {}


def table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under a key; an empty one when something else or nothing is there."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def words(value: object) -> tuple[str, ...]:
    """Return a string or a list of strings as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value) if isinstance(value, list) else ()
