"""Make, look at or remove the buildx builder that bake.toml's [builder] describes."""

import argparse
from typing import TYPE_CHECKING

from bake.errors import ConfigError, EngineError
from bake.session import Session
from bake.table import show, table

if TYPE_CHECKING:
    from bake.config import Builder
    from bake.engine import Capabilities, Listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    parser.add_argument("action", choices=("up", "status", "down"), help="make it, look at it, remove it")
    parser.add_argument("--keep-state", action="store_true", help="with `down`: keep its build cache for the next one")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="form of `status` on stdout")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Status 1 when `status` finds it missing, different or not running."""
    builder = session.project.config.builder
    if arguments.action == "status":
        return _status(session, builder, arguments.format)
    if builder is None:
        raise ConfigError(
            "bake.toml", "there is no [builder]", 'add one, e.g. `[builder]` `driver = "docker-container"`'
        )
    if arguments.action == "up":
        return _up(session, builder)
    return _down(session, builder, keep_state=arguments.keep_state)


def _up(session: Session, builder: "Builder") -> int:
    """Create what is missing, start it, and see that it takes every platform of the project."""
    from bake.engine import create_builder, create_commands, differences, find_builder, start_builder, unbuildable

    listed = find_builder(builder.name)
    if listed is None:
        if builder.driver is None:
            remedy = "make it with `docker buildx create`, or set builder.driver"
            raise EngineError(f"builder {builder.name}", "does not exist, and bake.toml has no driver for it", remedy)
        create_builder(builder.name, create_commands(builder, session.project.file.parent))
    elif found := differences(builder, listed):
        raise EngineError(f"builder {builder.name}", "; ".join(found), "run `bake builder down`, then `up` again")
    listed = start_builder(builder.name)
    if absent := unbuildable(builder, listed, session.project.config.project.platforms):
        session.console.warn(f"builder {builder.name} has no node for {', '.join(absent)}")
    count = len(listed.nodes)
    session.console.say(f"builder {builder.name} ({listed.driver}) is up: {count} node{'s' * (count != 1)}")
    return 0


def _down(session: Session, builder: "Builder", *, keep_state: bool) -> int:
    from bake.engine import find_builder, remove_builder

    if builder.driver is None:
        raise EngineError(f"builder {builder.name}", "was made by others", f"use `docker buildx rm {builder.name}`")
    if find_builder(builder.name) is None:
        session.console.say(f"builder {builder.name} does not exist")
        return 0
    remove_builder(builder.name, keep_state=keep_state)
    session.console.say(f"builder {builder.name} is removed")
    return 0


def _status(session: Session, builder: "Builder | None", form: str) -> int:
    from bake.engine import differences, find_builder, probe

    name = builder.name if builder else None
    listed = find_builder(name)
    if listed is None:
        raise EngineError(f"builder {name}", "does not exist", "run `bake builder up`")
    found = differences(builder, listed) if builder else ()
    for what in found:
        session.console.warn(f"builder {listed.name}: {what}")
    # buildx names no driver of an engine that does not answer; the probe tells why.
    _show_builder(listed, probe(name) if listed.running or not listed.driver else None, form)
    return 0 if listed.running and not found else 1


def _show_builder(listed: "Listed", capabilities: "Capabilities | None", form: str) -> None:
    rows = [
        {
            "node": n.name,
            "endpoint": n.endpoint,
            "status": n.error or n.status or "stopped",
            "buildkit": n.version,
            "platforms": " ".join(n.platforms),
        }
        for n in listed.nodes
    ]
    features = capabilities.features if capabilities else {}
    can = (f"{what}: {f'no, {why_not}' if why_not else 'yes'}" for what, why_not in features.items())
    value = {"name": listed.name, "driver": listed.driver, "nodes": rows, "can": features}
    show(form, value, "\n".join([f"{listed.name} ({listed.driver})", table(rows), *can]))
