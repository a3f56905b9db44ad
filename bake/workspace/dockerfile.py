"""A Dockerfile of the workspace's own: the images that it is made from, and what it reads of its context.

Source: docs.docker.com/reference/dockerfile.
"""

import json
import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HEREDOC = re.compile(r"(?<!\S)\d*<<-?[ \t]*(['\"]?)(?P<end>[A-Za-z_][\w.-]*)\1(?!\S)")
_ESCAPE = re.compile(r"(?:#[ \t]*\w+[ \t]*=.*\n)*#[ \t]*escape[ \t]*=[ \t]*`", re.I)
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+as\s+(?P<name>\S+))?\s*$", re.I)
_MOUNT = re.compile(r"--mount=(\S*\btype=bind\b\S*|(?!\S*\btype=)\S+)")
_TAKEN = re.compile(r"(?:--from=|,from=|=from=)([^\s,$]+)(?=[\s,])")
_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::?-(?P<default>[^}]*))?\})")


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
    stages: dict[str, str] = {}
    parents: list[str] = []
    reads: list[str] = []
    values: dict[str, str] = {}
    last = ""
    for key, rest, _ in read_instructions(text):
        if key == "FROM" and target and target.lower() in stages:
            break
        if key == "ARG" and not stages:
            name, _, default = rest.partition("=")
            values[name.strip()] = arguments.get(name.strip(), default.strip().strip("\"'"))
        elif key == "FROM" and (found := _FROM.match(rest)):
            image = _filled(found["image"], values)
            own = stages.get(image.lower())
            last = own if own is not None else "" if image == "scratch" or "$" in image else image
            parents += [last] if own is None and last else []
            stages[(found["name"] or str(len(stages))).lower()] = last
        elif key in {"COPY", "ADD", "RUN"}:
            reads += _mounted(rest) if key == "RUN" else _copied(rest)
            parents += [name for name in _TAKEN.findall(rest) if name.lower() not in stages and not name.isdigit()]
    return Dockerfile(
        parents=tuple(dict.fromkeys(parents)),
        last=last,
        reads=tuple(sorted(dict.fromkeys(reads))),
        stages=tuple(stages),
    )


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


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: values.get(m["plain"] or m["name"]) or m["default"] or m[0], text)


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
