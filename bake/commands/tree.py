"""The tree of parsers: one for the command line, one below it for each command."""

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from bake import __version__

COMMANDS = {
    "affected": "show which images a change affects, and by what",
    "audit": "tell which known weaknesses reach which image, and by whom",
    "build": "build images (also without the word: `bake all`, `bake catalog-worker --push`)",
    "builder": "make, look at or remove the builder of bake.toml",
    "check": "find what would go wrong, before a build does",
    "clean": "delete images from the registry that only the tag of their content holds",
    "completion": "print the completion script for bash, zsh or fish",
    "compose": "write a compose file of the fleet, for `docker compose up --watch`",
    "copy": "copy the images of a push to another registry, by digest",
    "debug": "open a shell beside a running process, with its files",
    "disk": "show what builds keep on disk: the cache by kind, and images",
    "doctor": "look at what builds and pushes need on this machine",
    "eject": "copy the Dockerfile's and bake file's templates into the workspace, for changing",
    "init": "write a first bake.toml, or show what the one there lacks",
    "inputs": "list what an image is made of, or write what Skaffold or Tilt need to watch and build it",
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
    "run": "build one image and start it",
    "sbom": "list the packages of an image, as CycloneDX or SPDX",
    "schema": "print the JSON Schema of bake.toml",
    "sign": "sign the images of a push and its manifest with cosign",
    "size": "tell what images weigh, what grew, and what is over its budget",
    "smoke": "start images as Kubernetes would, and see that they work and end well",
    "verify": "compare compiled files across all images and the old all-in-one image",
    "why": "tell why an image is built again, or why something is in it",
}
"""Command -> one line of help. Each lives in the module of its name in bake/commands."""


HANDED_ON = "words"
"""The argument of commands that hand on what follows `--`."""


class CommandParser(argparse.ArgumentParser):
    """A command's parser: it learns its arguments once they are asked for, as all commands together load slowly."""

    def __init__(self, *, command: str, **settings: Any) -> None:
        super().__init__(**settings, parents=[common_parser()], allow_abbrev=False)
        self._command = command

    def fill(self) -> "CommandParser":
        """Learn the command's arguments."""
        if self._command:
            module = load_command(self._command)
            self.description = module.__doc__
            module.add_arguments(self)
            self._command = ""
        return self

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but options may stand between the words, and what follows `--` is handed on as it is.

        argparse gives all words up to the first option to the arguments that it knows, and then has none left for more.
        """
        words, after = list(args), []
        if any(action.dest == HANDED_ON for action in self.fill()._actions) and "--" in words:
            place = words.index("--")
            words, after = words[:place], words[place + 1 :]
        parsed = self.parse_intermixed_args(words, namespace)
        if after:
            setattr(parsed, HANDED_ON, [*getattr(parsed, HANDED_ON), *after])
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, which calls it for the one command that was given."""
        self.fill()
        return super().parse_known_args(args, namespace)


def only_options(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    """Whether the words are options of the parser, each with the value that it wants."""
    left = list(words)
    while left:
        option, glued, _ = left.pop(0).partition("=")
        action = parser._option_string_actions.get(option)
        if action is None:
            return False
        if action.nargs != 0 and not glued:
            if not left:
                return False
            left.pop(0)
    return True


def command_tree() -> tuple[argparse.ArgumentParser, Mapping[str, CommandParser]]:
    """The parser of the whole command line, and those of its commands."""
    tree = argparse.ArgumentParser(
        prog="bake",
        description="One container image per process of a JavaScript monorepo, from one BuildKit run.",
        usage="bake [COMMAND] [TARGET ...] [OPTIONS]",
        epilog="`bake COMMAND --help` tells more.",
        parents=[common_parser()],
        allow_abbrev=False,
    )
    tree.add_argument("--version", action="version", version=f"bake {__version__}")
    commands = tree.add_subparsers(title="commands", prog="bake", metavar="COMMAND", parser_class=CommandParser)
    return tree, {name: commands.add_parser(name, help=text, command=name) for name, text in COMMANDS.items()}


def command_parser(name: str) -> CommandParser:
    """The arguments of one command of COMMANDS; the reference in docs/ is made from them."""
    return command_tree()[1][name].fill()


def load_command(name: str) -> Any:
    """The module of a command: its `add_arguments` and `run`."""
    return importlib.import_module(f"bake.commands.{name.replace('-', '_')}")


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
