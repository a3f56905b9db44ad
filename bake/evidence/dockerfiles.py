"""What a Dockerfile says: its stages, where their files come from, and what the image of each runs. Pure.

Source: docs.docker.com/reference/dockerfile.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from bake.evidence.distribution import SystemPackage, adds_archive, global_packages, installed_packages
from bake.shell import Step, called_scripts, parse_line, plain_number
from bake.workspace import HEREDOC, read_instructions


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Files of an image: those at a place in it lie at `source` of the context, or of another stage (its index)."""

    place: str
    source: str
    stage: int | None = None
    one: bool = False
    """Whether it is a single file, else a folder."""
    into: bool = False
    """Whether it is put into the folder at that place, if it is a file after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command of the build. directory: where it runs."""

    text: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage, with all that it has from the stages below it.

    image: the base image outside the file. base: the index of the stage it is built from. words: of ENTRYPOINT and
    CMD; shell: whether a shell reads them. health: the text of its HEALTHCHECK. signal: its STOPSIGNAL. system:
    packages of the distribution that the runtime stage installs. folders: made by its commands. tools: npm packages
    that it installs for everybody. written: files made by here-documents.
    """

    name: str = ""
    image: str = ""
    base: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    health: str = ""
    user: str = ""
    signal: str = ""
    volumes: tuple[str, ...] = ()
    system: tuple[SystemPackage, ...] = ()
    folders: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    copied: tuple[Copied, ...] = ()
    runs: tuple[Run, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """The whole command. A CMD behind an ENTRYPOINT in shell form is not run."""
        return (*self.entrypoint, *(() if self.entrypoint[:2] == ("sh", "-c") else self.command))


def parse_dockerfile(text: str, arguments: Mapping[str, str] | None = None) -> tuple[Stage, ...]:
    """Read every stage. arguments: build arguments that are known, before the defaults of ARG."""
    return _stages(text, tuple(sorted((arguments or {}).items())))


@lru_cache(maxsize=512)  # every package is asked about all of them
def _stages(text: str, arguments: tuple[tuple[str, str], ...]) -> tuple[Stage, ...]:
    reader = _Reader(dict(arguments))
    for key, rest, body in read_instructions(text):
        reader.read(key, rest, body)
    return reader.done()


def final_stages(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Indices of the stages that are images of their own: that run, and that no other one copies from or only extends.

    The last one always is, for it is what `docker build` makes.
    """
    copied = {c.stage for at, s in enumerate(stages) for c in s.copied if c.stage != at}
    extended = {s.base for s in stages}
    return tuple(
        at
        for at, s in enumerate(stages)
        if at == len(stages) - 1 or (_runs(s) and at not in copied and (at not in extended or _runs_itself(stages, at)))
    )


FILE_SERVERS = re.compile(r"(?:^|/)(?:nginx|nginx-unprivileged|caddy|httpd|static-web-server|lighttpd)(?::|@|$)")
"""Images that serve the files which they are given."""


def _runs(stage: Stage) -> bool:
    """Whether a stage's image starts something, be it by the command of its base."""
    return bool(stage.words) or bool(stage.copied and FILE_SERVERS.search(stage.image))


def _runs_itself(stages: Sequence[Stage], at: int) -> bool:
    """Whether a stage names a command of its own, beside those of the stages that are built from it."""
    below = stages[at].base
    inherited = below is not None and stages[below].words == stages[at].words
    return not inherited and all(s.words != stages[at].words for s in stages if s.base == at)


# --- lines ----------------------------------------------------------------------------------------------------

_WRITTEN = re.compile(r">\s*(?P<to>[^\s>|&;]+)|\btee\s+(?P<tee>[^\s>|&;]+)")


def heredocs(text: str) -> Iterator[tuple[str, str]]:
    """Path and text of each file that a Dockerfile writes by a here-document."""
    for key, rest, body in read_instructions(text):
        if body and (path := _destination(key, rest)):
            yield path, body


def _destination(key: str, rest: str) -> str:
    plain = HEREDOC.sub(" ", rest).strip()
    if key in {"COPY", "ADD"}:
        return plain.split()[-1] if plain else ""
    found = _WRITTEN.search(plain)
    return (found["to"] or found["tee"]) if found else ""


# --- variables ------------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^{}]*))?\})")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put known variables in; `${A:-b}` of an unknown one is `b`, `$A` of an unknown one stays."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found[1] or found[2], found[3] or "", found[4] or ""
        known = values.get(name)
        if operator.endswith("+"):
            return word if known else ""
        if operator.endswith("-") and not known:
            return word
        return found[0] if known is None else known

    return _VARIABLE.sub(value, text)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """`A=b C="d e"`, or ENV's older form `A b c`."""
    if not re.match(r"\w+=", text):
        name, _, value = text.partition(" ")
        yield name, value.strip().strip("\"'")
        return
    for step in parse_line(text):
        for word in step.words:
            name, equals, value = word.partition("=")
            if equals:
                yield name, value


