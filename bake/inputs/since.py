"""Which images a change affects: today's plan against the one of a commit, or of a build."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bake.errors import ConfigError, WorkspaceError
from bake.git import Changes, list_files, read_changes
from bake.inputs.affected import Edits, Reason, Side, affected, everything, monolith
from bake.inputs.past import changed_templates, load_past
from bake.inputs.record import State, load_changes, load_record
from bake.plan import MONOLITH, Plan, Project, Request, make_plan

Reasons = Mapping[str, tuple[Reason, ...]]
"""Target -> why it is affected; () when it is not."""


def load_reasons(project: Project, plan: Plan, since: str | None) -> Reasons:
    """Why each image asked for is affected since a revision; without one, since its last build here.

    Raises UsageError and WorkspaceError where git cannot tell.
    """
    if since:
        return since_revision(project, plan, since)
    record = load_record(project.folder)
    known: dict[str, Reasons] = {}
    result: dict[str, tuple[Reason, ...]] = {}
    for target in plan.targets:
        last = record.get(target)
        if last is None:
            result[target] = (Reason(kind="unknown", what="never built here"),)
            continue
        if last.state.id not in known:
            known[last.state.id] = since_state(project, plan.request, last.state)
        result[target] = known[last.state.id].get(target, ())
    return result


def load_build_reasons(project: Project, plan: Plan, since: str | None) -> Reasons | None:
    """Why each image was built the last time here: by what differs from the build before, or from a revision.

    None where the workspace is not what was built any more. Raises UsageError and WorkspaceError where git cannot tell.
    """
    if any(load_reasons(project, plan, None).values()):
        return None
    if since:
        return since_revision(project, plan, since)
    record = {target: last for target, last in load_record(project.folder).items() if target in plan.targets}
    known: dict[str, Reasons] = {}
    for last in record.values():
        if last.before and last.before.id not in known:
            request = dataclasses.replace(plan.request, platforms=last.state.platforms)
            known[last.before.id] = since_state(project, request, last.before)
    first = (Reason(kind="unknown", what="the first build here"),)
    return {t: known[b.id].get(t, ()) if (b := record[t].before) else first for t in plan.targets}


def since_revision(project: Project, plan: Plan, since: str) -> Reasons:
    """Why each image is affected by what the working tree changes since the merge base with a revision."""
    changes = read_changes(project.file.parent, since)
    try:
        past = load_past(project, changes)
    except (ConfigError, WorkspaceError) as error:
        return everything(plan, _planless(since, project, error))
    return _compared(project, plan.request, Side(project=project, plan=plan), past, changes)


def since_state(project: Project, request: Request, state: State) -> Reasons:
    """Why each image is affected by what has changed since a recorded build."""
    # Without --platform, the question is about the platforms that were built.
    request = dataclasses.replace(request, platforms=request.platforms or state.platforms)
    plan = make_plan(project, request)
    if not state.revision:
        return everything(plan, "git does not know this workspace, so no one knows what changed")
    changes = load_changes(project.file.parent, state)
    try:
        past = load_past(project, changes, unchanged=state.hashes.keys(), texts=state.texts, absent=_deleted(state))
    except (ConfigError, WorkspaceError) as error:
        return everything(plan, _planless("the last build", project, error))
    before = dataclasses.replace(request, environment=state.environment)
    return _compared(project, before, Side(project=project, plan=plan), past, changes)


def _planless(what: str, project: Project, error: ConfigError | WorkspaceError) -> str:
    """Why there was no plan; of a missing bake.toml, what to do: its place was that of a copy."""
    name = project.file.name
    if PurePosixPath(error.where).name == name and error.what == "no such file":
        return f"there is no plan of {what} (it has no {name}: commit it, and what changes from then on is told)"
    return f"there is no plan of {what} ({error.where}: {error.what})"


def _deleted(state: State) -> frozenset[str]:
    return frozenset(path for path, digest in state.hashes.items() if not digest)


def _compared(project: Project, request: Request, new: Side, past: Project, changes: Changes) -> Reasons:
    home, root = project.file.parent, project.root
    below = root.relative_to(home)
    try:
        old = make_plan(past, dataclasses.replace(request, targets=("all",)))
    except (ConfigError, WorkspaceError) as error:
        return everything(new.plan, _planless(changes.base[:12], project, error))
    edits = Edits(
        paths=tuple(
            PurePosixPath(p).relative_to(below).as_posix()
            for p in changes.paths
            if PurePosixPath(p).is_relative_to(below)
        ),
        tracked=list_files(root),
        templates=changed_templates(changes, home),
    )
    found = affected(Side(project=past, plan=old), new, edits)
    return {**found, MONOLITH: monolith(old, new.plan, edits.paths, _dockerignore(root, new.plan))}


def _dockerignore(root: Path, plan: Plan) -> str:
    """The monolith's .dockerignore: the one of its Dockerfile goes before that of its context."""
    if plan.monolith is None:
        return ""
    files = (root / f"{plan.monolith.dockerfile}.dockerignore", root / plan.monolith.context / ".dockerignore")
    return next((f.read_text(encoding="utf-8", errors="replace") for f in files if f.is_file()), "")
