import dataclasses
import json
from pathlib import Path

import pytest

from bake.cli import main
from bake.engine import Capabilities, Facts, Line, Needs, Problem, failed, judge

ENGINE = Capabilities(
    server="28.5.2",
    architecture="x86_64",
    containerd=True,
    buildx="v0.29.1",
    builder="default",
    driver="docker",
    platforms=("linux/amd64", "linux/arm64"),
)
NEEDS = Needs(platforms=("linux/amd64", "linux/arm64"), node=24, registry="ghcr.io/acme", manager="npm")
TOOLS = {"git": "2.47.0", "node": "v24.1.0", "npm": "11.0.0"}
WELL = Facts(
    tools=TOOLS, engine=ENGINE, disk=50_000_000_000, project=NEEDS, images={"node:24": None}, commit="0123456789abcdef"
)


def line(check: str, facts: Facts) -> Line:
    (found,) = [each for each in judge(facts) if each.check == check]
    return found


def with_engine(**changes: object) -> Facts:
    return dataclasses.replace(WELL, engine=dataclasses.replace(ENGINE, **changes))  # type: ignore[arg-type]


def with_needs(**changes: object) -> Facts:
    return dataclasses.replace(WELL, project=dataclasses.replace(NEEDS, **changes))  # type: ignore[arg-type]


def test_a_machine_in_order_has_no_complaint() -> None:
    assert [str(each) for each in judge(WELL)] == [
        "ok    engine: Docker 28.5.2 on linux/amd64",
        "ok    buildx: v0.29.1",
        "ok    builder: default (driver docker)",
        "ok    image store: containerd's",
        "ok    platforms: linux/amd64, linux/arm64",
        "ok    cache export: the builder can write a registry cache",
        "ok    disk: 50.0 GB free",
        "ok    node: v24.1.0, as in images",
        "ok    npm: 11.0.0",
        "ok    base image: node:24",
        "ok    registry: ghcr.io/acme takes pushes",
        "ok    git: 2.47.0, at 0123456789ab",
    ]
    assert not failed(judge(WELL))


def test_no_engine_fails_with_what_to_do_and_the_rest_is_still_looked_at() -> None:
    facts = dataclasses.replace(WELL, engine=Problem(what="docker: is not installed", fix="install it"))
    lines = judge(facts)
    assert str(lines[0]) == "fail  engine: docker: is not installed; install it"
    assert [each.check for each in lines[1:]] == ["disk", "node", "npm", "base image", "registry", "git"]
    assert failed(lines)


@pytest.mark.parametrize(("version", "state"), [("v0.16.2", "fail"), ("v0.19.3", "warn"), ("0.29.1+ds1", "ok")])
def test_buildx_is_judged_by_its_version(version: str, state: str) -> None:
    assert line("buildx", with_engine(buildx=version)).state == state


def test_a_classic_image_store_is_told_of_where_several_platforms_are_built() -> None:
    facts = with_engine(containerd=False)
    assert line("image store", facts).found == "the engine's image store is not containerd's"
    assert line("cache export", facts).state == "warn"
    one = dataclasses.replace(facts, project=dataclasses.replace(NEEDS, platforms=("linux/amd64",)))
    assert line("image store", one) == Line(check="image store", state="ok", found="the classic one")


def test_a_platform_that_cannot_run_fails_only_where_install_scripts_need_it() -> None:
    facts = with_engine(platforms=("linux/amd64",))
    assert line("platforms", facts).state == "warn"
    needing = dataclasses.replace(
        facts, project=dataclasses.replace(NEEDS, emulated=("the install scripts of bcrypt",))
    )
    found = line("platforms", needing)
    assert (found.state, found.found) == ("fail", "cannot run linux/arm64, which the install scripts of bcrypt need")


@pytest.mark.parametrize(("free", "state"), [(1_000_000_000, "fail"), (5_000_000_000, "warn"), (20_000_000_000, "ok")])
def test_the_disk_is_judged_by_what_is_free(free: int, state: str) -> None:
    assert line("disk", dataclasses.replace(WELL, disk=free)).state == state


def test_a_base_image_with_another_node_than_engines_fails() -> None:
    found = line("node", with_needs(engines=">=22 <24"))
    assert str(found) == (
        "fail  node: the base image has Node 24, package.json wants >=22 <24; "
        "set base.build and base.runtime in bake.toml"
    )


def test_other_versions_here_than_in_images_are_warned_of() -> None:
    assert line("node", dataclasses.replace(WELL, tools={**TOOLS, "node": "v20.1.0"})).state == "warn"
    found = line("npm", with_needs(version="10.9.0"))
    assert found.found == "11.0.0 here, package.json's packageManager names 10.9.0"


def test_a_registry_that_refuses_fails_and_none_is_a_warning() -> None:
    found = line("registry", dataclasses.replace(WELL, push=Problem(what="401: not logged in")))
    assert str(found) == "fail  registry: ghcr.io/acme: 401: not logged in; log in with `docker login`"
    assert line("registry", with_needs(registry="")).state == "warn"


def test_a_base_image_that_cannot_be_read_fails() -> None:
    facts = dataclasses.replace(WELL, images={"node:99": Problem(what="no such tag")})
    assert str(line("base image", facts)) == "fail  base image: node:99: no such tag"


def test_a_missing_commit_is_warned_of() -> None:
    assert line("git", dataclasses.replace(WELL, commit="")).state == "warn"
    assert line("git", dataclasses.replace(WELL, tools={})).found == "not installed: tags and labels lack the commit"


def test_a_broken_workspace_fails_without_hiding_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bake.toml").write_text("[project]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor", "--offline", "--format", "json"]) == 1
    lines = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert lines["engine"]["found"] == "docker: is not installed"
    assert lines["workspace"]["found"] == "bake.toml: project.name: missing"
