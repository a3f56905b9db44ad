"""What of each built package goes into images, and which packages share a layer."""

import dataclasses
import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bake import config as cfg
from bake.plan.closure import Closure
from bake.plan.images import Image, home, image_needs
from bake.plan.stages import Stage, stage_name
from bake.project import Project
from bake.sources import LOADERS, SETTINGS_READERS, outer_paths, unneeded
from bake.workspace import Package, shown

_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts")

_TYPE_CONDITIONS = frozenset({"types", "typings", "development", "source", "browser"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What of a built package goes into images: the specification that docker/carve reads."""

    package: str
    stage: str
    name: str
    files: tuple[str, ...] | None
    key: str
    """The key of bake.toml that says or can say which files."""
    exclude: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Folders in it that are other packages, relative to it."""
    sources: bool
    extra: tuple[str, ...]
    """Paths from the workspace's root that belong to it."""
    imported: bool
    """Whether other packages import it, so that its `main` has to be there."""
    maps: bool = True
    """Whether images have its source maps."""
    built: bool = True
    """Whether a build may write files of it."""
    unneeded: tuple[str, ...] = ()
    """Its sources that only development needs."""
    settings: tuple[str, ...] = ()
    """Its .env files that git tracks: an image may hold them."""
    writable: tuple[tuple[str, str], ...] = ()
    """(absolute folder, its user) for what its processes write to."""
    entries: tuple[str, ...] = ()
    """What its processes start with, where their code is traced."""
    standalone: str = ""
    """The folder of the build output that is all of it; libraries and dependencies are inside."""
    starts: tuple[str, ...] = ()
    """The folders that its processes start in."""
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Absolute places that its code knows -> what they are in the workspace."""
    reads: tuple[str, ...] = ()
    """What these may read outside the package and its build does not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Library packages that exactly the same services need: one layer."""

    name: str
    outputs: tuple[str, ...]


def package_outputs(
    project: Project, images: Sequence[Image], closures: Mapping[str, Closure], stages: Sequence[Stage]
) -> tuple[tuple[Output, ...], tuple[Group, ...]]:
    """What each package leaves in images, and which library packages share a layer."""
    users: dict[str, set[str]] = {}
    imported: set[str] = set()
    for service, reach in closures.items():
        own = project.service_path(service)
        users.setdefault(own, set())
        imported |= {*reach.packages} - {own, *reach.served}
        for path in set(reach.packages) - {own}:
            users.setdefault(path, set()).add(service)
    by_package = {s.package: s for s in stages}
    services, mine, writing = _services_of(project), _images_of(images), [i for i in images if i.writable]
    whole = tuple(
        _output(project, by_package[p], services.get(p, {}), mine.get(p, ()), writing, imported=p in imported)
        for p in sorted(users)
    )
    outputs = _worth_tracing(project, closures, whole, by_package)
    shared: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(users):
        if users[path]:
            shared.setdefault(tuple(sorted(users[path])), []).append(stage_name(path))
    groups = tuple(Group(name=f"packages-{_group_name(k)}", outputs=tuple(v)) for k, v in sorted(shared.items()))
    return outputs, groups


def _worth_tracing(
    project: Project, closures: Mapping[str, Closure], outputs: Sequence[Output], stages: Mapping[str, Stage]
) -> tuple[Output, ...]:
    """The outputs; without entries where images hold all that there is, so that following the code finds nothing."""
    partial = {o.package for o in outputs if _leaves_something(project, o, stages[o.package])}
    reached: dict[str, set[str]] = {}
    for service, reach in closures.items():
        reached.setdefault(project.service_path(service), {project.service_path(service)}).update(reach.packages)
    return tuple(
        o if not o.entries or reached[o.package] & partial else dataclasses.replace(o, entries=(), reads=())
        for o in outputs
    )


def _leaves_something(project: Project, output: Output, stage: Stage) -> bool:
    """Whether there is something beside its images' files that the package's processes may read."""
    elsewhere = bool(output.links) or any(folder != output.package for folder in output.starts)
    outside = project.outside(output.package)
    beyond = elsewhere or stage.inputs or outside.built or outside.run or project.links(output.package)
    typescript = not output.sources and any(f.endswith(_TYPESCRIPT) for f in project.sources_of(output.package))
    return bool(beyond or typescript or output.unneeded or output.files is not None)


def _group_name(services: tuple[str, ...]) -> str:
    return services[0] if len(services) == 1 else hashlib.sha256("\n".join(services).encode()).hexdigest()[:8]


def _services_of(project: Project) -> Mapping[str, Mapping[str, cfg.Service]]:
    """Package path -> the services that it is the package of."""
    found: dict[str, dict[str, cfg.Service]] = {}
    for name, service in project.config.packaged.items():
        found.setdefault(project.service_path(name), {})[name] = service
    return found


def _images_of(images: Sequence[Image]) -> Mapping[str, Sequence[Image]]:
    """Package path -> the images of its services."""
    found: dict[str, list[Image]] = {}
    for image in images:
        found.setdefault(image.package, []).append(image)
    return found


def _output(
    project: Project,
    stage: Stage,
    services: Mapping[str, cfg.Service],
    images: Sequence[Image],
    writing: Sequence[Image],
    *,
    imported: bool,
) -> Output:
    """What a package leaves; services, images: its own. writing: all images that write to folders."""
    package = project.workspace.package(stage.package)
    settings = project.settings(package)
    standalone = next((s.standalone.rstrip("/") for s in services.values() if s.standalone), "")
    entries = _entries(project, images) if project.config.workspace.trace and not standalone else ()
    static = {s.static: n for n, s in services.items() if s.static}
    sources = settings.sources if settings.sources is not None else runs_sources(package, images)
    configured = sources or _reads_tsconfig(package, images)
    files = project.sources_of(package.path)
    folders = tuple(f"{s.strip('/')}/**" for s in sorted(static))
    served = settings.files is None and static
    listed = settings.files if settings.files is not None else (folders or None)
    return Output(
        package=package.path,
        stage=stage.name,
        name=stage_name(package.path),
        files=listed,
        key=f"services.{min(static.values())}.static" if served else f'packages."{shown(package.path)}".files',
        exclude=settings.exclude,
        others=tuple(posixpath.relpath(p, package.path or ".") for p in project.workspace.inside(package.path)),
        sources=sources,
        extra=(
            *stage.outputs,
            *(project.tsconfigs if configured else ()),
            *_named_by_commands(project, package, images),
        ),
        imported=imported,
        maps=project.config.workspace.maps,
        built=bool(stage.script),
        unneeded=unneeded(files, files=listed, sources=configured, read=_tools_read(package, images)),
        settings=tuple(f for f in files if posixpath.basename(f).startswith(".env")),
        writable=tuple(dict.fromkeys(_writable(project, package, writing))),
        links={p: to for s in services.values() for p, to in s.places.items()},
        starts=tuple(dict.fromkeys(i.directory for i in images if not i.static)),
        entries=entries,
        standalone=standalone,
        reads=stage.beside if entries else (),
    )


def _writable(project: Project, package: Package, images: Iterable[Image]) -> Iterator[tuple[str, str]]:
    """The folders that processes of images write to, with their users: of a package's own, and in a library."""
    place, inside = f"{home(package.path)}/", [f"{home(p)}/" for p in project.workspace.inside(package.path)]
    for image in images:
        for folder in image.writable:
            its = package.path and f"{folder}/".startswith(place) and not f"{folder}/".startswith(tuple(inside))
            if its or image.package == package.path:
                yield folder, image.user


_COMMENT_READERS = frozenset({"swagger-jsdoc", "express-jsdoc-swagger"})


def runs_sources(package: Package, images: Iterable[Image]) -> bool:
    """Whether processes read the package's TypeScript sources: a command or an entry point names one, or libraries do.

    Those have globs of sources for the comments in them. Source: github.com/Surnet/swagger-jsdoc, its `apis`.
    """
    if _COMMENT_READERS & package.dependencies.keys():
        return True
    words = [w for i in images for w in (*i.entrypoint, *i.command)]
    if any(w.endswith(_TYPESCRIPT) or w in {"tsx", "ts-node"} for w in words):
        return True
    entries = [
        package.manifest.get("main"),
        *_targets(package.manifest.get("exports")),
        *package.bins.values(),
    ]
    return any(isinstance(e, str) and e.endswith(_TYPESCRIPT) and not e.endswith(".d.ts") for e in entries)


def _reads_tsconfig(package: Package, images: Iterable[Image]) -> bool:
    """Whether something that reads tsconfig.json at run time is a dependency or in a command."""
    return _uses(LOADERS, package, images)


def _named_by_commands(project: Project, package: Package, images: Iterable[Image]) -> tuple[str, ...]:
    """Files outside the package that commands name: `--env-file=../../.env.live`."""
    read = project.outside(package.path)
    held = {*read.built, *read.run}
    words = ((i.directory, w) for i in images if not i.static for w in (*i.entrypoint, *i.command))
    named = (posixpath.normpath(posixpath.join(d, part)) for d, w in words for part in outer_paths(w))
    return tuple(dict.fromkeys(path for path in named if path in held))


def _tools_read(package: Package, images: Sequence[Image]) -> tuple[str, ...]:
    """Tools whose settings processes read."""
    return tuple(tool for tool, readers in SETTINGS_READERS.items() if _uses(readers, package, images))


def _uses(names: frozenset[str], package: Package, images: Iterable[Image]) -> bool:
    """Whether one of some packages is a dependency or in a command."""
    words = " ".join(w for i in images for w in (*i.entrypoint, *i.command))
    return bool(names & package.dependencies.keys()) or any(f" {name}" in f" {words}" for name in names)


def _entries(project: Project, images: Iterable[Image]) -> tuple[str, ...]:
    """The files that the package's processes start with, relative to it, and the settings that their commands load."""
    mine = (i for i in images if not i.static)
    found = [(image.package, image_needs(project.workspace, image)) for image in mine]
    files = (file for _, needs in found for file in (*needs.files, *needs.beside))
    settings = (s for path, needs in found for s in _loaded_settings(project.sources_of(path), needs.packages))
    return tuple(dict.fromkeys((*files, *settings)))


_SETTINGS = re.compile(r"([a-z][\w-]*?)(?:\.config|-config|file)\.[cm]?ts")


def _loaded_settings(files: Iterable[str], packages: Iterable[str]) -> Iterator[str]:
    """Settings in TypeScript that commands of packages compile by themselves: drizzle-kit its drizzle.config.ts, knex
    its knexfile.ts. Next.js wants the compiler itself for that, which no image has."""
    parts = {part for name in packages for part in re.split("[@/]", name)} - {"next"}
    for file in files:
        named = _SETTINGS.fullmatch(file)
        if named and any(part == named[1] or part.startswith(f"{named[1]}-") for part in parts):
            yield file


def _targets(exports: object) -> list[object]:
    """The files that an `exports` field can resolve to at run time in Node."""
    if isinstance(exports, dict):
        return [t for k, v in exports.items() if k not in _TYPE_CONDITIONS for t in _targets(v)]
    return [t for v in exports for t in _targets(v)] if isinstance(exports, list) else [exports]
