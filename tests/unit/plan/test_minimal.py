"""Minimal bases: which services stand on one, what bake.lock has to say, and what cannot work there."""

from pathlib import Path

import pytest

from bake.errors import ConfigError
from bake.inputs.settings import image_settings
from bake.plan import check
from bake.registry.base import told_environment
from bake.render import render
from tests.unit.plan.test_system import load

CONFIG = """\
[base]
minimal = true
[services.a]
package = "a"
[services.b]
package = "b"
minimal = false
[services.c]
package = "c"
base = "node:24-alpine"
minimal = true
"""
PINNED = f"node:24-slim@sha256:{'1' * 64}"
LOCK = f"""\
version = 1
[images."docker.io/library/node:24-slim"]
digest = "sha256:{"1" * 64}"
node = "/nodejs/bin"
[images."docker.io/library/node:24-slim".environment]
NODE_ENV = "it's $x"
PATH = "/usr/bin:/bin"
[images."docker.io/library/node:24-alpine"]
digest = "sha256:{"2" * 64}"
environment = {{ PATH = "/usr/local/bin" }}
"""


def test_images_stand_on_what_is_taken_out_of_their_base_and_keep_its_variables(tmp_path: Path) -> None:
    (tmp_path / "bake.lock").write_text(LOCK)
    project, plan = load(tmp_path, CONFIG)
    text = render(project, plan)["Dockerfile"]
    name = next(s.minimal.name for s in plan.services if s.service == "a" and s.minimal)
    stage = text[text.index(f"FROM {PINNED} AS whole-{name}\n") : text.index("FROM node:24-alpine@sha256")]
    environment = """'{"NODE_ENV": "it'"'"'s $x", "PATH": "/usr/bin:/bin"}'"""
    assert [line for line in stage.splitlines() if line and not line.startswith("#")] == [
        f"FROM {PINNED} AS whole-{name}",
        f"FROM --platform=$BUILDPLATFORM node:24 AS files-{name}",
        "ARG TARGETPLATFORM",
        "RUN --mount=type=bind,from=tools,source=carve,target=/bake/carve \\",
        f"    --mount=type=bind,from=whole-{name},target=/bake/base \\",
        "    node /bake/carve/main.mjs minimal --base /bake/base --path /usr/bin:/bin:/nodejs/bin "
        f"--environment {environment} --out /base",
        f"FROM scratch AS {name}",
        'ENV NODE_ENV="it\'s \\$x"',
        'ENV PATH="/usr/bin:/bin"',
        f"COPY --link --from=files-{name} /base/ /",
    ]
    assert f"FROM {name} AS service-a\n" in text
    assert f"FROM {PINNED} AS service-b\n" in text
    assert {s.service: (s.minimal is not None, s.lacks_shell, s.libc) for s in plan.services} == {
        "a": (True, True, "glibc"),
        "b": (False, False, "glibc"),
        "c": (True, True, "musl"),
    }
    settings = {s.service: image_settings(plan, plan.image(s.service), s) for s in plan.services}
    assert settings["a"]["config services.a.minimal"] == "True"
    assert settings["a"]["base environment.NODE_ENV"] == "it's $x"
    assert settings["b"]["config services.b.minimal"] == "False"


def test_a_base_that_bake_lock_does_not_describe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, '[base]\nminimal = true\n[services.a]\npackage = "a"\n')
    assert str(raised.value) == (
        "bake.toml: a minimal base needs what bake.lock does not say of node:24-slim: the variables that it sets; "
        "run `bake lock`"
    )


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            '[base]\nruntime = "minimal"\n[services.a]\npackage = "a"\n',
            "base.runtime: `minimal` is no image; name the one that has Node, and set base.minimal = true",
        ),
        (
            '[services.a]\npackage = "a"\nbase = "minimal"\n',
            "services.a.base: `minimal` is no image; name the one that has Node, and set services.a.minimal = true",
        ),
        (
            '[base]\nminimal = true\n[services.a]\npackage = "a"\nsystem = ["git"]\n',
            "base.minimal: services.a has `system`, packages of the distribution that need all of the base",
        ),
        (
            '[bases.media]\ndockerfile = "D"\n[services.a]\npackage = "a"\nbase = "media"\nminimal = true\n',
            "services.a.minimal: `media` is a base of your own; leave out there what images need not have",
        ),
        (
            '[base]\npin = false\nminimal = true\n[services.a]\npackage = "a"\n',
            "base.minimal: needs base.pin, or a digest in `node:24-slim`: `bake lock` records what the image sets",
        ),
    ],
)
def test_what_does_not_go_with_it_is_told(tmp_path: Path, config: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, config)
    assert raised.value.complaints == (f"bake.toml: {complaint}",)


def test_what_its_images_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "bake.lock").write_text(LOCK)
    config = CONFIG.replace('"a"\n', '"a"\ncommand = "/usr/sbin/nginx -g x"\n').replace("minimal = false\n", "")
    config = config.replace('"b"\n', '"b"\ncommand = "sh -c x"\n').replace('"c"\n', '"c"\ncommand = "tsx x.ts"\n')
    project, plan = load(tmp_path, config)
    assert [(f.where, f.what, f.remedy) for f in check(project, plan) if f.rule == "shell"] == [
        (
            "a",
            "its command starts /usr/sbin/nginx, and a minimal base has no program but Node",
            "start the process itself, `node FILE`, or take its whole base, `minimal = false`",
        ),
        (
            "b",
            "its command `sh -c x` needs a shell, which a minimal base has not",
            "start the process itself, `node FILE`, or take its whole base, `minimal = false`",
        ),
        (
            "c",
            "its command `tsx` is a script for /usr/bin/env, which a minimal base has not",
            "start its file, `node node_modules/…`, or take its whole base, `minimal = false`",
        ),
    ]


def test_a_command_that_is_a_script_brings_env_to_its_service_alone(tmp_path: Path) -> None:
    (tmp_path / "bake.lock").write_text(LOCK)
    config = CONFIG.replace("minimal = false\n", "").replace('"b"\n', '"b"\ncommand = "tsx x.ts"\n')
    project, plan = load(tmp_path, config)
    text = render(project, plan)["Dockerfile"]
    assert {s.service: s.libraries for s in plan.services} == {"a": False, "b": True, "c": False}
    assert text.count("--out /libraries --program usr/bin/env\n") == 1
    assert [f.what for f in check(project, plan) if f.rule == "shell"] == []


def test_what_an_image_sets_is_read_from_its_settings() -> None:
    given = ["PATH=/usr/bin", "NODE_OPTIONS=--a=b", "odd"]
    assert told_environment({"config": {"Env": given}}) == {"PATH": "/usr/bin", "NODE_OPTIONS": "--a=b"}
    assert told_environment({}) == {}
