"""The last build as one page of HTML that needs nothing else: timeline, layer map, sizes. Pure.

Without scripts; light or dark as the reader has it.
"""

import dataclasses

import jinja2
from markupsafe import Markup

from bake.build import Account
from bake.config import size
from bake.images import Block, FleetSize, ImageSize
from bake.report.timeline import timeline

TEMPLATE = "docker/report.html.j2"
"""The page's template among the files that ship with bake."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page tells. when: the build's time in words, "" when nobody knows. version: bake's.

    without: why there are neither blocks nor sizes, "" when there are.
    """

    account: Account
    when: str = ""
    version: str = ""
    blocks: tuple[Block, ...] = ()
    sizes: tuple[ImageSize, ...] = ()
    fleet: FleetSize | None = None
    without: str = ""


def render_page(template: str, page: Page) -> str:
    """The page as HTML; all text in it is escaped. template: the text of TEMPLATE."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["size"] = size
    account = page.account
    return environment.from_string(template).render(
        page=page,
        account=account,
        count=f"{len(account.images)} image{'s' * (len(account.images) != 1)}",
        columns=_image_columns(page),
        rows=[(_block_name(b), b) for b in page.blocks],
        most=max((s.total.stored for s in page.sizes), default=0) or 1,
        apart=sum(s.total.stored for s in page.sizes),
        # The drawing escapes its own text.
        drawing=Markup(timeline(account.progress, title="Steps over time")) if account.steps else None,  # noqa: S704
    )


def _image_columns(page: Page) -> list[str]:
    """Images in the order of the build, those of one service side by side."""
    there = {image for block in page.blocks for image in block.images}
    services = list(dict.fromkeys(i.service for i in page.account.images))
    images = sorted(page.account.images, key=lambda i: services.index(i.service))
    return [i.image for i in images if i.image in there]


def _block_name(block: Block) -> str:
    """The layer class, or what the layers hold most of."""
    if block.kind == "base":
        return "base image"
    if block.name:
        return block.name
    first, more = next(iter(block.holders), "other files"), len(block.holders) - 1
    return f"{first} and {more} more" if more > 0 else first
