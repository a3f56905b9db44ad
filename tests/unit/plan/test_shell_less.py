"""Bases without a shell, or with `node` elsewhere: what is seen of them, and what is said before a build."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.plan import Request, check, make_plan
from bake.project import load_project
from bake.registry.base import BaseTraits, held_traits, told_traits, told_version
from bake.render import render
from tests.unit.plan.test_system import load

DISTROLESS = {"config": {"Entrypoint": ["/nodejs/bin/node"], "Env": ["PATH=/usr/bin:/bin"]}}
CONFIG = """\
[base]
runtime = "gcr.io/distroless/nodejs24"
[services.a]
package = "a"
[services.b]
package = "b"
command = "sh -c 'node x.js'"
[services.c]
package = "c"
command = "tsx x.ts"
system = ["git"]
"""
LOCK = f"""\
version = 1
[images."gcr.io/distroless/nodejs24:latest"]
digest = "sha256:{"1" * 64}"
node = "/nodejs/bin"
lacks-shell = true
"""


def layer(*files: str, links: Mapping[str, str] | None = None) -> bytes:
    """A packed layer with executables and links."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in files:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            tar.addfile(entry)
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("config", "layers", "traits"),
    [
        (DISTROLESS, [layer("nodejs/bin/node"), layer("lib/x")], BaseTraits(node="/nodejs/bin", lacks_shell=True)),
        (DISTROLESS, [layer("nodejs/bin/node", "busybox/bin/sh")], BaseTraits(node="/nodejs/bin")),
        ({}, [layer("./usr/bin/node")], BaseTraits(lacks_shell=True)),
        ({}, [layer("./usr/bin/node", links={"bin/sh": "dash"})], BaseTraits()),
        ({}, [layer("opt/node/bin/node")], BaseTraits(node="/opt/node/bin", lacks_shell=True)),
        (DISTROLESS, [b"zstd or so"], BaseTraits(node="/nodejs/bin")),
    ],
)
def test_layers_tell_where_node_is_and_whether_there_is_a_shell(
    config: Mapping[str, object], layers: list[bytes], traits: BaseTraits
) -> None:
    assert held_traits(config, layers) == traits


def test_an_image_whose_build_ran_commands_has_a_shell_and_its_layers_stay_where_they_are() -> None:
    assert told_traits({"history": [{"created_by": "RUN /bin/sh -c set -ex # buildkit"}]}) == BaseTraits()
    assert told_traits({"history": [{"created_by": "COPY / / # buildkit"}]}) is None


def test_its_node_is_on_path_and_what_needs_a_shell_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bake.lock").write_text(LOCK)
    project, plan = load(tmp_path, CONFIG)
    assert render(project, plan)["Dockerfile"].count("ENV PATH=$PATH:/nodejs/bin\n") == 3
    base = f"gcr.io/distroless/nodejs24@sha256:{'1' * 64}"
    found = [(f.where, f.what, f.remedy) for f in check(project, plan) if f.rule == "shell"]
    assert found == [
        (
            "b",
            f"its command `sh -c node x.js` needs a shell, which {base} has not",
            "start the process itself, `node FILE`, or name a base with a shell for it",
        ),
        (
            "c",
            f"`system` needs apt or apk, which {base} has not",
            "name a base with a shell for it",
        ),
        (
            "c",
            f"its command `tsx` is a script for /usr/bin/env, which {base} has not",
            "start its file, `node node_modules/…`, or name a base with a shell for it",
        ),
    ]


@pytest.mark.parametrize(
    ("env", "version"), [(["PATH=/", "NODE_VERSION=24.11.1"], "24.11.1"), (["NODE_VERSION=lts"], ""), (["PATH=/"], "")]
)
def test_node_s_version_is_what_its_images_say(env: list[str], version: str) -> None:
    assert told_version({"config": {"Env": env}}) == version


OTHER_NODE = (
    "a/package.json: engines.node wants >=26, and gcr.io/distroless/nodejs24 has Node 24.11.1 (in a); "
    "name another base, or correct engines.node"
)


@pytest.mark.parametrize(
    ("locked", "wanted", "found"),
    [
        ("24.11.1", ">=22", []),
        ("24.11.1", "whatever", []),
        ("", ">=26", []),
        ("24.11.1", ">=26", [OTHER_NODE]),
    ],
)
def test_engines_that_the_locked_base_does_not_satisfy_are_a_warning(
    tmp_path: Path, locked: str, wanted: str, found: list[str]
) -> None:
    (tmp_path / "bake.lock").write_text(LOCK + (f'node-version = "{locked}"\n' if locked else ""))
    load(tmp_path, CONFIG)
    manifest = json.loads((tmp_path / "a/package.json").read_text())
    (tmp_path / "a/package.json").write_text(json.dumps({**manifest, "engines": {"node": wanted}}))
    project = load_project(tmp_path / "bake.toml", {})
    assert [str(f) for f in check(project, make_plan(project, Request())) if f.rule == "engines"] == found
