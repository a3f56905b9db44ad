"""What a service can reach in the lockfile, and how that is cut into layers. Pure: text in, values out.

Resolution is Node's own (https://nodejs.org/api/modules.html#loading-from-node_modules-folders) over the
paths of a package-lock v2/v3 (https://docs.npmjs.com/cli/configuring-npm/package-lock-json#packages): what
npm decided about versions, aliases and overrides is already in the places it gave to things.
"""

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal

from bake.errors import WorkspaceError
from bake.semver import is_version, satisfies

Kind = Literal["prod", "optional", "peer", "peer-optional", "bundled", "link"]

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
    dev_optional: bool = False
    peer: bool = False
    in_bundle: bool = False
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    install_script: bool = False
    resolved: str = ""
    integrity: str = ""
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
    kind: Kind
    target: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Lock:
    """A parsed lockfile. `entries` by entry path; `packages` (the root as "", members) by package path.

    raw: what `promote` changes, of npm's lockfiles only. manager, file: whose lockfile, and its name.
    """

    entries: Mapping[str, Entry]
    packages: Mapping[str, Entry]
    raw: Mapping[str, Any]
    manager: str = "npm"
    file: str = "package-lock.json"

    def resolve(self, from_path: str, name: str) -> str | None:
        """Return the entry path that `require(name)` finds from an entry path or a package path, or None."""
        folder = from_path
        while True:
            # Node never looks into node_modules/node_modules.
            if not folder.endswith("node_modules"):
                candidate = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
                if candidate in self.entries:
                    return candidate
            if not folder:
                return None
            folder = folder.rpartition("/")[0]

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
        bundles = _bundles(self.entries)
        nodes = (*self.packages.values(), *self.entries.values())
        return {node.path: tuple(_edges(self, node, bundles.get(node.path, ()))) for node in nodes}

    @cached_property
    def sorted_entries(self) -> tuple[str, ...]:
        """Every entry path, sorted."""
        return tuple(sorted(self.entries))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What one package's production code can reach.

    entries: sorted entry paths, links among them. packages: sorted package paths, its own included.
    via: path -> the path that brought it, by a shortest chain. missing: (path, name) of hard dependencies
    that the lockfile does not hold. served: those of the packages of which only the files count.
    """

    entries: tuple[str, ...]
    packages: tuple[str, ...]
    via: Mapping[str, str]
    missing: tuple[tuple[str, str], ...] = ()
    served: tuple[str, ...] = ()

    def chain(self, path: str) -> tuple[str, ...]:
        """Return the way from the package to `path`, both included; () when it is not reached."""
        if path not in self.via and path not in self.packages:
            return ()
        chain = [path]
        while chain[-1] in self.via:
            chain.append(self.via[chain[-1]])
        return tuple(reversed(chain))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerClass:
    """The lock entries that exactly these services need; one class becomes one layer."""

    id: str
    services: tuple[str, ...]
    native: bool
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPlatformPackage:
    """A platform's member of a family that the lockfile lacks; `version` is the range in `parent`."""

    parent: str
    name: str
    version: str
    platform: str


# --- parsing -------------------------------------------------------------------------------------------


def parse_lock(text: str) -> Lock:
    """Return the Lock in the text of a package-lock.json or npm-shrinkwrap.json.

    Raises WorkspaceError for bad JSON, lockfileVersion 1 and what is no lockfile.
    """
    try:
        raw = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise WorkspaceError(f"package-lock.json:{error.lineno}", f"not JSON: {error.msg}", RELOCK) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("packages"), dict):
        raise _no_packages(raw)
    return make_lock(raw)


def make_lock(raw: Mapping[str, Any]) -> Lock:
    """Return the Lock of a lockfile's parsed JSON, such as `promote` returns."""
    packages: Mapping[str, Mapping[str, Any]] = raw["packages"]
    every = {path: _entry(path, value) for path, value in packages.items()}
    return Lock(
        entries={path: entry for path, entry in every.items() if is_entry_path(path)},
        packages={path: entry for path, entry in every.items() if not is_entry_path(path)},
        raw=raw,
    )


def is_entry_path(path: str) -> bool:
    """Tell an entry path ("node_modules/x") from a package path ("services/x")."""
    return path.startswith("node_modules/") or "/node_modules/" in path


