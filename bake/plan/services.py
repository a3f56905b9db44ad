"""What each service holds: its closure, its C library, its layers."""

import dataclasses
import fnmatch
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from bake import config as cfg
from bake.errors import ConfigError
from bake.files import normal
from bake.plan.closure import Closure, closures
from bake.plan.images import Image, image_needs
from bake.plan.layers import LayerClass
from bake.plan.outputs import Group
from bake.plan.request import Request
from bake.plan.stages import stage_name
from bake.project import Project, argument_value, own_base
from bake.workspace import Dockerfile


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MinimalBase:
    """Node of an image, what it needs to run, and nothing else. environment: what the image sets."""

    name: str
    image: str
    environment: Mapping[str, str]
    path: str
    """Where its `node` is looked for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStage:
    """The stage that all roles of a service share: every layer of their images."""

    service: str
    package: str
    directory: str
    """The folder that its processes start in, as most roles' images say."""
    folders: tuple[str, ...]
    """The folders that a process of it starts in."""
    base: str
    minimal: MinimalBase | None
    """What its images have of the base, where they do not have all."""
    system: tuple[tuple[str, ...], ...]
    """Packages of the distribution, a group per layer: what services share first."""
    libc: str
    node: str
    """The folder of the base's `node`, where that is not on its PATH."""
    lacks_shell: bool
    layers: tuple[str, ...]
    native: tuple[str, ...]
    """Those of its layers whose packages may have code for one platform."""
    groups: tuple[str, ...]
    own: str
    static: bool
    standalone: bool
    """Whether a folder of the build output is all that its images hold."""
    user: str
    traced: bool
    """Whether its images hold only the files that their processes can load."""
    keep: tuple[str, ...]
    """What they hold whatever the trace finds."""
    path: bool
    """Whether the commands need `node_modules/.bin` on PATH."""
    closure: Closure
    links: Mapping[str, str]
    """Absolute places -> what they lead to in the workspace."""

    @property
    def libraries(self) -> bool:
        """Whether it may hold code that needs more of its base than Node does, on a minimal one."""
        return self.minimal is not None and bool(self.native or self.standalone or self.starts_scripts)

    @property
    def starts_scripts(self) -> bool:
        """Whether its images get the `env` that starts packages' commands, which in Alpine is a shell's own."""
        return self.minimal is not None and self.path and self.libc != "musl"


def added_dependencies(project: Project, images: Iterable[Image]) -> Mapping[str, tuple[str, ...]]:
    """Per package path: the dependencies that config, imports and commands add to what it declares."""
    workspace = project.workspace
    found: dict[str, set[str]] = {}
    for package in project.packages:
        settings = project.settings(package)
        names = set(settings.dependencies)
        names |= {u.import_.name for u in project.undeclared(package.path) if u.provider}
        names |= project.named(package.path)
        found[package.path] = names - set(settings.ignore)
    for image in images:
        if not image.static:
            found[image.package] |= set(image_needs(workspace, image).packages)
    return {path: tuple(sorted(names)) for path, names in found.items() if names}


def service_closures(
    project: Project, extra: Mapping[str, tuple[str, ...]], platforms: tuple[str, ...], libc: Mapping[str, str]
) -> Mapping[str, Closure]:
    """The closure of each service that runs on Node; a static service has none."""
    running = {name: project.service_path(name) for name, s in project.config.packaged.items() if s.static is None}
    found = {
        one: closures(
            project.workspace.lock,
            [path for name, path in running.items() if libc[name] == one],
            platforms=platforms,
            libc=one,
            extra=extra,
            exclude=excluded(project),
        )
        for one in dict.fromkeys(libc[name] for name in running)
    }
    served = cache(lambda one, path: _with_served(project, found[one][path]))
    empty = Closure(entries=(), packages=(), via={})
    return {name: served(libc[name], running[name]) if name in running else empty for name in project.config.packaged}


