"""What a trial watches and how it judges, on an engine that only keeps time."""

import dataclasses
from collections.abc import Mapping

import pytest

from bake.commands.smoke import status_of
from bake.config import Dependency, Health, Smoke
from bake.engine import Configured, ContainerState, Launch, Process
from bake.engine.containers import parse_listeners
from bake.errors import EngineError
from bake.images import Known, Result, Trial, attempt, make_trial, start_dependencies
from bake.images.trial import Box, TrialFinding, same_command
from bake.plan import Dockered, Image, Name, Recipe, ServiceImage

NAME = Name(repository="apphub-catalog-api", tags=("1",))
RUNNING = ContainerState(running=True)
COMMAND = ("node", "dist/server.js")
IMAGE = Image(
    target="catalog-api",
    service="catalog",
    role="api",
    package="services/catalog",
    directory="services/catalog",
    repository="apphub-catalog-api",
    entrypoint=(),
    command=COMMAND,
    env={},
    labels={},
    user="1000:1000",
    port=4000,
    health=Health(path="/healthz", timeout=10),
    healthcheck=False,
    writable=("/data",),
    static=False,
)


@dataclasses.dataclass
class FakeBox:
    """A container by script: seconds at which things happen to it.

    dies: it ends by itself. well: its endpoint is (before: its answer until then). busy: it stops using a processor.
    stops: how long after a signal it ends.
    """

    engine: "FakeEngine"
    configured: Configured = dataclasses.field(default_factory=lambda: Configured(user="1000", command=COMMAND))
    dies: float | None = None
    code: int = 0
    out_of_memory: bool = False
    well: float = 0
    before: int | str = "connection refused"
    stops: float | None = 0.2
    stop_code: int = 0
    pid1: Process | None = dataclasses.field(default_factory=lambda: Process(line="node dist/server.js", user=1000))
    busy: float = 0
    written: str = ""
    sockets: tuple[str, ...] | None = None
    refuses: str = ""
    told: float | None = None
    removed: bool = False

    def start(self) -> None:
        if self.refuses:
            raise EngineError("docker engine", self.refuses)

    def state(self) -> ContainerState:
        if self.dies is not None and self.engine.time >= self.dies:
            return ContainerState(running=False, exit_code=self.code, out_of_memory=self.out_of_memory)
        if self.told is not None and self.stops is not None and self.engine.time >= self.told + self.stops:
            return ContainerState(running=False, exit_code=self.stop_code)
        return RUNNING

    def log(self) -> str:
        return self.written

    def get(self, path: str) -> int | str:
        assert path == "/healthz"
        return 200 if self.engine.time >= self.well else self.before

    def process(self) -> Process | None:
        return self.pid1

    def listening(self) -> tuple[str, ...] | None:
        return self.sockets

    def cpu(self) -> float:
        return min(self.engine.time, self.busy)

    def signal(self, name: str) -> None:
        self.engine.signals.append(name)
        self.told = self.engine.time

    def remove(self) -> None:
        self.removed = True


class FakeEngine:
    """Time that passes in pauses only."""

    platform = "linux/amd64"

    def __init__(self, **script: object) -> None:
        self.time = 0.0
        self.signals: list[str] = []
        self.launched: list[Launch] = []
        self.box = FakeBox(self, **script)  # type: ignore[arg-type]

    def create(self, launch: Launch) -> Box:
        self.launched.append(launch)
        return self.box

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


def trial(image: Image = IMAGE, *, platform: str = "linux/amd64", health: Health | None = IMAGE.health) -> Trial:
    changed = dataclasses.replace(image, health=health)
    return make_trial(changed, NAME, platform, Smoke(grace=10), native="linux/amd64")


def tried(case: Trial | None = None, **script: object) -> Result:
    return attempt(case or trial(), FakeEngine(**script))


def said(result: Result) -> list[str]:
    return [str(finding) for finding in result.findings]


def test_a_process_that_gets_well_and_ends_on_the_signal_passes() -> None:
    engine = FakeEngine(well=2)
    result = attempt(trial(), engine)
    assert (result.ok, round(result.ready or 0, 1), result.exit_code) == (True, 2.0, 0)
    assert (engine.signals, engine.box.removed) == (["SIGTERM"], True)


def test_the_images_own_stop_signal_is_sent() -> None:
    engine = FakeEngine(configured=Configured(user="1000", command=COMMAND, stop="SIGINT"))
    attempt(trial(), engine)
    assert engine.signals == ["SIGINT"]


def test_143_is_the_signals_own_way_to_end() -> None:
    assert tried(stop_code=143).ok


