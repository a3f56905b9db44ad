"""Where builds read and write BuildKit's cache outside the engine: config x run -> entries of the bake file. Pure.

One repository holds it, a tag per workspace or service and branch. `workspace` copies every layer that images have,
so its cache (mode=max: every step with its result) serves all images, and one target writes it. A build of some
services writes theirs instead, each from the first image of the service. A build of some platforms writes a tag of
these: runners that build a platform each would replace each other's, and installs and compiles of one machine are no
hits on a machine of another kind. No reference has two writers: BuildKit replaces a reference, and the last one wins
without a word (docker/buildx#3819).

Targets of one bake lose each other's hits while they import a cache (moby/buildkit#4674; on BuildKit 0.25 a cold
engine ran 18 of 23 steps whose results the registry had). So a build that imports makes the first image of each
service alone, one after the other, and the rest from what these left in the engine: no step runs twice. For the same
reason stages copy sources from the build context itself: through a stage with all files, a package that was built
after an edit took the hits of the packages after it.
"""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bake.ci import Run
from bake.config import CacheSettings
from bake.plan.dockerfiles import MONOLITH
from bake.plan.names import slug as tag
from bake.plan.plan import Plan
from bake.project import Project

WORKSPACE = "workspace"
"""The target that everything is cached with; bake's own (config.RESERVED)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What a build imports and exports, as entries of `cache-from` and `cache-to` by target.

    repository: where a registry cache is, "" for other types. note: why nothing is written, "" when it need not be
    said. together: images that import are built at once all the same. taken, given: stage of a build -> references of
    what it begins with, the best one first, and of what it leaves.
    """

    imports: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    exports: Mapping[str, str] = dataclasses.field(default_factory=dict)
    repository: str = ""
    note: str = ""
    together: bool = False
    taken: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether the first image of each service is built by itself."""
        return bool(self.imports) and not self.together

    def without_exports(self, why: str) -> "Cache":
        """The same, writing nothing."""
        return dataclasses.replace(self, exports={}, given={}, note=why)

    def importing(self, there: Callable[[str], bool]) -> "Cache":
        """The same, importing only the entries for which `there` holds."""
        kept = {t: tuple(e for e in entries if there(e)) for t, entries in self.imports.items()}
        taken = {s: tuple(r for r in references if there(r)) for s, references in self.taken.items()}
        return dataclasses.replace(
            self,
            imports={t: entries for t, entries in kept.items() if entries},
            taken={s: references for s, references in taken.items() if references},
        )

    def phases(self, services: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
        """Image targets to build at once, then the next ones; `services` is target -> service, in order.

        One phase without imports. The target `workspace` comes last, alone, when it exports.
        """
        first = tuple(dict.fromkeys(next(t for t, s in services.items() if s == v) for v in services.values()))
        phases = [(t,) for t in first] if self.alone else [tuple(services)]
        rest = tuple(t for t in services if self.alone and t not in first)
        last = (WORKSPACE,) if WORKSPACE in self.exports else ()
        return tuple(p for p in (*phases, rest, last) if p)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run builds of the workspace.

    services: target -> service (a target of its own, like `monolith`, is its own service), for everything planned.
    bases: targets of base images that are built too. states: stages of builds that keep something, where that travels.
    selected: the targets asked for. platforms: those asked for, of `every` that bake.toml has. apart: targets with a
    Dockerfile of their own, which the workspace's cache does not hold.
    """

    services: Mapping[str, str]
    selected: Sequence[str]
    platforms: Sequence[str]
    every: Sequence[str]
    bases: Sequence[str] = ()
    apart: frozenset[str] = frozenset({MONOLITH})
    states: Sequence[str] = ()

    @property
    def part(self) -> str:
        """Its platforms as part of a tag; "" for all of bake.toml's."""
        names = (p.removeprefix("linux/").replace("/", "-") for p in sorted(self.platforms))
        return "" if set(self.platforms) == set(self.every) else "_".join(names)


def plan_cache(project: Project, plan: Plan) -> Cache:
    """The cache of the run that the plan is for."""
    request, config = plan.request, project.config
    return make_cache(
        config.cache,
        project=plan.project,
        registry=plan.registry,
        run=request.run,
        branch=request.branch,
        scope=Scope(
            services=plan.owners,
            selected=plan.targets,
            platforms=plan.platforms,
            every=config.project.platforms,
            bases=tuple(base.target for base in plan.bases),
            apart=frozenset(i.target for i in plan.dockered) | {MONOLITH},
            states=tuple(stage.name for stage in plan.builds.stages if stage.state and config.cache.state),
        ),
        asked=request.cache_to,
    )


