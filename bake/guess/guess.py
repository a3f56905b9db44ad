"""Guess what bake.toml should say about a workspace that has none. Pure: facts -> Guess."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bake.files import parse_npmrc, wants_login
from bake.guess.builds import build_script, generated_files, install_notes
from bake.guess.candidates import all_in_one, composed, scripted, slug, supervised
from bake.guess.dockerfiles import (
    ORCHESTRATES,
    Dockerfile,
    build_arguments,
    parse_dockerfile,
)
from bake.guess.facts import PackageFacts, WorkspaceFacts
from bake.guess.frontends import Frontend, find_frontend
from bake.guess.ports import HTTP, OPEN_PORT, PRODUCTION, find_health, find_port
from bake.lockfile import ScriptAdvice, advise, unheeded
from bake.plan import closure
from bake.semver import satisfies
from bake.sources import Start, platform_of, start_of
from bake.workspace import Package, Workspace, find_circle, in_order

DEFAULT_NODE = 24
_PLATFORMS = ("linux/amd64", "linux/arm64")
_LTS = (24, 22, 20, 18, 16, 14)
_LTS_NAMES = {"krypton": 24, "jod": 22, "iron": 20, "hydrogen": 18, "gallium": 16, "*": DEFAULT_NODE}


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
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A package that runs. unknown: what a person has to fill in."""

    name: str
    package: str
    static: str = ""
    source: str = ""
    processes: tuple[Process, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageGuess:
    """Settings of a package. args: build arguments that its sources read, with the defaults that a Dockerfile gives
    them. variables: further ones."""

    path: str
    build: str | bool = True
    files: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    args_source: str = ""
    variables: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether bake.toml need not name the package."""
        lists = (self.exclude, self.inputs, self.outputs, self.serves, self.args, self.variables)
        return self.build is True and self.files is None and not any(lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """All that `bake init` would write. left_out: (package path, why) of packages that could run and do not.

    monolith: the Dockerfile of an image that has all processes. notes: what a person should know, one sentence each.
    """

    name: str
    node: int
    node_source: str
    alpine: bool = False
    whole: str = ""
    """Why the workspace cannot be split, "" when it can."""
    services: tuple[Service, ...]
    packages: tuple[PackageGuess, ...]
    left_out: tuple[tuple[str, str], ...]
    libraries: tuple[str, ...]
    scripts: ScriptAdvice
    trim: tuple[str, ...] = ()
    """Files of packages that only builds use."""
    npmrc: bool = False
    """Whether .npmrc names a registry that needs credentials."""
    monolith: str = ""
    notes: tuple[str, ...] = ()


def guess(facts: WorkspaceFacts) -> Guess:
    """What the facts suggest; deterministic."""
    tested = {f.package.path: _beside(f.package) for f in facts.packages}
    if all(tested.values()):
        tested = dict.fromkeys(tested, "")
    judged = tuple(_judge(f, facts) for f in facts.packages if not tested[f.package.path])
    served = _all_served(facts, [j for j in judged if isinstance(j, Service)])
    judged = tuple(_but_served(judged, served))
    services = _named(tuple(j for j in judged if isinstance(j, Service)))
    # A monorepo's root that does not run is no package to speak of.
    refused = tuple((j.path, j.reason) for j in judged if isinstance(j, _Refused) and j.path)
    if not facts.workspace.packages and not services:
        refused = (("", "no script, binary or Dockerfile starts it"),)
    beside = tuple((path, reason) for path, reason in tested.items() if reason)
    node, source = _node(facts)
    return Guess(
        name=_project_name(facts),
        node=node,
        node_source=source,
        alpine=any(d.alpine for _, d in _dockerfiles(facts)),
        whole=_whole(facts),
        services=services,
        packages=tuple(
            p for f in _built(facts, services, served) if not (p := _package(f, facts, services, served)).is_empty
        ),
        left_out=tuple(sorted((*beside, *((p, r) for p, r in refused if r)))),
        libraries=tuple(p for p, reason in refused if not reason),
        scripts=advise(facts.workspace.lock, _reached(facts.workspace, services)),
        trim=_trim(facts, services),
        npmrc=wants_login(parse_npmrc(facts.texts.get(".npmrc", ""))),
        monolith=all_in_one(facts.texts) if services else "",
        notes=(*_notes(facts), *(n for f in _built(facts, services, served) for n in install_notes(f))),
    )


def _trim(facts: WorkspaceFacts, services: Iterable[Service]) -> tuple[str, ...]:
    """Next.js's compiler, 140 MB: a server that is built needs it for a configuration in TypeScript alone."""
    paths = {s.package for s in services if not s.static}
    servers = [f for f in facts.packages if f.package.path in paths and "next" in f.package.dependencies]
    typed = any(name.startswith("next.config.") and name.endswith("ts") for f in servers for name in f.names)
    return ("node_modules/@next/swc-*/**",) if servers and not typed else ()


_NO_NAMES = frozenset({"", "root", "monorepo", "workspace", "workspaces", "app", "project"})


def _project_name(facts: WorkspaceFacts) -> str:
    """The root package's name where it says something, else the folder's."""
    names = (slug(facts.name), slug(facts.workspace.root.resolve().name))
    return next((n for n in names if n not in _NO_NAMES), names[0] or "workspace")


# --- one package ----------------------------------------------------------------------------------------

_BESIDE = frozenset(
    {
        *("test", "tests", "e2e", "example", "examples", "docs", "doc", "demo", "demos", "fixtures", "playground"),
        *(
            "dev",
            "storybook",
            "benchmark",
            "benchmarks",
            "bench",
            "cypress",
            "playwright",
            "sandbox",
            "testing",
            "templates",
        ),
    }
)
_DESKTOP = {"expo": "a mobile app", "react-native": "a mobile app", "electron": "a desktop app"}
_DESKTOP |= {"plasmo": "a browser extension", "wxt": "a browser extension", "@tauri-apps/api": "a desktop app"}
_DESKTOP |= dict.fromkeys(("@crxjs/vite-plugin", "webextension-polyfill"), "a browser extension")
_DESKTOP |= {"vscode": "an editor's extension", "@capacitor/core": "a mobile app"}
_MAIN_SCRIPTS = ("start:prod", "start:production", "prod", "serve:prod", "production", "start", "serve", "server")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """A package that does not run; reason "" for a plain library."""

    path: str
    reason: str


def _beside(package: Package) -> str:
    """Why a package is beside the product, judged by its place and name; the root never is."""
    if not package.path:
        return ""
    words = re.split(r"[/_.-]+", f"{package.path}/{package.name.rpartition('/')[2]}".lower())
    return next((f"`{w}` in its name" for w in words if w in _BESIDE), "")


def _judge(facts: PackageFacts, everything: WorkspaceFacts) -> Service | _Refused:
    package = facts.package
    declared = {**package.dependencies, **package.dev_dependencies}
    kind = next((text for name, text in _DESKTOP.items() if name in declared), "")
    if kind and not _is_used(package, everything):
        return _Refused(path=package.path, reason=kind)
    frontend = _frontend(facts, everything)
    if (
        frontend is not None
        and frontend.static
        and not _is_library(package, everything)
        and not _serves(facts, everything)
    ):
        source = f"{frontend.tool}, {frontend.source}"
        return Service(name="", package=package.path, static=frontend.static, source=source)
    return _running(facts, everything, frontend)


def _frontend(facts: PackageFacts, everything: WorkspaceFacts) -> Frontend | None:
    root = everything.workspace.root_package
    return find_frontend(facts, everything.texts, {*root.dependencies, *root.dev_dependencies})


def _serves(facts: PackageFacts, everything: WorkspaceFacts) -> bool:
    """Whether a package with a frontend in it starts a server of its own."""
    start, _ = _main_start(facts, everything)
    http = HTTP & {*facts.package.dependencies} - {"next", "nuxt", "ws", "connect"}
    return bool(start.words) and not start.static and bool(http)


def _running(facts: PackageFacts, everything: WorkspaceFacts, frontend: Frontend | None) -> Service | _Refused:
    package = facts.package
    start, source = _main_start(facts, everything)
    if frontend is not None and frontend.command and not (start.words and not start.static):
        start, source = Start(words=frontend.command), frontend.source
    extra = _extra(facts, everything, start)
    if (start.static or not start.words) and not extra:
        return _Refused(path=package.path, reason=_why_not(package, start, everything))
    processes = (*_main(facts, everything, start, source, frontend), *extra)
    return Service(
        name="", package=package.path, processes=_roles(processes, facts), unknown=_unknown(facts, processes)
    )


def _why_not(package: Package, start: Start, everything: WorkspaceFacts) -> str:
    """Why a package that may be meant to run does not; "" for a library."""
    if start.static:
        return f"`{' '.join(start.words)}` serves files that bake does not know"
    scripts = (package.scripts.get(name, "") for name in ("start", "dev", "deploy"))
    if platform := next(filter(None, map(platform_of, scripts)), ""):
        return f"it is for {platform}"
    if any(package.path in everything.workspace.needs(p.path) for p in everything.workspace.packages):
        return ""
    if "nx.json" in everything.texts and not package.scripts and package.path.startswith(_APPS):
        return "Nx alone builds and starts it, and bake runs scripts: see docs/start.md"
    return start.reason if "start" in package.scripts else ""


def _main_start(facts: PackageFacts, everything: WorkspaceFacts) -> tuple[Start, str]:
    """The package's own process and where it was found; a Start with a reason when there is none."""
    reasons: list[Start] = []
    for words, source in _main_candidates(facts, everything):
        start = _start(words, facts, everything)
        own = isinstance(words, str) or source.endswith((": bin", ": main"))
        if start.words and (own or _there(start.words, facts)):
            return start, source
        if start.words:
            start = Start(reason=f"`{' '.join(start.words)}` ({source}) starts a file that is not there")
        reasons.append(start)
    return (reasons or [Start(reason="no script, binary or Dockerfile starts it")])[0], ""


def _start(words: str | Sequence[str], facts: PackageFacts, everything: WorkspaceFacts) -> Start:
    """How a command of a package starts; one of a monorepo's root that starts other packages is none of its own."""
    package, members = facts.package, everything.workspace.packages
    if not package.path and members:
        text = words if isinstance(words, str) else " ".join(words)
        if ORCHESTRATES.search(text) or any(re.search(rf"(?<![\w@./-]){re.escape(p.path)}\b", text) for p in members):
            return Start(reason="it starts other packages")
        members = ()
    start = start_of(words, package, members)
    start = replace(start, words=_relative(start.words, package.path))
    if _is_foreign_script(start.words, facts):
        return _start(start.words[1:], facts, everything)
    if not package.path and everything.workspace.packages and not _names_own(start.words, facts):
        return Start(reason=start.reason or "it starts nothing of its own")
    return start


_STARTED_BY_SCRIPTS = frozenset({"node", "npm", "pnpm", "yarn", "npx", "tsx", "ts-node", "next"})
"""Behind a script that prepares something, or marks the lines of the log: `./prefix-output.sh node dist/index.js`."""


def _is_foreign_script(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command starts with a script that is not the package's own, and goes on with the process itself."""
    script = len(words) > 1 and words[0].endswith(".sh") and posixpath.basename(words[1]) in _STARTED_BY_SCRIPTS
    return script and words[0].removeprefix("./") not in facts.names


def _names_own(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command names a file that is there, or will be built of a source by that name, or a framework."""
    stems = {_stem(path) for path in facts.sources}
    return words[:1] in (("next",), ("nuxt",)) or any(_stem(w) in stems for w in words[1:] if not w.startswith("-"))


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


def _main_candidates(facts: PackageFacts, everything: WorkspaceFacts) -> Iterator[tuple[str | Sequence[str], str]]:
    """Commands in the order in which they are believed, with their sources."""
    package = facts.package
    file = package.file("package.json")
    scripts = [(package.scripts[n], f"{file}: scripts.{n}") for n in _MAIN_SCRIPTS if n in package.scripts]
    docker = [
        (words, package.file(name))
        for name, text in facts.texts.items()
        if PRODUCTION.fullmatch(posixpath.basename(name)) and (words := parse_dockerfile(text).words)
    ]
    beside, below = [d for d in docker if posixpath.dirname(d[1]) == package.path], docker
    yield from scripts[:1] if scripts and "prod" in scripts[0][1].rpartition(".")[2] else ()
    yield from beside
    yield from scripts
    yield from below
    yield from ((words, source) for words, source in composed(package, everything) if words)
    own = slug(posixpath.basename(package.path))
    yield from ((words, source) for role, words, source in supervised(facts, everything) if role == own)
    yield from () if _is_published(package) else _binaries(package, everything)
    # What a bundler puts into the output is often a devDependency.
    private = {*package.dev_dependencies} if package.manifest.get("private") else set()
    app = not package.path and package.manifest.get("private") is True
    if docker or app or (HTTP & {*package.dependencies, *private} and not _is_published(package)):
        main = posixpath.normpath(str(package.manifest.get("main") or ""))
        there = "/" in main or main in facts.names
        if re.search(r"\.[cm]?js$", main) and there and _may_run(package, everything):
            yield ("node", main), f"{file}: main"
    if _may_run(package, everything):
        yield from _from_development(package, everything, f"{file}: scripts.dev, without watching")


def _from_development(
    package: Package, everything: WorkspaceFacts, source: str
) -> Iterator[tuple[str | Sequence[str], str]]:
    """What `dev` starts, when that is plainly the process itself: many packages have no other script for it."""
    text = re.sub(r"\b(tsx|node) (?:watch|--watch)\b", r"\1", package.scripts.get("dev", ""))
    words = start_of(text, package, everything.workspace.packages).words
    if words[:1] in (("tsx",), ("node",)) and _ENTRY.search(words[-1]):
        yield text, source


_ENTRY = re.compile(r"^(?:\./)?(?:src/)?(?:index|main|server|app|worker|api|start|www)\.[cm]?[jt]sx?$")


def _is_library(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether other packages import it, here or elsewhere, whatever builds it."""
    has_entry = bool({"main", "module", "exports"} & package.manifest.keys())
    return _is_published(package) or (has_entry and _is_used(package, everything))


def _is_published(package: Package) -> bool:
    """Whether others install the package from a registry: a library or a tool, no service."""
    return not package.manifest.get("private") and bool({"publishConfig", "files"} & package.manifest.keys())


def _there(words: Sequence[str], facts: PackageFacts) -> bool:
    """Whether a command from outside can be the package's own: a file beside package.json has to be there.

    `server.js` of Next.js lies in a folder that images do not have: they have what `next start` needs.
    """
    if "next" in facts.package.dependencies and "server.js" in " ".join(words) and "server.js" not in facts.names:
        return False
    file = words[1] if words[0] == "node" and len(words) > 1 else words[0] if words[0].startswith("./") else "-"
    plain = file.removeprefix("./")
    return plain.startswith(("-", "/")) or "/" in plain or plain == "." or bool({plain, f"{plain}.js"} & facts.names)


def _binaries(package: Package, everything: WorkspaceFacts) -> Iterator[tuple[Sequence[str], str]]:
    """A single command line tool that nobody else uses."""
    if len(package.bins) == 1 and not _is_used(package, everything):
        file = posixpath.normpath(next(iter(package.bins.values())))
        yield (f"./{file}",) if file.endswith(".sh") else ("node", file), package.file("package.json: bin")


def _is_used(package: Package, everything: WorkspaceFacts) -> bool:
    return any(package.name in {*p.dependencies, *p.dev_dependencies} for p in everything.workspace.packages)


def _may_run(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether nobody uses a package, or its place says that it runs: frontends use the types of servers."""
    return not _is_used(package, everything) or package.path.startswith(_APPS)


_APPS = ("apps/", "services/", "servers/")
"""Folders whose packages run."""


def _relative(words: tuple[str, ...], path: str) -> tuple[str, ...]:
    """Words that name files from the root or from an image's /app, as the package itself names them."""
    cut = re.compile(rf"^(?:/[\w./-]*?)?/?{re.escape(path)}/(?=[^/])" if path else r"^\./(?=[^/])")
    home = re.compile(r"^/(?:usr/src/)?(?:app|home/node/app|workspace|srv)/(?=[\w.-])")
    return tuple(home.sub("", re.sub(rf"^\./{re.escape(path)}/", "./", cut.sub("", w))) for w in words)


_PARSERS = frozenset(
    {"commander", "yargs", "cac", "meow", "@oclif/core", "clipanion", "citty", "sade", "gunshi", "@stricli/core"}
)
"""Libraries of command line tools, which all answer `--help`."""


def _main(
    facts: PackageFacts, everything: WorkspaceFacts, start: Start, source: str, frontend: Frontend | None
) -> tuple[Process, ...]:
    if not start.words or start.static:
        return ()
    is_tool = source.endswith(": bin") and not HTTP & {*facts.package.dependencies}
    port, port_source = (None, "") if is_tool else find_port(facts, everything, start, frontend, source)
    health, health_source, certain = find_health(facts, everything) if port else ("", "", False)
    written = tuple(f"/app/{facts.package.file(w)}" for w in (frontend.writable if frontend else ()))
    env = start.env
    if port and OPEN_PORT.search(" ".join(start.words)) and "PORT" not in dict(env):
        env = (*env, ("PORT", str(port)))
    process = Process(
        role="",
        words=start.words,
        env=env,
        entrypoint=source.endswith(": bin"),
        helps=is_tool and bool(_PARSERS & {*facts.package.dependencies}),
        port=port,
        port_source=port_source,
        health=health,
        health_source=health_source,
        health_certain=certain,
        writable=(*written, *_writable(start.words)),
        source=source,
        before=start.before,
    )
    return (process,)


def _roles(processes: tuple[Process, ...], facts: PackageFacts) -> tuple[Process, ...]:
    """Name the main process beside others; alone it needs no name."""
    if len(processes) == 1:
        return (replace(processes[0], role=""),)
    http = processes[0].port is not None or bool(HTTP & {*facts.package.dependencies})
    taken = {p.role for p in processes}
    name = next(n for n in (("api", "server", "main") if http else ("main", "server", "process")) if n not in taken)
    return tuple(replace(p, role=p.role or name) for p in processes)


def _unknown(facts: PackageFacts, processes: Sequence[Process]) -> tuple[str, ...]:
    main = processes[0]
    http = HTTP & {*facts.package.dependencies}
    return ("port",) if http and main.port is None and not main.entrypoint else ()


# --- frontends that a server of the workspace serves ---------------------------------------------------------


_Served = Mapping[str, Mapping[str, str]]
_BETWEEN = re.compile(r"['\"`]\s*,\s*['\"`]")
_OUTWARD = re.compile(r"(?:\.\./+)+((?:[\w@.-]+/+)*[\w@.-]+)")


def _all_served(everything: WorkspaceFacts, services: Sequence[Service]) -> _Served:
    """Path of a package that runs -> the frontends whose built files its sources name, with the file that does."""
    folders = {s.package: s.static for s in services if s.static}
    running = {s.package for s in services if not s.static}
    found = {f.package.path: dict(_served(f, folders)) for f in everything.packages if f.package.path in running}
    return {path: named for path, named in found.items() if named}


def _served(facts: PackageFacts, folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Frontends that the sources name as `"../../client/dist"` or `"..", "..", "client", "dist"`."""
    for file, text in facts.sources.items():
        joined = _BETWEEN.sub("/", text) if ".." in text else ""
        paths = {posixpath.normpath(m[1]) for m in _OUTWARD.finditer(joined)}
        for package, folder in folders.items():
            ends = (f"{package}/{folder}/", f"{posixpath.basename(package)}/{folder}/")
            if any(f"{path}/".startswith(ends) for path in paths):
                yield package, facts.package.file(file)


def _but_served(judged: Iterable[Service | _Refused], served: _Served) -> Iterator[Service | _Refused]:
    """What was judged, but for frontends that are in a server's image."""
    servers = {path: server for server, named in served.items() for path in named}
    for one in judged:
        if isinstance(one, Service) and one.package in servers:
            yield _Refused(path=one.package, reason=f"in the image of {servers[one.package]}, which serves it")
        else:
            yield one


# --- further processes ----------------------------------------------------------------------------------


def _extra(facts: PackageFacts, everything: WorkspaceFacts, main: Start) -> tuple[Process, ...]:
    """Processes beside the main one, from scripts, compose files and supervisors; each command once."""
    found: dict[tuple[str, ...], Process] = {}
    own = slug(posixpath.basename(facts.package.path))
    for role, words, source in (*scripted(facts), *supervised(facts, everything)):
        start = _start(words, facts, everything)
        plain = start.words
        # What is called like the package is its main process, perhaps in the layout of another image.
        known = _resolved(plain) == _resolved(main.words) or (main.words and role == own)
        key = _entry(plain)
        if not plain or not _there(plain, facts) or start.static or known or not role:
            continue
        if key in found and not (_is_compiled(plain) and not _is_compiled(found[key].words)):
            continue
        taken = {p.role for k, p in found.items() if k != key}
        found[key] = Process(
            role=role if role not in taken else f"{role}-{len(taken)}",
            words=plain,
            env=start.env,
            writable=_writable(plain),
            source=source,
            before=start.before,
        )
    return tuple(found.values())


_RUNS_FILES = frozenset({"node", "tsx", "ts-node"})
_WITH_VALUE = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"})
"""Node's options whose value is a word of its own. Source: nodejs.org/api/cli.html."""
_OUTPUT = re.compile(r"^(?:\./)?(?:src|dist|build|lib|out)/(?:src/)?")


def _entry(words: tuple[str, ...]) -> tuple[str, ...]:
    """A command as what it runs, be it a source or what is compiled of it: `tsx src/a.ts` is `node dist/a.js`."""
    if not words or words[0] not in _RUNS_FILES:
        return _resolved(words)
    pairs = enumerate(pairwise(words), 1)
    at = next((i for i, (option, w) in pairs if not w.startswith("-") and option not in _WITH_VALUE), 0)
    if not at:
        return _resolved(words)
    return (re.sub(r"\.[cm]?[jt]sx?$", "", _OUTPUT.sub("", words[at])), *words[at + 1 :])


def _is_compiled(words: tuple[str, ...]) -> bool:
    """Whether a command runs JavaScript that is built: what production starts, where a script starts its source."""
    return words[:1] == ("node",) and not any(re.search(r"\.[cm]?tsx?$|^(?:\./)?src/", w) for w in words[1:])


def _resolved(words: tuple[str, ...]) -> tuple[str, ...]:
    """`node dist/x` and `node dist/x.js` are one."""
    return tuple(re.sub(r"\.[cm]?js$", "", w) for w in words)


def _writable(words: Sequence[str]) -> tuple[str, ...]:
    """Folders that a command writes to whatever it runs: tsx has a socket there."""
    return ("/tmp",) if words[:1] == ("tsx",) else ()  # noqa: S108 - a path in an image


# --- the whole ------------------------------------------------------------------------------------------


def _named(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Names: the package's folder; with its parent's where two would be called the same. The root's is `app`."""
    short = {s.package: slug(posixpath.basename(s.package) or "app") for s in services}
    names: dict[str, str] = {}
    for path, name in short.items():
        clash = list(short.values()).count(name) > 1 or name in {"all", "default", "workspace", "monolith", ""}
        names[path] = slug(path.replace("/", "-") or "root") if clash else name
    return tuple(replace(s, name=names[s.package]) for s in services)


def _dockerfiles(facts: WorkspaceFacts) -> Iterator[tuple[str, Dockerfile]]:
    texts = {path: text for f in facts.packages for path, text in f.placed.items()}
    for path, text in {**facts.texts, **texts}.items():
        if PRODUCTION.fullmatch(posixpath.basename(path)):
            yield path, parse_dockerfile(text)


def _reached(workspace: Workspace, services: Iterable[Service]) -> frozenset[str]:
    """Lock entries of the services' closures, as far as package.json files declare them."""
    paths = (s.package for s in services if not s.static)
    return frozenset(e for p in paths for e in closure(workspace.lock, p, platforms=_PLATFORMS, libc="glibc").entries)


def _node(facts: WorkspaceFacts) -> tuple[int, str]:
    """The major version of Node and the file that says it; ("", default) when none does."""
    manifest = facts.workspace.root_package.manifest
    volta = manifest.get("volta")
    tools = re.search(r"^nodejs\s+(\S+)", facts.texts.get(".tool-versions", ""), re.M)
    stated = (
        (facts.texts.get(".nvmrc", ""), ".nvmrc"),
        (facts.texts.get(".node-version", ""), ".node-version"),
        (str(volta.get("node", "")) if isinstance(volta, dict) else "", "package.json: volta"),
        (tools[1] if tools else "", ".tool-versions"),
    )
    engines = manifest.get("engines")
    wanted = str(engines.get("node", "")) if isinstance(engines, dict) else ""
    for text, source in stated:
        # A file that engines contradict is a forgotten one.
        if (major := _major(text.strip())) and (not wanted or satisfies(f"{major}.99.0", wanted)):
            return major, source
    majors = [(d.node, f) for f, d in _dockerfiles(facts) if d.node]
    if majors:
        return max(majors, key=lambda one: one[0])
    return (_fitting(wanted), f"package.json: engines.node {wanted}") if wanted else (DEFAULT_NODE, "")


def _major(text: str) -> int:
    named = text.lower().removeprefix("lts/")
    if named in _LTS_NAMES:
        return _LTS_NAMES[named]
    found = re.match(r"v?(\d+)", text)
    return int(found[1]) if found else 0


def _fitting(wanted: str) -> int:
    """The newest long-term version that a range allows, else the first number in it."""
    fits = (major for major in _LTS if satisfies(f"{major}.99.0", wanted))
    number = re.search(r"\d+", wanted)
    return next(fits, int(number[0]) if number else DEFAULT_NODE)


def _whole(facts: WorkspaceFacts) -> str:
    built = {p.path for p in facts.workspace.packages if "build" in p.scripts}
    circle = find_circle(built, facts.workspace.all_needs)
    return f"packages need each other to build: {' -> '.join(circle)}" if circle else ""


def _built(facts: WorkspaceFacts, services: Iterable[Service], served: _Served) -> Iterator[PackageFacts]:
    """The packages that services need or serve, and theirs."""
    paths = [*(s.package for s in services), *(path for named in served.values() for path in named)]
    needed = set(in_order(paths, facts.workspace.all_needs))
    return (f for f in facts.packages if f.package.path in needed)


def _package(
    facts: PackageFacts, everything: WorkspaceFacts, services: Iterable[Service], served: _Served
) -> PackageGuess:
    package = facts.package
    mine = next((s for s in services if s.package == package.path), None)
    is_served = any(package.path in named for named in served.values())
    frontend = _frontend(facts, everything) if mine or is_served else None
    runs = (*(w for p in mine.processes for w in p.words), mine.static) if mine else ()
    build, source = build_script(facts, everything, runs)
    read = _variables(facts) if frontend else ()
    args, args_source = _arguments(facts, everything, read)
    return PackageGuess(
        path=package.path,
        build=build,
        source=source,
        files=_files(frontend, mine) if frontend else None,
        exclude=frontend.exclude if frontend and mine and not mine.static else (),
        inputs=everything.outside.get(package.path, ()),
        outputs=generated_files(facts, everything.workspace),
        serves=tuple(served.get(package.path, ())),
        args=args,
        args_source=args_source,
        variables=tuple(n for n in read if n not in dict(args)),
    )


def _files(frontend: Frontend, service: Service | None) -> tuple[str, ...] | None:
    """What a frontend's server needs, all that it builds when another serves it, or None for the usual."""
    if service is None:
        return (f"{frontend.static}/**",)
    return None if service.static else frontend.files or None


def _variables(facts: PackageFacts) -> tuple[str, ...]:
    """Public variables that a bundler puts into the output."""
    pattern = r"(?:import\.meta\.env|process\.env)\.((?:VITE|NEXT_PUBLIC|REACT_APP|PUBLIC|NUXT_PUBLIC)_\w+)"
    return tuple(sorted({name for text in facts.sources.values() for name in re.findall(pattern, text)}))


def _arguments(
    facts: PackageFacts, everything: WorkspaceFacts, read: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], str]:
    """The variables that a Dockerfile of today builds with, their defaults, and the Dockerfile."""
    for file, text in {**facts.placed, **everything.texts}.items():
        if PRODUCTION.fullmatch(posixpath.basename(file)):
            defaults = build_arguments(text)
            if found := tuple((name, defaults[name]) for name in read if name in defaults):
                return found, f"{file}: ARG"
    return (), ""


def _notes(facts: WorkspaceFacts) -> Iterator[str]:
    for name, text in unheeded(facts.workspace.root_package.scripts):
        yield f"the root's `{name}` script does not run in images: {text}"
