"""What a package's production code can reach in the lockfile. Pure: values in, values out."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import compress
from operator import itemgetter
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from bake.errors import WorkspaceError
from bake.lockfile import RELOCK, Lockfile, extra_target, foreign_entries, is_counted
from bake.workspace import in_order

T = TypeVar("T")
_Follow: TypeAlias = Callable[[str], tuple[str, ...]]
"""Where production code can go from a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What one package's production code can reach.

    entries: sorted entry paths, links among them. packages: sorted package paths, its own included.
    via: path -> the path that brought it, by a shortest chain. missing: (path, name) of hard dependencies
    that the lockfile does not hold. served: those of the packages of which only the files count.
    """

    entries: tuple[str, ...]
    packages: tuple[str, ...]
    via: Mapping[str, str]
    missing: tuple[tuple[str, str], ...] = ()
    served: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether it holds a package or an entry."""
        places = ((paths, bisect_left(paths, path)) for paths in (self.packages, self.entries))
        return any(at < len(paths) and paths[at] == path for paths, at in places)

    def chain(self, path: str) -> tuple[str, ...]:
        """Return the way from the package to `path`, both included; () when it is not reached."""
        if path not in self.via and path not in self.packages:
            return ()
        chain = [path]
        while chain[-1] in self.via:
            chain.append(self.via[chain[-1]])
        return tuple(reversed(chain))


def closure(
    lock: Lockfile,
    package_path: str,
    *,
    platforms: tuple[str, ...],
    libc: str,
    extra: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    exclude: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Closure:
    """Return what the production code of one package can reach on any of the platforms.

    extra, exclude: package path -> dependency names that count, or do not count,
    beside what its manifest says. Raises WorkspaceError for a package or an extra name that the lockfile
    does not hold.
    """
    _require(lock, package_path)
    via = _ways(_follower(lock, platforms, libc, extra, exclude), package_path)
    seen = {package_path, *via}
    return Closure(
        entries=tuple(sorted(seen & lock.entries.keys())),
        packages=tuple(sorted(seen & lock.packages.keys())),
        via=via,
        missing=tuple((path, name) for path, name in lock.gaps if path in seen),
    )


def closures(
    lock: Lockfile,
    package_paths: Iterable[str],
    *,
    platforms: tuple[str, ...],
    libc: str,
    extra: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    exclude: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Mapping[str, Closure]:
    """Return what `closure` does of each of several packages, which have most in common: all are followed at once."""
    starts = tuple(dict.fromkeys(package_paths))
    for path in starts:
        _require(lock, path)
    follow = cache(_follower(lock, platforms, libc, extra, exclude))
    reached = _reached(starts, follow)
    return {
        path: Closure(entries=entries, packages=packages, via=_Ways(partial(_ways, follow, path)), missing=missing)
        for path, entries, packages, missing in zip(
            starts,
            _shared_out(starts, reached, sorted(reached.keys() & lock.entries.keys())),
            _shared_out(starts, reached, sorted(reached.keys() & lock.packages.keys())),
            _shared_out(starts, reached, lock.gaps, itemgetter(0)),
            strict=True,
        )
    }


class _Ways(Mapping[str, str]):
    """Path -> the path that brought it, told by a walk: hardly anybody asks."""

    def __init__(self, walk: Callable[[], Mapping[str, str]]) -> None:
        self._found = cache(walk)

    def __getitem__(self, path: str) -> str:
        return self._found()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())


def chosen(items: Iterable[T], mask: int) -> Iterator[T]:
    """The items at whose places a number has a bit, from the lowest one on."""
    return compress(items, f"{mask:b}"[::-1].encode().replace(b"0", b"\0"))


def _shared_out(
    starts: Sequence[str], reached: Mapping[str, int], items: Iterable[T], place: Callable[[T], Any] = lambda one: one
) -> list[tuple[T, ...]]:
    """The items whose places each start reaches, in their order."""
    held: list[list[T]] = [[] for _ in starts]
    for item in items:
        for mine in chosen(held, reached.get(place(item), 0)):
            mine.append(item)
    return list(map(tuple, held))


def _reached(starts: Sequence[str], follow: _Follow) -> Mapping[str, int]:
    """Path -> the starts that reach it, a bit for each in their order."""
    steps: dict[str, tuple[str, ...]] = {}
    queue = [*starts]
    for path in queue:  # grows while it is walked
        if path not in steps:
            steps[path] = follow(path)
            queue.extend(steps[path])
    masks = dict.fromkeys(steps, 0) | {path: 1 << at for at, path in enumerate(starts)}
    order = in_order(starts, steps)[::-1]
    while sum(_spread(masks, path, steps[path]) for path in order):
        pass  # once more for what goes round in circles
    return masks


def _spread(masks: dict[str, int], path: str, targets: Iterable[str]) -> bool:
    """Let targets be reached by all that reach a path; whether that was new for one of them."""
    mine = masks[path]
    new = [target for target in targets if mine & ~masks[target]]
    for target in new:
        masks[target] |= mine
    return bool(new)


def _require(lock: Lockfile, package_path: str) -> None:
    if package_path not in lock.packages:
        remedy = RELOCK if lock.manager == "npm" else f"run `{lock.manager} install`"
        raise WorkspaceError(package_path, f"is not in {lock.file}", remedy)


def _ways(follow: _Follow, start: str) -> dict[str, str]:
    """Path -> the path that brought it, of all that is reached."""
    via, queue = {start: ""}, [start]
    for path in queue:  # grows while it is walked
        for target in follow(path):
            if target not in via:
                via[target] = path
                queue.append(target)
    del via[start]
    return via


def _follower(
    lock: Lockfile,
    platforms: tuple[str, ...],
    libc: str,
    extra: Mapping[str, tuple[str, ...]],
    exclude: Mapping[str, tuple[str, ...]],
) -> _Follow:
    """Where production code can go from a path."""
    step, foreign = _steps(lock, platforms, libc), foreign_entries(lock, platforms, libc)
    adjusted = extra.keys() | exclude.keys()

    def follow(path: str) -> tuple[str, ...]:
        if path not in adjusted:
            return step[path]
        return tuple(t for t in _adjust(lock, path, step, extra, exclude) if t not in foreign)

    return follow


@lru_cache(maxsize=16)
def _steps(lock: Lockfile, platforms: tuple[str, ...], libc: str) -> Mapping[str, tuple[str, ...]]:
    """Return path -> where its production code can go from there on any of the platforms."""
    foreign = foreign_entries(lock, platforms, libc)
    return {
        path: tuple(e.target for e in edges if e.target and e.target not in foreign and is_counted(lock, e))
        for path, edges in lock.edges.items()
    }


def _adjust(
    lock: Lockfile,
    path: str,
    step: Mapping[str, tuple[str, ...]],
    extra: Mapping[str, tuple[str, ...]],
    exclude: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return a package's steps without the excluded names and with the extra ones."""
    if path not in lock.packages:
        return step[path]
    dropped = set(exclude.get(path, ()))
    added = set(extra.get(path, ())) - dropped
    gone = {edge.target for edge in lock.edges[path] if edge.name in dropped}
    found = (extra_target(lock, path, name) for name in sorted(added))
    return (*(target for target in step[path] if target not in gone), *found)
