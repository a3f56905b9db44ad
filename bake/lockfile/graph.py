"""Resolved dependencies as a graph, before anybody has given them places in node_modules. Pure.

The lockfiles of pnpm and yarn say who gets which package, not where it lies. Both parse into a Graph; a layout
(`bake.pnpm.isolated`, `bake.hoist.hoisted`) makes the Lockfile of it that the rest of bake knows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bake.lockfile.lockfile import Entry

LINK = "link:"
"""What a target begins with that is a workspace package, before its path from the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A package of the lockfile or of the workspace. `entry` has no path yet, but for workspace packages.

    targets: the name under which the package finds something -> a key of Graph.nodes, or LINK and a package path.
    """

    entry: Entry
    targets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Every package by the lockfile's own key, and the workspace's packages by path (the root as "").

    injected: keys of copies of workspace packages (pnpm's `dependenciesMeta.injected`) -> package path. What
    asks for a copy has the package itself as its target. apart: package path -> name -> the versions that its copies
    find under a name, where the package itself finds another one.
    """

    nodes: Mapping[str, Node]
    members: Mapping[str, Node]
    injected: Mapping[str, str] = field(default_factory=dict)
    apart: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def at(self, target: str) -> Node | None:
        """Return what a target names; None for a folder that is no workspace package."""
        if target.startswith(LINK):
            return self.members.get(target.removeprefix(LINK))
        return self.nodes.get(target)

    def linked(self) -> frozenset[str]:
        """Folders that workspace packages link and that are none themselves (pnpm's `link:`)."""
        targets = (target for member in self.members.values() for target in member.targets.values())
        folders = {target.removeprefix(LINK) for target in targets if target.startswith(LINK)}
        return frozenset(folders - self.members.keys())


def with_members(graph: Graph, members: Iterable[Entry]) -> Graph:
    """Return the graph with further packages of the workspace, for which nothing is installed."""
    added = {entry.path: Node(entry=entry, targets={}) for entry in members}
    return replace(graph, members={**graph.members, **added})


def mark_development(graph: Graph) -> Graph:
    """Return the graph with `dev` set on every package that a production install leaves out.

    An optional peer counts for nothing here, as in npm: what is there for development only is not brought
    into production by a package that could do without it.
    """
    kept = _production_keys(graph, [t for m in graph.members.values() for t in _production(m)])
    nodes = {
        key: node if key in kept else replace(node, entry=replace(node.entry, dev=True))
        for key, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)


def _production_keys(graph: Graph, starts: Iterable[str]) -> set[str]:
    stack = list(starts)
    seen: set[str] = set()
    while stack:
        target = stack.pop()
        node = graph.nodes.get(target)
        if target not in seen and node is not None:
            seen.add(target)
            stack.extend(_production(node))
    return seen


def _production(node: Node) -> Iterator[str]:
    """Yield what a package brings into production; workspace packages start for themselves."""
    entry = node.entry
    peers = () if entry.path else entry.peer_dependencies.keys() - entry.peer_optional
    wanted = {*entry.dependencies, *entry.optional_dependencies, *peers}
    yield from (target for name, target in node.targets.items() if name in wanted)
