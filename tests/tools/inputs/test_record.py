"""The record of the last build, and what `bake why` tells by it."""

import json
import os
from pathlib import Path

import pytest

from bake.cli import main
from bake.console import Console
from bake.engine import Progress
from bake.inputs import FirstStep, Inputs, LastBuild, add, first_step, load_inputs, load_record, write_record
from bake.inputs.record import parse_record, record_table
from bake.render import render
from bake.session import Selection, Session
from tests.git_workspace import GitWorkspace, make_git_workspace

COMPILE = FirstStep(stage="build-services-web", platform="linux/amd64", what="RUN npm run build")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitWorkspace:
    shop = make_git_workspace(tmp_path / "shop")
    monkeypatch.chdir(shop.root)
    monkeypatch.delenv("SITE", raising=False)
    return shop


def build(shop: GitWorkspace, *targets: str, step: FirstStep | None = COMPILE) -> None:
    """Leave the record that a build of these targets leaves."""
    session = Session(console=Console(environment=dict(os.environ)), directory=shop.root)
    folder = session.project.folder
    folder.mkdir(exist_ok=True)
    plan = session.plan(Selection())
    inputs = load_inputs(session.project, plan, render(session.project, plan))
    write_record(folder, add(load_record(folder), inputs, plan.platforms, dict.fromkeys(targets, step)))


def why(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["why", *words]) == 0
    return capsys.readouterr().out


def test_a_record_reads_back_as_it_was() -> None:
    inputs = Inputs(digests={"source a": "1"}, settings={"config b": "2"}, kept=True)
    before = Inputs(digests={"source a": "1", "source c": "3"}, kept=True)
    web = LastBuild(inputs=inputs, platforms=("linux/amd64",), before=before, step=COMPILE)
    record = {"web": web, "api": LastBuild(inputs=inputs)}
    assert parse_record(record_table(record)) == record


def test_a_record_of_another_bake_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text('{"builds": {"format": 99}}')
    assert load_record(tmp_path) == {}
    (tmp_path / "history.json").write_text("{")
    assert load_record(tmp_path) == {}


def test_the_first_step_that_ran_is_the_earliest_of_the_image() -> None:
    progress = Progress()
    for number, (target, cached) in enumerate([("web", True), ("api", False), ("web", False), ("web", False)]):
        vertex = {
            "digest": f"sha256:{number}",
            "name": f"[{target} linux/amd64 stage-{number} 1/2] RUN step {number}",
            "started": f"2026-01-01T00:00:{9 - number:02}Z",
            "completed": "2026-01-01T00:01:00Z",
            "cached": cached,
        }
        progress.feed(json.dumps({"vertexes": [vertex]}))
    assert first_step(progress, "web") == FirstStep(stage="stage-3", platform="linux/amd64", what="RUN step 3")
    assert first_step(progress, "cli") is None


def test_sending_the_sources_and_looking_at_base_images_is_no_first_step() -> None:
    progress = Progress()
    names = ["[web linux/amd64 service-web 1/5] FROM node:24", "[web source 1/1] COPY . /", "[web base 2/5] COPY a /"]
    for number, name in enumerate(names):
        times = {"started": f"2026-01-01T00:00:0{number}Z", "completed": "2026-01-01T00:01:00Z"}
        progress.feed(json.dumps({"vertexes": [{"digest": f"sha256:{number}", "name": name, **times}]}))
    assert first_step(progress, "web") == FirstStep(stage="base", platform="", what="COPY a /")


