"""The names of images: repository and tags, from patterns such as `{branch}-{sha}`. Pure."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bake import config as cfg
from bake.errors import ConfigError, UsageError
from bake.plan.plan import Plan
from bake.plan.request import Request
from bake.project import Project

FIELDS = ("sha", "branch", "version", "pr", "content")
"""What a pattern can hold: 12 digits of the commit, its branch, its version tag, the pull request, the inputs' hash.

Commit and version end in `-dirty` where builds see changes that are not in the commit.
"""

NOTHING: Mapping[str, str] = MappingProxyType({})
_FALLBACK = "dev"
_LONGEST = 128
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What an image is called. repository: with its registry where it is pushed."""

    repository: str
    tags: tuple[str, ...]

    @property
    def references(self) -> tuple[str, ...]:
        """The repository with each tag."""
        return tuple(f"{self.repository}:{tag}" for tag in self.tags)


Names = Mapping[str, Name]
"""Target -> what its image is called."""


def name_images(project: Project, plan: Plan, contents: Mapping[str, str] = NOTHING, *, dirty: bool = False) -> Names:
    """The names that the plan's request asks for.

    contents: target -> hash of its inputs, where tags ask for it. dirty: builds see changes that are in no commit.
    """
    return {
        each.target: Name(
            repository=_repository(plan, each.repository),
            tags=_tags(project, plan.request, _values(plan.request, contents.get(each.target, ""), dirty=dirty)),
        )
        for each in plan.everything
    }


def _tags(project: Project, request: Request, values: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return make_tags(tag_patterns(project, request), values)
    except UsageError as error:
        if request.tags:
            raise
        raise ConfigError(cfg.FILE_NAME, f"project.tag: {error.what}", error.remedy) from None


def tag_patterns(project: Project, request: Request) -> tuple[str, ...]:
    """The patterns of tags, asked for or bake.toml's."""
    return request.tags or cfg.words(project.config.project.tag)


def content_patterns(project: Project, request: Request) -> tuple[str, ...]:
    """Those that hold {content}."""
    return tuple(p for p in tag_patterns(project, request) if has_field(p, "content"))


def names_commit(project: Project, request: Request) -> bool:
    """Whether a tag pattern names the commit, as a change that is not in it must not."""
    return any(has_field(p, field) for p in tag_patterns(project, request) for field in ("sha", "version"))


def _repository(plan: Plan, repository: str) -> str:
    prefix = f"{plan.registry}/" if plan.request.push and plan.registry else ""
    return plan.request.image or f"{prefix}{repository}"


def _values(request: Request, content: str, *, dirty: bool) -> Mapping[str, str]:
    mark = "-dirty" if dirty else ""
    return {
        "sha": request.revision and f"{request.revision[:12]}{mark}",
        "branch": request.branch,
        "version": request.version and f"{request.version}{mark}",
        "pr": request.pull_request,
        "content": content,
    }


def make_tags(patterns: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The tags that patterns make, in their order and each once; `dev` when no pattern has all its values.

    values: what is known of FIELDS; "" or absent is unknown. Raises UsageError for another field.
    """
    tags = [_tag(pattern, values) for pattern in patterns]
    return tuple(dict.fromkeys(t for t in tags if t)) or (_FALLBACK,)


def has_field(pattern: str, field: str) -> bool:
    """Whether the pattern holds the field."""
    return field in _PLACEHOLDER.findall(pattern)


def _tag(pattern: str, values: Mapping[str, str]) -> str:
    """A legal tag, "" when a placeholder has no value."""
    for field in _PLACEHOLDER.findall(pattern):
        if field not in FIELDS:
            raise UsageError("--tag", f"{{{field}}} is not known", f"use one of {', '.join(FIELDS)}")
        if not values.get(field):
            return ""
    if odd := re.search(r"[^A-Za-z0-9_./-]", _PLACEHOLDER.sub("", pattern)):
        raise UsageError("--tag", f"{pattern!r} has {odd[0]!r} in it", "use letters, digits, `_`, `.` and `-`")
    return slug(_PLACEHOLDER.sub(lambda m: values[m[1]], pattern))


def slug(text: str) -> str:
    """The text as a legal tag: `feature/x` becomes `feature-x`. What is too long or has no legal character is hashed.

    Source: OCI distribution specification, "Pulling manifests", the grammar of tags.
    """
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    tag = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-")
    return (tag if len(tag) <= _LONGEST else f"{tag[: _LONGEST - 13]}-{mark}") or mark
