"""Services that are not JavaScript and have a Dockerfile: what bake.toml says of them. Pure."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bake.compose import KNOWN
from bake.evidence import (
    ComposeService,
    Stage,
    WorkspaceFacts,
    absent_in,
    asked_path,
    find_composed,
    is_beside,
    is_dockerfile,
    is_for_developers,
    likely_contexts,
    parse_dockerfile,
    slug,
    stated_builds,
)

_MANIFEST = re.compile(
    r"go\.mod|requirements.*\.txt|pyproject\.toml|Pipfile|setup\.py|Cargo\.toml|pom\.xml|build\.gradle(?:\.kts)?|Gemfile"
    r"|composer\.json|mix\.exs|Package\.swift|[^/]+\.(?:cs|fs)proj"
)
"""Files that say that a folder's program is in another language."""

_JAVASCRIPT = re.compile(r"(?:^|[/-])(?:node|nodejs|bun|deno)\d*(?:[:@-]|$)")
_TOOLS = re.compile(r"\b(?:npm|npx|pnpm|yarn|bun|node)\s")
_STORES = re.compile(rf"(?:^|/)(?:{'|'.join((*KNOWN, 'mongodb', 'kafka', 'localstack', 'opensearch'))})(?:[:@-]|$)")
"""Images that others make, and that are only set up here: nobody's service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockeredService:
    """A service with a Dockerfile of its own. context: "" for the Dockerfile's folder. source: why it is one."""

    name: str
    dockerfile: str
    source: str
    context: str = ""
    target: str = ""
    port: int | None = None
    health: str = ""
    user: str = ""


def find_dockered(facts: WorkspaceFacts, taken: frozenset[str]) -> tuple[DockeredService, ...]:
    """Those that compose files build, and those beside a manifest of another language. taken: names of images."""
    found: dict[str, DockeredService] = {}
    for service in (*_composed(facts), *_beside_manifests(facts)):
        found.setdefault(f"{service.dockerfile}:{service.target}", service)
    several = [service.dockerfile for service in found.values() if service.target]
    whole = [s for s in found.values() if s.target or s.dockerfile not in several]
    names = [s.name for s in whole]
    return tuple(sorted((s for s in whole if s.name not in taken and names.count(s.name) == 1), key=lambda s: s.name))


def _composed(facts: WorkspaceFacts) -> Iterator[DockeredService]:
    """What compose files build; where they run another command than the image's, it is no image of its own."""
    for file, service in find_composed(facts):
        if not is_beside(file) and service.built and service.command is None and service.entrypoint is None:
            yield from _made(facts, service.dockerfile, service.context, f"{file}: {service.name}", service)


def _beside_manifests(facts: WorkspaceFacts) -> Iterator[DockeredService]:
    contexts = {build.dockerfile: build.context for build in stated_builds(facts)}
    languages = {posixpath.dirname(p): p for p in sorted(facts.paths) if _MANIFEST.fullmatch(posixpath.basename(p))}
    for file, text in sorted(facts.deployed.items()):
        folder = posixpath.dirname(file)
        if not is_dockerfile(file) or folder not in languages or is_for_developers(file) or is_beside(file):
            continue
        stages = parse_dockerfile(text)
        likely = likely_contexts(facts, file, stages)[0] if absent_in(folder, facts, stages) else folder
        said = contexts.get(file)
        yield from _made(facts, file, likely if said is None else said, f"{languages[folder]} beside it")


def _made(
    facts: WorkspaceFacts, file: str, context: str, source: str, service: ComposeService | None = None
) -> Iterator[DockeredService]:
    """The service of a Dockerfile, unless it is JavaScript, a store, or copies what no clone has."""
    stages, folder = parse_dockerfile(facts.deployed.get(file, "")), posixpath.dirname(file)
    target = service.target if service else ""
    last = next((s for s in stages if target and s.name == target), stages[-1] if stages else Stage())
    manifest = posixpath.join(context, "package.json")
    if target and target not in (s.name for s in stages):
        return
    if not stages or _is_javascript(stages) or _STORES.search(last.image) or absent_in(context, facts, stages):
        return
    if (manifest in facts.paths and context) or f"{folder}/package.json" in facts.paths:
        return
    yield DockeredService(
        name=slug(service.name if service else posixpath.basename(folder)),
        dockerfile=file,
        source=source,
        context="" if context == folder else context or ".",
        target=target,
        port=(service.port if service else None) or next(iter(last.ports), None),
        health=(service.health if service else "") or asked_path(last.health),
        user=last.user if re.fullmatch(r"\d+(?::\d+)?", last.user) else "",
    )


def _is_javascript(stages: Sequence[Stage]) -> bool:
    """Whether any stage is made from Node's image, or calls what comes with it."""
    commands = (text for s in stages for text in (*(r.text for r in s.runs), f"{' '.join(s.words)} "))
    return any(_JAVASCRIPT.search(s.image) for s in stages) or any(_TOOLS.search(text) for text in commands)
