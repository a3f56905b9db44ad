"""Tell what images weigh, what grew and which package brought it; status 1 when something is over its budget.

Sizes are those of the local engine's images, or with --pushed of the registry's. Of all images together, a layer
that several have counts once.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bake.commands.arguments import add_plan_arguments, add_source_arguments, named, selected
from bake.config import parse_size, size_difference
from bake.config import size as shown
from bake.errors import ConfigError, UsageError, WorkspaceError
from bake.git import read_changes
from bake.images import (
    Excess,
    FleetSize,
    Growth,
    Images,
    ImageSize,
    Parts,
    Size,
    TracedPackage,
    changed,
    grown,
    load_images,
    load_previous_images,
    measure,
    measure_fleet,
    over_budget,
    trace_images,
)
from bake.inputs import changed_packages, earlier_project, way
from bake.plan import Plan
from bake.session import Session
from bake.table import JSON_FORMAT, markdown, show, table

_SHOWN = 15
"""Packages that the table of growth names; JSON has them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images and what to compare with."""
    add_plan_arguments(parser)
    add_source_arguments(parser)
    parser.add_argument("--against", metavar="FILE", type=Path, help="manifest of an earlier push: show what grew")
    parser.add_argument("--since", metavar="REV", help="show which third-party packages changed since the revision")
    parser.add_argument(
        "--trace", action="store_true", help='tell what `trace = "files"` would save, per image and package'
    )
    parser.add_argument("--format", choices=("table", "json", "markdown"), default="table")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """All that the command tells."""

    sizes: tuple[ImageSize, ...]
    fleet: FleetSize
    before: Mapping[tuple[str, str], ImageSize]
    growth: tuple[Growth, ...]
    excess: tuple[Excess, ...]


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Measure, compare, judge."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    if arguments.trace:
        return _show_traces(trace_images(session, plan), arguments.format)
    report = make_report(session, plan, pushed=arguments.pushed, against=arguments.against, since=arguments.since)
    show(arguments.format, _values(report), _text(report, markdown if arguments.format == "markdown" else table))
    for excess in report.excess:
        over = shown(excess.bytes - excess.budget)
        session.console.complain(f"bake: error: {excess.what}: {shown(excess.bytes)} is {over} over {excess.where}")
    return 1 if report.excess else 0


def make_report(session: Session, plan: Plan, *, pushed: bool, against: Path | None, since: str | None) -> Report:
    """Measure the images asked for. Raises EngineError or RegistryError for one that is not there."""
    services = {i.target: i.service for i in plan.images}
    # What an image shares is told by all that are there, asked for or not.
    now = load_images(session, plan, tuple(services), pushed=pushed)
    old = load_previous_images(session, plan, against) if against else None
    asked = tuple(s for s in now.stored if s.image in plan.targets)
    sizes, fleet = measure(now.stored, services, now.contents), measure_fleet(asked, now.stored, services, now.contents)
    sizes = tuple(s for s in sizes if s.image in plan.targets)
    if since:
        growth = _since(session, since, dataclasses.replace(now, stored=asked))
    else:
        growth = grown(old.stored, asked, {**old.contents, **now.contents}) if old else ()
    most = session.project.config.budget.fleet
    return Report(
        sizes=sizes,
        fleet=fleet,
        before={(s.image, s.platform): s for s in measure(old.stored, services, old.contents)} if old else {},
        growth=tuple(dataclasses.replace(g, via=way_to(plan, g.holder, g.images)) for g in growth),
        excess=over_budget(sizes, fleet, _budgets(session, plan), parse_size(most) if most else None),
    )


def _since(session: Session, since: str, now: Images) -> tuple[Growth, ...]:
    """What changed in the lockfile since a revision, with the bytes it has now: of old ones git knows none."""
    changes = read_changes(session.project.file.parent, since)
    try:
        with earlier_project(session.project, changes, session.tree) as (past, _):
            lock = past.workspace.lock
    except (ConfigError, WorkspaceError) as error:
        raise UsageError(since, f"cannot be planned ({error.where}: {error.what})", "name another") from None
    return changed(now.stored, now.contents, changed_packages(lock, session.project.workspace.lock))


def way_to(plan: Plan, holder: str, images: Sequence[str]) -> tuple[str, ...]:
    """The dependencies that bring a lock entry or package into the first of the images that has it."""
    services = {i.target: i.service for i in plan.images}
    closures = {s.service: s.closure for s in plan.services}
    chains = (closures[services[i]].chain(holder) for i in images if i in services)
    return min((c for c in chains if c), key=len, default=())


def _budgets(session: Session, plan: Plan) -> Mapping[str, tuple[str, int]]:
    """Target -> the key of its budget and its bytes."""
    config = session.project.config
    found: dict[str, tuple[str, int]] = {}
    for image in plan.images:
        service = config.services[image.service]
        role = service.roles.get(image.role)
        choices = (
            (f"services.{image.service}.roles.{image.role}.budget", role.budget if role else None),
            (f"services.{image.service}.budget", service.budget),
            ("budget.image", config.budget.image),
        )
        given = next(((key, text) for key, text in choices if text), None)
        if given:
            found[image.target] = (given[0], parse_size(given[1]))
    return found


# --- what tracing would save ------------------------------------------------------------------------------


def _show_traces(traces: Mapping[str, Sequence[TracedPackage]], form: str) -> int:
    """Third-party packages of each image, all and as far as their files are needed."""
    rows = [_saving({"image": image}, packages) for image, packages in traces.items()]
    by_label: dict[str, dict[str, TracedPackage]] = {}
    for image, packages in traces.items():
        for package in packages:
            by_label.setdefault(package.label, {})[image] = package
    ordered = sorted(by_label.items(), key=lambda item: (-max(_saved(p) for p in item[1].values()), item[0]))
    told = [
        {
            **_saving({"package": label}, [max(users.values(), key=_saved)]),
            "needed by": f"{sum(p.kept[0] > 0 for p in users.values())} of {len(users)}",
            "whole because": next((p.why for p in users.values() if p.why), ""),
        }
        for label, users in ordered[:_SHOWN]
    ]
    layout = markdown if form == "markdown" else table
    value = {
        "format": JSON_FORMAT,
        "images": [{"image": i, "packages": [dataclasses.asdict(p) for p in each]} for i, each in traces.items()],
    }
    show(form, value, "\n\n".join(layout(part) for part in (rows, told) if part))
    return 0


def _saved(package: TracedPackage) -> int:
    return package.whole[1] - package.kept[1]


def _saving(head: Mapping[str, str], packages: Sequence[TracedPackage]) -> Mapping[str, str]:
    whole, kept = sum(p.whole[1] for p in packages), sum(p.kept[1] for p in packages)
    return {**head, "now": shown(whole), "traced": shown(kept), "saves": shown(whole - kept)}


# --- showing -------------------------------------------------------------------------------------------


def _text(report: Report, form: Any) -> str:
    parts = [form(_known([_row(s, report) for s in report.sizes])), form(_known([_fleet(report.fleet)]))]
    if report.growth:
        parts.append(form([_growth(g) for g in report.growth[:_SHOWN]]))
    left = len(report.growth) - _SHOWN
    if left > 0:
        parts.append(f"{left} more; see --format json")
    return "\n\n".join(parts)


def _known(rows: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """Without `unpacked` where nobody knows any: a registry may keep a base's layers elsewhere."""
    return rows if any(r["unpacked"] for r in rows) else [{k: r[k] for k in r if k != "unpacked"} for r in rows]


