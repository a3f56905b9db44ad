"""Everything that will be built, as one immutable value: config x workspace x request -> Plan. Pure."""

import dataclasses
import fnmatch
import hashlib
import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bake import config as cfg
from bake.ci import Run
from bake.config import suggestion
from bake.errors import ConfigError, UsageError
from bake.plan.cache import Cache, Scope, make_cache
from bake.plan.closure import Closure, closure
from bake.plan.layers import LayerClass, layer_classes
from bake.plan.project import Project
from bake.plan.tags import known_tags, make_tags, names
from bake.sources import command_binaries
from bake.workspace import ROOT, Manager, Package, Part, Patches, Workspace, shown

EXPORTER = "oci-mediatypes=true,source-date-epoch=0"
"""How every image leaves BuildKit, kept here or pushed: equal layers and settings are then equal digests.

A commit's time would be of no use even to those who want it: steps that a cache had before keep their own, earlier
one (moby/buildkit#4748). Jib and ko give images this time too.
"""

TREE = "/app"
"""Where the workspace lies in build stages and images."""


_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts")
_TYPE_CONDITIONS = frozenset({"types", "typings", "development", "source", "browser"})
_SHELL = re.compile(r"[|&;<>()$`*?#~\n]")


def home(package: str) -> str:
    """Where a package lies in build stages and images."""
    return f"{TREE}/{package}" if package else TREE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line, git and the environment say about one run."""

    targets: tuple[str, ...] = ("all",)
    platforms: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    push: bool = False
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    revision: str = ""
    branch: str = ""
    version: str = ""
    pull_request: str = ""
    source: str = ""
    registry: str = ""
    """Where to push instead of bake.toml's `project.registry`."""
    content: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Target -> hash of what its image is made of, where tags ask for it."""
    image: str | None = None
    """Another name for the one image asked for (the monolith's old contract)."""
    run: Run = dataclasses.field(default_factory=Run)
    cache_to: bool = False
    """Whether this run writes the cache even where `cache.write` would not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The stage that compiles one package."""

    package: str
    name: str
    parts: tuple[Part, ...]
    """Its own source."""
    needs: tuple[str, ...]
    """Packages whose built folders arrive first, in build order."""
    script: str
    """npm script to run; "" when there is nothing to build."""
    args: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keeps_modules: bool = False
    """Whether results of builds lie in the root's node_modules, which then cannot be a mount."""


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Library packages that exactly the same services need: one layer."""

    name: str
    outputs: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A build secret as steps mount it."""

    id: str
    file: str | None
    env: str | None
    option: str
    """The text behind `--mount=`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image: a role of a service."""

    target: str
    service: str
    role: str
    package: str
    repository: str
    references: tuple[str, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    user: str
    port: int | None
    health: cfg.Health | None
    healthcheck: bool
    writable: tuple[str, ...]
    static: bool

    @property
    def stage(self) -> str:
        """Its stage in the Dockerfile; the prefix keeps a service called `install` apart from the stage."""
        return f"image-{self.target}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStage:
    """The stage that all roles of a service share: every layer of their images."""

    service: str
    package: str
    base: str
    libc: str
    layers: tuple[str, ...]
    groups: tuple[str, ...]
    own: str
    static: bool
    user: str
    path: bool
    """Whether the commands need `node_modules/.bin` on PATH."""
    closure: Closure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonolithTarget:
    """The old all-in-one image."""

    dockerfile: str
    context: str
    target: str | None
    references: tuple[str, ...]
    platforms: tuple[str, ...]
    """() means the builder's own."""
    args: Mapping[str, str]
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that will be built. request: what was asked for."""

    request: Request
    project: str
    registry: str | None
    platforms: tuple[str, ...]
    libcs: tuple[str, ...]
    """The C libraries that dependencies are installed for, that of most images first."""
    build_base: str
    build_libc: str
    whole: bool
    isolated: bool
    """Whether each build gets only the dependencies that it can reach."""
    environment: Mapping[str, str]
    stages: tuple[Stage, ...]
    outputs: tuple[Output, ...]
    groups: tuple[Group, ...]
    layers: tuple[LayerClass, ...]
    trim: tuple[str, ...]
    patches: tuple[Patches, ...]
    install_scripts: tuple[str, ...]
    build_scripts: tuple[str, ...]
    services: tuple[ServiceStage, ...]
    images: tuple[Image, ...]
    monolith: MonolithTarget | None
    mounts: tuple[Mount, ...]
    targets: tuple[str, ...]
    """The image targets asked for, in the plan's order."""
    extra: Mapping[str, tuple[str, ...]]
    """Undeclared dependencies per package path."""
    exclude: Mapping[str, tuple[str, ...]]
    """Dependencies that bake.toml leaves out, per package path."""
    manager: Manager
    production: bool
    """Whether a production install has everything that the layers hold."""
    shared_libc: str
    """The C library whose layers are, for the build's own platform, carved from what builds install: no second
    install then; "" when there is none."""
    push: bool
    cache: Cache

    def image(self, target: str) -> Image:
        """The image of that target; KeyError when there is none."""
        return next(i for i in self.images if i.target == target)

    def platforms_of(self, target: str) -> tuple[str, ...]:
        """What a target is built for; "native" where the builder's own platform is meant."""
        if target == "monolith" and self.monolith:
            return self.monolith.platforms or ("native",)
        return self.platforms

    def references_of(self, target: str) -> tuple[str, ...]:
        """The names that a target's image gets."""
        if target == "monolith" and self.monolith:
            return self.monolith.references
        return self.image(target).references

    def selected(self) -> tuple[Image, ...]:
        """The images asked for."""
        return tuple(i for i in self.images if i.target in self.targets)


def make_plan(project: Project, request: Request) -> Plan:
    """Plan the whole workspace and mark what the request asks for.

    Raises UsageError for a target that does not exist, ConfigError for what config and workspace do not agree on.
    """
    config, workspace = project.config, project.workspace
    _check_packages(config, workspace)
    platforms = request.platforms or config.project.platforms
    libc = service_libcs(config)
    images = _images(project, request)
    targets = select(config, request.targets)
    extra = _extra(project, images)
    closures = _closures(project, extra, platforms, libc)
    layers = layer_classes(
        {s: c for s, c in closures.items() if config.services[s].static is None},
        workspace.lock,
        most=config.layers.most,
        libc=libc,
        own=workspace.tool.layout == "walk",
    )
    stages = _stages(project, request, closures)
    outputs, groups = _outputs(project, images, closures, stages)
    return Plan(
        request=request,
        project=config.project.name,
        registry=request.registry or config.project.registry,
        platforms=platforms,
        libcs=_libcs(config, libc),
        build_base=project.pinned(config.base.build),
        build_libc=named_libc(config.base.build),
        whole=config.workspace.build == "whole",
        isolated=_isolated(project, stages),
        environment=config.workspace.environment,
        stages=stages,
        outputs=outputs,
        groups=groups,
        layers=layers,
        trim=config.layers.trim,
        patches=project.patches if workspace.tool.patches else (),
        install_scripts=config.install.scripts,
        build_scripts=config.install.build_scripts,
        services=_service_stages(project, images, closures, layers, groups),
        images=images,
        monolith=_monolith(project, request),
        mounts=tuple(_mount(name, secret) for name, secret in config.secrets.items()),
        targets=targets,
        extra=extra,
        exclude=_exclude(project),
        manager=workspace.tool,
        # npm's lockfile is changed where images need what it marks dev (`bake.closure.promote`).
        production=workspace.manager == "npm"
        or not any(workspace.lock.entries[e].dev for layer in layers for e in layer.entries),
        shared_libc=_shared_libc(project),
        push=request.push,
        cache=make_cache(
            config.cache,
            project=config.project.name,
            registry=request.registry or config.project.registry,
            run=request.run,
            branch=request.branch,
            scope=Scope(
                services={i.target: i.service for i in images} | ({"monolith": "monolith"} if config.monolith else {}),
                selected=targets,
                platforms=platforms,
                every=config.project.platforms,
            ),
            asked=request.cache_to,
        ),
    )


def select(config: cfg.Config, wanted: Sequence[str]) -> tuple[str, ...]:
    """Image targets that the words name: images, services (all their roles), `all`, `monolith`, glob patterns.

    Raises UsageError with a suggestion when a word names nothing.
    """
    names = cfg.image_names(config)
    chosen: set[str] = set()
    for word in wanted:
        found = _matching(word, names, monolith=config.monolith is not None)
        if not found:
            options = ["all", *names, *config.services, *(["monolith"] if config.monolith else [])]
            hint = suggestion(word, options)
            raise UsageError(word, "no such image or service", hint or "see `bake list`")
        chosen.update(found)
    return tuple(n for n in (*names, "monolith") if n in chosen)


def _matching(word: str, names: Mapping[str, tuple[str, str]], *, monolith: bool) -> set[str]:
    if word == "all":
        return set(names)
    if word == "monolith":
        return {"monolith"} if monolith else set()
    pattern = any(c in word for c in "*?[")
    by_service = {n for n, (service, _) in names.items() if service == word}
    return by_service | {n for n in names if n == word or (pattern and fnmatch.fnmatchcase(n, word))}


def stage_name(path: str) -> str:
    """A package path as the name of a stage: lower-case letters, digits and dashes."""
    slug = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"
    plain = path.replace("/", "-") == slug
    return slug if plain and "-" not in path else f"{slug}-{hashlib.sha256(path.encode()).hexdigest()[:4]}"


def _check_packages(config: cfg.Config, workspace: Workspace) -> None:
    """Every package that bake.toml names exists; all complaints at once."""
    complaints: list[str] = []
    members = [o for p in workspace.packages for o in (p.path, p.name)]
    installed = [e.name for e in workspace.lock.entries.values()]
    everyone = [*members, ROOT, workspace.root_package.name]
    named = [(f"services.{s}.package", v.package, everyone) for s, v in config.services.items()]
    named += [(f'packages."{p}"', p, everyone) for p in config.packages]
    needed = [*members, *installed]
    named += [(f'packages."{p}".needs', n, needed) for p, v in config.packages.items() for n in v.needs]
    named += [(f'packages."{p}".serves', n, members) for p, v in config.packages.items() for n in v.serves]
    for where, package, known in named:
        if (package.removeprefix("./").rstrip("/") or ROOT) not in known:
            hint = suggestion(package, known) or "see `bake list --packages`"
            complaints.append(f"{cfg.FILE_NAME}: {where}: no package {package!r} in the workspace; {hint}")
    if complaints:
        raise ConfigError(cfg.FILE_NAME, "names packages that do not exist", complaints=tuple(complaints))


def _path(project: Project, service: str) -> str:
    return project.workspace.package(project.config.services[service].package).path


def _images(project: Project, request: Request) -> tuple[Image, ...]:
    names = cfg.image_names(project.config)
    return tuple(_image(project, request, target, *owner) for target, owner in names.items())


def _image(project: Project, request: Request, target: str, service_name: str, role_name: str) -> Image:
    config = project.config
    service = config.services[service_name]
    role = service.roles[role_name] if role_name else service
    package = project.workspace.package(service.package)
    repository = f"{config.project.name}-{target}"
    where = f"services.{service_name}" + (f".roles.{role_name}" if role_name else "")
    process = _process(where, service, role, package)
    return Image(
        target=target,
        service=service_name,
        role=role_name,
        package=package.path,
        repository=repository,
        references=_references(config, request, repository, target),
        entrypoint=process.entrypoint,
        command=process.command,
        env={"NODE_ENV": "production"}
        | _loader_settings(process)
        | dict(process.env)
        | dict(service.env)
        | dict(role.env),
        labels=_labels(project, request, target, service.labels, role.labels),
        user=role.user or service.user or "1000:1000",
        port=_port(service, role),
        health=_health(service, role),
        healthcheck=bool(role.healthcheck if role.healthcheck is not None else service.healthcheck),
        writable=role.writable or service.writable,
        static=service.static is not None,
    )


def _port(service: cfg.Service, role: cfg.Role) -> int | None:
    if role.port is None and service.static is not None:
        return 8080
    return role.port if role is service or role.port is not None else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    """What runs: ENTRYPOINT and CMD, and the environment that the start script set."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _process(where: str, service: cfg.Service, role: cfg.Role, package: Package) -> _Process:
    """The process that config names, else the one that package.json starts."""
    if service.static is not None:
        root = f"{home(package.path)}/{service.static}".rstrip("/")
        return _Process(command=("node", f"{TREE}/serve.mjs", root), env={"PORT": str(_port(service, role))})
    entrypoint = cfg.words(role.entrypoint or service.entrypoint or ())
    if role.command is not None or entrypoint:
        return _Process(entrypoint=entrypoint, command=cfg.words(role.command or ()))
    if found := _declared(package):
        return found
    raise ConfigError(
        cfg.FILE_NAME, f"{where}.command: missing", f"{_whose(package)} has no plain `start` script to take it from"
    )


def _whose(package: Package) -> str:
    return package.path or "the root package"


def _declared(package: Package) -> _Process | None:
    """What package.json starts: a `start` script without shell syntax, a single binary, or `main`."""
    script = package.scripts.get("start", "")
    if script and not _SHELL.search(script):
        parts = shlex.split(script)
        env = dict(p.split("=", 1) for p in _leading_assignments(parts))
        return _Process(command=tuple(parts[len(env) :]), env=env)
    if len(package.bins) == 1:
        return _Process(entrypoint=("node", *package.bins.values()))
    main = package.manifest.get("main")
    return _Process(command=("node", main)) if isinstance(main, str) else None


def _loader_settings(process: _Process) -> dict[str, str]:
    """Images hold no type declarations, so ts-node must not check types. Source: typestrong.org/ts-node, options."""
    checks = any("ts-node" in word for word in (*process.entrypoint, *process.command))
    return {"TS_NODE_TRANSPILE_ONLY": "true"} if checks else {}


def _health(service: cfg.Service, role: cfg.Role) -> cfg.Health | None:
    """The role's own, else the service's; an HTTP path is not handed to a role without a port."""
    given = role.health if role.health is not None else service.health
    health = cfg.Health(path=given) if isinstance(given, str) else given
    inherited = role.health is None and role is not service
    return None if health and inherited and health.path and role.port is None else health


def _leading_assignments(parts: Sequence[str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if not re.match(r"[A-Za-z_]\w*=", part):
            break
        found.append(part)
    return found


def _references(config: cfg.Config, request: Request, repository: str, target: str) -> tuple[str, ...]:
    return tuple(
        f"{_name(config, request, repository)}:{tag}"
        for tag in make_tags(_patterns(config, request), _values(request, target))
    )


def _name(config: cfg.Config, request: Request, repository: str) -> str:
    registry = request.registry or config.project.registry
    return request.image or (f"{registry}/{repository}" if request.push and registry else repository)


def _patterns(config: cfg.Config, request: Request) -> tuple[str, ...]:
    return request.tags or cfg.words(config.project.tag)


def _values(request: Request, target: str) -> Mapping[str, str]:
    return {
        "sha": request.revision[:12],
        "branch": request.branch,
        "version": request.version,
        "pr": request.pull_request,
        "content": request.content.get(target, ""),
    }


def content_patterns(project: Project, request: Request) -> tuple[str, ...]:
    """The request's tag patterns that hold {content}."""
    return tuple(p for p in _patterns(project.config, request) if names(p, "content"))


def content_references(project: Project, request: Request) -> Mapping[str, str]:
    """Target -> the reference that stands for its inputs; nothing when no tag pattern holds {content}, or none has all
    its values.
    """
    patterns = content_patterns(project, request)
    name, monolith = project.config.project.name, project.config.monolith
    named = {t: f"{name}-{t}" for t in cfg.image_names(project.config)}
    named |= {"monolith": monolith.image or name} if monolith else {}
    return {
        target: f"{_name(project.config, request, repository)}:{tags[0]}"
        for target, repository in named.items()
        if (tags := known_tags(patterns, _values(request, target)))
    }


def retagged(project: Project, plan: Plan, request: Request) -> Plan:
    """The plan with the tags of another request for the same images."""
    images = tuple(
        dataclasses.replace(i, references=_references(project.config, request, i.repository, i.target))
        for i in plan.images
    )
    return dataclasses.replace(plan, request=request, images=images, monolith=_monolith(project, request))


def _labels(project: Project, request: Request, target: str, *tables: Mapping[str, str]) -> Mapping[str, str]:
    config = project.config
    version = config.project.version or request.version or project.workspace.root_package.version
    own = {
        "org.opencontainers.image.title": f"{config.project.name}-{target}",
        "org.opencontainers.image.source": config.project.source or "",
    }
    if config.labels.get("revision") is True:
        own |= {
            "org.opencontainers.image.source": config.project.source or request.source,
            "org.opencontainers.image.revision": request.revision,
            "org.opencontainers.image.version": version,
        }
    labels = {k: v for k, v in own.items() if v} | {k: v for k, v in config.labels.items() if isinstance(v, str)}
    for table in tables:
        labels |= table
    return labels


def _extra(project: Project, images: Iterable[Image]) -> Mapping[str, tuple[str, ...]]:
    """Per package path: the dependencies that config, imports and commands add to what it declares."""
    workspace = project.workspace
    found: dict[str, set[str]] = {}
    for package in project.packages:
        settings = project.settings(package)
        names = set(settings.dependencies)
        names |= {u.import_.name for u in project.undeclared(package.path) if u.provider}
        found[package.path] = names - set(settings.ignore)
    for image in images:
        if not image.static:
            found[image.package] |= set(command_binaries(workspace, image.package, (*image.entrypoint, *image.command)))
    return {path: tuple(sorted(names)) for path, names in found.items() if names}


def _closures(
    project: Project, extra: Mapping[str, tuple[str, ...]], platforms: tuple[str, ...], libc: Mapping[str, str]
) -> Mapping[str, Closure]:
    """The closure of each service that runs on Node; a static service has none."""
    empty = Closure(entries=(), packages=(), via={})
    exclude = _exclude(project)
    return {
        name: _with_served(
            project,
            closure(
                project.workspace.lock,
                _path(project, name),
                platforms=platforms,
                libc=libc[name],
                extra=extra,
                exclude=exclude,
            ),
        )
        if service.static is None
        else empty
        for name, service in project.config.services.items()
    }


def _with_served(project: Project, reach: Closure) -> Closure:
    """The closure with the packages that those in it serve the files of."""
    workspace = project.workspace
    named = {
        workspace.package(n).path: p for p in reach.packages for n in project.settings(workspace.package(p)).serves
    }
    served = {path: by for path, by in named.items() if path not in reach.packages}
    if not served:
        return reach
    packages = tuple(sorted({*reach.packages, *served}))
    return dataclasses.replace(reach, packages=packages, via={**reach.via, **served}, served=tuple(sorted(served)))


def _exclude(project: Project) -> Mapping[str, tuple[str, ...]]:
    ignore = {p.path: project.settings(p).ignore for p in project.packages}
    return {path: names for path, names in ignore.items() if names}


def _needs(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Direct build needs per package path: declared, referenced, imported without a declaration, configured."""
    workspace = project.workspace
    needs: dict[str, tuple[str, ...]] = {}
    for package in project.packages:
        settings = project.settings(package)
        named = {found.path for n in settings.needs if (found := workspace.find(n))}
        members = {workspace.package(m).path for m in project.members(package.path)}
        needs[package.path] = tuple(sorted({*workspace.needs(package.path), *named, *members} - {package.path}))
    return needs


def _reach(path: str, needs: Mapping[str, tuple[str, ...]], seen: dict[str, None]) -> dict[str, None]:
    """Add a package and all that it needs, needed ones first as far as they do not need each other."""
    pending = [(path, iter(needs[path]))]
    entered = {*seen, path}
    while pending:
        one, rest = pending[-1]
        need = next((n for n in rest if n not in entered), None)
        if need is None:
            seen[one] = None
            pending.pop()
        else:
            entered.add(need)
            pending.append((need, iter(needs[need])))
    return seen


def _refuse_circles(needs: Mapping[str, tuple[str, ...]], own: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ConfigError for packages whose builds need each other. own: what each build needs, directly or not."""
    for path in sorted(own):
        for other in own[path]:
            if path in own.get(other, ()):
                circle = " -> ".join((*_way(path, other, needs), *_way(other, path, needs)[1:]))
                what = f"packages need each other to build: {circle}"
                raise ConfigError("workspace", what, 'set workspace.build = "whole"')


def _way(start: str, goal: str, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The shortest way from one package to another that it needs."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in ways:
        if way[-1] == goal:
            return way
        ways += [(*way, need) for need in needs[way[-1]] if need not in seen]
        seen |= {*needs[way[-1]]}
    return ()


def _stages(project: Project, request: Request, closures: Mapping[str, Closure]) -> tuple[Stage, ...]:
    needs = _needs(project)
    services = [_path(project, s) for s in project.config.services]
    order: dict[str, None] = {}
    for root in sorted({*services, *(p for c in closures.values() for p in c.packages)}):
        _reach(root, needs, order)
    reach = {p: tuple(n for n in _reach(p, needs, {}) if n != p) for p in order}
    # One stage for all has no order between packages that need each other: their scripts run as they come.
    if project.config.workspace.build == "whole":
        return tuple(_stage(project, request, p, reach[p]) for p in order)
    building = _building(project)
    _refuse_circles(needs, {p: reach[p] for p in order if p in building})
    own = {p: reach[p] if p in building else _written(project, p, reach) for p in order}
    # Each after what it needs, which reaches less than it.
    places = sorted(order, key=lambda p: (len(reach[p]) if own[p] else 0, p in building))
    return tuple(_stage(project, request, p, own[p]) for p in places)


def _written(project: Project, path: str, reach: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a package without a script needs: those that may write into it. Else it stays the source that it is."""
    writers = (n for n in reach[path] if project.settings(project.workspace.package(n)).outputs)
    return tuple(n for n in writers if path not in reach[n])


def _building(project: Project) -> frozenset[str]:
    """Paths of the packages that have a script to build them."""
    return frozenset(p.path for p in project.packages if _script(project, p, project.settings(p)))


def _stage(project: Project, request: Request, path: str, needs: tuple[str, ...]) -> Stage:
    package = project.workspace.package(path)
    settings = project.settings(package)
    return Stage(
        package=path,
        name=f"build-{stage_name(path)}",
        parts=project.parts[path],
        needs=needs,
        script=_script(project, package, settings),
        args={k: _arg(v, request.environment) for k, v in settings.args.items()},
        inputs=settings.inputs,
        outputs=settings.outputs,
        keeps_modules=any(
            output.removeprefix("./").startswith("node_modules/")
            for p in (path, *needs)
            for output in project.settings(project.workspace.package(p)).outputs
        ),
    )


def _shared_libc(project: Project) -> str:
    """npm puts a package to the same place with and without development ones, and scripts change what they find."""
    install = project.config.install
    shares = project.workspace.manager == "npm" and not (install.scripts or install.build_scripts)
    return named_libc(project.config.base.build) if shares else ""


def service_libcs(config: cfg.Config) -> Mapping[str, str]:
    """Service -> the C library of its base image: what config says of it, else what the image's name tells."""
    runtime = config.base.libc or named_libc(config.base.runtime)
    return {
        name: service.libc or (named_libc(service.base, otherwise=runtime) if service.base else runtime)
        for name, service in config.services.items()
    }


def named_libc(image: str, *, otherwise: str = "glibc") -> str:
    """The C library of an image, as its name tells; `otherwise` when it tells none."""
    if re.search(r"alpine|musl", image):
        return "musl"
    return "glibc" if re.search(r"slim|debian|bullseye|bookworm|trixie|ubuntu|distroless|ubi\d", image) else otherwise


def _libcs(config: cfg.Config, libc: Mapping[str, str]) -> tuple[str, ...]:
    users = Counter(libc[name] for name, service in config.services.items() if service.static is None)
    return tuple(sorted(users, key=lambda one: (-users[one], one))) or (named_libc(config.base.runtime),)


def _isolated(project: Project, stages: Sequence[Stage]) -> bool:
    """A single build has nobody to be kept apart from."""
    settings = project.config.workspace
    several = settings.build == "split" and sum(bool(s.script) for s in stages) > 1
    return settings.isolate and several and project.workspace.tool.isolates


def _script(project: Project, package: Package, settings: cfg.PackageSettings) -> str:
    if settings.build is False:
        return ""
    if isinstance(settings.build, str):
        if settings.build not in package.scripts:
            hint = suggestion(settings.build, package.scripts)
            raise ConfigError(
                cfg.FILE_NAME, f'packages."{shown(package.path)}".build: no script {settings.build!r} there', hint
            )
        return settings.build
    script = project.config.workspace.script
    return script if script in package.scripts else ""


def _arg(value: str | cfg.Arg, environment: Mapping[str, str]) -> str:
    return value if isinstance(value, str) else environment.get(value.env, value.default)


def _outputs(
    project: Project, images: Sequence[Image], closures: Mapping[str, Closure], stages: Sequence[Stage]
) -> tuple[tuple[Output, ...], tuple[Group, ...]]:
    """What each package leaves in images, and which library packages share a layer."""
    users: dict[str, set[str]] = {}
    imported: set[str] = set()
    for service, reach in closures.items():
        own = _path(project, service)
        users.setdefault(own, set())
        imported |= {*reach.packages} - {own, *reach.served}
        for path in set(reach.packages) - {own}:
            users.setdefault(path, set()).add(service)
    by_package = {s.package: s for s in stages}
    outputs = tuple(_output(project, by_package[p], images, imported=p in imported) for p in sorted(users))
    shared: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(users):
        if users[path]:
            shared.setdefault(tuple(sorted(users[path])), []).append(stage_name(path))
    groups = tuple(Group(name=f"packages-{_group_name(k)}", outputs=tuple(v)) for k, v in sorted(shared.items()))
    return outputs, groups


def _group_name(services: tuple[str, ...]) -> str:
    return services[0] if len(services) == 1 else hashlib.sha256("\n".join(services).encode()).hexdigest()[:8]


def _output(project: Project, stage: Stage, images: Sequence[Image], *, imported: bool) -> Output:
    package = project.workspace.package(stage.package)
    settings = project.settings(package)
    mine = {n: s for n, s in project.config.services.items() if project.workspace.package(s.package) == package}
    static = {s.static: n for n, s in mine.items() if s.static}
    sources = settings.sources if settings.sources is not None else runs_sources(package, images)
    folders = tuple(f"{s.strip('/')}/**" for s in sorted(static))
    served = settings.files is None and static
    return Output(
        package=package.path,
        stage=stage.name,
        name=stage_name(package.path),
        files=settings.files if settings.files is not None else (folders or None),
        key=f"services.{min(static.values())}.static" if served else f'packages."{shown(package.path)}".files',
        exclude=settings.exclude,
        others=tuple(posixpath.relpath(p, package.path or ".") for p in project.workspace.inside(package.path)),
        sources=sources,
        extra=(*stage.outputs, *(project.tsconfigs if sources else ())),
        imported=imported,
    )


def runs_sources(package: Package, images: Iterable[Image]) -> bool:
    """Whether processes load the package's TypeScript sources: a command or an entry point names one."""
    words = [w for i in images if i.package == package.path for w in (*i.entrypoint, *i.command)]
    if any(w.endswith(_TYPESCRIPT) or w in {"tsx", "ts-node"} for w in words):
        return True
    entries = [
        package.manifest.get("main"),
        *_targets(package.manifest.get("exports")),
        *package.bins.values(),
    ]
    return any(isinstance(e, str) and e.endswith(_TYPESCRIPT) and not e.endswith(".d.ts") for e in entries)


def _targets(exports: object) -> list[object]:
    """The files that an `exports` field can resolve to at run time in Node."""
    if isinstance(exports, dict):
        return [t for k, v in exports.items() if k not in _TYPE_CONDITIONS for t in _targets(v)]
    return [t for v in exports for t in _targets(v)] if isinstance(exports, list) else [exports]


def _service_stages(
    project: Project,
    images: Sequence[Image],
    closures: Mapping[str, Closure],
    layers: Sequence[LayerClass],
    groups: Sequence[Group],
) -> tuple[ServiceStage, ...]:
    result: list[ServiceStage] = []
    libc = service_libcs(project.config)
    for name, service in project.config.services.items():
        own = stage_name(_path(project, name))
        reached = {stage_name(p) for p in closures[name].packages} - {own}
        mine = [i for i in images if i.service == name]
        result.append(
            ServiceStage(
                service=name,
                package=_path(project, name),
                base=project.pinned(service.base or project.config.base.runtime),
                libc=libc[name],
                layers=tuple(layer.id for layer in layers if name in layer.services),
                groups=tuple(g.name for g in groups if set(g.outputs) <= reached),
                own=own,
                static=service.static is not None,
                user=mine[0].user,
                path=any(_by_name((*i.entrypoint, *i.command)) for i in mine),
                closure=closures[name],
            )
        )
    return tuple(result)


def _by_name(command: Sequence[str]) -> bool:
    """Whether a command, or the shell line in it, is looked up on PATH among the packages' binaries."""
    return bool(command) and command[0] != "node" and ("/" not in command[0] or command[0] in _SHELLS)


_SHELLS = frozenset({"/bin/sh", "/bin/bash", "/bin/ash"})


def _monolith(project: Project, request: Request) -> MonolithTarget | None:
    settings = project.config.monolith
    if settings is None:
        return None
    return MonolithTarget(
        dockerfile=settings.dockerfile,
        context=settings.context,
        target=settings.target,
        references=_references(project.config, request, settings.image or project.config.project.name, "monolith"),
        platforms=request.platforms or settings.platforms,
        args={k: _arg(v, request.environment) for k, v in settings.args.items()},
        labels=_labels(project, request, "monolith"),
    )


def _mount(name: str, secret: cfg.Secret) -> Mount:
    """How steps mount a secret; `npmrc` and `ca` have their usual places."""
    options = ["type=secret", f"id={name}"]
    if secret.variable:
        options.append(f"env={secret.variable}")
    else:
        places = {"npmrc": "/root/.npmrc", "ca": "/run/secrets/ca"}
        options.append(f"target={secret.target or places.get(name, f'/run/secrets/{name}')}")
    if secret.required:
        options.append("required=true")
    return Mount(id=name, file=secret.file, env=secret.env, option=",".join(options))
