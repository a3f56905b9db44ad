"""YAML as package managers write it: every scalar stays text. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from bake.errors import WorkspaceError


def parse_yaml(text: str, file: str) -> Mapping[str, Any]:
    """Return the last mapping in the text; a file may hold several documents.

    Newer versions of pnpm put a document about pnpm itself before the workspace's. Scalars stay text because
    YAML 1.1 would make a boolean of a package called `on`. Raises WorkspaceError, with the line, for no YAML.
    """
    documents = parse_documents(text, file)
    return documents[-1] if documents else {}


def parse_documents(text: str, file: str) -> tuple[Mapping[str, Any], ...]:
    """Return every mapping in the text. Raises WorkspaceError, as parse_yaml does."""
    # Takes 0.1 s to import; npm workspaces do without.
    import yaml

    if _depth(text) > _DEEPEST:
        raise WorkspaceError(file, "its YAML is nested too deeply", "correct the file")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        # Base loaders make nothing but strings, lists and mappings.
        documents = [each for each in yaml.load_all(text, Loader=loader) if isinstance(each, dict)]
    except yaml.YAMLError as error:
        raise WorkspaceError(
            _place(error, text, file), "not YAML", "settle its merge conflicts or correct it"
        ) from None
    if "&" in text and not all(map(_could_be_written, documents)):
        raise WorkspaceError(file, "its aliases make it endless", "write out what they stand for")
    return tuple(documents)


def _place(error: Exception, text: str, file: str) -> str:
    """Where an error is: its mark, or for a character that YAML does not have, its position."""
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    if mark:
        return f"{file}:{mark.line + 1}"
    return file if position is None else f"{file}:{text.count(chr(10), 0, position) + 1}"


_DEEPEST = 500
"""libyaml's composer calls itself for every level and ends the process when the stack is full."""


def _depth(text: str) -> int:
    """At least how deep the text is nested: by brackets, or by what stands before a line's first word."""
    deepest = max((len(found) for found in re.findall(r"^[ \t?:-]+", text, re.M)), default=0)
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


_MOST = 5_000_000
"""Values that a text may stand for once its aliases are followed."""


def _could_be_written(value: object) -> bool:
    """Return whether the value, which aliases make of one size in a file and of another when walked, is not vast."""
    sizes: dict[int, int] = {}

    def size(one: object) -> int:
        if not isinstance(one, (dict, list)):
            return 1
        if id(one) not in sizes:
            sizes[id(one)] = 1 + sum(map(size, one.values() if isinstance(one, dict) else one))
        return sizes[id(one)]

    return size(value) <= _MOST


def table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under a key; an empty one when something else or nothing is there."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def words(value: object) -> tuple[str, ...]:
    """Return a string or a list of strings as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def to_yaml(document: Any) -> str:
    """Keys in their order, nothing aliased, one line per value."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    return str(yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=1000))
