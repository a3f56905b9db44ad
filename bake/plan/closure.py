"""What a package's production code can reach in the lockfile. Pure: values in, values out."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from bake.errors import WorkspaceError
from bake.lockfile import RELOCK, Lockfile, extra_target, foreign_entries, is_counted


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
    if package_path not in lock.packages:
        remedy = RELOCK if lock.manager == "npm" else f"run `{lock.manager} install`"
        raise WorkspaceError(package_path, f"is not in {lock.file}", remedy)
    step, foreign = _steps(lock, platforms, libc), foreign_entries(lock, platforms, libc)
    adjusted = extra.keys() | exclude.keys()
    via, queue = {package_path: ""}, [package_path]
    for path in queue:  # grows while it is walked
        targets = step[path]
        if path in adjusted:
            targets = tuple(t for t in _adjust(lock, path, step, extra, exclude) if t not in foreign)
        for target in targets:
            if target not in via:
                via[target] = path
                queue.append(target)
    seen = frozenset(via)
    del via[package_path]
    return Closure(
        entries=tuple(sorted(seen & lock.entries.keys())),
        packages=tuple(sorted(seen & lock.packages.keys())),
        via=via,
        missing=tuple((path, name) for path, name in lock.gaps if path in seen),
    )


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
