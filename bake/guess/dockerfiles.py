"""What files say about processes: Dockerfiles, compose files, npm scripts. Pure."""

import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bake.errors import WorkspaceError
from bake.files import parse_yaml, table
from bake.workspace import Package


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a process is started. reason: why it could not be told, "" when it could.

    before: what ran first in the same script. static: it only serves files.
    """

    words: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    before: tuple[str, ...] = ()
    reason: str = ""
    static: bool = False


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
    return ("sh", "-c", found[-1]) if _PROGRAM.search(found[-1]) else split(found[-1])


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
    words = split(command) if isinstance(command, str) else tuple(str(w) for w in command or ())
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

_SEVERAL = frozenset(
    {"concurrently", "npm-run-all", "npm-run-all2", "run-p", "run-s", "wireit", "lerna", "turbo", "nx", "pm2", "wsrun"}
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
_ENV_WRAPPERS = frozenset({"dotenv", "dotenvx", "doppler", "env-cmd", "infisical", "op", "exec", "tini", "dumb-init"})
_FILE_SERVERS = frozenset({"serve", "http-server", "sirv", "live-server", "nginx"})
_PROGRAM = re.compile(r"[|;\n`]|&|\$\(")
_SHELL = re.compile(r"[|;<>()$`*?~\n]|&&?")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.S)


def split(text: str) -> tuple[str, ...]:
    """Words as a shell makes them; () for a quote that does not end."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return ()


def start_of(text: str | Sequence[str], package: Package, packages: Sequence[Package] = (), depth: int = 0) -> Start:
    """The plain process behind a script or command, seen through wrappers and `npm run`.

    packages: the workspace's, for `npm start --workspace=x`.
    """
    if not isinstance(text, str):
        words = tuple(text)
        if words[:1] and words[0] in {"sh", "bash", "/bin/sh", "ash"} and "-c" in words[1:2]:
            return start_of(words[2] if len(words) > 2 else "", package, packages, depth)
        return _of_words(words, package, packages, depth)
    *before, last = re.split(r"\s*&&\s*", text.strip())
    plain = split(last)
    first = tuple(step for step in before if not _prepares(step))
    folder = _folder(before)
    if _SHELL.search(re.sub(r"'[^']*'", "", last)):
        start = _of_shell(last, plain, package, packages, depth)
    else:
        start = _of_words(plain, package, packages, depth)
    start = replace(start, before=(*first, *start.before))
    return _inside(folder, start) if folder and start.words and not start.static else start


def _with_defaults(text: str) -> str:
    """`${PORT:-3001}` as `3001`: what a script takes when nobody says otherwise, an image can say."""
    return re.sub(r"\$\{\w+:?-([^{}$]*)\}", r"\1", text)


def _folder(steps: Iterable[str]) -> str:
    """The folder of the package that steps went into with `cd`, "" for none or one outside."""
    moves = [words[1] for step in steps if (words := split(step)) and words[0] == "cd" and len(words) == 2]
    folder = posixpath.normpath(posixpath.join("", *moves)) if moves else "."
    return "" if folder.startswith(("/", "..", ".")) or "$" in folder else folder


def _inside(folder: str, start: Start) -> Start:
    """The process started in a folder of the package; images start in the package's own."""
    if start.words[:2] == ("sh", "-c"):
        return replace(start, words=("sh", "-c", f"cd {shlex.quote(folder)} && {start.words[2]}"))
    return replace(start, words=("sh", "-c", f"cd {shlex.quote(folder)} && exec {shlex.join(start.words)}"))


def _prepares(step: str) -> bool:
    """Whether a step belongs to the build, so that a container need not repeat it."""
    words = split(step)
    scripted = re.match(r"(?:npm|pnpm|yarn) (?:run )?([\w:.-]+)", step)
    name = scripted[1] if scripted else ""
    tools = {"tsc", "rimraf", "rm", "mkdir", "cp", "cd", "echo", "nest", "tsup", "lb-tsc"}
    return not words or words[0] in tools or bool(re.match(r"build|clean|compile|rebuild|lint|type", name))


def _of_shell(text: str, words: tuple[str, ...], package: Package, packages: Sequence[Package], depth: int) -> Start:
    """A command line that needs a shell: variables stay for the shell of the container."""
    if re.search(r"[|;\n`]|(?<!&)&(?!&)|\$\(", text) or not words:
        return Start(reason=f"`{text}` is a shell's program")
    inner = _of_words(words, package, packages, depth)
    if inner.reason or inner.static or not any("$" in w for w in inner.words):
        return inner
    line = " ".join(w if "$" in w else shlex.quote(w) for w in inner.words)
    return replace(inner, words=("sh", "-c", f"exec {line}"))


