"""How large images are, what they share, what grew and who brought it, and what they may weigh. Pure.

Sizes are bytes. `stored` ones are as registries keep blobs (compressed); `unpacked` ones are those of the files.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from bake.images.blobs import Contents, Layer, Stored


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes, compressed as stored and unpacked; unpacked is None when a part is not known."""

    stored: int = 0
    unpacked: int | None = 0

    def __add__(self, other: "Size") -> "Size":
        unpacked = None if self.unpacked is None or other.unpacked is None else self.unpacked + other.unpacked
        return Size(stored=self.stored + other.stored, unpacked=unpacked)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What layers are for. base: base images. shared: layers that several services have. own: the rest."""

    base: Size
    shared: Size
    own: Size

    @property
    def above(self) -> Size:
        """All that lies on base images."""
        return self.shared + self.own

    @property
    def total(self) -> Size:
        """All of it."""
        return self.base + self.above


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize(Parts):
    """One platform of an image."""

    image: str
    platform: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FleetSize(Parts):
    """All images together; a blob that several have counts once."""

    images: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A lock entry or package whose files take more (or less) room than before.

    before, after: unpacked bytes, 0 where it is absent; before is None when nobody knows. images: those concerned.
    via: the way to it. said: what became of it in the lockfile, "" when that was not asked.
    """

    holder: str
    before: int | None
    after: int
    images: tuple[str, ...]
    via: tuple[str, ...] = ()
    said: str = ""

    @property
    def bytes(self) -> int | None:
        """How much it grew; negative when it shrank."""
        return None if self.before is None else self.after - self.before


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """What is over its budget. where: the key that sets it; what: the image and platform, or the fleet."""

    where: str
    what: str
    bytes: int
    budget: int


def measure(
    images: Sequence[Stored], services: Mapping[str, str], contents: Mapping[str, Contents]
) -> tuple[ImageSize, ...]:
    """The size of each image. services: target -> service. contents: by digest of the layer."""
    users = _layer_users(images, services)
    return tuple(ImageSize(image=i.image, platform=i.platform, **_parts_of(i.layers, users, contents)) for i in images)


def measure_fleet(
    images: Sequence[Stored], every: Sequence[Stored], services: Mapping[str, str], contents: Mapping[str, Contents]
) -> FleetSize:
    """The size of images together, each blob counted once. every: all there are, which tell what is shared."""
    users = _layer_users((*every, *images), services)
    unique = {layer.digest: layer for image in images for layer in image.layers}
    return FleetSize(images=len({i.image for i in images}), **_parts_of(unique.values(), users, contents))


def _parts_of(
    layers: Iterable[Layer], users: Mapping[str, set[str]], contents: Mapping[str, Contents]
) -> Mapping[str, Size]:
    """The layers by what they are for, as the fields of Parts."""
    found = {"base": Size(), "shared": Size(), "own": Size()}
    for layer in layers:
        known = contents.get(layer.digest)
        part = "base" if layer.origin == "base" else "shared" if len(users[layer.digest]) > 1 else "own"
        found[part] += Size(stored=layer.bytes, unpacked=known.unpacked if known else None)
    return found


def _layer_users(images: Iterable[Stored], services: Mapping[str, str]) -> Mapping[str, set[str]]:
    """Layer -> the services whose images have it: all roles of a service share its layers anyway."""
    users: dict[str, set[str]] = {}
    for image in images:
        for layer in image.layers:
            users.setdefault(layer.digest, set()).add(services.get(image.image, image.image))
    return users


def grown(before: Sequence[Stored], after: Sequence[Stored], contents: Mapping[str, Contents]) -> tuple[Growth, ...]:
    """What takes more or less room in images than it did, the largest growth first.

    Images that only one side has, and layers whose contents are not known, are left out.
    """
    old, new = _held_bytes(before, contents), _held_bytes(after, contents)
    changes: dict[tuple[str, int, int], list[str]] = {}
    for image, platform in sorted(old.keys() & new.keys()):
        was, now = old[image, platform], new[image, platform]
        for holder in was.keys() | now.keys():
            if was.get(holder, 0) != now.get(holder, 0):
                changes.setdefault((holder, was.get(holder, 0), now.get(holder, 0)), []).append(image)
    found = (
        Growth(holder=h, before=b, after=a, images=tuple(dict.fromkeys(images)))
        for (h, b, a), images in changes.items()
    )
    return tuple(sorted(found, key=_largest_first))


def changed(images: Sequence[Stored], contents: Mapping[str, Contents], said: Mapping[str, str]) -> tuple[Growth, ...]:
    """The lock entries that changed, with what they take now. said: entry -> what became of it in the lockfile."""
    users: dict[str, dict[str, int]] = {}
    for (image, _platform), held in _held_bytes(images, contents).items():
        for holder in held.keys() & said.keys():
            users.setdefault(holder, {})[image] = max(held[holder], users.get(holder, {}).get(image, 0))
    found = (
        Growth(
            holder=holder,
            before=0 if said[holder].endswith("(new)") else None,
            after=max(there.values()),
            images=tuple(there),
            said=said[holder],
        )
        for holder, there in users.items()
    )
    return tuple(sorted(found, key=_largest_first))


def _largest_first(growth: Growth) -> tuple[int, str, tuple[str, ...]]:
    return (-(growth.after if growth.bytes is None else growth.bytes), growth.holder, growth.images)


def _held_bytes(images: Iterable[Stored], contents: Mapping[str, Contents]) -> dict[tuple[str, str], dict[str, int]]:
    """(image, platform) -> holder -> unpacked bytes."""
    result: dict[tuple[str, str], dict[str, int]] = {}
    for image in images:
        held = result.setdefault((image.image, image.platform), {})
        for layer in image.layers:
            known = contents.get(layer.digest)
            for holder, size in known.holders.items() if known and layer.origin != "base" else ():
                held[holder] = held.get(holder, 0) + size
    return result


def over_budget(
    sizes: Iterable[ImageSize], fleet: FleetSize, budgets: Mapping[str, tuple[str, int]], most: int | None
) -> tuple[Excess, ...]:
    """What weighs more than it may, compressed and without base images.

    budgets: target -> key and bytes. most: for all images together, each blob once.
    """
    found = [
        Excess(where=where, what=f"{size.image} ({size.platform})", bytes=size.above.stored, budget=budget)
        for size in sizes
        if size.image in budgets
        for where, budget in [budgets[size.image]]
        if size.above.stored > budget
    ]
    if most is not None and fleet.above.stored > most:
        found.append(Excess(where="budget.fleet", what="all images", bytes=fleet.above.stored, budget=most))
    return tuple(found)
