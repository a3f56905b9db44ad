"""Services with a Dockerfile of their own: what it says, and what of its context its build gets."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import basename, dirname, join

from bake.files import read_text
from bake.workspace.ignored import NEVER_SENT, anywhere, literal, load_git_ignored, parse_dockerignore, untracked

DOCKERFILE_HEAD = "# Written by bake: what the .dockerignore of this Dockerfile says, then what git says.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerContext:
    """A service's Dockerfile with its context.

    text: None where there is none. ignore: patterns of what its build does not get. sources: the files that it gets,
    relative to its context, sorted.
    """

    text: str | None
    ignore: str
    sources: tuple[str, ...]


def load_docker_context(
    root: Path, file: str, context: str, *, sources: Iterable[str], tracked: Iterable[str], versioned: bool
) -> DockerContext:
    """Read it. sources: those of the workspace. tracked: of them, what git has although names or rules speak against.

    Git decides what is in the context, as it does for packages; the .dockerignore leaves out more.
    """
    head = f"{context}/" if context else ""
    inside = sorted(path.removeprefix(head) for path in sources if path.startswith(head))
    own = read_dockerignore(root, file, context)
    nested = (f"{head}{dirname(path)}".rstrip("/") for path in inside if basename(path) == ".gitignore")
    ignored = (pattern_below(pattern, context) for pattern in load_git_ignored(root, {context, *nested}))
    left_out = parse_dockerignore(own)
    kept = (path.removeprefix(head) for path in tracked if path.startswith(head))
    lines = (
        own.rstrip("\n"),
        *(pattern for pattern in ignored if pattern),
        *anywhere(untracked(versioned=versioned)),
        *(f"!{literal(path)}" for path in kept if not left_out(path)),
        *anywhere(NEVER_SENT),
    )
    ignore = DOCKERFILE_HEAD + "\n".join(line for line in lines if line) + "\n"
    ignores = parse_dockerignore(ignore)
    return DockerContext(
        text=read_text(root, file), ignore=ignore, sources=tuple(path for path in inside if not ignores(path))
    )


def read_dockerignore(root: Path, file: str, context: str) -> str:
    """What a build with a Dockerfile leaves out: what lies beside that goes before what lies in its context."""
    names = (f"{file}.dockerignore", join(context, ".dockerignore"))
    return next((text for name in names if (text := read_text(root, name)) is not None), "")


def pattern_below(pattern: str, place: str) -> str:
    """A pattern of the workspace's root as one of a folder in it; "" where it is about nothing in there."""
    mark, parts = "!" * pattern.startswith("!"), pattern.removeprefix("!").split("/")
    for folder in place.split("/") if place else ():
        if parts and parts[0] == "**":
            break
        if not parts or not fnmatchcase(folder, parts[0]):
            return ""
        parts = parts[1:]
    return mark + "/".join(parts) if parts else ""
