"""Images that only the tag of their content holds in a registry: nothing deploys them, and no push reuses them."""

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from bake.config import parse_reference
from bake.publish.origin import ORIGIN
from bake.registry import NotFoundError, Registry

CONTENT_PREFIX = "content-"
"""How tags begin that stand for all that decides an image."""

_CREATED = "org.opencontainers.image.created"
_THREADS = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An image with nothing but content tags. created: its commit's time, in seconds since 1970; None if unknown."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    created: int | None = None

    @property
    def reference(self) -> str:
        """It by digest."""
        return f"{self.repository}@{self.digest}"


def find_leftovers(registry: Registry, repositories: Iterable[str], kept: frozenset[str]) -> tuple[Leftover, ...]:
    """Those of the repositories, the newest first. kept: digests, and content tags, that stay. Raises RegistryError."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda name: _in_repository(registry, name, kept), repositories))
    return tuple(sorted((each for some in found for each in some), key=lambda one: -(one.created or 0)))


def _in_repository(registry: Registry, repository: str, kept: frozenset[str]) -> list[Leftover]:
    tags: dict[str, list[str]] = {}
    for tag in registry.tags(repository):
        with contextlib.suppress(NotFoundError):  # a delete that broke off leaves tags in the list that name nothing
            tags.setdefault(registry.digest(f"{repository}:{tag}"), []).append(tag)
    alone = {d: names for d, names in tags.items() if all(n.startswith(CONTENT_PREFIX) for n in names)}
    return [
        Leftover(repository=repository, digest=d, tags=tuple(names), created=_created(registry, f"{repository}@{d}"))
        for d, names in alone.items()
        if d not in kept and kept.isdisjoint(names)
    ]


def _created(registry: Registry, reference: str) -> int | None:
    """What the referrer beside an image tells of its commit's time; None where the registry has none."""
    told = (each.get("annotations") or {} for each in registry.referrers(parse_reference(reference), ORIGIN))
    times = (_seconds(given.get(_CREATED)) for given in told)
    return min((each for each in times if each is not None), default=None)


def _seconds(time: object) -> int | None:
    """A time as RFC 3339 writes it, in seconds since the epoch; None for anything else."""
    try:
        return int(datetime.fromisoformat(str(time)).timestamp())
    except ValueError:
        return None


def choose_leftovers(
    found: Sequence[Leftover], *, now: float, days: int, most: int, undated: bool
) -> tuple[Leftover, ...]:
    """Those that are to go: older than so many days, and not among the newest of their repository.

    undated: also those of which nobody knows the age.
    """
    newest: dict[str, int] = {}
    chosen = []
    for each in found:
        newest[each.repository] = newest.get(each.repository, 0) + 1
        old = undated if each.created is None else now - each.created > days * 86400
        if old and newest[each.repository] > most:
            chosen.append(each)
    return tuple(chosen)


def remove_leftovers(registry: Registry, chosen: Sequence[Leftover]) -> None:
    """Delete them; the first alone, so that a registry without deletes refuses once. Raises RegistryError."""
    for each in chosen[:1]:
        registry.delete(each.reference)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda one: registry.delete(one.reference), chosen[1:]))
