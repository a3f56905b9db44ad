"""Print the matrix of build jobs for GitHub Actions, e.g. `bake matrix --by platform --since origin/main`."""

import argparse
from pathlib import Path

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.errors import UsageError
from bake.publish import make_matrix, render_matrix, render_outputs
from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to spread over jobs, and how."""
    add_plan_arguments(parser)
    parser.add_argument(
        "--by", choices=("image", "service", "platform"), default="platform", help="a job for each (default: platform)"
    )
    parser.add_argument("--since", metavar="REV", help="only images that changes since the revision affect")
    parser.add_argument(
        "--format",
        choices=("github", "json"),
        default="github",
        help="github: one line, and `matrix` and `any` into $GITHUB_OUTPUT; json: for reading",
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it; an empty one too."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag))
    within = None
    if arguments.since:
        from bake.inputs import since_revision

        found = since_revision(session.project, plan, arguments.since)
        within = [target for target, reasons in found.items() if reasons]
    jobs = make_matrix(plan, by=arguments.by, runners=session.project.config.ci.runners, within=within)
    print(render_matrix(jobs, indent=2 if arguments.format == "json" else None))
    output = session.environment.get("GITHUB_OUTPUT")
    if output and arguments.format == "github":
        _hand_over(Path(output), render_outputs(jobs))
    return 0


def _hand_over(output: Path, text: str) -> None:
    try:
        with output.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError("$GITHUB_OUTPUT", f"{output} cannot be written ({error.strerror})", "unset it") from None
