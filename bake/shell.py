"""Command lines: what a shell makes of a text, what wraps a process, what package managers hand on. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from typing import Final

SHELLS: Final = frozenset({"ash", "bash", "dash", "sh", "zsh"})
MANAGERS: Final = frozenset({"bun", "npm", "pnpm", "yarn"})
EXECUTORS: Final = frozenset({"bunx", "npx", "pnpx"})
KEYWORDS: Final = frozenset(
    {"!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "then", "until", "while", "{", "}"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One simple command of a line.

    text: as it is written. words: without quotes and redirections, variables stay. joint: what stands behind it
    (`&&`, `||`, `;`, `|`, `&`, a newline), "" at the end. expands: whether a shell puts variables into it.
    """

    text: str
    words: tuple[str, ...]
    joint: str = ""
    expands: bool = False


_TOKEN: Final = re.compile(
    r"""
    (?P<comment>(?<![^\s;&|(])\#[^\n]*)
    |(?P<space>(?:[ \t\r]|\\\r?\n)+)
    |(?P<fed>[<>]\((?:[^()'"]|'[^']*'|"(?:\\.|[^"\\])*"|\([^()]*\))*\))
    |(?P<redirect>\d*(?:&>>?|>>|>\||<<<|<<-?|<>|>|<)(?P<duplicate>&[\d-])?)
    |(?P<joint>&&|\|\||;;|\|&|[;|&\n()])
    |'(?P<single>[^']*)'
    |"(?P<double>(?:\\.|\$\((?:[^()"]|"[^"]*")*\)|[^"\\])*)"
    |\\(?P<escaped>.)
    |(?P<variable>\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$[\w@*#?!-]?|`[^`]*`)
    |(?P<plain>[^\s'"\\;|&()<>`$]+)
    """,
    re.X | re.S,
)


def plain_number(word: str) -> int | None:
    """The number below 65536 that a word is, like a port; None for other words, be they `²` or 5,000 digits."""
    return int(word) if re.fullmatch(r"[0-9]{1,5}", word) and int(word) < 65536 else None


def parse_line(text: str) -> tuple[Step, ...]:
    """Cut a shell's line into simple commands; quotes hold theirs together. () for a quote that does not end."""
    scanner, at = _Scanner(text), 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return ()
        scanner.take(found)
        at = found.end()
    scanner.end_step(at, "")
    return tuple(scanner.steps)


class _Scanner:
    """Gathers tokens into words, and words into simple commands."""

    def __init__(self, text: str) -> None:
        self.steps: list[Step] = []
        self._text, self._begin = text, 0
        self._words: list[str] = []
        self._word: list[str] | None = None
        self._expands = self._skips = False

    def take(self, found: re.Match[str]) -> None:
        """Take the next token."""
        kind = found.lastgroup or "escaped"
        if kind in {"space", "comment"}:
            self._end_word()
        elif kind in {"redirect", "duplicate"}:
            self._end_word()
            self._skips = found["duplicate"] is None  # its file is no word of the command
        elif kind == "joint":
            self.end_step(found.start(), found["joint"])
            self._begin = found.end()
        else:
            self._add(kind, found[kind])

    def _add(self, kind: str, value: str) -> None:
        self._expands |= kind == "variable" or (kind == "double" and bool(re.search(r"(?<!\\)[$`]", value)))
        plain = re.sub(r"\\([\\\"$`])", r"\1", value) if kind == "double" else value
        self._word = [*(self._word or ()), plain]

    def _end_word(self) -> None:
        if self._word is not None and not self._skips:
            self._words.append("".join(self._word))
        self._skips = self._skips and self._word is None
        self._word = None

    def end_step(self, end: int, joint: str) -> None:
        """End the simple command before a joint."""
        self._end_word()
        if self._words:
            text = self._text[self._begin : end].strip()
            self.steps.append(Step(text=text, words=tuple(self._words), joint=joint, expands=self._expands))
        self._words, self._expands = [], False


def split_words(text: str) -> tuple[str, ...]:
    """Words of the text as a shell makes them, whatever joins its commands; () for a quote that does not end."""
    return tuple(word for step in parse_line(text) for word in step.words)


