"""A command of an image, as the package has it that its file, its script or its folder belongs to. Pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bake.config import PLACE
from bake.evidence.contents import Contents, filled, is_foreign, served_folders, stages_below
from bake.evidence.distribution import SystemPackage
from bake.evidence.dockerfiles import FILE_SERVERS, Copied, Stage, substitute
from bake.evidence.entrypoints import TIMERS, Becomes, read_script
from bake.evidence.facts import WorkspaceFacts
from bake.shell import SHELLS, parse_call, parse_line, unwrap
from bake.sources import (
    TOGETHER,
    Program,
    Start,
    command_needs,
    commands_beside,
    is_usual_mode,
    parse_programs,
    start_of,
    with_defaults,
)
from bake.workspace import BUILD_ROOT, Package, in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One process, or a folder that is served, as one file says it.

    package: path of the package it is of, None when no package could be told. name: what the file calls it. start:
    its command, as the package has it. static: the folder that is served. script: the script in front of it that was
    seen through. system: packages of the distribution, folders: places that it writes to, both of the image.
    """

    source: str
    package: str | None = None
    name: str = ""
    start: Start = field(default_factory=Start)
    static: str = ""
    port: int | None = None
    health: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    system: tuple[SystemPackage, ...] = ()
    folders: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """npm packages that the image installs for everybody: what the process may call."""
    script: str = ""
    image: str = ""
    away: str | None = None
    """The folder of the repository that its process starts in, where that is not its package's."""
    command: tuple[str, ...] = ()
    """Its command as it stands there."""
    lies: tuple[str, str] = ("", "")
    """A folder of the image, and what of the repository it is."""
    entrypoint: bool = False
    """Whether arguments of `docker run` follow its command, rather than take its place."""
    unset: tuple[str, ...] = ()
    """Variables that production sets and that are not for bake.toml: secrets, and where others are."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Absolute places that its code knows -> what these are in the repository."""
    holds: tuple[str, ...] = ()
    """Built folders of other packages that the image holds, from the root: a server serves them."""
    file: str = ""
    """The Dockerfile whose image it is in."""
    copies: tuple[tuple[str, str], ...] = ()
    """What the Dockerfile itself takes, and where its package has that: (path or URL, path), from the root."""
    sources: str = ""
    """The folder of the package that its code lies in, where others' code is beside it."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Where `port` and `health` stand, when that is another file."""
    init: bool = False
    """Whether an init is process 1."""
    signal: str = ""
    """What ends it, "" for SIGTERM."""
    schedule: str = ""
    """When it runs, as cron says it; "" for what goes on."""
    proxy: tuple[tuple[str, str], ...] = ()
    """Paths that a file server hands on, and to which URL."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of all that a file server answers."""
    unserved: tuple[str, ...] = ()
    """What a file server does beside that, one sentence each."""


RUNS_FILES = frozenset({"node", "tsx", "ts-node", "bun"})
_WITH_VALUE = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"})
"""Node's options whose value is a word of its own. Source: nodejs.org/api/cli.html."""
_OUTPUT = re.compile(r"^(?:\./)?(?:src|dist|build|lib|out)/(?:src/)?")


def operand_at(words: Sequence[str]) -> int:
    """Where the file stands that a command of Node runs, 0 for none."""
    pending = enumerate(words)
    for at, word in pending:
        if at and not word.startswith("-"):
            return at
        if word in _WITH_VALUE:
            next(pending, None)
    return 0


def entry_of(words: Sequence[str]) -> tuple[str, ...]:
    """A command as what it runs, be it a source or what is compiled of it: `tsx src/a.ts` is `node dist/a.js`."""
    if words[:2] == ("sh", "-c") and len(words) > 2 and (steps := parse_line(words[2])):
        words = unwrap(steps[-1].words).words
    at = operand_at(words) if words and words[0] in RUNS_FILES else 0
    if not at:
        return tuple(re.sub(r"\.[cm]?js$", "", w) for w in words)
    return (re.sub(r"(?:/index)?\.[cm]?[jt]sx?$", "", _OUTPUT.sub("", words[at])), *words[at + 1 :])


