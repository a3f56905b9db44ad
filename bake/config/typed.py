"""Typed reading of a TOML table: dataclass type hints say what is allowed, and every complaint is kept.

The same hints give the JSON Schema, so the schema that an editor uses cannot drift from the parser.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table", list: "a list"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a type hint cannot say: a pattern that the string must match, in words and as an expression."""

    words: str
    pattern: str = ""
    least: int | None = None
    most: int | None = None

    def broken_by(self, value: Any) -> bool:
        """True when a value of the hinted type does not keep to the rule."""
        if isinstance(value, str) and self.pattern:
            return re.fullmatch(self.pattern, value) is None
        if isinstance(value, int) and not isinstance(value, bool):
            below = self.least is not None and value < self.least
            return below or (self.most is not None and value > self.most)
        return False


class Complaints(list[str]):
    """Collects `key.path: what` lines while a document is read."""

    def add(self, path: str, what: str) -> None:
        """Keep one complaint about the key at `path`."""
        self.append(f"{path}: {what}" if path else what)


def read(cls: type[T], table: Mapping[str, Any], path: str, complaints: Complaints) -> T | None:
    """Make `cls` (a dataclass) from `table`; None when a required key is missing or wrong.

    A wrong optional value is complained of and left at its default, so that rules between keys can still be
    checked. Keys in TOML are the field names with `-` for `_`; metadata `key` overrides that.
    """
    fields = {toml_key(f): f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            complaints.add(_join(path, key), f"unknown key{_suggest(key, fields)}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        before = len(complaints)
        if key in table:
            given = value(hints[field.name], table[key], _join(path, key), complaints)
            if given is not None and (len(complaints) == before or isinstance(given, dict)):
                values[field.name] = given
        elif _required(field):
            complaints.add(_join(path, key), "missing")
    whole = all(field.name in values for field in fields.values() if _required(field))
    return cls(**values) if whole else None


def value(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    """Convert one TOML value to the hinted type; complain and give None where that cannot be."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _annotated(hint, given, path, complaints)
    if origin in (typing.Union, types.UnionType):
        return _union(hint, given, path, complaints)
    if origin is tuple:
        return _tuple(hint, given, path, complaints)
    if origin is typing.Literal:
        return _literal(hint, given, path, complaints)
    if _is_mapping(hint):
        return _mapping(hint, given, path, complaints)
    if dataclasses.is_dataclass(hint):
        if not isinstance(given, dict):
            return _expected("a table", given, path, complaints)
        return read(typing.cast("type[Any]", hint), given, path, complaints)
    return _scalar(hint, given, path, complaints)


def _annotated(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    inner, *notes = typing.get_args(hint)
    before = len(complaints)
    result = value(inner, given, path, complaints)
    for rule in notes:
        if isinstance(rule, Rule) and len(complaints) == before and rule.broken_by(result):
            complaints.add(path, f"{given!r} is not {rule.words}")
    return result


def _union(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    options = [o for o in typing.get_args(hint) if o is not type(None)]
    for option in options:
        if _fits(option, given):
            return value(option, given, path, complaints)
    return _expected(" or ".join(_name(o) for o in options), given, path, complaints)


def _fits(hint: Any, given: Any) -> bool:
    """Whether the shape of the value is that of this arm of a union; its content is read later."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _fits(typing.get_args(hint)[0], given)
    if origin is tuple:
        return isinstance(given, list)
    if origin is typing.Literal:
        return given in typing.get_args(hint) and type(given) in {type(a) for a in typing.get_args(hint)}
    if _is_mapping(hint) or dataclasses.is_dataclass(hint):
        return isinstance(given, dict)
    return type(given) is hint


def _tuple(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    inner = typing.get_args(hint)[0]
    if not isinstance(given, list):
        return _expected(_name(hint), given, path, complaints)
    return tuple(value(inner, item, f"{path}[{i}]", complaints) for i, item in enumerate(given))


def _literal(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    options = typing.get_args(hint)
    if given not in options:
        words = ", ".join(repr(o) for o in options)
        complaints.add(path, f"{given!r} is not one of {words}{_suggest(given, options)}")
    return given


def _mapping(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    key_hint, value_hint = typing.get_args(hint)
    if not isinstance(given, dict):
        return _expected("a table", given, path, complaints)
    for key in given:
        value(key_hint, key, _join(path, key), complaints)
    values = {k: value(value_hint, v, _join(path, k), complaints) for k, v in given.items()}
    return {k: v for k, v in values.items() if v is not None}


def _scalar(hint: Any, given: Any, path: str, complaints: Complaints) -> Any:
    if hint is float and type(given) is int:
        return float(given)
    if type(given) is hint:
        return given
    return _expected(_name(hint), given, path, complaints)


def _expected(what: str, given: Any, path: str, complaints: Complaints) -> None:
    complaints.add(path, f"expected {what}, got {_WORDS.get(type(given), f'a {type(given).__name__}')}")


def _name(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _name(typing.get_args(hint)[0])
    if origin is tuple:
        return f"a list of {_several(_name(typing.get_args(hint)[0]))}"
    if origin is typing.Literal:
        return " or ".join(repr(o) for o in typing.get_args(hint))
    if _is_mapping(hint) or dataclasses.is_dataclass(hint):
        return "a table"
    return _WORDS.get(hint, str(hint))


def _several(name: str) -> str:
    return f"{name.removeprefix('a ')}s" if name.startswith("a ") else name


def _is_mapping(hint: Any) -> bool:
    return typing.get_origin(hint) is Mapping


def toml_key(field: "dataclasses.Field[Any]") -> str:
    """A field's key in TOML: its name with `-` for `_`, or what metadata `key` says."""
    return str(field.metadata.get("key", field.name.replace("_", "-")))


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _join(path: str, key: str) -> str:
    part = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{path}.{part}" if path else part


def _suggest(given: object, options: typing.Iterable[object]) -> str:
    close = difflib.get_close_matches(str(given), [str(o) for o in options], n=1, cutoff=0.65)
    return f", did you mean `{close[0]}`?" if close else ""


def suggestion(given: str, options: typing.Iterable[str]) -> str:
    """`did you mean `x`?` for the nearest of `options`, or ""."""
    return _suggest(given, options).removeprefix(", ")


def json_schema(cls: type[Any], *, title: str, identifier: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the documents that `read(cls, …)` takes."""
    defs: dict[str, Any] = {}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identifier, "title": title}
    body = _object_schema(cls, defs)
    return schema | body | ({"$defs": defs} if defs else {})


def _object_schema(cls: type[Any], defs: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.init:
            properties[toml_key(field)] = _described(field, _schema(hints[field.name], defs))
    required = [toml_key(f) for f in dataclasses.fields(cls) if f.init and _required(f)]
    body: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return body | ({"required": required} if required else {})


def _described(field: "dataclasses.Field[Any]", schema: dict[str, Any]) -> dict[str, Any]:
    doc = field.metadata.get("doc")
    return schema | ({"description": doc} if doc else {})


def _schema(hint: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _rule_schema(hint, defs)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(o, defs) for o in typing.get_args(hint) if o is not type(None)]}
    if origin is tuple:
        return {"type": "array", "items": _schema(typing.get_args(hint)[0], defs)}
    if origin is typing.Literal:
        return {"enum": list(typing.get_args(hint))}
    if _is_mapping(hint):
        key, item = typing.get_args(hint)
        names = _schema(key, defs)
        return {"type": "object", "additionalProperties": _schema(item, defs), "propertyNames": names}
    if dataclasses.is_dataclass(hint):
        return _reference(typing.cast("type[Any]", hint), defs)
    return {"type": {str: "string", int: "integer", float: "number", bool: "boolean"}[hint]}


def _reference(cls: type[Any], defs: dict[str, Any]) -> dict[str, Any]:
    name = cls.__name__
    if name not in defs:
        defs[name] = {}
        defs[name] = _object_schema(cls, defs)
    return {"$ref": f"#/$defs/{name}"}


def _rule_schema(hint: Any, defs: dict[str, Any]) -> dict[str, Any]:
    inner, *notes = typing.get_args(hint)
    schema = _schema(inner, defs)
    for rule in notes:
        if isinstance(rule, Rule):
            limits = {"pattern": f"^(?:{rule.pattern})$" if rule.pattern else None}
            limits |= {"minimum": rule.least, "maximum": rule.most}  # type: ignore[dict-item]
            schema |= {k: v for k, v in limits.items() if v is not None}
    return schema
