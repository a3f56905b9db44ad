"""Record what the lockfile lacks: platform packages that npm left out, and the digests of base images."""

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bake.errors import RegistryError
from bake.lockfile import (
    FILE_NAME,
    Lock,
    LockedImage,
    MissingPlatformPackage,
    load_lock,
    make_lock,
    missing_platform_packages,
    stale,
    write_lock,
)
from bake.plan import Project, named_libc, service_libcs
from bake.session import Context

if TYPE_CHECKING:
    from bake.registry import NpmRegistry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--check and --offline."""
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 when bake.lock is not current")
    parser.add_argument("--offline", action="store_true", help="with --check: do not ask for newer base images")


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Write or check bake.lock."""
    project = context.project
    path = project.root / FILE_NAME
    if arguments.check:
        return _check(context, project, offline=arguments.offline)
    missing = missing_packages(project, project.original.lock)
    lock = make_lock(
        project.original.lock.raw,
        missing,
        base_images(project),
        fetch=_npm(context).manifests,
        resolve=_resolver(context),
    )
    changed = write_lock(path, lock)
    state = "written" if changed else "is current"
    context.say(f"{path.name} {state}: {len(lock.packages)} packages, {len(lock.images)} base images")
    return 0


def base_images(project: Project) -> tuple[str, ...]:
    """Canonical references of the base images that bake.lock pins."""
    from bake.config import parse_reference

    base, services = project.config.base, project.config.services.values()
    named = (base.build, base.runtime, *(s.base for s in services if s.base))
    unpinned = (parse_reference(n) for n in named if "@" not in n)
    return tuple(sorted({str(r) for r in unpinned})) if base.pin else ()


def missing_packages(project: Project, lock: Lock) -> tuple[MissingPlatformPackage, ...]:
    """Platform packages that the lockfile lacks, of everything in it: builds need theirs too."""
    libcs = {*service_libcs(project.config).values(), named_libc(project.config.base.build)}
    platforms, reachable = project.config.project.platforms, frozenset(lock.entries)
    found = {
        gap
        for libc in libcs
        for gap in missing_platform_packages(lock, platforms=platforms, libc=libc, reachable=reachable)
    }
    return tuple(sorted(found, key=lambda one: (one.parent, one.name, one.platform)))


def _check(context: Context, project: Project, *, offline: bool) -> int:
    wanted, images = missing_packages(project, project.original.lock), base_images(project)
    current = {} if offline else _current(context, images)
    findings = stale(load_lock(project.root / FILE_NAME), wanted, images, current=current)
    for finding in findings:
        context.complain(f"bake: error: {finding}")
    if not findings:
        context.say(f"{FILE_NAME} is current")
    return 1 if findings else 0


def _current(context: Context, images: tuple[str, ...]) -> Mapping[str, str]:
    """Digests in the registry now; a registry that does not answer is a warning."""
    resolve, found = _resolver(context), {}
    for image in images:
        try:
            found[image] = resolve(image).digest
        except RegistryError as error:
            context.warn(str(error))
    return found


def _npm(context: Context) -> "NpmRegistry":
    from bake.registry import NpmRegistry, load_npm_settings

    return NpmRegistry(load_npm_settings(context.project.root, context.environment))


def _resolver(context: Context) -> Callable[[str], LockedImage]:
    """Reference -> what it is locked to; Docker Hub's images through the engine's mirrors when need be."""
    from bake.config import parse_reference
    from bake.engine import mirrors
    from bake.registry import load_resolver

    resolve = load_resolver(context.environment, mirrors())

    def locked(reference: str) -> LockedImage:
        digest, platforms = resolve(parse_reference(reference))
        return LockedImage(digest=digest, platforms=platforms)

    return locked