# --- what is around a process ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wrapper:
    """A program that starts another. values: options that take a value. own: words of its own before the command.

    dashes: everything up to `--` is its own. verbs: words that may stand first. file: the option that names a file of
    variables, `.env` without it; "" where it reads none.
    """

    values: frozenset[str] = frozenset()
    own: int = 0
    dashes: bool = False
    verbs: frozenset[str] = frozenset()
    file: str = ""


def _takes(*values: str, own: int = 0, file: str = "") -> _Wrapper:
    return _Wrapper(values=frozenset(values), own=own, file=file)


_RUN: Final = frozenset({"run", "exec"})
WRAPPERS: Final[Mapping[str, _Wrapper]] = {
    **dict.fromkeys(("command", "nohup", "setsid", "time", "unbuffer", "with-contenv"), _Wrapper()),
    **dict.fromkeys(("catatonit", "docker-entrypoint.sh"), _Wrapper()),
    "exec": _takes("-a"),
    "tini": _takes("-p", "-e"),
    "dumb-init": _takes("-r", "--rewrite"),
    "nice": _takes("-n"),
    "ionice": _takes("-c", "-n", "-p"),
    "stdbuf": _takes("-i", "-o", "-e"),
    "timeout": _takes("-k", "-s", "--signal", "--kill-after", own=1),
    **dict.fromkeys(("wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh"), _Wrapper(dashes=True)),
    "dockerize": _takes(
        *("-wait", "-timeout", "-wait-retry-interval", "-wait-http-header", "-template", "-stdout", "-stderr"),
        *("-env", "-poll-interval"),
    ),
    "chroot": _takes(own=1),
    "gosu": _takes(own=1),
    "su-exec": _takes(own=1),
    **dict.fromkeys(("s6-setuidgid", "s6-envuidgid", "s6-applyuidgid"), _takes("-u", "-g", "-G", own=1)),
    "chpst": _takes("-u", "-U", "-e", "-n", "-l", "-m"),
    "setpriv": _takes("--reuid", "--regid", "--groups"),
    "sudo": _takes("-u", "-g"),
    "xvfb-run": _takes("-s", "-n", "-e", "-f", "-w"),
    # What sets the environment.
    "env": _takes("-u", "-C", "--unset", "--chdir"),
    "cross-env": _Wrapper(),
    "cross-env-shell": _Wrapper(),
    **dict.fromkeys(("dotenv", "dotenv-cli"), _takes("-e", "-c", "-v", "-p", file="-e")),
    "dotenvx": _Wrapper(values=frozenset({"-f", "-e", "-fk", "--env-file"}), verbs=_RUN, file="-f"),
    "env-cmd": _takes("-f", "-e", "-r", file="-f"),
    **dict.fromkeys(
        ("doppler", "infisical", "op", "chamber", "aws-vault", "teller"), _Wrapper(dashes=True, verbs=_RUN)
    ),
}
"""Programs that start what stands behind their options. Read by everything that asks what a command starts."""

AROUND: Final = frozenset({*WRAPPERS, *SHELLS, *MANAGERS, *EXECUTORS})
"""What a process should not have around it as PID 1: signals end there."""

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """What a command starts. line: a shell's text in place of words. wrappers: their names, the outermost first."""

    words: tuple[str, ...] = ()
    line: str = ""
    env: tuple[tuple[str, str], ...] = ()
    wrappers: tuple[str, ...] = ()


def unwrap(words: Sequence[str]) -> Unwrapped:
    """See through assignments, wrappers (`tini --`, `doppler run --`) and `sh -c`."""
    rest, line = tuple(words), ""
    env: list[tuple[str, str]] = []
    wrappers: list[str] = []
    while rest and not line:
        name = basename(rest[0])
        if setting := _ASSIGNMENT.fullmatch(rest[0]):
            env.append((setting[1], setting[2]))
            rest = rest[1:]
        elif name in SHELLS and (text := _shell_text(rest[1:])) is not None:
            line, rest = text or ":", ()
        elif name in WRAPPERS and (inner := _behind(name, rest[1:])):
            wrappers.append(name)
            own = rest[1 : len(rest) - len(inner)]
            splits = name == "env" and bool({"-S", "--split-string"} & {*own})
            if name == "cross-env-shell" or splits:
                line, rest = " ".join(inner), ()
            else:
                rest = inner
        elif name in _PM2 and (inner := _under_pm2(name, rest[1:])):
            wrappers.append(name)
            rest = inner
        else:
            break
    return Unwrapped(words=rest, line=line, env=tuple(env), wrappers=tuple(wrappers))


