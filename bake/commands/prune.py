"""Make the engine's build cache smaller: what was not used for the longest time goes first."""

import argparse

from bake.config import parse_size, size
from bake.engine import cache_usage, total
from bake.errors import UsageError
from bake.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much stays."""
    parser.add_argument("--keep", metavar="SIZE", help="what may stay, e.g. 10GB (default: cache.budget of bake.toml)")
    parser.add_argument("--builder", metavar="NAME", help="buildx builder (default: bake.toml's, else the current one)")
    parser.add_argument("--dry-run", action="store_true", help="tell what there is, remove nothing")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Prune down to the size, and say what that gave. Images stay."""
    from bake.engine import prune, read_cache_usage

    keep = _keep(session, arguments.keep)
    builder = arguments.builder or session.builder
    before = total(cache_usage(read_cache_usage(builder)))
    if arguments.dry_run or before <= keep:
        session.console.say(f"the cache takes {size(before)}, {size(keep)} may stay; nothing was removed")
        return 0
    prune(keep, builder)
    after = total(cache_usage(read_cache_usage(builder)))
    session.console.say(f"the cache took {size(before)} and takes {size(after)} now")
    return 0


def _keep(session: Session, text: str | None) -> int:
    words = text or session.project.config.cache.budget
    if not words:
        raise UsageError("prune", "how much may stay?", "add --keep 10GB, or set cache.budget in bake.toml")
    try:
        return parse_size(words)
    except ValueError as error:
        raise UsageError("--keep", str(error), "write for example --keep 10GB") from None
