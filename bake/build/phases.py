"""A build as the bakes that its cache and the engine ask for, one after the other."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from bake.engine import BuildOptions, Built, Capabilities, merge
from bake.errors import RegistryError
from bake.plan import Cache, Plan
from bake.registry import Registry

_MOST_RECORDS = 1 << 20
"""Bytes of the list of steps that BuildKit reads of a cache, else it takes nothing from it (moby/buildkit,
cache/remotecache/import.go, maxBlobSize)."""

_AT_ONCE = 32
"""Images of one bake: all of them begin at once, and with a hundred on two cores buildx asks for some that the engine
does not know yet, which ends all (docker/buildx#3810)."""

_NEAR = 0.75
"""The share of these from which on a build warns."""


def settle(
    cache: Cache,
    capabilities: Capabilities,
    registry: Registry,
    warn: Callable[[str], None],
    *,
    platforms: Sequence[str],
) -> Cache:
    """The cache without references that are not there yet, and without exports that would fail; a word about those."""
    if cache.exports and (why := capabilities.features["cache export"] or _why_parted(capabilities, platforms)):
        warn(f"no cache is written: {why}")
        cache = cache.without_exports(why)
    if not cache.repository:
        return cache
    if cache.imports or cache.taken:
        cache = _only_existing(cache, registry)
    if cache.exports:
        try:
            registry.check_push(cache.repository)
        except RegistryError as error:
            warn(f"no cache is written: {error}")
            cache = cache.without_exports(str(error))
    return cache


def _why_parted(capabilities: Capabilities, platforms: Sequence[str]) -> str:
    """Why nodes that build a platform each can write no cache together, "" when they can (docker/buildx#1044)."""
    if capabilities.nodes < 2 or len(platforms) < 2:
        return ""
    return "each node of the builder would replace what the others wrote; build one --platform at a time"


def overgrown(cache: Cache, registry: Registry) -> Iterator[str]:
    """A warning for each reference that was written and that BuildKit soon reads no more, or does not now."""
    for entry in cache.exports.values() if cache.repository else ():
        place = entry.partition("ref=")[2].partition(",")[0]
        with contextlib.suppress(RegistryError):
            records = int((registry.manifest(place).content.get("config") or {}).get("size", 0))
            if records > _MOST_RECORDS * _NEAR:
                yield (
                    f"{place}: its list of steps has {records} bytes, and BuildKit reads no cache with more than "
                    f"{_MOST_RECORDS}; build services in runs of their own (`bake matrix --by service`), "
                    "which write a smaller cache each"
                )


def _only_existing(cache: Cache, registry: Registry) -> Cache:
    try:
        tags = registry.tags(cache.repository)
    except RegistryError:
        # Some registries list no tags. BuildKit passes over a reference that is not there, but for images.
        return dataclasses.replace(cache, taken={})
    return cache.importing(lambda entry: entry.rpartition(":")[2] in tags)


def run_phases(plan: Plan, cache: Cache, options: BuildOptions, run: Callable[[BuildOptions], Built]) -> Built:
    """Build what the options name, in as many bakes as the cache and the engine need."""
    phases = cache.phases(services_of(plan, options.targets))
    return joined(
        [
            run(_phase_options(cache, options, part, first=targets == phases[0]))
            for targets in phases
            for part in (targets[at : at + _AT_ONCE] for at in range(0, len(targets), _AT_ONCE))
        ]
    )


def services_of(plan: Plan, targets: Sequence[str]) -> Mapping[str, str]:
    """Target -> its service, in the order given; `monolith` is its own."""
    return {t: plan.owners.get(t, t) for t in targets}


def _phase_options(cache: Cache, options: BuildOptions, targets: tuple[str, ...], *, first: bool) -> BuildOptions:
    options = dataclasses.replace(options, targets=targets)
    if cache.alone and len(targets) > 1 and not first:
        # All that these need is in the engine since their services' first images.
        return dataclasses.replace(options, sets=(*options.sets, "*.cache-from="))
    return options


def joined(runs: Sequence[Built]) -> Built:
    """Several runs of bake as one."""
    metadata = {name: value for run in runs for name, value in run.metadata.items()}
    return Built(metadata=metadata, progress=merge(run.progress for run in runs))
