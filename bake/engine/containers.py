"""Containers of the engine, through the docker SDK: what `bake smoke` starts and watches."""

import contextlib
import hashlib
import http.client
import io
import re
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bake.config import parse_reference, parse_size
from bake.engine.docker import connect
from bake.engine.owners import OWNER, is_left, this_owner
from bake.engine.process import Configured, ContainerState, Launch, Process
from bake.errors import EngineError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from docker.models.containers import Container

    import docker

LABEL = "bake.smoke"
"""On every container and network that a trial makes; its value is the run's name."""

_LISTENERS = ("/proc/net/tcp", "/proc/net/tcp6")
_READ = "process.argv.slice(1).filter(fs.existsSync).map(file => fs.readFileSync(file, 'utf8')).join('')"
_TMPFS = "rw,exec,nosuid,nodev,mode=1777"
"""As an emptyDir is: any user writes, programs may be started from it."""

_HTTP_SECONDS = 5.0
_CHUNK = 1 << 20
_MOST_TEXT = 1 << 20
"""Bytes of the largest file that is read as text."""


class InterruptedRunError(EngineError):
    """The run was told to end; what it made is being removed."""


@contextlib.contextmanager
def containers(run: str) -> Iterator["Containers"]:
    """The engine for one run of trials; whatever they made and left is removed at the end, however it ends."""
    with connect() as client:
        engine = Containers(client, run)
        engine.clear_left()
        try:
            yield engine
        finally:
            try:
                engine.clear()
            except KeyboardInterrupt:
                # An impatient second Ctrl-C: what is left must go all the same.
                engine.clear()
                raise


class Containers:
    """Makes containers under one label. Used from several threads."""

    def __init__(self, client: "docker.DockerClient", run: str) -> None:
        self._client = client
        self._run = run
        self._labels = {LABEL: run, OWNER: this_owner(time.time())}
        self._ended = threading.Event()
        self._pulling = threading.Lock()
        self._making = threading.Lock()
        self._network = ""
        version: Mapping[str, Any] = client.version()
        self._platform = f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"

    @property
    def platform(self) -> str:
        """What the engine runs without emulation, e.g. linux/amd64."""
        return self._platform

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait. Raises InterruptedRunError as soon as the run ends."""
        if self._ended.wait(seconds):
            raise InterruptedRunError("bake smoke", "interrupted")

    def end(self) -> None:
        """Make every waiting thread stop, from any thread."""
        self._ended.set()

    def join(self) -> None:
        """Give the run a network of its own, where containers find each other by their alias."""
        network = self._client.networks.create(f"bake-smoke-{self._run}", labels=self._labels)
        self._network = str(network.name)

    def create(self, launch: Launch) -> "DockerBox":
        """A container that has not started. Raises EngineError when there is no such image."""
        from docker.errors import DockerException, NotFound

        try:
            for reference in launch.references:
                with contextlib.suppress(NotFound):
                    return self._create(reference, launch)
            return self._pulled(launch)
        except NotFound:
            raise _missing_image(launch) from None
        except DockerException as error:
            raise EngineError(_image_name(launch), _docker_said(error)) from None

    def _pulled(self, launch: Launch) -> "DockerBox":
        if not launch.pull:
            raise _missing_image(launch)
        # An engine without the containerd store keeps one platform per name: nobody may pull in between.
        with self._pulling:
            ref = parse_reference(launch.pull)
            for event in self._client.api.pull(
                ref.name, tag=ref.target, platform=launch.platform or None, stream=True, decode=True
            ):
                self._go_on()
                if error := event.get("error"):
                    raise _refused(launch, str(error))
            return self._create(launch.pull, launch)

    def _go_on(self) -> None:
        if self._ended.is_set():
            raise InterruptedRunError("bake smoke", "interrupted")

    def _create(self, reference: str, launch: Launch) -> "DockerBox":
        hardened: dict[str, Any] = {
            "read_only": launch.fixed,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "mem_limit": parse_size(launch.memory),
            "memswap_limit": parse_size(launch.memory),
        }
        api = self._client.api
        settings = api.create_host_config(
            tmpfs=dict.fromkeys(launch.writable, _tmpfs(launch.owner)),
            port_bindings={launch.port: ("127.0.0.1", None)} if launch.port else None,
            network_mode=self._network or None,
            init=launch.init or None,
            **(hardened if launch.hardened else {}),
        )
        # Under the lock, so that nothing is made after `clear` looked for what there is.
        with self._making:
            self._go_on()
            made = api.create_container(
                reference,
                command=list(launch.command) or None,
                environment=dict(launch.env),
                ports=[launch.port] if launch.port else None,
                host_config=settings,
                networking_config=self._joined(launch.alias),
                labels=self._labels,
                platform=launch.platform or None,
            )
        return DockerBox(self._client, self._client.containers.get(made["Id"]), launch.port)

    def _joined(self, alias: str) -> Any:
        if not self._network:
            return None
        api = self._client.api
        endpoint = api.create_endpoint_config(aliases=[alias] if alias else None)
        return api.create_networking_config({self._network: endpoint})  # type: ignore[arg-type]

    def clear(self) -> None:
        """Remove everything that carries this run's label."""
        self.end()
        with self._making:
            pass
        self._remove(f"{LABEL}={self._run}", lambda _owner: True)

    def clear_left(self) -> None:
        """Remove what runs left that could not clear, as they were killed."""
        now = time.time()
        self._remove(OWNER, lambda owner: is_left(owner, now))

    def _remove(self, label: str, wanted: Callable[[str], bool]) -> None:
        """Remove the containers, then the networks with this label. wanted: a test for their owner."""
        from docker.errors import DockerException

        having: dict[str, str | list[str] | bool] = {"label": label}
        for container in self._client.containers.list(all=True, filters=having, sparse=True):
            if wanted((container.attrs.get("Labels") or {}).get(OWNER, "")):
                with contextlib.suppress(DockerException):
                    container.remove(force=True, v=True)
        for network in self._client.networks.list(filters=having):
            if wanted((network.attrs.get("Labels") or {}).get(OWNER, "")):
                with contextlib.suppress(DockerException):
                    network.remove()


