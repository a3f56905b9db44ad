"""What a compose file says about the services that it builds or starts. Pure.

Source: docs.docker.com/reference/compose-file.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bake.errors import WorkspaceError
from bake.evidence.dockerfiles import asked_path, substitute
from bake.files import parse_yaml, table
from bake.shell import parse_line, plain_number, split_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeService:
    """A service. built: whether it has a `build`; context and dockerfile are paths from the root then.

    command, entrypoint: None where the image's own stands. volumes: places in the container.
    """

    name: str
    image: str = ""
    built: bool = False
    context: str = ""
    dockerfile: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    directory: str = ""
    port: int | None = None
    health: str = ""
    check: str = ""
    """The command of its health check."""
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    """Variables without a value, and files of variables."""
    peers: frozenset[str] = frozenset()
    """Names of the file's services: hosts."""
    volumes: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    init: bool = False
    signal: str = ""
    """What ends it, "" where its image says that."""
    text: str = ""
    """The text of a Dockerfile that stands in the compose file itself."""
    develops: bool = False
    """Whether it runs the sources of this machine, by a shell's text or by what its image is told to."""
    aside: bool = False
    """Whether its image is another service's, whose port and health check the Dockerfile tells."""


def parse_compose(path: str, texts: Mapping[str, str]) -> tuple[ComposeService, ...]:
    """Services of one of these files, over what they extend and over the base file that it is for."""
    folder = posixpath.dirname(path)
    services = _stacked(path, texts)
    whole = {n: _extended(s, path, texts, _DEEPEST) for n, s in services.items()}
    found = tuple(_with_port(_service(n, s, folder), s, folder, texts) for n, s in whole.items())
    names = frozenset(each.name for each in found)
    return tuple(replace(s, peers=names - {s.name}, aside=_is_aside(s, found)) for s in found)


_PORT = re.compile(r"^(?:export\s+)?PORT=[\"']?(\d{2,5})\b", re.M)


def _with_port(
    service: ComposeService, table_: Mapping[str, Any], folder: str, texts: Mapping[str, str]
) -> ComposeService:
    """A service with the port that a file of variables sets which the repository has."""
    files = (posixpath.normpath(posixpath.join(folder, file)) for file in _env_files(table_))
    found = [m[1] for file in files if (m := _PORT.search(texts.get(file, "")))]
    return replace(service, env={"PORT": found[-1], **service.env}) if found else service


def _env_files(service: Mapping[str, Any]) -> Iterator[str]:
    files = service.get("env_file")
    for file in files if isinstance(files, list) else [files] if files else ():
        yield str(file.get("path", "") if isinstance(file, dict) else file)


def _is_aside(service: ComposeService, all_: Sequence[ComposeService]) -> bool:
    if not service.built or service.port:
        return False
    own = service.command is None and service.entrypoint is None
    same = (s for s in all_ if s.built and (s.dockerfile, s.target) == (service.dockerfile, service.target))
    return any(s.name != service.name and (s.port or (not own and s.command is None)) for s in same)


_DEEPEST = 5
_OVERLAY = re.compile(r"(?P<base>.*compose)[.-](?:prod(?:uction)?|deploy|release|live|server|cloud)\b[^/]*\.ya?ml")


