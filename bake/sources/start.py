"""The plain process behind a start command: seen through wrappers, shells, scripts and other packages. Pure."""

import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bake.shell import KEYWORDS, MANAGERS, WRAPPERS, Call, Step, parse_call, parse_line, split_words, unwrap
from bake.workspace import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a process is started. reason: why it could not be told, "" when it could.

    before: what ran first in the same script. static: it only serves files. package: the path of the package that it
    was handed on to, None for the one that was asked about. dropped: options that name files no clone has.
    """

    words: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    before: tuple[str, ...] = ()
    reason: str = ""
    static: bool = False
    package: str | None = None
    dropped: tuple[str, ...] = ()


_SEVERAL = frozenset(
    {"concurrently", "npm-run-all", "npm-run-all2", "run-p", "run-s", "wireit", "lerna", "turbo", "nx", "pm2", "wsrun"}
    | {"pm2-runtime"}
)
_DEVELOPMENT = frozenset(
    {
        *(
            "vite",
            "ng",
            "webpack",
            "webpack-dev-server",
            "react-scripts",
            "react-app-rewired",
            "rsbuild",
            "rspack",
            "craco",
            "parcel",
            "rollup",
            "esbuild",
            "tsc",
        ),
        *("expo", "electron", "electron-forge", "tauri", "plasmo", "storybook", "start-storybook", "vue-cli-service"),
        *("docker", "docker-compose", "make", "jest", "vitest", "mocha", "playwright", "cypress", "eslint", "echo"),
        *("docusaurus", "vitepress", "gatsby", "ember", "tsup", "lb-tsc", "swc", "open", "rimraf", "cpx", "cp", "rm"),
        *("nodemon", "ts-node-dev", "tsnd", "web-dev-server", "wds", "lite-server"),
    }
)
_PLATFORMS = {"func": "Azure Functions", "swa": "Azure Static Web Apps", "wrangler": "Cloudflare Workers"}
_PLATFORMS |= {"serverless": "the Serverless framework", "sls": "the Serverless framework", "sam": "AWS SAM"}
_PLATFORMS |= {"expo": "a mobile app", "electron": "a desktop app", "netlify": "Netlify", "vercel": "Vercel"}
_DEV_WORDS = frozenset({"watch", "--watch", "dev", "develop", "--dev", "--inspect", "--inspect-brk"})
_FILE_SERVERS = frozenset({"serve", "http-server", "sirv", "live-server", "nginx", "caddy", "httpd"})
_TOOL = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/]+/(?:[^/]+/)*bin/([\w-]+)(?:\.[cm]?js)?")
"""A command of a package, by the file that it is."""
_TOOLS = frozenset({"next", "nuxt", "nuxi", "pm2", "pm2-runtime", *_SEVERAL, *_DEVELOPMENT})
_DEEPEST = 7
"""Scripts that call scripts: further down is a cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """The workspace that a package is in: its packages, and the paths of its files from the root."""

    packages: Sequence[Package]
    paths: Collection[str]


def start_of(
    text: str | Sequence[str], package: Package, packages: Sequence[Package] = (), paths: Collection[str] = ()
) -> Start:
    """The plain process behind a script or command.

    packages: the workspace's, for `npm start --workspace=x`. paths: of the files that a clone of it has, for
    `node --env-file=.env`.
    """
    around = _Around(packages=packages, paths=paths)
    return _of_line(text, package, around, 0) if isinstance(text, str) else _of(tuple(text), package, around, 0)


def _of_line(text: str, package: Package, around: _Around, depth: int) -> Start:
    steps = parse_line(text)
    if not steps:
        return Start(reason="it names no process")
    cut = 1 + max((at for at, step in enumerate(steps[:-1]) if step.joint in {"&&", ";", "\n"}), default=-1)
    before, last = steps[:cut], steps[cut]
    if _is_program(steps, steps[cut:]):
        return Start(reason=f"`{text.strip()}` is a shell's program")
    folder = _folder(before)
    other = _entered(package, folder, around.packages) if folder else None
    start = _of(last.words, other or package, around, depth)
    if start.words and not start.static and any("$" in w for w in start.words) and start.words[:2] != ("sh", "-c"):
        line = " ".join(w if "$" in w else shlex.quote(w) for w in start.words)
        start = replace(start, words=("sh", "-c", f"exec {line}"))
    first = tuple(step.text for step in before if not _prepares(step))
    start = replace(start, before=(*first, *start.before))
    if other:
        rest = package.file(folder).removeprefix(other.path).lstrip("/")
        start = _inside(rest, start) if rest and start.words and not start.static else start
        return replace(start, package=start.package if start.package is not None else other.path)
    return _inside(folder, start) if folder and start.words and not start.static else start


def _entered(package: Package, folder: str, packages: Sequence[Package]) -> Package | None:
    """The other package that a folder of one is in, None for its own folders."""
    place = f"{package.file(folder)}/"
    holders = [p for p in packages if p.path and place.startswith(f"{p.path}/") and len(p.path) > len(package.path)]
    return max(holders, key=lambda p: len(p.path), default=None)