def _no_packages(raw: object) -> WorkspaceError:
    version = raw.get("lockfileVersion") if isinstance(raw, dict) else None
    if version is None:
        return WorkspaceError("package-lock.json", "no npm lockfile (it has no `packages`)", RELOCK)
    return WorkspaceError(
        "package-lock.json",
        f"lockfileVersion {version} does not record where packages lie",
        "run `npm install --package-lock-only --lockfile-version 3`",
    )


def _entry(path: str, value: Mapping[str, Any]) -> Entry:
    name = str(value.get("name") or _name_at(path))
    if value.get("link"):
        return Entry(path=path, name=name, link=str(value.get("resolved") or ""), dev=bool(value.get("dev")))
    # Thousands of entries, few fields each: only those that are there are handed on.
    known = {_FIELDS[key]: given for key, given in value.items() if key in _FIELDS and given}
    for key in _WORDS & known.keys():
        known[key] = _words(known[key])
    if "bins" in known:
        known["bins"] = parse_bins(name, known["bins"])
    meta = value.get("peerDependenciesMeta")
    if meta:
        known["peer_optional"] = frozenset(peer for peer, about in meta.items() if about.get("optional"))
    return Entry(path=path, name=name, **known)


_FIELDS = {
    "version": "version",
    "dev": "dev",
    "optional": "optional",
    "devOptional": "dev_optional",
    "peer": "peer",
    "inBundle": "in_bundle",
    "os": "os",
    "cpu": "cpu",
    "libc": "libc",
    "hasInstallScript": "install_script",
    "resolved": "resolved",
    "integrity": "integrity",
    "dependencies": "dependencies",
    "optionalDependencies": "optional_dependencies",
    "peerDependencies": "peer_dependencies",
    "devDependencies": "dev_dependencies",
    "bundleDependencies": "bundled",
    "bin": "bins",
}
_WORDS = frozenset({"os", "cpu", "libc", "bundled"})


def parse_bins(name: str, bins: object) -> Mapping[str, str]:
    """Return command -> file from package.json's `bin`, which is one file or a table."""
    if isinstance(bins, str):
        return {name.rpartition("/")[2]: bins}
    return {str(k): str(v) for k, v in bins.items()} if isinstance(bins, dict) else _NOTHING


def _name_at(path: str) -> str:
    return path.rpartition("node_modules/")[2] if is_entry_path(path) else path.rpartition("/")[2]


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


# --- the graph -----------------------------------------------------------------------------------------


def _bundles(entries: Mapping[str, Entry]) -> Mapping[str, tuple[str, ...]]:
    """Return bundling entry -> what its tarball brings along, needed or not."""
    bundles: dict[str, list[str]] = {}
    for entry in entries.values():
        owner = entry.path.rpartition("/node_modules/")[0]
        if entry.in_bundle and owner in entries:
            bundles.setdefault(owner, []).append(entry.path)
    return {owner: tuple(sorted(paths)) for owner, paths in bundles.items()}


def _edges(lock: Lock, node: Entry, bundle: tuple[str, ...]) -> Iterator[Edge]:
    if node.link:
        yield Edge(node.name, "link", node.link if lock.at(node.link) else None)
        return
    kinds: dict[str, Kind] = dict.fromkeys(node.bundled, "bundled")
    # As in npm, the later kind wins: a name under both dependencies and optionalDependencies is optional.
    for name in node.peer_dependencies:
        kinds[name] = "peer-optional" if name in node.peer_optional else "peer"
    kinds.update(dict.fromkeys(node.dependencies, "prod"))
    kinds.update(dict.fromkeys(node.optional_dependencies, "optional"))
    for name in sorted(kinds):
        yield Edge(name, kinds[name], lock.resolve(node.path, name))
    for path in bundle:
        yield Edge(_name_at(path), "bundled", path)


# --- platforms -----------------------------------------------------------------------------------------

_CPU = {"amd64": "x64", "386": "ia32", "ppc64le": "ppc64"}
"""docker's architecture -> Node's process.arch, where they differ (arm/v7 is `arm`)."""


def node_platform(platform: str) -> tuple[str, str]:
    """Return (process.platform, process.arch) of a docker platform: linux/amd64 -> ("linux", "x64")."""
    system, _, rest = platform.partition("/")
    architecture = rest.partition("/")[0]
    return ("win32" if system == "windows" else system), _CPU.get(architecture, architecture)