_CHOOSES = re.compile(
    r"MODE|ROLE|PROCESS|(?:\w+_)?(?:PROCESS|WORKER|SERVICE|APP|RUN|START|SERVER|CONTAINER)_(?:MODE|ROLE|TYPE)"
)
_OF_EVERYWHERE = re.compile(r"(?i)(?:prod|dev|test|stag|local)\w*|true|false|\d*")


def choices_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """Settings that choose which of several processes one program is: `PROCESS_MODE=worker`."""
    return tuple(f"{n}={v}" for n, v in env.items() if _CHOOSES.fullmatch(n) and not _OF_EVERYWHERE.fullmatch(v))


SERVER_COMMANDS = frozenset({"nginx", "caddy", "httpd", "httpd-foreground", "serve", "http-server", "webapp-server"})


def is_file_server(stage: Stage) -> bool:
    words = unwrap(stage.words)
    named = posixpath.basename(words.words[0]) if words.words else ""
    text = " ".join(stage.words)
    commands = "|".join(SERVER_COMMANDS)
    return bool(
        FILE_SERVERS.search(stage.image) or named in SERVER_COMMANDS or re.search(rf"(?:^|\s|/)(?:{commands})\s", text)
    )


# --- through scripts --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How far a command has been followed. env: what was set on the way. on_shell: whether a shell reads the words."""

    words: tuple[str, ...]
    directory: str
    before: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    script: str = ""
    on_shell: bool = False

    def follow(self, became: Becomes, words: tuple[str, ...]) -> "_Way":
        """One step further: into what a script or a shell's text becomes."""
        steps = tuple(step for step in became.before if not _prepared(step))
        directory = posixpath.normpath(posixpath.join(self.directory, became.directory))
        env = (*self.env, *became.env)
        return replace(self, words=words, directory=directory, before=(*self.before, *steps), env=env)


def place_command(contents: Contents, evidence: Evidence, words: tuple[str, ...], directory: str) -> Iterator[Evidence]:
    """The process behind a command of an image, or the several that it starts."""
    if words and re.search(r"^-|\.[cm]?js$", words[0]):  # official images of Node hand these on to it
        words = ("node", *words)
    way = _Way(words=words, directory=directory)
    for _ in range(8):
        way = replace(way, words=filled(way.words, contents.stage.env))
        if parse_call(way.words):  # what the image has decided
            way = replace(way, words=tuple(substitute(w, contents.stage.env) for w in way.words))
        further = _inside_script(contents, way)
        if further is None and (line := unwrap(way.words).line or _root_script(contents, way)):
            further = _inside_line(way, line)
        if further is None or further.words == way.words:
            break
        if isinstance(ended := _ended(contents, evidence, way, further), tuple):
            yield from ended
            return
        way = further
    if together := commands_beside(way.words, contents.facts.workspace.root_package.scripts):
        yield from (
            e for one, words in _shared(evidence, together) for e in place_command(contents, one, words, way.directory)
        )
        return
    if timed := tuple(_timed(contents, evidence, way)):
        yield from (e for one, line in timed for e in place_command(contents, one, ("sh", "-c", line), way.directory))
        return
    if run := _runner(contents, way.words, way.directory):
        yield from _started(contents, evidence, run)
        return
    found = _owned(contents, evidence, way)
    start = replace(found.start, before=(*way.before, *found.start.before))
    yield replace(found, start=start, script=contents.origin(way.script) or "" if way.script else "")


_TIMED = re.compile(
    r"^[ \t]*(@(?:hourly|daily|weekly|monthly|yearly)|[\d*/,-]+(?:[ \t]+[\w*/,-]+){4})[ \t]+"
    r"(?:(?:root|nobody|www-data|node(?=[ \t]+(?:node|npm|sh|bash|cd)\b))[ \t]+)?(\S.*)$",
    re.M,
)
_TABLES = re.compile(r"^/etc/cron(?:tab|tabs|\.d)?(?:/|$)|^/var/spool/cron(?:/|$)")


