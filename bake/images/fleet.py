"""The images of a plan where they are: in the local engine, or in the registry as a push left them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from bake.errors import UsageError
from bake.images.read import Images, load_engine_images, load_registry_images
from bake.plan import Plan
from bake.publish import FILE_NAME, Release, load_release
from bake.registry import load_registry
from bake.session import Session


def load_images(session: Session, plan: Plan, targets: Sequence[str], *, pushed: bool) -> Images:
    """These images, on the platforms asked for. Raises EngineError for one that was asked for and is not there."""
    folder = session.project.folder
    if not plan.selected():
        raise UsageError("targets", "name no image that is made of a package", "see `bake list`")
    if not pushed:
        called = session.names(plan)
        names = {i.target: called[i.target].references[0] for i in plan.images if i.target in targets}
        found = load_engine_images(names, [i.target for i in plan.selected()], folder / "cache")
    else:
        names = dict(_released_names(load_release(folder / FILE_NAME), targets))
        if absent := [i.target for i in plan.selected() if i.target not in names]:
            raise UsageError(absent[0], "was not in the last push", "leave --pushed out, or push it")
        found = load_registry_images(load_registry(session.environment), names, folder / "cache")
    found = _on_platforms(found, plan)
    there = {s.image for s in found.stored}
    if absent := [i.target for i in plan.selected() if i.target not in there]:
        what = f"is not there for {' or '.join(plan.platforms)}"
        raise UsageError(absent[0], what, "build it for that, or name another --platform")
    return found


def load_previous_images(session: Session, plan: Plan, file: Path) -> Images:
    """The same images as an earlier push left them, those that it had. file: that push's manifest."""
    names = _released_names(load_release(file), [i.target for i in plan.selected()])
    found = load_registry_images(load_registry(session.environment), names, session.project.folder / "cache")
    return _on_platforms(found, plan)


def _on_platforms(images: Images, plan: Plan) -> Images:
    return dataclasses.replace(images, stored=tuple(s for s in images.stored if s.platform in plan.platforms))


def _released_names(release: Release, targets: Sequence[str]) -> Mapping[str, str]:
    return {t: image.reference for t in targets if (image := release.image(t))}
