"""What a value of JSON or YAML must look like where bake reads it; the rest of a file is its owner's business. Pure.

A shape is a type, `[shape]` for a list, `{"key": shape}` for an object with optional keys, `{ANY: shape}` for one with
keys of any name, and a tuple for alternatives, the first of which is named in complaints.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bake.errors import WorkspaceError

ANY = "*"
Shape = type | tuple[Any, ...] | list[Any] | Mapping[str, Any]

_WORDS = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def check_shape(value: object, shape: Shape, file: str) -> None:
    """Raise WorkspaceError with the file and the first key whose value has another shape."""
    for key, expected, found in _wrong(value, shape, ""):
        where = f"{file}: {key}" if key else file
        raise WorkspaceError(where, f"expected {_name(expected)}, got {_kind(found)}", "correct the file")


def _wrong(value: object, shape: Shape, key: str) -> Iterator[tuple[str, Shape, object]]:
    if isinstance(shape, tuple):
        fitting = next((one for one in shape if _fits(value, one)), None)
        if fitting is None:
            yield key, shape[0], value
        else:
            yield from _wrong(value, fitting, key)
    elif not _fits(value, shape):
        yield key, shape, value
    elif isinstance(shape, list) and isinstance(value, list):
        for at, one in enumerate(value):
            yield from _wrong(one, shape[0], f"{key}[{at}]")
    elif isinstance(shape, Mapping) and isinstance(value, dict):
        for name, one in value.items():
            if (inner := shape.get(name, shape.get(ANY))) is not None:
                yield from _wrong(one, inner, _join(key, name))


def _fits(value: object, shape: Shape) -> bool:
    if isinstance(shape, tuple):
        return any(_fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list)
    if isinstance(shape, Mapping):
        return isinstance(value, dict)
    return type(value) is shape


def _join(key: str, name: str) -> str:
    plain = name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'
    return f"{key}.{plain}" if key else plain


def _name(shape: Shape) -> str:
    if isinstance(shape, tuple):
        return _name(shape[0])
    if isinstance(shape, list):
        return "a list"
    return "an object" if isinstance(shape, Mapping) else _WORDS.get(shape, shape.__name__)


def _kind(value: object) -> str:
    return "null" if value is None else _WORDS.get(type(value), type(value).__name__)
