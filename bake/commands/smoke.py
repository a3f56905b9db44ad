"""Start images as Kubernetes would: not as root, on a read-only root, without capabilities, in little memory.

Each must get ready, run the process that bake.toml names as PID 1, and end well on SIGTERM.
"""

import argparse
import dataclasses
import sys
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from bake.commands.arguments import add_plan_arguments, add_since_argument, named, narrowed, selected
from bake.console import Console
from bake.errors import EngineError, UsageError
from bake.images import Known, Result, Trial, add_lost, attempt, make_trial, start_dependencies, trace_images
from bake.inputs import absence
from bake.plan import Image
from bake.publish import make_workload
from bake.render import template_text
from bake.session import Session
from bake.table import JSON_FORMAT, show, table

if TYPE_CHECKING:
    from bake.engine import Containers
    from bake.plan import Plan, ServiceImage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, from where, how many at once."""
    add_plan_arguments(parser)
    add_since_argument(parser)
    parser.add_argument("--pushed", action="store_true", help="pull from the registry what the last --push put there")
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="containers at once (default: 4)")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Try them all; 1 when one fails, 4 when it only is not there."""
    from bake.engine import containers

    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    _refuse(plan, pushed=arguments.pushed)
    plan = narrowed(session, plan, arguments.since)
    if not plan.targets:
        show(arguments.format, {"format": JSON_FORMAT, "images": []}, "", quiet=True)
        return 0
    with containers(uuid.uuid4().hex[:12]) as engine:
        start_beside(session, engine)
        trials = _trials(session, plan, engine.platform, pushed=arguments.pushed)
        results = _attempt_all(session, trials, engine, max(1, arguments.jobs))
    results = _with_lost(session, plan, results)
    _show_results(session.console, results, arguments.format)
    return status_of(results)


def _with_lost(session: Session, plan: "Plan", results: Sequence[Result]) -> tuple[Result, ...]:
    """The results, with what images lack because only the files are in them that their processes can load."""
    looked = {result.target for result in results if result.misses}
    if not looked:
        return tuple(results)
    traces = trace_images(session, dataclasses.replace(plan, targets=tuple(t for t in plan.targets if t in looked)))
    services = {image.target: image.service for image in plan.images}
    return tuple(add_lost(r, traces.get(r.target, ()), f"services.{services.get(r.target)}.keep") for r in results)


def status_of(results: Sequence[Result]) -> int:
    """1 when a process does not do well; the engine's own where there only was no container, as without an image."""
    checks = {finding.check for result in results for finding in result.findings}
    return 0 if not checks else EngineError.status if checks == {"image"} else 1


def start_beside(session: Session, engine: "Containers") -> None:
    """Start smoke.dependencies, in a network that the trials join."""
    dependencies = session.project.config.smoke.dependencies
    if dependencies:
        engine.join()
        session.console.say(f"starting {', '.join(dependencies)}")
        start_dependencies(dependencies, engine)


def _refuse(plan: "Plan", *, pushed: bool) -> None:
    if not plan.chosen():
        raise UsageError("bake smoke", "tries images of services only", "see `bake list`")
    if pushed and not plan.registry:
        raise UsageError("--pushed", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")


def _trials(session: Session, plan: "Plan", native: str, *, pushed: bool) -> tuple[Trial, ...]:
    names, known = session.names(plan), _known(session, plan)
    return tuple(
        make_trial(
            image,
            names[image.target],
            platform,
            session.project.config.smoke,
            native=native,
            registry=plan.registry or "",
            pushed=pushed,
            known=known(image),
        )
        for platform in plan.platforms
        for image in plan.chosen()
    )


def _known(session: Session, plan: "Plan") -> "Callable[[ServiceImage], Known]":
    """What is known of an image's files; of one with a Dockerfile of its own nothing."""
    entries, project = session.project.workspace.lock.entries, session.project
    present = {s.service: frozenset(entries[e].name for e in s.closure.entries) for s in plan.services}
    locked = frozenset(e.name for e in entries.values()) | {p.name for p in project.workspace.packages}
    traced = {service.service for service in plan.traced}

    def known(image: "ServiceImage") -> Known:
        ends = make_workload(project.config, image).kind != "Deployment"
        if not isinstance(image, Image):
            return Known(ends=ends)
        return Known(
            ends=ends,
            present=present[image.service],
            locked=locked,
            aliases=tuple(project.aliases(image.package)),
            absent=absence(project, plan, image),
            watch=template_text("docker/misses.mjs") if image.service in traced else "",
        )

    return known


def _attempt_all(session: Session, trials: Sequence[Trial], engine: "Containers", jobs: int) -> tuple[Result, ...]:
    """All results in the order of the trials; each is told as it comes."""
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Result]] = [pool.submit(attempt, trial, engine) for trial in trials]
        try:
            for future in as_completed(futures):
                session.console.say(_line(future.result()))
        except BaseException:
            # Waiting threads end by themselves; leaving the pool waits for them, then the engine is cleared.
            engine.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(f.result() for f in futures)


def _line(result: Result) -> str:
    head = f"{result.target} ({result.platform})"
    return f"{head}: well" if result.ok else f"{head}: " + "; ".join(f.what for f in result.findings)


def _show_results(console: Console, results: Sequence[Result], form: str) -> None:
    rows = [_cells(r) for r in results]
    value = {"format": JSON_FORMAT, "images": [_values(r) for r in results]}
    show(form, value, table(rows), quiet=console.quiet)
    if form == "json":
        return
    for result in results:
        if not result.ok:
            print(_explained(result), file=sys.stderr)
    bad = sum(not r.ok for r in results)
    console.say(f"{len(results)} tried, {bad} failed" if bad else f"{len(results)} tried, all well")


def _cells(result: Result) -> dict[str, str]:
    return {
        "image": result.target,
        "platform": result.platform.removeprefix("linux/"),
        "result": "ok" if result.ok else "FAILED",
        "ready": _seconds(result.ready),
        "stopped": _seconds(result.stopped),
        "exit": "" if result.exit_code is None else str(result.exit_code),
        "process": result.process,
    }


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _explained(result: Result) -> str:
    lines = [f"\n{result.target} ({result.platform})", *(f"  {f}" for f in result.findings)]
    return "\n".join([*lines, *(f"    | {line}" for line in result.log)])


def _values(result: Result) -> dict[str, Any]:
    return {
        "image": result.target,
        "platform": result.platform,
        "ok": result.ok,
        "ready": None if result.ready is None else round(result.ready, 2),
        "stopped": None if result.stopped is None else round(result.stopped, 2),
        "exit": result.exit_code,
        "process": result.process,
        "findings": [{"check": f.check, "what": f.what, "remedy": f.remedy} for f in result.findings],
        "log": list(result.log),
    }
