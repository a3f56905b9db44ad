"""List what is in an image, straight from its closure: `bake sbom catalog-api`, as CycloneDX or SPDX."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bake.commands.arguments import selected
from bake.components import image_contents, to_cyclonedx, to_spdx
from bake.errors import UsageError
from bake.session import Session

if TYPE_CHECKING:
    from bake.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which images, and in which form."""
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="images, services or `all`")
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms instead of bake.toml's first")
    parser.add_argument(
        "--format", choices=("cyclonedx", "spdx"), default="cyclonedx", help="CycloneDX 1.6 or SPDX 2.3"
    )
    parser.add_argument(
        "--attach", metavar="MANIFEST", type=Path, help="attach them to the images of a push (its release.json)"
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="a file per image and platform there")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print one, or write them all."""
    plan = session.plan(selected(arguments.targets, arguments.platform))
    platforms = plan.platforms if arguments.platform or arguments.output else plan.platforms[:1]
    if arguments.attach:
        return _attach(session, plan, arguments)
    wanted = [(image, platform) for image in plan.selected() for platform in platforms]
    if not wanted:
        what = f"{', '.join(plan.targets)} is not made of a package, and nobody knows what its Dockerfile installs"
        raise UsageError("bake sbom", what, "ask a scanner, such as syft")
    if len(wanted) != 1 and not arguments.output:
        raise UsageError(
            "bake sbom", f"{len(wanted)} lists do not fit on one output", "name one image, or --output DIR"
        )
    write = to_cyclonedx if arguments.format == "cyclonedx" else to_spdx
    for image, platform in wanted:
        text = write(image_contents(plan, session.project.workspace.lock, image, platform))
        if not arguments.output:
            print(text, end="")
            continue
        folder = session.directory / arguments.output
        folder.mkdir(parents=True, exist_ok=True)
        suffix = "cdx.json" if arguments.format == "cyclonedx" else "spdx.json"
        (folder / f"{image.target}-{platform.replace('/', '-')}.{suffix}").write_text(text, encoding="utf-8")
    if arguments.output:
        session.console.say(f"{len(wanted)} lists written to {arguments.output}")
    return 0


def _attach(session: Session, plan: "Plan", arguments: argparse.Namespace) -> int:
    """Attach them in the registry. The push may be of another commit, whose images held something else."""
    from bake.components import attach_sboms
    from bake.publish import load_release
    from bake.registry import load_registry

    release = load_release(arguments.attach)
    if release.revision != session.head.revision:
        what = (
            f"is of {release.revision[:12] or 'no commit'}, and {session.head.revision[:12] or 'none'} is checked out"
        )
        raise UsageError(str(arguments.attach), what, "check out the commit that was built")
    chosen = [part for part in release.parts if part[0] in plan.targets]
    count = attach_sboms(load_registry(session.environment), session.project, plan, chosen, arguments.format)
    session.console.say(f"{count} bills of materials attached")
    return 0
