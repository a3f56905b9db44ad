"""npm's version order and ranges, by node-semver; the tests compare with the copy inside npm."""

import functools
import re
from collections.abc import Iterable
from typing import Final

_VERSION: Final = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){2}(?:-[a-z]+\.[1-9]\d{0,8})?", re.ASCII)
"""A version as most are written."""


def is_version(text: str) -> bool:
    """Whether the text is one exact version, such as `1.2.3-rc.1`."""
    # Imported where it is needed: with `logging` it takes as long as the rest of a `bake list`.
    import nodesemver

    return nodesemver.valid(text.strip(), loose=False) is not None


def is_range(text: str) -> bool:
    """Whether the text is a range of versions, such as `^1.2 || 3`."""
    import nodesemver

    try:
        return nodesemver.valid_range(text, loose=False) is not None
    except ValueError:
        return False


@functools.lru_cache(maxsize=1 << 16)
def satisfies(version: str, wanted: str) -> bool:
    """Whether npm takes the version for the range; False when either is not semver (a tag, a URL)."""
    if version == wanted.removeprefix("^") and _VERSION.fullmatch(version):
        return True  # most often asked by far
    import nodesemver

    try:
        return bool(nodesemver.satisfies(version, wanted, loose=False))
    except ValueError:
        return False


def newest(versions: Iterable[str], wanted: str) -> str | None:
    """The highest of the versions that satisfies the range, None when there is none."""
    import nodesemver

    fitting = [version for version in versions if satisfies(version, wanted)]
    return str(nodesemver.max_satisfying(fitting, wanted, loose=False)) if fitting else None
