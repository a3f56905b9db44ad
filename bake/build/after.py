"""What is kept and told once a build is done; a build does not fail by it."""

from collections.abc import Mapping
from contextlib import suppress

from bake.build.account import Account, write_account
from bake.build.phases import overgrown
from bake.config import parse_size, size
from bake.engine import Built, cache_usage, read_cache_usage, total
from bake.errors import EngineError, ReleaseError
from bake.inputs import Inputs, add, first_step, keep_undeclared, load_record, write_record
from bake.plan import Cache, Plan
from bake.project import Project
from bake.publish import FILE_NAME, Release, load_release
from bake.registry import Registry
from bake.session import Session


def load_last_release(session: Session) -> Release | None:
    """The last push from here; None when there is none that can be read."""
    with suppress(ReleaseError):
        return load_release(session.project.folder / FILE_NAME)
    return None


def write_record_of(project: Project, plan: Plan, inputs: Mapping[str, Inputs], built: Built) -> None:
    """Leave what `bake why` needs of the plan's targets. inputs: as the build found them."""
    steps = {target: first_step(built.progress, target) for target in plan.targets}
    with suppress(OSError):
        write_record(project.folder, add(load_record(project.folder), inputs, plan.platforms, steps))
        keep_undeclared(project.folder, built.progress)


def keep_account(project: Project, account: Account) -> None:
    """Leave what `bake report` tells."""
    with suppress(OSError):
        write_account(project.folder, account)


def tell_growth(session: Session, cache: Cache, builder: str | None, registry: Registry) -> None:
    """Warn when the engine's cache has outgrown bake.toml's budget, or a registry's what BuildKit reads of one."""
    for warning in overgrown(cache, registry):
        session.console.warn(warning)
    budget = session.project.config.cache.budget
    if budget is None:
        return
    with suppress(EngineError):
        used = total(cache_usage(read_cache_usage(builder)))
        if used > parse_size(budget):
            most = f"more than cache.budget = {budget}"
            session.console.warn(f"the build cache takes {size(used)}, {most}; run `bake prune`")
