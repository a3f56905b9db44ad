"""Show the images that can be built, or the packages of the workspace."""

import argparse
import json
import shlex

from bake.session import Context, add_plan_arguments
from bake.table import table
from bake.workspace import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--packages and --format."""
    add_plan_arguments(parser)
    parser.add_argument("--packages", action="store_true", help="the workspace's packages instead")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print it."""
    rows = _packages(context) if arguments.packages else _images(context, arguments)
    print(json.dumps(rows, indent=2) if arguments.format == "json" else table(rows))
    return 0


def _images(context: Context, arguments: argparse.Namespace) -> list[dict[str, str]]:
    plan = context.plan(arguments)
    rows = [
        {
            "image": i.target,
            "package": shown(i.package),
            "command": "(static)" if i.static else shlex.join((*i.entrypoint, *i.command)),
            "port": str(i.port or ""),
            "reference": i.references[0],
        }
        for i in plan.selected()
    ]
    if plan.monolith and "monolith" in (
        *arguments.targets,
        *plan.targets,
        *([] if arguments.targets else ["monolith"]),
    ):
        rows.append(
            {
                "image": "monolith",
                "package": "",
                "command": f"({plan.monolith.dockerfile}, deprecated)",
                "port": "",
                "reference": plan.monolith.references[0],
            }
        )
    return rows


def _packages(context: Context) -> list[dict[str, str]]:
    workspace = context.project.workspace
    return [
        {"package": shown(p.path), "name": p.name, "version": p.version, "needs": " ".join(workspace.needs(p.path))}
        for p in context.project.packages
    ]
