"""Write a compose file of the fleet: `docker compose up --watch` rebuilds what an edit changes, and nothing else."""

import argparse

from bake.commands.arguments import selected
from bake.compose import FILE_NAME, host_ports, needed_images, render_compose
from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which processes, and where the file goes."""
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="images or services (default: all)")
    parser.add_argument("--print", action="store_true", dest="to_stdout", help="print it instead of writing it")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write it beside the Dockerfile that it builds with."""
    from bake.build import make_ready, write_plan
    from bake.engine import has_init
    from bake.files import write_file

    plan = session.plan(selected(arguments.targets, None))
    text = render_compose(session.project, plan, init=has_init())
    if arguments.to_stdout:
        print(text, end="")
        return 0
    write_plan(session, make_ready(session, plan))
    write_file(session.project.folder, FILE_NAME, text.encode())
    file = (session.project.folder / FILE_NAME).relative_to(session.project.root)
    images = needed_images(session.project.config, plan)
    for target, port in host_ports(images).items():
        own = next(i.port for i in images if i.target == target)
        if port != own:
            session.console.say(f"{target} is at http://localhost:{port}, for another image has port {own}")
    session.console.say(f"{file} written; start it with `docker compose -f {file} up --watch`")
    return 0
