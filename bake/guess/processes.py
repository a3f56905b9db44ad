"""The processes of one package: its main one and further roles, each with port, health and variables. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from posixpath import normpath

from bake.evidence import (
    Evidence,
    PackageFacts,
    SystemPackage,
    WorkspaceFacts,
    choices_of,
    entry_of,
    plain_name,
    slug,
    within,
)
from bake.guess.candidates import beside, scripted
from bake.guess.frontends import Frontend
from bake.guess.ports import HTTP, OPEN_PORT, find_health, find_port, in_mode
from bake.guess.starts import Found, is_there, start_here
from bake.sources import with_defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process. source: where it was found. before: what its script ran first, which an image does not.

    helps: it is a command line tool that knows `--help`.
    """

    role: str
    words: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    entrypoint: bool = False
    helps: bool = False
    port: int | None = None
    port_source: str = ""
    health: str = ""
    health_source: str = ""
    health_certain: bool = False
    writable: tuple[str, ...] = ()
    source: str
    init: bool = False
    signal: str = ""
    """What ends it in production, "" for SIGTERM."""
    schedule: str = ""
    directory: str | None = None
    """The folder that production starts it in, where that is not its package's."""
    command: tuple[str, ...] = ()
    """Its words as they stand there."""
    before: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    """Packages of the distribution that production's image has for it."""
    system_source: str = ""
    notes: tuple[str, ...] = ()
    """What production has and the image has not, one sentence each."""


_PARSERS = frozenset(
    {"commander", "yargs", "cac", "meow", "@oclif/core", "clipanion", "citty", "sade", "gunshi", "@stricli/core"}
)
"""Libraries of command line tools, which all answer `--help`."""


def main_process(
    facts: PackageFacts, everything: WorkspaceFacts, found: Found, frontend: Frontend | None
) -> tuple[Process, ...]:
    """The package's own process, () when it has none."""
    start, source, said = found.start, found.source, found.evidence
    facts = own_sources(facts, said)
    if not start.words or start.static:
        return ()
    is_tool = found.is_tool and not HTTP & {*facts.package.dependencies}
    works = is_tool or bool(said and said.schedule)
    port, port_source = (None, "") if works else find_port(facts, everything, start, frontend, source, said)
    health, health_source, certain = find_health(facts, everything, said) if port else ("", "", False)
    written = tuple(f"/app/{facts.package.file(w)}" for w in (frontend.writable if frontend else ()))
    env = _environment(start.env, said)
    if port and OPEN_PORT.search(" ".join(start.words)) and "PORT" not in dict(env):
        env = (*env, ("PORT", str(port)))
    takes = bool(said and said.entrypoint) and (not port or _is_command(facts, start.words))
    process = Process(
        role="",
        words=start.words,
        env=env,
        entrypoint=found.is_tool or takes,
        helps=(is_tool or (takes and bool(port))) and bool(_PARSERS & {*facts.package.dependencies}),
        port=port,
        port_source=port_source,
        health=health,
        health_source=health_source,
        health_certain=certain,
        writable=tuple(dict.fromkeys((*written, *_writable(start.words, said)))),
        source=source,
        init=bool(said and said.init),
        signal=said.signal if said else "",
        schedule=said.schedule if said else "",
        directory=said.away if said else None,
        command=said.command if said else (),
        before=start.before,
        dropped=start.dropped,
        system=_system(said, facts),
        system_source=said.told.get("system", said.source) if said else "",
        notes=(*_notes(said), *_called_tools(said, in_mode(facts, start)), *_outlived(said, start.words, facts))
        if said
        else (),
    )
    return (process,)


def _is_command(facts: PackageFacts, words: Sequence[str]) -> bool:
    """Whether a process is the package's own command line tool, which an image without CMD has its arguments for."""
    return words[0] == "node" and len(words) > 1 and normpath(words[1]) in {*map(normpath, facts.package.bins.values())}


def own_sources(facts: PackageFacts, said: Evidence | None) -> PackageFacts:
    """The package with the sources of one of its applications only."""
    if said is None or not said.sources:
        return facts
    return replace(facts, sources={p: t for p, t in facts.sources.items() if p.startswith(f"{said.sources}/")})


def _environment(env: tuple[tuple[str, str], ...], said: Evidence | None) -> tuple[tuple[str, str], ...]:
    """What the command sets, and what the image of production does."""
    given = dict(env)
    own = {n: with_defaults(v) for n, v in said.env.items()} if said else {}
    return tuple({**own, **given}.items())


def _writable(words: Sequence[str], said: Evidence | None = None) -> tuple[str, ...]:
    """Folders that a command writes to whatever it runs (tsx has a socket there), and those of production's image."""
    tsx = any(re.search(r"(?:^|[\s=])tsx(?:/\w+)?(?:$|\s)", word) for word in words)
    always = ("/tmp",) if tsx else ()  # noqa: S108 - a path in an image
    folders = (f for f in (said.folders if said else ()) if not re.search(r"[^/]\.[a-z]\w{0,4}$", f))
    return tuple(dict.fromkeys((*always, *(f.rstrip("/") for f in folders))))