def runs_on(entry: Entry, platform: str, libc: str) -> bool:
    """Tell whether npm would install the entry on a docker platform (npm-install-checks' rule)."""
    system, cpu = node_platform(platform)
    libcs = entry.libc or _named_libc(entry)
    return (
        _allows(entry.os, system)
        and _allows(entry.cpu, cpu)
        and (not libcs or (system == "linux" and _allows(libcs, libc)))
    )


def _named_libc(entry: Entry) -> tuple[str, ...]:
    """The C library that a platform package's name states: npm 10 and older write no `libc` into lockfiles."""
    said = parse_platform_name(entry.name) if entry.optional and entry.os and entry.cpu else None
    return (said.libc,) if said and said.libc else ()


def _allows(words: tuple[str, ...], actual: str) -> bool:
    if not words or words == ("any",):
        return True
    if f"!{actual}" in words:
        return False
    return actual in words or all(word.startswith("!") for word in words)


@lru_cache(maxsize=16)
def _foreign(lock: Lock, platforms: tuple[str, ...], libc: str) -> frozenset[str]:
    """Return the entries that none of the platforms gets."""
    return frozenset.intersection(*(_foreign_to(lock, platform, libc) for platform in platforms))


def _foreign_to(lock: Lock, platform: str, libc: str) -> frozenset[str]:
    limited = (entry for entry in lock.entries.values() if entry.os or entry.cpu or entry.libc)
    stack = [entry.path for entry in limited if not runs_on(entry, platform, libc)]
    found = set(stack)
    while stack:
        # npm gives up the optional packages that cannot be without it (arborist: optional-set.js).
        for source in lock.hard_dependents.get(stack.pop(), ()):
            entry = lock.entries.get(source)
            if entry is not None and entry.optional and source not in found:
                found.add(source)
                stack.append(source)
    return frozenset(found)


# --- closures ------------------------------------------------------------------------------------------


