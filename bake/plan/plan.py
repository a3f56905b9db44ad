"""Everything that will be built, as one immutable value: config x workspace x request -> Plan. Pure."""

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence

from bake import config as cfg
from bake.config import suggestion
from bake.errors import ConfigError, UsageError
from bake.plan.dockerfiles import MONOLITH, Dockered, Monolith, dockered_images, plan_monolith
from bake.plan.images import Image, ServiceImage, Target, images_of
from bake.plan.layers import LayerClass, layer_classes
from bake.plan.outputs import Group, Output, package_outputs
from bake.plan.request import Request
from bake.plan.services import (
    BuiltBase,
    MinimalBase,
    ServiceStage,
    added_dependencies,
    built_bases,
    excluded,
    held_closures,
    named_libc,
    service_closures,
    service_libcs,
    service_stages,
    shared_libc,
    used_libcs,
)
from bake.plan.stages import Stage, build_stages, isolates_builds
from bake.plan.turns import Turns, plan_turns
from bake.project import Project
from bake.workspace import ROOT, Manager, Patches, Workspace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A build secret as steps mount it."""

    id: str
    file: str | None
    env: str | None
    option: str
    """The text behind `--mount=`."""
    ssh: bool = False
    """Whether it lets git log in, rather than being a file or a variable."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """Where packages are compiled, and by which stages."""

    base: str
    libc: str
    whole: bool
    """Whether one stage builds all."""
    isolated: bool
    """Whether each build gets only the dependencies that it can reach."""
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    stages: tuple[Stage, ...]
    turns: Turns | None
    """The order of builds that are ready at once; None where there are no two."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What buildx is given beside the bake file."""
        return self.turns.variables if self.turns else {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """How third-party packages get into `node_modules`."""

    manager: Manager
    production: bool
    """Whether a production install has everything that the layers hold."""
    libcs: tuple[str, ...]
    """The C libraries that dependencies are installed for, that of most images first."""
    shared_libc: str
    """The C library whose layers are, for the build's own platform, carved from what builds install: no second
    install then; "" when there is none."""
    scripts: tuple[str, ...]
    """Packages whose install scripts run for images."""
    build_scripts: tuple[str, ...]
    """Packages whose install scripts run for builds."""
    patches: tuple[Patches, ...]
    vendored: tuple[str, ...]
    """Files and folders of the workspace that installs read beside manifests and settings."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What images share, and what decides which dependencies they hold."""

    classes: tuple[LayerClass, ...]
    groups: tuple[Group, ...]
    trim: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]
    """Undeclared dependencies per package path."""
    exclude: Mapping[str, tuple[str, ...]]
    """Dependencies that bake.toml leaves out, per package path."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that will be built. request: what was asked for. dockered: what has a Dockerfile of its own."""

    request: Request
    project: str
    registry: str | None
    mirrors: tuple[str, ...] = ()
    """Further registries that a push goes to."""
    platforms: tuple[str, ...]
    targets: tuple[str, ...]
    """The image targets asked for, in the plan's order."""
    builds: Builds
    install: Install
    layers: Layers
    outputs: tuple[Output, ...]
    bases: tuple[BuiltBase, ...]
    services: tuple[ServiceStage, ...]
    images: tuple[Image, ...]
    dockered: tuple[Dockered, ...] = ()
    monolith: Monolith | None

    @property
    def traces(self) -> bool:
        """Whether the code of any process is followed."""
        return any(output.entries for output in self.outputs) or bool(self.traced)

    @property
    def traced(self) -> tuple[ServiceStage, ...]:
        """The services whose images hold only the files that their processes can load."""
        return tuple(s for s in self.services if s.traced)

    @property
    def whole_layers(self) -> tuple[LayerClass, ...]:
        """The layer classes that images hold whole."""
        whole = {s.service for s in self.services if not s.traced}
        return tuple(layer for layer in self.layers.classes if whole.intersection(layer.services))

    @property
    def minimal(self) -> tuple[MinimalBase, ...]:
        """The minimal bases that images stand on, each once."""
        return tuple({s.minimal.name: s.minimal for s in self.services if s.minimal}.values())

    @property
    def without_state(self) -> "Plan":
        """The same, of builds that keep nothing for the next ones."""
        stages = tuple(dataclasses.replace(stage, state="") for stage in self.builds.stages)
        return dataclasses.replace(self, builds=dataclasses.replace(self.builds, stages=stages))

    def base_of(self, service: ServiceStage) -> BuiltBase | None:
        """The base of the workspace's own that a service's images are made from."""
        return next((base for base in self.bases if base.name == service.base), None)

    def image(self, target: str) -> Image:
        """The image of that target; KeyError when there is none."""
        return next(i for i in self.images if i.target == target)

    @property
    def processes(self) -> tuple[ServiceImage, ...]:
        """The images of all services, whatever they are made from."""
        return (*self.images, *self.dockered)

    @property
    def owners(self) -> Mapping[str, str]:
        """Target -> its service; an image that is of none is its own."""
        return {t.target: t.service if isinstance(t, ServiceImage) else t.target for t in self.everything}

    @property
    def everything(self) -> tuple[Target, ...]:
        """All that can be built: the services' images, and the old one."""
        return (*self.processes, *([self.monolith] if self.monolith else []))

    def asked(self) -> tuple[Target, ...]:
        """What is asked for, the old image too."""
        return tuple(t for t in self.everything if t.target in self.targets)

    def platforms_of(self, target: str) -> tuple[str, ...]:
        """What a target is built for; "native" where the builder's own platform is meant."""
        if self.monolith and target == self.monolith.target:
            return self.monolith.platforms or ("native",)
        return self.platforms

    def selected(self) -> tuple[Image, ...]:
        """The images of packages that are asked for."""
        return tuple(i for i in self.images if i.target in self.targets)

    def chosen(self) -> tuple[ServiceImage, ...]:
        """The images of services that are asked for, whatever they are made from."""
        return tuple(p for p in self.processes if p.target in self.targets)


