"""Build images with the cache and what builds keep, then without; names the files that differ."""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bake.allowed import require_allowed
from bake.commands.arguments import add_plan_arguments, named, selected
from bake.files import scratch_folder, working_alone
from bake.session import Session
from bake.table import show, table

if TYPE_CHECKING:
    from bake.build import Ready
    from bake.images import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, for which platforms."""
    add_plan_arguments(parser)
    parser.add_argument("--builder", metavar="NAME", help="buildx builder to use")
    parser.add_argument(
        "--cold", action="store_true", help="give the first build nothing that earlier ones kept, either"
    )
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="leave both builds there, as OCI layouts")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of the result on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Build, compare, report; the exit status is 1 when an image differs."""
    from bake.build import make_ready
    from bake.engine import check, probe
    from bake.plan import Cache

    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    session.project.require_secrets()
    require_allowed(session)
    builder = arguments.builder or session.builder
    capabilities = probe(builder)
    check(capabilities, plan.platforms, push=True)
    plans = (plan.without_state if arguments.cold else plan, plan.without_state)
    first, second = (dataclasses.replace(make_ready(session, each), cache=Cache()) for each in plans)
    if arguments.keep:
        results = _compared(session, (first, second), builder, arguments.keep.resolve())
    else:
        with scratch_folder() as folder:
            results = _compared(session, (first, second), builder, folder)
    differ = sum(not c.same for found in results.values() for c in found)
    show(arguments.format, results, _text(results), quiet=session.console.quiet and not differ)
    session.console.say("every image came out the same twice" if not differ else f"{differ} of the images differ")
    return 1 if differ else 0


def _compared(
    session: Session, builds: "tuple[Ready, Ready]", builder: str | None, folder: Path
) -> Mapping[str, "tuple[Comparison, ...]"]:
    from bake.images import load_comparison

    targets = builds[0].plan.targets
    with working_alone(session.project.folder, session.words, session.console.say):
        for ready, name, cached in zip(builds, ("first", "second"), (True, False), strict=True):
            session.console.say(f"{name} build of {', '.join(targets)}, {'with the' if cached else 'without a'} cache")
            _build(session, ready, builder, folder / name, cached=cached)
    return {t: load_comparison(folder / "first" / t, folder / "second" / t) for t in targets}


def _build(session: Session, ready: "Ready", builder: str | None, folder: Path, *, cached: bool) -> None:
    from bake.build import write_plan
    from bake.display import StepLines
    from bake.engine import BuildOptions, run_bake
    from bake.plan import EXPORTER
    from bake.project import FOLDER

    targets = ready.plan.targets
    for target in targets:
        (folder / target).mkdir(parents=True, exist_ok=True)
    outputs = {t: f"type=oci,dest={folder / t},tar=false,{EXPORTER}" for t in targets}
    write_plan(session, ready.nameless, outputs)
    variables = ready.plan.builds.variables
    options = BuildOptions(targets=targets, cache=cached, builder=builder, variables=variables)
    run_bake(session.project.root, f"{FOLDER}/docker-bake.hcl", options, StepLines(session.console, ready.plan).show)


def _text(results: Mapping[str, "tuple[Comparison, ...]"]) -> str:
    rows = [
        {"image": t, "platform": c.platform, "same": "yes" if c.same else "no", "digest": c.digests[0][:19]}
        for t, found in results.items()
        for c in found
    ]
    lines = [
        {"image": t, "platform": d.platform, "layer": d.layer[:60], "file": d.path, "difference": d.what}
        for t, found in results.items()
        for c in found
        for d in c.differences
    ]
    return "\n\n".join([table(rows), *([table(lines)] if lines else [])])
