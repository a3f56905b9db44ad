"""Show what would be built: the bake file, the Dockerfile, or the plan as buildx reads it."""

import argparse
import json

from bake.session import Context, add_plan_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format."""
    add_plan_arguments(parser)
    parser.add_argument("--format", choices=("hcl", "json", "dockerfile", "dockerignore"), default="hcl")
    parser.add_argument("--push", action="store_true", help="as for a push: references with the registry")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print it."""
    from bake.render import render_bake_file, render_dockerfile, render_ignore

    plan = context.plan(arguments)
    if arguments.format == "json":
        print(json.dumps(_bake_json(context, arguments), indent=2))
    else:
        make = {"hcl": render_bake_file, "dockerfile": render_dockerfile, "dockerignore": render_ignore}
        print(make[arguments.format](context.project, plan), end="")
    return 0


def _bake_json(context: Context, arguments: argparse.Namespace) -> object:
    from bake.commands.build import write
    from bake.engine import printed
    from bake.plan import FOLDER

    plan = context.plan(arguments)
    write(context.project, plan)
    return printed(context.project.root, f"{FOLDER}/docker-bake.hcl", plan.targets)
