"""The build matrix: every image in a job, each job on a runner of its platform."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bake.config import parse_config
from bake.errors import ConfigError
from bake.plan import Plan, Request, make_plan
from bake.project import load_project
from bake.publish import make_matrix, render_matrix, render_outputs
from bake.publish.matrix import Job

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "apphub"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_project(EXAMPLE / "bake.toml", {}), Request(targets=("timestore", "cli")))


def test_a_matrix_by_platform_has_all_images_on_each_platforms_own_runner(plan: Plan) -> None:
    targets = "timestore-api timestore-ingestion-worker timestore-lifecycle-worker cli"
    assert make_matrix(plan, by="platform", runners={}) == [
        Job(name="linux-amd64", targets=targets, platforms="linux/amd64", runner="ubuntu-24.04"),
        Job(name="linux-arm64", targets=targets, platforms="linux/arm64", runner="ubuntu-24.04-arm"),
    ]


def test_a_matrix_by_service_keeps_the_roles_of_a_service_together(plan: Plan) -> None:
    jobs = make_matrix(plan, by="service", runners={})
    assert [(j.name, j.targets) for j in jobs] == [
        ("timestore", "timestore-api timestore-ingestion-worker timestore-lifecycle-worker"),
        ("cli", "cli"),
    ]
    assert {j.platforms for j in jobs} == {"linux/amd64,linux/arm64"}


def test_a_matrix_by_image_has_a_job_for_each_affected_image(plan: Plan) -> None:
    jobs = make_matrix(plan, by="image", runners={}, within=("cli", "timestore-api", "metastore"))
    assert [j.name for j in jobs] == ["timestore-api", "cli"]


def test_runners_of_bake_toml_go_before_githubs(plan: Plan) -> None:
    runners = {"linux/arm64": ("self-hosted", "arm")}
    assert [j.runner for j in make_matrix(plan, by="platform", runners=runners)] == [
        "ubuntu-24.04",
        ("self-hosted", "arm"),
    ]


@pytest.mark.parametrize("by", ["image", "service", "platform"])
def test_nothing_affected_is_an_empty_matrix_that_says_so(plan: Plan, by: str) -> None:
    jobs = make_matrix(plan, by=by, runners={}, within=())  # type: ignore[arg-type]
    assert render_matrix(jobs) == '{"include": []}'
    assert render_outputs(jobs) == 'matrix={"include": []}\nany=false\n'


def test_a_runner_for_something_that_is_no_platform_is_complained_of() -> None:
    text = '[project]\nname = "x"\n[services.a]\npackage = "a"\n[ci.runners]\narm64 = "ubuntu-24.04-arm"\n'
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert caught.value.complaints == (
        "bake.toml: ci.runners.arm64: 'arm64' is not a platform like linux/amd64 or linux/arm64",
    )


def test_only_what_a_change_affects_is_in_the_matrix_and_in_githubs_outputs(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    ignore = shutil.ignore_patterns("node_modules", ".bake", "dist", "deploy")
    shutil.copytree(EXAMPLE, root, ignore=ignore, symlinks=True)
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Begin")
    file = root / "services/metastore/src/records.ts"
    output = tmp_path / "output"

    nothing = matrix(root, output)
    file.write_text(file.read_text("utf-8") + "// changed\n", "utf-8")
    some = matrix(root, output)

    assert nothing == {"include": []}
    assert [(j["name"], j["targets"]) for j in some["include"]] == [("metastore", "metastore")]
    lines = output.read_text("utf-8").splitlines()
    assert lines[:2] == ['matrix={"include": []}', "any=false"]
    assert [json.loads(lines[2].removeprefix("matrix=")), lines[3]] == [some, "any=true"]


def test_githubs_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    output = tmp_path / "nowhere" / "output"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GITHUB_OUTPUT": str(output)}
    words = [sys.executable, "-m", "bake", "matrix"]
    done = subprocess.run(words, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"bake: error: $GITHUB_OUTPUT: {output} cannot be written (No such file or directory); unset it\n"
    )


def matrix(root: Path, output: Path) -> dict[str, list[dict[str, str]]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GITHUB_OUTPUT": str(output)}
    words = [sys.executable, "-m", "bake", "matrix", "--by", "service", "--since", "HEAD"]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=True)
    printed: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return printed


def git(root: Path, *words: str) -> None:
    who = {f"GIT_{r}_{k}": "test@example.invalid" for r in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
    subprocess.run(["git", *words], cwd=root, env={**os.environ, **who}, check=True)
