"""Show what would be built: the bake file, the Dockerfile, or the plan as buildx reads it."""

import argparse
import json

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.plan import FOLDER, Plan, Project
from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format."""
    add_plan_arguments(parser)
    parser.add_argument("--format", choices=("hcl", "json", "dockerfile", "dockerignore"), default="hcl")
    parser.add_argument("--push", action="store_true", help="as for a push: references with the registry")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    from bake.render import render_bake_file, render_dockerfile, render_ignore

    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag, push=arguments.push))
    if arguments.format == "json":
        print(json.dumps(_bake_json(session.project, plan), indent=2))
    else:
        make = {"hcl": render_bake_file, "dockerfile": render_dockerfile, "dockerignore": render_ignore}
        print(make[arguments.format](session.project, plan), end="")
    return 0


def _bake_json(project: Project, plan: Plan) -> object:
    from bake.build import write_plan
    from bake.engine import printed

    write_plan(project, plan)
    return printed(project.root, f"{FOLDER}/docker-bake.hcl", plan.targets)
