"""Record what the lockfile lacks: platform packages that npm left out, and the digests of base images."""

import argparse
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bake.config import parse_reference
from bake.errors import RegistryError
from bake.lockfile import (
    FILE_NAME,
    BakeLock,
    LockedImage,
    Lockfile,
    MissingPlatformPackage,
    load_bake_lock,
    make_bake_lock,
    missing_platform_packages,
    record_integrities,
    stale,
    write_bake_lock,
)
from bake.plan import named_libc, service_libcs
from bake.project import Project, base_images, minimal_images, runtime_images
from bake.session import Session

if TYPE_CHECKING:
    from bake.registry import NpmRegistry, Registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--check and --offline."""
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 when bake.lock is not current")
    parser.add_argument("--offline", action="store_true", help="with --check: do not ask for newer base images")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write or check bake.lock."""
    project = session.project
    path = project.root / FILE_NAME
    if arguments.check:
        return _check(session, project, offline=arguments.offline)
    lock = _made(session, project)
    changed = write_bake_lock(path, lock)
    state = "written" if changed else "is current"
    more = f", {len(lock.integrities)} integrities" if lock.integrities else ""
    session.console.say(f"{path.name} {state}: {len(lock.packages)} packages, {len(lock.images)} base images{more}")
    return 0


def _made(session: Session, project: Project) -> BakeLock:
    raw, npm = project.original.lock.raw, _npm(session)
    lock = make_bake_lock(
        raw,
        missing_packages(project, project.original.lock),
        base_images(project),
        fetch=npm.manifests,
        resolve=_describer(session, project),
    )
    integrities = record_integrities(
        raw["packages"], project.bake_lock.integrities, fetch=npm.exact_manifests, is_usual=npm.serves_as_usual
    )
    return dataclasses.replace(lock, integrities=integrities)


def missing_packages(project: Project, lock: Lockfile) -> tuple[MissingPlatformPackage, ...]:
    """Platform packages that the lockfile lacks, of everything in it: builds need theirs too."""
    libcs = {*service_libcs(project.config, project.bases).values(), named_libc(project.config.base.build)}
    platforms, reachable = project.config.project.platforms, frozenset(lock.entries)
    found = {
        gap
        for libc in libcs
        for gap in missing_platform_packages(lock, platforms=platforms, libc=libc, reachable=reachable)
    }
    return tuple(sorted(found, key=lambda one: (one.parent, one.name, one.platform)))


def _check(session: Session, project: Project, *, offline: bool) -> int:
    wanted, images = missing_packages(project, project.original.lock), base_images(project)
    current = {} if offline else _current(session, images)
    findings = stale(
        load_bake_lock(project.root / FILE_NAME), wanted, images, current=current, minimal=minimal_images(project)
    )
    for finding in findings:
        session.console.complain(f"bake: error: {finding}")
    if not findings:
        session.console.say(f"{FILE_NAME} is current")
    return 1 if findings else 0


def _current(session: Session, images: tuple[str, ...]) -> Mapping[str, str]:
    """Digests in the registry now; a registry that does not answer is a warning."""
    resolve, found = _resolver(_registries(session)), {}
    for image in images:
        try:
            found[image] = resolve(image).digest
        except RegistryError as error:
            session.console.warn(str(error))
    return found


def _npm(session: Session) -> "NpmRegistry":
    from bake.registry import NpmRegistry, load_npm_settings

    return NpmRegistry(load_npm_settings(session.project.root, session.environment))


def _registries(session: Session) -> "tuple[Registry, ...]":
    """The registries, then the engine's mirrors of Docker Hub."""
    from bake.engine import mirrors
    from bake.registry import load_registries

    return load_registries(session.environment, mirrors())


def _resolver(registries: "Sequence[Registry]") -> Callable[[str], LockedImage]:
    """Reference -> what it is locked to; Docker Hub's images through the engine's mirrors when need be."""
    from bake.registry import Registry, ask_in_turn

    def locked(reference: str) -> LockedImage:
        digest, platforms = ask_in_turn(registries, parse_reference(reference), Registry.image)
        return LockedImage(digest=digest, platforms=platforms)

    return locked


def _describer(session: Session, project: Project) -> Callable[[str], LockedImage]:
    """Reference -> what it is locked to, and of what processes run on, what it brings for them and what it weighs.

    Variables count of those that minimal bases are made from, because nothing else of their settings reaches an image.
    A registry that shows no more than manifests is believed to have usual images.
    """
    from bake.registry import ask_in_turn, read_sizes, read_traits

    described, minimal = runtime_images(project), minimal_images(project)
    weigh = functools.partial(read_sizes, platforms=project.config.project.platforms)
    registries = _registries(session)
    resolve = _resolver(registries)

    def locked(reference: str) -> LockedImage:
        found = resolve(reference)
        if reference not in described:
            return found
        pinned = dataclasses.replace(parse_reference(reference), digest=found.digest)
        with contextlib.suppress(RegistryError):
            found = dataclasses.replace(found, sizes=ask_in_turn(registries, pinned, weigh), weighed=found.digest)
        try:
            traits = ask_in_turn(registries, pinned, read_traits)
        except RegistryError as error:
            session.console.warn(f"{reference}: whether it has a shell is not known ({error})")
            return found
        kept = traits if reference in minimal else dataclasses.replace(traits, environment={})
        return dataclasses.replace(found, **dataclasses.asdict(kept))

    return locked
