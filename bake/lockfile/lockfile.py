"""The lockfile as one graph, whichever package manager wrote it. Pure.

Resolution is Node's own (https://nodejs.org/api/modules.html#loading-from-node_modules-folders) over the
paths of a package-lock v2/v3 (https://docs.npmjs.com/cli/configuring-npm/package-lock-json#packages): what
npm decided about versions, aliases and overrides is already in the places it gave to things.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from bake.errors import WorkspaceError

EdgeKind = Literal["prod", "optional", "peer", "peer-optional", "bundled", "link"]

NATIVE_HELPERS = frozenset(
    {
        "bindings",
        "detect-libc",
        "nan",
        "node-addon-api",
        "node-gyp-build",
        "node-gyp-build-optional-packages",
        "prebuild-install",
    }
)
"""Packages that exist to find or compile a native addon: who depends on one may hold machine code."""

RELOCK = "run `npm install --package-lock-only`"

_NOTHING: Mapping[str, str] = MappingProxyType({})


def _nothing() -> Mapping[str, str]:
    return _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place of the lockfile: an installed package, a link, or a workspace package.

    `link` is the target's package path ("" for what is not a link; no link can point at the root).
    """

    path: str
    name: str
    version: str = ""
    link: str = ""
    dev: bool = False
    optional: bool = False
    in_bundle: bool = False
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    install_script: bool = False
    resolved: str = ""
    integrity: str = ""
    license: str = ""
    """SPDX, as the package says; npm alone writes it into lockfiles."""
    dependencies: Mapping[str, str] = field(default_factory=_nothing)
    optional_dependencies: Mapping[str, str] = field(default_factory=_nothing)
    peer_dependencies: Mapping[str, str] = field(default_factory=_nothing)
    dev_dependencies: Mapping[str, str] = field(default_factory=_nothing)
    peer_optional: frozenset[str] = frozenset()
    bundled: tuple[str, ...] = ()
    bins: Mapping[str, str] = field(default_factory=_nothing)

    @property
    def native(self) -> bool:
        """Whether its files can differ between platforms."""
        return bool(
            self.os
            or self.cpu
            or self.libc
            or self.install_script
            or not NATIVE_HELPERS.isdisjoint(self.dependencies)
            or not NATIVE_HELPERS.isdisjoint(self.optional_dependencies)
        )


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency by name and the entry or package path it leads to; None when nothing provides it."""

    name: str
    kind: EdgeKind
    target: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Lockfile:
    """A parsed lockfile. `entries` by entry path; `packages` (the root as "", members) by package path.

    raw: what `make_production` changes, of npm's lockfiles only. manager, file: whose lockfile, and its name. apart:
    package path -> name -> the versions that pnpm's copies of a package find, where it finds another one itself.
    """

    entries: Mapping[str, Entry]
    packages: Mapping[str, Entry]
    raw: Mapping[str, Any]
    manager: str = "npm"
    file: str = "package-lock.json"
    apart: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def resolve(self, from_path: str, name: str) -> str | None:
        """Return the entry path that `require(name)` finds from an entry path or a package path, or None."""
        return first_place(self.entries, from_path, name)

    def at(self, path: str) -> Entry | None:
        """Return the entry at an entry path or package path."""
        return self.entries.get(path) or self.packages.get(path)

    @cached_property
    def members(self) -> Mapping[str, str]:
        """Name -> package path of the workspace's packages, the root left out."""
        return {package.name: path for path, package in self.packages.items() if path}

    @cached_property
    def edges(self) -> Mapping[str, tuple[Edge, ...]]:
        """Every production edge, resolved once: path -> edges sorted by name."""
        bundles = _bundled_paths(self.entries)
        nodes = (*self.packages.values(), *self.entries.values())
        return {node.path: tuple(_edges(self, node, bundles.get(node.path, ()))) for node in nodes}

    @cached_property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """(path, name) of the hard dependencies that the lockfile does not hold, sorted."""
        nodes = self.edges.items()
        return tuple(sorted((p, e.name) for p, es in nodes for e in es if e.kind == "prod" and not e.target))

    @cached_property
    def hard_dependents(self) -> Mapping[str, tuple[str, ...]]:
        """Path -> the paths that cannot be without it."""
        dependents: dict[str, list[str]] = {}
        for source, edges in self.edges.items():
            for edge in edges:
                if edge.target is not None and edge.kind not in ("optional", "peer-optional"):
                    dependents.setdefault(edge.target, []).append(source)
        return {target: tuple(sources) for target, sources in dependents.items()}


