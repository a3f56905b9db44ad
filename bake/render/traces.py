"""What docker/carve reads to follow the processes of a service whose images hold only the files that these can load."""

from collections.abc import Iterator, Mapping
from typing import Any

from bake.plan import Image, Plan, ServiceStage
from bake.project import Project
from bake.render.specs import layer_specs
from bake.sources import command_needs


def trace_spec(project: Project, plan: Plan, service: ServiceStage) -> Mapping[str, Any]:
    """Where the code of each process begins, whose files there are, and which layers take them."""
    package = project.workspace.package(service.package)
    classes = tuple(layer for layer in plan.layers.classes if service.service in layer.services)
    return {
        "service": service.service,
        "home": service.package,
        "images": {i.target: _start(project, i) for i in plan.images if i.service == service.service},
        "keep": list(service.keep),
        "libraries": [path for path in service.closure.packages if path != service.package],
        "others": [p.path for p in project.workspace.packages],
        "aliases": project.aliases(service.package),
        "declared": sorted({*package.dependencies, *plan.layers.extra.get(service.package, ())}),
        "parts": dict(_parts(plan, service)),
        "platform": plan.platforms[0],
        "libc": service.libc,
        "own": list(service.layers),
        **layer_specs(project, plan, classes),
    }


def _start(project: Project, image: Image) -> Mapping[str, Any]:
    """What a process starts with; node's options in its environment load modules too."""
    options = image.env.get("NODE_OPTIONS")
    command = (*image.entrypoint, *image.command)
    words = ("env", f"NODE_OPTIONS={options}", *command) if options else command
    needs = command_needs(project.workspace, image.package, words, image.directory)
    return {
        "directory": image.directory,
        "entries": [*needs.files, *needs.beside],
        "packages": list(needs.packages),
        "loads": list(needs.loads),
        **({"conditions": list(needs.conditions)} if needs.conditions else {}),
        **({"opaque": True} if needs.opaque else {}),
    }


def _parts(plan: Plan, service: ServiceStage) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name of a package's output -> the package, and the layer that takes its files."""
    groups = {name: group.name for group in plan.layers.groups for name in group.outputs}
    for output in plan.outputs:
        if output.name == service.own or output.package in service.closure.packages:
            group = "own" if output.name == service.own else groups[output.name]
            yield (
                output.name,
                {
                    "path": output.package,
                    "group": group,
                    **({"served": True} if output.package in service.closure.served else {}),
                },
            )
