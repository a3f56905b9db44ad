"""The last build as one page of HTML that needs nothing else: why slow, why big, what next, and the details. Pure.

Without scripts; light or dark as the reader has it.
"""

import dataclasses
from collections.abc import Iterator

import jinja2
from markupsafe import Markup, escape

from bake.build import Account
from bake.config import size
from bake.images import Block, FleetSize, ImageSize
from bake.inputs import way
from bake.report.advice import Advice
from bake.report.big import Big, Brought, package_name
from bake.report.slow import SlowStep, longest_legs
from bake.report.timeline import timeline
from bake.report.treemap import Box, boxes

TEMPLATE = "docker/report.html.j2"
"""The page's template among the files that ship with bake."""

_SHAPE = 2.2
"""Width of a map of an image by its height, on a wide screen."""
_LEAST = 0.004
"""The share of its map below which a box is drawn with others as one."""
_LARGEST = 8
"""Packages that are listed below a map."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page tells. when: the build's time in words, "" when nobody knows. version: bake's.

    without: why there is nothing of images, "" when there is. changed: whether the workspace is not what was built.
    """

    account: Account
    when: str = ""
    version: str = ""
    slow: tuple[SlowStep, ...] = ()
    changed: bool = False
    big: tuple[Big, ...] = ()
    advice: tuple[Advice, ...] = ()
    blocks: tuple[Block, ...] = ()
    sizes: tuple[ImageSize, ...] = ()
    fleet: FleetSize | None = None
    without: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A box of a map. kind: `own`, `packages` or `rest`. about: all that it says to who points at it."""

    box: Box
    name: str
    about: str
    kind: str
    tiles: tuple["Tile", ...] = ()


def render_page(template: str, page: Page) -> str:
    """The page as HTML; all text in it is escaped. template: the text of TEMPLATE."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"size": size, "way": way, "package": package_name, "place": _place, "code": _code}
    account = page.account
    return environment.from_string(template).render(
        page=page,
        account=account,
        count=count_images(account),
        legs=longest_legs(account),
        maps=[(big, tuple(_tiles(big)), big.held[:_LARGEST]) for big in page.big],
        columns=_image_columns(page),
        rows=[(_block_name(b), b) for b in page.blocks],
        most=max((s.total.stored for s in page.sizes), default=0) or 1,
        apart=sum(s.total.stored for s in page.sizes),
        # The drawing escapes its own text.
        drawing=Markup(timeline(account.progress, title="Steps over time")) if account.steps else None,  # noqa: S704
    )


def _place(box: Box) -> str:
    """A box as a style."""
    return f"left:{box.left:.2f}%;top:{box.top:.2f}%;width:{box.width:.2f}%;height:{box.height:.2f}%"


def _code(text: str) -> Markup:
    """A text whose words between backticks are code."""
    parts = [Markup("<code>{}</code>").format(p) if at % 2 else escape(p) for at, p in enumerate(text.split("`"))]
    return Markup("").join(parts)


def count_images(account: Account) -> str:
    """`1 image`, `13 images`."""
    return f"{len(account.images)} image{'s' * (len(account.images) != 1)}"


def _tiles(big: Big) -> Iterator[Tile]:
    """The map of an image: a box for what each dependency brings, in it one for each package."""
    total = sum(b.bytes for b in big.brought) or 1
    shown = [b for b in big.brought if b.bytes >= total * _LEAST]
    left = [b for b in big.brought if b.bytes < total * _LEAST]
    if left:
        shown.append(Brought(name=f"{len(left)} more", by="", bytes=sum(b.bytes for b in left), held=()))
    for brought, box in zip(shown, boxes([b.bytes for b in shown], shape=_SHAPE), strict=True):
        by = f", declared by {brought.by}" if brought.by else ""
        yield Tile(
            box=box,
            name=f"{brought.name} {size(brought.bytes)}" if _has_room(box) else "",
            about=f"{brought.name}{by}: {size(brought.bytes)}",
            kind="packages" if brought.by else "own" if brought.held else "rest",
            tiles=tuple(_inner(brought, box)) if _has_room(box) else (),
        )


def _inner(brought: Brought, outer: Box) -> Iterator[Tile]:
    """A box for each package that comes with a dependency, for each large file of a package alone; the rest is one."""
    parts = [(package_name(h.path), h.version, h.bytes) for h in brought.held]
    if len(parts) == 1:
        parts = [(path, "", count) for path, count in brought.held[0].files.items()]
    shown = [part for part in parts if part[2] >= brought.bytes * 0.03]
    if not shown:
        return
    if rest := brought.bytes - sum(count for _, _, count in shown):
        left = len(parts) - len(shown)
        shown.append((f"{left} more" if len(brought.held) > 1 else "other files", "", rest))
    places = boxes([count for _, _, count in shown], shape=_SHAPE * outer.width / outer.height)
    for (name, version, count), box in zip(shown, places, strict=True):
        room = _has_room(Box(width=box.width * outer.width / 100, height=box.height * outer.height / 100))
        about = f"{name} {version}".rstrip()
        yield Tile(box=box, name=name if room else "", about=f"{about}: {size(count)}", kind="")


def _has_room(box: Box) -> bool:
    """Whether a name in it can be read."""
    return box.width >= 5 and box.height >= 4


def _image_columns(page: Page) -> list[str]:
    """Images in the order of the build, those of one service side by side."""
    there = {image for block in page.blocks for image in block.images}
    services = list(dict.fromkeys(i.service for i in page.account.images))
    images = sorted(page.account.images, key=lambda i: services.index(i.service))
    return [i.image for i in images if i.image in there]


def _block_name(block: Block) -> str:
    """What the layers hold most of; the layer class where nobody knows."""
    if block.kind == "base":
        return "base image"
    if not block.holders:
        return block.name or "other files"
    first, more = package_name(next(iter(block.holders))), len(block.holders) - 1
    return f"{first} and {more} more" if more else first
