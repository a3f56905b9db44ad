"""Results as a table, as JSON, as Markdown. Pure."""

from collections.abc import Mapping, Sequence

_NUMERIC = frozenset(
    {"size", "seconds", "bytes", "packages", "files", "base", "shared", "own", "unpacked", "change", "blobs"}
)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as aligned columns under the first row's keys; numbers to the right."""
    if not rows:
        return ""
    heads = list(rows[0])
    cells = [[str(row.get(h, "")) for h in heads] for row in rows]
    widths = [max(len(h), *(len(line[i]) for line in cells)) for i, h in enumerate(heads)]
    lines = [_line([h.upper() for h in heads], heads, widths)]
    return "\n".join([*lines, *(_line(line, heads, widths) for line in cells)])


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a Markdown table."""
    if not rows:
        return ""
    heads = list(rows[0])
    rule = ["---:" if h in _NUMERIC else "---" for h in heads]
    lines = [[str(row.get(h, "")).replace("|", "\\|") for h in heads] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, rule, *lines])


def size(count: int | float) -> str:
    """Bytes in the unit a person reads (kB = 1000 B, as registries count)."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def _line(cells: Sequence[str], heads: Sequence[str], widths: Sequence[int]) -> str:
    padded = (c.rjust(w) if h in _NUMERIC else c.ljust(w) for c, h, w in zip(cells, heads, widths, strict=True))
    return "  ".join(padded).rstrip()
