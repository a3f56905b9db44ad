"""The main job on a real engine: images that hold what they need, one build of each package, clean failures."""

import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.build import Options, build
from bake.console import Console
from bake.plan import Request, make_plan
from bake.project import Project
from bake.session import Naming, Selection, Session
from tests.engine.conftest import ROOT, Workspace

pytestmark = pytest.mark.engine


def inspect(reference: str) -> Mapping[str, Any]:
    done = subprocess.run(["docker", "image", "inspect", reference], capture_output=True, text=True, check=True)
    found: list[Mapping[str, Any]] = json.loads(done.stdout)
    return found[0]


def listing(reference: str, *paths: str) -> list[str]:
    words = ["docker", "run", "--rm", "--network", "none", reference, "find", *paths, "-mindepth", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return sorted(done.stdout.split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The example's catalog, metastore, frontend and CLI, built once for amd64."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    targets = ["catalog", "metastore", "frontend", "cli"]
    words = [sys.executable, "-m", "bake", *targets, "--platform", "linux/amd64", "--tag", "engine-test"]
    done = subprocess.run(
        [*words, "--format", "json"],
        cwd=ROOT / "examples" / "apphub",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {row["image"]: row for row in json.loads(done.stdout)["images"]}


def test_python_builds_from_values_and_gets_values(tiny_workspace: Workspace) -> None:
    console = Console(environment=dict(os.environ), volume="quiet")
    session = Session(console=console, directory=tiny_workspace.root)
    plan = session.plan(Selection(targets=("api",), platforms=("linux/amd64",)), Naming(tags=("from-python",)))

    outcome = build(session, plan, Options())

    (image,) = outcome.images
    assert (image.image, image.platforms, outcome.release) == ("api", ("linux/amd64",), None)
    assert image.reference == f"{tiny_workspace.project}-api:from-python"
    assert image.reference in inspect(image.reference)["RepoTags"]
    (again,) = build(session, plan, Options()).images
    assert (again.digest, again.steps) == (image.digest, 0)


def test_roles_share_every_layer_and_differ_in_their_configuration(built: Mapping[str, Any]) -> None:
    api, worker = (inspect(f"apphub-catalog-{role}:engine-test") for role in ("api", "worker"))
    assert api["RootFS"]["Layers"] == worker["RootFS"]["Layers"]
    assert api["Config"]["Cmd"] == ["node", "dist/server.js"]
    assert worker["Config"]["Cmd"] == ["tsx", "src/worker.ts"]
    assert worker["Config"]["User"] == "1000:1000"
    assert "Healthcheck" not in worker["Config"]


def test_an_image_holds_its_closure_exactly(built: Mapping[str, Any], example_project: Project) -> None:
    plan = make_plan(example_project, Request(platforms=("linux/amd64",)))
    wanted = set(next(s for s in plan.services if s.service == "metastore").closure.entries)
    find = "find /app -path '*/node_modules/*' \\( -name package.json -o -type l \\) -not -path '*/.bin/*'"
    words = ["docker", "run", "--rm", "apphub-metastore:engine-test", "sh", "-c", find]
    paths = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    found = {p.removeprefix("/app/").removesuffix("/package.json") for p in paths}
    assert wanted
    assert wanted <= found
    # What is left are package.json files inside packages (`dist/cjs/package.json`): no package of its own.
    assert {p for p in found - wanted if p.rpartition("node_modules/")[2].count("/") <= p.count("@")} == set()


def test_the_frontend_image_has_no_node_modules(built: Mapping[str, Any]) -> None:
    files = listing("apphub-frontend:engine-test", "/app")
    assert not [f for f in files if "node_modules" in f]
    assert "/app/apps/frontend/dist/index.html" in files


def test_the_cli_image_runs_help_and_takes_arguments(built: Mapping[str, Any]) -> None:
    for words in ([], ["--version"]):
        done = subprocess.run(
            ["docker", "run", "--rm", "apphub-cli:engine-test", *words], capture_output=True, text=True, check=True
        )
        assert ("Usage: apphub" in done.stdout) == (not words)


def test_the_same_build_again_runs_no_step(built: Mapping[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bake", "metastore", "--platform", "linux/amd64", "--tag", "engine-test", "--force"],
        cwd=ROOT / "examples" / "apphub",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "RUN " not in done.stderr


def test_buildx_alone_gives_the_same_image(tiny_workspace: Workspace) -> None:
    first = tiny_workspace.bake("api", "--format", "json")
    assert first.returncode == 0, first.stderr
    words = ["docker", "buildx", "bake", "-f", ".bake/docker-bake.hcl", "api", "--metadata-file", "meta.json"]
    subprocess.run(words, cwd=tiny_workspace.root, capture_output=True, check=True)
    metadata = json.loads((tiny_workspace.root / "meta.json").read_text())
    assert metadata["api"]["containerimage.digest"] == json.loads(first.stdout)["images"][0]["digest"]


def test_the_context_that_is_sent_holds_sources_only(tiny_workspace: Workspace) -> None:
    for path in ("node_modules/x/big.bin", "services/api/dist/big.bin", ".git/big.bin", "unrelated/big.bin"):
        tiny_workspace.write(path, "x" * 3_000_000)
    for path in (".env", "services/api/.env", "services/api/.npmrc", "services/api/deploy.key"):
        tiny_workspace.write(path, "TOKEN=hunter2\n")
    tiny_workspace.write(".gitignore", "dist\ndata/\n")
    tracked = ("services/api/data/table.js", "services/api/data/[id].js", "unrelated/data/table.js")
    for path in (*tracked, "services/api/data/left.js"):
        tiny_workspace.write(path, "")
    tiny_workspace.git("add", "--force", *tracked)
    assert tiny_workspace.bake("api", "--dry-run").returncode == 0
    folder, out = tiny_workspace.root / ".bake", tiny_workspace.root.parent / "sent"
    (folder / "Sent.dockerignore").write_text((folder / "Dockerfile.dockerignore").read_text())
    (folder / "Sent").write_text("FROM scratch\nCOPY . /\n")
    words = ["docker", "buildx", "build", "-f", ".bake/Sent", "--output", f"type=local,dest={out}", "."]
    done = subprocess.run(words, cwd=tiny_workspace.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sent = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    assert not [p for p in sent if "big.bin" in p or p.endswith((".env", ".npmrc", ".key"))]
    assert "services/api/package.json" in sent
    assert [p for p in sent if "/data/" in p] == ["services/api/data/[id].js", "services/api/data/table.js"]
    assert sum((out / p).stat().st_size for p in sent) < 10_000


def test_a_failing_build_shows_the_compilers_lines_and_the_package(tiny_workspace: Workspace) -> None:
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    manifest["scripts"] = {"build": "echo \"src/a.ts(1,1): error TS2322: Type 'x'.\" >&2; exit 2"}
    tiny_workspace.write("services/api/package.json", json.dumps(manifest))
    done = tiny_workspace.bake("api")
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert "    src/a.ts(1,1): error TS2322: Type 'x'." in lines
    assert lines[-1] == (
        "bake: error: services/api: `npm run build` failed with exit code 2; the compiler's lines are above"
    )
    assert not [line for line in lines if "Dockerfile" in line]


def on_a_terminal(workspace: Workspace, *words: str, interrupt_at: str = "") -> tuple[int, list[str]]:
    """Run bake where a person watches; gives the status and the lines. Ctrl-C comes when interrupt_at appears."""
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"PYTHONPATH": str(ROOT)}
    command, (master, slave) = [sys.executable, "-m", "bake", *words], pty.openpty()
    process = subprocess.Popen(
        command, cwd=workspace.root, env=environment, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: every process has ended
        while data := os.read(master, 1 << 16):
            seen += data
            if interrupt_at and interrupt_at.encode() in seen:
                os.killpg(process.pid, signal.SIGINT)
                interrupt_at = ""
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode()).replace("\r", "\n")
    return process.wait(), [line for line in text.splitlines() if line.strip()]


def test_a_failing_build_on_a_terminal_shows_what_runs_by_its_name_and_no_dockerfile(tiny_workspace: Workspace) -> None:
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    manifest["scripts"] = {"build": "echo \"src/a.ts(1,1): error TS2322: Type 'x'.\" >&2; exit 2"}
    tiny_workspace.write("services/api/package.json", json.dumps(manifest))
    status, lines = on_a_terminal(tiny_workspace, "api")
    assert status == 1
    assert "    src/a.ts(1,1): error TS2322: Type 'x'." in lines
    assert lines[-1] == (
        "bake: error: services/api: `npm run build` failed with exit code 2; the compiler's lines are above"
    )
    assert [line for line in lines if "services/api: npm run build" in line]
    assert not [line for line in lines if "Dockerfile:" in line or ">>>" in line]


def test_after_an_interrupted_build_on_a_terminal_nothing_else_is_written(tiny_workspace: Workspace) -> None:
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    # Another command than any before, or a cache might have its step.
    manifest["scripts"] = {"build": f"sleep 60; : {tiny_workspace.project}"}
    tiny_workspace.write("services/api/package.json", json.dumps(manifest))
    status, lines = on_a_terminal(tiny_workspace, "api", interrupt_at="services/api: npm run build")
    assert status == 130, "\n".join(lines[-30:])
    assert lines[-1].endswith("bake: interrupted")


def test_a_command_that_starts_a_file_the_image_has_not_is_named(tiny_workspace: Workspace) -> None:
    text = (tiny_workspace.root / "bake.toml").read_text()
    assert "[services.api]\n" in text
    tiny_workspace.write("bake.toml", text.replace("[services.api]\n", '[services.api]\ncommand = "node indx.js"\n'))
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    # Its build might make the file: only afterwards is it known that it did not.
    tiny_workspace.write("services/api/package.json", json.dumps(manifest | {"scripts": {"build": "node -e 0"}}))
    done = tiny_workspace.bake("api")
    assert done.stderr.splitlines()[-1] == (
        "bake: error: services/api: indx.js, which api starts, is not among the files of the image; run its build, or "
        'correct the command or packages."services/api".files'
    )
    assert done.returncode == 1


def test_wrong_isolation_names_the_missing_package_and_the_key(tiny_workspace: Workspace) -> None:
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    manifest["scripts"] = {"build": "echo \"error TS2307: Cannot find module '@tiny/worker/x' or its types\"; exit 1"}
    tiny_workspace.write("services/api/package.json", json.dumps(manifest))
    done = tiny_workspace.bake("api")
    assert done.stderr.splitlines()[-1] == (
        "bake: error: services/api: `npm run build` failed with exit code 1; it needs @tiny/worker: declare it in "
        'services/api/package.json, or add it to packages."services/api".needs'
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process_and_no_file(tiny_workspace: Workspace, number: signal.Signals) -> None:
    manifest = json.loads((tiny_workspace.root / "services/api/package.json").read_text())
    manifest["scripts"] = {"build": "echo started; sleep 60"}
    tiny_workspace.write("services/api/package.json", json.dumps(manifest))
    temporary = tiny_workspace.root.parent / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "bake", "api", "-v"],
        cwd=tiny_workspace.root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "services/api: files of the workspace" in line:
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    assert rest.splitlines()[-1] == "bake: interrupted"
    assert process.returncode == 130
    assert not [c for c in children if Path(f"/proc/{c}").exists()]
    assert list(temporary.iterdir()) == []
    assert not list((tiny_workspace.root / ".bake").rglob(".new-*"))


def files_of(reference: str) -> set[str]:
    """Paths of files in an image, also in one that cannot start."""
    made = subprocess.run(["docker", "create", reference, "x"], capture_output=True, text=True, check=True)
    try:
        done = subprocess.run(["docker", "export", made.stdout.strip()], capture_output=True, check=True)
    finally:
        subprocess.run(["docker", "rm", made.stdout.strip()], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {entry.name for entry in tar if not entry.isdir()}


def test_an_image_has_what_its_service_serves_and_what_builds_put_into_node_modules(tiny_workspace: Workspace) -> None:
    for path, script in {
        "services/worker": "mkdir dist && echo page >dist/index.html",
        "libraries/common": "mkdir -p ../../node_modules/.client && echo code >../../node_modules/.client/index.js",
        "services/api": "cat ../../node_modules/.client/index.js >client.js",
    }.items():
        manifest = json.loads((tiny_workspace.root / path / "package.json").read_text())
        tiny_workspace.write(f"{path}/package.json", json.dumps(manifest | {"scripts": {"build": script}}))
    tables = {
        "services/api": 'serves = ["services/worker"]',
        "services/worker": 'files = ["dist/**", "index.js"]',
        "libraries/common": 'outputs = ["node_modules/.client"]',
    }
    text = (tiny_workspace.root / "bake.toml").read_text()
    text += "".join(f'\n[packages."{path}"]\n{line}\n' for path, line in tables.items())
    tiny_workspace.write("bake.toml", text)
    done = tiny_workspace.bake("api", "--tag", "served")
    assert done.returncode == 0, done.stderr
    assert {path for path in files_of(f"{tiny_workspace.project}-api:served") if path.startswith("app/")} == {
        *("app/services/api/client.js", "app/services/api/index.js", "app/services/api/package.json"),
        *(f"app/services/worker/{file}" for file in ("dist/index.html", "index.js", "package.json")),
        *("app/libraries/common/index.js", "app/libraries/common/package.json"),
        *("app/node_modules/.client/index.js", "app/node_modules/@tiny/common"),
    }
