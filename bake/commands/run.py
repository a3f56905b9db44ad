"""Build one image and start it with its port, its writable folders and its environment: `bake run metastore`."""

import argparse
import errno
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bake.commands.arguments import add_words_argument, attached_options, selected
from bake.compose import DEV_TAG, needs_of
from bake.errors import EngineError, UsageError
from bake.session import Naming, Session

if TYPE_CHECKING:
    from bake.plan import Plan, ServiceImage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which image, and what it is started with."""
    parser.add_argument("target", metavar="IMAGE", help="the image to start")
    add_words_argument(parser, "words in place of its command, behind its entrypoint where it has one")
    parser.add_argument("-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="add to its environment")
    parser.add_argument("--env-file", action="append", default=[], metavar="FILE", help="add a file of them")
    parser.add_argument("--publish", metavar="PORT", type=int, help="the port of this machine (default: the image's)")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Build, then let docker take the place of this process: logs, signals and the exit status are its own."""
    from bake.build import Options, build
    from bake.engine import has_init

    plan = _plan(session, arguments.target)
    reference = build(session, plan, Options()).images[0].reference
    image, config = plan.chosen()[0], session.project.config
    port = arguments.publish or image.port
    session.console.say(f"{reference}{f', at http://localhost:{port}' if image.port else ''}")
    if port and is_taken(port):
        session.console.warn(f"another program has port {port} of this machine: --publish PORT takes another one")
    if needs := needs_of(config, image):
        session.console.say(f"it needs {', '.join(needs)}, which `bake compose {image.target}` would start too")
    env = [*(f"{k}={v}" for k, v in config.smoke.env.items()), *arguments.env]
    if not (init := has_init()):
        session.console.warn(
            "this engine has no init (Debian: `apt-get install tini`): Ctrl-C ends what handles SIGINT"
        )
    words = docker_words(image, reference, arguments.words, env, publish=port, files=arguments.env_file, init=init)
    try:
        os.execvp(words[0], words)  # noqa: S606 no shell is wanted
    except OSError as error:
        raise EngineError("docker", f"cannot be started ({error.strerror})", "install it") from None


def is_taken(port: int) -> bool:
    """Whether a program of this machine listens there. An engine elsewhere may still have it."""
    with socket.socket() as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probing.bind(("", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _plan(session: Session, target: str) -> "Plan":
    """The plan for one image as it runs here: of the engine's own platform, under a tag that nothing else has."""
    from bake.engine import probe

    native = probe(session.builder).native
    platforms = [native] if native in session.project.config.project.platforms else None
    plan = session.plan(selected([target], platforms), Naming(tags=(DEV_TAG,)))
    if len(plan.targets) != 1 or not plan.chosen():
        raise UsageError(target, f"means {', '.join(plan.targets)}", "name one image; see `bake list`")
    return plan


def docker_words(
    image: "ServiceImage",
    reference: str,
    words: Sequence[str],
    env: Sequence[str] = (),
    *,
    publish: int | None = None,
    files: Sequence[str] = (),
    init: bool = True,
) -> list[str]:
    """`docker run` as `bake smoke` tries the image: read-only, without capabilities, what it writes to in memory."""
    options = ["--rm", *(["--init"] if init else []), *attached_options(), *([] if image.filled else ["--read-only"])]
    options += ["--cap-drop=ALL", "--security-opt=no-new-privileges"]
    options += [f"--tmpfs={path}:mode=1777" for path in image.mounted]
    options += [f"--publish={publish}:{image.port}"] if image.port else []
    options += [word for file in files for word in ("--env-file", file)]
    options += [word for each in env for word in ("--env", each)]
    return ["docker", "run", *options, reference, *words]
