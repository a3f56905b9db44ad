"""Sizes as people write and read them. Pure."""


def size(count: int | float) -> str:
    """Bytes in the unit a person reads (kB = 1000 B, as registries count)."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError
