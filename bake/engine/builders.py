"""The buildx builder of bake.toml: the commands that make it, and what an existing one lacks. Pure.

Source of flags and driver options: docs.docker.com/build/builders/drivers and docker buildx create --help.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bake.config import Builder, BuilderNode

_FIELD = re.compile(r"^(Name|Driver|Endpoint|Status|BuildKit version|Platforms|Error):[ \t]*(.*?)[ \t]*$", re.M)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as buildx shows it. endpoint: "" or buildx's word where the driver has none."""

    name: str
    endpoint: str
    status: str
    platforms: tuple[str, ...]
    version: str = ""
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A builder as buildx shows it."""

    name: str
    driver: str
    nodes: tuple[Node, ...]

    @property
    def running(self) -> bool:
        """Whether every node runs."""
        return bool(self.nodes) and all(n.status == "running" for n in self.nodes)


def create_commands(builder: Builder, folder: Path) -> tuple[tuple[str, ...], ...]:
    """The words after `docker buildx` that make the builder, one call per node.

    folder: bake.toml's, which `builder.config` is relative to. A builder without a driver has none.
    """
    if builder.driver is None:
        return ()
    nodes: Mapping[str, BuilderNode] = builder.nodes or {"": BuilderNode()}
    return tuple(_create(builder, folder, name, node, first=i == 0) for i, (name, node) in enumerate(nodes.items()))


def _create(builder: Builder, folder: Path, name: str, node: BuilderNode, *, first: bool) -> tuple[str, ...]:
    options = {**builder.options, **_selector(builder, node), **node.options}
    words = ["create", f"--name={builder.name}", f"--driver={builder.driver}"]
    words += [] if first else ["--append"]
    words += [f"--node={name}"] if name else []
    words += [f"--platform={','.join(node.platforms)}"] if node.platforms else []
    words += [f"--driver-opt={_driver_option(k, v)}" for k, v in options.items()]
    words += [f"--buildkitd-config={folder / builder.config}"] if builder.config else []
    return (*words, *([node.endpoint] if node.endpoint else ()))


def _selector(builder: Builder, node: BuilderNode) -> Mapping[str, str]:
    """A pod of a node for one architecture runs on a machine of it, unless bake.toml selects otherwise."""
    architectures = {p.split("/")[1] for p in node.platforms}
    if builder.driver != "kubernetes" or len(architectures) != 1 or "nodeselector" in builder.options:
        return {}
    return {"nodeselector": f"kubernetes.io/arch={architectures.pop()}"}


def _driver_option(key: str, value: str | int | bool) -> str:
    """A driver option; buildx reads the flag as a line of CSV, so a comma or quote needs quotes."""
    text = f"{key}={str(value).lower() if isinstance(value, bool) else value}"
    if not {",", '"', "\n"}.intersection(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def parse_listed(text: str) -> Listed:
    """What `docker buildx inspect` prints: the builder's fields, then each node's from `Name:` on."""
    head, _, rest = text.partition("\nNodes:")
    builder = dict(_FIELD.findall(head))
    nodes = [dict(_FIELD.findall(f"Name:{part}")) for part in re.split(r"^Name:", rest, flags=re.M)[1:]]
    return Listed(name=builder.get("Name", ""), driver=builder.get("Driver", ""), nodes=tuple(map(_listed_node, nodes)))


def _listed_node(fields: Mapping[str, str]) -> Node:
    return Node(
        name=fields.get("Name", ""),
        endpoint=fields.get("Endpoint", ""),
        status=fields.get("Status", ""),
        # Those that were given by --platform have a star.
        platforms=tuple(p.strip("* ") for p in fields.get("Platforms", "").split(",") if p.strip()),
        version=fields.get("BuildKit version", ""),
        error=fields.get("Error", ""),
    )


def differences(builder: Builder, listed: Listed) -> tuple[str, ...]:
    """What of an existing builder is not as bake.toml says; its options cannot be seen from outside."""
    found: list[str] = []
    if builder.driver and listed.driver != builder.driver:
        found.append(f"its driver is {listed.driver}, not {builder.driver}")
    there = {n.name: n for n in listed.nodes}
    if missing := [n for n in builder.nodes if n not in there]:
        found.append(f"it has no node {', '.join(missing)}")
    for name, node in builder.nodes.items():
        endpoint = there[name].endpoint if name in there else ""
        if node.endpoint and endpoint and endpoint != node.endpoint:
            found.append(f"node {name} is at {endpoint}, not {node.endpoint}")
    if builder.nodes and (more := [n for n in there if n not in builder.nodes]):
        found.append(f"it has a node {', '.join(more)} besides")
    return tuple(found)


def unbuildable(builder: Builder | None, listed: Listed, platforms: Sequence[str]) -> tuple[str, ...]:
    """Platforms that no node takes, by what nodes say they run and by what bake.toml gives them."""
    declared = [p for n in (builder.nodes.values() if builder else ()) for p in n.platforms]
    known = {*declared, *(p for n in listed.nodes for p in n.platforms)}
    return tuple(p for p in platforms if p not in known)