def held_closures(config: cfg.Config, closures: Mapping[str, Closure]) -> Mapping[str, Closure]:
    """The closures as images hold them in layers: a standalone service's build has brought all that it needs."""
    none = Closure(entries=(), packages=(), via={})
    return {s: c if config.services[s].standalone is None else none for s, c in closures.items()}


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


def excluded(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Per package path: the dependencies that config leaves out, its patterns replaced by the names that they fit."""
    ignore = {p.path: project.settings(p).ignore for p in project.packages}
    locked = sorted({entry.name for entry in project.workspace.lock.entries.values()})
    return {path: tuple(_fitting(names, locked)) for path, names in ignore.items() if names}


def _fitting(patterns: Iterable[str], names: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from fnmatch.filter(names, pattern) if "*" in pattern else (pattern,)


def service_libcs(config: cfg.Config, own: Mapping[str, Dockerfile] = MappingProxyType({})) -> Mapping[str, str]:
    """Service -> the C library of its base image: what config says of it, else what the image's name tells.

    own: bases of the workspace's own, which have that of the image they are made from.
    """

    def told(image: str, otherwise: str) -> str:
        if image not in own:
            return named_libc(image, otherwise=otherwise)
        return config.bases[image].libc or named_libc(own[image].last, otherwise=otherwise)

    runtime = config.base.libc or told(config.base.runtime, "glibc")
    return {
        name: service.libc or (told(service.base, runtime) if service.base else runtime)
        for name, service in config.packaged.items()
    }


def named_libc(image: str, *, otherwise: str = "glibc") -> str:
    """The C library of an image, as its name tells; `otherwise` when it tells none."""
    if re.search(r"alpine|musl", image):
        return "musl"
    return "glibc" if re.search(r"slim|debian|bullseye|bookworm|trixie|ubuntu|distroless|ubi\d", image) else otherwise


def emulated_work(config: cfg.Config) -> tuple[str, ...]:
    """What of a build runs on the target platform, emulated where that is another one."""
    scripts = (f"the install scripts of {', '.join(config.install.scripts)}",) if config.install.scripts else ()
    asked = config.base.system or any(service.system for service in config.packaged.values())
    return (*scripts, "the packages of `system`") if asked else scripts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuiltBase:
    """A base image that is built in the same run. key: its name in bake.toml, name: what Dockerfiles call it.

    parents: image -> as it is pinned. reads: paths of its context.
    """

    key: str
    name: str
    dockerfile: str
    context: str
    stage: str | None
    args: Mapping[str, str]
    parents: Mapping[str, str]
    reads: tuple[str, ...]

    @property
    def target(self) -> str:
        """Its target; no service is called so."""
        return f"_{self.name}"

    @property
    def dockerfile_from_context(self) -> str:
        """Where the Dockerfile is, as bake files say it: relative to the context."""
        return posixpath.relpath(self.dockerfile, self.context or ".")

    @property
    def pins(self) -> Mapping[str, str]:
        """Images that it is made from -> what is built on instead."""
        return {name: f"docker-image://{pinned}" for name, pinned in self.parents.items() if name != pinned}


def built_bases(project: Project, request: Request) -> tuple[BuiltBase, ...]:
    """Those that images are made from."""
    config = project.config
    named = {service.base or config.base.runtime for service in config.packaged.values()}
    return tuple(_built_base(project, request, name) for name in config.bases if name in named)


def _built_base(project: Project, request: Request, name: str) -> BuiltBase:
    settings, file = project.config.bases[name], project.bases[name]
    context = normal(settings.context) or ""
    return BuiltBase(
        key=name,
        name=own_base(name),
        dockerfile=normal(settings.dockerfile) or settings.dockerfile,
        context=context,
        stage=settings.target,
        args={k: argument_value(v, request.environment) for k, v in settings.args.items()},
        parents={parent: project.pinned(parent) for parent in file.parents},
        reads=file.reads,
    )


def shared_libc(project: Project) -> str:
    """npm puts a package to the same place with and without development ones, and scripts change what they find."""
    install = project.config.install
    shares = project.workspace.manager == "npm" and not (install.scripts or install.build_scripts)
    return named_libc(project.config.base.build) if shares else ""


def used_libcs(config: cfg.Config, libc: Mapping[str, str]) -> tuple[str, ...]:
    users = Counter(libc[name] for name, service in config.packaged.items() if service.static is None)
    return tuple(sorted(users, key=lambda one: (-users[one], one))) or (named_libc(config.base.runtime),)


def service_stages(
    project: Project,
    images: Sequence[Image],
    closures: Mapping[str, Closure],
    layers: Sequence[LayerClass],
    groups: Sequence[Group],
) -> tuple[ServiceStage, ...]:
    result: list[ServiceStage] = []
    libc = service_libcs(project.config, project.bases)
    stacks: dict[str, list[str]] = {}
    for layer in layers:
        for name in layer.services:
            stacks.setdefault(name, []).append(layer.id)
    members = {group.name: frozenset(group.outputs) for group in groups}
    images_of: dict[str, list[Image]] = {}
    for image in images:
        images_of.setdefault(image.service, []).append(image)
    for name, service in project.config.packaged.items():
        own, base = stage_name(project.service_path(name)), service.base or project.config.base.runtime
        locked = None if base in project.bases else project.locked(base)
        minimal = minimal_base(project, base) if name in project.config.minimal else None
        alone = service.standalone is not None
        reached = set() if alone else {stage_name(p) for p in closures[name].packages} - {own}
        mine = images_of[name]
        result.append(
            ServiceStage(
                service=name,
                package=project.service_path(name),
                directory=Counter(i.directory for i in mine).most_common(1)[0][0],
                folders=tuple(dict.fromkeys(i.directory for i in mine)),
                base=project.pinned(base),
                minimal=minimal,
                system=_system(project.config, service),
                libc=libc[name],
                node=locked.node if locked else "",
                lacks_shell=minimal is not None or (locked is not None and locked.lacks_shell),
                layers=tuple(stacks.get(name, ())),
                native=tuple(layer.id for layer in layers if layer.native and name in layer.services),
                groups=tuple(group for group, outputs in members.items() if outputs <= reached),
                own=own,
                static=service.static is not None,
                standalone=alone,
                user=mine[0].user,
                traced=service.static is None
                and not alone
                and (service.trace or project.config.layers.trace) == "files",
                keep=service.keep,
                path=any(starts_by_name((*i.entrypoint, *i.command)) for i in mine),
                closure=closures[name],
                links=service.places,
            )
        )
    return tuple(result)


def minimal_base(project: Project, image: str) -> MinimalBase:
    """What is made of an image. Raises ConfigError where bake.lock does not say what the image sets."""
    locked = project.locked(image)
    if locked is None or not locked.environment:
        what = f"a minimal base needs what bake.lock does not say of {image}: the variables that it sets"
        raise ConfigError(project.file.name, what, "run `bake lock`")
    path = ":".join(filter(None, (locked.environment.get("PATH", ""), locked.node)))
    name = f"minimal-{stage_name(image)}"
    return MinimalBase(name=name, image=project.pinned(image), environment=locked.environment, path=path)


def _system(config: cfg.Config, service: cfg.Service) -> tuple[tuple[str, ...], ...]:
    shared = () if service.base else config.base.system
    own = tuple(name for name in service.system if name not in shared)
    return tuple(group for group in (shared, own) if group)


def starts_by_name(command: Sequence[str]) -> bool:
    """Whether a command, or the shell line in it, is looked up on PATH among the packages' binaries."""
    return bool(command) and command[0] != "node" and ("/" not in command[0] or command[0] in _SHELLS)


_SHELLS = frozenset({"/bin/sh", "/bin/bash", "/bin/ash"})
