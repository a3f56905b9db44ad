"""Print the matrix of build jobs for GitHub Actions, e.g. `bake matrix --by platform --since origin/main`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bake.commands.arguments import add_plan_arguments, named, selected
from bake.errors import RegistryError, UsageError
from bake.publish import make_matrix, render_matrix, render_outputs
from bake.session import Session

if TYPE_CHECKING:
    from bake.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to spread over jobs, and how."""
    add_plan_arguments(parser)
    parser.add_argument(
        "--by", choices=("image", "service", "platform"), default="platform", help="a job for each (default: platform)"
    )
    parser.add_argument("--since", metavar="REV", help="only images that changes since the revision affect")
    parser.add_argument("--rebuild", action="store_true", help="also images that the registry has already")
    parser.add_argument(
        "--format",
        choices=("github", "json"),
        default="github",
        help="`github`: one line, and `matrix` and `any` into $GITHUB_OUTPUT; `json`: for reading",
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it; an empty one too."""
    plan = session.plan(selected(arguments.targets, arguments.platform), named(arguments.tag, push=True))
    within = None if arguments.rebuild or not plan.registry else _absent(session, plan)
    if arguments.since:
        from bake.inputs import since_revision

        found = since_revision(session.project, plan, session.tree, arguments.since)
        within = [t for t, reasons in found.items() if reasons and (within is None or t in within)]
    jobs = make_matrix(plan, by=arguments.by, runners=session.project.config.ci.runners, within=within)
    print(render_matrix(jobs, indent=2 if arguments.format == "json" else None))
    output = session.environment.get("GITHUB_OUTPUT")
    if output and arguments.format == "github":
        _hand_over(Path(output), render_outputs(jobs))
    return 0


def _absent(session: Session, plan: "Plan") -> Sequence[str]:
    """The images that a push would build: those that the registry has not got."""
    from bake.build import load_uploads, make_ready
    from bake.registry import load_registry

    try:
        known = load_uploads(session, make_ready(session, plan), load_registry(session.environment))
    except RegistryError as error:
        session.console.warn(f"{error}; every image is in the matrix, as if the registry had none")
        return plan.targets
    if there := [u.image for u in known if u.there]:
        session.console.say(f"{len(there)} of {len(known)} images are in the registry already")
    return [u.image for u in known if not u.there]


def _hand_over(output: Path, text: str) -> None:
    try:
        with output.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError("$GITHUB_OUTPUT", f"{output} cannot be written ({error.strerror})", "unset it") from None