def make_plan(project: Project, request: Request) -> Plan:
    """Plan the whole workspace and mark what the request asks for.

    Raises UsageError for a target that does not exist, ConfigError for what config and workspace do not agree on.
    """
    config, workspace = project.config, project.workspace
    _check_packages(config, workspace)
    platforms = request.platforms or config.project.platforms
    libc = service_libcs(config, project.bases)
    images = images_of(project, request)
    targets = select(config, request.targets)
    extra = added_dependencies(project, images)
    closures = service_closures(project, extra, platforms, libc)
    held = held_closures(config, closures)
    classes = layer_classes(
        {s: c for s, c in held.items() if config.services[s].static is None},
        workspace.lock,
        most=config.layers.most,
        libc=libc,
        own=workspace.tool.layout == "walk",
    )
    stages = build_stages(project, request, closures)
    outputs, groups = package_outputs(project, images, held, stages)
    first = request.registry or config.project.registry
    registries = tuple(dict.fromkeys((*([first] if first else []), *(request.mirrors or config.project.mirrors))))
    return Plan(
        request=request,
        project=config.project.name,
        registry=registries[0] if registries else None,
        mirrors=registries[1:],
        platforms=platforms,
        targets=targets,
        builds=_builds(project, stages),
        install=_install(project, classes, used_libcs(config, libc)),
        layers=Layers(classes=classes, groups=groups, trim=config.layers.trim, extra=extra, exclude=excluded(project)),
        outputs=outputs,
        bases=built_bases(project, request),
        services=service_stages(project, images, closures, classes, groups),
        images=images,
        dockered=dockered_images(project, request),
        monolith=plan_monolith(project, request),
    )


def _builds(project: Project, stages: tuple[Stage, ...]) -> Builds:
    config = project.config
    return Builds(
        base=project.pinned(config.base.build),
        libc=named_libc(config.base.build),
        whole=config.workspace.build == "whole",
        isolated=isolates_builds(project, stages),
        environment=config.workspace.environment,
        mounts=tuple(_mount(name, secret) for name, secret in config.secrets.items()),
        stages=stages,
        turns=plan_turns(project, stages),
    )


def _install(project: Project, classes: Sequence[LayerClass], libcs: tuple[str, ...]) -> Install:
    config, workspace = project.config, project.workspace
    return Install(
        manager=workspace.tool,
        # npm's lockfile is changed where images need what it marks dev (`bake.lockfile.make_production`).
        production=workspace.manager == "npm"
        or not any(workspace.lock.entries[e].dev for layer in classes for e in layer.entries),
        libcs=libcs,
        shared_libc=shared_libc(project),
        scripts=config.install.scripts,
        build_scripts=config.install.build_scripts,
        patches=project.patches if workspace.tool.patches else (),
        vendored=project.vendored,
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
            options = ["all", *names, *config.services, *([MONOLITH] if config.monolith else [])]
            hint = suggestion(word, options)
            raise UsageError(word, "no such image or service", hint or "see `bake list`")
        chosen.update(found)
    return tuple(n for n in (*names, MONOLITH) if n in chosen)


def _matching(word: str, names: Mapping[str, tuple[str, str]], *, monolith: bool) -> set[str]:
    if word == "all":
        return set(names)
    if word == MONOLITH:
        return {MONOLITH} if monolith else set()
    pattern = any(c in word for c in "*?[")
    by_service = {n for n, (service, _) in names.items() if service == word}
    return by_service | {n for n in names if n == word or (pattern and fnmatch.fnmatchcase(n, word))}


def _check_packages(config: cfg.Config, workspace: Workspace) -> None:
    """Every package that bake.toml names exists; all complaints at once."""
    complaints: list[str] = []
    members = [o for p in workspace.packages for o in (p.path, p.name)]
    installed = [e.name for e in workspace.lock.entries.values()]
    everyone = [*members, ROOT, workspace.root_package.name]
    named = [(f"services.{s}.package", v.package, everyone) for s, v in config.packaged.items()]
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


def _mount(name: str, secret: cfg.Secret) -> Mount:
    """How steps mount a secret; `npmrc` and `ca` have their usual places."""
    if secret.ssh:
        option = f"type=ssh,id={name}" + (",required=true" if secret.required else "")
        return Mount(id=name, file=secret.file, env=None, option=option, ssh=True)
    options = ["type=secret", f"id={name}"]
    if secret.variable:
        options.append(f"env={secret.variable}")
    else:
        places = {"npmrc": "/root/.npmrc", "ca": "/run/secrets/ca"}
        options.append(f"target={secret.target or places.get(name, f'/run/secrets/{name}')}")
    if secret.required:
        options.append("required=true")
    return Mount(id=name, file=secret.file, env=secret.env, option=",".join(options))
