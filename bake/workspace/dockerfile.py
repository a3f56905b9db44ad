"""A Dockerfile of the workspace's own: the images that it is made from, and what it reads of its context.

Source: docs.docker.com/reference/dockerfile.
"""

import json
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

HEREDOC = re.compile(r"(?<!\S)\d*<<-?[ \t]*(['\"]?)(?P<end>[A-Za-z_][\w.-]*)\1(?!\S)")
_ESCAPE = re.compile(r"(?:#[ \t]*\w+[ \t]*=.*\n)*#[ \t]*escape[ \t]*=[ \t]*`", re.I)
_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.I)
_ARG = re.compile(r"(?P<name>\w+)(?:=(?P<value>\S*))?", re.I)
_MOUNT = re.compile(r"--mount=(\S*\btype=bind\b\S*|(?!\S*\btype=)\S+)")
_TAKEN = re.compile(r"(?:--from=|,from=|=from=)([^\s,]+)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage of a Dockerfile. base: an image or another stage. sources: likewise, what it copies from or mounts.

    reads: files and folders of the context, "" for all of it.
    """

    name: str
    base: str
    sources: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What a Dockerfile says. parents: images outside of it. last: the one that its image is made from, "" for scratch.

    reads: files and folders of its context, "" for all of it. stages: their names, up to the one that is built.
    """

    parents: tuple[str, ...]
    last: str
    reads: tuple[str, ...]
    stages: tuple[str, ...] = ()


def parse_own_dockerfile(text: str, *, arguments: Mapping[str, str], target: str | None = None) -> Dockerfile:
    """Read a Dockerfile. arguments: of its build. target: the stage that is built, by default the last."""
    stages = parse_stages(text, arguments)
    names = [stage.name for stage in stages]
    stages = stages[: names.index(target.lower()) + 1] if target and target.lower() in names else stages
    parents: dict[str, None] = {}
    lasts: dict[str, str] = {}
    for stage in stages:
        own = lasts.get(stage.base.lower())
        lasts[stage.name] = own if own is not None else stage.base if _is_image(stage.base) else ""
        taken = (source for source in stage.sources if source.lower() not in lasts and not source.isdigit())
        parents |= dict.fromkeys(filter(_is_image, ([stage.base] if own is None else []) + [*taken]))
    return Dockerfile(
        parents=tuple(parents),
        last=lasts[stages[-1].name] if stages else "",
        reads=tuple(sorted({path for stage in stages for path in stage.reads})),
        stages=tuple(stage.name for stage in stages),
    )


def _is_image(base: str) -> bool:
    """Whether it is a name that a registry may have, and not one that only the build knows."""
    return base != "scratch" and "$" not in base


def parse_stages(text: str, arguments: Mapping[str, str]) -> tuple[Step, ...]:
    """The stages, with variables in what they name replaced by arguments and the defaults above the first FROM."""
    known: dict[str, str] = {}
    found: list[Step] = []
    for key, rest, _ in read_instructions(text):
        if key == "FROM" and (start := _FROM.match(rest)):
            name = start["name"] or str(len(found))
            found.append(Step(name=name.lower(), base=_filled(start["base"], known)))
        elif found:
            found[-1] = _grown(found[-1], key, rest)
        elif key == "ARG" and (named := _ARG.match(rest)) and (value := arguments.get(named["name"], named["value"])):
            known[named["name"]] = _filled(value.strip("\"'"), known)
    return tuple(found)


def _grown(stage: Step, key: str, rest: str) -> Step:
    """A stage with one instruction more."""
    reads = _copied(rest) if key in {"COPY", "ADD"} else _mounted(rest) if key == "RUN" else ()
    return replace(stage, sources=(*stage.sources, *_TAKEN.findall(rest)), reads=(*stage.reads, *reads))


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


def read_instructions(text: str) -> Iterator[tuple[str, str, str]]:
    """Each instruction in upper case, what it says on one line, and the text of its here-documents."""
    text = text.replace("\r\n", "\n")
    escape = "`" if _ESCAPE.match(text) else "\\"
    lines = deque(text.split("\n"))
    while lines:
        line = lines.popleft().strip()
        if not line or line.startswith("#"):
            continue
        key, _, rest = _continued(line, lines, escape).replace("\t", " ").partition(" ")
        body = _bodies(rest, lines) if key.upper() in {"RUN", "COPY", "ADD"} else ""
        yield key.upper(), rest.strip(), body


def _continued(line: str, lines: deque[str], escape: str) -> str:
    """A line with those that continue it; comments and empty lines between them do not count."""
    while line.endswith(escape):
        while lines and re.match(r"\s*(?:#|$)", lines[0]):
            lines.popleft()
        line = f"{line[:-1].rstrip()} {lines.popleft().strip() if lines else ''}"
    return line


def _bodies(rest: str, lines: deque[str]) -> str:
    body: list[str] = []
    for found in HEREDOC.finditer(rest):
        if found["end"] in map(str.strip, lines):  # else it is no here-document
            while (line := lines.popleft()).strip() != found["end"]:
                body.append(f"{line}\n")
    return "".join(body)


def _filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its variables; one that is not known stays."""
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[3], found[2] or found[0]), text)


def _copied(rest: str) -> Iterator[str]:
    flags = re.match(r"(?:--\S+\s+)*", rest)
    options = flags[0] if flags else ""
    if "--from=" in options:
        return
    for word in _words(rest[len(options) :])[:-1]:
        if not re.match(r"<<|[a-z]+://|git@", word):
            yield _place(word)


def _words(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [str(word) for word in json.loads(text)]
        except ValueError:
            pass
    return text.split()


def _mounted(rest: str) -> Iterator[str]:
    for options in _MOUNT.findall(rest):
        given = dict(option.partition("=")[::2] for option in options.split(","))
        if "from" not in given:
            yield _place(given.get("source") or given.get("src") or "")


def _place(path: str) -> str:
    """A path of the context; of a pattern, the folder that it looks in."""
    if found := re.search(r"[*?\[$]", path):
        path = posixpath.dirname(path[: found.start()])
    plain = posixpath.normpath(f"/{path}").strip("/")
    return "" if plain == "." else plain
