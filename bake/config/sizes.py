"""Sizes as people write and read them: in bake.toml, behind options, in what docker prints. Pure."""

import math
import re

SIZE_WORDS = "a size like 40 MB, 20GB or 512m"
SIZE_PATTERN = r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?) ?(?:([kKmMgGtT])(i?)([bB]?)|[bB])"
"""A number and its unit. The exponent is what docker prints of numbers with four digits (docker/go-units)."""


def parse_size(text: str) -> int:
    """Bytes of a size. `kB`, `MB` are thousands, as registries count; `m`, `MiB` 1024s, as limits of memory are.

    Raises ValueError.
    """
    found = re.fullmatch(SIZE_PATTERN, text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not {SIZE_WORDS}")
    number, thousands, binary, byte = found.groups()
    base = 1000.0 if byte and not binary else 1024.0
    power = " kmgt".index((thousands or " ").lower())
    return round(float(number) * math.pow(base, power))


def size(count: int | float) -> str:
    """Bytes in the unit a person reads (kB = 1000 B, as registries count)."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def size_difference(count: int) -> str:
    """Bytes with their sign; none for 0."""
    return f"{'+' if count > 0 else '-' if count < 0 else ''}{size(abs(count))}"
