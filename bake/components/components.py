"""The packages of an image, straight from its closure: no scanner guesses what the plan knows. Pure."""

import dataclasses
import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping

from bake.lockfile import Entry, Lockfile, runs_on
from bake.plan import Closure, Image, Plan, ServiceStage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One package in an image.

    path: where it lies, from the workspace's root. layer: the layer class that holds it, "" for a package of the
    workspace. chain: who brings it, from the service's package to itself, as names. hashes: algorithm (`sha512`) ->
    hex digits of what the registry serves. own: whether it is the workspace's.
    """

    name: str
    version: str
    path: str
    layer: str = ""
    license: str = ""
    resolved: str = ""
    hashes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    chain: tuple[str, ...] = ()
    own: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents:
    """What one image holds on one platform. base: its base image, with its digest where it is pinned."""

    project: str
    target: str
    platform: str
    base: str
    components: tuple[Component, ...]

    @property
    def key(self) -> str:
        """A digest of all of it, the same on every machine."""
        listed = "\n".join(f"{c.path} {c.name} {c.version} {sorted(c.hashes.items())}" for c in self.components)
        return hashlib.sha256(f"{self.target} {self.platform} {self.base}\n{listed}".encode()).hexdigest()


def image_contents(plan: Plan, lock: Lockfile, image: Image, platform: str) -> ImageContents:
    """The components of an image on a platform, by path. Packages of its base image are not among them."""
    service = next(s for s in plan.services if s.service == image.service)
    found = (*_own(service, lock), *_installed(plan, service, lock, platform))
    return ImageContents(
        project=plan.project,
        target=image.target,
        platform=platform,
        base=service.base,
        components=tuple(sorted(found, key=lambda c: c.path)),
    )


def _own(service: ServiceStage, lock: Lockfile) -> Iterator[Component]:
    for path in service.closure.packages or (service.package,):
        entry = lock.packages[path]
        chain = _names(service.closure, lock, path)
        yield Component(
            name=entry.name, version=entry.version, path=path, license=_text(entry.license), chain=chain, own=True
        )


def _installed(plan: Plan, service: ServiceStage, lock: Lockfile, platform: str) -> Iterator[Component]:
    layers = {e: c.id for c in plan.layers.classes if service.service in c.services for e in c.entries}
    for path in service.closure.entries:
        entry = lock.entries[path]
        if not entry.link and runs_on(entry, platform, service.libc):
            yield _component(entry, layers.get(path, ""), _names(service.closure, lock, path))


def _component(entry: Entry, layer: str, chain: tuple[str, ...]) -> Component:
    return Component(
        name=entry.name,
        version=entry.version,
        path=entry.path,
        layer=layer,
        license=_text(entry.license),
        resolved=entry.resolved,
        hashes=_hashes(entry.integrity),
        chain=chain,
    )


def _names(closure: Closure, lock: Lockfile, path: str) -> tuple[str, ...]:
    """Who brings it, links left out: they say the name of what they lead to once more."""
    entries = (lock.at(step) for step in closure.chain(path))
    return tuple(e.name for e in entries if e is not None and not e.link)


def _hashes(integrity: str) -> Mapping[str, str]:
    """Subresource integrity (w3.org/TR/SRI) as hex: `sha512-<base64>`, several with blanks between them."""
    found: dict[str, str] = {}
    for word in integrity.split():
        algorithm, _, value = word.partition("?")[0].partition("-")
        try:
            found[algorithm] = b64decode(value, validate=True).hex()
        except (NotBase64, ValueError):
            continue
    return {k: v for k, v in found.items() if k in ("sha1", "sha256", "sha384", "sha512") and v}


def _text(value: object) -> str:
    """Old manifests hold a table where SPDX text belongs."""
    return value if isinstance(value, str) else ""
