"""Arguments that several commands have, and what they say as values."""

import argparse
import contextlib
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bake.commands.tree import HANDED_ON
from bake.config import REGISTRY, is_tag
from bake.errors import UsageError
from bake.session import Naming, Selection, Session, parse_platforms

if TYPE_CHECKING:
    from bake.plan import Plan


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that plans images."""
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="images, services, `all` or patterns (default: all)"
    )
    parser.add_argument("--platform", action="append", metavar="P[,P]", help="platforms instead of bake.toml's")
    parser.add_argument("--tag", action="append", metavar="TAG", help="tag instead of bake.toml's; may be repeated")


def add_since_argument(parser: argparse.ArgumentParser) -> None:
    """The argument of `bake build` and of commands that look at what it built."""
    parser.add_argument("--since", metavar="REV", help="of these, only images that changes since REV affect")


def narrowed(session: Session, plan: "Plan", since: str | None) -> "Plan":
    """The plan for the targets that --since means; without it, as it is. Says so where none is left."""
    from bake.inputs import since_revision

    if not since:
        return plan
    found = since_revision(session.project, plan, session.tree, since)
    targets = tuple(t for t in plan.targets if found.get(t))
    if not targets:
        session.console.say(f"no image is affected since {since}: nothing to do")
    return dataclasses.replace(plan, targets=targets)


def add_words_argument(parser: argparse.ArgumentParser, meaning: str) -> None:
    """What follows `--`."""
    parser.add_argument(HANDED_ON, nargs="*", default=[], metavar="-- ARG", help=meaning)


def attached_options() -> list[str]:
    """`docker run` as the terminal of this process has it: a job in the background would be stopped as it reads."""
    with contextlib.suppress(OSError):
        if sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
            return []
    return ["--interactive", *(["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else [])]


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Where images are read from."""
    parser.add_argument("--pushed", action="store_true", help="read what the last --push put into the registry")


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that look into images."""
    parser.add_argument("--against", metavar="IMAGE", help="the old all-in-one image (default: bake.toml's [monolith])")
    parser.add_argument("--pushed", action="store_true", help="pull from the registry what the last --push put there")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def selected(targets: Sequence[str] | None, platforms: Sequence[str] | None) -> Selection:
    """TARGET and --platform. Raises UsageError for what is no platform."""
    return Selection(targets=tuple(targets or ("all",)), platforms=parse_platforms(platforms))


def add_mirror_argument(parser: argparse.ArgumentParser) -> None:
    """Where a push goes too."""
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="REGISTRY",
        help="push there too, instead of bake.toml's project.mirrors; may be repeated",
    )


def parse_tags(words: Sequence[str] | None) -> tuple[str, ...]:
    """Tags of --tag without repetitions. Raises UsageError for what is no tag."""
    for tag in words or ():
        if not is_tag(tag):
            raise UsageError("--tag", f"{tag!r} is no tag", "use letters, digits, `_`, `.` and `-`")
    return tuple(dict.fromkeys(words or ()))


def require_registry(place: str, where: str) -> None:
    """Raise UsageError for what is no registry."""
    if REGISTRY.broken_by(place):
        raise UsageError(where, f"{place!r} is not {REGISTRY.words}", "name it as `docker login` does")


def named(
    tags: Sequence[str] | None, *, image: str | None = None, push: bool = False, mirrors: Sequence[str] = ()
) -> Naming:
    """--tag, --image, --push and --to. Raises UsageError for what is no registry."""
    for place in mirrors:
        require_registry(place, "--to")
    return Naming(tags=tuple(tags or ()), image=image, push=push, mirrors=tuple(mirrors))