def _row(size: ImageSize, report: Report) -> Mapping[str, str]:
    row = {
        "image": size.image,
        "platform": size.platform.removeprefix("linux/"),
        "base": shown(size.base.stored),
        "shared": shown(size.shared.stored),
        "own": shown(size.own.stored),
        "size": shown(size.total.stored),
        "unpacked": _unpacked(size.total),
    }
    old = report.before.get((size.image, size.platform))
    if not report.before:
        return row
    return {**row, "change": size_difference(size.above.stored - old.above.stored) if old else "new"}


def _fleet(fleet: FleetSize) -> Mapping[str, str]:
    return {
        "all images, each layer once": str(fleet.images),
        "base": shown(fleet.base.stored),
        "shared": shown(fleet.shared.stored),
        "own": shown(fleet.own.stored),
        "size": shown(fleet.total.stored),
        "unpacked": _unpacked(fleet.total),
    }


def _growth(growth: Growth) -> Mapping[str, str]:
    images = growth.images
    return {
        "package": growth.said or growth.holder,
        "unpacked": shown(growth.after),
        "change": "" if growth.bytes is None else size_difference(growth.bytes),
        "images": images[0] if len(images) == 1 else f"{images[0]} and {len(images) - 1} more",
        "brought by": way(growth.via),
    }


def _unpacked(size: Size) -> str:
    return "" if size.unpacked is None else shown(size.unpacked)


def _values(report: Report) -> Mapping[str, Any]:
    return {
        "format": JSON_FORMAT,
        "images": [{"image": s.image, "platform": s.platform, **_parts(s), **_change(s, report)} for s in report.sizes],
        "fleet": {"images": report.fleet.images, **_parts(report.fleet)},
        "growth": [dataclasses.asdict(g) | {"bytes": g.bytes} for g in report.growth],
        "over": report.excess,
    }


def _parts(size: Parts) -> Mapping[str, Any]:
    return {"base": size.base, "shared": size.shared, "own": size.own, "total": size.total}


def _change(size: ImageSize, report: Report) -> Mapping[str, int]:
    old = report.before.get((size.image, size.platform))
    return {"change": size.above.stored - old.above.stored} if old else {}
