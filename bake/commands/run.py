"""Build one image and start it with its port, its writable folders and its environment: `bake run metastore`."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bake.commands.arguments import selected
from bake.errors import EngineError, UsageError
from bake.session import Session

if TYPE_CHECKING:
    from bake.plan import ServiceImage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which image, and what it is started with."""
    parser.add_argument("target", metavar="IMAGE", help="the image to start")
    parser.add_argument("words", nargs="*", metavar="ARG", help="after --: arguments instead of its command")
    parser.add_argument("-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="as of docker run")
    parser.add_argument("--publish", metavar="PORT", type=int, help="another port of this machine than the image's")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Build, then let docker take the place of this process: logs, signals and the exit status are its own."""
    from bake.build import Options, build

    plan = session.plan(selected([arguments.target], None))
    if len(plan.targets) != 1 or plan.targets[0] not in {i.target for i in plan.processes}:
        raise UsageError("bake run", f"{arguments.target} is not one image", "see `bake list`")
    outcome = build(session, plan, Options())
    image, reference = plan.chosen()[0], outcome.account.images[0].references[0]
    env = [*(f"{k}={v}" for k, v in session.project.config.smoke.env.items()), *arguments.env]
    session.console.say(
        f"{reference}{f', at http://localhost:{arguments.publish or image.port}' if image.port else ''}"
    )
    try:
        words = docker_words(image, reference, arguments.words, env, arguments.publish)
        os.execvp(words[0], words)  # noqa: S606 no shell is wanted
    except OSError as error:
        raise EngineError("docker", f"cannot be started ({error.strerror})", "install it") from None


def docker_words(
    image: "ServiceImage", reference: str, words: Sequence[str], env: Sequence[str], publish: int | None
) -> list[str]:
    """`docker run` as `bake smoke` tries the image: read-only, without capabilities, what it writes to in memory."""
    options = ["--rm", "--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    options += [f"--tmpfs={path}:mode=1777" for path in image.writable]
    options += [f"--publish={publish or image.port}:{image.port}"] if image.port else []
    options += [word for each in env for word in ("--env", each)]
    return ["docker", "run", *options, reference, *words]
