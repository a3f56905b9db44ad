"""The one door to docker: what the engine can do, and running `docker buildx bake` through python-on-whales."""

import contextlib
import dataclasses
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bake.config import parse_reference
from bake.engine.builders import Listed, parse_listed
from bake.engine.progress import Progress, Step, missing_image
from bake.errors import BuildError, EngineError
from bake.files import scratch_folder

if TYPE_CHECKING:
    import docker

_INSTALL = "install Docker Engine 28 or later (docs.docker.com/engine/install)"
_START = "start Docker, or see `docker context ls` and DOCKER_HOST"
_CONTAINERD = (
    'set {"features": {"containerd-snapshotter": true}} in /etc/docker/daemon.json and restart it, '
    "or use another builder: docker buildx create --use --driver docker-container"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the engine and the builder at hand can do."""

    server: str
    architecture: str
    containerd: bool
    """The engine keeps images in the containerd store: several platforms, direct push, cache export."""
    buildx: str
    builder: str
    driver: str
    platforms: tuple[str, ...]
    nodes: int = 1

    @property
    def features(self) -> Mapping[str, str]:
        """What a build can ask for -> why this engine cannot do it, "" where it can.

        Docker's own driver does what its image store does; other drivers have all of it, but hand images to the
        engine, whose store must take them. Source: docker/buildx, driver/docker/driver.go (Features), build/build.go.
        """
        store = "" if self.containerd else "the engine's image store is not containerd's"
        own = store if self.driver == "docker" else ""
        engine = "" if self.server else "there is no local engine"
        tagged = "docker's own driver always tags" if self.driver == "docker" else ""
        joined = "with several nodes, buildx tags the index that it joins" if self.nodes > 1 else ""
        return {
            "multi-platform": own,
            "load": engine,
            "load several platforms": engine or store,
            "push by digest": tagged or joined,
            "cache export": own,
            "attestations": own,
        }

    @property
    def native(self) -> str:
        """The engine's own platform; "" where there is no local engine."""
        names = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7"}
        return f"linux/{names.get(self.architecture, self.architecture)}" if self.architecture else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How to run one bake."""

    targets: tuple[str, ...]
    cache: bool = True
    pull: bool = False
    builder: str | None = None
    sets: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """More of them for buildx."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What one bake gave. metadata: buildx's metadata file, by target."""

    metadata: Mapping[str, Any]
    progress: Progress

    def digest(self, target: str) -> str:
        """Digest of the target's index or manifest, "" when it was not exported."""
        return str(self.metadata.get(target, {}).get("containerimage.digest", ""))

    def is_kept(self, target: str, kept: "Kept") -> bool:
        """Whether that image is what was built: engines name an image by its digest, or by that of its config."""
        config = self.metadata.get(target, {}).get("containerimage.config.digest")
        return bool(self.digest(target)) and kept.id in {self.digest(target), config}


def probe(builder: str | None = None) -> Capabilities:
    """Ask the engine what it is. Raises EngineError when docker, its daemon, buildx or the builder is missing.

    A builder with its own BuildKit needs no local engine: `server` is "" then.
    """
    if shutil.which("docker") is None:
        raise EngineError("docker", "is not installed", _INSTALL)
    with ThreadPoolExecutor() as pool:  # each takes a tenth of a second and more
        inspecting, asking = pool.submit(_inspect, builder), pool.submit(_info)
    try:
        inspected = inspecting.result()
    except EngineError:
        _buildx_version({})
        raise
    try:
        info = asking.result()
    except EngineError:
        if inspected is None or inspected.driver in {"", "docker"}:  # buildx names no driver of a dead engine
            raise
        info = {}
    if inspected is None:
        raise EngineError(f"builder {builder}", "does not exist", "run `bake builder up`, or see `docker buildx ls`")
    return Capabilities(
        server=str(info.get("ServerVersion", "")),
        architecture=str(info.get("Architecture", "")),
        containerd=["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or []),
        buildx=_buildx_version(info),
        builder=inspected.name,
        driver=inspected.driver,
        platforms=tuple(dict.fromkeys(p for n in inspected.nodes for p in n.platforms)),
        nodes=len(inspected.nodes),
    )


def _buildx_version(info: Mapping[str, Any]) -> str:
    """The version that `docker info` lists among the plugins, else what buildx says itself. Raises EngineError."""
    for plugin in (info.get("ClientInfo") or {}).get("Plugins") or ():
        if plugin.get("Name") == "buildx" and plugin.get("Version"):
            return str(plugin["Version"])
    done = _run_docker(["docker", "buildx", "version"])
    if done.returncode != 0:
        raise EngineError("docker buildx", "is not installed", "install the docker-buildx-plugin package")
    return " ".join(done.stdout.split()[1:2])


def find_builder(name: str | None) -> Listed | None:
    """The builder as buildx shows it, None when there is none of the name; None asks for the current one."""
    return _inspect(name)


def create_builder(name: str, commands: Sequence[Sequence[str]]) -> None:
    """Run the `docker buildx` commands that make a builder; a half-made one is removed. Raises EngineError."""
    for words in commands:
        done = _run_docker(["docker", "buildx", *words])
        if done.returncode != 0:
            _run_docker(["docker", "buildx", "rm", name])
            raise EngineError(f"builder {name}", _last_line(done.stderr), "see [builder] in bake.toml")


def start_builder(name: str) -> Listed:
    """Start every node and wait for it. Raises EngineError with what a node says."""
    started = _run_docker(["docker", "buildx", "inspect", "--bootstrap", name])
    listed = parse_listed(started.stdout)
    if started.returncode != 0 or not listed.running:
        said = next((n.error for n in listed.nodes if n.error), _last_line(started.stderr))
        raise EngineError(f"builder {name}", f"does not start ({said})", "see [builder] in bake.toml")
    return listed


def remove_builder(name: str, *, keep_state: bool) -> None:
    """Remove the builder, with its cache unless keep_state. Raises EngineError."""
    done = _run_docker(["docker", "buildx", "rm", *(["--keep-state"] if keep_state else []), name])
    if done.returncode != 0:
        raise EngineError(f"builder {name}", _last_line(done.stderr), "see `docker buildx ls`")


def _inspect(name: str | None) -> Listed | None:
    done = _run_docker(["docker", "buildx", "inspect", *([name] if name else [])])
    if done.returncode == 0:
        return parse_listed(done.stdout)
    if name and "no builder" in done.stderr:
        return None
    raise EngineError(
        f"builder {name or 'default'}", _last_line(done.stderr), _remedy_for(done, "see `docker buildx ls`")
    )


def _remedy_for(done: "subprocess.CompletedProcess[str]", otherwise: str) -> str:
    """What to do about a docker command that failed."""
    return _START if "Cannot connect" in done.stderr else otherwise


def mirrors() -> tuple[str, ...]:
    """URLs of the engine's mirrors of Docker Hub; none where no engine answers."""
    try:
        info = _info()
    except EngineError:
        return ()
    return tuple((info.get("RegistryConfig") or {}).get("Mirrors") or ())


def has_init() -> bool:
    """Whether the engine can start an init as process 1: Debian's has it from another package.

    An engine that does not answer, or tell, is believed to.
    """
    try:
        info = _info()
    except EngineError:
        return True
    return (info.get("InitCommit") or {}).get("ID") != "N/A"


def check(capabilities: Capabilities, platforms: Sequence[str], *, push: bool, emulated: Sequence[str] = ()) -> None:
    """Stop before the build when the engine cannot do what is asked. Raises EngineError.

    emulated: what of the build runs on the target platform.
    """
    _check_store(capabilities, platforms, push=push)
    foreign = [p for p in platforms if capabilities.platforms and p not in capabilities.platforms]
    if foreign and emulated:
        raise EngineError(
            f"builder {capabilities.builder}",
            f"cannot run {', '.join(foreign)}, which {' and '.join(emulated)} need",
            "install QEMU (docker run --privileged --rm tonistiigi/binfmt --install all), or add a node of it",
        )


def _check_store(capabilities: Capabilities, platforms: Sequence[str], *, push: bool) -> None:
    can = capabilities.features
    several = len(platforms) > 1
    if not push and can["load"]:
        raise EngineError("docker engine", can["load"], f"push with --push, or {_START}")
    if several and can["multi-platform" if push else "load several platforms"]:
        raise EngineError(
            "docker engine",
            f"its image store holds one platform per image, not {', '.join(platforms)}",
            f"{_CONTAINERD}; or build one with --platform {platforms[0]}",
        )


Beside = Callable[[Progress], contextlib.AbstractContextManager[object]]
"""What goes on while steps come in, with what is known of them."""


def run_bake(
    root: Path,
    file: str,
    options: BuildOptions,
    report: Callable[[Step], None],
    beside: Beside = contextlib.nullcontext,
) -> Built:
    """Run bake in `root` on the bake file (relative to it) and account for its steps.

    Raises BuildError with the failing step's output, and leaves no child process behind when interrupted.
    """
    with scratch_folder() as folder, contextlib.chdir(root), _ending_children():
        metadata = folder / "metadata.json"
        begin = time.monotonic()
        progress = _stream(file, options, metadata, report, beside)
        seconds = time.monotonic() - begin
        data = json.loads(metadata.read_text(encoding="utf-8")) if metadata.is_file() else {}
    progress.keep_last(seconds)
    return Built(metadata=data, progress=progress)


def bad_luck(error: BuildError) -> str:
    """Say what the engine lost, where the next try goes well; "" for any other failure.

    A snapshot is dropped that an export was about to use, now and then when images with layers in common are exported
    or removed at once (moby/buildkit#6521, seen with Docker 28 and 29). Of many targets that begin at once on a busy
    machine, one may not be known yet when buildx asks about it (docker/buildx#3810).
    """
    if "parent snapshot" in error.what and "does not exist" in error.what:
        return "the engine lost a snapshot while it stored an image (moby/buildkit#6521)"
    if "no such job" in error.what:
        return "the engine lost sight of one of many images (docker/buildx#3810)"
    return ""


def preload() -> None:
    """Import what `run_bake` needs, while there is something to wait for."""
    import python_on_whales  # noqa: F401


def printed(root: Path, file: str, targets: Sequence[str], sets: Sequence[str] = ()) -> Mapping[str, Any]:
    """The bake file as buildx understands it. Raises EngineError with buildx's complaint."""
    from python_on_whales import ClientNotFoundError, DockerClient
    from python_on_whales.exceptions import DockerException

    with contextlib.chdir(root):
        try:
            words = [*(f"--set={s}" for s in sets), *targets]
            return cast("Mapping[str, Any]", DockerClient().buildx.bake(words, files=[file], print=True))
        except DockerException as error:
            raise EngineError("docker buildx bake", _last_line(error.stderr or ""), "") from None
        except ClientNotFoundError:
            raise EngineError("docker", "is not installed", _INSTALL) from None


def _stream(
    file: str, options: BuildOptions, metadata: Path, report: Callable[[Step], None], beside: Beside
) -> Progress:
    from python_on_whales import DockerClient
    from python_on_whales.exceptions import DockerException

    # Flags that python-on-whales does not know travel with the targets: it appends them as they are.
    words = [*(f"--set={s}" for s in options.sets), *options.targets]
    variables = {
        "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
        "BUILDX_METADATA_PROVENANCE": "disabled",
        "BUILDX_METADATA_WARNINGS": "1",
        **options.variables,
    }
    bake = functools.partial(
        DockerClient().buildx.bake,
        words,
        builder=options.builder,
        files=[file],
        cache=options.cache,
        pull=options.pull,
        variables=variables,
        metadata_file=metadata,
    )
    # Steps' names say their target only where there are several.
    target = options.targets[0] if len(options.targets) == 1 else ""
    progress = Progress()
    try:
        with beside(progress):
            _follow(bake, progress, target, report)
    except (DockerException, UnicodeDecodeError):
        raise _failure(progress) from None
    return progress


def _follow(bake: Callable[..., Any], progress: Progress, target: str, report: Callable[[Step], None]) -> None:
    """Run bake and report each step as it ends."""
    for line in cast("Iterator[str]", bake(progress="rawjson", stream_logs=True)):
        for step in progress.feed(line, target=target):
            report(step)


@contextlib.contextmanager
def _ending_children() -> Iterator[None]:
    """End the processes that the block started, should it be left early: python-on-whales does not.

    buildx cancels its build on SIGTERM; the docker command ends it when it ends itself.
    """
    before = _children()
    try:
        yield
    except BaseException:
        for pid in _children() - before:
            _end(pid)
        raise


def _children() -> set[int]:
    """Process ids of this process's children."""
    listed = list(Path(f"/proc/{os.getpid()}/task").glob("*/children"))
    if listed:
        return {int(pid) for file in listed for pid in _text_of(file).split()}
    pairs = (line.split() for line in _run_docker(["ps", "-A", "-o", "pid=,ppid="]).stdout.splitlines())
    return {int(pid) for pid, parent in pairs if int(parent) == os.getpid()}


def _text_of(file: Path) -> str:
    """A file of /proc; nothing where the thread has ended meanwhile."""
    try:
        return file.read_text()
    except OSError:
        return ""


def _end(pid: int) -> None:
    """SIGTERM, and SIGKILL after ten seconds."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _failure(progress: Progress) -> BuildError:
    """The failing step in one line; its own output comes with it."""
    step = progress.failed()
    if step is None or not step.stage:
        what = progress.closing()
        if image := missing_image(what):
            return BuildError(f"base image {image[0]}", *image[1:])
        return BuildError("docker buildx bake", what or "buildx failed")
    return StepFailedError(step)


class StepFailedError(BuildError):
    """A step of the Dockerfile failed; `step` has its output."""

    def __init__(self, step: Step) -> None:
        code = re.search(r"exit code: (\d+)", step.error)
        what = f"exit code {code[1]}" if code else step.error
        super().__init__(step.stage, f"{step.what}: {what}")
        self.step = step


def _info() -> Mapping[str, Any]:
    answer = _run_docker(["docker", "info", "--format", "{{json .}}"])
    info: Mapping[str, Any] = json.loads(answer.stdout) if answer.stdout.startswith("{") else {}
    problems = info.get("ServerErrors") or ([_last_line(answer.stderr)] if answer.returncode else [])
    if problems:
        raise EngineError("docker engine", f"does not answer ({problems[0]})", _START)
    return info


def _run_docker(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise EngineError(words[0], "is not installed", _INSTALL if words[0] == "docker" else "") from None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("ERROR: ") if lines else "gave no reason"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An image in the engine. id: the engine's. bytes: compressed, of the engine's own platform; None for an engine
    that keeps layers unpacked: it calls images by their configuration, and has no digest that a registry would have.
    platform: the one that the bytes are of."""

    id: str
    bytes: int | None
    platform: str = ""


def kept_images(names: Iterable[str]) -> Mapping[str, Kept]:
    """Name -> the image that the local engine has under it; without what it does not have. Raises EngineError.

    The engine takes a tenth of a second for a few images, so it is asked for several at once.
    """
    wanted = {str(parse_reference(n)): n for n in names}
    if not wanted:
        return {}
    listed = list(wanted.values())
    with ThreadPoolExecutor() as pool:
        answers = [line for lines in pool.map(_inspected, (listed[i::_ASKED] for i in range(_ASKED))) for line in lines]
    found = {}
    for line in answers:
        about = json.loads(line)
        for tag in about["tags"] or ():
            if name := wanted.get(str(parse_reference(tag))):
                packed = any(digest.endswith(f"@{about['id']}") for digest in about["digests"] or ())
                platform = f"{about['os']}/{about['architecture']}"
                found[name] = Kept(id=about["id"], bytes=about["size"] if packed else None, platform=platform)
    return found


_ASKED = 4
"""Commands at a time that ask the engine for images."""


def _inspected(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    fields = {"id": "Id", "size": "Size", "tags": "RepoTags", "digests": "RepoDigests"}
    fields |= {"os": "Os", "architecture": "Architecture"}
    form = "{" + ", ".join(f'"{key}": {{{{json .{name}}}}}' for key, name in fields.items()) + "}"
    done = _run_docker(["docker", "image", "inspect", "--format", form, *names])
    if "Cannot connect" in done.stderr:
        _info()
    return [line for line in done.stdout.splitlines() if line.startswith("{")]


def running_containers(repository: str) -> list[str]:
    """Names of the running containers of an image, whatever its registry and tag. Raises EngineError.

    Asked one by one for the name that they were started by: lists have an id in its place once a tag has moved on.
    """
    listed = _run_docker(["docker", "ps", "--quiet"])
    if listed.returncode:
        raise EngineError("docker", _last_line(listed.stderr), "start the engine")
    form = "{{.Name}} {{.Config.Image}}"
    found = listed.stdout.split()
    told = _run_docker(["docker", "inspect", "--format", form, *found]).stdout if found else ""
    rows = (line.removeprefix("/").split(" ", 1) for line in told.splitlines())
    return sorted(name for name, image in rows if re.fullmatch(rf"(?:.*/)?{re.escape(repository)}(?:[:@].*)?", image))


def image_ids(references: Mapping[str, str]) -> Mapping[str, str]:
    """Target -> the id of its image in the local engine; without what it does not have. Raises EngineError."""
    kept = kept_images(references.values())
    return {target: kept[name].id for target, name in references.items() if name in kept}


def save_images(references: Sequence[str], file: Path) -> None:
    """Write the engine's images into a tar file as an OCI layout, a blob that several have once. Raises EngineError."""
    done = _run_docker(["docker", "image", "save", "--output", str(file), *references])
    if done.returncode != 0:
        raise EngineError("docker image save", _last_line(done.stderr), "build the images first")


@contextlib.contextmanager
def connect() -> Iterator["docker.DockerClient"]:
    """The docker SDK's client on the engine that the docker CLI uses: DOCKER_HOST, else the current context.

    Raises EngineError when there is none.
    """
    from docker.context import ContextAPI
    from docker.errors import DockerException

    import docker

    try:
        if "DOCKER_HOST" in os.environ:
            client = docker.from_env()
        else:
            context = ContextAPI.get_current_context()
            client = docker.DockerClient(
                base_url=context.Host, tls=context.TLSConfig or False, use_ssh_client=True, version="auto"
            )
    except (DockerException, OSError) as error:
        if shutil.which("docker"):
            _info()  # says it in fewer words, where it meets the same
        raise EngineError("docker engine", f"does not answer ({error})", _START) from None
    with contextlib.closing(client):
        yield client


def read_cache_usage(builder: str | None = None) -> list[str]:
    """Every record of the build cache as a line of JSON. Raises EngineError where buildx cannot tell."""
    return _json_lines(["docker", "buildx", "du", *_builder_words(builder), "--format", "json"])


def read_image_usage() -> list[str]:
    """What `docker system df` counts, a line of JSON each; nothing where there is no local engine."""
    try:
        return _json_lines(["docker", "system", "df", "--format", "json"])
    except EngineError:
        return []


def prune(keep: int, builder: str | None = None) -> None:
    """Remove what the build cache holds beyond `keep` bytes, the longest unused first. Raises EngineError."""
    modern = "--max-used-space" in _run_docker(["docker", "buildx", "prune", "--help"]).stdout
    flag = "--max-used-space" if modern else "--keep-storage"
    done = _run_docker(["docker", "buildx", "prune", *_builder_words(builder), "--force", f"{flag}={keep}"])
    if done.returncode != 0:
        raise EngineError("docker buildx prune", _last_line(done.stderr), _remedy_for(done, ""))


def _json_lines(words: Sequence[str]) -> list[str]:
    done = _run_docker(words)
    if done.returncode != 0:
        if "Cannot connect" in done.stderr:
            _info()
        raise EngineError(" ".join(words[:3]), _last_line(done.stderr), "update docker-buildx to 0.24 or later")
    return [line for line in done.stdout.splitlines() if line.startswith("{")]


def _builder_words(builder: str | None) -> list[str]:
    return ["--builder", builder] if builder else []