def _stacked(path: str, texts: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    """A file's services. One for production that leaves to its base file what is built is laid over that."""
    own = _services(texts.get(path, ""))
    base = base_of(path, texts)
    if not base:
        return own
    below = _services(texts[base])
    return {n: _laid(below.get(n, {}), own.get(n, {})) for n in (*below, *(n for n in own if n not in below))}


def base_of(path: str, texts: Mapping[str, str]) -> str:
    """The compose file that one for production is laid over, "" for one that is complete by itself."""
    found = _OVERLAY.fullmatch(path)
    if found and all(s.keys() & {"build", "image", "extends"} for s in _services(texts[path]).values()):
        return ""
    names = (f"{found['base']}.{end}" for end in ("yml", "yaml")) if found else ()
    return next((name for name in names if name in texts), "")


def _services(text: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        services = table(parse_yaml(text, "compose"), "services")
    except WorkspaceError:
        return {}
    return {str(n): _merged(s) for n, s in services.items() if isinstance(s, dict)}


def _extended(service: Mapping[str, Any], path: str, texts: Mapping[str, str], depth: int) -> Mapping[str, Any]:
    """A service over the one that it extends, whose paths are from that one's file."""
    given = service.get("extends")
    named = given if isinstance(given, dict) else {"service": given} if given else {}
    folder = posixpath.dirname(path)
    file = posixpath.normpath(posixpath.join(folder, str(named["file"]))) if "file" in named else path
    below = _services(texts.get(file, "")).get(str(named.get("service", "")))
    if below is None or not depth:
        return service
    below = _extended(below, file, texts, depth - 1)
    if "build" in below:
        build = below["build"] if isinstance(below["build"], dict) else {"context": below["build"]}
        place = posixpath.join("/", posixpath.dirname(file), str(build.get("context") or "."))
        below = {**below, "build": {**build, "context": posixpath.relpath(place, posixpath.join("/", folder))}}
    return _laid(below, service)


def _laid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    """One service over another, as compose merges them.

    Source: docs.docker.com/reference/compose-file/merge.
    """
    found = dict(below)
    for key, value in above.items():
        first = found.get(key)
        if key in {"environment", "args"}:
            found[key] = {**_as_table(first), **_as_table(value)}
        elif isinstance(first, dict) and isinstance(value, dict):
            found[key] = _laid(first, value)
        elif key in {"ports", "expose", "volumes"} and isinstance(first, list) and isinstance(value, list):
            found[key] = [*value, *first]
        else:
            found[key] = value
    return found


def _as_table(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return _merged(value)
    rows = (str(each).partition("=") for each in value) if isinstance(value, list) else ()
    return {name: given if equals else "" for name, equals, given in rows}


def _merged(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping with what its `<<` brings in."""
    given = value.get("<<")
    below = given if isinstance(given, list) else [given] if isinstance(given, dict) else []
    found: dict[str, Any] = {}
    for each in reversed([b for b in below if isinstance(b, dict)]):
        found |= _merged(each)
    return found | {k: v for k, v in value.items() if k != "<<"} if below else value


def _service(name: str, service: Mapping[str, Any], folder: str) -> ComposeService:
    build = service.get("build")
    build = build if isinstance(build, dict) else {"context": build} if build else {}
    context = posixpath.normpath(posixpath.join(folder, _filled(build.get("context") or ".")))
    file = posixpath.normpath(posixpath.join(context, _filled(build.get("dockerfile") or "Dockerfile")))
    command = _command(service.get("command"))
    return ComposeService(
        name=name,
        develops=_develops(service.get("volumes"), context, folder, command),
        image=_filled(service.get("image") or ""),
        built=bool(build),
        context="" if context == "." else context,
        dockerfile=file,
        target=_filled(build.get("target") or ""),
        args=dict(_pairs(build.get("args"))),
        command=command,
        entrypoint=_command(service.get("entrypoint")),
        directory=str(service.get("working_dir") or ""),
        port=_published(service),
        health=asked_path(_test(service)),
        check=_test(service),
        env=dict(_pairs(service.get("environment"))),
        unset=tuple(_unset(service)),
        volumes=tuple(_volumes(service.get("volumes"))),
        profiles=tuple(map(str, service.get("profiles") or ())),
        init=service.get("init") == "true",
        signal=_filled(service.get("stop_signal") or ""),
        text=str(build.get("dockerfile_inline") or ""),
    )


def _filled(value: object) -> str:
    return substitute(str(value), {})


def _pairs(value: object) -> Iterator[tuple[str, str]]:
    """A mapping, or a list of `A=b`; a name without a value comes from the environment, which is not known."""
    if isinstance(value, dict):
        yield from ((str(n), _filled(v)) for n, v in _merged(value).items() if isinstance(v, str) and v)
    elif isinstance(value, list):
        for each in value:
            name, equals, given = str(each).partition("=")
            if equals:
                yield name, _filled(given)


def _unset(service: Mapping[str, Any]) -> Iterator[str]:
    """Variables that the environment of compose gives, and files that have some."""
    given = service.get("environment")
    if isinstance(given, dict):
        yield from (str(n) for n, v in _merged(given).items() if not v)
    elif isinstance(given, list):
        yield from (str(each) for each in given if "=" not in str(each))
    yield from (f"those of {file}" for file in _env_files(service))


def _command(value: object) -> tuple[str, ...] | None:
    """Words; compose reads a text as a shell would cut it, without running one, and puts variables in itself."""
    if value in (None, ""):
        return None
    if isinstance(value, list):
        return tuple(map(_interpolated, value))
    text = _interpolated(value)
    return split_words(text) if len(parse_line(text)) == 1 else ("sh", "-c", text)


def _interpolated(value: object) -> str:
    """A text with what compose puts in for variables that nobody sets; `$$` is a dollar."""
    return "$".join(_filled(part) for part in str(value).split("$$"))


def _published(service: Mapping[str, Any]) -> int | None:
    """The first port inside the container."""
    for port in [*(service.get("ports") or ()), *(service.get("expose") or ())]:
        text = str(port.get("target", "")) if isinstance(port, dict) else _filled(port)
        if number := plain_number(text.rpartition(":")[2].partition("/")[0].partition("-")[0]):
            return number
    return None


def _test(service: Mapping[str, Any]) -> str:
    test = table(service, "healthcheck").get("test", "")
    return " ".join(map(str, test)) if isinstance(test, list) else str(test)


def _develops(value: object, context: str, folder: str, command: tuple[str, ...] | None) -> bool:
    """Whether sources are mounted into an image: what it is built of, or what a package calls so."""
    mounted = {*_mounted(value, folder)}
    sources = any(posixpath.basename(source) == "src" for source in mounted)
    return sources or (context in mounted and (not command or command[:2] == ("sh", "-c")))


def _mounted(value: object, folder: str) -> Iterator[str]:
    """The folders of the repository that are mounted."""
    for each in value if isinstance(value, list) else ():
        source = each.get("source", "") if isinstance(each, dict) else _filled(each).partition(":")[0]
        if str(source).startswith("."):
            yield posixpath.normpath(posixpath.join(folder, str(source)))


def _volumes(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield str(each.get("target", ""))
            continue
        parts = _filled(each).split(":")
        if len(parts) > 1 and parts[1].startswith("/"):
            yield parts[1]
