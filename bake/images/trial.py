"""Try images as Kubernetes would start them, and judge what they did.

The core of `bake smoke`: what to start, what to watch, what is wrong. Pure but for the engine handed in, which also
keeps the time.
"""

import dataclasses
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from bake.config import Dependency, Health, Smoke, words
from bake.engine import Configured, ContainerState, Launch, Process
from bake.errors import BakeError, EngineError
from bake.images.misses import Miss, lost, parse_misses, watching
from bake.images.traces import TracedPackage
from bake.plan import Dockered, Image, Name, ServiceImage, home
from bake.shell import AROUND
from bake.workspace import shown

EMULATED = 6
"""How much longer a process may take under QEMU: Node starts about five times slower there."""

_TIMEOUT = 30
"""Seconds for a process without a `health` table of its own."""

_SETTLE = 3.0
"""Seconds that a process without any sign of readiness must at least run."""

_CALM = 0.02
"""Share of a processor below which it does not look like a program that is still starting."""

_POLL = 0.1
"""Seconds between looks at a container; scaled like every other time, for the looks cost the machine too."""

_LOG_LINES = 20


class Box(Protocol):
    """A container, as the engine's door gives it."""

    @property
    def configured(self) -> Configured: ...
    def start(self) -> None: ...
    def state(self) -> ContainerState: ...
    def log(self) -> str: ...
    def get(self, path: str) -> int | str:
        """Status of `GET path` on the published port, or why there was none."""
        ...

    def process(self) -> Process | None: ...
    def listening(self) -> tuple[str, ...] | None:
        """Addresses (`127.0.0.1:4000`) that its processes listen on; None when that cannot be told."""
        ...

    def cpu(self) -> float:
        """Seconds of processor time that it used so far."""
        ...

    def signal(self, name: str) -> None: ...
    def remove(self) -> None: ...


class Engine(Protocol):
    """The engine's door; `now` in seconds, `pause` ends early by raising when the run is interrupted."""

    @property
    def platform(self) -> str: ...
    def create(self, launch: Launch) -> Box: ...
    def now(self) -> float: ...
    def pause(self, seconds: float) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an image's files, for remedies."""

    ends: bool = False
    """Whether bake.toml says that its process ends by itself; a tool with an entrypoint does anyway."""

    present: frozenset[str] = frozenset()
    """Names of the packages in the image."""
    locked: frozenset[str] | None = None
    """Names of the packages in the lockfile, where they are known."""
    aliases: tuple[str, ...] = ()
    """Names that stand for files of the workspace, as tsconfig.json and module-alias have them."""
    absent: Callable[[str], str] = lambda _path: ""
    """Why the image lacks a path, "" where nothing is known."""
    watch: str = ""
    """A program that tells of what is not there, where the image holds only the files that its process can load."""


_NOTHING_KNOWN = Known()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One image on one platform, and what is expected of it. timeout and grace: seconds."""

    target: str
    platform: str
    package: str
    directory: str
    key: str
    """The image's table in bake.toml, for remedies."""
    launch: Launch
    command: tuple[str, ...]
    health: Health | None
    timeout: float
    settle: float
    poll: float
    grace: float
    ends: bool = False
    """Whether it is a tool that does its work and ends; a service goes on."""
    dockerfile: str = ""
    """The Dockerfile of its own, which then says what it runs and holds."""
    known: Known = _NOTHING_KNOWN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one container did. ready, stopped: seconds, None when it never was."""

    configured: Configured
    ready: float | None
    answer: str
    """The last thing its health endpoint said, when it never was well."""
    early: ContainerState
    """When waiting for readiness was over."""
    process: Process | None = None
    listening: tuple[str, ...] | None = None
    stopped: float | None = None
    late: ContainerState | None = None
    """After the signal; None when none was sent."""
    log: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinding:
    """One thing that is wrong. check: image, user, start, health, process or stop."""

    check: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict about one image on one platform. log: its last lines when something is wrong."""

    target: str
    platform: str
    findings: tuple[TrialFinding, ...]
    ready: float | None = None
    stopped: float | None = None
    exit_code: int | None = None
    process: str = ""
    log: tuple[str, ...] = ()
    misses: tuple[Miss, ...] = ()
    """What it looked for in vain, where that was watched."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def make_trial(
    image: ServiceImage,
    name: Name,
    platform: str,
    settings: Smoke,
    *,
    native: str,
    registry: str = "",
    pushed: bool = False,
    known: Known = _NOTHING_KNOWN,
) -> Trial:
    """How to try the image. native: the engine's own platform. pushed: take it from the registry only."""
    scale = 1 if platform == native else EMULATED
    health = image.health
    port = (health.port if health else None) or image.port
    remote = tuple(f"{registry}/{r}" for r in name.references) if registry else ()
    entrypoint, command = (image.entrypoint, image.command) if isinstance(image, Image) else ((), ())
    return Trial(
        target=image.target,
        platform=platform,
        package=image.package if isinstance(image, Image) else "",
        directory=image.directory if isinstance(image, Image) else "",
        key=f"services.{image.service}" + (f".roles.{image.role}" if image.role else ""),
        launch=Launch(
            references=() if pushed else (*name.references, *remote),
            platform=platform,
            pull=remote[0] if remote else "",
            env=_environment(image, settings, known),
            memory=settings.memory,
            port=port,
            writable=image.mounted,
            fixed=not image.filled,
            init=image.init,
            owner=image.user if re.fullmatch(r"\d+(:\d+)?", image.user) else "",
            remedy=build_first(image.target, platform, pushed=pushed),
        ),
        command=(*entrypoint, *command),
        ends=known.ends or bool(entrypoint),
        dockerfile=image.source if isinstance(image, Dockered) else "",
        health=health,
        timeout=(health.timeout if health else _TIMEOUT) * scale,
        settle=_SETTLE * scale,
        poll=_POLL * scale,
        grace=settings.grace * scale,
        known=known,
    )