_USUAL = frozenset(
    {
        # Every Debian has them: debian.org/doc/debian-policy, essential packages.
        *(
            "base-files",
            "bsdutils",
            "coreutils",
            "dash",
            "debianutils",
            "diffutils",
            "dpkg",
            "findutils",
            "grep",
            "gzip",
        ),
        *("hostname", "login", "mawk", "mount", "passwd", "perl-base", "sed", "tar", "util-linux", "zlib1g"),
        *("ca-certificates", "curl", "wget", "dumb-init", "tini", "libc6-compat", "gcompat", "bash", "tzdata", "jq"),
        *(
            "make",
            "g++",
            "gcc",
            "python3",
            "build-base",
            "python3-pip",
            "py3-pip",
            "pkg-config",
            "nodejs",
            "npm",
            "yarn",
        ),
        *(
            "gnupg",
            "unzip",
            "xz-utils",
            "procps",
            "supervisor",
            "runit",
            "s6",
            "su-exec",
            "gosu",
            "nginx",
            "caddy",
            "shadow",
        ),
        *("cmake", "autoconf", "automake", "libtool", "python-is-python3", "python3-venv"),
        *("build-essential", "libstdc++", "linux-headers", "lsb-release", "apt-transport-https", "bind-tools"),
    }
)
"""Packages that images have for their builds, their supervisors and health checks, or that processes do without."""


def unusual_packages(said: Evidence, facts: PackageFacts | None = None) -> tuple[SystemPackage, ...]:
    """What an image has of its distribution that its processes may call; of the usual what their code starts."""
    asked = _CALLED & {package.name for package in said.system}
    texts = "\n".join(facts.sources.values()) if facts and asked else ""
    started = frozenset(n for n in asked if n in texts and re.search(_STARTED.format(re.escape(n)), texts))
    return tuple(package for package in said.system if package.name not in _USUAL - started)


_CALLED = frozenset({"python3", "curl", "wget", "jq", "unzip", "gcc", "g++", "make"})
"""Usual packages that are called as their command is, and that no image has by itself."""
_STARTED = r"(?:spawn|exec|run|fork|\$)\w*[\s(]*[\[\"'`]+\s*{0}(?![\w-])|\bpython\w*\b[^\n;]*[\"'`]{0}[\"'`]"


def _system(said: Evidence | None, facts: PackageFacts) -> tuple[str, ...]:
    return tuple(package.name for package in unusual_packages(said, facts) if package.certain) if said else ()


def _notes(said: Evidence) -> Iterator[str]:
    """What production's image has beside the process."""
    if needed := [p.name for p in unusual_packages(said) if not p.certain]:
        yield (
            f"Production's image has {_listed(needed)} ({said.source}): where the process needs them, add what Debian "
            "calls them to `system`, or give it a base with them, `base = ...`."
        )
    if said.unset:
        yield f"Production sets {_listed(said.unset)}: they are for where it runs."
    if said.folders:
        yield f"Production keeps {_listed(said.folders)} ({said.source}): mount a volume there for what has to stay."
    if said.copies:
        made = _listed([f"{target} from {source}" for source, target in said.copies])
        who = said.file or "A Dockerfile"
        yield f"{who} itself makes {made}: where no script does that too, let the build do it, or commit it."
    if said.script:
        yield f"Production starts it by {said.script}, which does more than the command here."


def _outlived(said: Evidence, words: Sequence[str], facts: PackageFacts) -> Iterator[str]:
    """A file that production starts and that tsc, which keeps names, has nothing to compile it from."""
    file = next((normpath(w) for w in words[1:] if re.search(r"^(?:\./)?(?:dist|build|lib|out)/.*\.[cm]?js$", w)), "")
    compiles = re.match(r"tsc(?: -\S+)*(?:$| &&)", facts.package.scripts.get("build", ""))
    name = re.sub(r"\.[cm]?js$", "", file).rpartition("/")[2]
    texts = (*facts.package.scripts.values(), *facts.texts.values())
    plain = name != "index" and not any(f"{name}." in path for path in facts.sources)
    told = any(re.search(rf"(?<!\w){re.escape(name)}(?![\w.-])", text) for text in texts)
    if words[0] == "node" and file and compiles and facts.sources and plain and not told:
        yield f"Nothing here is compiled into {file}: is {said.source} still in use?"


