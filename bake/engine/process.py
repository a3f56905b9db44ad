"""A container that is tried: what to start, and what the engine says of it."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One container to make. references: names of its image, the first that the engine has wins.

    pull: the name to pull when the engine has none, "" for never. memory: a size.
    """

    references: tuple[str, ...]
    platform: str
    pull: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()
    memory: str = "512m"
    port: int | None = None
    writable: tuple[str, ...] = ()
    fixed: bool = True
    """Whether it writes to these folders alone."""
    owner: str = ""
    """UID:GID of the image's user, whose the writable folders are, where it is known."""
    alias: str = ""
    init: bool = False
    hardened: bool = True
    """Read-only root where it is fixed, no capabilities, no new privileges, memory limited."""
    remedy: str = ""
    """What to do when the image is nowhere."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """What the engine says about a container."""

    running: bool
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """PID 1. line: its command line, words joined by spaces. user: numeric; -1 when it could not be told."""

    line: str
    user: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What the image itself says. command: entrypoint and command. stop: its STOPSIGNAL. ports: as EXPOSE, `80/tcp`."""

    user: str
    command: tuple[str, ...]
    stop: str = "SIGTERM"
    directory: str = "/"
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ports: tuple[str, ...] = ()
