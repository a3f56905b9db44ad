"""Print the completion script for a shell, e.g. `source <(bake completion bash)`."""

import argparse
import importlib

from bake.commands import COMMANDS, common_parser
from bake.completion import SHELLS, read_command, render_completion
from bake.errors import BakeError
from bake.session import Session, find_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell; `targets` is what the scripts call for names."""
    parser.add_argument("shell", choices=(*SHELLS, "targets"), help="the shell; targets: names that can be built")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    if arguments.shell == "targets":
        return _targets(session)
    parsers = {name: argparse.ArgumentParser(prog=f"bake {name}", parents=[common_parser()]) for name in COMMANDS}
    for name, parser in parsers.items():
        importlib.import_module(f"bake.commands.{name.replace('-', '_')}").add_arguments(parser)
    commands = [read_command(name, COMMANDS[name], parser) for name, parser in parsers.items()]
    print(render_completion(arguments.shell, commands), end="")
    return 0


def _targets(session: Session) -> int:
    """Images and services of bake.toml, without reading the workspace; nothing where there is none."""
    from bake.config import image_names, load_config

    try:
        config = load_config(session.file or find_config(session.directory))
    except BakeError:
        return 0
    print(" ".join(dict.fromkeys(("all", *config.services, *image_names(config)))))
    return 0
