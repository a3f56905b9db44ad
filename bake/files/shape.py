"""What a value of JSON or YAML must look like where bake reads it; the rest of a file is its owner's business. Pure.

A shape is a type, `[shape]` for a list, `{"key": shape}` for an object with optional keys, `{ANY: shape}` for one with
keys of any name, and a tuple for alternatives, the first of which is named in complaints.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from bake.errors import WorkspaceError

ANY = "*"
Shape = type | tuple[Any, ...] | list[Any] | Mapping[str, Any]

_WORDS = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


_Wrong = tuple[tuple[str | int, ...], Shape, object]
"""The keys that lead to a value, what was expected of it, and the value."""


def check_shape(value: object, shape: Shape, file: str) -> None:
    """Raise WorkspaceError with the file and the first key whose value has another shape."""
    if wrong := _wrong(value, shape):
        keys, expected, found = wrong
        where = f"{file}: {_path(keys)}" if keys else file
        raise WorkspaceError(where, f"expected {_name(expected)}, got {_kind(found)}", "correct the file")


def _wrong(value: object, shape: Shape) -> _Wrong | None:
    if isinstance(shape, tuple):
        fitting = next((one for one in shape if _fits(value, one)), None)
        return ((), shape[0], value) if fitting is None else _wrong(value, fitting)
    if not _fits(value, shape):
        return (), shape, value
    if isinstance(shape, list):
        return _first((at, one, shape[0]) for at, one in enumerate(cast("list[object]", value)))
    if isinstance(shape, Mapping):
        fields, other = cast("dict[str, object]", value).items(), shape.get(ANY)
        return _first((name, one, shape.get(name, other)) for name, one in fields)
    return None


def _first(parts: Iterable[tuple[str | int, object, Shape | None]]) -> _Wrong | None:
    """What is wrong with the first part that has another shape; most are of a plain type, and right."""
    for key, value, shape in parts:
        if shape is not None and type(value) is not shape and (wrong := _wrong(value, shape)):
            return (key, *wrong[0]), wrong[1], wrong[2]
    return None


def _fits(value: object, shape: Shape) -> bool:
    if isinstance(shape, tuple):
        return any(_fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list)
    if isinstance(shape, Mapping):
        return isinstance(value, dict)
    return type(value) is shape


def _path(keys: tuple[str | int, ...]) -> str:
    words = (f"[{key}]" if isinstance(key, int) else f".{_key(key)}" for key in keys)
    return "".join(words).removeprefix(".")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'


def _name(shape: Shape) -> str:
    if isinstance(shape, tuple):
        return _name(shape[0])
    if isinstance(shape, list):
        return "a list"
    return "an object" if isinstance(shape, Mapping) else _WORDS.get(shape, shape.__name__)


def _kind(value: object) -> str:
    return "null" if value is None else _WORDS.get(type(value), type(value).__name__)
