"""Compare the compiled files of every package across all images, and with the old all-in-one image.

Nothing is started: the files are read out of the images. Status 1 when a file differs, is missing or is lost.
"""

import argparse
import json
import posixpath
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bake.engine import Configured, Launch
from bake.errors import EngineError, UsageError
from bake.images import Content, Item, Tally, accepted, build_first, compare_trees
from bake.plan import TREE
from bake.render import keeper
from bake.session import Context, add_plan_arguments
from bake.table import table
from bake.workspace import shown

if TYPE_CHECKING:
    from bake.engine import Containers, DockerBox
    from bake.plan import Image, Plan

_SHOWN = 20
"""Paths of one package that the table names; JSON has them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and the old one."""
    add_plan_arguments(parser)
    add_reading_arguments(parser)
    parser.add_argument("--no-monolith", action="store_true", help="compare the new images only")


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that look into images."""
    parser.add_argument("--against", metavar="IMAGE", help="the old all-in-one image (default: bake.toml's [monolith])")
    parser.add_argument("--pushed", action="store_true", help="pull from the registry what the last --push put there")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Read, compare, report."""
    from bake.engine import containers

    plan = context.plan(arguments)
    refuse(plan, arguments)
    with containers(uuid.uuid4().hex[:12]) as engine:
        fleet = read_fleet(plan, engine, pushed=arguments.pushed)
        old = None if arguments.no_monolith else _old(context, plan, engine, arguments)
    monolith = context.project.config.monolith
    tallies = compare_trees(fleet, old, keepers(plan, monolith.accept if monolith else ()))
    _print(context, tallies, fleet, old, arguments.format)
    return 0 if all(t.count(kind) == 0 for t in tallies for kind in ("differing", "missing", "lost")) else 1


def refuse(plan: "Plan", arguments: argparse.Namespace) -> None:
    """What makes no sense. Raises UsageError."""
    if not plan.selected():
        raise UsageError("targets", "name no image of a service", "see `bake list`")
    if arguments.pushed and not plan.registry:
        raise UsageError("--pushed", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")


def keepers(plan: "Plan", accept: Sequence[str] = ()) -> Mapping[str, Callable[[str], bool]]:
    """Package -> whether an image would have a file of it, and `accept` does not waive that."""
    return {o.package: _waiving(keeper(o), o.package, accept) for o in plan.outputs}


def _waiving(keep: Callable[[str], bool], package: str, accept: Sequence[str]) -> Callable[[str], bool]:
    def keeps(path: str) -> bool:
        item = Item(kind="file", name=posixpath.join(package, path))
        return keep(path) and not accepted(item, accept)

    return keeps


def read_fleet(plan: "Plan", engine: "Containers", *, pushed: bool) -> tuple[Content, ...]:
    """The packages' files in every image asked for, on every platform. Raises EngineError for an image not there."""
    pairs = [(image, platform) for platform in plan.platforms for image in plan.selected()]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(_content, plan, engine, i, p, pushed=pushed) for i, p in pairs]
        try:
            return tuple(f.result() for f in futures)
        except BaseException:
            engine.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _content(plan: "Plan", engine: "Containers", image: "Image", platform: str, *, pushed: bool) -> Content:
    packages = packages_of(plan, image.service)
    box = open_image(plan, engine, image.target, image.references, platform, pushed=pushed)
    try:
        return Content(name=f"{image.target} ({platform})", packages=packages, files=read_files(box, TREE, packages))
    finally:
        box.remove()


def packages_of(plan: "Plan", service: str) -> tuple[str, ...]:
    """The packages that the service's images hold."""
    stage = next(s for s in plan.services if s.service == service)
    libraries = () if stage.static else stage.closure.packages
    return tuple(dict.fromkeys((stage.package, *libraries)))


