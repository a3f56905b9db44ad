"""The plan as a compose file, with watch rules made from what each image is built from. Pure.

Sources: github.com/compose-spec/compose-spec (05-services, build, develop), docs.docker.com/compose/how-tos/file-watch.
"""

import itertools
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bake import config as cfg
from bake.compose.known import KNOWN, READY
from bake.compose.watched import watched
from bake.config import suggestion
from bake.errors import ConfigError
from bake.files import to_yaml
from bake.plan import BuiltBase, Dockered, Image, Plan, ServiceImage
from bake.project import FOLDER, Project
from bake.workspace import find_circle, pattern_below

FILE_NAME = "compose.yaml"
"""Its name below .bake/; its paths are relative to that folder."""

DEV_TAG = "dev"

_PATIENCE = 5
"""Seconds that a process has to end: an edit waits for it, and no user of it is in the middle of anything."""

_OFTEN = {"interval": "10s", "start_interval": "1s"}
"""How often a container's health is asked, and how often while it starts."""

_HEAD = f"""\
# Written by `bake compose` from bake.toml. From the workspace's root:
#   docker compose -f {FOLDER}/{FILE_NAME} up --watch
# Settings of your own go into a second file (-f compose.override.yaml) and into .env.
"""


def render_compose(project: Project, plan: Plan, *, init: bool = True) -> str:
    """The compose file of the plan's targets. Raises ConfigError for a `needs` that nothing is known of.

    init: whether the engine has one.
    """
    images = needed_images(project.config, plan)
    dependencies = _dependencies(project, plan, images)
    ports = host_ports(images)
    waits = {image.target: _depends_on(project, plan, image) for image in images}
    if circle := find_circle(waits.keys(), waits):
        what = f"processes need each other before they start: {' > '.join(circle)}"
        raise ConfigError(f"{cfg.FILE_NAME}: services.{plan.owners[circle[0]]}.needs", what, "leave one of these out")
    document: dict[str, Any] = {
        "name": plan.project,
        "services": {
            **{base.target: _base(plan, base) for base in _bases(plan, images)},
            **{i.target: _service(project, plan, i, port=ports.get(i.target), waits=waits, init=init) for i in images},
            **{name: _dependency(each) for name, each in dependencies.items()},
        },
    }
    if secrets := {m.id: _secret(m.file, m.env) for m in plan.builds.mounts if m.id in project.secrets}:
        document["secrets"] = secrets
    return _HEAD + to_yaml(_literal(document))


