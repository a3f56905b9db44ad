"""JSON as bake writes it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

_to_json = json.JSONEncoder(ensure_ascii=False).encode


class Json(str):
    """The text of a value, made once for all the places where it stands."""

    __slots__ = ()


def as_json(value: Any) -> Json:
    """A value in one line, as `json_text` takes it."""
    return Json(_to_json(value))


def json_words(words: Iterable[str]) -> str:
    """A list of texts in one line, without an encoder that has to be made for each list."""
    return f"[{', '.join(map(json.encoder.encode_basestring, words))}]"


def json_text(value: Any) -> str:
    """JSON with a line per item of the outer levels, compact below; `indent` would leave json's C encoder unused."""
    return _lines(value, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    if isinstance(value, Json):
        return value
    inner = indent + "  "
    if isinstance(value, Mapping) and value and len(indent) < 4:
        items = [f"{_to_json(k)}: {_lines(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], (Mapping, Json)):
        return "[\n" + ",\n".join(inner + _lines(item, inner) for item in value) + f"\n{indent}]"
    return _to_json(value)
