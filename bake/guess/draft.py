"""A Guess as the text of bake.toml, and what to change in one that is there already. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from bake.config import Config, Layers, image_names
from bake.guess.dockered import DockeredService
from bake.guess.guess import Guess, PackageGuess
from bake.guess.judge import Service
from bake.guess.node import DEFAULT_NODE
from bake.guess.processes import Process
from bake.workspace import shown

HEADER = (
    "# Written by `bake init`. Look at every value: they are guesses, and behind each # is where it comes from.",
    "# `bake check` says what would go wrong, `bake schema` prints every key. .bake/ ignores itself in git.",
)


def render_config(guess: Guess) -> str:
    """bake.toml with comments: what was guessed and from which file, what could not be."""
    blocks = [
        HEADER,
        _project(guess),
        _base(guess),
        _install(guess),
        _layers(guess),
        *(_service(s) for s in guess.services),
        *(_dockered(s) for s in guess.dockered),
        *(_package(p) for p in guess.packages),
        _secrets(guess),
        _monolith(guess),
        _left_out(guess),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are all TOML's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(v) for v in values) + "]"


def _line(text: str, comment: str = "") -> str:
    return f"{text}  # {comment}" if comment else text


def _project(guess: Guess) -> tuple[str, ...]:
    whole = ("", "[workspace]", _line('build = "whole"', guess.whole)) if guess.whole else ()
    return ("[project]", f"name = {_text(guess.name)}", '# registry = "ghcr.io/<owner>"', *whole)


def _base(guess: Guess) -> tuple[str, ...]:
    images = (f"node:{guess.node}", f"node:{guess.node}-slim")
    alpine = (f'# runtime = "node:{guess.node}-alpine"  # as your Dockerfiles',) if guess.alpine else ()
    if not guess.node_source and guess.node == DEFAULT_NODE:
        note = f"# No .nvmrc, engines or Dockerfile says which Node; {images[0]} and {images[1]} are bake's own."
        return (note, "# [base]", *(f"# {k} = {_text(v)}" for k, v in zip(("build", "runtime"), images, strict=True)))
    return ("[base]", _line(f"build = {_text(images[0])}", guess.node_source), f"runtime = {_text(images[1])}", *alpine)


def _install(guess: Guess) -> tuple[str, ...]:
    advice = guess.scripts
    lines = [
        ("scripts", advice.run, "they compile or download, on the target platform"),
        ("without-scripts", advice.without, "they work without their install script"),
        ("build-scripts", advice.builds, "builds need what they download"),
    ]
    known = [_line(f"{key} = {_list(names)}", comment) for key, names, comment in lines if names]
    open_ = [f"# Do these need their install script? Name each in one of the lists: {', '.join(advice.unknown)}"]
    given = [*known, *(open_ if advice.unknown else [])]
    return ("[install]", *given) if given else ()


def _layers(guess: Guess) -> tuple[str, ...]:
    if not guess.trim:
        return ()
    return ("[layers]", _line(f"trim = {_list((*Layers().trim, *guess.trim))}", "`next start` compiles nothing"))


def _service(service: Service) -> tuple[str, ...]:
    head = [_line(f"[services.{service.name}]", service.source), f"package = {_text(shown(service.package))}"]
    if service.static:
        return (*head, f"static = {_text(service.static)}", *_served(service), *_proxy(service))
    if service.standalone:
        head.append(_line(f"standalone = {_text(service.standalone)}", service.standalone_source))
    head += _system(service)
    if service.links:
        rows = ", ".join(f"{_text(place)} = {_text(target)}" for place, target in sorted(service.links.items()))
        head.append(_line(f"links = {{ {rows} }}", "where production has them"))
    if len(service.processes) == 1:
        return (*head, *_directory(service.processes[0]), *_process(service.processes[0]), *_asked(service))
    same = len({p.directory for p in service.processes}) == 1
    if same:
        head += [*_directory(service.processes[0])]
    roles = [
        (
            "",
            _line(f"[services.{service.name}.roles.{p.role}]", p.source),
            *(() if same else _directory(p)),
            *_process(p, named=True),
        )
        for p in service.processes
    ]
    lines = [line for role in roles for line in role]
    first = lines.index("", 1) if "" in lines[1:] else len(lines)
    return (*head, *lines[:first], *_asked(service), *lines[first:])


def _served(service: Service) -> Iterator[str]:
    if service.prefix:
        yield f"prefix = {_text(service.prefix)}"
    if service.headers:
        yield "headers = { " + ", ".join(f"{_text(n)} = {_text(v)}" for n, v in service.headers.items()) + " }"


def _proxy(service: Service) -> Iterator[str]:
    if known := [f"{_text(path)} = {_text(url)}" for path, url in service.proxy if url]:
        yield "proxy = { " + ", ".join(known) + " }"
    for path in (path for path, url in service.proxy if not url):
        yield f"# Production's file server hands {path} on to another server; `proxy` or $PROXY does here."


def _system(service: Service) -> list[str]:
    """Packages of the distribution for all its processes, which share their layers."""
    names = dict.fromkeys(name for process in service.processes for name in process.system)
    sources = dict.fromkeys(process.system_source for process in service.processes if process.system)
    return [_line(f"system = {_list(names)}", ", ".join(sources))] if names else []


def _directory(process: Process) -> Iterator[str]:
    if process.directory is not None:
        yield _line(f"directory = {_text(process.directory or '.')}", "where production starts it")


def _process(process: Process, *, named: bool = False) -> Iterator[str]:
    if process.before:
        yield f"# Its script first runs {' and '.join(f'`{b}`' for b in process.before)}: a Kubernetes Job's business."
    for option in process.dropped:
        yield f"# Left out of its command: `{option}`; git tracks no such file, and `docker run --env-file` gives one."
    key = "entrypoint" if process.entrypoint else "command"
    yield _line(
        f"{key} = {_command(process.words if process.directory is None else process.command)}",
        "" if named else process.source,
    )
    if process.helps:
        yield _line('command = "--help"', "what it does without arguments")
    if process.schedule:
        yield f"schedule = {_text(process.schedule)}"
    yield from _port(process)
    if process.env:
        yield "env = { " + ", ".join(f"{k} = {_text(v)}" for k, v in process.env) + " }"
    if process.health:
        mark = "" if process.health_certain else "# "
        yield _line(f"{mark}health = {_text(process.health)}", process.health_source)
    if process.init:
        yield "init = true  # an init is process 1 there"
    if process.signal:
        yield f"stop-signal = {_text(process.signal)}"
    if process.writable:
        yield f"writable = {_list(process.writable)}"
    yield from (f"# {note}" for note in process.notes)


def _port(process: Process) -> Iterator[str]:
    if process.port and process.helps:
        yield f"# port = {process.port}  # {process.port_source}; once `command` gives it arguments"
    elif process.port:
        yield _line(f"port = {process.port}", process.port_source)


def _command(words: tuple[str, ...]) -> str:
    """One string where its words are plain, else a list."""
    plain = all(re.fullmatch(r"[\w@%+=:,./-]+", w) for w in words)
    return _text(" ".join(words)) if plain else _list(words)


def _asked(service: Service) -> tuple[str, ...]:
    return tuple(f"# {key} = ?  # not found; EXPOSE and health need it" for key in service.unknown)


def _package(package: PackageGuess) -> tuple[str, ...]:
    place = shown(package.path)
    lines = [f"[packages.{_text(place)}]"]
    if package.build is not True:
        lines.append(_line(f"build = {json.dumps(package.build)}", package.source))
    if package.files is not None:
        lines.append(f"files = {_list(package.files)}")
    if package.exclude:
        lines.append(_line(f"exclude = {_list(package.exclude)}", "`next start` does not need it"))
    if package.outputs:
        lines.append(_line(f"outputs = {_list(package.outputs)}", _outputs_reason(package)))
    if package.serves:
        lines.append(_line(f"serves = {_list(package.serves)}", "it serves what they build"))
    if package.inputs:
        lines.append(_line(f"inputs = {_list(package.inputs)}", "its scripts or configuration name them"))
    if len(lines) == 1:
        lines = []
    return (*lines, *_arguments(package, place))


def _outputs_reason(package: PackageGuess) -> str:
    client = any(path.endswith(".prisma") for path in package.outputs)
    return "Prisma's client is generated there" if client else "its build writes there"


def _arguments(package: PackageGuess, place: str) -> Iterator[str]:
    """The build arguments that are known, or how to set them."""
    if package.args:
        yield _line(f"[packages.{_text(place)}.args]", package.args_source)
        yield from (f"{n} = {{ env = {_text(n)}, default = {_text(value)} }}" for n, value in package.args)
        if package.variables:
            yield f"# Read too while it is built: {_some(package.variables)}."
    elif package.variables:
        first = _text(package.variables[0])
        yield f"# {place} reads {_some(package.variables)} while it is built. To set them from the environment:"
        yield f"# [packages.{_text(place)}.args]"
        yield f'# {package.variables[0]} = {{ env = {first}, default = "" }}'


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (" and others" if len(names) > 4 else "")


def _dockered(service: DockeredService) -> tuple[str, ...]:
    """A service with a Dockerfile of its own."""
    texts = {"context": service.context, "target": service.target, "health": service.health, "user": service.user}
    lines = (f"{key} = {_text(value)}" for key, value in texts.items() if value)
    port = (f"port = {service.port}",) if service.port else ()
    head = (_line(f"[services.{service.name}]", service.source), f"dockerfile = {_text(service.dockerfile)}")
    return (*head, *port, *lines)


def _secrets(guess: Guess) -> tuple[str, ...]:
    if not guess.npmrc:
        return ()
    return ("# .npmrc asks for a login. Builds get it from yours, never in a layer, once `--allow npmrc` has let them:",
            "[secrets.npmrc]", 'file = "~/.npmrc"', "required = false")  # fmt: skip


def _monolith(guess: Guess) -> tuple[str, ...]:
    if not guess.monolith:
        return ()
    why = "all in one image, as before: `bake monolith` builds it, `bake parity` compares"
    return (_line("[monolith]", why), f"dockerfile = {_text(guess.monolith)}")


def _left_out(guess: Guess) -> tuple[str, ...]:
    lines = [f"# Left out: {shown(path)}, {reason}." for path, reason in guess.left_out]
    if guess.libraries:
        lines.append(f"# Libraries, part of the images that need them: {', '.join(map(shown, guess.libraries))}.")
    return (*lines, *(f"# {note}" for note in guess.notes))


# --- a bake.toml that is there ---------------------------------------------------------------------------


def amend(text: str, config: Config, guess: Guess, packages: Iterable[str]) -> str:
    """The text with services of new packages added, those of vanished ones removed, and Node as files now say.

    A package that the text names anywhere, be it in a comment, is settled. packages: paths of all there are.
    """
    known = set(packages)
    places = {n: s.package.removeprefix("./").rstrip("/") for n, s in config.services.items()}
    gone = [n for n, place in places.items() if "/" in place and place not in known]
    for name in gone:
        text = _without_service(text, name)
    new = [s for s in guess.services if not _names(text, s.package)]
    settings = [p for p in guess.packages if not _names(text, p.path)]
    text = _with_node(text, guess)
    dockered = [s for s in guess.dockered if s.dockerfile not in text and s.name not in image_names(config)]
    blocks = (*map(_service, new), *map(_dockered, dockered), *map(_package, settings))
    added = ["\n".join(block) for block in blocks if block]
    return "\n\n".join((text.rstrip("\n"), *added)) + "\n" if added else text


def _names(text: str, package: str) -> bool:
    if not package:
        return bool(re.search(r"[\"']\./?[\"']", text))
    return bool(re.search(rf"(?<![\w/.-]){re.escape(package)}(?![\w/-])", text))


def _without_service(text: str, name: str) -> str:
    """Take the service's tables out, from their headers to the next other one."""
    header = rf"^\[services\.{re.escape(name)}(?:\.[^\]]*)?\][^\n]*\n(?:(?!\[)[^\n]*\n?)*"
    return re.sub(header, "", text if text.endswith("\n") else f"{text}\n", flags=re.M)


def _with_node(text: str, guess: Guess) -> str:
    """Official Node images with the version that a file states; the user's own images stay."""
    if not guess.node_source or guess.node_source.startswith("package.json: engines"):
        return text
    pattern = r'^(\s*(?:build|runtime)\s*=\s*"node:)\d+(?:\.\d+)*'
    return re.sub(pattern, rf"\g<1>{guess.node}", text, flags=re.M)
