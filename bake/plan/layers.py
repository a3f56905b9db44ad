"""How closures are cut into layers: the entries that exactly the same services need are one class. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, compress
from types import MappingProxyType

from bake.lockfile import Lockfile
from bake.plan.closure import Closure


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
    groups = _limit(_groups(closures, lock, libc), most=most)
    for service in closures if own else ():
        groups.setdefault(((service,), False), set())
        groups.setdefault(((service,), True), set())
    names = _ids(groups)
    classes = (
        LayerClass(
            id=names[key],
            services=key[0],
            native=key[1],
            libc=libc.get(key[0][0], ""),
            entries=tuple(sorted(entries)),
        )
        for key, entries in groups.items()
    )
    return tuple(sorted(classes, key=lambda one: (-len(one.services), one.id)))


_Key = tuple[tuple[str, ...], bool]


def _groups(closures: Mapping[str, Closure], lock: Lockfile, libc: Mapping[str, str]) -> dict[_Key, set[str]]:
    # One bit per service: the set of services that need an entry is one number.
    services = sorted(closures)
    masks: dict[str, dict[str, int]] = {}
    for index, service in enumerate(services):
        bit, mine = 1 << index, masks.setdefault(libc.get(service, ""), {})
        for path in closures[service].entries:
            mine[path] = mine.get(path, 0) | bit
    by_mask: dict[tuple[int, bool], set[str]] = {}
    for path, mask in chain.from_iterable(mine.items() for mine in masks.values()):
        by_mask.setdefault((mask, lock.entries[path].native), set()).add(path)
    return {
        (tuple(compress(services, map(int, reversed(f"{mask:b}")))), native): paths
        for (mask, native), paths in by_mask.items()
    }


def _limit(groups: dict[_Key, set[str]], *, most: int) -> dict[_Key, set[str]]:
    shared = [key for key in groups if len(key[0]) > 1]
    shared.sort(key=lambda key: (-_saved(key, groups[key]), key))
    # An image that has to give up a class needs a class of its own of that kind, native or not.
    room = {service: most - len(kinds) for service, kinds in _kinds(groups).items()}
    kept: list[_Key] = []
    for key in shared:
        if all(room[service] > 0 for service in key[0]):
            kept.append(key)
            for service in key[0]:
                room[service] -= 1
    large = sorted(kept, key=lambda key: (-len(key[0]), key))
    for key in sorted(set(shared) - set(kept)):
        for part in _cover(key, large):
            groups.setdefault(part, set()).update(groups[key])
        del groups[key]
    return groups


def _saved(key: _Key, entries: set[str]) -> int:
    """Return how many copies of entries the class spares."""
    return len(entries) * (len(key[0]) - 1)


def _kinds(groups: Iterable[_Key]) -> Mapping[str, set[bool]]:
    kinds: dict[str, set[bool]] = {}
    for services, native in groups:
        for service in services:
            kinds.setdefault(service, set()).add(native)
    return kinds


def _cover(key: _Key, kept: Iterable[_Key]) -> Iterator[_Key]:
    """Yield classes that together have exactly the services of `key`: kept ones as they come, then own ones."""
    left, native = set(key[0]), key[1]
    for part in kept:
        if part[1] == native and left.issuperset(part[0]):
            left -= set(part[0])
            yield part
    for service in sorted(left):
        yield (service,), native


def _ids(groups: Iterable[_Key]) -> Mapping[_Key, str]:
    names: dict[_Key, str] = {}
    for services, native in sorted(groups, key=lambda key: (len(key[0]), key)):
        stem = services[0] if len(services) == 1 else f"shared-{_hash(services)}"
        name = f"{stem}-native" if native else stem
        # A service may be called what another's class would be called: "x-native".
        taken = name in names.values()
        names[services, native] = f"{name}-{_hash((*services, str(native)))}" if taken else name
    return names


def _hash(words: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]