@pytest.mark.parametrize("code", [1, 130, 137])
def test_any_other_code_on_the_signal_is_wrong(code: int) -> None:
    remedy = "let it end with 0: anything else counts as a failure"
    assert said(tried(stop_code=code)) == [f"stop: ended with code {code} on SIGTERM; {remedy}"]


def test_a_process_that_outlives_its_grace_period_is_wrong() -> None:
    remedy = "handle SIGTERM in the program, or set `init = true`: as PID 1 it has no default handler"
    assert said(tried(stops=None)) == [f"stop: still ran 10 s after SIGTERM; {remedy}"]


def test_the_last_answer_of_a_sick_endpoint_is_told() -> None:
    what = "health: /healthz on port 4000 did not answer 2xx within 10 s (last: status 503); its log is below"
    assert said(tried(well=99, before=503)) == [what]


def test_a_line_of_the_log_is_a_sign_of_readiness_too() -> None:
    assert tried(trial(health=Health(log="listening")), written="starting\nnow listening\n").ok
    what = "health: no line with 'listening' in its log within 5 s; its log is below"
    assert said(tried(trial(health=Health(log="listening", timeout=5)), written="start\n")) == [what]


def test_a_process_without_a_sign_only_has_to_go_on_running() -> None:
    assert tried(trial(health=None)).ready == pytest.approx(3, abs=0.11)


def test_a_process_without_a_sign_is_given_time_while_it_is_busy() -> None:
    assert tried(trial(health=None), busy=8, dies=12).ready == pytest.approx(9, abs=1.1)


def test_a_process_without_a_sign_that_is_always_busy_is_at_work() -> None:
    result = tried(trial(health=None), busy=999)
    assert result.ok
    assert result.ready == pytest.approx(30, abs=0.2)


def test_a_busy_process_without_a_sign_that_fails_late_failed_to_start() -> None:
    result = tried(trial(health=None), busy=9, dies=9, code=1)
    assert said(result) == ["start: ended with code 1 before it was ready; its log is below"]


def test_a_tool_may_end_with_0() -> None:
    tool = dataclasses.replace(IMAGE, entrypoint=COMMAND, command=())
    result = tried(trial(tool, health=None), dies=1, code=0)
    assert (result.ok, result.exit_code, result.stopped) == (True, 0, None)


def test_a_service_without_a_sign_that_ends_by_itself_is_wrong() -> None:
    remedy = "if it is meant to end, set services.catalog.roles.api.once = true; its log is below"
    assert said(tried(trial(health=None), dies=1, code=0)) == [
        f"start: ended with code 0 by itself, and a service goes on; {remedy}"
    ]


def test_a_process_without_a_sign_may_not_end_with_another_code() -> None:
    result = tried(trial(health=None), dies=1, code=2)
    assert said(result) == ["start: ended with code 2 before it was ready; its log is below"]


def test_a_process_that_should_serve_may_not_end_even_with_0() -> None:
    assert said(tried(dies=1, well=5)) == ["start: ended with code 0 before it was ready; its log is below"]


def test_memory_that_ran_out_is_named() -> None:
    remedy = "raise smoke.memory, and the Deployment's limit"
    result = tried(dies=1, well=5, code=137, out_of_memory=True)
    assert said(result) == [f"start: was killed: it wants more than 512m of memory; {remedy}"]


def test_an_image_for_another_machine_says_what_is_missing() -> None:
    result = tried(trial(platform="linux/arm64"), refuses="exec /usr/bin/node: exec format error")
    remedy = "this machine cannot run linux/arm64: install QEMU for binfmt_misc"
    assert said(result) == [f"start: exec /usr/bin/node: exec format error; {remedy}"]


def test_emulation_gets_six_times_the_time() -> None:
    native, emulated = trial(), trial(platform="linux/arm64")
    assert (emulated.timeout, emulated.grace) == (native.timeout * 6, native.grace * 6)


@pytest.mark.parametrize("user", ["", "root", "0", "0:1000"])
def test_root_is_found_in_the_images_configuration(user: str) -> None:
    result = tried(configured=Configured(user=user, command=COMMAND))
    assert said(result) == ['user: runs as root; set services.catalog.roles.api.user = "1000:1000"']


def test_a_user_by_name_does_not_do_for_kubernetes() -> None:
    result = tried(configured=Configured(user="node", command=COMMAND))
    what = "user 'node' is a name, so Kubernetes cannot tell that it is not root"
    assert said(result) == [f'user: {what}; set services.catalog.roles.api.user = "1000:1000"']


def test_a_process_of_another_user_than_configured_is_wrong() -> None:
    result = tried(pid1=Process(line="node dist/server.js", user=33))
    assert said(result) == ["user: runs as 33, not as 1000"]


