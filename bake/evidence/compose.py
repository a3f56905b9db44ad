"""What a compose file says about the services that it builds or starts. Pure.

Source: docs.docker.com/reference/compose-file.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bake.errors import WorkspaceError
from bake.evidence.dockerfiles import asked_path, substitute
from bake.files import parse_yaml, table
from bake.shell import plain_number, split_words


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
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    """Variables without a value, and files of variables."""
    peers: frozenset[str] = frozenset()
    """Names of the file's services: hosts."""
    volumes: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    init: bool = False
    text: str = ""
    """The text of a Dockerfile that stands in the compose file itself."""


def parse_compose(text: str, folder: str = "") -> tuple[ComposeService, ...]:
    """Services of a compose file in a folder; () when the file is not YAML."""
    try:
        services = table(parse_yaml(text, "compose"), "services")
    except WorkspaceError:
        return ()
    found = tuple(_service(str(n), _merged(s), folder) for n, s in services.items() if isinstance(s, dict))
    return tuple(replace(s, peers=frozenset(each.name for each in found)) for s in found)


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
    return ComposeService(
        name=name,
        image=_filled(service.get("image") or ""),
        built=bool(build),
        context="" if context == "." else context,
        dockerfile=file,
        target=_filled(build.get("target") or ""),
        args=dict(_pairs(build.get("args"))),
        command=_command(service.get("command")),
        entrypoint=_command(service.get("entrypoint")),
        directory=str(service.get("working_dir") or ""),
        port=_published(service),
        health=asked_path(_test(service)),
        env=dict(_pairs(service.get("environment"))),
        unset=tuple(_unset(service)),
        volumes=tuple(_volumes(service.get("volumes"))),
        profiles=tuple(map(str, service.get("profiles") or ())),
        init=service.get("init") == "true",
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
    files = service.get("env_file")
    for file in files if isinstance(files, list) else [files] if files else ():
        yield f"those of {file.get('path', '') if isinstance(file, dict) else file}"


def _command(value: object) -> tuple[str, ...] | None:
    """Words; compose reads a text as a shell would cut it, without running one. `$$` is a dollar."""
    if value in (None, ""):
        return None
    if isinstance(value, list):
        return tuple(str(word).replace("$$", "$") for word in value)
    text = str(value).replace("$$", "$")
    return split_words(text) if not re.search(r"&&|\|\||[;|]", text) else ("sh", "-c", text)


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


def _volumes(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield str(each.get("target", ""))
            continue
        parts = _filled(each).split(":")
        if len(parts) > 1 and parts[1].startswith("/"):
            yield parts[1]