class DockerBox:
    """One container."""

    def __init__(self, client: "docker.DockerClient", container: "Container", port: int | None) -> None:
        self._client = client
        self._container = container
        self._port = port

    @property
    def configured(self) -> Configured:
        """What its image says."""
        config = self._container.attrs["Config"]
        return Configured(
            user=config.get("User") or "",
            command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
            stop=config.get("StopSignal") or "SIGTERM",
            directory=config.get("WorkingDir") or "/",
            env=dict(e.partition("=")[::2] for e in config.get("Env") or ()),
            ports=tuple(sorted(config.get("ExposedPorts") or ())),
        )

    def files(self, folder: str) -> Mapping[str, str]:
        """The files below a folder, by their path in it, with the sha256 of their content; no node_modules.

        A symbolic link is "-> target". Nothing for a folder that is not there. The container need not run.
        """
        return dict(self._digests(folder))

    def _digests(self, folder: str) -> Iterator[tuple[str, str]]:
        with self._archive(folder) as archive:
            for member in archive or ():
                path = member.name.partition("/")[2]
                if not path or "node_modules" in path.split("/"):
                    continue
                if member.issym():
                    yield path, f"-> {member.linkname}"
                elif archive and (file := archive.extractfile(member)):
                    yield path, hashlib.sha256(file.read()).hexdigest()

    def texts(self, path: str) -> Mapping[str, str]:
        """The text of a file, or of each file below a folder, by absolute path; nothing when it is not there."""
        found: dict[str, str] = {}
        with self._archive(path) as archive:
            for member in archive or ():
                if archive and member.size <= _MOST_TEXT and (file := archive.extractfile(member)):
                    rest = member.name.partition("/")[2]
                    found[f"{path}/{rest}" if rest else path] = file.read().decode(errors="replace")
        return found

    @contextlib.contextmanager
    def _archive(self, path: str) -> Iterator[tarfile.TarFile | None]:
        from docker.errors import DockerException

        try:
            chunks, _ = self._container.get_archive(path)
        except DockerException:
            yield None
            return
        with tarfile.open(fileobj=io.BufferedReader(_Stream(iter(chunks)), _CHUNK), mode="r|") as archive:
            yield archive

    def start(self) -> None:
        """Start it. Raises EngineError when its process cannot be started at all."""
        from docker.errors import DockerException

        try:
            self._container.start()
        except DockerException as error:
            raise EngineError("docker engine", _docker_said(error)) from None

    def state(self) -> ContainerState:
        """Whether it runs, else how it ended."""
        self._container.reload()
        state = self._container.attrs["State"]
        return ContainerState(
            running=bool(state["Running"]),
            exit_code=int(state["ExitCode"]),
            out_of_memory=bool(state["OOMKilled"]),
            error=str(state["Error"]),
        )

    def log(self) -> str:
        """What it wrote so far, to both streams."""
        return self._container.logs().decode(errors="replace")

    def get(self, path: str) -> int | str:
        """Status of a GET on its published port, or why there was none."""
        bound = (self._container.ports.get(f"{self._port}/tcp") or [{}])[0].get("HostPort")
        if not bound:
            return "the port is not published"
        connection = http.client.HTTPConnection("127.0.0.1", int(bound), timeout=_HTTP_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            except TimeoutError:
                return f"no answer in {_HTTP_SECONDS:g} s"
            except (OSError, http.client.HTTPException) as error:
                # The engine's proxy accepts for a container that does not listen, and then hangs up.
                refused = isinstance(error, (ConnectionError, http.client.BadStatusLine))
                return "connection refused" if refused else str(error)

    def process(self) -> Process | None:
        """PID 1 as the engine's own `ps` sees it; None when it cannot be told."""
        from docker.errors import DockerException

        try:
            rows = self._container.top(ps_args="-eo pid,uid,args")["Processes"] or []
        except DockerException:
            return None
        first = str(self._container.attrs["State"]["Pid"])
        row = next((r for r in rows if r[0].strip() == first), None)
        return Process(line=row[2].strip(), user=int(row[1])) if row and row[1].strip().isdigit() else None

    def listening(self) -> tuple[str, ...] | None:
        """Where it listens, from the kernel's table: needs a `cat` or a `node` in the image."""
        told = (self._output(*words, *_LISTENERS) for words in (("cat",), ("node", "-p", _READ)))
        text = next((text for text in told if "local_address" in text), "")
        # 127.0.0.11 is the engine's own DNS, in every container of a network.
        own = tuple(a for a in parse_listeners(text) if not a.startswith("127.0.0.11:"))
        return own if text else None

    def _output(self, *words: str) -> str:
        """What a command in it says; "" where it cannot be run."""
        from docker.errors import DockerException

        try:
            done = self._container.exec_run([*words], stderr=False)
        except DockerException:
            return ""
        return done.output.decode(errors="replace") if isinstance(done.output, bytes) else ""

    def cpu(self) -> float:
        """Seconds of processor time that it used so far; 0 when the engine does not tell."""
        from docker.errors import DockerException

        try:
            stats: Any = self._client.api.stats(str(self._container.id), stream=False, one_shot=True)
            return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
        except (DockerException, LookupError):
            return 0.0

    def signal(self, name: str) -> None:
        """Send a signal to PID 1; nothing when it has just ended."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException):
            self._container.kill(name)

    def remove(self) -> None:
        """Remove it, running or not."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException):
            self._container.remove(force=True, v=True)


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file, so that an archive is read while it arrives."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """The next bytes that are there, 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        view = memoryview(buffer)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def parse_listeners(table: str) -> tuple[str, ...]:
    """`host:port` of every listening socket in /proc/net/tcp and tcp6. Source: proc_net_tcp(5), state 0A."""
    found = re.findall(r"^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A ", table, re.M)
    return tuple(dict.fromkeys(f"{_host(address)}:{int(port, 16)}" for address, port in found))


def _host(address: str) -> str:
    """An address as the kernel prints it: words of four bytes in the machine's order, little-endian."""
    raw = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
    if len(raw) == 16:
        return "[::1]" if raw == bytes(15) + b"\x01" else "[::]" if raw == bytes(16) else f"[{raw.hex()}]"
    return ".".join(str(byte) for byte in raw)


def _image_name(launch: Launch) -> str:
    return (*launch.references, launch.pull)[0]


def _tmpfs(owner: str) -> str:
    """A mount takes mode and owner of a folder that the image has, whatever `mode` says; it heeds an owner."""
    uid, _, gid = owner.partition(":")
    return f"{_TMPFS},uid={uid},gid={gid or 0}" if uid else _TMPFS


def _missing_image(launch: Launch) -> EngineError:
    what = f"is not there{f' for {launch.platform}' if launch.platform else ''}"
    return EngineError(_image_name(launch), what, launch.remedy)


def _refused(launch: Launch, error: str) -> EngineError:
    if "not found" in error or "no match for platform" in error:
        return _missing_image(launch)
    return EngineError(launch.pull, f"cannot be pulled ({error})")


def _docker_said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip()
