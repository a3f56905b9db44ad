"""Open a shell beside a running process, with its files, processes and network: for images that have no shell.

The shell is that of a container of base.build. It sees the process's files below /proc/1/root, and /app leads there.
"""

import argparse
import os
from collections.abc import Sequence

from bake.commands.arguments import add_words_argument, attached_options, selected
from bake.errors import EngineError, UsageError
from bake.plan import TREE, home
from bake.session import Session

_ENTER = f'ln -sfn /proc/1/root{TREE} {TREE}; cd "$1" 2>/dev/null || cd /proc/1/root; shift; exec "$@"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which process, and what to run beside it."""
    parser.add_argument("target", metavar="IMAGE", help="the image whose container is looked into")
    add_words_argument(parser, "a command instead of a shell")
    parser.add_argument("--container", metavar="NAME", help="that container, where several run")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Find the container, then let docker take the place of this process."""
    from bake.engine import running_containers

    plan = session.plan(selected([arguments.target], None))
    image = next((i for i in plan.images if [i.target] == list(plan.targets)), None)
    if image is None:
        raise UsageError("bake debug", f"{arguments.target} is not one image", "see `bake list`")
    found = [arguments.container] if arguments.container else running_containers(image.repository)
    if len(found) != 1:
        what = f"{len(found)} containers of it run ({', '.join(found)})" if found else "no container of it runs"
        remedy = "name one with --container" if found else f"start it: `bake run {image.target}`"
        raise EngineError(image.target, what, remedy)
    words = debug_words(
        found[0], session.project.pinned(session.project.config.base.build), home(image.directory), arguments.words
    )
    try:
        os.execvp(words[0], words)  # noqa: S606 no shell is wanted
    except OSError as error:
        raise EngineError("docker", f"cannot be started ({error.strerror})", "install it") from None


def debug_words(container: str, base: str, directory: str, words: Sequence[str]) -> list[str]:
    """`docker run` of the build base in the namespaces of a container; root there may look at every process's files."""
    options = ["--rm", *attached_options()]
    options += [f"--pid=container:{container}", f"--network=container:{container}"]
    options += ["--cap-add=SYS_PTRACE", "--user=0", "--entrypoint=sh"]
    return ["docker", "run", *options, base, "-c", _ENTER, "sh", directory, *(words or ["sh"])]
