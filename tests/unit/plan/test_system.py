"""Packages of the distribution: which services get them, in which layers, and what installs them."""

import json
import re
from pathlib import Path

import pytest

from bake.errors import ConfigError
from bake.plan import Plan, Request, emulated_work, make_plan
from bake.project import Project, load_project
from bake.render import render

SERVICES = """\
[base]
system = ["openssl"]
[services.a]
package = "a"
[services.b]
package = "b"
system = ["ffmpeg", "openssl"]
[services.c]
package = "c"
base = "node:24-alpine"
system = ["git=2.49.1-r0", "jq"]
"""


def load(root: Path, text: str) -> tuple[Project, Plan]:
    """Services a, b and c."""
    manifests = {p: {"name": p, "version": "1.0.0", "scripts": {"start": "node x.js"}} for p in "abc"}
    (root / "package.json").write_text(json.dumps({"name": "w", "workspaces": ["a", "b", "c"]}))
    for path, manifest in manifests.items():
        (root / path).mkdir()
        (root / path / "package.json").write_text(json.dumps(manifest))
    links = {f"node_modules/{p}": {"resolved": p, "link": True} for p in "abc"}
    packages = {"": {"name": "w", "workspaces": ["a", "b", "c"]}, **manifests, **links}
    (root / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    (root / "bake.toml").write_text(f'[project]\nname = "w"\n{text}')
    project = load_project(root / "bake.toml", {})
    return project, make_plan(project, Request())


def test_services_share_those_of_the_base_and_add_their_own(tmp_path: Path) -> None:
    project, plan = load(tmp_path, SERVICES)
    assert {s.service: s.system for s in plan.services} == {
        "a": (("openssl",),),
        "b": (("openssl",), ("ffmpeg",)),
        "c": (("git=2.49.1-r0", "jq"),),
    }
    assert emulated_work(project.config) == ("the packages of `system`",)


def test_a_stage_below_every_copy_installs_them_with_the_secrets_of_installs(tmp_path: Path) -> None:
    project, plan = load(tmp_path, f'{SERVICES}[secrets.ca]\nfile = "ca.pem"\nrequired = false\n')
    text = render(project, plan)["Dockerfile"]
    stage = text[text.index("FROM node:24-alpine AS system-c") : text.index("FROM system-c AS service-c")]
    assert stage.splitlines()[:5] == [
        "FROM node:24-alpine AS system-c",
        "USER root",
        "RUN --mount=type=secret,id=ca,target=/run/secrets/ca --mount=type=tmpfs,target=/tmp \\",
        "    --mount=type=bind,from=tools,source=system.sh,target=/bake/system.sh \\",
        "    NODE_EXTRA_CA_CERTS=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca sh /bake/system.sh git=2.49.1-r0 jq",
    ]
    assert len(re.findall(r"sh /bake/system\.sh openssl\n", text)) == 2


def test_without_any_there_is_no_stage_and_no_program(tmp_path: Path) -> None:
    project, plan = load(tmp_path, '[services.a]\npackage = "a"\n')
    files = render(project, plan)
    assert ("tools/system.sh" in files, "system-" in files["Dockerfile"]) == (False, False)
    assert emulated_work(project.config) == ()


@pytest.mark.parametrize("name", ["-y", "git-", "a b", "$(id)", ""])
def test_a_name_that_is_an_option_or_removes_a_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'[base]\nsystem = [{json.dumps(name)}]\n[services.a]\npackage = "a"\n')
    what = "a package of the distribution, like `git` or `git=1:2.39.5-0+deb12u2`"
    assert caught.value.complaints == (f"bake.toml: base.system[0]: {name!r} is not {what}",)
