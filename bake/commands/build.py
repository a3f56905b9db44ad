"""Build images: TypeScript compiled once, every image with its own closure, all platforms in one BuildKit run."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.commands.arguments import (
    add_mirror_argument,
    add_plan_arguments,
    add_since_argument,
    named,
    narrowed,
    selected,
)
from bake.config import size
from bake.console import Console
from bake.errors import BakeError
from bake.session import Session
from bake.table import JSON_FORMAT, cached_steps, show, table

if TYPE_CHECKING:
    from bake.build import BuiltImage, Options, Outcome
    from bake.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to build and where the images go."""
    add_plan_arguments(parser)
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--push", action="store_true", help="push to the registry")
    goal.add_argument("--load", action="store_true", help="keep in the local engine (the default)")
    parser.add_argument(
        "--release", metavar="FILE", type=Path, help="write the push's manifest there too (.json or .toml)"
    )
    add_mirror_argument(parser)
    parser.add_argument("--sbom", action="store_true", help="attach its bill of materials to each image")
    parser.add_argument("--no-tags", action="store_true", help="push by digest only; `bake merge` joins and tags")
    parser.add_argument("--image", metavar="NAME", help="another name for the one image asked for")
    parser.add_argument(
        "--builder", metavar="NAME", help="buildx builder to use (default: bake.toml's, else the current one)"
    )
    add_since_argument(parser)
    parser.add_argument(
        "--rebuild", "--force", action="store_true", help="build also what is there already, here or in the registry"
    )
    parser.add_argument("--skip-existing", action="store_true", help=argparse.SUPPRESS)  # what a push does now
    parser.add_argument("--no-cache", action="store_true", help="run every step again")
    parser.add_argument("--cache-to", action="store_true", help="write the cache of bake.toml here too, as in CI")
    parser.add_argument("--pull", action="store_true", help="look for newer base images")
    parser.add_argument("--set", action="append", default=[], metavar="T.KEY=VALUE", help="override, as in buildx bake")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="SECRET", help="give builds this secret's file from elsewhere"
    )
    parser.add_argument("--dry-run", action="store_true", help="write .bake/ and show what would be built, no more")
    parser.add_argument("--timeline", metavar="FILE", type=Path, help="draw the build's steps over time (.svg)")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Plan, render, build, report; on GitHub in the step's summary too."""
    from bake.build import Options
    from bake.publish import check_form

    try:
        check_form(arguments.release)
        plan = session.plan(
            selected(arguments.targets, arguments.platform),
            named(arguments.tag, image=arguments.image, push=arguments.push, mirrors=arguments.to),
            cache_to=arguments.cache_to,
        )
        plan = narrowed(session, plan, arguments.since)
        if not plan.targets:
            show(arguments.format, {"format": JSON_FORMAT, "images": [], "seconds": 0.0}, "", quiet=True)
            return 0
        options = Options(
            builder=arguments.builder,
            cache=not arguments.no_cache,
            pull=arguments.pull,
            rebuild=arguments.rebuild or arguments.timeline is not None,
            overrides=tuple(arguments.set),
            allowed=tuple(arguments.allow),
            tag=not arguments.no_tags,
            release=arguments.release,
            sbom=arguments.sbom,
        )
        if arguments.dry_run:
            _tell_plan(session, plan, options, arguments.format)
        else:
            _build(session, plan, options, arguments.format, arguments.timeline)
    except BakeError as error:
        from bake.report import failure

        session.console.summarise(failure(str(error), session.console.noted))
        raise
    return 0


def _tell_plan(session: Session, plan: "Plan", options: "Options", form: str) -> None:
    """Write .bake/ and show what would be built."""
    from bake.build import check_build, make_ready, write_plan

    check_build(session, plan, options)
    ready = make_ready(session, plan)
    write_plan(session, ready)
    rows = [
        {"image": target, "platforms": ",".join(plan.platforms_of(target)), "reference": reference}
        for target in plan.targets
        for reference in ready.names[target].references
    ]
    show(form, rows, table(rows))


def _build(session: Session, plan: "Plan", options: "Options", form: str, timeline: Path | None) -> None:
    from bake.build import build
    from bake.report import size_changes, spent, summary

    started = session.clock()
    outcome = build(session, plan, options)
    seconds = session.clock() - started
    value = {"format": JSON_FORMAT, "images": outcome.images, "seconds": round(seconds, 1)}
    show(
        form,
        value,
        table([_cells(i, weighed=outcome.account.weighed) for i in outcome.images]),
        quiet=session.console.quiet,
    )
    if form != "json":
        session.console.say(_closing(outcome.images, seconds, spent(plan, outcome.progress)))
    if timeline:
        _draw(session.console, outcome, timeline)
    changes = size_changes(outcome.before, outcome.release) if outcome.before and outcome.release else None
    session.console.summarise(summary(outcome.account, changes))


def _draw(console: Console, outcome: "Outcome", file: Path) -> None:
    """Write the timeline; a build does not fail by it."""
    from bake.report import timeline

    title = f"{outcome.account.project}: {len(outcome.images)} images"
    try:
        file.write_text(timeline(outcome.account.progress, title=title), encoding="utf-8")
    except OSError as error:
        console.warn(f"{file}: cannot be written ({error.strerror})")


def _closing(images: Sequence["BuiltImage"], seconds: float, spent: str) -> str:
    current = sum(not i.steps for i in images)
    told = f"{len(images)} image{'s' * (len(images) != 1)}"
    if current == len(images):
        return f"{told}, up to date ({seconds:.1f} s)"
    return (
        f"{told} in {seconds:.1f} s"
        + (f", {current} of them up to date" if current else "")
        + (f": {spent}" if spent else "")
    )


def _cells(image: "BuiltImage", *, weighed: bool) -> Mapping[str, str]:
    return {
        "image": image.reference,
        "platforms": " ".join(p.removeprefix("linux/") for p in image.platforms),
        "digest": image.digest[:19],
        "size": size(image.bytes) if image.bytes else "",
        **({"above base": "" if image.above is None else size(image.above)} if weighed else {}),
        "seconds": f"{image.seconds:.1f}",
        "cached": cached_steps(image.cached, image.steps),
    }
