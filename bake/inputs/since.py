"""Which images a change affects, and by what: their inputs today against those of a commit, or of a build."""

import dataclasses
from collections.abc import Mapping
from pathlib import PurePosixPath

from bake.errors import ConfigError, WorkspaceError
from bake.git import read_changes
from bake.inputs.content import load_inputs
from bake.inputs.past import earlier_project
from bake.inputs.reasons import Reason, compare, everything, forgetful
from bake.inputs.record import Record, load_record
from bake.inputs.tree import Present, Tree
from bake.inputs.ways import Ways
from bake.plan import MONOLITH, Plan, make_plan
from bake.project import Project
from bake.render import render

Reasons = Mapping[str, tuple[Reason, ...]]
"""Target -> why it is affected; () when it is not."""


def load_reasons(project: Project, plan: Plan, now: Tree, since: str | None) -> Reasons:
    """Why each image asked for is affected since a revision; without one, since its last build here.

    now: the workspace's files. Raises UsageError and WorkspaceError where git cannot tell.
    """
    if since:
        return since_revision(project, plan, now, since)
    return _since_last(project, plan, now, load_record(project.folder))


def _since_last(project: Project, plan: Plan, now: Tree, record: Record) -> Reasons:
    never: tuple[Reason, ...] = (Reason(kind="unknown", what="never built here"),)
    result = dict.fromkeys(plan.targets, never)
    known = {target: record[target] for target in plan.targets if target in record}
    # Without --platform, the question is about the platforms that were built.
    for platforms in {plan.request.platforms or last.platforms for last in known.values()}:
        asked = make_plan(project, dataclasses.replace(plan.request, platforms=platforms))
        inputs, ways = load_inputs(project, asked, render(project, asked), now), Ways(project, asked)
        for target, last in known.items():
            if platforms == (plan.request.platforms or last.platforms):
                result[target] = compare(last.inputs, forgetful(inputs[target]), (ways,), target)
    return result


def load_build_reasons(project: Project, plan: Plan, since: str | None) -> Reasons | None:
    """Why each image was built the last time here: by what differs from the build before, or from a revision.

    None where the workspace is not what was built any more. Raises UsageError and WorkspaceError where git cannot tell.
    """
    record, now = load_record(project.folder), Present(project.root)
    if any(_since_last(project, plan, now, record).values()):
        return None
    if since:
        return since_revision(project, plan, now, since)
    return before_last(project, plan, {target: record[target] for target in plan.targets})


def before_last(project: Project, plan: Plan, record: Record) -> Reasons:
    """Why images were built the last time here: by what differs from the build before."""
    ways, first = (Ways(project, plan),), (Reason(kind="unknown", what="it was the first build here"),)
    return {
        target: first if last.before is None else compare(last.before, last.inputs, ways, target)
        for target, last in record.items()
    }


def since_revision(project: Project, plan: Plan, now: Tree, since: str) -> Reasons:
    """Why each image is affected by what the working tree changes since the merge base with a revision.

    now: the workspace's files.
    """
    changes = read_changes(project.file.parent, since)
    try:
        with earlier_project(project, changes, now) as (past, tree):
            targets = ("all", *((MONOLITH,) if past.config.monolith else ()))
            revision = changes.base if plan.request.revision else ""
            old = make_plan(past, dataclasses.replace(plan.request, targets=targets, revision=revision))
            was, ways = load_inputs(past, old, render(past, old), tree), Ways(past, old)
    except (ConfigError, WorkspaceError) as error:
        return everything(plan, _planless(since, project, error))
    inputs = load_inputs(project, plan, render(project, plan), now)
    both = (Ways(project, plan), ways)
    return {target: compare(was.get(target), each, both, target) for target, each in inputs.items()}


def _planless(what: str, project: Project, error: ConfigError | WorkspaceError) -> str:
    """Why there was no plan; of a missing bake.toml, what to do: its place was that of a copy."""
    name = project.file.name
    if PurePosixPath(error.where).name == name and error.what == "no such file":
        return f"there is no plan of {what} (it has no {name}: commit it, and what changes from then on is told)"
    return f"there is no plan of {what} ({error.where}: {error.what})"
