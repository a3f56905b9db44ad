"""pnpm's lockfile and layout: pnpm-lock.yaml (version 9) in, a Lockfile with the paths of the installed tree out. Pure.

Sources: the package @pnpm/dependency-path 5.1 (pnpm 9) and 1001 (pnpm 10) for names of directories;
https://pnpm.io/symlinked-node-modules-structure for the layout; https://pnpm.io/settings for settings.
"""

import base64
import hashlib
import posixpath
import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain
from posixpath import normpath
from typing import Any

from bake.errors import WorkspaceError
from bake.files import parse_yaml, table, words
from bake.lockfile.graph import LINK, Graph, Node, mark_development
from bake.lockfile.lockfile import Entry, Lockfile

LOCKFILE = "pnpm-lock.yaml"
SETTINGS = "pnpm-workspace.yaml"
STORE = "node_modules/.pnpm"
"""Where pnpm's isolated layout keeps the packages themselves."""

LONGEST = 120
"""Length in characters above which pnpm shortens a directory's name; its own default outside Windows."""

_RELOCK = "run `pnpm install --lockfile-only` with pnpm 9 or newer"


def parse_pnpm_lock(
    text: str, manifests: Mapping[str, Mapping[str, Any]], built: Container[str] = frozenset()
) -> Graph:
    """Return the graph in the text of a pnpm-lock.yaml. manifests: package path -> its package.json.

    built: names of packages whose install scripts the workspace lets run; the lockfile does not say which have one.

    Raises WorkspaceError for what is no YAML, for other lockfile versions than 9 and for a missing package.
    """
    raw = parse_yaml(text, LOCKFILE)
    version = str(raw.get("lockfileVersion", ""))
    if version.partition(".")[0] != "9":
        what = f"lockfileVersion {version} is not supported" if version else "no pnpm lockfile"
        raise WorkspaceError(LOCKFILE, what, _RELOCK)
    packages, snapshots = table(raw, "packages"), table(raw, "snapshots")
    importers = {"" if path == "." else path: value for path, value in table(raw, "importers").items()}
    nodes = {key: _snapshot_node(key, value, packages, built) for key, value in snapshots.items()}
    members = {path: _member(path, value or {}, manifests.get(path, {})) for path, value in importers.items()}
    published = dict(_published_folders(importers))
    members = {path: _turned(member, published) for path, member in members.items()}
    return mark_development(_uninjected(nodes, members, packages))


# --- the graph -----------------------------------------------------------------------------------------


