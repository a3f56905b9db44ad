"""Why a file or a package is in an image, or why not, as the plan has it. Pure."""

import dataclasses
import posixpath
from collections.abc import Iterator

from bake.inputs.places import absence, in_clone
from bake.lockfile import foreign_entries
from bake.plan import TREE, Image, Plan, ServiceImage, ServiceStage
from bake.project import Project
from bake.workspace import Package, shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether something is in an image. name: with its version, or the path from the workspace's root.

    there: None where only the built image knows. via: the packages and lock entries that bring it.
    """

    image: str
    name: str
    there: bool | None
    why: str = ""
    via: tuple[str, ...] = ()
    is_file: bool = False


def presence(project: Project, plan: Plan, image: ServiceImage, name: str) -> Presence:
    """What the plan says of a package's name, or of a path from the root, the image's package or as it is there."""
    if not isinstance(image, Image):
        return Presence(image=image.target, name=name, there=None, why="its own Dockerfile says what is in it")
    service = next(s for s in plan.services if s.service == image.service)
    if any(entry.name == name and not entry.link for entry in project.workspace.lock.entries.values()):
        return _of_entry(project, plan, image, service, name)
    member = project.workspace.find(name)
    return _of_member(plan, image, service, member) if member else _of_file(project, plan, image, service, name)


def _of_entry(project: Project, plan: Plan, image: Image, service: ServiceStage, name: str) -> Presence:
    lock = project.workspace.lock
    held = [path for path in service.closure.entries if lock.entries[path].name == name]
    if not held:
        why = next(_why_no_entry(project, plan, image, service, name))
        return Presence(image=image.target, name=name, there=False, why=why)
    via = min((service.closure.chain(path) for path in held), key=len)
    versions = sorted({lock.entries[path].version for path in held})
    return Presence(image=image.target, name=f"{name} {', '.join(versions)}".rstrip(), there=True, via=via)


def _why_no_entry(project: Project, plan: Plan, image: Image, service: ServiceStage, name: str) -> Iterator[str]:
    workspace, key = project.workspace, f'packages."{shown(image.package)}"'
    if image.static:
        yield "a static service has built files and no packages"
    for path in (image.package, *service.closure.packages):
        if name in plan.layers.exclude.get(path, ()):
            yield f'packages."{shown(path)}".ignore leaves it out'
    places = {path for path, entry in workspace.lock.entries.items() if entry.name == name}
    if places <= foreign_entries(workspace.lock, plan.platforms, service.libc):
        yield f"it is for other platforms than {', '.join(plan.platforms)} with {service.libc}"
    package = workspace.package(image.package)
    brings = f'{key}.dependencies = ["{name}"] brings it'
    if workspace.lock.resolve(image.package, name) is None:
        brings = f"declare it in {package.file('package.json')} to have it"
    if name in package.dev_dependencies:
        yield f"{package.file('package.json')} has it among devDependencies, which images leave out; {brings}"
    yield f"nothing that {shown(image.package)} needs at run time leads to it; {brings}"


def _of_member(plan: Plan, image: Image, service: ServiceStage, member: Package) -> Presence:
    name, target = shown(member.path), image.target
    if member.path in (image.package, *service.closure.packages):
        via = service.closure.chain(member.path) or (image.package,)
        return Presence(image=target, name=name, there=True, via=via)
    builds = {s.package: s.needs for s in plan.builds.stages}
    building = [p for p in (image.package, *service.closure.packages) if member.path in builds.get(p, ())]
    why = f"only the build of {shown(building[0])} needs it" if building else "nothing that it needs leads to it"
    key = f'packages."{shown(image.package)}"'
    return Presence(
        image=target, name=name, there=False, why=f'{why}; {key}.dependencies = ["{member.name}"] brings it'
    )


def _of_file(project: Project, plan: Plan, image: Image, service: ServiceStage, name: str) -> Presence:
    there = in_clone(project)
    inner = name.removeprefix(f"{TREE}/") if name.startswith(f"{TREE}/") else name
    places = [posixpath.normpath(posixpath.join(folder, inner)) for folder in (image.package, "")]
    place = next((p for p in places if there(p)), places[1] if name != inner else places[0])
    owners = (p for p in project.workspace.packages if f"{place}/".startswith(f"{p.path}/"))
    owner = max(owners, key=lambda p: len(p.path), default=None)
    answer = Presence(image=image.target, name=place, there=None, is_file=True)
    if not there(place):
        return dataclasses.replace(answer, why="the workspace has no such file, and the built image alone knows others")
    held = (image.package, *(() if image.static else service.closure.packages))
    if owner and owner.path not in held:
        return dataclasses.replace(answer, there=False, why=f"it is of {owner.path}, which the image does not hold")
    if said := absence(project, plan, image)(f"{TREE}/{place}"):
        return dataclasses.replace(answer, there=False, why=said.removeprefix(f"{place} is "))
    via = service.closure.chain(owner.path if owner else image.package)
    return dataclasses.replace(answer, there=True, via=via or (image.package,))