def _is_program(steps: Sequence[Step], last: Sequence[Step]) -> bool:
    """Whether a line does more than one thing after another: only a shell can tell what it becomes."""
    ends = all(step.words[0] in {"exit", "true", ":"} for step in last[1:])
    several = any(step.joint in {"&", "|&", ";;"} or step.words[0] in KEYWORDS for step in steps)
    piped = any(step.joint == "|" for step in last)
    return several or piped or not ends or "$(" in last[0].text or "`" in last[0].text


def with_defaults(text: str) -> str:
    """`${PORT:-3001}` as `3001`: what a script takes when nobody says otherwise, an image can say."""
    return re.sub(r"\$\{\w+:?-([^{}$]*)\}", r"\1", text)


def _folder(steps: Iterable[Step]) -> str:
    """The folder of the package that steps went into with `cd`, "" for none or one outside."""
    moves = [step.words[1] for step in steps if step.words[0] == "cd" and len(step.words) == 2]
    folder = posixpath.normpath(posixpath.join("", *moves)) if moves else "."
    return "" if folder.startswith(("/", "..", ".")) or "$" in folder else folder


def _inside(folder: str, start: Start) -> Start:
    """The process started in a folder of the package; images start in the package's own."""
    if start.words[:2] == ("sh", "-c"):
        return replace(start, words=("sh", "-c", f"cd {shlex.quote(folder)} && {start.words[2]}"))
    return replace(start, words=("sh", "-c", f"cd {shlex.quote(folder)} && exec {shlex.join(start.words)}"))


_BUILD_TOOLS = frozenset(
    {"tsc", "rimraf", "rm", "mkdir", "cp", "cd", "echo", "nest", "tsup", "lb-tsc", "set", "export"}
)


def _prepares(step: Step) -> bool:
    """Whether a step belongs to the build, so that a container need not repeat it."""
    call = parse_call(step.words)
    name = call.name if call else ""
    return step.words[0] in _BUILD_TOOLS or bool(re.match(r"build|clean|compile|rebuild|lint|type", name))


def _of(words: tuple[str, ...], package: Package, around: _Around, depth: int) -> Start:
    found = unwrap(words)
    if loaded := _loaded(words, package, around):
        return loaded
    if found.line:
        start = _of_line(found.line, package, around, depth)
    elif not found.words or depth > _DEEPEST:
        start = Start(reason="it names no process")
    elif call := parse_call(found.words):
        start = _of_call(call, package, around, depth)
    elif chain := _chain(found.words):
        start = _of_line(chain, package, around, depth + 1)
    else:
        start = _of_process(found.words, package, around)
    return replace(start, env=(*_settings(found.env), *start.env))


_PARALLEL = frozenset({"-p", "--parallel", "--"})


def _chain(words: Sequence[str]) -> str:
    """Scripts that npm-run-all runs one after another, as a shell's text; "" for other commands and for patterns."""
    named = [word for word in words[1:] if not word.startswith("-")]
    chains = posixpath.basename(words[0]) in {"run-s", "npm-run-all", "npm-run-all2"} and _PARALLEL.isdisjoint(words)
    return " && ".join(f"npm run {name}" for name in named) if chains and not any("*" in n for n in named) else ""


