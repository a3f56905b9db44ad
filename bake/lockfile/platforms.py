"""Which entries of a lockfile are for which platform, and which of a platform it lacks. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bake.lockfile.lockfile import Entry, Lockfile
from bake.semver import is_version, satisfies


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPlatformPackage:
    """A platform's member of a family that the lockfile lacks; `version` is the range in `parent`."""

    parent: str
    name: str
    version: str
    platform: str


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
def foreign_entries(lock: Lockfile, platforms: tuple[str, ...], libc: str) -> frozenset[str]:
    """Return the entries that none of the platforms gets."""
    return frozenset.intersection(*(_foreign_to(lock, platform, libc) for platform in platforms))


def _foreign_to(lock: Lockfile, platform: str, libc: str) -> frozenset[str]:
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
    lock: Lockfile, *, platforms: tuple[str, ...], libc: str, reachable: frozenset[str]
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
        if _serves_platform(name, family, platform, libc) and not _has(lock, parent, name, version)
    )
    return tuple(sorted(found, key=lambda one: (one.parent, one.name, one.platform)))


def _family(lock: Lockfile, parent: str) -> Mapping[str, str]:
    entry = lock.at(parent)
    wanted = entry.optional_dependencies if entry else {}
    return {name: version for name, version in wanted.items() if parse_platform_name(name)}


def _serves_platform(name: str, family: Iterable[str], platform: str, libc: str) -> bool:
    said = parse_platform_name(name)
    if said is None or (said.system, said.cpu) != node_platform(platform):
        return False
    if said.libc or said.system != "linux":
        return said.libc in ("", libc)
    # Silence beside a sibling that says musl means glibc (sharp-linux-x64, sharp-linuxmusl-x64).
    musl = NamedPlatform(said.system, said.cpu, "musl")
    return libc == "glibc" or all(parse_platform_name(other) != musl for other in family)


def _has(lock: Lockfile, parent: str, name: str, version: str) -> bool:
    target = lock.resolve(parent, name)
    if target is None:
        return False
    # Families pin versions; another version's binary found higher up does not serve this parent.
    # Where the range is an alias, a tag or a URL, that something lies there must do.
    held = lock.entries[target].version
    return satisfies(held, version) or not is_version(held) or version[:1].isalpha() or ":" in version
