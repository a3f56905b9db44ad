"""What one image holds, package by package, and the dependencies that bring each. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping

from bake.images.blobs import largest_files
from bake.images.read import Images
from bake.lockfile import Lockfile
from bake.plan import ServiceStage
from bake.workspace import ROOT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lock entry or package that the image holds. bytes: unpacked. via: from the service to it, both included.

    files: the largest ones of a package of the workspace, with their bytes.
    """

    path: str
    version: str
    bytes: int
    via: tuple[str, ...]
    files: Mapping[str, int] = dataclasses.field(default_factory=dict)


def held_packages(service: ServiceStage, images: Images, targets: Iterable[str], lock: Lockfile) -> tuple[Held, ...]:
    """Everything in these images of a service, the largest first; of several platforms, the largest counts."""
    wanted = frozenset(targets)
    sizes: dict[str, int] = {}
    files: dict[str, dict[str, int]] = {}
    for stored in (s for s in images.stored if s.image in wanted):
        held: dict[str, int] = {}
        for layer in stored.layers:
            contents = images.contents.get(layer.digest)
            for path, count in contents.holders.items() if contents and layer.origin != "base" else ():
                held[path] = held.get(path, 0) + count
            for path, largest in contents.largest.items() if contents else ():
                files.setdefault(path, {}).update(largest)
        sizes |= {path: max(count, sizes.get(path, 0)) for path, count in held.items()}
    places = {"" if path == ROOT else path: count for path, count in sizes.items()}
    found = (
        Held(
            path=path,
            version=entry.version if (entry := lock.at(path)) else "",
            bytes=count,
            via=service.closure.chain(path) or ((service.package,) if path == service.package else ()),
            files=largest_files(files.get(path or ROOT, {})),
        )
        for path, count in places.items()
        if count or _is_real(lock, path)
    )
    return tuple(sorted(found, key=lambda h: (-h.bytes, h.path)))


def _is_real(lock: Lockfile, path: str) -> bool:
    """Whether a place without bytes is an empty package, not a link, whose goal is listed itself."""
    entry = lock.at(path)
    return entry is not None and not entry.link
