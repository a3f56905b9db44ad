"""The reference pages that the code says: the command line from argparse, bake.toml from config.py's fields."""

import argparse
import ast
import dataclasses
import json
import posixpath
import re
import runpy
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bake import commands
from bake.config import Config, Rule, config_schema
from bake.config.typed import toml_key

DOCS = Path(__file__).resolve().parent.parent / "docs"

_NOTE = "<!-- Written by scripts/reference from the code; do not edit. -->\n"

_SHAPES: Mapping[Any, str] = {str: "string", int: "whole number", float: "number", bool: "true or false"}

_NAMED = {
    "services": "services.<name>",
    "roles": "roles.<name>",
    "packages": 'packages."<path or name>"',
    "args": "args.<name>",
    "secrets": "secrets.<id>",
    "dependencies": "dependencies.<host>",
    "nodes": "nodes.<name>",
}
"""How a table of tables is written in a heading."""


def main(words: list[str]) -> int:
    """Write the pages, or with --check tell which are not current; gives the exit status."""
    stale = [name for name, text in pages().items() if _read(DOCS / name) != text]
    if words == ["--check"]:
        for name in stale:
            print(f"{posixpath.normpath(f'docs/{name}')} is not current; run scripts/reference", file=sys.stderr)
        return 1 if stale else 0
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> Mapping[str, str]:
    """Path below docs/ -> text."""
    return {
        "reference/cli.md": _cli_page(),
        "reference/bake-toml.md": _config_page(),
        "bake.schema.json": json.dumps(config_schema(), indent=2) + "\n",
        "../CONTRIBUTING.md": _contributing(),
    }


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


# ---- the house


def _contributing() -> str:
    """The page as it is, with its table of rooms as tests/ states their floors and their faces say what they are."""
    house = runpy.run_path(str(DOCS.parent / "tests/unit/test_house.py"))
    rows = [
        f"| {floor} | `{name}` | {_cell(_said(house['BAKE'], name))} |\n"
        for floor, names in reversed(list(enumerate(house["FLOORS"])))
        for name in names
        if not name.startswith("_")
    ]
    before, _, rest = _read(DOCS.parent / "CONTRIBUTING.md").partition(_ROOMS)
    _, _, after = rest.partition(_ROOMS_END)
    return f"{before}{_ROOMS}\n| floor | room | what is there |\n|---|---|---|\n{''.join(rows)}{_ROOMS_END}{after}"


_ROOMS, _ROOMS_END = "<!-- rooms, written by scripts/reference -->", "<!-- /rooms -->"


def _said(bake: Path, name: str) -> str:
    face = bake / name / "__init__.py"
    text = (face if face.is_file() else bake / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0]


# ---- the command line


def _cli_page() -> str:
    names = sorted(commands.COMMANDS)
    index = "".join(f"| [`{name}`](#bake-{name}) | {_cell(_sentence(commands.COMMANDS[name]))} |\n" for name in names)
    parts = [
        _NOTE,
        f"{_CLI_INTRO}\n| command | what it does |\n|---|---|\n{index}",
        "## Options of every command\n\n" + _options(commands.common_parser()),
        _STATUS,
        *(_command(name) for name in names),
    ]
    return "\n".join(parts)


_CLI_INTRO = """\
# Command line

`bake [COMMAND] [TARGET ...] [OPTIONS]`; `python -m bake` is the same program. Without a command, words are targets to
build: `bake catalog-worker --push` is `bake build catalog-worker --push`.

A target is an image (`catalog-worker`), a service with all its roles (`catalog`), `all`, `monolith`, or a pattern
(`'*-worker'`). Results go to stdout, everything else to stderr.
"""

_STATUS = """\
## Exit status

| status | meaning |
|---|---|
| 0 | everything asked for was done |
| 1 | a build failed, or a check found something |
| 2 | the command line asks for something that does not exist or does not go together |
| 3 | bake.toml, the workspace or its lockfile is wrong |
| 4 | Docker, buildx or the builder is missing, down or cannot do it |
| 5 | a registry (of images or of npm packages) refused, or is out of reach |
| 130 | interrupted |
"""


def _command(name: str) -> str:
    parser = commands.command_parser(name)
    text = "\n".join(line.strip() for line in (parser.description or "").strip().splitlines())
    return f"## bake {name}\n\n{text}\n\n{_options(parser, own=True)}"