def _timed(contents: Contents, evidence: Evidence, way: _Way) -> Iterator[tuple[Evidence, str]]:
    """What cron starts in an image, each with its times. Source: man 5 crontab."""
    words = unwrap(way.words).words
    if not words or posixpath.basename(words[0]) not in TIMERS:
        return
    places = [posixpath.join(way.directory, w) for w in words[1:] if not w.startswith("-")]
    places += [c.place for c in contents.copied if _TABLES.search(c.place)]
    texts = (text for place in dict.fromkeys(places) if (text := _text_at(contents, posixpath.normpath(place))))
    for schedule, line in (row for text in texts for row in _TIMED.findall(text)):
        named = next(iter(re.findall(r"([\w-]+)(?:\.[cm]?[jt]s)?(?=\s*(?:$|>|\d>|\|))", line)), "cron")
        one = replace(evidence, name=named, port=None, health="", schedule=" ".join(schedule.split()))
        yield one, line


def _shared(
    evidence: Evidence, programs: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[tuple[Evidence, tuple[str, ...]]]:
    """What an image says, for each of its programs: its port is of the one that is no worker by its name."""
    servers = [name for name, _ in programs if name and not _WORKS.search(name)]
    for name, words in programs:
        own = [name] == servers
        one = replace(evidence, name=name or evidence.name)
        yield one if own else replace(one, port=None, health="", env={}), words


_WORKS = re.compile(r"worker|queue|cron|schedul|job|consum")


def _root_script(contents: Contents, way: _Way) -> str:
    """The text of the root's script that a command runs, where that goes into a package by itself."""
    call, root = parse_call(unwrap(way.words).words), contents.facts.workspace.root_package
    if call is None or call.verb != "run" or call.packages or call.every or _origin(contents, way.directory) != "":
        return ""
    text = root.scripts.get(call.name, "")
    names = (p.path for p in contents.facts.workspace.packages)
    inside = any(re.search(rf"(?<![\w@./-])(?:\./)?{re.escape(name)}\b", text) for name in names)
    steps = parse_line(text)
    together = any(posixpath.basename(step.words[0]) in TOGETHER for step in steps[-1:])
    plain = together or (inside and not any(parse_call(step.words) for step in steps))
    return " ".join((text, *call.arguments)) if plain else ""


def _inside_line(way: _Way, line: str) -> _Way | None:
    """What a shell's text becomes."""
    became = read_script(line)
    found = unwrap(way.words)
    further = replace(way.follow(became, became.words), on_shell=True)
    return replace(further, env=(*further.env, *found.env)) if became.words else None


def _inside_script(contents: Contents, way: _Way) -> _Way | None:
    """What the shell script becomes that a command runs; no words where that cannot be told."""
    text, rest, path = _script(contents, way.words, way.directory)
    if text is None:
        return None
    became = read_script(text, rest, contents.stage.env)
    # One that starts nothing itself can only pass its arguments on.
    waits = "--" in rest and not rest[0].startswith(("-", "/", "./")) and bool(re.search(r":\d+$", rest[0]))
    passed = rest[rest.index("--") + 1 :] if waits else rest  # `wait-for-it db:5432 -t 30 -- node x.js`
    words = passed if became.passes or "exec" not in text else became.words
    words = words or became.words
    does_more = bool(became.before) or not became.passes or "export " in text
    return replace(way.follow(became, words), script=path if does_more else way.script)


def _ended(contents: Contents, evidence: Evidence, way: _Way, further: _Way) -> tuple[Evidence, ...] | None:
    """What a script is when it is not to be seen through: several programs, a program itself, the package's own."""
    text, rest, path = _script(contents, way.words, way.directory)
    if text is None:
        return None
    if programs := _several(contents, path, text, way.directory):
        named = ((replace(evidence, name=p.name, port=None, health="", env={}), p) for p in programs)
        return tuple(e for one, p in named for e in place_command(contents, one, p.words, p.directory))
    became = read_script(text, rest, contents.stage.env)
    if not further.words:
        return (_kept(contents, evidence, path, rest),)
    if not became.words and not became.before and further.words == rest:
        return _prefixed(contents, evidence, path, further)
    return None


def _text_at(contents: Contents, path: str) -> str | None:
    """The text of a script, also in an image whose Dockerfile does not say what it copies."""
    found = contents.text(path)
    origin = _origin(contents, path) if found is None else None
    return contents.facts.deployed.get(origin) if origin is not None else found


def _prefixed(contents: Contents, evidence: Evidence, path: str, further: _Way) -> tuple[Evidence, ...] | None:
    """A process behind a script that only prepares its environment, where the package has that script too."""
    origin = contents.origin(path) or _origin(contents, path)
    inner = next(place_command(contents, evidence, further.words, further.directory), None)
    if origin is None or inner is None or not inner.package or contents.facts.owner(origin).path != inner.package:
        return None
    own = f"./{origin.removeprefix(f'{inner.package}/')}"
    from_start = posixpath.relpath(origin, inner.away or ".") if inner.away is not None else ""
    command = (f"./{from_start}", *inner.command) if from_start else ()
    start = replace(inner.start, words=(own, *inner.start.words), before=further.before)
    return (replace(inner, start=start, command=command),)


def _runner(contents: Contents, words: tuple[str, ...], directory: str) -> tuple[Program, ...]:
    """The programs that a JavaScript file starts which does nothing else: one that serves nothing itself."""
    plain = unwrap(words).words
    if plain[:1] != ("node",) or not (at := operand_at(plain)):
        return ()
    text = contents.text(posixpath.normpath(posixpath.join(directory, plain[at]))) or ""
    if re.search(r"\.listen\(|createServer|express\(|fastify\(", text):
        return ()
    found = parse_programs("run.js", text, directory)
    return tuple(p for p in found if posixpath.basename(p.words[0]) in RUNS_FILES | SERVER_COMMANDS)


def _started(contents: Contents, evidence: Evidence, programs: Sequence[Program]) -> Iterator[Evidence]:
    """What a file starts: its processes of Node, or when there are none the folder that its file server serves."""
    own = [p for p in programs if posixpath.basename(p.words[0]) in RUNS_FILES]
    if len(own) > 1:
        evidence = replace(evidence, port=None, health="", env={})  # of one of them, it is not told of which
    for program in own:
        yield from place_command(
            contents, replace(evidence, name=program.name or evidence.name), program.words, program.directory
        )
    if not own:
        served = dict.fromkeys(served_folders(contents))
        yield from (replace(evidence, package=p, static=f, env={}, system=()) for p, f in served)


def _script(contents: Contents, words: tuple[str, ...], directory: str) -> tuple[str | None, tuple[str, ...], str]:
    """The text of the shell script that a command runs, its arguments, and its path in the image."""
    rest = words
    while rest:
        name = posixpath.basename(rest[0])
        if name in SHELLS and len(rest) > 1 and not rest[1].startswith("-"):
            rest = rest[1:]
            name = posixpath.basename(rest[0])
        places = [posixpath.join(directory, rest[0])]
        places += [f"{folder}/{rest[0]}" for folder in ("/usr/local/bin", "/usr/bin", "") if "/" not in rest[0]]
        for place in places:
            text = _text_at(contents, posixpath.normpath(place))
            if text is not None and (text.startswith("#!") or name.endswith(".sh")) and not re.match(r"#!.*node", text):
                return text, rest[1:], posixpath.normpath(place)
        inner = unwrap(rest)
        if not inner.wrappers or inner.line or inner.words == rest:
            return None, (), ""
        rest = inner.words
    return None, (), ""


def _kept(contents: Contents, evidence: Evidence, path: str, rest: Sequence[str]) -> Evidence:
    """A script that is a program of its own: it is started as it is where its package has it."""
    origin = contents.origin(path)
    package = contents.facts.owner(origin) if origin else None
    if origin is None or package is None or (not package.path and contents.facts.workspace.packages):
        return replace(evidence, start=Start(reason=f"`{origin or path}` is a shell's program"))
    words = (f"./{origin.removeprefix(f'{package.path}/')}", *rest)
    return replace(evidence, package=package.path, start=Start(words=words))


_SUPERVISORS = frozenset({"supervisord", "pm2-runtime", "pm2", "s6-svscan", "init", "concurrently", "runsvdir"})


def _several(contents: Contents, path: str, text: str, directory: str) -> tuple[Program, ...]:
    """The programs that a shell script starts beside each other, when these are several."""
    became = read_script(text)
    inside = posixpath.normpath(posixpath.join(directory, became.directory))
    rows = [*became.beside, became.words] if became.beside else []
    programs = [Program(name=posixpath.basename(path), words=words, directory=inside) for words in rows if words]
    owned = [(p, _owned(contents, Evidence(source=""), _Way(words=p.words, directory=inside))) for p in programs]
    known = [p for p, found in owned if found.package is not None]
    return tuple(known) if len(known) > 1 else ()


def _prepared(step: str) -> bool:
    """Whether a step belongs to the build, so that a container need not repeat it."""
    call = parse_call(unwrap(parse_line(step)[0].words).words)
    return bool(call and re.match(r"build|clean|compile|install|ci$", call.name or call.verb))


# --- into packages ----------------------------------------------------------------------------------------------


def _owned(contents: Contents, evidence: Evidence, way: _Way) -> Evidence:
    """The command as the package has it that its file, its script or its folder belongs to."""
    facts = contents.facts
    found = unwrap(way.words)
    words = found.words
    name = posixpath.basename(words[0]) if words else ""
    if found.line:
        return replace(evidence, start=Start(reason=f"`{found.line.strip()}` is a shell's program"))
    if not words:
        return evidence
    if name in _SUPERVISORS:
        return replace(evidence, start=Start(reason=f"`{name}` starts several processes"))
    if name in SERVER_COMMANDS and (folder := _served(contents, words, way.directory)):
        return replace(evidence, package=folder[0], static=folder[1], env={}, system=())
    package, placed = _installed(contents, words) or _placed(contents, words, way.directory)
    root = package is not None and not package.path and bool(facts.workspace.packages)
    if root and name in RUNS_FILES and (folder := _served(contents, words[1:], way.directory)) and folder[0]:
        return replace(evidence, package=folder[0], static=folder[1], env={}, system=())
    if package is None:
        return replace(evidence, start=Start(reason=f"no package has `{' '.join(words)}`"))
    start = start_of(placed, package, facts.workspace.packages, facts.paths)
    if start.package is not None:
        package = facts.workspace.package(start.package) if start.package else facts.workspace.root_package
    standalone = _is_standalone(facts, package, placed)
    if standalone:
        start = replace(start, words=("next", "start"), reason="")
    if way.on_shell and any("$" in w for w in start.words) and start.words[:2] != ("sh", "-c"):
        start = replace(start, words=("sh", "-c", f"exec {' '.join(start.words)}"))
    given = ((n, with_defaults(v)) for n, v in (*way.env, *found.env))
    env = tuple((n, v) for n, v in given if "$" not in v and not is_usual_mode(n, v))
    away = _away(contents, package, start, way) if name in RUNS_FILES and not standalone else None
    command = () if away is None else _seen_from(contents, away, package, start.words)
    lies = lies_of(contents, way.directory)
    links = dict(_links(contents, package)) if contents.file else {}
    start = replace(start, env=(*env, *start.env))
    return replace(evidence, package=package.path, away=away, command=command, lies=lies, links=links, start=start)


def lies_of(contents: Contents, directory: str) -> tuple[str, str]:
    place, origin = directory, contents.origin(directory) if contents.file else None
    if origin is None or origin not in contents.facts.folders:
        return "", ""
    return (place.removesuffix(f"/{origin}"), "") if origin and place.endswith(f"/{origin}") else (place, origin)


def in_images(lies: tuple[str, str], folder: str) -> str:
    """Where bake's images have a folder of an image of which one lies in the repository."""
    place, origin = lies
    inside = bool(place) and place != "/" and f"{folder}/".startswith(f"{place}/")
    return posixpath.normpath(posixpath.join(BUILD_ROOT, origin, folder[len(place) + 1 :])) if inside else folder


def _links(contents: Contents, package: Package) -> Iterator[tuple[str, str]]:
    """Places of the image that code and variables name, where bake's images have these files elsewhere."""
    facts = contents.facts
    paths = (package.path, *(p for p in in_order([package.path], facts.workspace.all_needs) if p))
    named = (*contents.stage.env.values(), *(name for p in paths for name in facts.absolute.get(p, ())))
    for name in dict.fromkeys(n for n in named if n.startswith("/") and ":" not in n):
        place, found = posixpath.normpath(name), contents.origin(name)
        if found is None or not contents.exists(found) or posixpath.join(BUILD_ROOT, found).rstrip("/") == place:
            continue
        while place.rpartition("/")[2] == found.rpartition("/")[2] and not PLACE.broken_by(posixpath.dirname(place)):
            place, found = posixpath.dirname(place), posixpath.dirname(found)
        if not PLACE.broken_by(place):
            yield place, found or "."


def _away(contents: Contents, package: Package, start: Start, way: _Way) -> str | None:
    """The folder of the repository that a command starts in, where that is another one than its package's."""
    begun = _origin(contents, way.directory) if package.path and start.words and start.package is None else None
    if begun is None or begun == package.path:
        return None
    if (
        begun
        and not contents.facts.owner(f"{begun}/x").path
        and contents.file
        and not contents.is_copied(way.directory)
    ):
        return None  # a folder of packages, by the names of those in it alone
    told = contents.file or not any(w.startswith("/") for w in way.words)
    there = begun in contents.facts.folders or way.directory.endswith(f"/{begun}")
    moved = "cd " in " ".join(start.words[2:3]) and start.words[:2] == ("sh", "-c")
    return begun if told and there and not moved else None


def _seen_from(contents: Contents, folder: str, package: Package, words: tuple[str, ...]) -> tuple[str, ...]:
    """A package's command as it stands in another folder."""
    if words[:2] == ("sh", "-c"):
        line = words[2].removeprefix("exec ").split(" ")
        return ("sh", "-c", " ".join(("exec", *_seen_from(contents, folder, package, tuple(line)))))
    at = operand_at(words)

    def seen(index: int, word: str) -> str:
        option, equals, path = word.partition("=") if word.startswith("-") else ("", "", word)
        place = posixpath.normpath(package.file(path))
        named = "/" in path and not path.startswith(("/", "@")) and contents.exists(place)
        if not path or not (index == at or named):
            return word
        found = posixpath.relpath(place, folder or ".")
        dotted = index != at and path.startswith("./") and not found.startswith(".")
        return f"{option}{equals}{'./' if dotted else ''}{found}"

    return tuple(seen(i, w) if i else w for i, w in enumerate(words))


def _served(contents: Contents, words: tuple[str, ...], directory: str) -> tuple[str, str] | None:
    """The folder that a file server is told to serve: the package's path, and the folder in it."""
    for word in words[1:]:
        origin = contents.origin(posixpath.join(directory, word)) if not word.startswith("-") and word != "." else None
        package = contents.facts.owner(origin) if origin else None
        if origin and package and origin != package.path and not re.search(r"\.\w+$", origin):
            return package.path, origin.removeprefix(f"{package.path}/")
    return None


def _is_standalone(facts: WorkspaceFacts, package: Package, words: Sequence[str]) -> bool:
    """Whether it is the server that Next.js's standalone output has, started in the layout of another image."""
    made = "next" in package.dependencies and package.file("server.js") not in facts.paths
    return any(".next/standalone" in w or (made and w in {"server.js", "./server.js"}) for w in words)


def _placed(contents: Contents, words: tuple[str, ...], directory: str) -> tuple[Package | None, tuple[str, ...]]:
    """The package that a command is of, and the command with its files as that package names them."""
    runs = posixpath.basename(words[0]) in RUNS_FILES
    at = operand_at(words) if runs else 0
    if parse_call(words) is not None or (not runs and "/" not in words[0]):
        return _by_folder(contents, words, directory), words
    origin = _origin(contents, posixpath.join(directory, words[at])) if at or not runs else None
    if origin is None:
        return None, words
    package = contents.facts.owner(origin)
    missing = not runs and not contents.exists(origin) and (not package.path or origin.endswith(".sh"))
    if missing or (not package.path and is_foreign(contents.facts, origin)):
        return None, words
    if origin in contents.facts.folders and package.path == origin:
        return package, (*words[:at], ".", *words[at + 1 :])
    inside = origin.removeprefix(f"{package.path}/") if package.path else origin
    others = [_relative(contents, w, package, directory) for w in words]
    return package, (*others[:at], inside if runs else f"./{inside}", *others[at + 1 :])


def _installed(contents: Contents, words: tuple[str, ...]) -> tuple[Package, tuple[str, ...]] | None:
    """The member whose published package the image installs for its command: `npm i -g @acme/cli`, then `acme-cli`.

    What was packed in the image's build, or is a folder there, is of the only member that has the command.
    """
    workspace = contents.facts.workspace
    names = [n for at in stages_below(contents.stages, contents.at) for n in contents.stages[at].tools]
    members = [p for name in names if (p := workspace.find(name)) and p.name == name and words[0] in p.bins]
    if not members and any(_PACKED.search(name) for name in names):
        members = [p for p in workspace.packages if words[0] in p.bins]
    if len({p.path for p in members}) == 1:
        package = members[0]
        return package, ("node", posixpath.normpath(package.bins[words[0]]), *words[1:])
    return None


_PACKED = re.compile(r"\.tgz\b|^\.{0,2}/|^\.$")


def _by_folder(contents: Contents, words: tuple[str, ...], directory: str) -> Package | None:
    """The package in whose folder a command without a file of its own starts; one that has the command."""
    facts = contents.facts
    origin = _origin(contents, directory)
    if parse_call(words) is not None:
        return facts.owner(origin) if origin is not None else facts.workspace.root_package
    package = facts.owner(origin) if origin is not None else None
    if package is None or words[0].startswith("-"):
        return None
    return None if command_needs(facts.workspace, package.path, words).unknown else package


HOMES = ("/", "/app", "/usr/src/app", "/workspace", "/opt/app", "/srv/app", "/home/node/app", "/usr/app", "/src")
"""Folders of images that usually hold the whole repository."""


def _origin(contents: Contents, path: str) -> str | None:
    """Where a path lies in the repository; of a Dockerfile that does not say what it copies, by its usual places."""
    if (installed := _of_member(contents, path)) is not None:
        return installed
    if (found := contents.origin(path)) is not None or contents.copied:
        return found
    folder = posixpath.dirname(contents.file)
    own = contents.facts.owner(contents.file).path if contents.file else ""
    places = [place for place in dict.fromkeys((folder, own)) if place]
    copied = [Copied(place=contents.stage.workdir, source=f"/{place}") for place in places]
    copied += [Copied(place=home, source=".") for home in HOMES]
    plain = replace(contents, stages=(Stage(copied=tuple(copied)),), at=0, context="")
    return plain.origin(path)


_MODULE = re.compile(r"/node_modules/((?:@[^/]+/)?[^/.][^/]*)(?:/(.*))?$")


def _of_member(contents: Contents, path: str) -> str | None:
    """Where a file of an installed member lies: `/usr/local/lib/node_modules/@acme/api/dist/server.js`."""
    found = _MODULE.search(path)
    package = contents.facts.workspace.find(found[1]) if found else None
    return package.file(found[2] or "").rstrip("/") if found and package and package.name == found[1] else None


def _relative(contents: Contents, word: str, package: Package, directory: str) -> str:
    """A word that names a file of the image, as the package names it."""
    option, equals, path = word.partition("=") if word.startswith("-") else ("", "", word)
    if "/" not in path or path.startswith("@") or "://" in path:
        return word
    origin = _origin(contents, posixpath.join(directory, path))
    if origin is None or not origin.startswith(f"{package.path}/" if package.path else ""):
        return word
    if not path.startswith("/") and not contents.exists(origin) and not re.search(r"\.[cm]?[jt]s$", path):
        return word
    inside = origin.removeprefix(f"{package.path}/") if package.path else origin
    return f"{option}{equals}./{inside}" if option or path.startswith(("./", "/")) else inside
