"""The images of a plan: what a role of a service runs, and what its image says."""

import dataclasses
import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from bake import config as cfg
from bake.errors import ConfigError
from bake.plan.request import Request
from bake.project import Project
from bake.sources import KEEPERS, Needs, command_needs
from bake.workspace import BUILD_ROOT, Package, Workspace, in_order

EXPORTER = "oci-mediatypes=true,source-date-epoch=0"
"""How every image leaves BuildKit, kept here or pushed: equal layers and settings are then equal digests.

A commit's time would be of no use even to those who want it: steps that a cache had before keep their own, earlier
one (moby/buildkit#4748). Jib and ko give images this time too.
"""

TREE = BUILD_ROOT
"""Where the workspace lies in build stages and images."""

_SHELL = re.compile(r"[|&;<>()$`*?#~\n]")


def home(package: str) -> str:
    """Where a package lies in build stages and images."""
    return f"{TREE}/{package}" if package else TREE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An image that is built and named. repository: without a registry."""

    target: str
    repository: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceImage(Target):
    """The image of a role of a service, whatever it is made from. user: "" where only its Dockerfile knows."""

    service: str
    role: str
    user: str
    port: int | None
    health: cfg.Health | None
    writable: tuple[str, ...]
    init: bool = False
    """Whether it is started below an init, by whoever starts it."""
    filled: tuple[str, ...] = ()
    """Those of `writable` that the image has files in: what is mounted there would hide them."""

    @property
    def mounted(self) -> tuple[str, ...]:
        """The folders it writes to that something may be mounted at, on a root that is read-only then."""
        return tuple(folder for folder in self.writable if folder not in self.filled)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image(ServiceImage):
    """The image of a role of a service that is a package."""

    package: str
    directory: str
    """The folder that its process starts in, from the workspace's root."""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: Mapping[str, str]
    healthcheck: bool
    static: bool
    stop_signal: str = ""
    """What ends it, "" for what ends every process."""

    @property
    def stage(self) -> str:
        """Its stage in the Dockerfile; the prefix keeps a service called `install` apart from the stage."""
        return f"image-{self.target}"


def image_needs(workspace: Workspace, image: Image) -> Needs:
    """What an image's command starts."""
    return command_needs(workspace, image.package, (*image.entrypoint, *image.command), image.directory)


def images_of(project: Project, request: Request) -> tuple[Image, ...]:
    names, packaged = cfg.image_names(project.config), project.config.packaged
    return tuple(_image(project, request, target, *owner) for target, owner in names.items() if owner[0] in packaged)


def _image(project: Project, request: Request, target: str, service_name: str, role_name: str) -> Image:
    config = project.config
    service = config.services[service_name]
    role = service.role(role_name)
    package = project.workspace.package(service.package)
    where = f"services.{service_name}" + (f".roles.{role_name}" if role_name else "")
    given = service.folder_of(role)
    directory = package.path if given is None else given
    process = _process(where, service, role, package, directory)
    writable = _writable(project, package, service, role, directory)
    return Image(
        target=target,
        service=service_name,
        role=role_name,
        package=package.path,
        directory=directory,
        repository=f"{config.project.name}-{target}",
        entrypoint=process.entrypoint,
        command=process.command,
        env={"NODE_ENV": "production"}
        | ({} if service.static is not None else dict(project.script_variables(package.path)))
        | _loader_settings(process)
        | dict(process.env)
        | dict(service.env)
        | dict(role.env),
        labels=image_labels(project, request, target, service.labels, role.labels),
        user=role.user or service.user or "1000:1000",
        port=_port(service, role),
        health=health_of(service, role),
        healthcheck=bool(role.healthcheck if role.healthcheck is not None else service.healthcheck),
        init=bool(role.init if role.init is not None else service.init),
        writable=writable,
        filled=_filled(project, package, process, directory, writable),
        static=service.static is not None,
        stop_signal=role.stop_signal or service.stop_signal or "",
    )


def _writable(
    project: Project, package: Package, service: cfg.Service, role: cfg.Role, directory: str
) -> tuple[str, ...]:
    """The folders that the process writes to, as absolute paths: config's, and what code tells."""
    given = (posixpath.join(home(directory), folder) for folder in role.writable or service.writable)
    found = () if service.static is not None else _written(project, package, directory)
    kept = (path for path in map(posixpath.normpath, found) if path != TREE)  # else all packages would be writable
    return tuple(dict.fromkeys(_behind(service.places, path) for path in (*map(posixpath.normpath, given), *kept)))


def _written(project: Project, package: Package, directory: str) -> Iterator[str]:
    """What the code of a package writes to, and that of its libraries, as far as that is sure to be done."""
    libraries = sorted(in_order([package.path], project.workspace.production_needs))
    for path in dict.fromkeys((package.path, *libraries)):
        for each in project.written(path):
            if each.kept or path == package.path:
                yield posixpath.join(home(directory if each.from_start else path), each.folder)


