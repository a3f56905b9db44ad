"""One module per command: arguments, one call, output."""

from bake.commands.tree import (
    COMMANDS,
    CommandParser,
    command_parser,
    command_tree,
    common_parser,
    load_command,
    only_options,
)

__all__ = [
    "COMMANDS",
    "CommandParser",
    "command_parser",
    "command_tree",
    "common_parser",
    "load_command",
    "only_options",
]