def open_image(
    plan: "Plan", engine: "Containers", target: str, references: Sequence[str], platform: str, *, pushed: bool
) -> "DockerBox":
    """A container of the image that is never started. Raises EngineError when it is not there."""
    remote = tuple(f"{plan.registry}/{r}" for r in references) if plan.registry else ()
    return engine.create(
        Launch(
            references=() if pushed else (*references, *remote),
            pull=remote[0] if remote else "",
            platform=platform,
            hardened=False,
            remedy=build_first(target, platform, pushed=pushed),
        )
    )


def read_files(box: "DockerBox", root: str, packages: Iterable[str]) -> Mapping[str, str]:
    """Path from the root -> digest, of the packages' files."""
    return {
        posixpath.join(package, path): digest
        for package in packages
        for path, digest in box.files(posixpath.join(root, package)).items()
    }


def _old(context: Context, plan: "Plan", engine: "Containers", arguments: argparse.Namespace) -> Content | None:
    """The old image; without --against it may be absent, with a warning."""
    if not arguments.against and plan.monolith is None:
        return None
    try:
        box, configured = open_monolith(plan, engine, arguments)
    except EngineError as error:
        if arguments.against:
            raise
        context.warn(f"not compared with the monolith: {error}")
        return None
    packages = tuple(o.package for o in plan.outputs)
    files = read_files(box, configured.directory, packages)
    return Content(name="monolith", packages=packages, files=files)


def open_monolith(plan: "Plan", engine: "Containers", arguments: argparse.Namespace) -> tuple["DockerBox", Configured]:
    """The old image on the first platform that it has. Raises EngineError when there is none.

    With --pushed the engine's is as good where the registry has none: nothing new is pushed of it.
    """
    if arguments.against:
        launch = Launch(references=(arguments.against,), pull=arguments.against, platform="", hardened=False)
        box = engine.create(launch)
        return box, box.configured
    if plan.monolith is None:
        raise UsageError("monolith", "bake.toml has no [monolith]", "name the old image with --against IMAGE")
    platforms = sorted(plan.platforms, key=lambda p: p != engine.platform)
    places = [(p, pushed) for pushed in dict.fromkeys((arguments.pushed, False)) for p in platforms]
    for platform, pushed in places:
        try:
            box = open_image(plan, engine, "monolith", plan.monolith.references, platform, pushed=pushed)
        except EngineError:
            if (platform, pushed) == places[-1]:
                raise
            continue
        return box, box.configured
    raise AssertionError


def _print(
    context: Context, tallies: Sequence[Tally], fleet: Sequence[Content], old: Content | None, form: str
) -> None:
    if form == "json":
        print(json.dumps({"packages": [_json(t) for t in tallies], "monolith": old is not None}, indent=2))
        return
    print(table([_cells(t) for t in tallies]))
    for tally in tallies:
        for line in _lines(tally):
            print(line, file=sys.stderr)
    bad = sum(t.files - t.identical for t in tallies)
    against = " and the monolith" if old else ""
    verdict = f"{bad} files are not the same" if bad else "every file is the same"
    context.say(f"{verdict} in {len(fleet)} images{against}")


def _cells(tally: Tally) -> dict[str, object]:
    return {
        "package": shown(tally.package),
        "images": tally.images,
        "files": tally.files,
        "identical": tally.identical,
        "differing": tally.count("differing"),
        "missing": tally.count("missing"),
        "lost": tally.count("lost"),
        "new": tally.count("gained"),
    }


_WORDS = {"differing": "differs in", "missing": "is missing in", "lost": "is lost: only in"}


def _lines(tally: Tally) -> list[str]:
    bad = [f for f in tally.findings if f.kind != "gained"]
    lines = [f"  {f.path} {_WORDS[f.kind]} {', '.join(f.images)}" for f in bad[:_SHOWN]]
    more = len(bad) - _SHOWN
    return [*lines, f"  and {more} more in {shown(tally.package)}"] if more > 0 else lines


def _json(tally: Tally) -> dict[str, Any]:
    return {
        "package": shown(tally.package),
        "images": tally.images,
        "files": tally.files,
        "identical": tally.identical,
        "findings": [{"kind": f.kind, "path": f.path, "images": list(f.images)} for f in tally.findings],
    }