def _of_words(words: tuple[str, ...], package: Package, packages: Sequence[Package], depth: int) -> Start:
    env, words = _assignments(words)
    if not words or depth > 6:
        return Start(reason="it names no process")
    name = posixpath.basename(words[0])
    if name in {"npm", "pnpm", "yarn", "bun", "npx", "pnpx", "bunx"}:
        start = _of_manager(name, words, package, packages, depth)
    elif name in {"cross-env", "cross-env-shell", "env"}:
        start = _of_words(words[1:], package, packages, depth)
    elif name in _ENV_WRAPPERS:
        start = _of_words(_unwrapped(words), package, packages, depth + 1)
    else:
        start = _of_process(name, words, package)
    return replace(start, env=(*env, *start.env))


def _assignments(words: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    found: list[tuple[str, str]] = []
    while words and (m := _ASSIGNMENT.fullmatch(words[0])):
        value = _with_defaults(m[2]).strip()
        found += [] if "$" in value or m[1] == "NODE_ENV" else [(m[1], value)]
        words = words[1:]
    return tuple(found), words


def _unwrapped(words: tuple[str, ...]) -> tuple[str, ...]:
    """What a wrapper that sets the environment starts: the words behind `--`, or behind its options."""
    if "--" in words:
        return words[words.index("--") + 1 :]
    rest = list(words[1:])
    while rest and (rest[0].startswith("-") or rest[0] == "run"):
        rest = rest[2 if rest[0] in {"-f", "-e", "-r"} else 1 :]
    return tuple(rest)


def _of_manager(name: str, words: tuple[str, ...], package: Package, packages: Sequence[Package], depth: int) -> Start:
    package, rest = _elsewhere(words[1:], package, packages)
    rest = tuple(w for w in rest if w not in {"--if-present", "--silent", "-s", "-y", "--yes", "--"})
    if name in {"npx", "pnpx", "bunx"} or rest[:1] in (("exec",), ("dlx",), ("x",)):
        return _of_words(rest if name in {"npx", "pnpx", "bunx"} else rest[1:], package, packages, depth + 1)
    if rest[:1] in (("run",), ("run-script",)):
        rest = rest[1:]
    script = package.scripts.get(rest[0]) if rest else None
    if script is None and name == "bun" and rest:
        return Start(reason="it runs on Bun")
    if script is None and name == "yarn" and rest:
        return _of_words(rest, package, packages, depth + 1)
    if script is None:
        return Start(reason=f"there is no script `{rest[0] if rest else ''}`")
    return start_of(" ".join((script, *map(shlex.quote, rest[1:]))), package, packages, depth + 1)


def _elsewhere(
    words: tuple[str, ...], package: Package, packages: Sequence[Package]
) -> tuple[Package, tuple[str, ...]]:
    """The package that a manager's options choose, and the words without them."""
    kept: list[str] = []
    pending = list(words)
    while pending:
        option, equals, value = pending.pop(0).partition("=")
        if option in {"-w", "--workspace", "--prefix", "-C", "--filter", "-F", "--cwd"} or (
            option == "workspace" and not kept
        ):
            wanted = value if equals else pending.pop(0) if pending else ""
            named = posixpath.normpath(wanted)
            package = next((p for p in packages if wanted == p.name or named == p.path), package)
        else:
            kept.append(f"{option}{equals}{value}")
    return package, tuple(kept)


def _of_process(name: str, words: tuple[str, ...], package: Package) -> Start:
    if name in _FILE_SERVERS or words[:2] in (("vite", "preview"), ("astro", "preview"), ("gatsby", "serve")):
        return Start(words=words, static=True)
    if name in _SEVERAL:
        return Start(reason=f"`{name}` starts several processes")
    if name in _PLATFORMS:
        return Start(reason=f"`{name}` is for {_PLATFORMS[name]}")
    if name == "nest" and words[1:2] == ("start",) and "--watch" not in words:
        return Start(words=("node", "dist/main"))
    if name in _DEVELOPMENT or _DEV_WORDS & set(words[1:]):
        return Start(reason=f"`{' '.join(words[:3])}` is for development")
    if words[0].startswith("../"):
        return Start(reason=f"`{words[0]}` is outside of the package")
    if name in {"node", "tsx"}:
        words = (words[0], *_without_env_files(words[1:]))
    if name == "node":
        return Start(words=("node", *_without_dot(words[1:], package)))
    return Start(words=(name if "node_modules/.bin" in words[0] else words[0], *words[1:]))


def _without_env_files(words: tuple[str, ...]) -> Iterator[str]:
    """An image has no .env: what starts the container sets its environment."""
    pending = list(words)
    while pending:
        option, equals, _ = (word := pending.pop(0)).partition("=")
        if option not in {"--env-file", "--env-file-if-exists"}:
            yield word
        elif not equals:
            pending[:1] = ()


def platform_of(text: str) -> str:
    """The platform other than containers that a script starts or deploys for, "" for none."""
    return next((_PLATFORMS[w] for w in split(text) if w in _PLATFORMS), "")


def _without_dot(words: tuple[str, ...], package: Package) -> Iterator[str]:
    """`node .` means the package's main."""
    main = package.manifest.get("main")
    for word in words:
        yield main if word in {".", "./"} and isinstance(main, str) else word
