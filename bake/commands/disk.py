"""Show what builds keep on disk: the engine's build cache by kind, and images."""

import argparse
import dataclasses
import json

from bake.config import size
from bake.engine import cache_usage, image_usage, total
from bake.session import Session
from bake.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose disk, and how to show it."""
    parser.add_argument("--builder", metavar="NAME", help="buildx builder (default: bake.toml's, else the current one)")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Ask the engine and show."""
    from bake.engine import read_cache_usage, read_image_usage

    cache = cache_usage(read_cache_usage(arguments.builder or session.builder))
    images = image_usage(read_image_usage())
    if arguments.format == "json":
        parts = {"cache": cache, "images": images}
        print(json.dumps({k: [dataclasses.asdict(u) for u in v] for k, v in parts.items()}, indent=2))
        return 0
    rows = [("cache", u) for u in cache] + [("", u) for u in images]
    shown = [
        {
            "kind": f"{head}: {u.kind}" if head else u.kind,
            "count": u.count,
            "size": size(u.bytes),
            "free": size(u.reclaimable),
        }
        for head, u in rows
    ]
    print(table(shown))
    budget = session.project.config.cache.budget
    limit = f" of {budget} (cache.budget)" if budget else ""
    session.console.say(f"the cache takes {size(total(cache))}{limit}; `bake prune --keep 10GB` makes it smaller")
    return 0
