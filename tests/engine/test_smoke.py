"""Images that misbehave, each in its own way, are caught; those that behave pass. On the real engine."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.engine.conftest import ROOT, Workspace
from tests.engine.trials import built_trials, containers_of

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    yield from built_trials(tmp_path_factory.mktemp("smoke") / "workspace", "all")


@pytest.fixture(scope="module")
def smoked(trials: Workspace) -> "subprocess.CompletedProcess[str]":
    """One run over all images."""
    return trials.bake("smoke", "all", "--format", "json")


@pytest.fixture(scope="module")
def results(smoked: "subprocess.CompletedProcess[str]") -> Mapping[str, Mapping[str, Any]]:
    """Image -> what the run said about it."""
    return {each["image"]: each for each in json.loads(smoked.stdout)["images"]}


def findings(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(f["check"], f["what"], f["remedy"]) for f in result["findings"]]


def test_an_image_that_serves_and_ends_well_passes(results: Mapping[str, Mapping[str, Any]]) -> None:
    result = results["box-well"]
    assert (result["ok"], result["exit"], result["process"]) == (True, 0, "node dist/well.js")


def test_a_command_that_ends_by_itself_with_0_passes(results: Mapping[str, Mapping[str, Any]]) -> None:
    assert (results["box-once"]["ok"], results["box-once"]["exit"]) == (True, 0)


def test_an_image_that_runs_as_root_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    assert findings(results["box-root"]) == [("user", "runs as root", 'set services.box.roles.root.user = "1000:1000"')]


def test_a_process_that_ignores_sigterm_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    remedy = "handle SIGTERM in the program, or set `init = true`: as PID 1 it has no default handler"
    assert findings(results["box-deaf"]) == [("stop", "still ran 5 s after SIGTERM", remedy)]


def test_a_process_that_ends_badly_on_sigterm_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    remedy = "let it end with 0: anything else counts as a failure"
    assert findings(results["box-late"]) == [("stop", "ended with code 9 on SIGTERM", remedy)]


def test_a_process_that_writes_to_its_root_file_system_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    remedy = 'it writes to /app/cache/pages: set services.box.roles.writer.writable = ["/data", "/app/cache/pages"]'
    assert findings(results["box-writer"]) == [("start", "ended with code 1 before it was ready", remedy)]
    assert any("mkdir '/app/cache/pages'" in line for line in results["box-writer"]["log"])


def test_a_declared_directory_can_be_written(results: Mapping[str, Mapping[str, Any]]) -> None:
    assert findings(results["box-keeper"]) == []


def test_a_health_endpoint_that_never_answers_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    what = "/healthz on port 3000 did not answer 2xx within 3 s (last: connection refused)"
    assert findings(results["box-silent"]) == [("health", what, "it listens on no port: its log is below")]


def test_a_server_that_only_its_own_container_reaches_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    what = "/ on port 3000 did not answer 2xx within 10 s (last: connection refused)"
    remedy = "it listens on 127.0.0.1 only: make it listen on 0.0.0.0"
    assert findings(results["box-hidden"]) == [("health", what, remedy)]


def test_a_process_that_wants_more_memory_than_its_limit_is_caught(results: Mapping[str, Mapping[str, Any]]) -> None:
    what = "was killed: it wants more than 128m of memory"
    assert findings(results["box-greedy"]) == [("start", what, "raise smoke.memory, and the Deployment's limit")]


def test_a_process_reaches_the_dependency_it_needs(results: Mapping[str, Mapping[str, Any]]) -> None:
    assert findings(results["box-needy"]) == []


def test_the_status_is_1_and_no_container_is_left(
    smoked: "subprocess.CompletedProcess[str]", trials: Workspace
) -> None:
    assert (smoked.returncode, containers_of(trials.project)) == (1, [])


def test_images_that_pass_give_status_0_and_a_table(trials: Workspace) -> None:
    done = trials.bake("smoke", "box-once", "page")
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert (done.returncode, rows) == (
        0,
        [["IMAGE", "PLATFORM", "RESULT"], ["box-once", "amd64", "ok"], ["page", "amd64", "ok"]],
    )


def test_an_image_that_was_not_built_is_named_with_the_command_that_builds_it(trials: Workspace) -> None:
    done = trials.bake("smoke", "page", "--tag", "other", "--format", "json")
    (result,) = json.loads(done.stdout)["images"]
    what = f"{trials.project}-page:other: is not there for linux/amd64"
    assert findings(result) == [("image", what, "build it first: `bake page --platform linux/amd64`")]
    assert done.returncode == 4


def test_a_dependency_that_ends_at_once_stops_the_run(trials: Workspace) -> None:
    text = (trials.root / "bake.toml").read_text(encoding="utf-8")
    trials.write("broken.toml", text.replace("require('net').createServer()", "process.exit(3)"))
    done = trials.bake("--quiet", "--file", "broken.toml", "smoke", "page")
    remedy = "give it the command and environment it needs"
    assert done.stderr == f"bake: error: smoke.dependencies.store: node:24-slim ended with code 3; {remedy}\n"
    assert (done.returncode, containers_of(trials.project)) == (4, [])


def test_what_a_killed_run_left_is_removed_by_the_next(trials: Workspace) -> None:
    text = (trials.root / "bake.toml").read_text(encoding="utf-8")
    trials.write("patient.toml", text.replace("timeout = 3 ", "timeout = 600 "))
    command = [sys.executable, "-m", "bake", "--quiet", "--file", "patient.toml", "smoke", "box-silent"]
    with subprocess.Popen(command, cwd=trials.root, env={**os.environ, "PYTHONPATH": str(ROOT)}) as running:
        while not any(line.endswith(" running") for line in containers_of(trials.project)):
            assert running.poll() is None, "it ended by itself"
        running.kill()
    assert len(containers_of(trials.project)) > 0
    assert trials.bake("smoke", "page").returncode == 0
    assert containers_of(trials.project) == []


def test_an_interrupted_run_removes_its_containers(trials: Workspace) -> None:
    text = (trials.root / "bake.toml").read_text(encoding="utf-8")
    trials.write("patient.toml", text.replace("timeout = 3 ", "timeout = 600 "))
    command = [sys.executable, "-m", "bake", "--quiet", "--file", "patient.toml", "smoke", "box-silent"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=trials.root, env=environment, stderr=subprocess.PIPE) as running:
        while not any(line.endswith(" running") for line in containers_of(trials.project)):
            assert running.poll() is None, "it ended by itself"
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert (running.returncode, errors) == (130, b"bake: interrupted\n")
    assert containers_of(trials.project) == []