def test_an_image_that_was_never_built_here_says_so(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert why(capsys, "web") == "web: changed since its last build\n  unknown: never built here\n"


def test_nothing_changed_since_a_build_that_had_everything_in_the_cache(
    shop: GitWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    build(shop, "web", step=None)
    assert why(capsys, "web") == (
        "web: nothing has changed since its last build\n  its last build took every step from the cache\n"
    )


def test_an_edit_after_a_build_is_the_reason(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("services/web/src/old.ts", "edited before the build")
    build(shop, "web", "api")
    shop.write("services/web/src/index.ts", "edited after it")
    assert why(capsys, "web") == (
        "web: changed since its last build\n"
        "  source: services/web/src/index.ts\n"
        "  its last build first ran services/web: npm run build\n"
    )
    assert why(capsys, "api").startswith("api: nothing has changed since its last build\n")


def test_a_build_names_the_step_that_ran_and_the_edit_that_made_it_run(
    shop: GitWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    build(shop, "api")
    shop.write("packages/lib/src/index.ts", "edited")
    build(shop, "api")
    assert why(capsys, "api") == (
        "api: nothing has changed since its last build\n"
        "  its last build first ran services/web: npm run build\n"
        "  source: packages/lib/src/index.ts  (services/api > packages/lib)\n"
        "  services/api was built with all of packages/lib, packages/types: "
        "no configuration says where declarations of it go\n"
    )


def test_committing_what_was_built_changes_nothing(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("services/web/src/index.ts", "edited")
    shop.lock({"right": "1.2.0"})
    build(shop, "web", step=None)
    shop.commit()
    assert why(capsys, "web").startswith("web: nothing has changed since its last build\n")


def test_taking_an_edit_back_is_a_change(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.lock({"right": "1.2.0"})
    (shop.root / "services/web/src/index.ts").unlink()
    build(shop, "web", step=None)
    shop.git("checkout", "-q", ".")
    assert why(capsys, "web").splitlines()[:3] == [
        "web: changed since its last build",
        "  dependency: right 1.2.0 -> 1.0.0  (services/web > right)",
        "  source: services/web/src/index.ts",
    ]


def test_a_variable_that_a_build_argument_takes_is_the_reason(
    shop: GitWorkspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(shop, "web", step=None)
    monkeypatch.setenv("SITE", "shop.example")
    assert why(capsys, "web").splitlines()[1] == '  argument: packages."services/web".args.SITE'


def test_a_record_holds_no_text_of_files_and_no_values(
    shop: GitWorkspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.root / "backup.sql").write_bytes(b"hidden4" * 1000)
    shop.write("prod.tfvars", 'password = "hidden5"\n')
    shop.replace("services/web/package.json", '"bundle"', '"TOKEN=hidden6 bundle"')
    monkeypatch.setenv("SITE", "hidden7")
    shop.write(".npmrc", "legacy-peer-deps=true\n//registry.example/:_authToken=npm_hidden1\n")
    shop.write(".env", "TOKEN=hidden2\n")
    shop.write(".yarnrc.yml", "nodeLinker: node-modules\nnpmAuthToken: hidden3\n")
    build(shop, "web", step=None)
    text = (shop.root / ".bake" / "history.json").read_text()
    assert "legacy-peer-deps" not in text
    assert (shop.root / ".bake" / "history.json").stat().st_mode & 0o777 == 0o600
    assert "hidden" not in text
    assert why(capsys, "web").startswith("web: nothing has changed since its last build\n")


def test_why_gives_json(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("packages/lib/src/index.ts", "edited")
    answers = json.loads(why(capsys, "api", "--since", "HEAD", "--format", "json"))
    via = ["services/api", "packages/lib"]
    assert answers == [
        {
            "image": "api",
            "reasons": [{"kind": "source", "what": "packages/lib/src/index.ts", "via": via}],
            "built": False,
            "step": None,
            "because": [],
            "libraries": [],
        }
    ]


def test_names_of_affected_images_can_be_handed_on(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("packages/lib/src/index.ts", "edited")
    assert main(["affected", "--since", "HEAD", "--format", "names"]) == 0
    assert capsys.readouterr().out == "api\n"
    assert main(["affected", "web", "--since", "HEAD", "--format", "json"]) == 0
    assert capsys.readouterr().out == "{}\n"


def test_a_build_of_what_is_affected_leaves_the_rest(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("packages/lib/src/index.ts", "edited")
    assert main(["build", "--since", "HEAD", "--dry-run", "--format", "json"]) == 0
    assert [row["image"] for row in json.loads(capsys.readouterr().out)] == ["api"]


@pytest.mark.parametrize("command", ["build", "smoke", "verify"])
def test_where_nothing_is_affected_commands_end_well(
    command: str, shop: GitWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("README.md", "edited")
    assert main([command, "web", "--since", "HEAD", "--format", "json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == 1
    assert main([command, "web", "--since", "HEAD"]) == 0
    assert capsys.readouterr() == ("", "no image is affected since HEAD: nothing to do\n")
