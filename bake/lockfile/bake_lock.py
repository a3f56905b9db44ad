"""bake.lock: what package-lock.json lacks, and the digests of the base images.

npm leaves other platforms' optional packages out of the lockfile it writes (npm/cli#4828), and loses where tarballs
are, with their integrity (npm/cli#4263). bake.lock keeps both and `complete` adds them: so a strict `npm ci` installs
the packages on every platform, and what npm's cache has from there.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Protocol

import tomli_w

from bake.config import Complaints, Rule, read
from bake.errors import RegistryError, WorkspaceError
from bake.files import parse_toml, read_text, write_file
from bake.lockfile.lockfile import first_place, place_in
from bake.lockfile.tarballs import alias_at, base_for, below_registry, registry_bases, with_integrities
from bake.semver import satisfies

FILE_NAME = "bake.lock"
_HEADER = """\
# Written by `bake lock`. Commit it; do not edit it: run `bake lock` again.
# packages: what package-lock.json lacks for other platforms (npm/cli#4828).
# images: the digests that base images are pinned to.
"""
_INTEGRITIES = "# integrities: what package-lock.json has lost of packages that it names (npm/cli#4263).\n"
_FORMAT = 1
_RELOCK = "run `bake lock` and commit bake.lock"
_EDGES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")

Digest = Annotated[str, Rule(words="sha256:… with 64 hex digits", pattern=r"sha256:[0-9a-f]{64}")]
EntryPath = Annotated[
    str,
    Rule(
        words="a path that ends in node_modules/NAME",
        pattern=r"(?!/)(?!.*\.\./).*node_modules/(@[^/]+/)?[^/]+",
    ),
]
Release = Annotated[str, Rule(words="NAME@VERSION", pattern=r"(@[^/@\s]+/)?[^/@\s]+@[^/@\s]+")]
Integrity = Annotated[str, Rule(words="an npm integrity", pattern=r"(sha\d+-[A-Za-z0-9+/=]+\s*)+")]
Tarball = Annotated[
    str, Rule(words="a path below the registry, without its host", pattern=r"|(?!/)(?!.*//)(?!.*:)[^\s?#]+")
]
Names = tuple[str, ...]
Ranges = Mapping[str, str]


class Wanted(Protocol):
    """A platform package that the lockfile should have; closure.MissingPlatformPackage is one.

    parent: entry path that names it. version: the range there. platform: docker's, such as "linux/arm64".
    """

    @property
    def parent(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def platform(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One entry to add to the lockfile.

    path: entry path. resolved: tarball below the registry, "" where the lockfile records no tarballs. parent:
    entry path of a package that needs it. The rest is what npm keeps in a lockfile, under the same meaning.
    """

    path: EntryPath
    name: str
    version: str
    parent: str
    integrity: Integrity
    resolved: Tarball = ""
    os: Names = ()
    cpu: Names = ()
    libc: Names = ()
    engines: Ranges = field(default_factory=dict)
    bin: Ranges = field(default_factory=dict)
    dependencies: Ranges = field(default_factory=dict)
    optional_dependencies: Ranges = field(default_factory=dict)
    peer_dependencies: Ranges = field(default_factory=dict)
    install_script: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """A base image tag's digest (of the index, where there is one) and the platforms it has.

    node: the folder of its `node` where that is not on its PATH. lacks_shell: whether it has no shell. node_version:
    Node's, "" where the image does not say it. environment: what it sets, of images that minimal bases are made from.
    sizes: compressed bytes by platform; weighed: the digest that they are of, for others than `bake lock` move digests.
    """

    digest: Digest
    platforms: Names = ()
    node: str = ""
    lacks_shell: bool = False
    node_version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    weighed: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeLock:
    """bake.lock as a value. packages: sorted by path. images: canonical reference with tag -> digest."""

    version: int = _FORMAT
    packages: tuple[LockedPackage, ...] = ()
    integrities: Mapping[Release, Integrity] = field(default_factory=dict)
    images: Mapping[str, LockedImage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFinding:
    """One difference between bake.lock and what it should hold. kind: "missing", "behind" or "extra".

    where: entry path of the parent or image reference. remedy: the command that mends it.
    """

    kind: str
    where: str
    what: str
    remedy: str = _RELOCK

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


Specs = Sequence[tuple[str, str]]
FetchManifests = Callable[[Specs], Sequence[Mapping[str, Any]]]
"""(name, range) pairs -> for each, in order, the registry's manifest of the newest version that fits."""


def parse_bake_lock(text: str, *, where: str = FILE_NAME) -> BakeLock:
    """Read TOML text. Raises WorkspaceError with the first complaint when it is not a bake.lock."""
    table = parse_toml(text, where, "settle the merge, then run `bake lock`")
    if table.get("version") not in (None, _FORMAT):
        raise WorkspaceError(where, f"has version {table['version']}, expected {_FORMAT}", "update bake")
    complaints = Complaints()
    lock = read(BakeLock, table, "", complaints)
    if complaints or lock is None:
        key, _, what = complaints[0].partition(": ")
        raise WorkspaceError(f"{where}: {key}", what, "run `bake lock` again")
    return lock


def render_bake_lock(lock: BakeLock) -> str:
    """TOML text; the same lock always gives the same bytes."""
    table = {
        "version": lock.version,
        "packages": [_toml_table(package) for package in sorted(lock.packages, key=lambda each: each.path)],
        "integrities": dict(sorted(lock.integrities.items())),
        "images": {reference: _toml_table(image) for reference, image in sorted(lock.images.items())},
    }
    header = _HEADER + (_INTEGRITIES if lock.integrities else "")
    return header + tomli_w.dumps({key: value for key, value in table.items() if value})


def load_bake_lock(path: Path) -> BakeLock:
    """Read bake.lock; an absent file is an empty lock."""
    text = read_text(path.parent, path.name)
    return BakeLock() if text is None else parse_bake_lock(text, where=path.name)


def write_bake_lock(path: Path, lock: BakeLock) -> bool:
    """Write bake.lock whole or not at all; an equal file is left untouched. Gives whether it was written."""
    text = render_bake_lock(lock)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    try:
        write_file(path.parent.resolve(), path.name, text.encode())
    except OSError as error:
        raise WorkspaceError(str(path), f"cannot be written ({error.strerror})") from error
    return True


def make_bake_lock(
    raw: Mapping[str, Any],
    missing: Iterable[Wanted],
    images: Iterable[str],
    *,
    fetch: FetchManifests,
    resolve: Callable[[str], LockedImage],
) -> BakeLock:
    """Lock what is missing from `raw` (the parsed package-lock.json) and the images (canonical references).

    What a locked package needs itself is locked as well. Raises what fetch and resolve raise, and
    RegistryError for a manifest that cannot be locked.
    """
    packages: dict[str, Mapping[str, Any]] = dict(raw["packages"])
    wanted = tuple(_Need(parent=each.parent, alias=each.name, spec=each.version) for each in missing)
    locked: dict[str, LockedPackage] = {}
    while wanted := _unmet(packages, wanted):
        manifests = fetch([need.request for need in wanted])
        fresh, shadowed = _place_all(packages, wanted, manifests)
        locked |= fresh
        wanted = (*shadowed, *(need for package in fresh.values() for need in _needs_of(package)))
    return BakeLock(
        packages=tuple(package for _, package in sorted(locked.items())),
        images={reference: resolve(reference) for reference in sorted(set(images))},
    )


def complete(raw: Mapping[str, Any], lock: BakeLock) -> dict[str, Any]:
    """The lockfile with bake.lock's packages, flagged as npm flags them, and integrities; `raw` is left as it is.

    Added is only what some package of the lockfile asks for in just that version: an outdated bake.lock
    cannot make `npm ci` fail, `stale` reports it.
    """
    packages = with_integrities(raw["packages"], lock.integrities)
    added = {package.path: package for package in lock.packages if package.path not in packages}
    bases = registry_bases(packages)
    for package in added.values():
        base = base_for(packages, bases, package.name, package.parent)
        packages[package.path] = _lock_entry(package, base)
    asks = _asks(packages, {alias_at(path) for path in added})
    while stray := _strays(packages, asks, added):
        for path in stray:
            del packages[path], added[path]
    _flag_added(packages, asks, added.keys())
    return {**raw, "packages": dict(sorted(packages.items()))}


def stale(
    lock: BakeLock,
    missing: Iterable[Wanted],
    images: Iterable[str],
    *,
    current: Mapping[str, str] | None = None,
    minimal: Container[str] = (),
) -> tuple[LockFinding, ...]:
    """What `bake lock` would change: packages and images that are missing, behind or no longer asked for.

    current: reference -> digest in the registry now, for `bake lock --check` with network; None skips that.
    minimal: the images whose environment it has to say.
    """
    wanted = tuple(missing)
    return (
        *_package_findings(lock, wanted),
        *_extra_packages(lock, wanted),
        *_image_findings(lock, sorted(set(images)), current or {}, minimal),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """`parent` names `alias` with `spec`; `company` is the platform package whose platform it shares."""

    parent: str
    alias: str
    spec: str
    company: LockedPackage | None = None

    @property
    def request(self) -> tuple[str, str]:
        """Name and range to ask the registry for."""
        return _real_request(self.alias, self.spec)


def _real_request(alias: str, spec: str) -> tuple[str, str]:
    """`npm:@x/y@1.2` names another package under this alias."""
    if not spec.startswith("npm:"):
        return alias, spec
    at = spec.rfind("@")
    return (spec[4:at], spec[at + 1 :]) if at > 4 else (spec[4:], "*")


def _toml_table(value: LockedPackage | LockedImage) -> dict[str, Any]:
    """TOML keys as schema.read expects them, without what is empty."""
    return {key.replace("_", "-"): _plain_value(item) for key, item in asdict(value).items() if item}


def _plain_value(item: Any) -> Any:
    if isinstance(item, tuple):
        return list(item)
    return dict(sorted(item.items())) if isinstance(item, Mapping) else item


# Where a package goes in the tree


def _levels_above(packages: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """Directories whose node_modules Node searches for `path`, outermost first; those npm installs into."""
    parts = path.split("/") if path else []
    ancestors = ("/".join(parts[:count]) for count in range(len(parts) + 1))
    return tuple(each for each in ancestors if each in packages)


def _accepts(entry: Mapping[str, Any], alias: str, spec: str) -> bool:
    name, wanted = _real_request(alias, spec)
    return entry.get("name", alias) == name and satisfies(entry.get("version", ""), wanted)


def _unmet(packages: Mapping[str, Any], needs: Iterable[_Need]) -> tuple[_Need, ...]:
    """Needs that the tree does not meet yet, once each; outer packages first, for the outer places."""
    unmet = {
        (need.parent.count("node_modules/"), need.parent, need.alias): need
        for need in needs
        if (found := first_place(packages, need.parent, need.alias)) is None
        or not _accepts(packages[found], need.alias, need.spec)
    }
    return tuple(need for _, need in sorted(unmet.items(), key=lambda item: item[0]))


def _place_all(
    packages: dict[str, Mapping[str, Any]], needs: tuple[_Need, ...], manifests: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, LockedPackage], tuple[_Need, ...]]:
    """Put each manifest into the tree (`packages` grows). Gives what was put there by path, and new needs."""
    placed: dict[str, LockedPackage] = {}
    shadowed: tuple[_Need, ...] = ()
    waiting = {(need.parent, need.alias) for need in needs}
    asks = _asks(packages, {need.alias for need in needs})
    bases = registry_bases(packages)
    for need, manifest in zip(needs, manifests, strict=True):
        waiting.discard((need.parent, need.alias))
        package = _lock_manifest(need, manifest)
        if need.company is not None and not _same_platform(package, need.company):
            continue
        path, losers = _place_one(packages, asks, need, package, waiting)
        if path in packages:
            continue
        base = base_for(packages, bases, package.name, need.parent)
        placed[path] = replace(package, path=path, resolved=package.resolved if base else "")
        packages[path] = _lock_entry(placed[path], base)
        shadowed += losers
    return placed, shadowed


def _place_one(
    packages: Mapping[str, Any],
    asks: "_Asks",
    need: _Need,
    package: LockedPackage,
    waiting: Set[tuple[str, str]],
) -> tuple[str, tuple[_Need, ...]]:
    """The outermost place where the parent finds it and nobody finds a version that they do not accept.

    waiting: (parent, name) that get their own version later. Where there is no such place it goes inside the
    parent, and those who then find the wrong version need theirs.
    """
    levels = _levels_above(packages, need.parent)
    # What is found now would hide everything placed further out.
    found = first_place(packages, need.parent, need.alias)
    hidden = set(takewhile(lambda level: place_in(level, need.alias) != found, levels)) if found else set()
    losers: tuple[_Need, ...] = ()
    slot = place_in(levels[-1], need.alias)
    for level in levels:
        slot = place_in(level, need.alias)
        if level in hidden:
            continue
        if slot in packages and _accepts(packages[slot], need.alias, need.spec):
            return slot, ()
        losers = tuple(
            loser for loser in _losers(packages, asks, slot, package) if (loser.parent, loser.alias) not in waiting
        )
        if slot not in packages and not losers:
            return slot, ()
    return slot, losers


def _losers(packages: Mapping[str, Any], asks: "_Asks", slot: str, package: LockedPackage) -> tuple[_Need, ...]:
    """Those who would find the package at `slot` and do not accept it."""
    alias, trial = alias_at(slot), {**packages, slot: _lock_entry(package, "")}
    return tuple(
        _Need(parent=ask.path, alias=alias, spec=ask.spec)
        for ask in _dependents(trial, asks, slot)
        if not _accepts(trial[slot], alias, ask.spec)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """An entry that names a package, under which of the entry's keys, with which range."""

    path: str
    edges: str
    spec: str


_Asks = Mapping[str, tuple[_Ask, ...]]


def _asks(packages: Mapping[str, Any], aliases: Set[str]) -> _Asks:
    """Alias -> everything that names it; one pass over the lockfile."""
    asks: dict[str, tuple[_Ask, ...]] = dict.fromkeys(aliases, ())
    for path, entry in packages.items():
        for edges in _EDGES:
            for alias in aliases & entry.get(edges, {}).keys():
                asks[alias] += (_Ask(path=path, edges=edges, spec=entry[edges][alias]),)
    return asks


def _dependents(packages: Mapping[str, Any], asks: _Asks, slot: str) -> Iterable[_Ask]:
    """Those that find `slot` when they ask for its name."""
    alias = alias_at(slot)
    home = slot.removesuffix(f"node_modules/{alias}")
    for ask in asks[alias]:
        if ask.path in packages and f"{ask.path}/".startswith(home) and first_place(packages, ask.path, alias) == slot:
            yield ask


def _needs_of(package: LockedPackage) -> Iterable[_Need]:
    for alias, spec in package.dependencies.items():
        yield _Need(parent=package.path, alias=alias, spec=spec)
    for alias, spec in package.optional_dependencies.items():
        yield _Need(parent=package.path, alias=alias, spec=spec, company=package)


def _same_platform(package: LockedPackage, company: LockedPackage) -> bool:
    pairs = ((package.os, company.os), (package.cpu, company.cpu), (package.libc, company.libc))
    return all(not mine or not theirs or set(mine) & set(theirs) for mine, theirs in pairs)


# Between the registry's manifests, bake.lock and package-lock.json


def _lock_manifest(need: _Need, manifest: Mapping[str, Any]) -> LockedPackage:
    name, spec = need.request
    dist = manifest.get("dist") or {}
    if not isinstance(dist, Mapping) or not isinstance(dist.get("integrity"), str) or "version" not in manifest:
        raise RegistryError(f"{name}@{spec}", "the registry's manifest has no integrity", "ask the registry's owner")
    optional = _text_ranges(manifest.get("optionalDependencies"))
    # npm lists optional dependencies under both keys in a published manifest.
    required = {key: value for key, value in _text_ranges(manifest.get("dependencies")).items() if key not in optional}
    return LockedPackage(
        path=place_in("", need.alias),
        name=name,
        version=str(manifest["version"]),
        parent=need.parent,
        integrity=dist["integrity"],
        resolved=below_registry(str(dist.get("tarball", "")), name)[1],
        os=_platform_words(manifest.get("os")),
        cpu=_platform_words(manifest.get("cpu")),
        libc=_platform_words(manifest.get("libc")),
        engines=_text_ranges(manifest.get("engines")),
        bin=_bins(name, manifest.get("bin")),
        dependencies=required,
        optional_dependencies=optional,
        peer_dependencies=_text_ranges(manifest.get("peerDependencies")),
        install_script=bool(manifest.get("hasInstallScript")) or _has_script(manifest),
    )


def _platform_words(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    return tuple(str(each) for each in values or () if each != "any")


def _text_ranges(value: Any) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, Mapping) else {}


def _bins(name: str, value: Any) -> dict[str, str]:
    return {name.rpartition("/")[2]: value} if isinstance(value, str) else _text_ranges(value)


def _has_script(manifest: Mapping[str, Any]) -> bool:
    return not {"preinstall", "install", "postinstall"}.isdisjoint(_text_ranges(manifest.get("scripts")))


def _lock_entry(package: LockedPackage, base: str) -> dict[str, Any]:
    """The entry as npm writes it; flags other than `optional` come from `_flag_added`."""
    alias = package.path.rpartition("node_modules/")[2]
    entry: dict[str, Any] = {
        "name": package.name if package.name != alias else "",
        "version": package.version,
        "resolved": base + package.resolved if base and package.resolved else "",
        "integrity": package.integrity,
        "cpu": list(package.cpu),
        "libc": list(package.libc),
        "optional": True,
        "os": list(package.os),
        "engines": dict(package.engines),
        "bin": dict(package.bin),
        "dependencies": dict(package.dependencies),
        "optionalDependencies": dict(package.optional_dependencies),
        "peerDependencies": dict(package.peer_dependencies),
        "hasInstallScript": package.install_script,
    }
    return {key: value for key, value in entry.items() if value}


# Completing


def _strays(packages: Mapping[str, Any], asks: _Asks, added: Iterable[str]) -> tuple[str, ...]:
    """Added entries that nobody finds, or that somebody finds and does not accept."""
    return tuple(path for path in added if not _is_at_home(packages, asks, path))


def _is_at_home(packages: Mapping[str, Any], asks: _Asks, path: str) -> bool:
    found = tuple(_dependents(packages, asks, path))
    return bool(found) and all(_accepts(packages[path], alias_at(path), ask.spec) for ask in found)


def _flag_added(packages: dict[str, Any], asks: _Asks, added: Set[str]) -> None:
    """Mark added entries `dev` or `peer` when all who need them are; npm's calcDepFlags does the same."""
    askers = {path: tuple(_dependents(packages, asks, path)) for path in added}
    for flag, own_edges in (("dev", "devDependencies"), ("peer", "peerDependencies")):
        flagged = set(added)
        while freed := {
            path
            for path in flagged
            for ask in askers[path]
            if ask.edges != own_edges and ask.path not in flagged and not packages[ask.path].get(flag)
        }:
            flagged -= freed
        for path in flagged:
            packages[path] = {**packages[path], flag: True}
    for path in added:
        if "dev" not in packages[path]:
            _mark_reached(packages, path)


def _mark_reached(packages: dict[str, Any], path: str) -> None:
    """What was for development only and is needed by the production entry at `path` loses that mark."""
    entry = packages[path]
    for alias in (*entry.get("dependencies", {}), *entry.get("optionalDependencies", {})):
        found = first_place(packages, path, alias)
        if found is None or not packages[found].get("dev"):
            continue
        kept = {key: value for key, value in packages[found].items() if key != "dev"}
        packages[found] = kept if kept.get("optional") else {**kept, "devOptional": True}
        _mark_reached(packages, found)


# Comparing


def _package_findings(lock: BakeLock, wanted: tuple[Wanted, ...]) -> Iterable[LockFinding]:
    for each in wanted:
        seen = [package for package in lock.packages if _is_visible(package, each.parent, each.name)]
        if any(_answers(package, each.name, each.version) for package in seen):
            continue
        asked = f"{each.name}@{each.version} for {each.platform}"
        if seen:
            what = f"{asked} is wanted, bake.lock has {seen[-1].version}"
            yield LockFinding(kind="behind", where=each.parent, what=what)
        else:
            yield LockFinding(kind="missing", where=each.parent, what=f"{asked} is in neither lockfile")


def _is_visible(package: LockedPackage, parent: str, alias: str) -> bool:
    """Whether Node finds the package's place from the parent."""
    home = package.path.removesuffix(f"node_modules/{alias}")
    return alias_at(package.path) == alias and f"{parent}/".startswith(home)


def _answers(package: LockedPackage, alias: str, spec: str) -> bool:
    name, wanted = _real_request(alias, spec)
    return package.name == name and satisfies(package.version, wanted)


def _extra_packages(lock: BakeLock, wanted: tuple[Wanted, ...]) -> Iterable[LockFinding]:
    asked = [(each.parent, each.name) for each in wanted]
    used: set[str] = set()
    while fresh := {
        package.path
        for package in lock.packages
        if package.path not in used and any(_is_visible(package, *ask) for ask in asked)
    }:
        used |= fresh
        asked = [ask for package in lock.packages if package.path in fresh for ask in _brought_along(lock, package)]
    for package in lock.packages:
        if package.path not in used:
            what = f"{package.name}@{package.version} is in bake.lock and no longer needed"
            yield LockFinding(kind="extra", where=package.path, what=what)


def _brought_along(lock: BakeLock, package: LockedPackage) -> Iterable[tuple[str, str]]:
    """(parent, name) that are asked for because of the package: by it, or by those it would mislead."""
    yield from ((need.parent, need.alias) for need in _needs_of(package))
    alias = alias_at(package.path)
    yield from ((other.parent, alias) for other in lock.packages if _is_visible(package, other.parent, alias))


def _image_findings(
    lock: BakeLock, images: Sequence[str], current: Mapping[str, str], minimal: Container[str]
) -> Iterable[LockFinding]:
    for reference in images:
        locked = lock.images.get(reference)
        if locked is None:
            yield LockFinding(kind="missing", where=reference, what="has no digest in bake.lock")
        elif current.get(reference, locked.digest) != locked.digest:
            what = f"the registry has {current[reference][:19]}…, bake.lock {locked.digest[:19]}…"
            yield LockFinding(kind="behind", where=reference, what=what)
        elif reference in minimal and not locked.environment:
            what = "bake.lock does not say what it sets, which a minimal base needs"
            yield LockFinding(kind="missing", where=reference, what=what)
    for reference in sorted(set(lock.images) - set(images)):
        yield LockFinding(kind="extra", where=reference, what="is in bake.lock and no longer a base image")