def _environment(image: ServiceImage, settings: Smoke, known: Known) -> Mapping[str, str]:
    if not known.watch:
        return settings.env
    own = {k: v for k, v in image.env.items() if k == "NODE_OPTIONS"} if isinstance(image, Image) else {}
    return watching({**own, **settings.env}, known.watch)


def build_first(target: str, platform: str, *, pushed: bool = False) -> str:
    """The command that makes the image, in the registry if it is to be pushed, as a remedy."""
    words = f"{target}{' --push' if pushed else ''}{f' --platform {platform}' if platform else ''}"
    return f"{'push' if pushed else 'build'} it first: `bake {words}`"


def start_dependencies(dependencies: Mapping[str, Dependency], engine: Engine) -> None:
    """Start what the processes need and wait until each is ready. Raises EngineError when one is not."""
    for name, dependency in dependencies.items():
        box = engine.create(
            Launch(
                references=(dependency.image,),
                platform="",
                pull=dependency.image,
                env=dependency.env,
                command=words(dependency.command) if dependency.command else (),
                alias=name,
                hardened=False,
                remedy=f"correct smoke.dependencies.{name}.image",
            )
        )
        box.start()
        _wait_dependency(name, dependency, box, engine)


def _wait_dependency(name: str, dependency: Dependency, box: Box, engine: Engine) -> None:
    where, begun = f"smoke.dependencies.{name}", engine.now()
    while True:
        state, log = box.state(), box.log()
        if not state.running:
            what = f"{dependency.image} ended with code {state.exit_code}{_last(log)}"
            raise EngineError(where, what, "give it the command and environment it needs")
        if dependency.log is None or dependency.log in log:
            return
        if engine.now() - begun > dependency.timeout:
            what = f"{dependency.image} did not log {dependency.log!r} within {dependency.timeout} s{_last(log)}"
            raise EngineError(where, what, "correct its `log`, or raise its `timeout`")
        engine.pause(_POLL)


def _last(log: str) -> str:
    line = log.rstrip().rpartition("\n")[2]
    return f" ({line})" if line else ""


def attempt(trial: Trial, engine: Engine) -> Result:
    """Start the image, watch it, stop it, remove it, judge it."""
    try:
        box = engine.create(trial.launch)
    except BakeError as error:
        finding = TrialFinding(check="image", what=f"{error.where}: {error.what}", remedy=error.remedy)
        return Result(target=trial.target, platform=trial.platform, findings=(finding,))
    try:
        seen = observe(trial, box, engine)
        misses, log = parse_misses(seen.log)
        return dataclasses.replace(judge(trial, dataclasses.replace(seen, log=log)), misses=misses)
    finally:
        box.remove()


