"""Base images of the workspace's own: what they are made of, who is made from them, how they are cached."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.errors import ConfigError
from bake.inputs.content import load_contents
from bake.plan import Plan, Request, check, make_plan, plan_cache
from bake.project import Project, base_images, load_project
from bake.render.bakefile import render_bake_file
from bake.workspace import parse_own_dockerfile
from tests.plant import plant
from tests.unit.plan.test_system import load

CONFIG = """\
registry = "r.example/x"
[cache]
read = "always"
write = "always"
[bases.media]
dockerfile = "docker/media.Dockerfile"
args = { BASE = "node:24-alpine" }
[services.a]
package = "a"
base = "media"
[services.b]
package = "b"
"""
DOCKERFILE = """\
ARG BASE=node:24-slim
FROM golang:1 AS tool
RUN --mount=type=bind,source=docker/src,target=/src make
FROM ${BASE}
COPY --from=tool /bin/tool /bin/
COPY ["docker/fonts", "assets/*.ttf", "/usr/share/fonts/"]
"""


def planned(root: Path, config: str = CONFIG) -> tuple[Project, Plan]:
    """A plan with a base of its own."""
    plant(root, {"docker/media.Dockerfile": DOCKERFILE, "docker/fonts/a": "a", "docker/src/m": "m"})
    return load(root, config)


@pytest.mark.parametrize(
    ("text", "parents", "last", "reads"),
    [
        (DOCKERFILE, ("golang:1", "node:24-slim"), "node:24-slim", ("assets", "docker/fonts", "docker/src")),
        ("FROM scratch\nADD https://x.example/a . /\n", (), "", ("",)),
        (
            "FROM a:1 as x\n# COPY no /\nFROM x\nCOPY \\\n --chmod=0755 \\\n one two /\n",
            ("a:1",),
            "a:1",
            ("one", "two"),
        ),
        ("FROM a:1\r\nCOPY one \\\r\n two /x/\r\n", ("a:1",), "a:1", ("one", "two")),
        ("FROM a:1\nCOPY one \\\n\n  # no file\n two /x/\nRUN true \\\n", ("a:1",), "a:1", ("one", "two")),
        ("# escape=`\nFROM a:1\nCOPY one `\n two /x/\n", ("a:1",), "a:1", ("one", "two")),
        (
            "FROM a:1\nRUN psql <<SQL && cat <<-'END'\nFROM users\nSQL\nCOPY nothing /x\n\tEND\nCOPY one /x\n",
            ("a:1",),
            "a:1",
            ("one",),
        ),
        ("FROM a:1\nRUN test $(( 1 << x )) = 2\nCOPY one /x\n", ("a:1",), "a:1", ("one",)),
        ("FROM a:1\nRUN bash -c 'read x <<< word; : $((1<<x))'\nCOPY one /x\n", ("a:1",), "a:1", ("one",)),
        (
            "FROM a:1 AS one\nFROM a:1\nCOPY --from=one /x /x\nCOPY --from=b:2 /x /x\n"
            "RUN --mount=type=bind,from=c:3,target=/x true\nCOPY --from=0 /x /x\n",
            ("a:1", "b:2", "c:3"),
            "a:1",
            (),
        ),
        ("FROM $NOWHERE\nRUN --mount=type=cache,target=/x y\nRUN --mount=target=/src z\n", (), "", ("",)),
    ],
)
def test_a_dockerfile_tells_its_images_and_the_files_that_it_takes(
    text: str, parents: tuple[str, ...], last: str, reads: tuple[str, ...]
) -> None:
    found = parse_own_dockerfile(text, arguments={})
    assert (found.parents, found.last, found.reads) == (parents, last, reads)


def test_the_stage_that_is_built_tells_the_image() -> None:
    text = "FROM node:24-alpine AS small\nFROM node:24-slim AS large\n"
    assert parse_own_dockerfile(text, arguments={}, target="small").last == "node:24-alpine"


def test_a_stage_or_a_context_that_is_not_there_is_told_before_a_build(tmp_path: Path) -> None:
    config = CONFIG.replace("args =", 'context = "dockre"\ntarget = "tol"\nargs =')
    assert [str(f) for f in check(*planned(tmp_path, config)) if "bases" in f.where] == [
        "bake.toml: bases.media.context: no folder 'dockre' with files; correct it",
        "bake.toml: bases.media.target: docker/media.Dockerfile has no stage 'tol'; did you mean `tool`?",
    ]


def test_its_images_have_its_c_library_and_bake_lock_pins_what_it_is_made_from(tmp_path: Path) -> None:
    project, plan = planned(tmp_path)
    assert {s.service: (s.base, s.libc) for s in plan.services} == {
        "a": ("base-media", "musl"),
        "b": ("node:24-slim", "glibc"),
    }
    names = ("golang:1", "node:24", "node:24-alpine", "node:24-slim")
    assert base_images(project) == tuple(f"docker.io/library/{name}" for name in names)


def test_only_images_on_it_wait_for_it_and_it_has_a_cache_of_its_own(tmp_path: Path) -> None:
    digest = f"sha256:{'1' * 64}"
    (tmp_path / "bake.lock").write_text(f'version = 1\n[images."docker.io/library/golang:1"]\ndigest = "{digest}"\n')
    project, plan = planned(tmp_path)
    cache = plan_cache(project, make_plan(project, Request(branch="main")))
    text = render_bake_file(project, plan, {t.target: Named() for t in plan.everything}, cache)  # type: ignore[misc]
    base = text[text.index('target "_base-media"') : text.index('target "workspace"')]
    assert f'"golang:1" = "docker-image://golang:1@{digest}"' in base
    assert 'cache-to   = ["type=registry,ref=r.example/x/w/buildcache:_base-media.main' in base
    a, b = (text[text.index(f'target "{name}"') :].partition("}\n}")[0] for name in "ab")
    assert ('"base-media" = "target:_base-media"' in a, "base-media" in b) == (True, False)


class Named:
    """What an image is called."""

    references = ("x:1",)


def contents(root: Path) -> Mapping[str, str]:
    project = load_project(root / "bake.toml", {})
    return load_contents(project, make_plan(project, Request()))


@pytest.mark.parametrize(
    ("path", "text", "changed"),
    [
        ("docker/fonts/a", "b", {"a"}),
        ("docker/media.Dockerfile", f"{DOCKERFILE}ENV A=1\n", {"a"}),
        ("docker/other", "x", set()),
    ],
)
def test_its_files_count_for_the_images_on_it_alone(tmp_path: Path, path: str, text: str, changed: set[str]) -> None:
    planned(tmp_path)
    before = contents(tmp_path)
    (tmp_path / path).write_text(text)
    after = contents(tmp_path)
    assert {target for target in before if before[target] != after[target]} == changed


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            '[bases.media]\ndockerfile = "no.Dockerfile"\n[services.a]\npackage = "a"\n',
            "bake.toml: bases.media.dockerfile: there is no no.Dockerfile; correct the path",
        ),
        (
            '[base]\nbuild = "media"\n[bases.media]\ndockerfile = "docker/m"\n[services.a]\npackage = "a"\n',
            "bake.toml: base.build: `media` of [bases] is for images; name an image to build in",
        ),
    ],
)
def test_what_cannot_be_a_base_is_refused(tmp_path: Path, config: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, config)
    assert complaint in (str(caught.value), *caught.value.complaints)