def _settings(env: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Assignments that an image can hold: what a variable names is not known."""
    for name, given in env:
        value = with_defaults(given).strip()
        if "$" not in value and not is_usual_mode(name, value):
            yield name, value


_MODES = frozenset({"", "production", "development", "develop", "dev", "test", "testing", "local"})


def is_usual_mode(name: str, value: str) -> bool:
    """Whether it is a NODE_ENV that says nothing: images have production, and no developer's. `staging` does."""
    return name == "NODE_ENV" and value.strip() in _MODES


def _of_call(call: Call, package: Package, around: _Around, depth: int) -> Start:
    if call.every:
        return Start(reason=f"`{call.tool}` starts several packages")
    handed: str | None = None
    if call.packages:
        other = _called(call.packages[0], around.packages)
        if len(call.packages) > 1 or (other is None and around.packages):
            return Start(reason=f"it starts {', '.join(call.packages)}")
        handed = other.path if other and other.path != package.path else None
        package = other or package
    start = _of_run(call, package, around, depth)
    return replace(start, package=start.package if start.package is not None else handed)


def _called(name: str, packages: Sequence[Package]) -> Package | None:
    plain = posixpath.normpath(name)
    return next((p for p in packages if name == p.name or plain == p.path), None)


def _of_run(call: Call, package: Package, around: _Around, depth: int) -> Start:
    if call.line:
        return _of_line(call.line, package, around, depth + 1)
    script = script_text(package, call.name) if call.verb == "run" else None
    if script is not None:
        text = " ".join((script, *map(shlex.quote, call.arguments)))
        start = _of_line(text, package, around, depth + 1)
        first = run_before(call.name, package) if call.tool in MANAGERS else ()
        return replace(start, before=(*first, *start.before)) if start.words else start
    if call.verb == "run" and call.tool == "bun":
        return Start(reason="it runs on Bun")
    if call.verb == "exec" or (call.verb == "run" and call.maybe):
        return _of((call.name, *call.arguments), package, around, depth + 1)
    return Start(reason=f"there is no script `{call.name or call.verb}`")


def script_text(package: Package, name: str) -> str | None:
    """A script's text; of one for each system that of Linux. Source: npmjs.com/package/run-script-os."""
    text = package.scripts.get(name)
    if text is None or text.split()[:1] not in (["run-script-os"], ["run-os"]):
        return text
    return next((t for end in ("linux", "nix", "default") if (t := package.scripts.get(f"{name}:{end}"))), text)


def run_before(name: str, package: Package) -> tuple[str, ...]:
    """What managers run before a script by its name, where that is not for the build."""
    steps = parse_line(package.scripts.get(f"pre{name}", ""))
    return tuple(step.text for step in steps if not _prepares(step))


def _by_name(words: tuple[str, ...]) -> tuple[str, ...]:
    """A command that is started by its file, as others start it: `node node_modules/next/dist/bin/next start`."""
    found = _TOOL.fullmatch(words[1]) if posixpath.basename(words[0]) == "node" and len(words) > 1 else None
    return (found[1], *words[2:]) if found and found[1] in _TOOLS else words


def _of_process(words: tuple[str, ...], package: Package, around: _Around) -> Start:
    words = _by_name(words)
    name = posixpath.basename(words[0])
    if words[0].startswith("$"):
        return Start(reason=f"`{words[0]}` is a variable")
    if name in _FILE_SERVERS or words[:2] in (("vite", "preview"), ("astro", "preview"), ("gatsby", "serve")):
        return Start(words=words, static=True)
    if name in _SEVERAL:
        return Start(reason=f"`{name}` starts several processes")
    if name in _PLATFORMS:
        return Start(reason=f"`{name}` is for {_PLATFORMS[name]}")
    if name == "nest" and words[1:2] == ("start",) and "--watch" not in words:
        return Start(words=("node", "dist/main"))
    if name in {"sleep", "tail"}:
        return Start(reason=f"`{' '.join(words)}` only waits")
    if name in _DEVELOPMENT or _DEV_WORDS & set(words[1:]):
        return Start(reason=f"`{' '.join(words[:3])}` is for development")
    if words[0].startswith("../"):
        return Start(reason=f"`{words[0]}` is outside of the package")
    if name not in {"node", "tsx"}:
        return Start(words=(name if "node_modules/.bin" in words[0] else words[0], *words[1:]))
    first = name if name == "node" or words[0].startswith("/") else words[0]
    options = [o for o in _options(words[1:]) if not _is_absent_env_file(o, package, around)]
    kept = tuple(word for option in options for word in option)
    dropped = (" ".join(o) for o in _options(words[1:]) if o not in options)
    return Start(words=(first, *(_without_dot(kept, package) if name == "node" else kept)), dropped=tuple(dropped))


_ENV_FILES = frozenset({"--env-file", "--env-file-if-exists"})


def _options(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Words, each `--env-file` with its value."""
    pending = list(words)
    while pending:
        size = 2 if pending[0] in _ENV_FILES else 1
        yield tuple(pending[:size])
        del pending[:size]


def _is_absent_env_file(option: tuple[str, ...], package: Package, around: _Around) -> bool:
    """Whether it names a file that git does not track, which no image has: what starts the container gives it."""
    name, _, value = "=".join(option).partition("=")
    return name in _ENV_FILES and not _is_tracked(value, package, around)


def _is_tracked(name: str, package: Package, around: _Around) -> bool:
    return posixpath.normpath(package.file(name)) in around.paths


def _loaded(words: tuple[str, ...], package: Package, around: _Around) -> Start | None:
    """A process behind `dotenv -e FILE --`, with all of that where git tracks the file."""
    wrapper = WRAPPERS.get(posixpath.basename(words[0])) if words else None
    if wrapper is None or not wrapper.file:
        return None
    files = [value.removeprefix("=") for option, value in pairwise(words) if option == wrapper.file] or [".env"]
    return Start(words=words) if all(_is_tracked(name, package, around) for name in files) else None


def platform_of(text: str) -> str:
    """The platform other than containers that a script starts or deploys for, "" for none."""
    return next((_PLATFORMS[w] for w in split_words(text) if w in _PLATFORMS), "")


def _without_dot(words: tuple[str, ...], package: Package) -> Iterator[str]:
    """`node .` means the package's main."""
    main = package.manifest.get("main")
    for word in words:
        yield main if word in {".", "./"} and isinstance(main, str) else word
