"""Frontends that a server of the workspace serves: its image has them, and they need none of their own. Pure."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from bake.evidence import PackageFacts, WorkspaceFacts
from bake.guess.frontends import find_built_into
from bake.guess.judge import Refused, Service
from bake.workspace import shown

Served = Mapping[str, Mapping[str, str]]
"""Path of a package that runs -> the frontends whose built files it serves, with the file that says so."""

_BETWEEN = re.compile(r"['\"`]\s*,\s*['\"`]")
_LOADED = re.compile(r"(?:\brequire(?:\.resolve)?\s*\(|\bfrom\b|\bimport\b\s*\(?)\s*(['\"`])[^'\"`\n]*\1")
_OUTWARD = re.compile(r"(?:\.\./+)+((?:[\w@.-]+/+)*[\w@.-]+)")


def find_served(everything: WorkspaceFacts, services: Iterable[Service]) -> Served:
    """What images hold by their Dockerfiles, and what the sources of servers name."""
    rows = tuple(services)
    # What production starts by itself, or serves from an image of its own, is no part of another's.
    folders = {s.package: s.static for s in rows if s.static and s.package not in everything.said}
    running = {s.package for s in rows if not s.static}
    built = _built(everything, {*running, *(s.package for s in rows if s.package in everything.said)})
    found = {
        f.package.path: {
            **dict(_held(f, everything, folders)),
            **dict(_named(f, folders, built - _declared(f, everything), everything)),
            **dict(_built_into(f, everything)),
            **dict(_depended(f, folders, everything)),
        }
        for f in everything.packages
        if f.package.path in running
    }
    return {path: named for path, named in found.items() if named}


def _held(facts: PackageFacts, everything: WorkspaceFacts, folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Frontends whose built folder a Dockerfile puts into the image of this package's process."""
    for evidence in everything.said.get(facts.package.path, ()):
        for held in evidence.holds:
            package = everything.owner(held).path
            if package in folders and not evidence.static:
                yield package, evidence.source


def _built_into(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[tuple[str, str]]:
    """Frontends whose builds write into a folder of this package."""
    for each in everything.packages:
        folder, source = find_built_into(each)
        if folder and folder != facts.package.path and everything.owner(f"{folder}/x").path == facts.package.path:
            yield each.package.path, source


def _depended(facts: PackageFacts, folders: Mapping[str, str], everything: WorkspaceFacts) -> Iterator[tuple[str, str]]:
    """Frontends that a server's package depends on in production: what else would it do with them."""
    for package in everything.workspace.packages:
        if package.path in folders and package.name in facts.package.dependencies:
            yield package.path, facts.package.file("package.json")


def _built(everything: WorkspaceFacts, running: Collection[str]) -> frozenset[str]:
    """Packages that are built and do not run by themselves."""
    built = (p for p in everything.workspace.packages if "build" in p.scripts)
    return frozenset(p.path for p in built if p.path and p.path not in running)


def _declared(facts: PackageFacts, everything: WorkspaceFacts) -> frozenset[str]:
    """The packages that one depends on, which its images have anyway."""
    return frozenset(p.path for p in everything.workspace.packages if p.name in facts.package.dependencies)


def _named(
    facts: PackageFacts, folders: Mapping[str, str], built: Collection[str], everything: WorkspaceFacts
) -> Iterator[tuple[str, str]]:
    """What the sources name as `"../../client/dist"` or `"..", "..", "client", "dist"`.

    A frontend's folder, or a folder of another package that is built which no clone has: its build writes that. Modules
    that the sources load of the latter are imports like others.
    """
    for file, text in facts.sources.items():
        every = _outward(text) if ".." in text else frozenset()
        files = _outward(_LOADED.sub("", text)) if every else every
        for package in built | folders.keys():
            paths = every if package in folders else files
            names = {f"{package}/", *_short_name(package, facts, everything)}
            inner = {f"{path}/".removeprefix(n) for path in paths for n in names if path.startswith(n)}
            if any(_is_written(package, each, folders.get(package), everything) for each in inner):
                yield package, facts.package.file(file)


def _short_name(package: str, facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[str]:
    """What a package is called beside another; of several that are called so, the one beside it."""
    name = posixpath.basename(package)
    alone = sum(posixpath.basename(p.path) == name for p in everything.workspace.packages) == 1
    if alone or posixpath.dirname(package) == posixpath.dirname(facts.package.path):
        yield f"{name}/"


def _outward(text: str) -> frozenset[str]:
    return frozenset(posixpath.normpath(found[1]) for found in _OUTWARD.finditer(_BETWEEN.sub("/", text)))


def _is_written(package: str, inner: str, static: str | None, everything: WorkspaceFacts) -> bool:
    """Whether a path in a package, with a slash behind it, is of what its build writes."""
    if static is not None:
        return inner.startswith(f"{static}/")
    first = inner.partition("/")[0]  # without one, only the package is named
    named = f"{package}/{first}"
    # A file is data of one's own, and `../docs/types` is types.ts.
    file = re.search(r"\w\.\w+$", first) or any(path.startswith(f"{named}.") for path in everything.paths)
    return bool(first) and not file and named not in {*everything.folders, *everything.paths}


def without_served(judged: Iterable[Service | Refused], served: Served) -> Iterator[Service | Refused]:
    """What was judged, but for frontends that are in a server's image."""
    servers = {path: server for server, named in served.items() for path in named}
    for one in judged:
        path = one.package if isinstance(one, Service) else one.path
        if path in servers:
            yield Refused(path=path, reason=f"in the image of {shown(servers[path])}, which serves it")
        else:
            yield one