def _options(parser: argparse.ArgumentParser, *, own: bool = False) -> str:
    shared = {a.dest for a in commands.common_parser()._actions} if own else set()
    actions = [a for a in parser._actions if a.dest not in {"help", *shared}]
    rows = "".join(f"| {_names(a)} | {_cell(_meaning(a))} |\n" for a in actions if a.help is not argparse.SUPPRESS)
    return f"| argument | meaning |\n|---|---|\n{rows}" if rows else "No arguments of its own.\n"


def _names(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else ""
    if not value and action.choices is None and action.nargs != 0:
        value = action.dest.upper()
    if not action.option_strings:
        return f"`{value or '|'.join(map(str, action.choices or ()))}`".replace("|", "\\|")
    value = value.replace("|", "\\|")
    return ", ".join(f"`{option}{f' {value}' if value else ''}`" for option in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    parts = [_sentence(action.help or "")]
    if action.choices is not None:
        parts.append("One of " + ", ".join(f"`{c}`" for c in action.choices) + ".")
        if isinstance(action.default, str):
            parts.append(f"Default: `{action.default}`.")
    return " ".join(p for p in parts if p)


# ---- bake.toml


def _config_page() -> str:
    tables = "\n".join(_table(Config, "", "", {}))
    return f"{_NOTE}\n{_CONFIG_INTRO}\n{tables}"


_CONFIG_INTRO = """\
# bake.toml

bake looks for `bake.toml` in the current directory and above; `--file` names another one. Every complaint about it
comes at once, with the key's path. The [JSON Schema](../bake.schema.json) (`bake schema`) serves editors: put
`#:schema <its path or URL>` into the first line.

Only `project.name` and one service with its `package` must be there.
"""


def _table(cls: type[Any], path: str, text: str, shown: dict[type[Any], str]) -> Iterator[str]:
    """The section of one table, then those of the tables in it; keys that were `shown` are not repeated."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    plain = [f for f in fields if not _only_table(hints[f.name])]
    if path:
        yield f"## `[{path}]`\n\n{text}\n"
    if cls in shown:
        yield f"Its keys are those of `[{shown[cls]}]`.\n"
        return
    shown[cls] = path
    if plain:
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        yield "".join(f"{_row(field, hints[field.name])}\n" for field in plain)
    for field in fields:
        inner, many = _inner(hints[field.name])
        if inner:
            name = toml_key(field)
            step = _NAMED.get(name, f"{name}.<name>") if many else name
            yield from _table(inner, f"{path}.{step}" if path else step, str(field.metadata.get("doc", "")), shown)


def _row(field: "dataclasses.Field[Any]", hint: Any) -> str:
    cells = (f"`{toml_key(field)}`", _shape(hint), _default(field), str(field.metadata.get("doc", "")))
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def _inner(hint: Any) -> tuple[type[Any] | None, bool]:
    """The dataclass of a table, and whether there is one per name."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint, False
    for part in typing.get_args(hint):
        inner, many = _inner(part)
        if inner:
            return inner, many or typing.get_origin(hint) is Mapping
    return None, False


def _only_table(hint: Any) -> bool:
    """Whether the key is always written as a table: nothing else would fit."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return all(_only_table(o) for o in typing.get_args(hint) if o is not type(None))
    if typing.get_origin(hint) is Mapping:
        return _only_table(typing.get_args(hint)[1])
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _shape(hint: Any) -> str:
    """The type in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return next((n.words for n in parts[1:] if isinstance(n, Rule)), _shape(parts[0]))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_shape(p) for p in parts if p is not type(None))
    if origin is tuple:
        return f"array: {_shape(parts[0])}"
    if origin is typing.Literal:
        return " or ".join(f"`{p}`" for p in parts)
    if origin is Mapping:
        return f"table: {_shape(parts[1])}"
    return "table" if dataclasses.is_dataclass(hint) else _SHAPES[hint]


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default if field.default is not dataclasses.MISSING else {}
    if value is None or value in ((), {}):
        return ""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def _sentence(text: str) -> str:
    """Help of argparse as a sentence."""
    whole = re.sub(r"(?<![.!?])$", ".", text.strip()) if text.strip() else ""
    return whole[:1].upper() + whole[1:]


def _cell(text: str) -> str:
    """Text for a cell of a table: Markdown would take these signs for its own."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    clean = (p if p.startswith("`") else p.replace("<", "&lt;").replace("*", "\\*") for p in parts)
    return re.sub(r"(?<!\\)\|", r"\\|", "".join(clean))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
