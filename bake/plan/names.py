"""The names of images: repository and tags, from patterns such as `{branch}-{sha}`. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from bake import config as cfg
from bake.errors import UsageError
from bake.plan.project import Project
from bake.plan.request import Request

FIELDS = ("sha", "branch", "version", "pr", "content")
"""What a pattern can hold: 12 digits of the commit, its branch, its version tag, the pull request, the inputs' hash.

Commit and version end in `-dirty` where builds see changes that are not in the commit.
"""

_FALLBACK = "dev"
_LONGEST = 128
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def image_references(config: cfg.Config, request: Request, repository: str, target: str) -> tuple[str, ...]:
    return tuple(
        f"{_name(config, request, repository)}:{tag}"
        for tag in make_tags(_patterns(config, request), _values(request, target))
    )


def _name(config: cfg.Config, request: Request, repository: str) -> str:
    registry = request.registry or config.project.registry
    return request.image or (f"{registry}/{repository}" if request.push and registry else repository)


def _patterns(config: cfg.Config, request: Request) -> tuple[str, ...]:
    return request.tags or cfg.words(config.project.tag)


def _values(request: Request, target: str) -> Mapping[str, str]:
    mark = "-dirty" if request.dirty else ""
    return {
        "sha": request.revision and f"{request.revision[:12]}{mark}",
        "branch": request.branch,
        "version": request.version and f"{request.version}{mark}",
        "pr": request.pull_request,
        "content": request.content.get(target, ""),
    }


def content_patterns(project: Project, request: Request) -> tuple[str, ...]:
    """The request's tag patterns that hold {content}."""
    return tuple(p for p in _patterns(project.config, request) if has_field(p, "content"))


def names_commit(project: Project, request: Request) -> bool:
    """Whether a tag pattern names the commit, as a change that is not in it must not."""
    return any(has_field(p, field) for p in _patterns(project.config, request) for field in ("sha", "version"))


def content_references(project: Project, request: Request) -> Mapping[str, str]:
    """Target -> the reference that stands for its inputs; nothing when no tag pattern holds {content}, or none has all
    its values.
    """
    patterns = content_patterns(project, request)
    name, monolith = project.config.project.name, project.config.monolith
    named = {t: f"{name}-{t}" for t in cfg.image_names(project.config)}
    named |= {"monolith": monolith.image or name} if monolith else {}
    return {
        target: f"{_name(project.config, request, repository)}:{tags[0]}"
        for target, repository in named.items()
        if (tags := known_tags(patterns, _values(request, target)))
    }


def make_tags(patterns: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The tags that patterns make, in their order and each once; `dev` when no pattern has all its values.

    values: what is known of FIELDS; "" or absent is unknown. Raises UsageError for another field.
    """
    return known_tags(patterns, values) or (_FALLBACK,)


def known_tags(patterns: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The same, nothing when no pattern has all its values."""
    tags = [_tag(pattern, values) for pattern in patterns]
    return tuple(dict.fromkeys(t for t in tags if t))


def has_field(pattern: str, field: str) -> bool:
    """Whether the pattern holds the field."""
    return field in _PLACEHOLDER.findall(pattern)


def _tag(pattern: str, values: Mapping[str, str]) -> str:
    """A legal tag, "" when a placeholder has no value."""
    for field in _PLACEHOLDER.findall(pattern):
        if field not in FIELDS:
            raise UsageError("tag", f"{{{field}}} is not known", f"use one of {', '.join(FIELDS)}")
        if not values.get(field):
            return ""
    return slug(_PLACEHOLDER.sub(lambda m: values[m[1]], pattern))


def slug(text: str) -> str:
    """The text as a legal tag: `feature/x` becomes `feature-x`. What is too long or has no legal character is hashed.

    Source: OCI distribution specification, "Pulling manifests", the grammar of tags.
    """
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    tag = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")
    return (tag if len(tag) <= _LONGEST else f"{tag[: _LONGEST - 13]}-{mark}") or mark
