"""Arguments, the one error boundary and the exit status."""

import contextlib
import errno
import functools
import gc
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from bake.commands import COMMANDS, CommandParser, command_tree, load_command, only_options
from bake.config import FILE_NAME, suggestion
from bake.console import Console, painted
from bake.errors import BakeError, ConfigError, UsageError
from bake.session import Session
from bake.streams import guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status.

    0 well, 1 failed, 2 usage, 3 config or workspace, 4 engine, 5 registry, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    gc.set_threshold(200_000)  # nearly all that is made is kept: to look for garbage in it took a tenth of the time
    with guarded(os.environ):
        return _guarded(arguments)


def _guarded(arguments: Sequence[str] | None) -> int:
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except ConfigError as error:
        for line in error.complaints:
            _complain(line)
        return error.status
    except BakeError as error:
        _complain(str(error))
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
        # A folder that cannot be written, a full disk: nothing that each reader and writer need know.
        _complain(_about(error))
        return 1


def _complain(text: str) -> None:
    print(f"{painted('bake: error:', 'red', os.environ)} {text}", file=sys.stderr)


def _about(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{error.filename or 'the disk'}: {error.strerror}; free some space there"
    if error.filename is None:
        return error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {error.strerror}; see that bake may read and write it"


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(words: list[str]) -> int:
    tree, commands = command_tree()
    if words[:1] == ["help"]:
        words = _asked_help(words[1:])
    if only_options(tree, words):
        tree.parse_args(words)  # ends with --help and --version
        tree.print_help()
        return 2
    name, rest = _command(words, commands)
    parsed = commands[name or "build"].parse_args(rest)
    session = Session(
        console=Console(environment=dict(os.environ), volume=parsed.volume),
        directory=Path.cwd(),
        file=Path(parsed.file).resolve() if parsed.file else None,
        words=("bake", *words),
    )
    try:
        return int(load_command(name or "build").run(session, parsed))
    except UsageError as error:
        raise error if name else _as_command(error) from None
    except BakeError as error:
        raise _in_file(error, session.file) from None


def _in_file(error: BakeError, file: Path | None) -> BakeError:
    """The error with the name that bake.toml has here: those who know a key need not know what --file said."""
    if file is None or file.name == FILE_NAME:
        return error
    called = functools.partial(_BAKE_TOML.sub, lambda _: file.name)
    if isinstance(error, ConfigError):
        lines = tuple(map(called, error.complaints))
        return ConfigError(file.name, called(error.what), called(error.remedy), complaints=lines)
    BakeError.__init__(error, called(error.where), called(error.what), called(error.remedy))
    return error


_BAKE_TOML = re.compile(rf"(?<![\w/.-]){re.escape(FILE_NAME)}(?![\w/-])")
"""bake.toml as a word, not in a path."""


def _as_command(error: UsageError) -> UsageError:
    """What is no image may have been meant for a command."""
    if error.where in COMMANDS:
        return UsageError(error.where, error.what, f"as a command, `{error.where}` comes before them")
    near = "" if error.remedy.startswith("did you mean") else suggestion(error.where, COMMANDS)
    return UsageError(error.where, error.what, near or error.remedy)


def _asked_help(words: list[str]) -> list[str]:
    """`help COMMAND` as argparse knows it."""
    if unknown := next((word for word in words if word not in COMMANDS), ""):
        raise UsageError(unknown, "no such command", suggestion(unknown, COMMANDS) or "see `bake help`")
    return [*words[:1], "--help"]


def _command(words: list[str], commands: Mapping[str, CommandParser]) -> tuple[str, list[str]]:
    """The command and its own words; "" when it is left out. Only options of the command may stand before it."""
    for place, word in enumerate(words):
        if word in commands and only_options(commands[word].fill(), words[:place]):
            return word, [*words[:place], *words[place + 1 :]]
    return "", words