def closure(
    lock: Lock,
    package_path: str,
    *,
    platforms: tuple[str, ...],
    libc: str,
    extra: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    exclude: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Closure:
    """Return what the production code of one package can reach on any of the platforms.

    extra, exclude: package path ("*" for every package) -> dependency names that count, or do not count,
    beside what its manifest says. Raises WorkspaceError for a package or an extra name that the lockfile
    does not hold.
    """
    if package_path not in lock.packages:
        remedy = RELOCK if lock.manager == "npm" else f"run `{lock.manager} install`"
        raise WorkspaceError(package_path, f"is not in {lock.file}", remedy)
    step, foreign = _steps(lock, platforms, libc), _foreign(lock, platforms, libc)
    adjusted = lock.packages.keys() if "*" in extra or "*" in exclude else extra.keys() | exclude.keys()
    via: dict[str, str] = {}
    seen, queue = {package_path}, deque([package_path])
    while queue:
        path = queue.popleft()
        for target in _adjust(lock, path, step, extra, exclude) if path in adjusted else step[path]:
            if target not in seen and target not in foreign:
                seen.add(target)
                via[target] = path
                queue.append(target)
    return Closure(
        entries=tuple(path for path in lock.sorted_entries if path in seen),
        packages=tuple(sorted(seen & lock.packages.keys())),
        via=via,
        missing=tuple((path, name) for path, name in lock.gaps if path in seen),
    )


@lru_cache(maxsize=16)
def _steps(lock: Lock, platforms: tuple[str, ...], libc: str) -> Mapping[str, tuple[str, ...]]:
    """Return path -> where its production code can go from there on any of the platforms."""
    foreign = _foreign(lock, platforms, libc)
    return {
        path: tuple(e.target for e in edges if e.target and e.target not in foreign and _counts(lock, e))
        for path, edges in lock.edges.items()
    }


def _counts(lock: Lock, edge: Edge) -> bool:
    # An optional peer counts where npm keeps it for production; what is there for development only is not.
    entry = lock.at(edge.target or "")
    return edge.kind != "peer-optional" or (entry is not None and not entry.dev)


def _adjust(
    lock: Lock,
    path: str,
    step: Mapping[str, tuple[str, ...]],
    extra: Mapping[str, tuple[str, ...]],
    exclude: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return a package's steps without the excluded names and with the extra ones."""
    if path not in lock.packages:
        return step[path]
    dropped = {*exclude.get("*", ()), *exclude.get(path, ())}
    added = {*extra.get("*", ()), *extra.get(path, ())} - dropped
    gone = {edge.target for edge in lock.edges[path] if edge.name in dropped}
    found = (extra_target(lock, path, name) for name in sorted(added))
    return (*(target for target in step[path] if target not in gone), *found)


def extra_target(lock: Lock, path: str, name: str) -> str:
    """Return the entry path that a package gets by an undeclared name, or the path of the workspace's own package.

    pnpm links no workspace package that nobody declares; a relative path or an alias leads to its files all the
    same. Raises WorkspaceError when the lockfile does not hold it.
    """
    target = lock.resolve(path, name) or lock.members.get(name)
    if target is None:
        raise WorkspaceError(path or "root package", f"{name} is not in {lock.file}", _declaring(lock, path, name))
    return target


def _declaring(lock: Lock, path: str, name: str) -> str:
    if lock.manager != "npm":
        return f"run `{lock.manager} add {name}` in {path or 'the root'}"
    where = f' -w "{path}"' if path else ""
    return f"run `npm install {name}{where}`"


# --- layer classes -------------------------------------------------------------------------------------


def layer_classes(
    closures: Mapping[str, Closure], lock: Lock, *, most: int, own: bool = False
) -> tuple[LayerClass, ...]:
    """Cut the closures (service -> Closure) into classes: the entries that exactly the same services need.

    An image gets at most `most` classes (or its own two, if `most` is smaller). Past that, the shared classes
    that save the fewest copies are given up: their entries go into kept classes of some of the same services,
    and into the own classes of the rest. So an entry may lie in several layers, but every image still holds
    exactly its closure. Sorted: most shared first, then by id. own: every service has its own two classes, empty
    or not, for what only the installed tree tells.
    """
    groups = _limit(_groups(closures, lock), most=most)
    for service in closures if own else ():
        groups.setdefault(((service,), False), set())
        groups.setdefault(((service,), True), set())
    names = _ids(groups)
    classes = (
        LayerClass(id=names[key], services=key[0], native=key[1], entries=tuple(sorted(entries)))
        for key, entries in groups.items()
    )
    return tuple(sorted(classes, key=lambda one: (-len(one.services), one.id)))


_Key = tuple[tuple[str, ...], bool]


def _groups(closures: Mapping[str, Closure], lock: Lock) -> dict[_Key, set[str]]:
    # One bit per service: the set of services that need an entry is one number.
    services = sorted(closures)
    masks: dict[str, int] = {}
    for index, service in enumerate(services):
        bit = 1 << index
        for path in closures[service].entries:
            masks[path] = masks.get(path, 0) | bit
    by_mask: dict[tuple[int, bool], set[str]] = {}
    for path, mask in masks.items():
        by_mask.setdefault((mask, lock.entries[path].native), set()).add(path)
    return {
        (tuple(s for i, s in enumerate(services) if mask >> i & 1), native): paths
        for (mask, native), paths in by_mask.items()
    }


def _limit(groups: dict[_Key, set[str]], *, most: int) -> dict[_Key, set[str]]:
    shared = [key for key in groups if len(key[0]) > 1]
    shared.sort(key=lambda key: (-_saved(key, groups[key]), key))
    # An image that has to give up a class needs a class of its own of that kind, native or not.
    room = {service: most - len(kinds) for service, kinds in _kinds(groups).items()}
    kept: list[_Key] = []
    for key in shared:
        if all(room[service] > 0 for service in key[0]):
            kept.append(key)
            room |= {service: room[service] - 1 for service in key[0]}
    for key in sorted(set(shared) - set(kept)):
        for part in _cover(key, kept):
            groups.setdefault(part, set()).update(groups[key])
        del groups[key]
    return groups


def _saved(key: _Key, entries: set[str]) -> int:
    """Return how many copies of entries the class spares."""
    return len(entries) * (len(key[0]) - 1)


def _kinds(groups: Iterable[_Key]) -> Mapping[str, set[bool]]:
    kinds: dict[str, set[bool]] = {}
    for services, native in groups:
        for service in services:
            kinds.setdefault(service, set()).add(native)
    return kinds


def _cover(key: _Key, kept: list[_Key]) -> Iterator[_Key]:
    """Yield classes that together have exactly the services of `key`: large kept ones, then own ones."""
    left, native = set(key[0]), key[1]
    for part in sorted(kept, key=lambda one: (-len(one[0]), one)):
        if part[1] == native and left.issuperset(part[0]):
            left -= set(part[0])
            yield part
    for service in sorted(left):
        yield (service,), native


def _ids(groups: Iterable[_Key]) -> Mapping[_Key, str]:
    names: dict[_Key, str] = {}
    for services, native in sorted(groups, key=lambda key: (len(key[0]), key)):
        stem = services[0] if len(services) == 1 else f"shared-{_hash(services)}"
        name = f"{stem}-native" if native else stem
        # A service may be called what another's class would be called: "x-native".
        taken = name in names.values()
        names[services, native] = f"{name}-{_hash((*services, str(native)))}" if taken else name
    return names


def _hash(words: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


# --- platform completeness -----------------------------------------------------------------------------

_SYSTEMS = {
    "linux": "linux",
    "linuxmusl": "linux",
    "darwin": "darwin",
    "macos": "darwin",
    "win32": "win32",
    "windows": "win32",
    "android": "android",
    "freebsd": "freebsd",
    "netbsd": "netbsd",
    "openbsd": "openbsd",
    "openharmony": "openharmony",
    "aix": "aix",
    "sunos": "sunos",
}
_CPUS = {
    "x64": "x64",
    "amd64": "x64",
    "x86_64": "x64",
    "64": "x64",
    "arm64": "arm64",
    "aarch64": "arm64",
    "arm": "arm",
    "armv7": "arm",
    "armv6": "arm",
    "ia32": "ia32",
    "x86": "ia32",
    "i686": "ia32",
    "32": "ia32",
    "ppc64": "ppc64",
    "ppc64le": "ppc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loong64": "loong64",
    "mips64el": "mips64el",
}
_LIBCS = {"gnu": "glibc", "glibc": "glibc", "musl": "musl", "linuxmusl": "musl"}


@dataclass(frozen=True, slots=True)
class NamedPlatform:
    """What a package's name says about where it runs; libc is "" when the name does not say."""

    system: str
    cpu: str
    libc: str


@lru_cache(maxsize=4096)
def parse_platform_name(name: str) -> NamedPlatform | None:
    """Return the platform that a package name states (`rollup-linux-x64-gnu`), or None."""
    words = [word for word in re.split(r"[-./@]", name.lower()) if word]
    systems = [_SYSTEMS[word] for word in words if word in _SYSTEMS]
    cpus = [_CPUS[word] for word in words if word in _CPUS]
    libcs = [_LIBCS[word] for word in words if word in _LIBCS]
    if not systems or not cpus:
        return None
    return NamedPlatform(systems[-1], cpus[-1], libcs[-1] if libcs else "")


def missing_platform_packages(
    lock: Lock, *, platforms: tuple[str, ...], libc: str, reachable: frozenset[str]
) -> tuple[MissingPlatformPackage, ...]:
    """Return the platform packages that reachable families have for these platforms and the lockfile lacks.

    A family is the optionalDependencies of one parent whose names end in platforms. npm drops the other
    platforms' members when it writes a lockfile over an existing node_modules (npm/cli#4828).
    """
    found = (
        MissingPlatformPackage(parent=parent, name=name, version=version, platform=platform)
        for parent in sorted(reachable)
        if (family := _family(lock, parent))
        for name, version in family.items()
        for platform in platforms
        if _serves(name, family, platform, libc) and not _has(lock, parent, name, version)
    )
    return tuple(sorted(found, key=lambda one: (one.parent, one.name, one.platform)))


def _family(lock: Lock, parent: str) -> Mapping[str, str]:
    entry = lock.at(parent)
    wanted = entry.optional_dependencies if entry else _NOTHING
    return {name: version for name, version in wanted.items() if parse_platform_name(name)}


def _serves(name: str, family: Iterable[str], platform: str, libc: str) -> bool:
    said = parse_platform_name(name)
    if said is None or (said.system, said.cpu) != node_platform(platform):
        return False
    if said.libc or said.system != "linux":
        return said.libc in ("", libc)
    # Silence beside a sibling that says musl means glibc (sharp-linux-x64, sharp-linuxmusl-x64).
    musl = NamedPlatform(said.system, said.cpu, "musl")
    return libc == "glibc" or all(parse_platform_name(other) != musl for other in family)


def _has(lock: Lock, parent: str, name: str, version: str) -> bool:
    target = lock.resolve(parent, name)
    if target is None:
        return False
    # Families pin versions; another version's binary found higher up does not serve this parent.
    # Where the range is an alias, a tag or a URL, that something lies there must do.
    held = lock.entries[target].version
    return satisfies(held, version) or not is_version(held) or version[:1].isalpha() or ":" in version


# --- promotion -----------------------------------------------------------------------------------------


def promote(lock: Lock, extra: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, Any], Mapping[str, Mapping[str, Any]]]:
    """Make `npm ci --omit=dev` install the extra names (package path -> names).

    Returns the changed lockfile (a new value) and package path -> the manifest fields that go with it.
    Raises WorkspaceError for a name that the lockfile does not hold.
    """
    raw = _copied(lock.raw)
    changed: dict[str, Mapping[str, Any]] = {}
    starts: list[str] = []
    for path, name in _named(lock, extra):
        target = extra_target(lock, path, name)
        starts.append(target)
        if target in lock.entries and not lock.entries[target].link:
            owner = _declare(lock, raw, path, name, target)
            changed[owner] = {
                key: raw["packages"][owner].get(key, {})
                for key in ("dependencies", "optionalDependencies", "devDependencies")
                if key in raw["packages"][owner] or key in lock.raw["packages"][owner]
            }
    _clear_flags(lock, raw, starts)
    return raw, {
        path: fields
        for path, fields in changed.items()
        if any(value != lock.raw["packages"][path].get(key) for key, value in fields.items())
    }


def _copied(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A lockfile whose entries' own fields and dependency tables may be changed without changing `raw`."""
    packages = {
        path: {key: dict(value) if isinstance(value, dict) else value for key, value in entry.items()}
        for path, entry in raw["packages"].items()
    }
    return {**raw, "packages": packages}


def _named(lock: Lock, extra: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for path in sorted(lock.packages):
        for name in sorted({*extra.get(path, ()), *extra.get("*", ())}):
            yield path, name


def _declare(lock: Lock, raw: dict[str, Any], path: str, name: str, target: str) -> str:
    """Put the name under the dependencies of the package that holds it; return that package's path."""
    owner = _declarer(lock, path, name, target)
    manifest = raw["packages"][owner]
    entry = lock.entries[target]
    if name in manifest.get("dependencies", {}) or name in manifest.get("optionalDependencies", {}):
        dev = manifest.get("devDependencies", {})
        dev.pop(name, None)
        return owner
    version = manifest.get("devDependencies", {}).pop(name, entry.version)
    # npm stops at a hard dependency for another platform; an optional one it leaves out.
    limited = entry.os or entry.cpu or entry.libc
    table = manifest.setdefault("optionalDependencies" if limited else "dependencies", {})
    table[name] = version
    return owner


def _declarer(lock: Lock, path: str, name: str, target: str) -> str:
    declared = (lock.packages[path], lock.packages[""])
    for package in declared:
        tables = (package.dependencies, package.optional_dependencies, package.dev_dependencies)
        if any(name in table for table in tables):
            return package.path
    return "" if target == f"node_modules/{name}" else path


def _clear_flags(lock: Lock, raw: dict[str, Any], starts: list[str]) -> None:
    hard = _reach(lock, starts, lambda edge: edge.kind not in ("optional", "peer-optional"))
    for path in _reach(lock, starts, lambda edge: _counts(lock, edge)):
        value = raw["packages"][path]
        if path in hard:
            value.pop("devOptional", None)
            if not lock.entries.get(path) or not (lock.entries[path].os or lock.entries[path].cpu):
                value.pop("optional", None)
        if value.pop("dev", False) and path not in hard and not value.get("optional"):
            value["devOptional"] = True


def _reach(lock: Lock, starts: list[str], follow: Callable[[Edge], bool]) -> set[str]:
    seen, stack = set(starts), list(starts)
    while stack:
        for edge in lock.edges[stack.pop()]:
            if edge.target is not None and edge.target not in seen and follow(edge):
                seen.add(edge.target)
                stack.append(edge.target)
    return seen
