"""A push of a plan: the images first, by digest, then all tags, then their manifest in a file."""

import dataclasses
from collections.abc import Mapping

from bake.build.options import Options
from bake.build.present import load_uploads
from bake.build.ready import Ready, write_plan
from bake.build.run import run_plan
from bake.components import attach_sboms
from bake.engine import Built, Capabilities, Progress
from bake.errors import BuildError, EngineError
from bake.publish import (
    UNFINISHED,
    Release,
    Staged,
    Upload,
    attach_origin,
    keep_release,
    keeping_unfinished,
    mirrored,
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
    wanted = _with_present(session, ready, options, registry, wanted)
    everywhere = (*wanted, *(mirrored(plan, wanted) if options.tag else ()))
    plan = dataclasses.replace(plan, targets=tuple(u.image for u in wanted if not u.there))
    if dirty := session.is_dirty(plan):
        session.console.warn("the workspace has changes that are not committed: its images are not those of the commit")
    staging = staging_tag(session.head.revision) if capabilities.features["push by digest"] else ""
    folder = session.project.folder
    with prepared(registry, everywhere, staging, warn=session.console.warn):
        built = _build_to_registry(
            session, dataclasses.replace(ready, plan=plan), options, capabilities, registry, wanted, staging
        )
        staged = Staged(
            uploads=everywhere,
            digests={u.image: u.there or built.digest(u.image) for u in wanted},
            marks=_true_marks(wanted, built),
        )
        with keeping_unfinished(folder / UNFINISHED, session.console.warn):
            release = tag_all(registry, staged, release=session.release, wait=session.pause)
        keep_release(folder, release)
        if options.release:
            write_release(options.release, release)
    if options.sbom:
        count = attach_sboms(registry, session.project, ready.plan, release.parts, "cyclonedx")
        session.console.say(f"{count} bills of materials attached")
    if options.tag and not dirty:
        attach_origin(registry, release, [i for i in release.everywhere if i.image in plan.targets])
    names = {u.image: tuple(f"{u.repository}:{t}" for t in u.tags) for u in wanted}
    references = {i.image: names[i.image] or (i.reference,) for i in release.images}
    return Pushed(built=built, release=release, targets=plan.targets, references=references)


def _refuse_attestations(session: Session, capabilities: Capabilities) -> None:
    wishes = session.project.config.attestations
    if (wishes.sbom or wishes.provenance != "none") and (why := capabilities.features["attestations"]):
        raise EngineError("attestations", why, "push with another builder, or take them out of bake.toml")


def _build_to_registry(
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
    outputs = push_outputs(
        [u for u in wanted if not u.there],
        staging=staging,
        containerd=sparing,
        compression=session.project.config.layers.compression,
    )
    write_plan(session, ready.nameless, outputs)
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


def _with_present(
    session: Session, ready: Ready, options: Options, registry: Registry, wanted: tuple[Upload, ...]
) -> tuple[Upload, ...]:
    """The uploads, of which some may be in the registry already.

    What overrides change nobody can tell, and parts that are joined later have no tags.
    """
    if options.overrides or not options.tag:
        return wanted
    known = load_uploads(session, ready, registry)
    if options.rebuild or not options.cache:
        return tuple(dataclasses.replace(u, there="") for u in known)
    if there := sum(bool(u.there) for u in known):
        session.console.say(f"{there} of {len(known)} images are in the registry already: their tags move")
    return known


def _true_marks(wanted: tuple[Upload, ...], built: Built) -> Mapping[str, str]:
    """Image -> its mark, of what was built now and of the base images that the mark was made for."""
    bases = built.progress.bases()
    return {u.image: u.mark.tag for u in wanted if u.mark and not u.there and u.mark.is_true(bases)}
