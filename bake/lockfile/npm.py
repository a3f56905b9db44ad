"""npm's package-lock.json, versions 2 and 3: read, and changed so that `npm ci` installs what code needs. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bake.errors import WorkspaceError
from bake.files import ANY, Shape, check_shape, normal, parse_json
from bake.lockfile.lockfile import RELOCK, Edge, Entry, Lockfile, extra_target, is_counted, is_entry_path, name_at

FILE_NAME = "package-lock.json"

_NAMES: Shape = {ANY: str}
_PLATFORMS: Shape = ([str], str)
_ENTRY: Shape = {
    **dict.fromkeys(("name", "version", "resolved", "integrity"), str),
    **dict.fromkeys(
        ("link", "dev", "optional", "devOptional", "peer", "extraneous", "inBundle", "hasInstallScript"), bool
    ),
    **dict.fromkeys(("os", "cpu", "libc"), _PLATFORMS),
    **dict.fromkeys(("dependencies", "optionalDependencies", "peerDependencies", "devDependencies"), _NAMES),
    "peerDependenciesMeta": {ANY: {"optional": bool}},
    "bundleDependencies": ([str], bool),
    "bin": (str, _NAMES),
}
"""What bake reads of an entry. Source: docs.npmjs.com, package-lock-json, "packages"."""


def parse_lockfile(text: str, file: str = FILE_NAME) -> Lockfile:
    """Return the Lockfile in the text of a package-lock.json or npm-shrinkwrap.json.

    Raises WorkspaceError for bad JSON, lockfileVersion 1, what is no lockfile and entries outside the workspace.
    """
    raw = parse_json(text, file, RELOCK)
    if not isinstance(raw, dict) or not isinstance(raw.get("packages"), dict):
        raise _no_packages(raw, file)
    check_shape(raw["packages"], {ANY: _ENTRY}, file)
    for path in raw["packages"]:
        if normal(path) != path:
            raise WorkspaceError(file, f"{path!r} is no path in the workspace", RELOCK)
    return make_lockfile(raw)


def make_lockfile(raw: Mapping[str, Any]) -> Lockfile:
    """Return the Lockfile of a lockfile's parsed JSON, such as `make_production` returns."""
    packages: Mapping[str, Mapping[str, Any]] = raw["packages"]
    every = {path: _parsed_entry(path, value) for path, value in packages.items()}
    return Lockfile(
        # npm writes down what it found and nothing needs, and installs none of it.
        entries={p: entry for p, entry in every.items() if is_entry_path(p) and not packages[p].get("extraneous")},
        packages={path: entry for path, entry in every.items() if not is_entry_path(path)},
        raw=raw,
    )


def _no_packages(raw: object, file: str) -> WorkspaceError:
    version = raw.get("lockfileVersion") if isinstance(raw, dict) else None
    if version is None:
        return WorkspaceError(file, "no npm lockfile (it has no `packages`)", RELOCK)
    return WorkspaceError(
        file,
        f"lockfileVersion {version} does not record where packages lie",
        "run `npm install --package-lock-only --lockfile-version 3`",
    )


def _parsed_entry(path: str, value: Mapping[str, Any]) -> Entry:
    name = str(value.get("name") or name_at(path))
    if value.get("link"):
        return Entry(path=path, name=name, link=str(value.get("resolved") or ""), dev=bool(value.get("dev")))
    # Thousands of entries, few fields each: only those that are there are handed on.
    known = {_FIELDS[key]: given for key, given in value.items() if key in _FIELDS and given}
    for key in _WORDS & known.keys():
        known[key] = _word_list(known[key])
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
    "inBundle": "in_bundle",
    "os": "os",
    "cpu": "cpu",
    "libc": "libc",
    "hasInstallScript": "install_script",
    "resolved": "resolved",
    "integrity": "integrity",
    "license": "license",
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
    return {str(k): str(v) for k, v in bins.items()} if isinstance(bins, dict) else {}


def _word_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def make_production(
    lock: Lockfile, extra: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Any], Mapping[str, Mapping[str, Any]]]:
    """Make `npm ci --omit=dev` install the extra names (package path -> names).

    Returns the changed lockfile (a new value) and package path -> the manifest fields that go with it.
    Raises WorkspaceError for a name that the lockfile does not hold.
    """
    raw = _copied_lock(lock.raw)
    changed: dict[str, Mapping[str, Any]] = {}
    starts: list[str] = []
    for path, name in _extra_names(lock, extra):
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


def _copied_lock(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A lockfile whose entries' own fields and dependency tables may be changed without changing `raw`."""
    packages = {
        path: {key: dict(value) if isinstance(value, dict) else value for key, value in entry.items()}
        for path, entry in raw["packages"].items()
    }
    return {**raw, "packages": packages}


def _extra_names(lock: Lockfile, extra: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for path in sorted(lock.packages):
        for name in sorted(set(extra.get(path, ()))):
            yield path, name


def _declare(lock: Lockfile, raw: dict[str, Any], path: str, name: str, target: str) -> str:
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


def _declarer(lock: Lockfile, path: str, name: str, target: str) -> str:
    declared = (lock.packages[path], lock.packages[""])
    for package in declared:
        tables = (package.dependencies, package.optional_dependencies, package.dev_dependencies)
        if any(name in table for table in tables):
            return package.path
    return "" if target == f"node_modules/{name}" else path


def _clear_flags(lock: Lockfile, raw: dict[str, Any], starts: list[str]) -> None:
    hard = _reached_paths(lock, starts, lambda edge: edge.kind not in ("optional", "peer-optional"))
    for path in _reached_paths(lock, starts, lambda edge: is_counted(lock, edge)):
        value = raw["packages"][path]
        if path in hard:
            value.pop("devOptional", None)
            if not lock.entries.get(path) or not (lock.entries[path].os or lock.entries[path].cpu):
                value.pop("optional", None)
        if value.pop("dev", False) and path not in hard and not value.get("optional"):
            value["devOptional"] = True


def _reached_paths(lock: Lockfile, starts: list[str], follow: Callable[[Edge], bool]) -> set[str]:
    seen, stack = set(starts), list(starts)
    while stack:
        for edge in lock.edges[stack.pop()]:
            if edge.target is not None and edge.target not in seen and follow(edge):
                seen.add(edge.target)
                stack.append(edge.target)
    return seen
