"""How what an image is made of gets into it: through which packages and lock entries. Pure."""

import functools
import re
from collections import deque
from collections.abc import Iterator, Mapping

from bake.inputs.content import development
from bake.plan import Closure, Plan, ServiceStage, Stage
from bake.project import Project
from bake.workspace import ROOT, literal, parse_dockerignore

Way = tuple[str, ...]
"""Packages and lock entries, from where one starts to where one gets, both ends included; () where there is no way."""

_PACKAGE = re.compile(r'^packages\."([^"]+)"')


def package_of(key: str) -> str | None:
    """The package that a key such as `packages."services/web".args.SITE` is about."""
    found = _PACKAGE.match(key)
    return None if found is None else "" if found[1] == ROOT else found[1]


class Ways:
    """The ways into the images of a plan."""

    def __init__(self, project: Project, plan: Plan) -> None:
        self._project, self._plan = project, plan
        self._services = {i.target: next(s for s in plan.services if s.service == i.service) for i in plan.images}
        self._packages = functools.cache(self._load_packages)
        self._patched = {file: place for each in plan.install.patches for file, place in each.places()}
        self._tools = functools.cache(lambda package: development(project, plan, package))

    def to(self, target: str, kind: str, name: str) -> Way:
        """The way to a file, a lock entry by name and version, or the package of a key."""
        service = self._services.get(target)
        if service is None:
            return ()
        if kind == "dependency":
            return self._to_entry(service, name)
        package = package_of(name) if kind != "source" else self._reader(service, name)
        return () if package is None else self._packages(service.service).get(package, ())

    def _reader(self, service: ServiceStage, file: str) -> str | None:
        """The package that a file is of, or that reads it from outside."""
        ways = self._packages(service.service)
        inside = [p for p in ways if not p or f"{file}/".startswith(f"{p}/")]
        if any(inside):
            return max(inside, key=len)
        readers = (p for p in ways if any(s.package == p and _reads(s, file) for s in self._plan.builds.stages))
        return next(readers, inside[0] if inside else None)

    def _to_entry(self, service: ServiceStage, name: str) -> Way:
        paths = [self._patched[name]] if name in self._patched else self._by_name.get(name, [])
        starts: Iterator[tuple[Way, Closure]] = iter(
            [
                ((service.package,), service.closure),
                (("package.json",), self._tools("")),
                *((way, self._tools(p)) for p, way in self._packages(service.service).items()),
            ]
        )
        chains = ((way, reach.chain(path)) for way, reach in starts for path in paths)
        return next(((*way, *chain[1:]) for way, chain in chains if chain), ())

    @functools.cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path, entry in self._project.workspace.lock.entries.items():
            found.setdefault(f"{entry.name} {entry.version}".rstrip(), []).append(path)
        return found

    def _load_packages(self, service: str) -> Mapping[str, Way]:
        """The way to every package whose build the service's images contain or follow, nearest first."""
        stages = {s.package: s for s in self._plan.builds.stages}
        stage = next(s for s in self._plan.services if s.service == service)
        return _ways(stages, stage, whole=self._plan.builds.whole)


def _reads(stage: Stage, file: str) -> bool:
    names = (*stage.inputs, *map(literal, (*stage.reads, *stage.beside)))
    return bool(names) and parse_dockerignore("\n".join(names))(file)


def _ways(stages: Mapping[str, Stage], service: ServiceStage, *, whole: bool) -> Mapping[str, Way]:
    if whole:
        return {p: (service.package, p) if p != service.package else (p,) for p in stages}
    reached: dict[str, list[str]] = {}
    for package in service.closure.packages:
        reached.setdefault(_owner(service.closure, package), []).append(package)
    ways: dict[str, Way] = {service.package: (service.package,)}
    queue = deque([service.package])
    while queue:
        path = queue.popleft()
        for need in (*_direct(stages, path), *reached.get(path, ())):
            if need not in ways:
                ways[need] = (*ways[path], need)
                queue.append(need)
    # What a lock entry of npm's own brings, such as a `file:` dependency's link, has a longer way.
    return ways | {p: (service.package, p) for p in service.closure.packages if p not in ways}


def _owner(reach: Closure, package: str) -> str:
    """The package whose dependency leads to a package; a link lies between them."""
    before = reach.via.get(package, "")
    return reach.via.get(before, "") if before not in reach.packages else before


def _direct(stages: Mapping[str, Stage], path: str) -> Way:
    """The needs of a package that are not needs of another need of it."""
    needs = stages[path].needs if path in stages else ()
    indirect = {n for need in needs if need in stages for n in stages[need].needs}
    return tuple(n for n in needs if n not in indirect)
