"""What a step of the Dockerfile is called, for a person: by package and command, not by stage. Pure."""

import re

from bake.engine import Step
from bake.plan import Plan

_PREPARING = re.compile(
    r"^RUN (?:--network=none )?(?:\[ .*? \] && exit; )?(?:case .*? esac; )?"
    r"(?:tree=\S+; \[ .*? \] && \S+; )?(?:\w+=\S* )*"
)
"""What stands before a step's own command: choices by platform, variables."""

_KNOWN = {
    "manager": "package manager",
    "install": "workspace",
    "build-dependencies": "dependencies of builds",
    "shared-dependencies": "dependencies that builds share",
    "dependencies": "production dependencies",
    "scripts": "install scripts",
    "shared-files": "files that builds share",
    "tracer": "tracer of files",
    "layers": "layers of dependencies",
    "static-server": "static server",
    "homes": "folders that processes write to",
}
"""Stage -> what its steps are about."""

_OWN = ("RUN node /bake/", "RUN mkdir -p /bake/out/")
"""How commands of bake's own begin: what they are about says more."""

_INSTALLS = frozenset({"install", "dependencies", "tracer"})
"""Stages whose steps are one command of a package manager, with many options."""

_OPTIONS = re.compile(r" (?:-|\|\||&&).*")
"""The options of a command, and what follows it."""

_COPY = re.compile(r"(?:LINK )?COPY (?:--(?!from=)\S+ )*(?:--from=(?P<stage>\S+) )?")

_OF_BUILDS = ("modules", "declared", "out")
"""How names of stages begin that are about the build of one package."""

_ONCE = frozenset({"manager", "install", "build-dependencies", "shared-dependencies", "static-server", "homes"})
"""Stages of the build platform, whatever platforms images are for."""


def step_title(plan: Plan, step: Step) -> str:
    """`packages/shared: npm run build`; with the platform where a step runs once for each."""
    for_one = step.platform and step.stage not in _ONCE and not _is_of_builds(plan, step)
    platform = step.platform.rpartition("->")[2].removeprefix("linux/")
    return _title(plan, step) + (f" ({platform})" if for_one else "")


def _is_of_builds(plan: Plan, step: Step) -> bool:
    """Whether the step runs once, whatever platforms images are for."""
    return any(step.stage in (s.name, *(f"{of}-{s.name}" for of in _OF_BUILDS)) for s in plan.builds.stages)


def _title(plan: Plan, step: Step) -> str:
    stage = next((s for s in plan.builds.stages if s.name == step.stage), None)
    if stage is not None and stage.script and step.runs:
        command = stage.script if stage.is_command else f"{plan.install.manager.name} run {stage.script}"
        return f"{_package(stage.package)}: {command}"
    output = next((o for o in plan.outputs if f"out-{o.name}" == step.stage), None)
    if output is not None and step.runs:
        return f"{_package(output.package)}: its files in images"
    command = plain(step.what)
    traced = next((s for s in plan.traced if step.stage in (f"trace-{s.service}", f"pick-{s.service}")), None)
    if traced is not None and step.runs:
        about = "what its code needs" if step.stage.startswith("trace-") else "files of dependencies"
        return f"{_package(traced.package)}: {about}"
    if step.stage in _KNOWN and command.startswith("RUN node /bake/patch.mjs"):
        return f"{_KNOWN[step.stage]}: patches"
    if command.startswith(_OWN):
        return stage_title(plan, step.stage)
    if _known(step.stage)[0] in _INSTALLS:
        command = re.sub(r"^RUN node \S+", f"RUN {plan.install.manager.name}", _OPTIONS.sub("", command))
    return f"{stage_title(plan, step.stage)}: {command.removeprefix('RUN ') if step.runs else _copied(plan, command)}"


def _copied(plan: Plan, command: str) -> str:
    """What a COPY brings, by what it comes from; another instruction as it is."""
    found = _COPY.match(command)
    if found is None:
        return command
    return f"files of {stage_title(plan, found['stage'])}" if found["stage"] else "files of the workspace"


def stage_title(plan: Plan, stage: str) -> str:
    """A stage by what it is about: a package, a service, an image."""
    packages = {s.name: _package(s.package) for s in plan.builds.stages}
    outputs = {o.name: _package(o.package) for o in plan.outputs}
    named = {
        **_KNOWN,
        **packages,
        **{f"out-{name}": f"{package}: its files in images" for name, package in outputs.items()},
        **{f"modules-{name}": f"{package}: its dependencies" for name, package in packages.items()},
        **{f"declared-{name}": f"{package}: its declarations" for name, package in packages.items()},
        **{g.name: ", ".join(outputs[name] for name in g.outputs) for g in plan.layers.groups},
        **{f"files-{base.name}": f"{base.image.partition('@')[0]}: Node and what it needs" for base in plan.minimal},
        **{f"libraries-{s.service}": f"{s.service}: libraries of the base image" for s in plan.services},
        **{f"service-{s.service}": f"layers of {s.service}" for s in plan.services},
        **{i.stage: f"image {i.target}" for i in plan.images},
    }
    known, libc = _known(stage)
    return named.get(stage) or (f"{_KNOWN[known]} ({libc})" if known else stage)


def _known(stage: str) -> tuple[str, str]:
    """A stage that every plan has, and the C library that it is for where images have several; "" for others."""
    if stage in _KNOWN:
        return stage, ""
    known, _, libc = stage.rpartition("-")
    return (known, libc) if known in _KNOWN else ("", "")


def _package(path: str) -> str:
    return path or "root package"


def plain(instruction: str) -> str:
    """An instruction without mounts, settings and line breaks before its command, short enough for a line."""
    text = re.sub(r"--mount=\S+\s+|\\\s+", "", instruction)
    text = re.sub(_PREPARING, "RUN ", " ".join(text.split()))
    return text if len(text) <= 100 else text[:97] + "..."