def _published_folders(importers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the link to the folder that a member publishes (`publishConfig.directory`), and the one to the member."""
    for path, about in importers.items():
        if folder := (about or {}).get("publishDirectory"):
            yield f"{LINK}{normpath(f'{path}/{folder}')}", f"{LINK}{path}"


def _turned(node: Node, links: Mapping[str, str]) -> Node:
    return replace(node, targets={name: links.get(target, target) for name, target in node.targets.items()})


def _uninjected(nodes: Mapping[str, Node], members: Mapping[str, Node], packages: Mapping[str, Any]) -> Graph:
    """Let what asks for a copy of a workspace package find the package: a copy is made before anything is built."""
    folders = {key: table(table(packages, without_suffix(key)), "resolution").get("directory") for key in nodes}
    injected = {key: str(folder) for key, folder in folders.items() if folder in members}

    def turned(node: Node) -> Node:
        aimed = {n: f"{LINK}{injected[t]}" if t in injected else t for n, t in node.targets.items()}
        return replace(node, targets=aimed)

    return Graph(
        nodes={key: turned(node) for key, node in nodes.items() if key not in injected},
        members={path: turned(member) for path, member in members.items()},
        injected=injected,
        apart=_apart(nodes, members, injected),
    )


def _apart(
    nodes: Mapping[str, Node], members: Mapping[str, Node], injected: Mapping[str, str]
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """What copies of workspace packages find under a name in other versions than the packages do: their peers."""
    found: dict[str, dict[str, set[str]]] = {}
    for key, path in injected.items():
        for name, target in nodes[key].targets.items():
            own = members[path].targets.get(name, target)
            if target != own and target in nodes and target not in injected:
                found.setdefault(path, {}).setdefault(name, set()).add(nodes[target].entry.version)
    return {path: {name: tuple(sorted(v)) for name, v in sorted(names.items())} for path, names in found.items()}


def relinking(graph: Graph, *, major: int, root: str) -> str:
    """Return shell commands that put a link in the place of every copy of a workspace package; "" for none."""
    places = {
        f"{STORE}/{directory_name(key, major=major)}/node_modules/{_name_and_version(key)[0]}": path
        for key, path in graph.injected.items()
    }
    return "".join(
        f" && rm -rf {shlex.quote(place)} && mkdir -p {shlex.quote(posixpath.dirname(place))}"
        f" && ln -s {shlex.quote(f'{root}/{path}')} {shlex.quote(place)}"
        for place, path in sorted(places.items())
    )


def built_packages(settings: Mapping[str, Any], manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the packages whose install scripts pnpm may run. Source: https://pnpm.io/settings.

    settings: what pnpm-workspace.yaml holds. manifest: the root's package.json.
    """
    allowed = (table(each, "allowBuilds") for each in (settings, table(manifest, "pnpm")))
    listed = (words(each.get("onlyBuiltDependencies")) for each in (settings, table(manifest, "pnpm")))
    keys = (*(key for each in allowed for key, value in each.items() if value in (True, "true")), *chain(*listed))
    return frozenset(_name_and_version(key)[0] for key in keys)


def _snapshot_node(key: str, snapshot: Mapping[str, Any], packages: Mapping[str, Any], built: Container[str]) -> Node:
    plain = without_suffix(key)
    about = packages.get(plain)
    if about is None:
        raise WorkspaceError(LOCKFILE, f"has a snapshot of {key} and no package {plain}", _RELOCK)
    name, version = _name_and_version(plain)
    resolution = table(about, "resolution")
    given, optional = table(snapshot, "dependencies"), table(snapshot, "optionalDependencies")
    # The snapshot names resolved peers like any dependency, optional ones sometimes as optional dependencies.
    optional_peers = _optional_peers(about) & table(about, "peerDependencies").keys()
    entry = Entry(
        path="",
        name=name,
        version=str(about.get("version") or version),
        optional=snapshot.get("optional") == "true",
        os=words(about.get("os")),
        cpu=words(about.get("cpu")),
        libc=words(about.get("libc")),
        install_script=name in built,
        resolved=str(resolution.get("tarball") or resolution.get("repo") or ""),
        integrity=str(resolution.get("integrity") or ""),
        dependencies={n: v for n, v in given.items() if n not in optional_peers},
        optional_dependencies={n: v for n, v in optional.items() if n not in optional_peers},
        peer_dependencies={n: v for n, v in {**optional, **given}.items() if n in optional_peers},
        peer_optional=frozenset(optional_peers),
        bundled=words(about.get("bundledDependencies")),
        # The lockfile says that there are commands, not which: most packages name theirs after themselves.
        bins={name.rpartition("/")[2]: ""} if about.get("hasBin") == "true" else {},
    )
    return Node(entry=entry, targets=dict(_importer_targets(snapshot, "")))


def _optional_peers(about: Mapping[str, Any]) -> set[str]:
    meta = table(about, "peerDependenciesMeta")
    return {name for name, value in meta.items() if table(meta, name) and value.get("optional") == "true"}


def _member(path: str, importer: Mapping[str, Any], manifest: Mapping[str, Any]) -> Node:
    tables = {key: _specifiers(importer, key) for key in _KINDS}
    mine = {key: table(manifest, key) for key in ("peerDependencies", "peerDependenciesMeta")}
    entry = Entry(
        path=path,
        name=str(manifest.get("name") or path.rpartition("/")[2]),
        version=str(manifest.get("version") or ""),
        dependencies=tables["dependencies"],
        optional_dependencies=tables["optionalDependencies"],
        dev_dependencies=tables["devDependencies"],
        peer_dependencies=mine["peerDependencies"],
        peer_optional=frozenset(n for n, v in mine["peerDependenciesMeta"].items() if v.get("optional")),
    )
    resolved = {
        key: {n: v.get("version", "") for n, v in table(importer, key).items() if isinstance(v, dict)} for key in _KINDS
    }
    return Node(entry=entry, targets=dict(_importer_targets(resolved, path)))


_KINDS = ("devDependencies", "optionalDependencies", "dependencies")


def _specifiers(importer: Mapping[str, Any], key: str) -> Mapping[str, str]:
    given = table(importer, key)
    return {name: str(value.get("specifier", "")) for name, value in given.items() if isinstance(value, dict)}


def _importer_targets(tables: Mapping[str, Any], folder: str) -> Iterator[tuple[str, str]]:
    for key in _KINDS:
        for name, reference in table(tables, key).items():
            yield name, _target(str(reference), name, folder)


def _target(reference: str, name: str, folder: str) -> str:
    """What a reference such as `1.2.3(react@18.3.1)`, `ms@2.0.0` or `link:../lib` leads to (refToRelative)."""
    if reference.startswith(LINK):
        path = normpath(f"{folder}/{reference.removeprefix(LINK)}".lstrip("/"))
        return f"{LINK}{'' if path == '.' else path}"
    at, colon, bracket = (reference.find(sign) for sign in "@:(")
    full = at == 0 or (at > 0 and (colon < 0 or at < colon) and (bracket < 0 or at < bracket))
    return reference if full else f"{name}@{reference}"


# --- names of directories ------------------------------------------------------------------------------


def without_suffix(key: str) -> str:
    """Return a snapshot's key without its peers and its patch: the key of its package."""
    depth, start = 0, len(key)
    for index in range(len(key) - 1, -1, -1):
        if key[index] == ")":
            depth += 1
        elif key[index] == "(" and depth:
            depth -= 1
            start = index if not depth else start
        elif not depth:
            break
    return key[:start]


def _name_and_version(plain: str) -> tuple[str, str]:
    at = plain.find("@", 1)
    return (plain[:at], plain[at + 1 :]) if at > 0 else (plain, "")


def directory_name(key: str, *, major: int) -> str:
    """Return the directory below node_modules/.pnpm that a snapshot gets (depPathToFilename). major: pnpm's."""
    old = major < 10
    name = re.sub(r'[\\/:*?"<>|]' if old else r'[\\/:*?"<>|#]', "+", key)
    if "(" in name:
        name = re.sub(r"\)\(|\(|\)", "_", name.removesuffix(")"))
    if len(name) <= LONGEST and (name == name.lower() or name.startswith("file+")):
        return name
    return f"{name[: LONGEST - (27 if old else 33)]}_{_short_hash(name, old=old)}"


def _short_hash(text: str, *, old: bool) -> str:
    if not old:
        return hashlib.sha256(text.encode()).hexdigest()[:32]
    # Not for security: pnpm 9 named its directories so.
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")


# --- the isolated layout -------------------------------------------------------------------------------


def isolated(graph: Graph, *, major: int, public: Sequence[str] = ()) -> Lockfile:
    """Return the Lockfile of pnpm's own layout: packages below node_modules/.pnpm, a link for every dependency.

    public: patterns of names that are linked at the root too (`publicHoistPattern`).
    """
    places = {key: _store_place(key, node, major=major) for key, node in graph.nodes.items()}
    entries: dict[str, Entry] = {}
    for path, member in graph.members.items():
        entries |= _links(graph, member, f"{path}/node_modules".lstrip("/"), places)
    for key, node in graph.nodes.items():
        path = places[key]
        entries |= _links(graph, node, path.removesuffix(f"/{node.entry.name}"), places)
        entries[path] = _at(node.entry, path)
    root = Entry(path="", name="")
    for name, target in _public(graph, public).items():
        entries.setdefault(f"node_modules/{name}", _link(graph, root, f"node_modules/{name}", target, places))
    return Lockfile(
        entries=entries,
        packages={path: member.entry for path, member in graph.members.items()},
        raw={"packages": {}},
        manager="pnpm",
        file=LOCKFILE,
        apart=graph.apart,
    )


def _public(graph: Graph, patterns: Sequence[str]) -> Mapping[str, str]:
    """Name -> target of what pnpm links at the root for everybody; the nearest to the workspace's packages wins.

    Source: hoistGraph of the package @pnpm/hoist. It is told for production: without development's dependencies.
    """
    if not patterns:
        return {}
    found: dict[str, str] = {}
    level = [target for member in graph.members.values() for target in _offer(member, patterns, found)]
    for path, member in graph.members.items():
        if path and _is_matched(member.entry.name, patterns):
            found.setdefault(member.entry.name, f"{LINK}{path}")
    seen = set(level)
    while level:
        nodes = [graph.nodes[target] for target in sorted(level) if target in graph.nodes]
        level = [t for node in nodes for t in _offer(node, patterns, found) if t not in seen]
        seen |= {*level}
    return found


def _offer(node: Node, patterns: Sequence[str], found: dict[str, str]) -> Iterator[str]:
    """Take over what a package links and nobody nearer does; yield where its links lead."""
    development = node.entry.dev_dependencies.keys() - node.entry.dependencies.keys()
    for name, target in node.targets.items():
        if name not in development:
            if _is_matched(name, patterns):
                found.setdefault(name, target)
            yield target


def _is_matched(name: str, patterns: Sequence[str]) -> bool:
    """Whether the last pattern that fits a name takes it in (`!` leaves it out)."""
    verdicts = [not p.startswith("!") for p in patterns if fnmatchcase(name, p.removeprefix("!").replace("[", "[[]"))]
    return bool(verdicts) and verdicts[-1]


def _store_place(key: str, node: Node, *, major: int) -> str:
    return f"{STORE}/{directory_name(key, major=major)}/node_modules/{node.entry.name}"


def _at(entry: Entry, path: str) -> Entry:
    return replace(entry, path=path)


def _links(graph: Graph, node: Node, folder: str, places: Mapping[str, str]) -> Mapping[str, Entry]:
    """The links in one node_modules folder. Each knows its target's platforms: it goes where that goes."""
    return {
        f"{folder}/{name}": _link(graph, node.entry, f"{folder}/{name}", target, places)
        for name, target in node.targets.items()
    }


def _link(graph: Graph, owner: Entry, path: str, target: str, places: Mapping[str, str]) -> Entry:
    name = path.rpartition("node_modules/")[2]
    found = graph.at(target)
    if target.startswith(LINK) or found is None:
        return Entry(path=path, name=found.entry.name if found else name, link=target.removeprefix(LINK))
    about = found.entry
    return Entry(
        path=path,
        name=about.name,
        version=about.version,
        link=places[target],
        dev=about.dev,
        optional=about.optional or name in owner.optional_dependencies,
        os=about.os,
        cpu=about.cpu,
        libc=about.libc,
        bins=about.bins,
    )