def make_cache(
    settings: CacheSettings,
    *,
    project: str,
    registry: str | None,
    run: Run,
    branch: str,
    scope: Scope,
    asked: bool = False,
) -> Cache:
    """The cache of one run. asked: `--cache-to` was given, so this run writes outside CI too."""
    store = _Store.of(settings, project, registry, scope.part)
    if store is None:
        return Cache(note="there is no registry for the cache; set project.registry or cache.ref" if asked else "")
    note = _reason(settings, run, branch, asked=asked)
    writes = not note and (asked or settings.write == "always" or (settings.write == "auto" and run.ci))
    reads = settings.read == "always" or (settings.read == "auto" and (run.ci or writes))
    branches = tuple(dict.fromkeys(b for b in (branch, settings.default_branch) if b))
    return Cache(
        imports={**store.imports(scope.services, branches), **store.base_imports(scope.bases, branches)}
        if reads
        else {},
        exports={**store.exports(scope, branch), **store.base_exports(scope.bases, branch)} if writes else {},
        repository=store.place if settings.type == "registry" else "",
        note=note if run.ci or asked else "",
        together=settings.together,
        taken={s: tuple(store.states(s, branches)) for s in scope.states} if reads else {},
        given={s: next(store.states(s, [branch])) for s in scope.states} if writes else {},
    )


def slug(branch: str) -> str:
    """A branch's name as part of a tag; names that differ stay different."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", branch)[:60]
    return plain if plain == branch else f"{plain}-{hashlib.sha256(branch.encode()).hexdigest()[:6]}"


def _reason(settings: CacheSettings, run: Run, branch: str, *, asked: bool) -> str:
    """Why this run writes no cache, "" when it may."""
    if settings.write == "never" and not asked:
        return ""
    if run.fork:
        return "a fork's pull request writes no cache"
    if run.tag:
        return "a build of a tag writes no cache"
    return "" if branch else "git names no branch, so no cache is written"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """How one type of cache names its entries. place: repository, folder or prefix of scopes. part: the Scope's."""

    type: str
    place: str
    options: str
    images: str = ""
    part: str = ""

    @classmethod
    def of(cls, settings: CacheSettings, project: str, registry: str | None, part: str) -> "_Store | None":
        images = f"{registry}/{project}" if registry else ""
        place = {
            "registry": settings.ref or (f"{images}/buildcache" if images else ""),
            "local": settings.ref or ".bake/buildcache",
            "gha": settings.ref or project,
            "inline": images,
        }.get(settings.type, "")
        if not place:
            return None
        options = f",compression={settings.compression}" if settings.compression else ""
        return cls(type=settings.type, place=place, options=options, images=images, part=part)

    def imports(self, services: Mapping[str, str], branches: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Of every target: the workspace's entries, its own branch first, then its service's."""
        if self.type == "inline":
            return {t: tuple(f"type=registry,ref={self.images}-{t}:{tag(b)}" for b in branches) for t in services}
        own = {s: tuple(self._source(n) for b in branches for n in self._names(s, b)) for s in services.values()}
        shared = tuple(self._source(n) for b in branches for n in self._names(WORKSPACE, b))
        return {WORKSPACE: shared, **{t: (*shared, *own[s]) for t, s in services.items()}}

    def exports(self, scope: Scope, branch: str) -> Mapping[str, str]:
        services, selected = scope.services, scope.selected
        if self.type == "inline":
            return dict.fromkeys(services, "type=inline")
        chosen = dict.fromkeys(services[t] for t in selected)
        whole = {s for t, s in services.items() if t not in scope.apart}
        writers = {next(t for t in selected if services[t] == s): s for s in chosen}
        if whole <= set(chosen):
            writers = {WORKSPACE: WORKSPACE} | {t: s for t, s in writers.items() if t in scope.apart}
        return {t: self._destination(self._names(s, branch)[0]) for t, s in writers.items()}

    def base_imports(self, bases: Sequence[str], branches: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Of base images of the workspace's own, which have entries for themselves."""
        names = {b: tuple(n for branch in branches for n in self._names(b, branch)) for b in bases}
        return {b: tuple(map(self._source, own)) for b, own in names.items()} if self.type != "inline" else {}

    def base_exports(self, bases: Sequence[str], branch: str) -> Mapping[str, str]:
        """Of base images of the workspace's own."""
        kept = bases if self.type != "inline" else ()
        return {b: self._destination(self._names(b, branch)[0]) for b in kept}

    def states(self, stage: str, branches: Sequence[str]) -> Iterator[str]:
        """The references of what a build keeps."""
        return (f"{self.place}:{name}" for branch in branches for name in self._names(f"{stage}_state", branch))

    def _names(self, service: str, branch: str) -> tuple[str, ...]:
        """Its entry for the platforms of this build, then the one for all.

        No service has a dot or underscore in its name, so what is joined by them stays apart.
        """
        owners = (f"{service}_{self.part}", service) if self.part else (service,)
        return tuple(tag(f"{owner}.{slug(branch)}") for owner in owners)

    def _source(self, name: str) -> str:
        key = {"registry": f"ref={self.place}:{name}", "local": f"src={self.place}/{name}"}
        return f"type={self.type}," + key.get(self.type, f"scope={self.place}.{name}")

    def _destination(self, name: str) -> str:
        key = {"registry": f"ref={self.place}:{name}", "local": f"dest={self.place}/{name}"}
        where = key.get(self.type, f"scope={self.place}.{name}")
        # Asked for explicitly: BuildKit before 0.21 writes manifests that ECR, Harbor and others refuse.
        manifest = "" if self.type == "gha" else ",image-manifest=true,oci-mediatypes=true"
        return f"type={self.type},{where},mode=max{manifest},ignore-error=true{self.options}"
