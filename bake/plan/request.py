"""What the command line, git and the environment say about one run."""

import dataclasses
from collections.abc import Mapping

from bake.ci import Run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line, git and the environment say about one run."""

    targets: tuple[str, ...] = ("all",)
    platforms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    push: bool = False
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    revision: str = ""
    branch: str = ""
    version: str = ""
    pull_request: str = ""
    source: str = ""
    registry: str = ""
    """Where to push instead of bake.toml's `project.registry`."""
    mirrors: tuple[str, ...] = ()
    """Where to push too, instead of bake.toml's `project.mirrors`."""
    image: str | None = None
    """Another name for the one image asked for (the monolith's old contract)."""
    run: Run = dataclasses.field(default_factory=Run)
    cache_to: bool = False
    """Whether this run writes the cache even where `cache.write` would not."""
