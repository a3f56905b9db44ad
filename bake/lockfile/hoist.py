"""A graph laid out as package managers hoist it: the Lockfile of a tree that is expected, not known. Pure.

yarn and pnpm's `node-linker=hoisted` decide at install time where packages lie. Plans need places before: for
layer classes, for names that nobody declares, for `bake why`. This layout gives them: everything at the root in
the version that most ask for, other versions below who asks for them. What goes into images is found in the
installed tree (docker/carve walks it), by Node's own rules.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace

from bake.lockfile.graph import LINK, Graph
from bake.lockfile.lockfile import Entry, Lockfile, first_place, place_in


def hoisted(graph: Graph, *, manager: str, file: str) -> Lockfile:
    """Return the Lockfile of the expected tree. manager, file: whose lockfile it was, and its name."""
    # pnpm links workspace packages beside who asks for them.
    slots = _place_all(graph, members_at_root=manager != "pnpm")
    return Lockfile(
        entries={path: _placed_entry(graph, path, target) for path, target in slots.items()},
        packages={path: member.entry for path, member in graph.members.items()},
        raw={"packages": {}},
        manager=manager,
        file=file,
        apart=graph.apart,
    )


def _placed_entry(graph: Graph, path: str, target: str) -> Entry:
    node = graph.at(target)
    if target.startswith(LINK) or node is None:
        name = node.entry.name if node else path.rpartition("node_modules/")[2]
        return Entry(path=path, name=name, link=target.removeprefix(LINK))
    return replace(node.entry, path=path)


def _place_all(graph: Graph, *, members_at_root: bool) -> Mapping[str, str]:
    """Return entry path -> target, root's places first."""
    linked = _member_links(graph) if members_at_root else {}
    slots = {
        f"node_modules/{name}": target
        for name, target in {**linked, **_favourites(graph)}.items()
        if members_at_root or not target.startswith(LINK)
    }
    queue = deque([*graph.members.items(), *((path, graph.at(target)) for path, target in slots.items())])
    while queue:
        path, node = queue.popleft()
        if node is None or (path not in graph.members and slots[path].startswith(LINK)):
            continue
        for name, target in node.targets.items():
            found = first_place(slots, path, name)
            if (found is None or target != slots[found]) and target not in _packages_around(slots, path):
                place = place_in(path, name)
                slots[place] = target
                queue.append((place, graph.at(target)))
    return slots


def _favourites(graph: Graph) -> Mapping[str, str]:
    """Name -> what lies at the root: what the root itself asks for, else what most ask for."""
    votes: dict[str, Counter[str]] = {}
    for node in (*graph.members.values(), *graph.nodes.values()):
        for name, target in node.targets.items():
            votes.setdefault(name, Counter())[target] += 1
    most = {name: min(count, key=lambda target: (-count[target], target)) for name, count in votes.items()}
    root = graph.members.get("")
    return {**most, **(root.targets if root else {})}


def _member_links(graph: Graph) -> Mapping[str, str]:
    """Workspace packages by name: yarn links each at the root, also one that nobody depends on."""
    return {node.entry.name: f"{LINK}{path}" for path, node in graph.members.items() if path}


def _packages_around(slots: Mapping[str, str], path: str) -> frozenset[str]:
    """The packages that a path lies in: what asks for one of those again is in a circle."""
    parts = path.split("/node_modules/")
    return frozenset(slots.get("/node_modules/".join(parts[:count]), "") for count in range(1, len(parts) + 1))