def add_lost(result: Result, packages: Sequence[TracedPackage], key: str) -> Result:
    """The result, with a finding for all that the trace of its image has left out and its process looked for."""
    found = tuple(
        TrialFinding(
            check="trace",
            what=f"{miss.name or miss.path} is not in the image" + (f", and {miss.by} loads it" if miss.by else ""),
            remedy=f'add "{kept}" to {key}',
        )
        for miss, kept in lost(result.misses, packages)
    )
    return dataclasses.replace(result, findings=(*result.findings, *found))


def observe(trial: Trial, box: Box, engine: Engine) -> Observed:
    """One life of a container, from start to end."""
    started = engine.now()
    try:
        box.start()
    except BakeError as error:
        state = ContainerState(running=False, exit_code=-1, error=error.what)
        return Observed(configured=box.configured, ready=None, answer="", early=state, log=box.log())
    up, answer = _wait_ready(trial, box, engine)
    early = box.state()
    seen = Observed(
        configured=box.configured,
        ready=engine.now() - started if up else None,
        answer=answer,
        early=early,
        process=box.process() if early.running else None,
        listening=box.listening() if early.running and not up else None,
        log=box.log(),
    )
    return _stopped(trial, box, engine, seen) if early.running else seen


def _wait_ready(trial: Trial, box: Box, engine: Engine) -> tuple[bool, str]:
    """Whether it got ready, and the last answer of its health endpoint."""
    begun, answer, silent = engine.now(), "", not (trial.health and (trial.health.path or trial.health.log))
    calm = _Calm(box, engine)
    while True:
        state, seconds = box.state(), engine.now() - begun
        if silent:
            up = (calm() and seconds >= trial.settle) if state.running else trial.ends and state.exit_code == 0
        else:
            up, answer = _sign(trial, box, answer, running=state.running)
        if up or not state.running:
            return up, answer
        if seconds > trial.timeout:
            # One that never comes to rest without a sign of readiness is at work.
            return silent, answer
        engine.pause(trial.poll)


class _Calm:
    """Whether a process has come to rest: a start uses the processor, waiting for work does not."""

    def __init__(self, box: Box, engine: Engine) -> None:
        self._box, self._engine = box, engine
        self._time, self._used, self._calm = engine.now(), 0.0, False

    def __call__(self) -> bool:
        """What the last full second says."""
        if (passed := self._engine.now() - self._time) >= 1:
            used = self._box.cpu()
            self._calm = used - self._used < _CALM * passed
            self._time, self._used = self._engine.now(), used
        return self._calm


def _sign(trial: Trial, box: Box, answer: str, *, running: bool) -> tuple[bool, str]:
    health = trial.health
    if health and health.path:
        given = box.get(health.path) if running else answer
        return (isinstance(given, int) and 200 <= given < 300), _said(given)
    wanted = health.log if health and health.log else ""
    return (running and any(wanted in line for line in box.log().splitlines())), ""


def _said(answer: int | str) -> str:
    return f"status {answer}" if isinstance(answer, int) else answer


def _stopped(trial: Trial, box: Box, engine: Engine, seen: Observed) -> Observed:
    """Ask it to end, as the kubelet does, and wait for that."""
    begun = engine.now()
    box.signal(seen.configured.stop)
    while (late := box.state()).running and engine.now() - begun < trial.grace:
        engine.pause(trial.poll)
    seconds = None if late.running else engine.now() - begun
    return dataclasses.replace(seen, late=late, stopped=seconds, log=box.log())


def judge(trial: Trial, seen: Observed) -> Result:
    """What is wrong with what was seen."""
    findings = (
        *_judge_user(trial, seen),
        *_judge_start(trial, seen),
        *_judge_process(trial, seen),
        *_judge_stop(trial, seen),
    )
    last = seen.late if seen.late and not seen.late.running else seen.early
    return Result(
        target=trial.target,
        platform=trial.platform,
        findings=findings,
        ready=seen.ready,
        stopped=seen.stopped,
        exit_code=None if last.running else last.exit_code,
        process=_shown(seen.process.line) if seen.process else "",
        log=_excerpt(seen.log) if findings else (),
    )


