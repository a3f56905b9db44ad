"""What npm notes of tarballs, for lockfiles that have lost it (npm/cli#4263, npm/cli#6301). Pure.

Without `resolved`, every install asks the registry for a package's document to learn where its tarball is; without
`integrity`, it downloads that again, whatever its cache has, and takes what comes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(?:[-+][\w.+-]+)?")

Packages = Mapping[str, Mapping[str, Any]]
Specs = Sequence[tuple[str, str]]


def record_integrities(
    packages: Packages,
    known: Mapping[str, str],
    *,
    fetch: Callable[[Specs], Sequence[Mapping[str, Any]]],
    is_usual: Callable[[str], bool],
) -> dict[str, str]:
    """Return NAME@VERSION -> integrity of all that a lockfile names and has no tarball or no integrity of.

    known: what an earlier call found. fetch: (name, version) pairs -> the registry's manifests, {} for what it has not.
    is_usual: whether a name is served by the registry of those without a scope. Left out is what has no usual tarball.
    """
    bases = registry_bases(packages)
    lacking = dict.fromkeys(_of(path, entry) for path, entry in packages.items() if _lacks(path, entry))
    wanted = [(n, v) for n, v in lacking if n.partition("/")[0] in bases or is_usual(n)]
    manifests = fetch([one for one in wanted if "@".join(one) not in known])
    fresh = {f"{m['name']}@{m['version']}": _integrity(m) for m in manifests if m}
    found = {**fresh, **known}
    return {name: found[name] for name in sorted(map("@".join, wanted)) if found.get(name)}


def with_integrities(packages: Packages, integrities: Mapping[str, str]) -> dict[str, Any]:
    """Return a lockfile's packages with what is recorded of those that lack it.

    Tarballs are where those of the same scope are, or else those without a scope; nowhere when it names none.
    """
    if not integrities:
        return dict(packages)
    bases = registry_bases(packages)
    return {path: {**entry, **dict(_added(path, entry, integrities, bases))} for path, entry in packages.items()}


def _added(
    path: str, entry: Mapping[str, Any], integrities: Mapping[str, str], bases: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    if not _lacks(path, entry):
        return
    name, version = _of(path, entry)
    integrity = integrities.get(f"{name}@{version}", "")
    base = _base_of_scope(bases, name) or bases.get("", "")
    if integrity and base and not entry.get("resolved"):
        yield "resolved", f"{base}{_file(name, version)}"
    if integrity and not entry.get("integrity"):
        yield "integrity", integrity


def _lacks(path: str, entry: Mapping[str, Any]) -> bool:
    """Whether a package of a registry is there without its tarball or its integrity."""
    if "node_modules/" not in path or entry.get("link") or entry.get("inBundle"):
        return False
    name, version = _of(path, entry)
    resolved = entry.get("resolved")
    usual = not resolved or below_registry(resolved, name)[1] == _file(name, version)
    return usual and _VERSION.fullmatch(version) is not None and not (resolved and entry.get("integrity"))


def _of(path: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry.get("name") or alias_at(path), entry.get("version") or ""


def _file(name: str, version: str) -> str:
    """Where npm's registry, and those like it, have a tarball."""
    return f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def _integrity(manifest: Mapping[str, Any]) -> str:
    dist = manifest.get("dist")
    tarball, integrity = (dist.get("tarball"), dist.get("integrity")) if isinstance(dist, Mapping) else ("", "")
    usual = below_registry(str(tarball), manifest["name"])[1] == _file(manifest["name"], manifest["version"])
    return integrity if usual and isinstance(integrity, str) else ""


def alias_at(path: str) -> str:
    """Return the name under which a place in node_modules has its package."""
    return path.rpartition("node_modules/")[2]


def below_registry(tarball: str, name: str) -> tuple[str, str]:
    """Return (registry URL, path below it) of a tarball in npm's usual layout; ("", "") in any other layout."""
    plain = tarball.replace("%2f", "/").replace("%2F", "/")
    base, found, file = plain.rpartition(f"/{name}/-/")
    return (f"{base}/", f"{name}/-/{file}") if found and "://" in base and "?" not in file else ("", "")


def registry_bases(packages: Packages) -> Mapping[str, str]:
    """Return scope -> the registry URL that a lockfile's tarballs of it have; "" stands for names without one."""
    bases: dict[str, str] = {}
    for path in packages:
        first, slash, _ = alias_at(path).partition("/")
        scope = first if slash else ""
        if scope not in bases and (base := _base_of(packages, path)):
            bases[scope] = base
    return bases


def base_for(packages: Packages, bases: Mapping[str, str], name: str, parent: str) -> str:
    """Return where the tarball is of a package that another entry needs: as its scope's are, or beside that one's."""
    return _base_of_scope(bases, name) or _base_of(packages, parent)


def _base_of_scope(bases: Mapping[str, str], name: str) -> str:
    return bases.get(name.partition("/")[0], "") if "/" in name else ""


def _base_of(packages: Packages, path: str) -> str:
    """Return the registry URL of the tarball of one entry, "" where it has none."""
    entry = packages.get(path, {})
    return below_registry(entry.get("resolved") or "", entry.get("name") or alias_at(path))[0]
