"""Arguments, the one error boundary and the exit status."""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bake import __version__
from bake.context import Context
from bake.errors import BakeError, ConfigError

COMMANDS = {
    "affected": "show which images a change affects, and by what",
    "build": "build images (also without the word: `bake all`, `bake catalog-worker --push`)",
    "builder": "make, look at or remove the builder of bake.toml",
    "check": "find what would go wrong, before a build does",
    "completion": "print the completion script for bash, zsh or fish",
    "disk": "show what builds keep on disk: the cache by kind, and images",
    "doctor": "look at what builds and pushes need on this machine",
    "eject": "copy the Dockerfile's and bake file's templates into the workspace, for changing",
    "init": "write a first bake.toml, or show what the one there lacks",
    "inspect": "show what is in an image and why",
    "layers": "show which images share which layers",
    "list": "show the images, or the packages",
    "lock": "record what the lockfile lacks, and base images' digests, in bake.lock",
    "manifest": "write what deployments need: every image by digest; or check manifests against it",
    "matrix": "print the build jobs for GitHub Actions, of all images or of those that changed",
    "merge": "join what several runners pushed without tags, then move the tags",
    "parity": "show what the old all-in-one image has that no image has, and the reverse",
    "print": "show the bake file, the Dockerfile or the plan",
    "promote": "give the images of a push further tags, without building",
    "prune": "make the engine's build cache smaller",
    "report": "write the last build as a page: timeline, layer map, sizes",
    "repro": "build images twice and see whether they come out the same",
    "rollback": "put tags back to what they were before a push",
    "schema": "print the JSON Schema of bake.toml",
    "size": "tell what images weigh, what grew, and what is over its budget",
    "smoke": "start images as Kubernetes would, and see that they work and end well",
    "verify": "compare compiled files across all images and the old all-in-one image",
    "why": "tell why an image is built again",
}
"""Command -> one line of help. Each lives in the module of its name in bake/commands."""

_GLOBAL = ("-q", "--quiet", "-v", "--verbose", "-f", "--file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status.

    0 well, 1 failed, 2 usage, 3 config or workspace, 4 engine, 5 registry, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except ConfigError as error:
        for line in error.complaints:
            print(f"bake: error: {line}", file=sys.stderr)
        return error.status
    except BakeError as error:
        print(f"bake: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("bake: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of stdout went away (`bake list | head`); nothing more can be said there.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.filename is None:
            raise
        # A folder that cannot be written, a full disk: nothing that each reader and writer need know.
        print(f"bake: error: {error.filename}: {error.strerror}; see that bake may read and write it", file=sys.stderr)
        return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(words: list[str]) -> int:
    parser = _parser()
    place = _command_at(words)
    options, rest = words[:place], words[place:]
    arguments = parser.parse_args(options)
    if not rest:
        parser.print_help()
        return 2 if not options else 0
    name = rest.pop(0) if rest[0] in COMMANDS else "build"
    parsed = command_parser(name).parse_args(rest, namespace=arguments)
    context = Context(
        environment=dict(os.environ),
        directory=Path.cwd(),
        file=Path(parsed.file).resolve() if parsed.file else None,
        volume=parsed.volume,
    )
    return int(_module(name).run(context, parsed))


def command_parser(name: str) -> argparse.ArgumentParser:
    """The arguments of one command of COMMANDS; the reference in docs/ is made from them."""
    module = _module(name)
    parser = argparse.ArgumentParser(prog=f"bake {name}", description=module.__doc__, parents=[common_parser()])
    module.add_arguments(parser)
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"bake.commands.{name.replace('-', '_')}")


def _command_at(words: Sequence[str]) -> int:
    """Index of the first word that is neither a global option nor its value."""
    index = 0
    while index < len(words) and words[index] in {*_GLOBAL, "-h", "--help", "--version"}:
        index += 2 if words[index] in {"-f", "--file"} else 1
    return min(index, len(words))


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="bake",
        description="One container image per process of a JavaScript monorepo, from one BuildKit run.",
        usage="bake [COMMAND] [TARGET ...] [OPTIONS]",
        epilog=f"commands:\n{lines}\n\n`bake COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common_parser()],
    )
    parser.add_argument("--version", action="version", version=f"bake {__version__}")
    return parser


def common_parser() -> argparse.ArgumentParser:
    """The options that every command takes, as a parent for its parser."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("-f", "--file", metavar="FILE", help="another bake.toml than the nearest one")
    common.set_defaults(file=None, volume="normal")
    volume = common.add_mutually_exclusive_group()
    volume.add_argument(
        "-q", "--quiet", dest="volume", action="store_const", const="quiet", help="say only what went wrong"
    )
    volume.add_argument(
        "-v",
        "--verbose",
        dest="volume",
        action="store_const",
        const="verbose",
        help="show every step's output",
    )
    return common
