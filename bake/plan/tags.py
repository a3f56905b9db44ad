"""Tags from patterns such as `{branch}-{sha}`. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from bake.errors import UsageError

FIELDS = ("sha", "branch", "version", "pr", "content")
"""What a pattern can hold: 12 digits of the commit, its branch, its version tag, the pull request, the inputs' hash."""

_FALLBACK = "dev"
_LONGEST = 128
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def make_tags(patterns: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The tags that patterns make, in their order and each once; `dev` when no pattern has all its values.

    values: what is known of FIELDS; "" or absent is unknown. Raises UsageError for another field.
    """
    return known_tags(patterns, values) or (_FALLBACK,)


def known_tags(patterns: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The same, nothing when no pattern has all its values."""
    tags = [_tag(pattern, values) for pattern in patterns]
    return tuple(dict.fromkeys(t for t in tags if t))


def names(pattern: str, field: str) -> bool:
    """Whether the pattern holds the field."""
    return field in _PLACEHOLDER.findall(pattern)


def _tag(pattern: str, values: Mapping[str, str]) -> str:
    """A legal tag, "" when a placeholder has no value."""
    for field in _PLACEHOLDER.findall(pattern):
        if field not in FIELDS:
            raise UsageError("tag", f"{{{field}}} is not known", f"use one of {', '.join(FIELDS)}")
        if not values.get(field):
            return ""
    return slug(_PLACEHOLDER.sub(lambda m: values[m[1]], pattern))


def slug(text: str) -> str:
    """The text as a legal tag: `feature/x` becomes `feature-x`. What is too long or has no legal character is hashed.

    Source: OCI distribution specification, "Pulling manifests", the grammar of tags.
    """
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    tag = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")
    return (tag if len(tag) <= _LONGEST else f"{tag[: _LONGEST - 13]}-{mark}") or mark
