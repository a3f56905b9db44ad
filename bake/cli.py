"""Arguments, the one error boundary and the exit status."""

import argparse
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bake import __version__
from bake.commands import COMMANDS, command_parser, common_parser, load_command
from bake.console import Console
from bake.errors import BakeError, ConfigError
from bake.session import Session

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
        # A folder that cannot be written, a full disk: nothing that each reader and writer need know.
        print(f"bake: error: {_about(error)}", file=sys.stderr)
        return 1


def _about(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{error.filename or 'the disk'}: {error.strerror}; free some space there"
    if error.filename is None:
        return error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {error.strerror}; see that bake may read and write it"


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
    session = Session(
        console=Console(environment=dict(os.environ), volume=parsed.volume),
        directory=Path.cwd(),
        file=Path(parsed.file).resolve() if parsed.file else None,
    )
    return int(load_command(name).run(session, parsed))


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
