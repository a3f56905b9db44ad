"""A plan made ready for bake: named, rendered, and written as it will be run."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bake.files import write_files
from bake.inputs import Inputs, load_inputs
from bake.plan import Cache, Names, Plan, plan_cache
from bake.render import render, render_bake_file
from bake.session import Session


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A plan with what comes after it. files: all but the bake file, rendered when asked for, as inputs are read."""

    plan: Plan
    names: Names
    cache: Cache
    files: Callable[[], Mapping[str, str]]
    inputs: Callable[[], Mapping[str, Inputs]]

    @property
    def nameless(self) -> "Ready":
        """The same without tags: they move when all images are there."""
        names = {target: dataclasses.replace(name, tags=()) for target, name in self.names.items()}
        return dataclasses.replace(self, names=names)


def make_ready(session: Session, plan: Plan) -> Ready:
    """Name what is planned; names are known before anything is rendered, unless they hold what images are made of."""
    files = functools.cache(lambda: render(session.project, plan))
    return Ready(
        plan=plan,
        names=session.names(plan, files),
        cache=plan_cache(session.project, plan),
        files=files,
        inputs=inputs_of(session, plan, files),
    )


def inputs_of(
    session: Session, plan: Plan, files: Callable[[], Mapping[str, str]]
) -> Callable[[], Mapping[str, Inputs]]:
    """What the images are made of, read once. files: gives the rendered ones."""
    return functools.cache(lambda: load_inputs(session.project, plan, files(), session.tree))


def write_plan(session: Session, ready: Ready, outputs: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write .bake/ as it will be run. outputs: as `render_bake_file` takes them."""
    project = session.project
    bake_file = render_bake_file(project, ready.plan, ready.names, ready.cache, outputs)
    write_files(project.folder, {"docker-bake.hcl": bake_file, **ready.files()})