def test_an_image_with_another_command_than_planned_is_wrong() -> None:
    result = tried(configured=Configured(user="1000", command=("npm", "start")))
    remedy = "build it again: bake.toml and image differ"
    assert said(result) == [f"process: the image runs `npm start`, not `node dist/server.js`; {remedy}"]


def test_a_shell_around_the_process_is_wrong() -> None:
    result = tried(pid1=Process(line="sh -c node dist/server.js; true", user=1000))
    assert said(result) == ["process: PID 1 is `sh -c node dist/server.js; true`, not `node dist/server.js`"]


def test_a_program_may_set_its_own_title() -> None:
    assert tried(pid1=Process(line="catalog: ready", user=1000)).ok


@pytest.mark.parametrize(
    ("line", "command", "same"),
    [
        ("node dist/server.js", COMMAND, True),
        ("/usr/local/bin/node dist/server.js", COMMAND, True),
        ("/usr/bin/qemu-aarch64-static /usr/local/bin/node dist/server.js", COMMAND, True),
        ("/usr/bin/qemu-aarch64 /usr/local/bin/node node dist/server.js", COMMAND, True),
        ("node /app/node_modules/.bin/tsx src/worker.ts", ("tsx", "src/worker.ts"), True),
        ("node dist/worker.js", COMMAND, False),
        ("node --inspect dist/server.js", COMMAND, False),
        ("sh -c node dist/server.js", COMMAND, False),
        ("/usr/bin/qemu-aarch64 /bin/sh sh -c node dist/server.js", COMMAND, False),
        ("tini -- node dist/server.js", COMMAND, False),
        ("tini -- node dist/server.js", ("tini", "--", *COMMAND), True),
    ],
)
def test_a_command_line_is_told_behind_interpreters(line: str, command: tuple[str, ...], *, same: bool) -> None:
    assert same_command(line, command) is same


@pytest.mark.parametrize(
    ("log", "folder"),
    [
        ("Error: EROFS: read-only file system, mkdir '/app/cache'", "/app/cache"),
        ("Error: EROFS: read-only file system, open '/app/cache/index.json'", "/app/cache"),
        ("Error: ENOENT: no such file or directory, mkdir '/tmp/tsx-1000'", "/tmp"),
        ("Error: EACCES: permission denied, mkdir '/var/lib/app'", "/var/lib/app"),
        ("OSError: [Errno 30] Read-only file system: '/srv/state/db'", "/srv/state"),
        ("sh: 1: cannot create /run/app.pid: Read-only file system", "/run"),
        (
            '[emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)',
            "/var/cache/nginx/client_temp",
        ),
        ('[emerg] open() "/var/lib/nginx/nginx.pid" failed (13: Permission denied)', "/var/lib/nginx"),
        ("panic: open /srv/state/db: read-only file system", "/srv/state"),
    ],
)
def test_a_directory_that_must_be_writable_is_read_from_the_log(log: str, folder: str) -> None:
    (line,) = said(tried(dies=1, code=1, well=9, written=log))
    remedy = f'it writes to {folder}: set services.catalog.roles.api.writable = ["/data", "{folder}"]'
    assert line == f"start: ended with code 1 before it was ready; {remedy}"


@pytest.mark.parametrize("folder", ["/app/services/catalog", "/app", "/"])
def test_a_folder_that_holds_the_program_is_not_to_be_hidden_by_an_empty_one(folder: str) -> None:
    log = f"Error: EROFS: read-only file system, open '{folder.rstrip('/')}/x'"
    (line,) = said(tried(dies=1, code=1, well=9, written=log))
    remedy = f"it writes to {folder}, where its own files are: let it write to another folder"
    assert line == f"start: ended with code 1 before it was ready; {remedy}"


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        (
            "Error: Cannot find module '@mod/users'",
            "@mod/users is an alias, which nothing answers here: let the build ",
        ),
        ("Error: Cannot find module 'zod'", "zod is not in the image, and the lockfile has no such package"),
        (
            "Error: Cannot find module 'ms'",
            'ms is not in the image: add it to packages."services/catalog".dependencies',
        ),
        ("Error: ENOENT: no such file or directory, open 'docs/a.md'", "why docs/a.md"),
        ("Error: Cannot find module './a'\nRequire stack:\n- /app/services/catalog/dist/x.js", "why /app/services/"),
        ("Error: getaddrinfo ENOTFOUND undefined", "it asks for a host called undefined: a variable that names it "),
    ],
)
def test_advice_is_given_only_where_it_is_right(log: str, remedy: str) -> None:
    missing = {"docs/a.md", "/app/services/catalog/dist/./a.js"}
    known = Known(
        locked=frozenset({"ms"}),
        aliases=("@mod/*",),
        absent=lambda path: f"why {path}" if path in missing else "",
    )
    (line,) = said(tried(dataclasses.replace(trial(), known=known), dies=1, code=1, well=9, written=log))
    assert remedy in line


