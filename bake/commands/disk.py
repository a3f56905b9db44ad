"""Show what builds keep on disk: the engine's build cache by kind, and images."""

import argparse
from collections.abc import Mapping

from bake.config import size
from bake.engine import Usage, cache_usage, image_usage, total
from bake.session import Session
from bake.table import show, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose disk, and how to show it."""
    parser.add_argument("--builder", metavar="NAME", help="buildx builder (default: bake.toml's, else the current one)")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Ask the engine and show."""
    from bake.engine import read_cache_usage, read_image_usage

    cache = cache_usage(read_cache_usage(arguments.builder or session.builder))
    images = image_usage(read_image_usage())
    rows = [_cells(f"cache: {u.kind}", u) for u in cache] + [_cells(u.kind, u) for u in images]
    show(arguments.format, {"cache": cache, "images": images}, table(rows))
    if arguments.format == "json":
        return 0
    budget = session.project.config.cache.budget
    limit = f" of {budget} (cache.budget)" if budget else ""
    session.console.say(f"the cache takes {size(total(cache))}{limit}; `bake prune --keep 10GB` makes it smaller")
    return 0


def _cells(kind: str, usage: Usage) -> Mapping[str, object]:
    return {"kind": kind, "count": usage.count, "size": size(usage.bytes), "free": size(usage.reclaimable)}