def _literal(value: Any) -> Any:
    """A value in which compose puts no variables."""
    if isinstance(value, dict):
        return {key: _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _bases(plan: Plan, images: Iterable[ServiceImage]) -> tuple[BuiltBase, ...]:
    """Bases of the workspace's own that images are made from."""
    wanted = {image.service for image in images}
    used = {service.base for service in plan.services if service.service in wanted}
    return tuple(base for base in plan.bases if base.name in used)


def _base(plan: Plan, base: BuiltBase) -> dict[str, Any]:
    """A service that never starts: compose builds it for those that name it as a context."""
    build = {
        "context": f"../{base.context}".rstrip("/"),
        "dockerfile": base.dockerfile_from_context,
        "target": base.stage,
        "args": dict(base.args),
        "additional_contexts": dict(base.pins),
    }
    image = f"{plan.project}-{base.name}:{DEV_TAG}"
    return {
        "image": image,
        "pull_policy": "build",
        "scale": 0,
        "build": {key: value for key, value in build.items() if value},
    }


def _secret(file: str | None, env: str | None) -> Mapping[str, str]:
    return {"file": file} if file else {"environment": env or ""}


def needed_images(config: cfg.Config, plan: Plan) -> tuple[ServiceImage, ...]:
    """The images that are asked for, and those of the workspace's own that they need."""
    wanted, found = list(plan.chosen()), set[str]()
    while wanted:
        image = wanted.pop()
        if image.target not in found:
            found.add(image.target)
            wanted += [own for name in needs_of(config, image) for own in _own(plan, name)]
    return tuple(i for i in plan.processes if i.target in found)


def _own(plan: Plan, name: str) -> tuple[ServiceImage, ...]:
    """The images of the workspace's own that a name means: one, or all of a service."""
    return tuple(i for i in plan.processes if name in (i.target, i.service))


def needs_of(config: cfg.Config, image: ServiceImage) -> tuple[str, ...]:
    """What a process says it needs: its role's own, else its service's."""
    service = config.services[image.service]
    return service.role(image.role).needs or service.needs


def _dependencies(project: Project, plan: Plan, images: Iterable[ServiceImage]) -> Mapping[str, cfg.Dependency]:
    own = project.config.smoke.dependencies
    known = {**KNOWN, **own}
    found: dict[str, cfg.Dependency] = dict(own)
    complaints = []
    for image in images:
        for name in needs_of(project.config, image):
            if name in own or _own(plan, name):
                continue
            if name in known:
                found[name] = known[name]
            else:
                hint = suggestion(name, (*known, *plan.owners)) or f"describe it as [smoke.dependencies.{name}]"
                complaints.append(f"bake.toml: services.{image.service}.needs: nothing is known of {name!r}; {hint}")
    if complaints:
        raise ConfigError(cfg.FILE_NAME, "needs", complaints=tuple(dict.fromkeys(complaints)))
    return found


def _depends_on(project: Project, plan: Plan, image: ServiceImage) -> dict[str, Any]:
    """What is started before a process, and how far that has to have come."""
    found: dict[str, Any] = {}
    for name in needs_of(project.config, image):
        own = () if name in project.config.smoke.dependencies else _own(plan, name)
        for each in own:
            # What a service needs, each of its roles does: one of them may be what the others need.
            if each.target != image.target:
                found[each.target] = {"condition": _reached_state(project.config, each)}
        if not own:
            dependency = {**KNOWN, **project.config.smoke.dependencies}[name]
            found[name] = {"condition": "service_healthy" if _ready(dependency) else "service_started"}
    return found


def _reached_state(config: cfg.Config, image: ServiceImage) -> str:
    if _ends(config, image):
        return "service_completed_successfully"
    return "service_healthy" if isinstance(image, Image) and _healthcheck(image) else "service_started"


def host_ports(images: Iterable[ServiceImage]) -> Mapping[str, int]:
    """Target -> the port of this machine that leads to it: its own, or the next one that is no other image's."""
    ports = {image.target: image.port for image in images if image.port}
    found: dict[str, int] = {}
    for target, port in ports.items():
        others = {*found.values(), *(other for other in ports.values() if other != port)}
        found[target] = next(number for number in itertools.count(port) if number not in others)
    return found


def _service(
    project: Project,
    plan: Plan,
    image: ServiceImage,
    *,
    port: int | None,
    waits: Mapping[str, Mapping[str, Any]],
    init: bool,
) -> dict[str, Any]:
    """port: the one of this machine. waits: target -> what it waits for."""
    needed = any(image.target in each for each in waits.values())
    service = {
        "image": f"{image.repository}:{DEV_TAG}",
        # What it would pull under that name is somebody else's, and what is there may be older than the sources.
        "pull_policy": "build",
        "build": _build(project, plan, image),
        # Its own settings on this machine; what is the same everywhere is in the image.
        "env_file": [{"path": "../.env", "required": False}],
        "environment": dict(project.config.smoke.env),
        "ports": [f"{port}:{image.port}"] if port else [],
        "healthcheck": _healthcheck(image) if isinstance(image, Image) else {},
        "depends_on": waits[image.target],
        # As process 1, what has no handler for SIGTERM would hold up each restart for all of its grace.
        "init": init or image.init,
        "read_only": not image.filled,
        "tmpfs": [f"{path}:mode=1777" for path in image.mounted],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "stop_grace_period": f"{min(_PATIENCE, project.config.smoke.grace)}s",
        "profiles": ["once"] if _ends(project.config, image) and not needed else [],
        "develop": {"watch": list(_watches(project, plan, image))},
    }
    return {key: value for key, value in service.items() if value}


def _ends(config: cfg.Config, image: ServiceImage) -> bool:
    """Whether it ends by itself: `docker compose run` starts it when it is wanted."""
    role = config.services[image.service].role(image.role)
    return bool(role.once or role.schedule)


def _build(project: Project, plan: Plan, image: ServiceImage) -> dict[str, Any]:
    secrets = [m.id for m in plan.builds.mounts if m.id in project.secrets]
    build = _of_package(plan, image) if isinstance(image, Image) else _of_dockerfile(image)
    return {key: value for key, value in {**build, "secrets": secrets}.items() if value}


def _of_dockerfile(image: ServiceImage) -> dict[str, Any]:
    """Its own Dockerfile: bake's copy, beside which lies what the build does not get."""
    if not isinstance(image, Dockered):
        return {}
    recipe = image.recipe
    return {
        "context": posixpath.normpath(f"../{recipe.context}"),
        "dockerfile": recipe.dockerfile_from_context,
        "target": recipe.stage,
        "args": dict(recipe.args),
    }


def _of_package(plan: Plan, image: Image) -> dict[str, Any]:
    args = {k: v for s in plan.builds.stages for k, v in s.args.items()}
    base = plan.base_of(next(s for s in plan.services if s.service == image.service))
    own = {base.name: f"service:{base.target}"} if base else {}
    return {
        "context": "..",
        "dockerfile": f"{FOLDER}/Dockerfile",
        "target": image.stage,
        "additional_contexts": {name: f"./{name}" for name in ("manifests", "plan", "tools")} | own,
        "args": args | {f"BAKE_ENV_{k}": v for k, v in image.env.items() if "\n" in v or "\r" in v},
    }


def _healthcheck(image: Image) -> dict[str, Any]:
    health = image.health
    port = (health.port if health else None) or image.port
    if health is None or not health.path or not port:
        return {}
    url = f"http://127.0.0.1:{port}{health.path}"
    script = f"fetch({url!r}).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
    return {
        "test": ["CMD", "node", "-e", script],
        **_OFTEN,
        "timeout": "5s",
        "start_period": f"{health.timeout}s",
    }


def _dependency(dependency: cfg.Dependency) -> dict[str, Any]:
    ready = _ready(dependency)
    service = {
        "image": dependency.image,
        "command": list(cfg.words(dependency.command)) if dependency.command else [],
        "environment": dict(dependency.env),
        "healthcheck": {"test": ["CMD", *ready], **_OFTEN, "timeout": "5s", "start_period": "60s"} if ready else {},
    }
    return {key: value for key, value in service.items() if value}


def _ready(dependency: cfg.Dependency) -> tuple[str, ...]:
    """The command that tells whether it answers, of images whose name says what they have."""
    name = cfg.parse_reference(dependency.image).repository.rpartition("/")[2]
    return tuple(READY.get(name, "").split())


def _watches(project: Project, plan: Plan, image: ServiceImage) -> Iterator[dict[str, Any]]:
    """Folders whose edits make another image: what it is built from, and nothing else."""
    found = watched(project, plan, image)
    for path in found.paths:
        ignore = sorted({inner for pattern in found.ignore if (inner := pattern_below(pattern, path))})
        yield {"path": f"../{path}" if path else "..", "action": "rebuild", "ignore": ignore}
