"""Files of images, read out of containers that never start."""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bake.engine import Containers, DockerBox, Launch
from bake.errors import EngineError, UsageError
from bake.images.parity import Item, accepted
from bake.images.trial import build_first
from bake.images.verify import Content
from bake.plan import MONOLITH, TREE, Image, Name, Names, Output, Plan
from bake.sources import keeper


def require_images(plan: Plan, *, pushed: bool) -> None:
    """Raise UsageError where there is nothing to look into."""
    if not plan.selected():
        raise UsageError("targets", "name no image that is made of a package", "see `bake list`")
    if pushed and not plan.registry:
        raise UsageError("--pushed", "there is no registry", "set project.registry in bake.toml or BAKE_REGISTRY")


def keepers(plan: Plan, accept: Sequence[str] = ()) -> Mapping[str, Callable[[str], bool]]:
    """Package -> whether an image would have a file of it, and `accept` does not waive that."""
    return {o.package: _waive_accepted(_keeper(o), o.package, accept) for o in plan.outputs}


def _keeper(output: Output) -> Callable[[str], bool]:
    return keeper(
        files=output.files,
        exclude=output.exclude,
        others=output.others,
        settings=output.settings,
        sources=output.sources,
    )


def _waive_accepted(keep: Callable[[str], bool], package: str, accept: Sequence[str]) -> Callable[[str], bool]:
    def keeps(path: str) -> bool:
        item = Item(kind="file", name=posixpath.join(package, path))
        return keep(path) and not accepted(item, accept)

    return keeps


def read_fleet(plan: Plan, names: Names, engine: Containers, *, pushed: bool) -> tuple[Content, ...]:
    """The packages' files in every image asked for, on every platform. Raises EngineError for an image not there."""
    pairs = [(image, platform) for platform in plan.platforms for image in plan.selected()]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(_content_of, plan, names[i.target], engine, i, p, pushed=pushed) for i, p in pairs]
        try:
            return tuple(f.result() for f in futures)
        except BaseException:
            engine.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _content_of(plan: Plan, name: Name, engine: Containers, image: Image, platform: str, *, pushed: bool) -> Content:
    packages = packages_of(plan, image.service)
    box = open_image(plan, engine, image.target, name, platform, pushed=pushed)
    try:
        return Content(name=f"{image.target} ({platform})", packages=packages, files=read_files(box, TREE, packages))
    finally:
        box.remove()


def packages_of(plan: Plan, service: str) -> tuple[str, ...]:
    """The packages that the service's images hold."""
    stage = next(s for s in plan.services if s.service == service)
    libraries = () if stage.static or stage.standalone else stage.closure.packages
    return tuple(dict.fromkeys((stage.package, *libraries)))


def open_image(plan: Plan, engine: Containers, target: str, name: Name, platform: str, *, pushed: bool) -> DockerBox:
    """A container of the image that is never started. Raises EngineError when it is not there."""
    remote = tuple(f"{plan.registry}/{r}" for r in name.references) if plan.registry else ()
    return engine.create(
        Launch(
            references=() if pushed else (*name.references, *remote),
            pull=remote[0] if remote else "",
            platform=platform,
            hardened=False,
            remedy=build_first(target, platform, pushed=pushed),
        )
    )


def read_files(box: DockerBox, root: str, packages: Iterable[str]) -> Mapping[str, str]:
    """Path from the root -> digest, of the packages' files."""
    return {
        posixpath.join(package, path): digest
        for package in packages
        for path, digest in box.files(posixpath.join(root, package)).items()
    }


def open_monolith(plan: Plan, names: Names, engine: Containers, *, against: str | None, pushed: bool) -> DockerBox:
    """The old image, on the first platform that it has. Raises EngineError when there is none. against: its name.

    With pushed, the engine's is as good where the registry has none: nothing new is pushed of it.
    """
    if against:
        return engine.create(Launch(references=(against,), pull=against, platform="", hardened=False))
    if plan.monolith is None:
        raise UsageError(MONOLITH, "bake.toml has no [monolith]", "name the old image with --against IMAGE")
    platforms = sorted(plan.platforms, key=lambda p: p != engine.platform)
    *places, (last, last_pushed) = [(p, there) for there in dict.fromkeys((pushed, False)) for p in platforms]
    for platform, there in places:
        try:
            return open_image(plan, engine, MONOLITH, names[MONOLITH], platform, pushed=there)
        except EngineError:
            continue
    return open_image(plan, engine, MONOLITH, names[MONOLITH], last, pushed=last_pushed)
