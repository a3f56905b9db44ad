"""Which images are up to date: what decides them, what the engine has, and what is remembered."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from bake.build.current import (
    Made,
    Memory,
    Standing,
    image_keys,
    learn,
    load_memory,
    load_standing,
    remember,
    write_memory,
)
from bake.engine import Built, Kept, Progress
from bake.inputs import Inputs, load_inputs
from bake.plan import Name, Plan, Request, make_plan, name_images
from bake.project import Project, load_project
from bake.render import render
from tests.conftest import ROOT

BASES = {"node:24": "sha256:b", "node:24-slim": "sha256:r"}
REQUEST = Request(targets=("metastore", "filestore-api"), tags=("v1", "v2"), revision="a" * 40)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(ROOT / "examples" / "apphub" / "bake.toml", {})


@pytest.fixture(scope="module")
def plan(project: Project) -> Plan:
    return make_plan(project, REQUEST)


@pytest.fixture(scope="module")
def inputs(project: Project, plan: Plan) -> Mapping[str, Inputs]:
    return load_inputs(project, plan, render(project, plan))


@pytest.fixture
def keys(project: Project, plan: Plan, inputs: Mapping[str, Inputs]) -> Mapping[str, str]:
    return image_keys(project, plan, name_images(project, plan), inputs, BASES)


def made(name: str) -> Made:
    return Made(id=f"sha256:{name}", digest=f"sha256:{name}", platforms=("linux/amd64",))


def standing(plan: Plan, known: Iterable[str], kept: Mapping[str, Kept]) -> Standing:
    """What is known where these targets were made before, and the engine answers so."""
    return Standing(
        plan=plan,
        names={t: Name(repository=f"apphub-{t}", tags=("v1", "v2")) for t in plan.targets},
        made={t: made(t) for t in known},
        asked=lambda: kept,
    )


def test_an_image_is_up_to_date_when_all_its_names_lead_to_what_was_made(plan: Plan) -> None:
    there = {f"apphub-{t}:{tag}": Kept(id=f"sha256:{t}", bytes=1) for t in plan.targets for tag in ("v1", "v2")}
    gone = {name: kept for name, kept in there.items() if name != "apphub-metastore:v2"}
    other = {**there, "apphub-metastore:v1": Kept(id="sha256:other", bytes=1)}
    assert standing(plan, plan.targets, there).gone == ()
    assert list(standing(plan, plan.targets, there).current) == ["metastore", "filestore-api"]
    assert standing(plan, plan.targets, gone).gone == ("metastore",)
    assert standing(plan, plan.targets, other).gone == ("metastore",)
    assert standing(plan, ["metastore"], there).changed == ("filestore-api",)
    assert standing(plan, [], there).changed == plan.targets
    assert standing(plan, [], there).current == {}


@pytest.mark.parametrize(
    "change",
    [
        {"tags": ("v1",)},
        {"platforms": ("linux/amd64",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_names_and_platforms_decide_an_image_too(
    project: Project, keys: Mapping[str, str], change: Mapping[str, object]
) -> None:
    plan = make_plan(project, dataclasses.replace(REQUEST, **change))  # type: ignore[arg-type]
    other = image_keys(
        project, plan, name_images(project, plan), load_inputs(project, plan, render(project, plan)), BASES
    )
    assert other.keys() == keys.keys()
    assert not set(other.values()) & set(keys.values())


def test_another_commit_decides_nothing_but_where_labels_tell_of_it(project: Project, keys: Mapping[str, str]) -> None:
    later = dataclasses.replace(REQUEST, revision="b" * 40, version="2.0.0", source="https://example.invalid/fork")
    for labels, same in (({}, True), ({"revision": True}, False)):
        told = dataclasses.replace(project, config=dataclasses.replace(project.config, labels=labels))
        plan = make_plan(told, later)
        found = image_keys(told, plan, name_images(project, plan), load_inputs(told, plan, render(told, plan)), BASES)
        assert (found == keys) is same


def test_a_base_image_that_moved_decides_and_one_that_nobody_resolves_leaves_no_key(
    project: Project, plan: Plan, inputs: Mapping[str, Inputs], keys: Mapping[str, str]
) -> None:
    moved = image_keys(project, plan, name_images(project, plan), inputs, {**BASES, "node:24-slim": "sha256:new"})
    assert not set(moved.values()) & set(keys.values())
    assert image_keys(project, plan, name_images(project, plan), inputs, {"node:24": "sha256:b"}) == {}


def test_what_a_build_made_is_learnt_where_the_engine_has_it(tmp_path: Path, project: Project) -> None:
    project = dataclasses.replace(project, file=tmp_path / "bake.toml", root=tmp_path)
    project.folder.mkdir()
    plan = make_plan(project, dataclasses.replace(REQUEST, tags=("v1",)))
    before = load_standing(
        project, plan, name_images(project, plan), lambda: load_inputs(project, plan, render(project, plan)), {}
    )
    metadata = {
        "metastore": {"containerimage.digest": "sha256:m"},
        "filestore-api": {"containerimage.digest": "sha256:x", "containerimage.config.digest": "sha256:f"},
    }
    kept = {
        "apphub-metastore:v1": Kept(id="sha256:overtaken", bytes=1),
        "apphub-filestore-api:v1": Kept(id="sha256:f", bytes=1),
    }
    progress = Progress()
    for name in BASES:
        text = f"[service 1/2] FROM docker.io/library/{name}@sha256:0123abcd"
        progress.feed(f'{{"vertexes": [{{"digest": "{name}", "name": "{text}"}}]}}')
    learn(project, before, ("linux/amd64",), Built(metadata=metadata, progress=progress), kept)
    assert list(load_memory(project.folder).values()) == [
        Made(id="sha256:f", digest="sha256:x", platforms=("linux/amd64",))
    ]


def test_the_memory_keeps_the_latest(tmp_path: Path) -> None:
    memory: Memory = {}
    for number in range(1200):
        memory = remember(memory, {f"{number}": made("a")})
    memory = remember(memory, {"300": made("b")})
    assert len(memory) == 1000
    assert next(iter(memory)) == "200"
    assert list(memory)[-1] == "300"
    write_memory(tmp_path, memory)
    assert load_memory(tmp_path) == memory
    assert [f.name for f in tmp_path.iterdir()] == ["history.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99, "made": {}}', '{"format": 1, "made": {"a": {"id": "b"}}}'])
def test_a_memory_of_another_bake_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.json").write_text(f'{{"made": {text}}}')
    assert load_memory(tmp_path) == {}


def test_with_templates_of_its_own_nothing_of_a_workspace_is_up_to_date(project: Project, plan: Plan) -> None:
    ejected = dataclasses.replace(project, ejected={"docker/Dockerfile": "FROM scratch"})
    assert load_standing(ejected, plan, {}, dict, {}).inputs == {}