def test_a_log_is_shown_from_the_line_that_names_the_error() -> None:
    stack = [f"    at step{i} (/app/x.js:{i})" for i in range(30)]
    log = "\n".join(["starting", "node:internal/modules", "Error: Cannot find module './a'", *stack, "Node.js v24.0.0"])
    result = tried(dies=1, code=1, well=9, written=log)
    assert result.log[0] == "Error: Cannot find module './a'"
    assert len(result.log) == 20


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        (
            "Error: Cannot find module 'zod'",
            'zod is not in the image: add it to packages."services/catalog".dependencies',
        ),
        (
            "Error: Cannot find module '@acme/bundler/lib/bundle'",
            '@acme/bundler is not in the image: add it to packages."services/catalog".dependencies',
        ),
        (
            "Error: connect ECONNREFUSED 127.0.0.1:1\n[ERROR] server - Error: spawn pnpm ENOENT",
            "it starts `pnpm`, which its image has not: give services.catalog a `base` or a `system` package with it",
        ),
        (
            "Error: Set REDIS_URL to a redis:// connection string",
            "it wants REDIS_URL: set it in [smoke.env] of bake.toml",
        ),
        ("TypeError: DATABASE_URL is required", "it wants DATABASE_URL: set it in [smoke.env] of bake.toml"),
        (
            '{"message":"Configuration is invalid: API_KEY is missing."}',
            "it wants API_KEY: set it in [smoke.env] of bake.toml",
        ),
        (
            "Invalid API environment:\nDATABASE_URL: Required",
            "it wants DATABASE_URL: set it in [smoke.env] of bake.toml",
        ),
        (
            "node: .env: not found",
            "no image has .env: take `--env-file` out of its command, set [smoke.env] of bake.toml",
        ),
        (
            '{"code":"ECONNREFUSED","message":"connect ECONNREFUSED 127.0.0.1:6379","port":6379}',
            "it needs 127.0.0.1:6379: add it as smoke.dependencies.<name> and name it in smoke.env",
        ),
        (
            "Invalid environment variables: [\n  {\n    code: 'invalid_type',\n    path: [ 'AUTH_SECRET' ],",
            "it wants AUTH_SECRET: set it in [smoke.env] of bake.toml",
        ),
        ("Error: it must be so\n  code: 'MODULE_NOT_FOUND'", "its log is below"),
        (
            "Error: connect ECONNREFUSED 127.0.0.1:6379",
            "it needs 127.0.0.1:6379: add it as smoke.dependencies.<name> and name it in smoke.env",
        ),
        (
            "Error: getaddrinfo ENOTFOUND redis",
            "it needs redis: add it as smoke.dependencies.<name> and name it in smoke.env",
        ),
        ("Error: open failed", "its log is below"),
    ],
)
def test_what_a_process_lacks_is_read_from_the_log(log: str, remedy: str) -> None:
    (line,) = said(tried(dies=1, code=1, well=9, written=log))
    assert line == f"start: ended with code 1 before it was ready; {remedy}"


@pytest.mark.parametrize(
    ("sockets", "remedy"),
    [
        (("127.0.0.1:4000",), "it listens on 127.0.0.1 only: make it listen on 0.0.0.0"),
        (("0.0.0.0:8080",), "it listens on 0.0.0.0:8080: set services.catalog.roles.api.port"),
        (("0.0.0.0:4000",), "its log is below"),
        ((), "it listens on no port: its log is below"),
        (None, "its log is below"),
    ],
)
def test_where_a_sick_process_listens_is_part_of_the_remedy(sockets: tuple[str, ...] | None, remedy: str) -> None:
    (line,) = said(tried(well=99, sockets=sockets))
    assert line.endswith(f"(last: connection refused); {remedy}")


def test_a_file_that_a_package_of_the_image_does_not_have_is_told_apart_from_an_absent_package() -> None:
    log = "Error: Cannot find module '@acme/bundler/lib/bundle'"
    case = dataclasses.replace(trial(), known=Known(present=frozenset({"@acme/bundler"})))
    (line,) = said(tried(case, dies=1, code=1, well=9, written=log))
    remedy = "@acme/bundler is in the image and has no lib/bundle: import what its package.json names"
    assert line == f"start: ended with code 1 before it was ready; {remedy}"


