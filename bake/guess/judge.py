"""Whether a package runs, and as what: files to serve, or processes. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bake.evidence import Evidence, PackageFacts, WorkspaceFacts
from bake.guess.frontends import Frontend, find_frontend
from bake.guess.ports import HTTP, in_mode
from bake.guess.processes import Process, further_processes, main_process, name_roles, unsaid_scripts
from bake.guess.starts import Found, main_start
from bake.guess.usage import APPS, is_library, is_published, is_used
from bake.sources import Start, platform_of
from bake.workspace import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A package that runs. unknown: what a person has to fill in."""

    name: str
    package: str
    static: str = ""
    standalone: str = ""
    """The folder of its build that is a complete server."""
    standalone_source: str = ""
    proxy: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    """The path that the files which it serves are built for."""
    headers: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    processes: tuple[Process, ...] = ()
    unknown: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """Absolute places that its code knows -> what these are in the workspace."""
    notes: tuple[str, ...] = ()
    """What was seen and not used, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A package that does not run; reason "" for a plain library."""

    path: str
    reason: str


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


def beside_product(package: Package, everything: WorkspaceFacts) -> str:
    """Why a package is beside the product, by its place and name; what production runs never is, nor the root."""
    if not package.path or package.path in everything.said:
        return ""
    words = re.split(r"[/_.-]+", f"{package.path}/{package.name.rpartition('/')[2]}".lower())
    return next((f"`{w}` in its name" for w in words if w in _BESIDE), "")


def judge_package(facts: PackageFacts, everything: WorkspaceFacts) -> Service | Refused:
    """What a package is in production."""
    package = facts.package
    said = everything.said.get(package.path, ())
    declared = {**package.dependencies, **package.dev_dependencies}
    kind = next((text for name, text in _DESKTOP.items() if name in declared), "")
    if kind and not said and not is_used(package, everything):
        return Refused(path=package.path, reason=kind)
    frontend = own_frontend(facts, everything)
    if served := next((e for e in said if e.static), None):
        return _static(package, frontend, served)
    shown = [e for e in said if e.start.words]
    if frontend and frontend.static and shown and all(e.start.static for e in shown):
        source = shown[0].source
        return Service(name="", package=package.path, static=frontend.static, prefix=frontend.prefix, source=source)
    if not said and everything.said and (reason := _deployed_elsewhere(facts)):
        return Refused(path=package.path, reason=reason)
    is_frontend = frontend is not None and bool(frontend.static) and not said
    if frontend and is_frontend and not is_library(package, everything) and not _serves(facts, everything):
        source = f"{frontend.tool}, {frontend.source}"
        if everything.said and not _may_be_served(package, everything):
            return Refused(
                path=package.path, reason=f'nothing in production serves it; `static = "{frontend.static}"` would'
            )
        return Service(name="", package=package.path, static=frontend.static, prefix=frontend.prefix, source=source)
    return _running(facts, everything, frontend)


