"""Show the images that can be built, or the packages of the workspace."""

import argparse
import shlex

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.plan import MONOLITH, Names, Plan
from bake.session import Session
from bake.table import show, table
from bake.workspace import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--packages and --format."""
    add_plan_arguments(parser)
    parser.add_argument("--packages", action="store_true", help="the workspace's packages instead")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    if arguments.packages:
        rows = _packages(session)
    else:
        plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
        rows = _images(
            plan, session.names(plan), monolith=not arguments.targets or MONOLITH in (*arguments.targets, *plan.targets)
        )
    show(arguments.format, rows, table([{k: _cell(v) for k, v in row.items()} for row in rows]))
    return 0


def _images(plan: Plan, names: Names, *, monolith: bool) -> list[dict[str, object]]:
    """A row per image. monolith: whether the old all-in-one image is among them, where there is one."""
    rows: list[dict[str, object]] = [
        {
            "image": i.target,
            "package": shown(i.package),
            "command": "(static)" if i.static else [*i.entrypoint, *i.command],
            "port": i.port,
            "reference": names[i.target].references[0],
        }
        for i in plan.selected()
    ]
    rows += [
        {
            "image": i.target,
            "package": "",
            "command": f"({i.source})",
            "port": i.port,
            "reference": names[i.target].references[0],
        }
        for i in plan.dockered
        if i.target in plan.targets
    ]
    if plan.monolith and monolith:
        rows.append(
            {
                "image": MONOLITH,
                "package": "",
                "command": f"({plan.monolith.recipe.dockerfile}, deprecated)",
                "port": None,
                "reference": names[MONOLITH].references[0],
            }
        )
    return rows


def _cell(value: object) -> str:
    """A value of JSON as the table has it."""
    if isinstance(value, list):
        return shlex.join(value)
    return "" if value is None else str(value)


def _packages(session: Session) -> list[dict[str, object]]:
    workspace = session.project.workspace
    return [
        {"package": shown(p.path), "name": p.name, "version": p.version, "needs": " ".join(workspace.needs(p.path))}
        for p in session.project.packages
    ]