def _judge_user(trial: Trial, seen: Observed) -> list[TrialFinding]:
    """Kubernetes' runAsNonRoot wants a number: it cannot tell whether a name is root. Source: its kubelet."""
    user = seen.configured.user.partition(":")[0]
    running = seen.process.user if seen.process else -1
    remedy = f'set {trial.key}.user = "1000:1000"'
    if trial.dockerfile:
        remedy = f"let {trial.dockerfile} end in `USER 1000:1000`, or another number that is not 0"
    if user in ("", "0", "root") or running == 0:
        return [TrialFinding(check="user", what="runs as root", remedy=remedy)]
    if not re.fullmatch(r"[0-9]{1,10}", user):
        what = f"user {user!r} is a name, so Kubernetes cannot tell that it is not root"
        return [TrialFinding(check="user", what=what, remedy=remedy)]
    if running not in (-1, int(user)):
        return [TrialFinding(check="user", what=f"runs as {running}, not as {user}")]
    return []


def _judge_start(trial: Trial, seen: Observed) -> list[TrialFinding]:
    if seen.ready is not None:
        return []
    state = seen.early
    if state.running:
        return [TrialFinding(check="health", what=_never(trial, seen), remedy=_hint(trial, seen))]
    if state.out_of_memory:
        what = f"was killed: it wants more than {trial.launch.memory} of memory"
        return [TrialFinding(check="start", what=what, remedy="raise smoke.memory, and the Deployment's limit")]
    if trial.health is None and state.exit_code == 0 and not state.error:
        what = "ended with code 0 by itself, and a service goes on"
        remedy = f"if it is meant to end, set {trial.key}.once = true; its log is below"
        return [TrialFinding(check="start", what=what, remedy=remedy)]
    what = state.error or f"ended with code {state.exit_code} before it was ready"
    return [TrialFinding(check="start", what=what, remedy=_hint(trial, seen))]


def _never(trial: Trial, seen: Observed) -> str:
    health = trial.health
    limit = f"within {trial.timeout:g} s"
    if health and health.path:
        last = f" (last: {seen.answer})" if seen.answer else ""
        return f"{health.path} on port {trial.launch.port} did not answer 2xx {limit}{last}"
    return f"no line with {health.log if health else ''!r} in its log {limit}"


def _judge_process(trial: Trial, seen: Observed) -> list[TrialFinding]:
    """PID 1 is what the plan says: not a shell or a package manager around it."""
    wanted = shlex.join(trial.command)
    if trial.command and seen.configured.command != trial.command:
        given = shlex.join(seen.configured.command)
        remedy = "build it again: bake.toml and image differ"
        return [TrialFinding(check="process", what=f"the image runs `{given}`, not `{wanted}`", remedy=remedy)]
    if seen.process is None or same_command(seen.process.line, trial.command):
        return []
    first = posixpath.basename(_shown(seen.process.line).split(" ")[0])
    # The image runs the right words; another line means that the program set its own title.
    if first.rstrip(":") not in AROUND:
        return []
    return [TrialFinding(check="process", what=f"PID 1 is `{seen.process.line}`, not `{wanted}`")]


def same_command(line: str, command: Sequence[str]) -> bool:
    """Whether a process's command line is that command, maybe behind an interpreter or an emulator.

    `#!` puts `node` before `/app/node_modules/.bin/tsx`, QEMU's and Rosetta's user mode put themselves and the
    program's path before it.
    """
    if not command:
        return True
    rest = " ".join(command[1:])
    name = posixpath.basename(command[0])
    parts = _shown(line).split(" ")
    first = posixpath.basename(parts[0])
    if first in AROUND and first != name:
        return False
    return any(posixpath.basename(p) == name and " ".join(parts[i + 1 :]) == rest for i, p in enumerate(parts))


def _shown(line: str) -> str:
    """A command line without the emulator in front."""
    first, _, rest = line.partition(" ")
    return rest if posixpath.basename(first).startswith(("qemu-", "rosetta")) else line


def _judge_stop(trial: Trial, seen: Observed) -> list[TrialFinding]:
    """0: it ended by itself. 143: 128 + SIGTERM, the signal's own way. Anything else lost something."""
    if seen.late is None or seen.ready is None:
        return []
    stop = seen.configured.stop
    if seen.stopped is None:
        what = f"still ran {trial.grace:g} s after {stop}"
        remedy = "handle SIGTERM in the program, or set `init = true`: as PID 1 it has no default handler"
        return [TrialFinding(check="stop", what=what, remedy=remedy)]
    if seen.late.exit_code not in (0, 143):
        what = f"ended with code {seen.late.exit_code} on {stop}"
        return [TrialFinding(check="stop", what=what, remedy="let it end with 0: anything else counts as a failure")]
    return []


