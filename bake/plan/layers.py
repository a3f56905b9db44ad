"""How closures are cut into layers: the entries that exactly the same services need are one class. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import chain
from operator import or_
from types import MappingProxyType

from bake.lockfile import Lockfile
from bake.plan.closure import Closure, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerClass:
    """The lock entries that exactly these services need, for one C library; one class becomes one layer."""

    id: str
    services: tuple[str, ...]
    native: bool
    libc: str
    entries: tuple[str, ...]


def layer_classes(
    closures: Mapping[str, Closure],
    lock: Lockfile,
    *,
    most: int,
    libc: Mapping[str, str] = MappingProxyType({}),
    own: bool = False,
) -> tuple[LayerClass, ...]:
    """Cut the closures (service -> Closure) into classes: the entries that exactly the same services need.

    An image gets at most `most` classes (or its own two, if `most` is smaller). Past that, the shared classes
    that save the fewest copies are given up: their entries go into kept classes of some of the same services,
    and into the own classes of the rest. So an entry may lie in several layers, but every image still holds
    exactly its closure. Sorted: most shared first, then by id. libc: service -> its C library, by default all have
    the same; a class holds files for one of them. own: every service has its own two classes, empty or not, for what
    only the installed tree tells.
    """
    services = tuple(sorted(closures))
    names = cache(lambda mask: tuple(chosen(services, mask)))
    groups = _limit(_groups(closures, lock, libc), names, most=most)
    for mask in (1 << index for index in range(len(services)) if own):
        groups.setdefault((mask, False), [])
        groups.setdefault((mask, True), [])
    ids = _ids((names(mask), native) for mask, native in groups)
    classes = (
        LayerClass(
            id=ids[names(mask), native],
            services=names(mask),
            native=native,
            libc=libc.get(names(mask)[0], ""),
            entries=tuple(sorted(entries)),
        )
        for (mask, native), entries in groups.items()
    )
    return tuple(sorted(classes, key=lambda one: (-len(one.services), one.id)))


_Key = tuple[int, bool]
"""A set of services as a number with one bit for each, in their order, and whether its entries are native."""

_Names = Callable[[int], tuple[str, ...]]


def _groups(closures: Mapping[str, Closure], lock: Lockfile, libc: Mapping[str, str]) -> dict[_Key, list[str]]:
    masks: dict[str, dict[str, int]] = {}
    for index, service in enumerate(sorted(closures)):
        bit, mine = 1 << index, masks.setdefault(libc.get(service, ""), {})
        for path in closures[service].entries:
            mine[path] = mine.get(path, 0) | bit
    groups: dict[_Key, list[str]] = {}
    for path, mask in chain.from_iterable(mine.items() for mine in masks.values()):
        groups.setdefault((mask, lock.entries[path].native), []).append(path)
    return groups


def _limit(groups: dict[_Key, list[str]], names: _Names, *, most: int) -> dict[_Key, list[str]]:
    shared = [key for key in groups if key[0].bit_count() > 1]
    shared.sort(key=lambda key: (-_saved(key, groups[key]), names(key[0]), key[1]))
    kept = _kept(groups, shared, most=most)
    kept.sort(key=lambda key: (-key[0].bit_count(), names(key[0])))
    parts = {native: [mask for mask, kind in kept if kind == native] for native in (False, True)}
    for mask, native in set(shared).difference(kept):
        entries = groups.pop((mask, native))
        for part in _cover(mask, parts[native]):
            groups.setdefault((part, native), []).extend(entries)
    return groups


def _kept(groups: Iterable[_Key], shared: Iterable[_Key], *, most: int) -> list[_Key]:
    """The shared classes that all their services have room for, those that save most first."""
    kinds = [reduce(or_, (mask for mask, kind in groups if kind == native), 0) for native in (False, True)]
    # An image that has to give up a class needs a class of its own of that kind, native or not.
    room = {bit: most - sum(bool(bit & kind) for kind in kinds) for bit in _bits(kinds[0] | kinds[1])}
    full = sum(bit for bit, left in room.items() if left <= 0)
    kept: list[_Key] = []
    for key in shared:
        if not key[0] & full:
            kept.append(key)
            for bit in _bits(key[0]):
                room[bit] -= 1
                full |= 0 if room[bit] else bit
    return kept


def _saved(key: _Key, entries: Sequence[str]) -> int:
    """Return how many copies of entries the class spares."""
    return len(entries) * (key[0].bit_count() - 1)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        mask ^= bit
        yield bit


def _cover(mask: int, kept: Iterable[int]) -> Iterator[int]:
    """Yield sets of services that together are those of `mask`: kept ones as they come, then single ones."""
    for part in kept:
        if part & mask == part:
            mask ^= part
            yield part
    yield from _bits(mask)


def _ids(groups: Iterable[tuple[tuple[str, ...], bool]]) -> Mapping[tuple[tuple[str, ...], bool], str]:
    names: dict[tuple[tuple[str, ...], bool], str] = {}
    taken: set[str] = set()
    for services, native in sorted(groups, key=lambda key: (len(key[0]), key)):
        stem = services[0] if len(services) == 1 else f"shared-{_hash(services)}"
        name = f"{stem}-native" if native else stem
        # A service may be called what another's class would be called: "x-native".
        names[services, native] = f"{name}-{_hash((*services, str(native)))}" if name in taken else name
        taken.add(names[services, native])
    return names


def _hash(words: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]
