"""Results as a table, as JSON, as Markdown; and the one place that prints them."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

# Whose cells are not plain integers.
_NUMERIC = frozenset(
    (*"base blobs bytes change files own packages ready seconds shared size stopped unpacked".split(), "above base")  # noqa: SIM905
)


JSON_FORMAT = 1
"""`format` in the objects that commands print as JSON: it goes up when a field is changed or removed."""


def show(form: str, value: object, text: str, *, quiet: bool = False) -> None:
    """Print a command's result on stdout: as JSON the value, else the text.

    quiet: the text only tells of a deed, to a user who asked for quiet, so it is left out.
    """
    if form == "json" or not quiet:
        print(to_json(value) if form == "json" else text)


def to_json(value: object) -> str:
    """A value as JSON; of a dataclass its fields."""
    return json.dumps(value, indent=2, default=_fields)


def _fields(value: Any) -> Mapping[str, object]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as aligned columns under the first row's keys; numbers to the right."""
    if not rows:
        return ""
    heads = list(rows[0])
    cells = [[str(row.get(h, "")) for h in heads] for row in rows]
    widths = [max(len(h), *(len(line[i]) for line in cells)) for i, h in enumerate(heads)]
    right = [_is_numeric(h, rows) for h in heads]
    return "\n".join(_line(line, right, widths) for line in ([h.upper() for h in heads], *cells))


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a Markdown table."""
    if not rows:
        return ""
    heads = list(rows[0])
    rule = ["---:" if _is_numeric(h, rows) else "---" for h in heads]
    lines = [[str(row.get(h, "")).replace("|", "\\|") for h in heads] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, rule, *lines])


def cached_steps(cached: int, steps: int) -> str:
    """How many of an image's steps a cache had. BuildKit is not asked about images that are up to date."""
    return f"{cached}/{steps}" if steps else "up to date"


def _is_numeric(head: str, rows: Sequence[Mapping[str, object]]) -> bool:
    return head in _NUMERIC or all(isinstance(row.get(head), int) for row in rows)


def _line(cells: Sequence[str], right: Sequence[bool], widths: Sequence[int]) -> str:
    padded = (c.rjust(w) if r else c.ljust(w) for c, r, w in zip(cells, right, widths, strict=True))
    return "  ".join(padded).rstrip()