_PATH = r"(?:['\"`](?P<quoted>[^'\"`\n]+)['\"`]|(?P<path>/[^'\"`\s:,]+))"
_READ_ONLY = (
    re.compile(rf"(?:EROFS|EACCES)\b[^'\"\n]*?(?P<call>mkdir|open|mkdtemp|rename|unlink|symlink)?\s+{_PATH}"),
    re.compile(rf"ENOENT: no such file or directory, (?P<call>mkdir|mkdtemp)\s+{_PATH}"),
    re.compile(rf"(?P<call>cannot create)(?: directory)? {_PATH}.*Read-only file system"),
    re.compile(rf"(?P<call>Read-only file system):? {_PATH}"),
    re.compile(rf"(?P<call>mkdir|open)\(\) {_PATH} failed \((?:13|30): "),  # nginx
    re.compile(rf"(?P<call>mkdir|open) {_PATH}: (?:read-only file system|permission denied)"),  # Go
)
_MODULE = re.compile(r"Cannot find (?:module|package) '(?P<name>(?:@[^'/]+/)?[^'./@][^'/]*)(?P<file>/[^']*)?'")
_ABSENT = re.compile(
    r"ENOENT: no such file or directory, \w+ ['\"](?P<path>[^'\"]+)['\"]"
    r"|Cannot find module ['\"](?P<module>[./][^'\"]*)['\"]"
)
_STACK = re.compile(r"Require stack:\s*\n\s*- (/\S+)|imported from (/\S+)")
_ENV_FILE = re.compile(r"^node: (\S*\.env\S*): not found$", re.M)
_VARIABLE = re.compile(
    r"^(?=.*(?:\b[Ss]et\b|\b[Mm]ust\b|\b[Mm]issing\b|[Rr]equire[sd]|not (?:set|defined)))"
    r"\w*Error: .*?\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b"
    r"|\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)['\"`]? (?:is |are |must be )?(?:required|missing|not set|not defined|undefined)\b"
    # As libraries that check the whole environment say it: t3-env, envalid and what is made with zod.
    r"|[Ii]nvalid (?:[\w-]+ )?(?:env\b|environment)[\s\S]{0,400}?\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b",
    re.M,
)
_REFUSED = re.compile(r"ECONNREFUSED[ :]+([^\s\"',]+)|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (\S+)")


_NAMED = re.compile(r"^(?!\s*at )(?:\S+ )?(?:Uncaught )?[\w.$]*(?:Error|Exception)(?: \[\w+\])?: ")


def _excerpt(log: str) -> tuple[str, ...]:
    """The log's last lines, from the one that names the error on: what follows it can be longer than an excerpt."""
    lines = log.splitlines()
    named = max((i for i, line in enumerate(lines) if _NAMED.match(line)), default=len(lines))
    start = max(0, len(lines) - _LOG_LINES)
    return tuple(lines[min(start, named) :][:_LOG_LINES])


def _hint(trial: Trial, seen: Observed) -> str:
    """What to do about a process that did not get up, read from its log and its sockets."""
    packaged: tuple[Callable[[Trial, Observed], str], ...] = (_hint_absent, _hint_module, _hint_env_file)
    hints: tuple[Callable[[Trial, Observed], str], ...] = (
        _hint_platform,
        _hint_writable,
        *(() if trial.dockerfile else packaged),
        _hint_variable,
        _hint_command,
        _hint_refused,
        _hint_address,
    )
    return next((text for hint in hints if (text := hint(trial, seen))), "its log is below")


def _hint_platform(trial: Trial, seen: Observed) -> str:
    if "exec format error" not in f"{seen.early.error}\n{seen.log}":
        return ""
    return f"this machine cannot run {trial.platform}: install QEMU for binfmt_misc"


def _hint_writable(trial: Trial, seen: Observed) -> str:
    """The root file system is read-only; only declared directories can be written."""
    for pattern in _READ_ONLY:
        found = pattern.search(seen.log)
        if found and trial.dockerfile and not (found["quoted"] or found["path"]).startswith("/"):
            return ""  # nobody knows where it works
        if found:
            folder = _folder(
                _placed(trial, found["quoted"] or found["path"]), made=(found["call"] or "") in ("mkdir", "mkdtemp")
            )
            if f"{home(trial.package)}/".startswith(f"{folder.rstrip('/')}/"):
                return f"it writes to {folder}, where its own files are: let it write to another folder"
            known = [*trial.launch.writable, folder]
            listed = ", ".join(f'"{f}"' for f in dict.fromkeys(known))
            return f"it writes to {folder}: set {trial.key}.writable = [{listed}]"
    return ""