def _may_be_served(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether a frontend may be in the image of a process of production, by what that holds, needs or names."""
    servers = [f for f in everything.packages if f.package.path in everything.said]
    texts = (t for f in servers for t in f.sources.values())
    name = package.path.rpartition("/")[2]
    held = any(h.startswith(f"{package.path}/") for rows in everything.said.values() for e in rows for h in e.holds)
    needed = any(package.name in f.package.dependencies for f in servers)
    return held or needed or any(name in text and ".." in text and "static" in text.lower() for text in texts)


def _static(package: Package, frontend: Frontend | None, served: Evidence) -> Service:
    """Files that production serves; the tool's own folder, where production's build gives it another name."""
    folder = frontend.static if frontend and frontend.static else served.static
    return Service(
        name="",
        package=package.path,
        static=folder,
        prefix=frontend.prefix if frontend else "",
        proxy=served.proxy,
        headers=served.headers,
        notes=served.unserved,
        source=served.source,
    )


_ELSEWHERE = {"vercel.json": "Vercel", "netlify.toml": "Netlify", "wrangler.toml": "Cloudflare Workers"}
_ELSEWHERE |= dict.fromkeys(("wrangler.json", "wrangler.jsonc"), "Cloudflare Workers")
_ELSEWHERE |= {"firebase.json": "Firebase", "serverless.yml": "the Serverless framework", "app.yaml": "App Engine"}


def _deployed_elsewhere(facts: PackageFacts) -> str:
    """The platform whose file lies in a package that production does not start otherwise."""
    name = next((n for n in _ELSEWHERE if n in facts.names), "")
    return f"{facts.package.file(name)} deploys it to {_ELSEWHERE[name]}" if name else ""


def own_frontend(facts: PackageFacts, everything: WorkspaceFacts) -> Frontend | None:
    """What a package's web framework builds."""
    root = everything.workspace.root_package
    return find_frontend(facts, everything.texts, {*root.dependencies, *root.dev_dependencies})


def _serves(facts: PackageFacts, everything: WorkspaceFacts) -> bool:
    """Whether a package with a frontend in it starts a server of its own."""
    start = main_start(facts, everything).start
    http = HTTP & {*facts.package.dependencies} - {"next", "nuxt", "ws", "connect"}
    return bool(start.words) and not start.static and bool(http)


def _running(facts: PackageFacts, everything: WorkspaceFacts, frontend: Frontend | None) -> Service | Refused:
    package = facts.package
    main = main_start(facts, everything)
    if frontend is not None and frontend.command and not (main.start.words and not main.start.static):
        main = Found(start=Start(words=frontend.command), source=frontend.source)
    extra = further_processes(facts, everything, main)
    if (main.start.static or not main.start.words) and not extra:
        return Refused(path=package.path, reason=_why_not(package, main.start, everything))
    if everything.said and package.path not in everything.said:
        if _is_needed(package, everything):
            return Refused(path=package.path, reason="")
        whole = not package.path and bool(everything.workspace.packages)  # its scripts are for developers, most often
        if ((main.is_guess or is_published(package)) and not extra) or whole:
            reason = f"nothing in production starts it; by {main.source} it would be `{' '.join(main.start.words)}`"
            return Refused(path=package.path, reason=reason)
    processes = (*main_process(facts, everything, main, frontend), *extra)
    alone = frontend if frontend and [frontend.starts_by(p.words) for p in processes] == [True] else None
    if alone is not None:
        processes = (_as_its_framework(processes[0], alone),)
    return Service(
        name="",
        package=package.path,
        standalone=alone.standalone if alone else "",
        standalone_source=alone.source if alone and alone.standalone else "",
        processes=name_roles(processes, facts),
        unknown=_unknown(facts, processes),
        links=_outermost({p: to for e in everything.said.get(package.path, ()) for p, to in e.links.items()}),
        notes=tuple(unsaid_scripts(facts, everything, main, processes)),
    )


def _as_its_framework(process: Process, frontend: Frontend) -> Process:
    """The server that a framework builds, started as that says, listening for others too."""
    words = (frontend.complete or frontend.command) if frontend.standalone else process.words
    missing = (pair for pair in frontend.env if pair[0] not in dict(process.env))
    return replace(process, words=words, env=(*process.env, *missing))


def _outermost(links: Mapping[str, str]) -> Mapping[str, str]:
    """The links that lie behind no other one."""
    return {p: to for p, to in links.items() if not any(p.startswith(f"{other}/") for other in links)}


def _is_needed(package: Package, everything: WorkspaceFacts) -> bool:
    """Whether a package that production starts needs it: it is its library, whatever its scripts are for."""
    return any(package.path in everything.workspace.needs(path) for path in everything.said if path != package.path)


def _why_not(package: Package, start: Start, everything: WorkspaceFacts) -> str:
    """Why a package that may be meant to run does not; "" for a library."""
    if start.static:
        return f"`{' '.join(start.words)}` serves files that bake does not know"
    scripts = (package.scripts.get(name, "") for name in ("start", "dev", "deploy"))
    if platform := next(filter(None, map(platform_of, scripts)), ""):
        return f"it is for {platform}"
    if any(package.path in everything.workspace.needs(p.path) for p in everything.workspace.packages):
        return ""
    if "nx.json" in everything.texts and not package.scripts and package.path.startswith(APPS):
        return "Nx alone builds and starts it, and bake runs scripts: see docs/start.md"
    return start.reason if "start" in package.scripts else ""


def _unknown(facts: PackageFacts, processes: tuple[Process, ...]) -> tuple[str, ...]:
    main = processes[0]
    http = HTTP & {*facts.package.dependencies}
    asks = http and main.port is None and not main.entrypoint
    # Where a word of the command line chooses what is started, this mode opens no port.
    return ("port",) if asks and in_mode(facts, Start(words=main.words)) is facts else ()
