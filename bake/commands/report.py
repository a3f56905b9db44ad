"""Tell of the last build: what made it slow, why images are big, what to do about it.

As one page of HTML with the timeline, the map of layers and all sizes, which needs no scripts and no network; or as
Markdown for the comment of a pull request.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bake import __version__
from bake.build import Account, load_account
from bake.errors import ConfigError, EngineError, RegistryError, UsageError
from bake.files import is_inside
from bake.report import (
    TEMPLATE,
    Names,
    Page,
    advise,
    count_images,
    render_markdown,
    render_page,
    slowest,
    weigh,
)
from bake.session import Selection, Session

if TYPE_CHECKING:
    from bake.images import Images
    from bake.inputs import Reasons
    from bake.plan import Plan
    from bake.project import Project


_DATA = 1 << 20
"""Bytes from which on a file is data, which names no dependency."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it goes, and what to compare with."""
    parser.add_argument("--html", metavar="FILE", type=Path, help="write it as a page")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write it as Markdown (- for stdout)")
    parser.add_argument(
        "--since", metavar="REV", help="tell why steps ran by what changed since a revision (default: the build before)"
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Read the last build's account and its images, write what is asked for."""
    from bake.render import template_text

    if not (arguments.html or arguments.markdown):
        raise UsageError("report", "has nowhere to go", "add --html FILE or --markdown FILE")
    account = load_account(session.project.folder)
    page = _page(session, account, arguments.since)
    forms: Mapping[str, tuple[Path | None, Callable[[], str]]] = {
        "--html": (arguments.html, lambda: render_page(template_text(TEMPLATE), page)),
        "--markdown": (arguments.markdown, lambda: render_markdown(page)),
    }
    for option, (file, make) in forms.items():
        if str(file) == "-":
            print(make(), end="")
        elif file:
            _write(session, option, file, make())
            session.console.say(f"{file}: {count_images(account)}")
    return 0


def _write(session: Session, option: str, name: Path, text: str) -> None:
    file = session.directory / name
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(option, f"{name} cannot be written ({error.strerror})", "name another") from None


def _page(session: Session, account: Account, since: str | None) -> Page:
    plan = session.plan(Selection(platforms=account.platforms))
    reasons = _reasons(session, plan, account, since)
    page = Page(
        account=account,
        when=_when(account.begin),
        version=__version__,
        slow=slowest(account, plan, reasons),
        changed=reasons is None,
    )
    try:
        images = _images(session, account)
    except (ConfigError, EngineError, RegistryError) as error:
        session.console.warn(f"without layers and sizes: {error}")
        return dataclasses.replace(page, without=str(error))
    from bake.images import layer_map, measure, measure_fleet

    services = {i.image: i.service for i in account.images}
    sizes = measure(images.stored, services, images.contents)
    big = weigh(plan, images, sizes, session.project.workspace.lock)
    return dataclasses.replace(
        page,
        big=big,
        advice=advise(session.project, plan, account, big, _naming(session.project)),
        blocks=layer_map(images.stored, images.contents),
        sizes=sizes,
        fleet=measure_fleet(images.stored, images.stored, services, images.contents),
    )


def _reasons(session: Session, plan: "Plan", account: Account, since: str | None) -> "Reasons | None":
    """Why the images that the build made were built."""
    from bake.inputs import load_build_reasons

    built = tuple(i.image for i in account.images if i.steps and i.image in plan.targets)
    return load_build_reasons(session.project, dataclasses.replace(plan, targets=built), since)


def _naming(project: "Project") -> Names:
    """Whether a file of a package has a name, its documents and its package.json left out, or a script of it."""

    @functools.cache
    def words(path: str) -> str:
        package, root = project.workspace.package(path), project.root / path
        files = (f for f in project.sources_of(path) if not f.endswith((".md", ".mdx")) and f != "package.json")
        texts = (_text(root / f) for f in files if is_inside(root, f))
        return "\n".join([*texts, *map(str, package.scripts.values())])

    return lambda path, name: name in words(path)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file.stat().st_size <= _DATA else ""
    except OSError:
        return ""


def _images(session: Session, account: Account) -> "Images":
    """The build's images, where it left them. Those with Dockerfiles of their own share nothing with others."""
    from bake.config import parse_reference
    from bake.images import load_engine_images, load_registry_images
    from bake.plan import MONOLITH
    from bake.registry import load_registry

    cache = session.project.folder / "cache"
    apart = {MONOLITH, *session.project.config.dockered}
    built = [i for i in account.images if i.image not in apart]
    names = {i.image: parse_reference(i.reference) for i in built}
    if account.pushed:
        fixed = {i.image: str(dataclasses.replace(names[i.image], tag="", digest=i.digest)) for i in built}
        found = load_registry_images(load_registry(session.environment), fixed, cache)
    else:
        found = load_engine_images({i.image: i.reference for i in built}, names, cache)
    return dataclasses.replace(found, stored=tuple(s for s in found.stored if s.platform in account.platforms))


def _when(begin: float | None) -> str:
    return "" if begin is None else f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M} UTC"
