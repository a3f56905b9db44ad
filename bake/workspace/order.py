"""Who needs whom, as a graph of names: the order of builds, and the circles in it. Pure."""

from collections.abc import Iterable, Mapping, Set
from typing import TypeAlias

Needs: TypeAlias = Mapping[str, Iterable[str]]
"""Package path -> the paths that it needs directly."""


def in_order(paths: Iterable[str], needs: Needs) -> tuple[str, ...]:
    """Return the packages and all that they need, needed ones first as far as they do not need each other."""
    order: list[str] = []
    entered: set[str] = set()
    for path in paths:
        if path not in entered:
            _append_with_needs(path, needs, order, entered)
    return tuple(order)


def _append_with_needs(path: str, needs: Needs, order: list[str], entered: set[str]) -> None:
    pending = [(path, iter(needs.get(path, ())))]
    entered.add(path)
    while pending:
        one, rest = pending[-1]
        need = next((n for n in rest if n not in entered), None)
        if need is None:
            order.append(one)
            pending.pop()
        else:
            entered.add(need)
            pending.append((need, iter(needs.get(need, ()))))


def find_way(start: str, goal: str, needs: Needs) -> tuple[str, ...]:
    """Return the shortest way from one package to another that it needs; () when it does not."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in ways:
        if way[-1] == goal:
            return way
        for need in needs.get(way[-1], ()):
            if need not in seen:
                seen.add(need)
                ways.append((*way, need))
    return ()


def find_circle(among: Set[str], needs: Needs) -> tuple[str, ...]:
    """Return a circle that goes through two of these packages, from the first of them to itself; () without one."""
    order = in_order(sorted(among), needs)
    place = {path: number for number, path in enumerate(order)}
    if all(place[need] < place[path] for path in order for need in needs.get(path, ())):
        return ()  # each after what it needs: there is no circle at all
    reach = {path: dict.fromkeys(in_order((path,), needs)) for path in among}
    for path in sorted(among):
        for other in reach[path]:
            if other != path and other in among and path in reach[other]:
                return (*find_way(path, other, needs), *find_way(other, path, needs)[1:])
    return ()