def _placed(trial: Trial, path: str) -> str:
    """A path of a message as an absolute one."""
    return posixpath.normpath(posixpath.join(home(trial.directory), path))


def _folder(path: str, *, made: bool) -> str:
    """The directory to declare for a path that could not be written: well-known ones whole, else the nearest."""
    for known in ("/tmp", "/var/tmp", "/run", "/home/node"):  # noqa: S108 - paths inside containers
        if path == known or path.startswith(f"{known}/"):
            return known
    return path if made else posixpath.dirname(path)


def _hint_absent(trial: Trial, seen: Observed) -> str:
    """A file that git has or a build wrote, and the image has not."""
    named = (found["path"] or found["module"] for found in _ABSENT.finditer(seen.log))
    paths = (path for name in named for path in _module_paths(seen.log, name))
    return next((text for path in paths if (text := trial.known.absent(path))), "")


def _module_paths(log: str, name: str) -> Iterator[str]:
    """A path as it is; a relative module from where it is required, with the suffixes that Node tries."""
    if name.startswith(".") and (found := _STACK.search(log)):
        name = posixpath.join(posixpath.dirname(found[1] or found[2]), name)
    yield from (name, f"{name}.js", f"{name}.json", f"{name}/index.js", f"{name}.ts")


def _hint_module(trial: Trial, seen: Observed) -> str:
    found = _MODULE.search(seen.log)
    if not found:
        return ""
    name = f"{found['name']}{found['file'] or ''}"
    if any(_fits(pattern, name) for pattern in trial.known.aliases):
        return (
            f"{name} is an alias, which nothing answers here: let the build replace it, or the command load what does"
        )
    if found["file"] and found["name"] in trial.known.present:
        # TypeScript's `paths` and bundlers' aliases make up such names; Node knows the package's own files.
        return f"{found['name']} is in the image and has no {found['file'][1:]}: import what its package.json names"
    if trial.known.locked is not None and found["name"] not in trial.known.locked:
        return f"{found['name']} is not in the image, and the lockfile has no such package"
    return f'{found["name"]} is not in the image: add it to packages."{shown(trial.package)}".dependencies'


def _fits(pattern: str, name: str) -> bool:
    head, star, tail = pattern.partition("*")
    return name.startswith(head) and name.endswith(tail) if star else name == pattern


def _hint_env_file(_trial: Trial, seen: Observed) -> str:
    found = _ENV_FILE.search(seen.log)
    return (
        f"no image has {found[1]}: take `--env-file` out of its command, set [smoke.env] of bake.toml" if found else ""
    )


def _hint_variable(_trial: Trial, seen: Observed) -> str:
    found = _VARIABLE.search(seen.log)
    return f"it wants {found[found.lastindex or 0]}: set it in [smoke.env] of bake.toml" if found else ""


_SPAWNED = re.compile(r"\bError: spawn(?:Sync)? (?P<name>[\w.+-]+) ENOENT")


def _hint_command(trial: Trial, seen: Observed) -> str:
    """Node tells no more of a command that is on no PATH."""
    found = _SPAWNED.search(seen.log)
    table = trial.key.partition(".roles.")[0]
    if not found:
        return ""
    return f"it starts `{found['name']}`, which its image has not: give {table} a `base` or a `system` package with it"


def _hint_refused(_trial: Trial, seen: Observed) -> str:
    found = _REFUSED.search(seen.log)
    if not found:
        return ""
    host = found[1] or found[2]
    if host.partition(":")[0] in ("undefined", "null", "NaN"):
        return f"it asks for a host called {host}: a variable that names it is not set; set it in [smoke.env]"
    return f"it needs {host}: add it as smoke.dependencies.<name> and name it in smoke.env"


def _hint_address(trial: Trial, seen: Observed) -> str:
    """Only a process that listens on every address can be reached from outside its container."""
    port = trial.launch.port
    if seen.listening is None or port is None:
        return ""
    if not seen.listening:
        return "it listens on no port: its log is below"
    hosts = [a.rpartition(":")[0] for a in seen.listening if a.endswith(f":{port}")]
    if hosts and all(h.startswith("127.") or h == "[::1]" for h in hosts):
        return f"it listens on {hosts[0]} only: make it listen on 0.0.0.0"
    if not hosts:
        return f"it listens on {', '.join(seen.listening)}: set {trial.key}.port"
    return ""