def _called_tools(said: Evidence, facts: PackageFacts) -> Iterator[str]:
    """npm's commands that production's image has and the code starts: no package of the workspace brings them."""
    for name in said.tools:
        begun = rf"(?i:spawn|exec|run|cmd|command)\w*(?:\(|\s*=)\s*\[?\s*['\"`]{re.escape(name)}(?=['\"`\s])"
        called = next((path for path, text in facts.sources.items() if re.search(begun, text)), "")
        if called:
            yield (
                f"{facts.package.file(called)} starts {name}, which production's image has ({said.source}): give it a "
                f'base of its own, `base = "tools"`, with `[bases.tools]` and `dockerfile = "..."`, a file of two '
                f"lines: FROM the runtime image above, RUN npm install -g {name}."
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def name_roles(processes: tuple[Process, ...], facts: PackageFacts) -> tuple[Process, ...]:
    """Name the main process beside others; alone it needs no name."""
    if len(processes) == 1:
        return (replace(processes[0], role=""),)
    http = processes[0].port is not None or bool(HTTP & {*facts.package.dependencies})
    taken = {p.role for p in processes}
    name = next(n for n in (("api", "server", "main") if http else ("main", "server", "process")) if n not in taken)
    return tuple(replace(p, role=p.role or name) for p in processes)


# --- further ones ---------------------------------------------------------------------------------------------


def further_processes(facts: PackageFacts, everything: WorkspaceFacts, main: Found) -> tuple[Process, ...]:
    """Processes beside the main one: what production starts, and scripts where it does not say what it starts."""
    found = {_identity(main): _role(main, "", facts)} if main.start.words else {}
    first = len(found)
    own = slug(facts.package.path.rpartition("/")[2])
    rows = [*_said(facts, everything), *_scripts(facts, everything, main)]
    for role, each in rows:
        key = _identity(each)
        # What is called like the package is its main process, perhaps in the layout of another image.
        if key in found or not role or (main.start.words and role == own):
            continue
        taken = {p.role for p in found.values()}
        name = role if role not in taken else f"{role}-{len(taken)}"
        if each.evidence and each.evidence.sources:
            made = main_process(facts, everything, each, None)
            found[key] = replace(made[0], role=name)
        else:
            found[key] = _role(each, name, facts)
    return tuple(found.values())[first:]


def _identity(found: Found) -> tuple[str, ...]:
    """What tells a process from others: what it runs, and the settings by which that chooses its work."""
    return *entry_of(found.start.words), *choices_of(dict(_environment(found.start.env, found.evidence)))


def _role(found: Found, role: str, facts: PackageFacts) -> Process:
    said = found.evidence
    return Process(
        role=role,
        words=found.start.words,
        env=_environment(found.start.env, said),
        port=said.port if said and role and not _IS_WORKER.search(role) else None,
        port_source=said.told.get("port", said.source) if said else "",
        health=said.health if said and said.port and not _IS_WORKER.search(role) else "",
        health_source=said.told.get("health", said.source) if said else "",
        health_certain=True,
        writable=_writable(found.start.words, said),
        source=found.source,
        init=bool(said and said.init),
        signal=said.signal if said else "",
        schedule=said.schedule if said else "",
        directory=said.away if said else None,
        command=said.command if said else (),
        before=found.start.before,
        dropped=found.start.dropped,
        system=_system(said, facts),
        system_source=said.told.get("system", said.source) if said else "",
        notes=(*_notes(said), *_outlived(said, found.start.words, facts)) if said else (),
    )


_IS_WORKER = re.compile(r"worker|queue|cron|schedul|consum|process(?:or|ing)|\b(?:job|task)s?\b")


def _said(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[tuple[str, Found]]:
    for evidence in everything.said.get(facts.package.path, ()):
        if evidence.start.words and not evidence.static:
            role = _without_project(within(plain_name(evidence.name), facts.package.path), everything)
            role = within(role, facts.package.path)
            yield role, Found(start=evidence.start, source=evidence.source, evidence=evidence)


def _without_project(role: str, everything: WorkspaceFacts) -> str:
    return role.removeprefix(f"{slug(everything.name)}-") or role


def _scripts(facts: PackageFacts, everything: WorkspaceFacts, main: Found) -> Iterator[tuple[str, Found]]:
    """npm scripts that look like processes, where production does not say what it starts of this package."""
    if main.evidence is not None:
        return
    for role, words, source in (*beside(facts), *scripted(facts)):
        start = start_here(words, facts, everything)
        if start.words and not start.static and is_there(start.words, facts):
            yield role, Found(start=start, source=source)


def unsaid_scripts(
    facts: PackageFacts, everything: WorkspaceFacts, main: Found, known: Sequence[Process]
) -> Iterator[str]:
    """Scripts that look like processes and that nothing in production starts."""
    entries = {entry_of(p.words) for p in known}
    for _, words, source in scripted(facts) if main.evidence else ():
        start = start_here(words, facts, everything)
        if start.words and not start.static and is_there(start.words, facts) and entry_of(start.words) not in entries:
            yield f"{source} looks like a process, and nothing starts it in production: {' '.join(start.words)}"
