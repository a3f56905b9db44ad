"""What files say about processes: Dockerfiles, compose files, npm scripts. Pure."""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bake.errors import WorkspaceError
from bake.files import parse_yaml, table
from bake.shell import split_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What a Dockerfile's last stage runs. node: major version of its Node image, 0 when it names none.

    health: the path that its HEALTHCHECK asks for, "" when it has none.
    """

    words: tuple[str, ...] = ()
    port: int | None = None
    health: str = ""
    node: int = 0
    alpine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeService:
    """A service that a compose file builds. folder: of its Dockerfile or context, from the compose file's."""

    name: str
    folder: str
    words: tuple[str, ...]
    port: int | None


def parse_dockerfile(text: str) -> Dockerfile:
    """Read the last stage; variables in EXPOSE are taken from its ENV and ARG."""
    joined = re.sub(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*", " ", text)
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]
    starts = [at for at, line in enumerate(lines) if line.upper().startswith("FROM ")]
    last = lines[starts[-1] :] if starts else lines
    images = [m for at in starts if (m := re.search(r"\bnode:(\d+)?\S*", lines[at]))]
    words = (*_instruction(last, "ENTRYPOINT"), *_instruction(last, "CMD"))
    return Dockerfile(
        words=() if words[:1] == ("docker-entrypoint.sh",) else words,
        port=_exposed(last),
        health=_asked_for(last),
        node=max((int(m[1]) for m in images if m[1]), default=0),
        alpine=bool(images) and "alpine" in images[-1][0],
    )


_HEREDOC = re.compile(
    r"^(?P<line>[^\n#]*<<-?[ ]*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)[^\n]*)\n(?P<body>.*?)^\s*(?P=end)[ \t]*$",
    re.M | re.S,
)
_WRITTEN = re.compile(r">\s*(?P<to>[^\s>|&;]+)|\btee\s+(?P<tee>[^\s>|&;]+)")


def heredocs(text: str) -> Iterator[tuple[str, str]]:
    """Path and text of each file that a Dockerfile writes by a here-document.

    Source: docs.docker.com/reference/dockerfile, "Here-documents".
    """
    for found in _HEREDOC.finditer(text):
        line = re.sub(r"<<-?\s*['\"]?\w+['\"]?", " ", found["line"]).strip()
        if re.match(r"(?:COPY|ADD)\b", line, re.I):
            yield line.split()[-1], found["body"]
        elif path := _WRITTEN.search(line):
            yield path["to"] or path["tee"], found["body"]


def build_arguments(text: str) -> Mapping[str, str]:
    """Name -> default of a Dockerfile's ARG lines that have a plain one."""
    found = re.findall(r"^\s*ARG\s+(\w+)=(?:\"([^\"$]*)\"|'([^'$]*)'|([^\s\"'$]+))\s*$", text, re.M | re.I)
    return {name: double or single or bare for name, double, single, bare in found}


def image_node(reference: str) -> int:
    """The major version of Node that an image's name tells: `node:24-slim` -> 24; 0 when it does not."""
    found = re.search(r"\bnode:v?(\d+)", reference)
    return int(found[1]) if found else 0


def _instruction(lines: Sequence[str], key: str) -> tuple[str, ...]:
    found = [line[len(key) :].strip() for line in lines if re.match(rf"{key}\b", line, re.I)]
    if not found:
        return ()
    if found[-1].startswith("["):
        try:
            return tuple(str(word) for word in json.loads(found[-1]))
        except ValueError:
            return ()
    return ("sh", "-c", found[-1]) if _PROGRAM.search(found[-1]) else split_words(found[-1])


def _asked_for(lines: Iterable[str]) -> str:
    checks = " ".join(line for line in lines if line.upper().startswith("HEALTHCHECK"))
    found = re.search(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0)[^/\s]*?(/[A-Za-z][\w/.-]*)", checks)
    return found[1] if found else ""


def _exposed(lines: Iterable[str]) -> int | None:
    values: dict[str, str] = {}
    ports: list[str] = []
    for line in lines:
        key, _, rest = line.partition(" ")
        if key.upper() in {"ENV", "ARG"}:
            values.update(re.findall(r"(\w+)(?:=|\s+)[\"']?([^\s\"']+)", rest))
        elif key.upper() == "EXPOSE":
            ports += rest.split()
    plain = (re.sub(r"\$\{?(\w+)[^}]*\}?", lambda m: values.get(m[1], ""), p).partition("/")[0] for p in ports)
    return next((int(p) for p in plain if p.isdigit() and 0 < int(p) < 65536), None)


def parse_compose(text: str, folder: str = "") -> tuple[ComposeService, ...]:
    """Services with a `build`, their folders from the root; () when the file is not YAML.

    folder: the compose file's own. Source: docs.docker.com/reference/compose-file/build.
    """
    try:
        services = table(parse_yaml(text, "compose"), "services")
    except WorkspaceError:
        return ()
    built = ((n, s) for n, s in services.items() if isinstance(s, dict) and s.get("build"))
    return tuple(_compose_service(str(name), service, folder) for name, service in built)


def _compose_service(name: str, service: Mapping[str, Any], folder: str) -> ComposeService:
    build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
    context = posixpath.normpath(posixpath.join(folder, str(build.get("context") or ".")))
    file = posixpath.normpath(posixpath.join(context, str(build.get("dockerfile") or "Dockerfile")))
    place = posixpath.dirname(file) if context in (".", "") else context
    command = service.get("command")
    words = split_words(command) if isinstance(command, str) else tuple(str(w) for w in command or ())
    return ComposeService(name=name, folder=place, words=words, port=_published(service))


def _published(service: Mapping[str, Any]) -> int | None:
    """The first port inside the container."""
    for port in [*(service.get("ports") or ()), *(service.get("expose") or ())]:
        text = str(port.get("target", "")) if isinstance(port, dict) else str(port)
        number = text.rpartition(":")[2].partition("/")[0]
        if number.isdigit():
            return int(number)
    return None


# --- scripts --------------------------------------------------------------------------------------------

ORCHESTRATES = re.compile(
    r"\b(?:turbo|nx|lerna|wsrun|moon|lage|rush)\b"
    r"|\b(?:npm|pnpm|yarn|bun)\b[^&|;]*\s(?:-ws?|--workspaces?|--filter|-F|--prefix|-C|--cwd|-r|--recursive)\b"
    r"|\byarn workspaces?\b"
)
"""Commands that start or build other packages than their own."""


_PROGRAM = re.compile(r"[|;\n`]|&|\$\(")
