"""Which images of a push are in the registry already, by the tags that stand for their contents."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from bake.build.current import resolve_bases, unpinned_bases
from bake.build.ready import Ready
from bake.config import Attestations
from bake.inputs import Inputs, digest
from bake.plan import Plan
from bake.project import Project
from bake.publish import CONTENT_PREFIX, Mark, Upload, existing, uploads
from bake.registry import Registry
from bake.session import Session

Resolve = Callable[[Sequence[str]], Mapping[str, str]]
"""Base images -> the digests of their tags now, without those that nobody tells."""


def load_marks(project: Project, plan: Plan, inputs: Mapping[str, Inputs], resolve: Resolve) -> Mapping[str, Mark]:
    """Target -> its mark, of the images that the plan selects and whose content can be told.

    That of the monolith cannot: its context is whatever lies there. Nor can templates of the workspace's own be
    followed, or a Dockerfile whose base images nobody can tell.
    """
    if project.ejected:
        return {}
    used = {i.target: bases for i in plan.chosen() if (bases := unpinned_bases(plan, i)) is not None}
    names = sorted({name for each in used.values() for name in each})
    known = resolve(names) if names else {}
    told = {target: {n: known[n] for n in each} for target, each in used.items() if known.keys() >= set(each)}
    return {target: _mark_of(project, inputs[target].content, bases) for target, bases in told.items()}


def _mark_of(project: Project, content: str, bases: Mapping[str, str]) -> Mark:
    """Where no base image may move, the hash is the one that {content} stands for."""
    attested = project.config.attestations
    more: list[object] | None = [bases, attested] if bases or attested != Attestations() else None
    if (packed := project.config.layers.compression) != "gzip":
        more = [bases, attested, packed]
    return Mark(tag=CONTENT_PREFIX + (digest([content, more]) if more else content), bases=bases)


def load_uploads(session: Session, ready: Ready, registry: Registry) -> tuple[Upload, ...]:
    """What a push of the plan's targets puts up, and what is there of it already. Raises RegistryError."""
    plan = ready.plan
    marks = load_marks(session.project, plan, ready.inputs(), lambda names: resolve_bases(names, session.environment))
    return load_present(registry, uploads(plan, ready.names), marks, plan.platforms)


def load_present(
    registry: Registry, wanted: Sequence[Upload], marks: Mapping[str, Mark], platforms: Sequence[str]
) -> tuple[Upload, ...]:
    """The uploads with their marks, and with the digests of those whose mark the registry has for all platforms.

    Raises RegistryError.
    """
    references = {u.image: f"{u.repository}:{marks[u.image].tag}" for u in wanted if u.image in marks}
    there = existing(registry, references, lambda _: platforms)
    return tuple(dataclasses.replace(u, mark=marks.get(u.image), there=there.get(u.image, "")) for u in wanted)
