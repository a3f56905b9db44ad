"""Tell which images a change affects, and by what: from git, the packages' graph and the lockfile's closures."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bake.build import (
    Edits,
    Past,
    Reason,
    Side,
    State,
    affected,
    changed_templates,
    everything,
    first,
    load_changes,
    load_past,
    load_record,
    monolith,
)
from bake.errors import ConfigError, WorkspaceError
from bake.git import Changes, list_files, read_changes
from bake.plan import make_plan
from bake.session import Context, add_plan_arguments
from bake.table import table

if TYPE_CHECKING:
    from bake.plan import Plan, Request

Reasons = Mapping[str, tuple[Reason, ...]]
"""Target -> why it is affected; () when it is not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to compare with."""
    add_plan_arguments(parser)
    parser.add_argument(
        "--since", metavar="REV", help="a commit, branch or tag to compare with (default: each image's last build here)"
    )
    parser.add_argument(
        "--format", choices=("table", "json", "names"), default="table", help="form of the result on stdout"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print the affected images with their reasons."""
    plan = context.plan(arguments)
    found = load_reasons(context, arguments, plan)
    hit = {target: found[target] for target in plan.targets if found.get(target)}
    if arguments.format == "json":
        print(json.dumps({t: [dataclasses.asdict(r) for r in reasons] for t, reasons in hit.items()}, indent=2))
    elif arguments.format == "names":
        print("".join(f"{target}\n" for target in hit), end="")
    elif hit:
        print(table([{"image": t, "kind": r[0].kind, "reason": first(r)} for t, r in hit.items()]))
    context.say(f"{len(hit)} of {len(plan.targets)} images affected since {arguments.since or 'the last build'}")
    return 0


def load_reasons(context: Context, arguments: argparse.Namespace, plan: "Plan") -> Reasons:
    """Why each image asked for is affected since --since, or since its last build here.

    Raises UsageError and WorkspaceError where git cannot tell.
    """
    if arguments.since:
        return since_revision(context, context.request(arguments), plan, arguments.since)
    record = load_record(context.project.folder)
    known: dict[str, Reasons] = {}
    result: dict[str, tuple[Reason, ...]] = {}
    for target in plan.targets:
        last = record.get(target)
        if last is None:
            result[target] = (Reason(kind="unknown", what="never built here"),)
            continue
        if last.state.id not in known:
            known[last.state.id] = since_state(context, context.request(arguments), last.state)
        result[target] = known[last.state.id].get(target, ())
    return result


def since_revision(context: Context, request: "Request", plan: "Plan", since: str) -> Reasons:
    """Why each image is affected by what the working tree changes since the merge base with a revision."""
    project = context.project
    changes = read_changes(project.file.parent, since)
    try:
        past = load_past(project, changes.base)
    except (ConfigError, WorkspaceError) as error:
        return everything(plan, f"there is no plan of {since} ({error.where}: {error.what})")
    return _compared(context, request, Side(project=project, plan=plan), past, changes)


def since_state(context: Context, request: "Request", state: State) -> Reasons:
    """Why each image is affected by what has changed since a recorded build."""
    project = context.project
    # Without --platform, the question is about the platforms that were built.
    request = dataclasses.replace(request, platforms=request.platforms or state.platforms)
    plan = make_plan(project, request)
    if not state.revision:
        return everything(plan, "git does not know this workspace, so no one knows what changed")
    changes = load_changes(project.file.parent, state)
    try:
        past = load_past(project, changes.base, texts=state.texts, absent=_deleted(state))
    except (ConfigError, WorkspaceError) as error:
        return everything(plan, f"there is no plan of the last build ({error.where}: {error.what})")
    before = dataclasses.replace(request, environment=state.environment)
    return _compared(context, before, Side(project=project, plan=plan), past, changes)


def _deleted(state: State) -> frozenset[str]:
    return frozenset(path for path, digest in state.hashes.items() if not digest)


def _compared(context: Context, request: "Request", new: Side, past: Past, changes: Changes) -> Reasons:
    home, root = context.project.file.parent, context.project.root
    below = root.relative_to(home)
    try:
        old = make_plan(past, dataclasses.replace(request, targets=("all",)))
    except (ConfigError, WorkspaceError) as error:
        return everything(new.plan, f"there is no plan of {changes.base[:12]} ({error.where}: {error.what})")
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
    return {**found, "monolith": monolith(old, new.plan, edits.paths, _dockerignore(root, new.plan))}


def _dockerignore(root: Path, plan: "Plan") -> str:
    """The monolith's .dockerignore: the one of its Dockerfile goes before that of its context."""
    if plan.monolith is None:
        return ""
    files = (root / f"{plan.monolith.dockerfile}.dockerignore", root / plan.monolith.context / ".dockerignore")
    return next((f.read_text(encoding="utf-8", errors="replace") for f in files if f.is_file()), "")
