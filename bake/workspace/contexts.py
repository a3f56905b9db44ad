"""Services with a Dockerfile of their own: what it says, which images it is made from, what of its context it gets."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import basename, dirname

from bake.files import read_text
from bake.workspace.dockerfile import read_instructions
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
    names = (f"{file}.dockerignore", f"{head}.dockerignore")
    own = next((text for name in names if (text := read_text(root, name)) is not None), "")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage of a Dockerfile. base: an image or another stage. sources: likewise, what it copies from or mounts."""

    name: str
    base: str
    sources: tuple[str, ...]


_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.I)
_ARG = re.compile(r"(?P<name>\w+)(?:=(?P<value>\S*))?", re.I)
_TAKEN = re.compile(r"(?:--from=|,from=|=from=)([^\s,]+)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


def parse_stages(text: str, arguments: Mapping[str, str]) -> tuple[Step, ...]:
    """The stages, with variables in what they name replaced by arguments and the defaults above the first FROM."""
    known: dict[str, str] = {}
    found: list[tuple[str, str, list[str]]] = []
    for key, rest, _ in read_instructions(text):
        if key == "FROM" and (start := _FROM.match(rest)):
            found.append((start["name"] or str(len(found)), _filled(start["base"], known), []))
        elif found:
            found[-1][2].extend(_TAKEN.findall(rest))
        elif key == "ARG" and (named := _ARG.match(rest)) and (value := arguments.get(named["name"], named["value"])):
            known[named["name"]] = _filled(value.strip("\"'"), known)
    return tuple(Step(name=name.lower(), base=base, sources=tuple(sources)) for name, base, sources in found)


def used_images(stages: Sequence[Step], target: str | None) -> tuple[str, ...] | None:
    """The images that a stage, else the last one, is made from, sorted; None where that cannot be told."""
    names = {stage.name: stage for stage in stages} | {str(at): stage for at, stage in enumerate(stages)}
    queue = [target.lower() if target else str(len(stages) - 1)]
    images, seen = set[str](), set[str]()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        if stage := names.get(name.lower()):
            queue += [source for source in (stage.base, *stage.sources) if source.lower() != stage.name]
        else:
            images.add(name)
    if not stages or any("$" in image for image in images):
        return None
    return tuple(sorted(images - {"scratch"}))


def _filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its variables; one that is not known stays."""
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[3], found[2] or found[0]), text)