def _shell_text(words: Sequence[str]) -> str | None:
    """The text behind `-c`, None for a shell that reads a file."""
    for at, word in enumerate(words):
        if re.fullmatch(r"-[a-z]*c", word):
            return words[at + 1] if at + 1 < len(words) else ""
        if not word.startswith("-"):
            return None
    return None


def _behind(name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    wrapper = WRAPPERS[name]
    if wrapper.dashes:
        return words[words.index("--") + 1 :] if "--" in words else ()
    own = wrapper.own
    while words:
        if words[0] == "--":
            words = words[1:]
            break
        if words[0].startswith("-") and len(words[0]) > 1:
            words = words[2 if words[0] in wrapper.values else 1 :]
        elif words[0] in wrapper.verbs:
            words = words[1:]
        else:
            break
    return words[own:]


_PM2: Final = frozenset({"pm2", "pm2-docker", "pm2-runtime"})
_PM2_VALUES: Final = frozenset(
    {
        *("-n", "--name", "-i", "--instances", "-o", "--output", "-e", "--error", "-l", "--log", "-p", "--pid"),
        *("-c", "--cron", "--env", "--cwd", "--interpreter", "--node-args", "--max-memory-restart", "--max-restarts"),
        *("--min-uptime", "--namespace", "--restart-delay", "--exp-backoff-restart-delay", "--kill-timeout"),
        *("--listen-timeout", "--log-date-format", "--secret", "--public", "--machine-name", "--uid", "--gid"),
    }
)
"""Its options that a value follows."""


def _under_pm2(name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The one program that pm2 is told on its command line, () where a file of its own names several.

    Source: pm2.keymetrics.io/docs/usage/docker-pm2-nodejs and the help of pm2-runtime.
    """
    cut = words.index("--") if "--" in words else len(words)
    pending, arguments = [w for w in words[:cut] if w != "start"], words[cut + 1 :]
    told: dict[str, str] = {}
    programs = []
    while pending:
        option, equals, value = pending.pop(0).partition("=")
        if option in _PM2_VALUES:
            told[option] = value if equals else pending.pop(0) if pending else ""
        elif not option.startswith("-"):
            programs.append(option)
    if len(programs) != 1 or (name == "pm2" and "--no-daemon" not in words):
        return ()
    program = programs[0]
    if program in MANAGERS or " " in program:
        return (*split_words(program), *arguments)
    if not re.search(r"\.[cm]?js$", program) or re.search(
        r"\.config\.[cm]?js$|(?:^|/)(?:ecosystem|pm2)[^/]*$", program
    ):
        return ()
    return (told.get("--interpreter", "node"), *split_words(told.get("--node-args", "")), program, *arguments)


# --- package managers and task runners ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a package manager or a task runner is asked for.

    tool: its name. verb: `run` for a script, `exec` for a command, else its own (`install`, `deploy`). name: of the
    script or command; `maybe` a command when no script is called so. packages: names or paths of those that it is for,
    () for the one at hand. every: it is for all there are. line: a shell's text that it runs.
    """

    tool: str
    verb: str = ""
    name: str = ""
    arguments: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    every: bool = False
    maybe: bool = False
    line: str = ""
    brought: tuple[str, ...] = ()
    """Packages that `npx -p` installs first."""


_CHOOSING: Final = frozenset({"-w", "--workspace", "--prefix", "-C", "--filter", "-F", "--cwd", "--dir", "--scope"})
_ALL: Final = frozenset({"-ws", "--workspaces", "-r", "--recursive"})
_QUIET: Final = frozenset({"--if-present", "-s", "--silent", "-y", "--yes"})
_VALUED: Final = frozenset({"--loglevel", "--reporter", "--workspace-concurrency", "--userconfig", "--registry"})
_LIFECYCLE: Final = frozenset({"start", "stop", "restart", "test"})
_OWN_VERBS: Final = frozenset(
    {
        *("install", "i", "add", "ci", "remove", "rm", "update", "up", "upgrade", "prune", "fetch", "rebuild", "rb"),
        *("link", "pack", "publish", "config", "set", "cache", "audit", "why", "list", "ls", "init", "store", "import"),
        *("dedupe", "deploy", "root", "bin", "version", "info", "login", "plugin", "policies", "self-update", "env"),
    }
)


def parse_call(words: Sequence[str]) -> Call | None:
    """What `npm run x -w y`, `npx x`, `yarn workspace y x` or `turbo run x --filter=y` asks for; None for others."""
    name = basename(words[0]) if words else ""
    if name in EXECUTORS:
        return _execution(name, tuple(words[1:]), ())
    if name in MANAGERS:
        return _managed(name, tuple(words[1:]))
    if name == "node" and len(words) > 1 and words[1].partition("=")[0] == "--run":
        given = words[1].partition("=")[2]
        return _script("node", (given, *words[2:]) if given else tuple(words[2:]), ()) if given or words[2:] else None
    if name in _RUNNERS and len(words) > 1:
        return _RUNNERS[name](tuple(words[1:]))
    return None


def _managed(tool: str, words: tuple[str, ...]) -> Call:
    packages, every, rest = _chosen(words, tool)
    if tool == "yarn" and rest[:1] == ("workspaces",):
        return _fanned(tool, rest)
    if tool == "yarn" and rest[:1] == ("workspace",) and len(rest) > 1:
        inner = _managed(tool, rest[2:])
        return Call(
            tool=tool,
            verb=inner.verb,
            name=inner.name,
            arguments=inner.arguments,
            packages=(rest[1],),
            maybe=inner.maybe,
        )
    verb, rest = (rest[0], rest[1:]) if rest else ("", ())
    if verb in {"exec", "x", "dlx"}:
        return _execution(tool, rest, packages, every=every)
    if verb in _RUNS and rest:
        return _script(tool, rest, packages, every=every)
    if verb in _LIFECYCLE:
        return _script(tool, (verb, *rest), packages, every=every)
    if tool == "npm" or not verb or verb in _OWN_VERBS or verb.startswith("-"):
        return Call(tool=tool, verb=verb, arguments=rest, packages=packages, every=every)
    return _script(tool, (verb, *rest), packages, every=every, maybe=True)


def _script(
    tool: str, rest: tuple[str, ...], packages: tuple[str, ...], *, every: bool = False, maybe: bool = False
) -> Call:
    arguments = rest[1:]
    if "--" in arguments and tool != "yarn":
        cut = arguments.index("--")
        arguments = (*(arguments[:cut] if tool != "npm" else ()), *arguments[cut + 1 :])
    return Call(
        tool=tool,
        verb="run",
        name=rest[0],
        arguments=tuple(w for w in arguments if w not in _QUIET),
        packages=packages,
        every=every,
        maybe=maybe,
    )


def _fanned(tool: str, rest: tuple[str, ...]) -> Call:
    """`yarn workspaces run x` of yarn 1, `yarn workspaces foreach -A run x` of the later ones."""
    at = rest.index("run") + 1 if "run" in rest else len(rest)
    chosen = tuple(rest[i + 1] for i, w in enumerate(rest[:-1]) if w in {"--include", "--from"} and i < at)
    return Call(
        tool=tool,
        verb="run",
        name=rest[at] if at < len(rest) else "",
        arguments=rest[at + 1 :],
        packages=chosen,
        every=not chosen,
    )


def _execution(tool: str, words: tuple[str, ...], packages: tuple[str, ...], *, every: bool = False) -> Call:
    pending = list(words)
    brought: list[str] = []
    while pending and pending[0].startswith("-"):
        option, equals, value = pending.pop(0).partition("=")
        if option in {"-c", "--call"}:
            line = value if equals else " ".join(pending[:1])
            return Call(tool=tool, verb="exec", line=line, packages=packages, brought=tuple(brought))
        if option in {"-p", "--package"}:
            brought.append(unversioned(value if equals else pending.pop(0) if pending else ""))
    name = unversioned(pending[0]) if pending else ""
    return Call(
        tool=tool,
        verb="exec",
        name=name,
        arguments=tuple(pending[1:]),
        packages=packages,
        every=every,
        brought=tuple(brought),
    )


def unversioned(name: str) -> str:
    """A package's name without its version: `@x/y@1` is `@x/y`."""
    at = name.find("@", 1)
    return name if at < 0 else name[:at]


_RUNS: Final = frozenset({"run", "run-script"})
_NO_NAMES: Final = _RUNS | _OWN_VERBS


def _chosen(words: tuple[str, ...], tool: str = "npm") -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The packages that options choose, whether all are chosen, and the words without these options.

    Options behind the script's name are the script's, but for npm.
    """
    packages: list[str] = []
    kept: list[str] = []
    pending, every = list(words), False
    while pending and pending[0] != "--" and not (tool != "npm" and _named(kept)):
        word = pending.pop(0)
        option, equals, value = word.partition("=")
        if word == "-w" and tool == "pnpm":
            packages.append(".")  # --workspace-root
        elif option in _CHOOSING:
            packages.append(_selected(value if equals else pending.pop(0) if pending else ""))
        elif option in _ALL:
            every = True
        elif option in _VALUED and not equals:
            pending[:1] = ()
        elif {*kept} - _RUNS or not word.startswith("-"):
            kept.append(word)
    chosen = tuple(p for p in packages if p)
    return chosen, every and not chosen, (*kept, *pending)


def _named(kept: Sequence[str]) -> bool:
    """Whether a script or a command has been named yet."""
    return any(word not in _NO_NAMES and not word.startswith("-") for word in kept)


def _selected(pattern: str) -> str:
    """What a filter names: `web...`, `...^web`, `{./apps/web}` are `web` and `apps/web`; "" for what leaves out."""
    if pattern.startswith("!") or "[" in pattern:
        return ""
    plain = re.sub(r"^\.\.\.\^?|\^?\.\.\.$", "", pattern)
    return plain.strip("{}").removeprefix("./").rstrip("/")


def _turbo(words: tuple[str, ...]) -> Call:
    packages, _, rest = _chosen(words)
    verb = rest[0] if rest else ""
    if verb == "prune":
        return Call(tool="turbo", verb="prune", packages=(*packages, *(w for w in rest[1:] if not w.startswith("-"))))
    tasks = tuple(w for w in (rest[1:] if verb == "run" else rest) if not w.startswith("-"))
    return Call(tool="turbo", verb="run", name=tasks[0] if tasks else "", packages=packages, every=not packages)


def _nx(words: tuple[str, ...]) -> Call:
    """`nx run x:build:production`, `nx build x`, `nx run-many -t build -p x,y`."""
    plain = tuple(w for w in words if not w.startswith("-"))
    if words[0] == "run" and len(plain) > 1:
        project, _, task = plain[1].partition(":")
        return Call(tool="nx", verb="run", name=task.partition(":")[0], packages=(project,))
    if words[0] in {"run-many", "affected"}:
        task, chosen = _option(words, "-t", "--target", "--targets"), _option(words, "-p", "--projects")
        packages = tuple(p for p in chosen.split(",") if p)
        return Call(tool="nx", verb="run", name=task, packages=packages, every=not packages)
    if words[0].startswith("-") or not plain[1:]:
        return Call(tool="nx", verb=words[0])
    return Call(tool="nx", verb="run", name=plain[0], packages=plain[1:2])


def _option(words: Sequence[str], *names: str) -> str:
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in names:
            return value if equals else words[at + 1] if at + 1 < len(words) else ""
    return ""


def _lerna(words: tuple[str, ...]) -> Call:
    packages, _, rest = _chosen(words)
    name = rest[1] if rest[:1] == ("run",) and len(rest) > 1 else ""
    return Call(tool="lerna", verb="run" if name else words[0], name=name, packages=packages, every=not packages)


_RUNNERS: Final = {"turbo": _turbo, "nx": _nx, "lerna": _lerna}


def called_scripts(text: str) -> Iterator[Call]:
    """Every call of a package manager or a task runner in a shell's text, also behind wrappers and `npx`."""
    for step in parse_line(text):
        yield from _calls(step.words, 4)


def _calls(words: Sequence[str], depth: int) -> Iterator[Call]:
    found = unwrap(tuple(w for at, w in enumerate(words) if w not in KEYWORDS or at))
    if found.line:
        yield from called_scripts(found.line)
    elif call := parse_call(found.words):
        yield call
        runs = call.verb == "run" and call.maybe and call.name in _RUNNERS
        if depth and not call.packages and (runs or call.verb == "exec"):
            yield from _calls((call.name, *call.arguments), depth - 1)