# --- stages ---------------------------------------------------------------------------------------------------


class _Reader:
    """Reads instructions one after the other."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._globals: dict[str, str] = {}
        self._stages: list[Stage] = []
        self._elsewhere = False

    def done(self) -> tuple[Stage, ...]:
        return tuple(self._stages)

    def read(self, key: str, rest: str, body: str) -> None:
        if key == "FROM":
            self._from(rest)
        elif not self._stages:
            if key == "ARG":
                self._globals.update(self._defaults(rest, self._globals))
        elif method := getattr(self, f"_{key.lower()}", None):
            self._stages[-1] = replace(self._stages[-1], **method(self._stages[-1], rest, body))

    def _values(self) -> Mapping[str, str]:
        return {**self._stages[-1].args, **self._stages[-1].env} if self._stages else self._globals

    def _filled(self, text: str) -> str:
        return substitute(text, self._values())

    def _defaults(self, rest: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for name in re.findall(r"(?:^|\s)(\w+)(?=\s|$)", rest):
            if (known := self._arguments.get(name, self._globals.get(name))) is not None:
                yield name, known
        for name, value in _pairs(rest) if "=" in rest else ():
            yield name, self._arguments.get(name, substitute(value, values))

    def _from(self, rest: str) -> None:
        plain = [w for w in rest.split() if not w.startswith("--")]
        known = {**self._globals, **self._arguments}
        image = substitute(plain[0], known) if plain else ""
        name = plain[2] if len(plain) > 2 and plain[1].upper() == "AS" else ""
        at = self._index(image)
        below = Stage(image=image) if at is None else replace(self._stages[at], runs=(), args={})
        self._stages.append(replace(below, name=name, base=at))

    def _index(self, name: str) -> int | None:
        found = (at for at, stage in enumerate(self._stages) if stage.name.lower() == name.lower() and name)
        number = plain_number(name)
        return next(found, number if number is not None and number < len(self._stages) else None)

    def _arg(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"args": {**stage.args, **dict(self._defaults(rest, self._values()))}}

    def _env(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"env": {**stage.env, **{n: self._filled(v) for n, v in _pairs(rest)}}}

    def _workdir(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"workdir": posixpath.normpath(posixpath.join(stage.workdir, self._filled(rest).strip("\"'")))}

    def _user(self, _stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"user": self._filled(rest)}

    def _stopsignal(self, _stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"signal": self._filled(rest).strip("\"'")}

    def _entrypoint(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        own = {"command": ()} if stage.base is not None else {}
        return {"entrypoint": _command(rest), **own}

    def _cmd(self, _stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"command": _command(rest)}

    def _expose(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        known = filter(None, (plain_number(word.partition("/")[0]) for word in self._filled(rest).split()))
        return {"ports": tuple(dict.fromkeys((*stage.ports, *known)))}

    def _healthcheck(self, _stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        return {"health": "" if rest.strip().upper() == "NONE" else self._filled(rest)}

    def _volume(self, stage: Stage, rest: str, _body: str) -> Mapping[str, object]:
        found = re.findall(r"[^\s\[\],\"']+", self._filled(rest))
        return {"volumes": tuple(dict.fromkeys((*stage.volumes, *found)))}

    def _copy(self, stage: Stage, rest: str, body: str) -> Mapping[str, object]:
        if body:
            return {"written": {**stage.written, _destination("COPY", rest): body}}
        words = [w for w in _copy_words(rest) if not w.startswith("--")]
        origin = re.search(r"--from=(\S+)", rest)
        at = self._index(substitute(origin[1], self._values())) if origin else None
        if len(words) < 2 or (origin and at is None):
            return {}
        words = [self._filled(w) for w in words]
        place = posixpath.normpath(posixpath.join(stage.workdir, words[-1]))
        several = len(words) > 2 or words[-1].endswith("/") or words[-1] in {".", "./"} or place == "/"
        found = (_copied(source, place, at, several=several) for source in words[:-1])
        return {"copied": (*stage.copied, *found)}

    def _add(self, stage: Stage, rest: str, body: str) -> Mapping[str, object]:
        return self._copy(stage, rest, body)

    def _run(self, stage: Stage, rest: str, body: str) -> Mapping[str, object]:
        path = _destination("RUN", rest) if body else ""
        written = {**stage.written, path: body} if path else stage.written
        text = re.sub(r"^(?:--\S+\s+)+", "", rest)
        text = f"{HEREDOC.sub('', text)}\n{body}" if body and not path else HEREDOC.sub("", text)
        text = " ".join(_array(text) or ()) or text
        steps = parse_line(self._filled(text))
        self._elsewhere = self._elsewhere or adds_archive(text)
        system = installed_packages(steps, elsewhere=self._elsewhere)
        return {
            "written": written,
            "runs": (*stage.runs, Run(text=text, directory=stage.workdir)),
            "system": tuple(dict.fromkeys((*stage.system, *system))),
            "folders": tuple(dict.fromkeys((*stage.folders, *_folders(steps, stage.workdir)))),
            "tools": tuple(dict.fromkeys((*stage.tools, *global_packages(steps)))),
            "copied": (*stage.copied, *_moved(steps, stage.workdir, len(self._stages) - 1)),
        }


def _copy_words(rest: str) -> tuple[str, ...]:
    array = _array(re.sub(r"^(?:--\S+\s+)+", "", rest))
    return array if array is not None else tuple(word.strip("\"'") for word in rest.split())


def _array(text: str) -> tuple[str, ...] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        return tuple(str(word) for word in json.loads(text))
    except (ValueError, TypeError):
        return None


def _command(text: str) -> tuple[str, ...]:
    """The words of ENTRYPOINT or CMD; what is written in shell form stays one text for a shell."""
    array = _array(text)
    return array if array is not None else ("sh", "-c", text) if text else ()


def _copied(source: str, place: str, stage: int | None, *, several: bool) -> Copied:
    if stage is None and ".." in source.split("/"):  # above its context there is nothing
        source = posixpath.normpath(f"/{source}").lstrip("/") + "/" * source.endswith("/") or "."
    name = posixpath.basename(source.rstrip("/"))
    # A folder's content is copied, a file keeps its name in a folder.
    hidden = bool(re.fullmatch(r"\.[\w-]*(?:rc|ignore|env|-version)", name))
    named = re.search(r"^Dockerfile|^Procfile|\.[A-Za-z]\w{0,9}$", name) and not re.fullmatch(r"\.[\w-]+", name)
    one = (hidden or bool(named)) and not source.endswith("/")
    place = posixpath.join(place, name) if one and several and "*" not in name else place
    return Copied(place=place, source=source, stage=stage, one=one and "*" not in name, into=several and not one)


def _folders(steps: Sequence[Step], directory: str) -> Iterator[str]:
    """Folders that are made for the process."""
    for step in steps:
        if step.words[0] == "mkdir":
            for before, path in pairwise(step.words):
                if not path.startswith("-") and "$" not in path and "*" not in path and before != "-m":
                    yield posixpath.normpath(posixpath.join(directory, path))


def _moved(steps: Sequence[Step], directory: str, stage: int) -> Iterator[Copied]:
    """What `cp`, `mv`, `pnpm deploy` and `turbo prune` put elsewhere in the stage itself."""
    for step in steps:
        plain = [w for w in step.words[1:] if not w.startswith("-")]
        if step.words[0] == "cd" and plain:
            directory = posixpath.normpath(posixpath.join(directory, plain[0]))
        elif step.words[0] in {"cp", "mv"} and len(plain) == 2:
            source, place = (posixpath.normpath(posixpath.join(directory, w)) for w in plain)
            inside = plain[1].endswith("/") and not plain[0].endswith("/.")
            place = posixpath.join(place, posixpath.basename(source)) if inside else place
            yield _copied(source, place, stage, several=False)
        for call in called_scripts(step.text):
            place = next((w for w in call.arguments[::-1] if not w.startswith("-")), "")
            if call.verb == "deploy" and place and call.packages:
                path = posixpath.normpath(posixpath.join(directory, place))
                yield Copied(place=path, source=f"{PACKAGE}{call.packages[0]}")
            elif call.tool == "turbo" and call.verb == "prune":
                for part in ("full", "json", ""):
                    yield Copied(
                        place=posixpath.join(directory, "out", part).rstrip("/"), source=directory, stage=stage
                    )


PACKAGE = "package:"
"""In front of a source that is a package of the workspace, by name."""


def image_node(reference: str) -> int:
    """The major version of Node that an image's name tells: `node:24-slim` -> 24; 0 when it does not."""
    found = re.search(r"\bnode:v?(\d+)", reference)
    return int(found[1]) if found else 0


_HOST = r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\$\{?HOST(?:NAME)?\}?|hostname)"
_PATH = re.compile(rf"{_HOST}[^/\s]*?(/[A-Za-z][\w/.~-]*/?)|{_HOST}(?::[\w${{}}:-]+)?(/)(?![\w$./])")
_PORT = re.compile(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d{2,5})\b")


def asked_path(check: str) -> str:
    """The path that a health check's command asks for, "" when it asks for none."""
    found = _PATH.search(check) or re.search(r"\bpath:\s*['\"](/[\w/.~-]+)['\"]", check)
    return next(filter(None, found.groups())) if found else ""


def asked_port(check: str) -> int | None:
    """The port that a health check's command asks."""
    found = _PORT.search(check) or re.search(r"\bPORT\b['\"\]]*\s*(?:\|\||\?\?|:-)\s*['\"]?(\d{2,5})\b", check)
    return int(found[1]) if found else None