def _filled(
    project: Project, package: Package, process: "_Process", directory: str, writable: Sequence[str]
) -> tuple[str, ...]:
    """The folders among them that git has files in, or that the process's own program is in."""
    if not writable:
        return ()
    needs = command_needs(project.workspace, package.path, (*process.entrypoint, *process.command), directory)
    started = (posixpath.normpath(package.file(file)) for file in (*needs.files, *needs.beside))
    held = [home(file) for file in (*project.reading.sources, *started) if posixpath.basename(file) not in KEEPERS]
    return tuple(folder for folder in writable if any(file.startswith(f"{folder}/") for file in held))


def _behind(links: Mapping[str, str], path: str) -> str:
    """The place of a path that lies behind one of a service's links."""
    for place, to in links.items():
        if path == place or path.startswith(f"{place}/"):
            return posixpath.normpath(f"{home(to)}/{path.removeprefix(place)}")
    return path


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


def _process(where: str, service: cfg.Service, role: cfg.Role, package: Package, directory: str) -> _Process:
    """The process that config names, else the one that package.json starts."""
    if service.static is not None:
        root = f"{home(package.path)}/{service.static}".rstrip("/")
        told = {"HEADERS": service.headers, "PROXY": service.proxy}
        given = {name: json.dumps(dict(value), sort_keys=True) for name, value in told.items() if value}
        prefix = {"PREFIX": service.prefix} if service.prefix else {}
        env = {"PORT": str(_port(service, role)), **prefix, **given}
        return _Process(command=("node", f"{TREE}/serve.mjs", root), env=env)
    entrypoint = cfg.words(role.entrypoint or service.entrypoint or ())
    if role.command is not None or entrypoint:
        command = cfg.words(role.command or ())
        command = command if entrypoint else _own_binary(package, command, directory)
        return _Process(entrypoint=_own_binary(package, entrypoint, directory), command=command)
    if directory != package.path:
        raise ConfigError(
            cfg.FILE_NAME,
            f"{where}.command: missing",
            f"{where}.directory is not its package's folder, so a script of package.json cannot tell it",
        )
    if found := _declared(package):
        return found
    raise ConfigError(
        cfg.FILE_NAME, f"{where}.command: missing", f"{_whose(package)} has no plain `start` script to take it from"
    )


def _own_binary(package: Package, words: tuple[str, ...], directory: str) -> tuple[str, ...]:
    """A command of the package itself as the file that it is: an install links it, and images have no such link."""
    if words[:2] == ("sh", "-c") and len(words) > 2:
        return ("sh", "-c", _own_binaries(package, words[2], directory), *words[3:])
    file = package.bins.get(words[0]) if words else None
    if file is None:
        return words
    path = posixpath.relpath(package.file(file), directory or ".")
    return (f"./{path}", *words[1:]) if path.endswith(".sh") else ("node", path, *words[1:])


def _own_binaries(package: Package, line: str, directory: str) -> str:
    """A shell's line with the package's own commands as their files, where each stands first."""
    for name in package.bins:
        own = shlex.join(_own_binary(package, (name,), directory))
        escaped = own.replace("\\", r"\\")
        pattern = rf"((?:^|[;&|(])\s*(?:exec\s+)?){re.escape(name)}(?=[\s;&|)]|$)"
        line = re.sub(pattern, rf"\g<1>{escaped}", line)
    return line


def _whose(package: Package) -> str:
    return package.path or "the root package"


def _declared(package: Package) -> _Process | None:
    """What package.json starts: a `start` script without shell syntax, a single binary, or `main`."""
    parts = _plain_words(package.scripts.get("start", ""))
    env = dict(p.split("=", 1) for p in _leading_assignments(parts))
    if parts[len(env) :]:
        return _Process(command=_own_binary(package, tuple(parts[len(env) :]), package.path), env=env)
    if len(package.bins) == 1:
        return _Process(entrypoint=("node", *package.bins.values()))
    main = package.manifest.get("main")
    return _Process(command=("node", main)) if isinstance(main, str) else None


def _plain_words(script: str) -> list[str]:
    """The words of a script; none where it needs a shell."""
    try:
        return [] if _SHELL.search(script) else shlex.split(script)
    except ValueError:  # a quotation without an end
        return []


def _loader_settings(process: _Process) -> dict[str, str]:
    """Images hold no type declarations, so ts-node must not check types. Source: typestrong.org/ts-node, options."""
    checks = any("ts-node" in word for word in (*process.entrypoint, *process.command))
    return {"TS_NODE_TRANSPILE_ONLY": "true"} if checks else {}


def health_of(service: cfg.Service, role: cfg.Role) -> cfg.Health | None:
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


def image_labels(project: Project, request: Request, target: str, *tables: Mapping[str, str]) -> Mapping[str, str]:
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
