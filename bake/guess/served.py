"""Frontends that a server of the workspace serves: its image has them, and they need none of their own. Pure."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from bake.evidence import PackageFacts, WorkspaceFacts
from bake.guess.frontends import find_built_into
from bake.guess.judge import Refused, Service

Served = Mapping[str, Mapping[str, str]]
"""Path of a package that runs -> the frontends whose built files it serves, with the file that says so."""

_BETWEEN = re.compile(r"['\"`]\s*,\s*['\"`]")
_OUTWARD = re.compile(r"(?:\.\./+)+((?:[\w@.-]+/+)*[\w@.-]+)")


def find_served(everything: WorkspaceFacts, services: Iterable[Service]) -> Served:
    """What images hold by their Dockerfiles, and what the sources of servers name."""
    rows = tuple(services)
    # What production starts by itself, or serves from an image of its own, is no part of another's.
    folders = {s.package: s.static for s in rows if s.static and s.package not in everything.said}
    running = {s.package for s in rows if not s.static}
    found = {
        f.package.path: {
            **dict(_held(f, everything, folders)),
            **dict(_named(f, folders)),
            **dict(_built_into(f, everything)),
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
        if folder and everything.owner(f"{folder}/x").path == facts.package.path:
            yield each.package.path, source


def _named(facts: PackageFacts, folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Frontends that the sources name as `"../../client/dist"` or `"..", "..", "client", "dist"`."""
    for file, text in facts.sources.items():
        joined = _BETWEEN.sub("/", text) if ".." in text else ""
        paths = {posixpath.normpath(m[1]) for m in _OUTWARD.finditer(joined)}
        for package, folder in folders.items():
            ends = (f"{package}/{folder}/", f"{posixpath.basename(package)}/{folder}/")
            if any(f"{path}/".startswith(ends) for path in paths):
                yield package, facts.package.file(file)


def without_served(judged: Iterable[Service | Refused], served: Served) -> Iterator[Service | Refused]:
    """What was judged, but for frontends that are in a server's image."""
    servers = {path: server for server, named in served.items() for path in named}
    for one in judged:
        if isinstance(one, Service) and one.package in servers:
            yield Refused(path=one.package, reason=f"in the image of {servers[one.package]}, which serves it")
        else:
            yield one