def place_in(folder: str, name: str) -> str:
    """The entry path of a name in a folder's own node_modules."""
    return f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"


def first_place(there: Container[str], from_path: str, name: str) -> str | None:
    """Return the first of Node's places for a name, from an entry path or package path outwards, that is there."""
    folder = from_path
    while True:
        # Node never looks into node_modules/node_modules.
        if not folder.endswith("node_modules") and (place := place_in(folder, name)) in there:
            return place
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def _bundled_paths(entries: Mapping[str, Entry]) -> Mapping[str, tuple[str, ...]]:
    """Return bundling entry -> what its tarball brings along, needed or not."""
    bundles: dict[str, list[str]] = {}
    for entry in entries.values():
        owner = entry.path.rpartition("/node_modules/")[0]
        if entry.in_bundle and owner in entries:
            bundles.setdefault(owner, []).append(entry.path)
    return {owner: tuple(sorted(paths)) for owner, paths in bundles.items()}


def _edges(lock: Lockfile, node: Entry, bundle: tuple[str, ...]) -> Iterator[Edge]:
    if node.link:
        yield Edge(node.name, "link", node.link if lock.at(node.link) else None)
        return
    kinds: dict[str, EdgeKind] = dict.fromkeys(node.bundled, "bundled")
    # As in npm, the later kind wins: a name under both dependencies and optionalDependencies is optional.
    for name in node.peer_dependencies:
        kinds[name] = "peer-optional" if name in node.peer_optional else "peer"
    kinds.update(dict.fromkeys(node.dependencies, "prod"))
    kinds.update(dict.fromkeys(node.optional_dependencies, "optional"))
    for name in sorted(kinds):
        yield Edge(name, kinds[name], lock.resolve(node.path, name))
    for path in bundle:
        yield Edge(name_at(path), "bundled", path)


def is_entry_path(path: str) -> bool:
    """Tell an entry path ("node_modules/x") from a package path ("services/x")."""
    return path.startswith("node_modules/") or "/node_modules/" in path


def name_at(path: str) -> str:
    return path.rpartition("node_modules/")[2] if is_entry_path(path) else path.rpartition("/")[2]


def is_counted(lock: Lockfile, edge: Edge) -> bool:
    # An optional peer counts where npm keeps it for production; what is there for development only is not.
    entry = lock.at(edge.target or "")
    return edge.kind != "peer-optional" or (entry is not None and not entry.dev)


def extra_target(lock: Lockfile, path: str, name: str) -> str:
    """Return the entry path that a package gets by an undeclared name, or the path of the workspace's own package.

    pnpm links no workspace package that nobody declares; a relative path or an alias leads to its files all the
    same. Raises WorkspaceError when the lockfile does not hold it.
    """
    target = lock.resolve(path, name) or lock.members.get(name)
    if target is None:
        raise WorkspaceError(path or "root package", f"{name} is not in {lock.file}", _declaring(lock, path, name))
    return target


def _declaring(lock: Lockfile, path: str, name: str) -> str:
    if lock.manager != "npm":
        return f"run `{lock.manager} add {name}` in {path or 'the root'}"
    where = f' -w "{path}"' if path else ""
    return f"run `npm install {name}{where}`"
