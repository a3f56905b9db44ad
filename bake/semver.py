"""npm's version order and ranges: node-semver's grammar without its loose mode.

Source: https://github.com/npm/node-semver#ranges; the tests compare with the copy inside npm.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_Identifier = tuple[int, int, str]  # (0, number, "") sorts before (1, 0, text)
_Order = tuple[int, int, int, bool, tuple[_Identifier, ...]]

_TAIL = r"(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
_VERSION = re.compile(rf"\s*v?(\d+)\.(\d+)\.(\d+){_TAIL}\s*")
_PART = r"(\d+|[xX*])"
_COMPARATOR = re.compile(rf"(>=|<=|>|<|=|~>|~|\^)?v?{_PART}(?:\.{_PART}(?:\.{_PART}{_TAIL})?)?")
_SPACE_AFTER_OPERATOR = re.compile(r"(>=|<=|>|<|=|~>|~|\^)\s+")
_LOWEST = (0, 0, "")  # the prerelease "-0": below every other prerelease of its version


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    operator: str
    order: _Order


_ALWAYS = _Bound(operator=">=", order=(0, 0, 0, True, ()))
_NEVER = _Bound(operator="<", order=(0, 0, 0, False, (_LOWEST,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partial:
    """`1.2`, `1.x` or `1.2.3-rc.1`: the numbers that are given, and the prerelease."""

    numbers: tuple[int, ...]
    prerelease: tuple[_Identifier, ...] = ()

    def floor(self) -> _Order:
        major, minor, patch = (*self.numbers, 0, 0, 0)[:3]
        return (major, minor, patch, not self.prerelease, self.prerelease)

    def ceiling(self, kept: int) -> _Order:
        """The first version whose leading `kept` numbers are higher; `-0` keeps its prereleases out."""
        raised = (*self.numbers[: kept - 1], self.numbers[kept - 1] + 1, 0, 0, 0)
        return (raised[0], raised[1], raised[2], False, (_LOWEST,))


def is_version(text: str) -> bool:
    """Whether the text is one exact version, such as `1.2.3-rc.1`."""
    return _VERSION.fullmatch(text) is not None


def satisfies(version: str, wanted: str) -> bool:
    """Whether npm takes the version for the range; False when either is not semver (a tag, a URL)."""
    order = _order(version)
    if order is None:
        return False
    return any(_within(order, bounds) for bounds in _alternatives(wanted))


def newest(versions: Iterable[str], wanted: str) -> str | None:
    """The highest of the versions that satisfies the range, None when there is none."""
    fitting = [(order, text) for text in versions if (order := _order(text)) and satisfies(text, wanted)]
    return max(fitting)[1] if fitting else None


def _order(text: str) -> _Order | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    prerelease = _identifiers(found[4])
    return (int(found[1]), int(found[2]), int(found[3]), not prerelease, prerelease)


def _identifiers(text: str | None) -> tuple[_Identifier, ...]:
    parts = text.split(".") if text else []
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def _within(order: _Order, bounds: tuple[_Bound, ...]) -> bool:
    if not all(_holds(order, bound) for bound in bounds):
        return False
    released = order[3]
    # A prerelease is taken only where the range names a prerelease of the same version.
    return released or any(bound.order[:3] == order[:3] and not bound.order[3] for bound in bounds)


def _holds(order: _Order, bound: _Bound) -> bool:
    return {
        ">=": order >= bound.order,
        ">": order > bound.order,
        "<=": order <= bound.order,
        "<": order < bound.order,
        "=": order == bound.order,
    }[bound.operator]


def _alternatives(wanted: str) -> Iterable[tuple[_Bound, ...]]:
    for alternative in wanted.split("||"):
        words = " ".join(alternative.split())
        bounds = _hyphen(words) if " - " in words else _conjunction(words)
        if bounds is not None:
            yield bounds


def _hyphen(text: str) -> tuple[_Bound, ...] | None:
    ends = [_COMPARATOR.fullmatch(end) for end in text.split(" - ")]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return (*_bounds(">=", _partial(ends[0])), *_bounds("<=", _partial(ends[1])))


def _conjunction(text: str) -> tuple[_Bound, ...] | None:
    bounds: tuple[_Bound, ...] = ()
    for word in _SPACE_AFTER_OPERATOR.sub(r"\1", text).split():
        found = _COMPARATOR.fullmatch(word)
        if found is None:
            return None
        bounds += _bounds(found[1] or "=", _partial(found))
    return bounds or _bounds("=", _Partial(numbers=()))


def _partial(found: re.Match[str]) -> _Partial:
    numbers: tuple[int, ...] = ()
    for part in (found[2], found[3], found[4]):
        if part is None or not part.isdigit():
            return _Partial(numbers=numbers)
        numbers += (int(part),)
    return _Partial(numbers=numbers, prerelease=_identifiers(found[5]))


def _bounds(operator: str, partial: _Partial) -> tuple[_Bound, ...]:
    given = len(partial.numbers)
    if given == 0:
        return (_NEVER if operator in ("<", ">") else _ALWAYS,)
    if operator in ("^", "~", "~>"):
        kept = _caret_keeps(partial) if operator == "^" else min(given, 2)
        return _between(partial.floor(), partial.ceiling(kept))
    if given == 3:
        return (_Bound(operator=operator, order=partial.floor()),)
    return _partial_bounds(operator, partial, given)


def _partial_bounds(operator: str, partial: _Partial, given: int) -> tuple[_Bound, ...]:
    """Comparators of incomplete versions: `>1.2` means from 1.3.0, `<=1.2` below 1.3.0, `1.2` between."""
    floor, ceiling = partial.floor(), partial.ceiling(given)
    if operator == "=":
        return _between(floor, ceiling)
    if operator == ">":
        return (_Bound(operator=">=", order=(*ceiling[:3], True, ())),)
    if operator == "<=":
        return (_Bound(operator="<", order=ceiling),)
    if operator == "<":
        return (_Bound(operator="<", order=(*floor[:3], False, (_LOWEST,))),)
    return (_Bound(operator=operator, order=floor),)


def _between(floor: _Order, ceiling: _Order) -> tuple[_Bound, ...]:
    return (_Bound(operator=">=", order=floor), _Bound(operator="<", order=ceiling))


def _caret_keeps(partial: _Partial) -> int:
    """How many leading numbers `^` holds fixed: through the first that is not 0, or all that are given."""
    for place, number in enumerate(partial.numbers, start=1):
        if number:
            return place
    return len(partial.numbers)
