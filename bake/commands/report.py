"""Write the last build as one HTML file: timeline, layer map and sizes. It needs no scripts and no network."""

import argparse
import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bake import __version__
from bake.build import Account, load_account
from bake.errors import ConfigError, EngineError, RegistryError, UsageError
from bake.report import TEMPLATE, Page, render_page
from bake.session import Session

if TYPE_CHECKING:
    from bake.images import Images


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the page goes."""
    parser.add_argument("--html", metavar="FILE", type=Path, required=True, help="the file to write")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Read the last build's account and its images, write the page."""
    from bake.render import template_text

    account = load_account(session.project.folder)
    text = render_page(template_text(TEMPLATE), _page(session, account))
    file = session.directory / arguments.html
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError("--html", f"{arguments.html} cannot be written ({error.strerror})", "name another") from None
    session.console.say(f"{arguments.html}: {len(account.images)} image{'s' * (len(account.images) != 1)}")
    return 0


def _page(session: Session, account: Account) -> Page:
    page = Page(account=account, when=_when(account.begin), version=__version__)
    try:
        images = _images(session, account)
    except (ConfigError, EngineError, RegistryError) as error:
        session.console.warn(f"without layers and sizes: {error}")
        return dataclasses.replace(page, without=str(error))
    from bake.images import layer_map, measure, measure_fleet

    services = {i.image: i.service for i in account.images}
    return dataclasses.replace(
        page,
        blocks=layer_map(images.stored, images.contents),
        sizes=measure(images.stored, services, images.contents),
        fleet=measure_fleet(images.stored, images.stored, services, images.contents),
    )


def _images(session: Session, account: Account) -> "Images":
    """The build's images, where it left them. The all-in-one image shares nothing, and takes long to read."""
    from bake.config import parse_reference
    from bake.images import load_engine_images, load_registry_images
    from bake.plan import MONOLITH
    from bake.registry import load_registry

    cache = session.project.folder / "cache"
    built = [i for i in account.images if i.image != MONOLITH]
    names = {i.image: parse_reference(i.reference) for i in built}
    if account.pushed:
        fixed = {i.image: str(dataclasses.replace(names[i.image], tag="", digest=i.digest)) for i in built}
        found = load_registry_images(load_registry(session.environment), fixed, cache)
    else:
        found = load_engine_images({i.image: i.reference for i in built}, names, cache)
    return dataclasses.replace(found, stored=tuple(s for s in found.stored if s.platform in account.platforms))


def _when(begin: float | None) -> str:
    return "" if begin is None else f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M} UTC"
