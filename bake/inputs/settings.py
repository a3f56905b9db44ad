"""The settings that the texts of .bake/ are made from, by the keys that say them. Pure."""

from collections.abc import Iterable, Mapping

from bake.plan import Dockered, Image, Plan, ServiceStage
from bake.project import Project
from bake.render import template_text
from bake.workspace import shown

NEEDED = "needed"
"""Value of a package that an image is made from."""


def shared_settings(project: Project, plan: Plan) -> Mapping[str, str]:
    """What every image depends on."""
    template = "docker/Dockerfile"
    values = {
        "base base.build": plan.builds.base,
        "config project.platforms": plan.platforms,
        "config workspace.build": "whole" if plan.builds.whole else "split",
        "config workspace.isolate": project.config.workspace.isolate,
        "config workspace.maps": project.config.workspace.maps,
        "config install.build-scripts": plan.install.build_scripts,
        "config layers.trim": plan.layers.trim,
        "config layers.most": project.config.layers.most,
        "config secrets": tuple(m.option for m in plan.builds.mounts),
        "config package manager": plan.install.manager.name,
        f"template {template}": project.ejected.get(template) or template_text(template),
        **_keyed("argument workspace.environment", plan.builds.environment),
    }
    return _texts(values)


def package_settings(plan: Plan, packages: Iterable[str]) -> Mapping[str, str]:
    """How packages are built, and what of them goes into images."""
    stages = {s.package: s for s in plan.builds.stages}
    outputs = {o.package: o for o in plan.outputs}
    values: dict[str, object] = {}
    for path in packages:
        key = f'packages."{shown(path)}"'
        values[f"config {key}"] = NEEDED
        if stage := stages.get(path):
            values[f"config {key}.build"] = (*stage.before, stage.script)
            values[f"config {key}.inputs"] = stage.inputs
            values[f"config {key}.outputs"] = stage.outputs
            values[f"config {key}.needs"] = tuple(sorted(stage.needs))
            values[f"config {key}.state"] = stage.state
            values |= _keyed(f"argument {key}.args", stage.args)
        if output := outputs.get(path):
            values[f"config {key}.files"] = output.files or ()
            values[f"config {key}.exclude"] = output.exclude
            values[f"config {key}.sources"] = output.sources
    return _texts(values)


def image_settings(plan: Plan, image: Image, service: ServiceStage) -> Mapping[str, str]:
    """What an image runs, says and stands on."""
    key = f"services.{image.service}" + (f".roles.{image.role}" if image.role else "")
    held = {p.rpartition("node_modules/")[2] for p in service.closure.entries}
    shares = (layer.services for layer in plan.layers.classes if layer.id in service.layers)
    groups = (group.outputs for group in plan.layers.groups if group.name in service.groups)
    values = {
        "base base.runtime": service.base,
        "base base.libc": service.libc,
        "config system packages": service.system,
        f"config services.{image.service}.minimal": bool(service.minimal),
        **_keyed("base environment", service.minimal.environment if service.minimal else {}),
        **_own_base(plan, service),
        f"config {key}.package": shown(image.package),
        f"config {key}.directory": image.directory or ".",
        f"config {key}.entrypoint": image.entrypoint,
        f"config {key}.command": image.command,
        f"config {key}.port": image.port or "",
        f"config {key}.user": image.user,
        f"config {key}.static": image.static,
        f"config {key}.stop-signal": image.stop_signal,
        f"config services.{image.service}.standalone": next(
            o.standalone for o in plan.outputs if o.name == service.own
        ),
        f"config services.{image.service}.trace": "files" if service.traced else "packages",
        f"config services.{image.service}.keep": service.keep if service.traced else (),
        f"config {key}.healthcheck": image.health if image.healthcheck else "",
        f"config {key}.writable": image.writable,
        **_keyed(f"config {key}.env", image.env),
        **_keyed(f"config {key}.labels", image.labels),
        "config install.scripts": tuple(s for s in plan.install.scripts if s in held),
        "config layers that services share": tuple("+".join(each) for each in shares),
        "config layers of packages": tuple("+".join(each) for each in groups),
    }
    return _texts(values)


def _own_base(plan: Plan, service: ServiceStage) -> Mapping[str, object]:
    """The settings of a base of the workspace's own, and the images that it is made from."""
    base = plan.base_of(service)
    if base is None:
        return {}
    key = f"config bases.{base.key}"
    return {
        f"{key}.dockerfile": base.dockerfile,
        f"{key}.context": base.context,
        f"{key}.target": base.stage or "",
        **_keyed(f"{key}.args", base.args),
        **{f"base {name}": image for name, image in base.parents.items()},
    }


def recipe_settings(plan: Plan, image: Dockered) -> Mapping[str, str]:
    """How an image with a Dockerfile of its own is built."""
    key, recipe = f"services.{image.service}", image.recipe
    values = {
        "config project.platforms": plan.platforms,
        f"config {key}.dockerfile": image.source,
        f"config {key}.context": recipe.context,
        f"config {key}.target": recipe.stage or "",
        **_keyed(f"config {key}.labels", image.labels),
        **_keyed(f"argument {key}.args", recipe.args),
    }
    return _texts(values)


def _keyed(prefix: str, table: Mapping[str, object]) -> Mapping[str, object]:
    return {f"{prefix}.{key}": value for key, value in table.items()}


def _texts(values: Mapping[str, object]) -> Mapping[str, str]:
    return {key: " ".join(map(str, value)) if isinstance(value, tuple) else str(value) for key, value in values.items()}
