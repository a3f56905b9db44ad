"""A push of a plan: the images first, by digest, then all tags, then their manifest in a file."""

import dataclasses
import time
from collections.abc import Mapping

from bake.build.options import Options
from bake.build.ready import Ready, write_plan
from bake.build.run import run_plan
from bake.engine import Built, Capabilities, Progress
from bake.errors import BuildError, EngineError, UsageError
from bake.inputs import load_contents
from bake.plan import Plan, content_references
from bake.publish import (
    UNFINISHED,
    Release,
    Staged,
    Upload,
    existing,
    keep_release,
    keeping_unfinished,
    prepared,
    probe_push,
    push_failure,
    push_outputs,
    push_pause,
    staging_tag,
    tag_all,
    uploads,
    write_release,
)
from bake.registry import Registry
from bake.session import Session


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push put up. targets: those that were built for it. references: image -> its names."""

    built: Built
    release: Release
    targets: tuple[str, ...]
    references: Mapping[str, tuple[str, ...]]


def push_plan(
    session: Session, ready: Ready, options: Options, capabilities: Capabilities, registry: Registry
) -> Pushed:
    """Build and push the plan's targets, move their tags, leave the manifest of it. Nothing stands between."""
    _refuse_attestations(session, capabilities)
    plan = ready.plan
    wanted = uploads(plan, ready.names)
    if not options.tag:
        wanted = tuple(dataclasses.replace(u, tags=()) for u in wanted)
    there = load_existing(session, ready, registry, capabilities.native) if options.skip_existing else {}
    plan = dataclasses.replace(plan, targets=tuple(t for t in plan.targets if t not in there))
    if session.is_dirty(plan):
        session.console.warn("the workspace has changes that are not committed: its images are not those of the commit")
    staging = staging_tag(session.head.revision) if capabilities.features["push by digest"] else ""
    folder = session.project.folder
    with prepared(registry, wanted, staging, warn=session.console.warn):
        built = _pushed(
            session, dataclasses.replace(ready, plan=plan), options, capabilities, registry, wanted, staging
        )
        staged = Staged(uploads=wanted, digests={u.image: there.get(u.image) or built.digest(u.image) for u in wanted})
        with keeping_unfinished(folder / UNFINISHED, session.console.warn):
            release = tag_all(registry, staged, release=_release(session, plan), wait=time.sleep)
        keep_release(folder, release)
        if options.release:
            write_release(options.release, release)
    names = {u.image: tuple(f"{u.repository}:{t}" for t in u.tags) for u in wanted}
    references = {i.image: names[i.image] or (i.reference,) for i in release.images}
    return Pushed(built=built, release=release, targets=plan.targets, references=references)


def _refuse_attestations(session: Session, capabilities: Capabilities) -> None:
    wishes = session.project.config.attestations
    if (wishes.sbom or wishes.provenance != "none") and (why := capabilities.features["attestations"]):
        raise EngineError("attestations", why, "push with another builder, or take them out of bake.toml")


def _pushed(
    session: Session,
    ready: Ready,
    options: Options,
    capabilities: Capabilities,
    registry: Registry,
    wanted: tuple[Upload, ...],
    staging: str,
) -> Built:
    """Build and push what the registry lacks; again when it, or the way to it, failed for a moment."""
    if not ready.plan.targets:
        return Built(metadata={}, progress=Progress())
    sparing = capabilities.containerd or capabilities.driver != "docker"
    write_plan(session, ready.nameless, push_outputs(wanted, staging=staging, containerd=sparing))
    try:
        return run_plan(
            session,
            ready.plan,
            ready.cache,
            options,
            failing=lambda error: push_pause(
                error, wanted, probe=lambda u: probe_push(registry, u.at(staging or "bake-probe"))
            ),
        )
    except BuildError as error:
        raise push_failure(error, wanted) from None


def load_existing(session: Session, ready: Ready, registry: Registry, native: str) -> Mapping[str, str]:
    """Target -> digest of each image whose {content} tag is in the registry. native: the engine's own platform."""
    plan = ready.plan
    contents = load_contents(session.project, plan, ready.files)
    references = content_references(session.project, plan, contents, dirty=session.is_dirty(plan))
    if not references:
        what, remedy = "needs a tag that tells the content", 'add "{content}" to project.tag, or --tag {content}'
        raise UsageError("--skip-existing", what, remedy)
    wanted = {t: r for t, r in references.items() if t in plan.targets}
    found = existing(registry, wanted, lambda t: [native if p == "native" else p for p in plan.platforms_of(t)])
    for target in found:
        session.console.say(f"{target}: {references[target]} is there already")
    return found


def _release(session: Session, plan: Plan) -> Release:
    head = session.head
    return Release(
        project=plan.project,
        revision=head.revision,
        branch=head.branch,
        version=head.version,
        source=session.project.config.project.source or head.source,
        created=head.epoch,
    )