def test_only_the_last_twenty_lines_of_a_failing_process_are_kept() -> None:
    log = "\n".join(f"line {number}" for number in range(50))
    result = tried(dies=1, code=1, well=9, written=log)
    assert (len(result.log), result.log[-1]) == (20, "line 49")
    assert tried(written=log).log == ()


def test_the_emulator_is_not_shown_as_part_of_the_process() -> None:
    line = "/usr/bin/qemu-aarch64-static /usr/local/bin/node dist/server.js"
    result = tried(trial(platform="linux/arm64"), pid1=Process(line=line, user=1000))
    assert (result.ok, result.process) == (True, "/usr/local/bin/node dist/server.js")


def test_the_container_is_removed_when_watching_it_fails() -> None:
    engine = FakeEngine()

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    engine.pause = interrupted  # type: ignore[assignment, method-assign]
    engine.box.well = 5
    with pytest.raises(KeyboardInterrupt):
        attempt(trial(), engine)
    assert engine.box.removed


def test_a_trial_looks_locally_first_and_pulls_from_the_registry() -> None:
    launch = make_trial(IMAGE, NAME, "linux/amd64", Smoke(), native="linux/amd64", registry="r.io/a").launch
    assert launch.references == ("apphub-catalog-api:1", "r.io/a/apphub-catalog-api:1")
    assert launch.pull == "r.io/a/apphub-catalog-api:1"
    pushed = make_trial(IMAGE, NAME, "linux/amd64", Smoke(), native="linux/amd64", registry="r.io/a", pushed=True)
    assert (pushed.launch.references, pushed.launch.pull) == ((), "r.io/a/apphub-catalog-api:1")
    assert pushed.launch.remedy == "push it first: `bake catalog-api --push --platform linux/amd64`"


def test_of_an_image_with_a_dockerfile_of_its_own_the_dockerfile_says_what_it_runs_and_as_whom() -> None:
    recipe = Recipe(dockerfile=".bake/services/ml/Dockerfile", context="ml", stage=None, args={})
    common = {f.name: getattr(IMAGE, f.name) for f in dataclasses.fields(ServiceImage)} | {"service": "ml", "role": ""}
    image = Dockered(**common, recipe=recipe, source="ml/Dockerfile", bases=())
    case = make_trial(image, NAME, "linux/amd64", Smoke(grace=10), native="linux/amd64")
    log = "Error: Cannot find module 'express'\nrename 'state': EROFS: read-only file system, rename 'state/x'"
    lines = said(
        tried(case, dies=1, code=1, well=9, written=log, configured=Configured(user="root", command=("python",)))
    )
    assert lines == [
        "user: runs as root; let ml/Dockerfile end in `USER 1000:1000`, or another number that is not 0",
        "start: ended with code 1 before it was ready; its log is below",
    ]


def test_dependencies_start_unhardened_under_their_name() -> None:
    engine = FakeEngine(written="Ready to accept connections")
    dependencies: Mapping[str, Dependency] = {"redis": Dependency(image="redis:7", log="Ready", command="redis-server")}
    start_dependencies(dependencies, engine)
    (launch,) = engine.launched
    assert (launch.alias, launch.hardened, launch.references, launch.command) == (
        "redis",
        False,
        ("redis:7",),
        ("redis-server",),
    )


def test_a_dependency_that_never_gets_ready_is_an_error() -> None:
    engine = FakeEngine(written="starting\nloading data")
    with pytest.raises(EngineError) as caught:
        start_dependencies({"redis": Dependency(image="redis:7", log="Ready", timeout=5)}, engine)
    assert str(caught.value) == (
        "smoke.dependencies.redis: redis:7 did not log 'Ready' within 5 s (loading data); "
        "correct its `log`, or raise its `timeout`"
    )


def test_listening_sockets_are_read_from_the_kernels_table() -> None:
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0200A8C0:8000 0300A8C0:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:0FA0 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
"""
    assert parse_listeners(table) == ("127.0.0.1:3000", "[::]:4000", "[::1]:8080")


@pytest.mark.parametrize(("checks", "status"), [((), 0), (("image",), 4), (("image", "stop"), 1), (("health",), 1)])
def test_the_status_tells_an_image_that_is_not_there_from_one_that_does_not_do_well(
    checks: tuple[str, ...], status: int
) -> None:
    results = [
        Result(target=each, platform="linux/amd64", findings=(TrialFinding(check=each, what="x"),)) for each in checks
    ]
    assert status_of([Result(target="well", platform="linux/amd64", findings=()), *results]) == status
