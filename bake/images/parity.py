"""What the old all-in-one image has that no image per process has, and the reverse. Pure."""

import dataclasses
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

_BASE_ENV = frozenset({"PATH", "NODE_VERSION", "YARN_VERSION", "LANG", "LC_ALL", "DEBIAN_FRONTEND", "HOSTNAME", "HOME"})
"""Variables of base images and of building."""

ItemKind = Literal["command", "file", "port", "env"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an image (or a fleet of them) offers. commands: identity -> how it is written. ports: numbers."""

    commands: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    env: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that only one side has. detail: its value or command line."""

    kind: ItemKind
    name: str
    detail: str = ""
    accepted: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Both differences. lost: only the old image has it. gained: only the new ones do."""

    lost: tuple[Item, ...]
    gained: tuple[Item, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is lost but what was accepted."""
        return all(item.accepted for item in self.lost)


def compare_inventories(old: Inventory, new: Inventory, accept: Sequence[str]) -> Parity:
    """Both differences; items that `accept` names (`ENV FOO`, `port 6379`, `file docs/*`) are no loss."""
    lost = _only_in(old, new)
    return Parity(
        lost=tuple(dataclasses.replace(i, accepted=accepted(i, accept)) for i in lost), gained=_only_in(new, old)
    )


def accepted(item: Item, accept: Iterable[str]) -> bool:
    """Whether a pattern of `monolith.accept` names the item: its kind in any case, a blank, a name or glob."""
    pairs = (pattern.partition(" ")[::2] for pattern in accept)
    return any(k.lower() == item.kind and fnmatch.fnmatchcase(item.name, n.strip()) for k, n in pairs)


def _only_in(one: Inventory, other: Inventory) -> tuple[Item, ...]:
    commands = [Item(kind="command", name=k, detail=v) for k, v in one.commands.items() if k not in other.commands]
    files = [Item(kind="file", name=path) for path in sorted(one.files - other.files)]
    ports = [Item(kind="port", name=port) for port in sorted(one.ports - other.ports, key=_port_number)]
    env = [
        Item(kind="env", name=k, detail=" | ".join(sorted(v))) for k, v in sorted(one.env.items()) if k not in other.env
    ]
    return (*commands, *files, *ports, *env)


def _port_number(port: str) -> int:
    return int(re.sub(r"\D.*", "", port) or 0)


def variables(env: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """An image's own variables, without those that base images and package managers set."""
    return {k: frozenset({v}) for k, v in env.items() if k not in _BASE_ENV}


def join_inventories(inventories: Iterable[Inventory]) -> Inventory:
    """Several images as one."""
    commands: dict[str, str] = {}
    env: dict[str, frozenset[str]] = {}
    files: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    for each in inventories:
        commands |= each.commands
        files, ports = files | each.files, ports | each.ports
        for name, values in each.env.items():
            env[name] = env.get(name, frozenset()) | values
    return Inventory(commands=commands, files=files, ports=ports, env=env)
