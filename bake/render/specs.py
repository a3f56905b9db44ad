"""What docker/carve reads: layers.json, builds.json and a file per package."""

import posixpath
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from bake.lockfile import Entry, Lockfile
from bake.plan import LayerClass, Output, Plan, image_needs
from bake.project import Project
from bake.render.json_text import Json, as_json
from bake.sources import NEVER, left_out


def layer_specs(project: Project, plan: Plan, classes: Sequence[LayerClass]) -> Mapping[str, Any]:
    """What docker/carve reads to carve these layers out of node_modules."""
    lock, walks = project.workspace.lock, plan.install.manager.layout == "walk"
    reached = {} if walks else {e for layer in classes for e in layer.entries}
    entries = {path: _entry(lock, lock.entries[path]) for path in reached}
    layers = [
        {"id": layer.id, "native": layer.native, "libc": layer.libc}
        | ({"services": list(layer.services)} if walks else {"entries": [entries[e] for e in layer.entries]})
        for layer in (plan.layers.classes if walks else classes)
    ]
    walk = {"walk": _walk(project, plan)} if walks else {}
    return {"trim": list(plan.layers.trim), "hoisted": list(plan.install.manager.hoisted)} | walk | {"layers": layers}


def build_specs(project: Project, plan: Plan) -> Mapping[str, Any]:
    """What docker/carve reads to give each build its dependencies; its own names are those that nothing declares."""
    names = {s.package: project.build_names(s.package) for s in plan.builds.stages}
    stages = {
        stage.name: {
            "packages": list(packages),
            "extra": sorted(frozenset().union(*(names[p] for p in packages))),
            **({"beside": dict(stage.loads)} if stage.loads else {}),
        }
        for stage in plan.builds.stages
        if stage.script and (packages := (*stage.needs, stage.package))
    }
    extended = _extended(project.workspace.lock, project.workspace.lock.entries)
    return {"lockfile": staged_lock(project), "packages": _everyone(project), **extended, "stages": stages}


def staged_lock(project: Project) -> str:
    """The lockfile's name in the context `manifests`."""
    return "package-lock.json" if project.workspace.manager == "npm" else project.workspace.lock_name


def _everyone(project: Project) -> tuple[str, ...]:
    """Paths of all packages, the root first."""
    return tuple(package.path for package in project.workspace.everyone)


def _walk(project: Project, plan: Plan) -> Mapping[str, Any]:
    """Where docker/carve starts when only the installed tree tells where packages lie."""
    return {
        "packages": _everyone(project),
        "services": {s.service: s.package for s in plan.services if not s.static},
        "extra": plan.layers.extra,
        "exclude": plan.layers.exclude,
        **_extended(project.workspace.lock, {e for s in plan.services for e in s.closure.entries}),
    }


def _extended(lock: Lockfile, paths: Iterable[str]) -> Mapping[str, Any]:
    """What packages depend on by the lockfile, by name and version.

    Settings of pnpm and yarn (packageExtensions), hooks and yarn itself add to what their package.json says.
    """
    entries = () if lock.manager == "npm" else (lock.entries[path] for path in paths)
    found = {f"{e.name}@{e.version}": sorted(e.dependencies) for e in entries if e.dependencies and not e.link}
    return {"extended": dict(sorted(found.items()))} if found else {}


def _entry(lock: Lockfile, entry: Entry) -> str | Mapping[str, Any]:
    """Its path, with what else counts where anything does."""
    limits = {"os": entry.os, "cpu": entry.cpu, "libc": entry.libc}
    more = (
        ({"link": entry.link} if entry.link else {})
        | ({"optional": True} if entry.optional else {})
        | ({"bundled": True} if entry.bundled and lock.manager != "npm" else {})
        | {k: list(v) for k, v in limits.items() if v}
    )
    return {"path": entry.path} | more if more else entry.path


def package_specs(project: Project, plan: Plan) -> Mapping[str, Any]:
    """What docker/carve reads to take each package's files, by the names of outputs."""
    files = {output.package: _files(output) for output in plan.outputs}
    texts = {package: as_json(spec) for package, spec in files.items()}
    members = as_json(project.workspace.members)
    users: dict[str, set[str]] = {output.package: set() for output in plan.outputs}
    needed: dict[str, set[str]] = {output.package: set() for output in plan.outputs}
    for service in (s for s in plan.services if not s.standalone):
        needed[service.package].update(service.closure.packages)
        for path in {service.package, *service.closure.packages}:
            users[path].add(service.libc)
    started = _started(project, plan)
    return {
        output.name: _standalone_spec(plan, output)
        if output.standalone
        else {
            **files[output.package],
            "never": list(NEVER),
            "key": output.key,
            "built": output.built,
            "main": output.imported,
            "starts": started.get(output.package, {}),
            "platforms": list(plan.platforms),
            "libc": sorted(users[output.package]),
            **({"writable": [list(pair) for pair in output.writable]} if output.writable else {}),
            **({"trace": _trace(project, output, needed[output.package], texts, members)} if output.entries else {}),
        }
        for output in plan.outputs
    }


def _standalone_spec(plan: Plan, output: Output) -> Mapping[str, Any]:
    """What docker/carve reads to take a folder that is complete. Next.js's is a tree of the workspace, and lacks files.

    Source: nextjs.org/docs/app/api-reference/config/next-config-js/output.
    """
    folder, name = posixpath.split(output.standalone)
    service = next(s.service for s in plan.services if s.own == output.name and s.standalone)
    return {
        "path": output.package,
        "standalone": output.standalone,
        "tree": name == "standalone",
        "beside": [posixpath.join(folder, "static"), "public"] if name == "standalone" else [],
        "never": list(NEVER),
        "settings": list(output.settings),
        "key": f"services.{service}.standalone",
        **_maps(output),
        **({"writable": [list(pair) for pair in output.writable]} if output.writable else {}),
    }


def _maps(output: Output) -> Mapping[str, bool]:
    return {} if output.maps else {"maps": False}


def _files(output: Output) -> Mapping[str, Any]:
    """Which files of a package are in images."""
    return {
        "path": output.package,
        "files": list(output.files) if output.files is not None else None,
        "leaves": list(left_out(files=output.files, sources=output.sources)),
        "unneeded": list(output.unneeded),
        "settings": list(output.settings),
        "exclude": list(output.exclude),
        "others": list(output.others),
        "extra": list(output.extra),
        **_maps(output),
    }


def _trace(
    project: Project, output: Output, needed: Set[str], files: Mapping[str, Json], members: Json
) -> Mapping[str, Any]:
    """Where the code of a service's processes is followed from, and what its image has beside its own package.

    files: which files of each package are in images. members: name -> path, of all packages.
    """
    return {
        "entries": list(output.entries),
        "starts": list(output.starts),
        "links": dict(output.links),
        "members": members,
        "aliases": project.aliases(output.package),
        "libraries": [files[path] for path in sorted(needed - {output.package})],
    }


def _started(project: Project, plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """Package -> its own files that commands start -> an image that does."""
    found: dict[str, dict[str, str]] = {}
    for image in (i for i in plan.images if not i.static):
        own = dict.fromkeys(image_needs(project.workspace, image).files, image.target)
        found.setdefault(image.package, {}).update(own)
    return found
