"""Why images are big: what they hold above their base, by the dependency that brings it. Pure."""

import dataclasses
from collections.abc import Sequence

from bake.images import Held, Images, ImageSize, held_packages
from bake.lockfile import Lockfile
from bake.plan import Plan, ServiceStage
from bake.workspace import shown

_OTHER = "other files"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What one dependency, or package of the workspace, brings. by: the package that declares it, "" for its own.

    bytes: unpacked. held: what comes with it, itself among that, the largest first.
    """

    name: str
    by: str
    bytes: int
    held: tuple[Held, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Big:
    """The images of a service, which hold the same. size: of the largest of them and its largest platform.

    rest: unpacked bytes above the base that belong to no package.
    """

    service: str
    images: tuple[str, ...]
    size: ImageSize
    brought: tuple[Brought, ...]
    held: tuple[Held, ...]
    rest: int


def weigh(plan: Plan, images: Images, sizes: Sequence[ImageSize], lock: Lockfile) -> tuple[Big, ...]:
    """Services with the largest images first."""
    found = (_weigh(plan, s, images, sizes, lock) for s in plan.services)
    return tuple(sorted((b for b in found if b), key=lambda b: (-b.size.above.stored, b.service)))


def _weigh(plan: Plan, service: ServiceStage, images: Images, sizes: Sequence[ImageSize], lock: Lockfile) -> Big | None:
    targets = tuple(i.target for i in plan.images if i.service == service.service)
    there = [s for s in sizes if s.image in targets]
    if not there:
        return None
    largest = max(there, key=lambda s: (s.above.stored, s.total.stored))
    held = held_packages(service, images, targets, lock)
    rest = (largest.above.unpacked or 0) - sum(h.bytes for h in held)
    return Big(
        service=service.service,
        images=tuple(t for t in targets if any(s.image == t for s in there)),
        size=largest,
        brought=_brought(held, max(0, rest)),
        held=held,
        rest=max(0, rest),
    )


def _brought(held: Sequence[Held], rest: int) -> tuple[Brought, ...]:
    groups: dict[tuple[str, str], list[Held]] = {}
    for one in held:
        groups.setdefault(_bringer(one), []).append(one)
    found = [
        Brought(name=name, by=by, bytes=sum(h.bytes for h in group), held=tuple(group))
        for (name, by), group in groups.items()
    ]
    if rest:
        found.append(Brought(name=_OTHER, by="", bytes=rest, held=()))
    return tuple(sorted((b for b in found if b.bytes), key=lambda b: (-b.bytes, b.name)))


def _bringer(held: Held) -> tuple[str, str]:
    """The dependency that a person declared, and the package that declares it: the last of them on the way."""
    at = max((i for i, path in enumerate(held.via) if "node_modules/" not in path), default=-1)
    if at in (-1, len(held.via) - 1):
        return shown(held.path), ""
    return package_name(held.via[at + 1]), shown(held.via[at])


def package_name(path: str) -> str:
    """A lock entry by its name, a package of the workspace by its path."""
    return shown(path.rpartition("node_modules/")[2])
