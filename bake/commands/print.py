"""Show what would be built: the bake file, the Dockerfile, or the plan as buildx reads it."""

import argparse

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.plan import Plan, plan_cache
from bake.project import FOLDER
from bake.session import Session
from bake.table import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--format."""
    add_plan_arguments(parser)
    parser.add_argument("--format", choices=("hcl", "json", "dockerfile", "dockerignore"), default="hcl")
    parser.add_argument("--push", action="store_true", help="as for a push: references with the registry")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag, push=arguments.push))
    if arguments.format == "json":
        print(to_json(_bake_json(session, plan)))
    else:
        print(_text(session, plan, arguments.format), end="")
    return 0


def _text(session: Session, plan: Plan, form: str) -> str:
    from bake.render import render_bake_file, render_dockerfile, render_ignore

    project = session.project
    if form == "dockerfile":
        return render_dockerfile(project, plan)
    if form == "dockerignore":
        return render_ignore(project, plan)
    return render_bake_file(project, plan, session.names(plan), plan_cache(project, plan))


def _bake_json(session: Session, plan: Plan) -> object:
    from bake.build import make_ready, write_plan
    from bake.engine import printed

    write_plan(session, make_ready(session, plan))
    return printed(session.project.root, f"{FOLDER}/docker-bake.hcl", plan.targets)
