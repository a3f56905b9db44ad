"""The workflows fit GitHub's schema, pin what they use, and ask for no more than they need."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def load(file: Path) -> Mapping[str, Any]:
    # A base loader: `on` is a key, not a boolean.
    document: Mapping[str, Any] = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)
    return document


def jobs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in FILES:
        for name, job in load(file)["jobs"].items():
            yield f"{file.name}: {name}", job


def steps() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, job in jobs():
        for step in job["steps"]:
            yield f"{where}: {step.get('name') or step.get('uses') or step.get('run')}", step


def test_there_are_workflows() -> None:
    assert [f.name for f in FILES] == ["ci.yml", "images.yml"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_a_workflow_fits_githubs_schema(file: Path) -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "github-workflows.json"
    schema = json.loads(vendored.read_text("utf-8"))
    text = re.sub(r"^on:", "'on':", file.read_text("utf-8"), flags=re.M)
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(text))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_action_is_pinned_by_commit_with_its_version(file: Path) -> None:
    used = [line.strip(" -") for line in file.read_text("utf-8").splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_all_workflows_use_one_commit_of_an_action() -> None:
    commits: dict[str, set[str]] = {}
    for _, step in steps():
        if "uses" in step:
            name, _, commit = step["uses"].partition("@")
            commits.setdefault(name, set()).add(commit)
    assert {name: found for name, found in commits.items() if len(found) > 1} == {}


def test_workflows_give_jobs_at_most_reading_and_only_pushing_jobs_write() -> None:
    assert [f.name for f in FILES if load(f)["permissions"] not in ("{}", {}, {"contents": "read"})] == []
    writers = {where for where, job in jobs() if "write" in str(job.get("permissions", ""))}
    assert writers == {"images.yml: push", "images.yml: merge", "images.yml: promote"}


def test_a_pull_request_runs_no_job_that_writes() -> None:
    events = {where: job.get("if", "") for where, job in jobs() if "write" in str(job.get("permissions", ""))}
    assert events["images.yml: push"].startswith("github.event_name == 'push'")
    assert events["images.yml: promote"] == "github.event_name == 'release'"
    assert events["images.yml: merge"] == "github.event_name == 'push' && !failure() && !cancelled()"
    assert load(FOLDER / "images.yml")["jobs"]["merge"]["needs"] == ["plan", "push"]


def test_no_script_has_an_expression_that_others_could_write_into() -> None:
    assert [where for where, step in steps() if "${{" in step.get("run", "")] == []


def test_checkouts_leave_no_token_behind() -> None:
    checkouts = [(w, s) for w, s in steps() if s.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [w for w, s in checkouts if s.get("with", {}).get("persist-credentials") != "false"] == []


def test_every_job_has_a_time_limit() -> None:
    assert [where for where, job in jobs() if "timeout-minutes" not in job] == []


def test_every_platform_of_the_example_is_built_on_a_runner_of_it() -> None:
    from bake.publish.matrix import RUNNERS

    include = load(FOLDER / "ci.yml")["jobs"]["example"]["strategy"]["matrix"]["include"]
    assert {i["platform"]: i["runner"] for i in include} == RUNNERS


def test_secrets_have_names_that_a_repository_can_have() -> None:
    named = {name for file in FILES for name in re.findall(r"secrets\.([\w-]+)", file.read_text("utf-8"))}
    declared = load(FOLDER / "images.yml")["on"]["workflow_call"]["secrets"]
    assert named == {*declared}
    assert [name for name in named if not re.fullmatch("[A-Z][A-Z0-9_]*", name)] == []


def test_images_start_before_they_are_pushed_and_only_the_default_branch_is_signed() -> None:
    runs = [step.get("run", "") for step in load(FOLDER / "images.yml")["jobs"]["push"]["steps"]]
    smoke, push = (next(at for at, run in enumerate(runs) if word in run) for word in ("bake smoke", "--push"))
    assert smoke < push
    signing = [step for _, step in steps() if "cosign" in step.get("uses", "") or "bake sign" in step.get("run", "")]
    condition = "inputs.sign && github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
    assert [step["if"] for step in signing] == [condition] * 2


def test_what_pip_installs_has_no_default_that_somebody_could_register() -> None:
    assert load(FOLDER / "images.yml")["on"]["workflow_call"]["inputs"]["install"]["default"] == ""
