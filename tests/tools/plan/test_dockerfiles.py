"""Services with a Dockerfile of their own: in plans, bake files, content tags, reasons, compose and manifests."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bake.build.present import Resolve, load_marks
from bake.cli import main
from bake.compose import render_compose
from bake.config import parse_config
from bake.errors import ConfigError, WorkspaceError
from bake.inputs import load_contents, load_inputs
from bake.plan import Plan, Request, check, make_plan, name_images, plan_cache, select
from bake.project import Project, load_project
from bake.publish import Release, make_matrix, make_workload, render_workloads
from bake.publish.release import ReleasedImage, ReleasedPlatform
from bake.render import render, render_bake_file, seen_by_builds
from tests.git_workspace import GitWorkspace, make_git_workspace

SERVICE = """
[services.ml]
dockerfile = "services/ml/Dockerfile"
args.VERSION = "{sha}"
port = 8000
health = "/healthz"
writable = ["/tmp"]
user = "1000:1000"
"""
DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG BASE=python:3.12-slim
FROM golang:1.24 AS unused
FROM ${BASE} AS wheels
COPY requirements.txt ./
RUN <<END
FROM nothing
END
FROM python:3.12-slim AS runtime
COPY --from=wheels /wheels /wheels
COPY --from=ghcr.io/acme/tool:1 /tool /tool
COPY src src
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = make_git_workspace(tmp_path_factory.mktemp("template"))
    shop.write("bake.toml", (shop.root / "bake.toml").read_text() + SERVICE)
    shop.write("services/ml/Dockerfile", DOCKERFILE)
    shop.write("services/ml/.dockerignore", "tests\n*.md\n")
    shop.write("services/ml/.gitignore", "data\n")
    for file in ("requirements.txt", "src/app.py", "tests/test_app.py", "README.md"):
        shop.write(f"services/ml/{file}", "x\n")
    shop.commit()
    return shop.root


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(Path(shutil.copytree(template, tmp_path / "shop")))


def planned(shop: GitWorkspace, **request: Any) -> tuple[Project, Plan]:
    project = load_project(shop.root / "bake.toml", {})
    return project, make_plan(project, Request(revision="a" * 40, branch="main", **request))


def bake_file(shop: GitWorkspace) -> Mapping[str, Any]:
    """The bake file as real buildx reads it."""
    project, plan = planned(shop)
    text = render_bake_file(project, plan, name_images(project, plan), plan_cache(project, plan))
    (shop.root / "x.hcl").write_text(text)
    words = ["docker", "buildx", "bake", "-f", "x.hcl", "--print"]
    printed: Mapping[str, Any] = json.loads(
        subprocess.run(words, cwd=shop.root, capture_output=True, check=True).stdout
    )
    return printed


def test_it_is_a_target_of_the_group_with_a_copy_of_its_dockerfile_and_its_context(shop: GitWorkspace) -> None:
    printed = bake_file(shop)
    assert printed["group"]["all"]["targets"] == ["api", "web", "ml"]
    target = printed["target"]["ml"]
    assert (target["context"], target["dockerfile"]) == ("services/ml", "../../.bake/services/ml/Dockerfile")
    assert target["args"] == {"VERSION": "a" * 12}
    assert (target["platforms"], target["tags"]) == (["linux/amd64"], ["shop-ml:" + "a" * 12])
    assert "target" not in target


def test_the_context_of_a_dockerfile_in_its_root_is_the_root(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", 'args.VERSION = "{sha}"', 'context = "."\ntarget = "runtime"')
    target = bake_file(shop)["target"]["ml"]
    assert (target["context"], target["dockerfile"]) == (".", ".bake/services/ml/Dockerfile")
    assert target["target"] == "runtime"


def test_the_monolith_in_a_context_of_its_own_is_found_there(shop: GitWorkspace) -> None:
    shop.write("bake.toml", (shop.root / "bake.toml").read_text() + '[monolith]\ndockerfile = "old/Dockerfile"\n')
    shop.write("old/Dockerfile", "FROM scratch\n")
    assert (plan := planned(shop)[1]).monolith
    assert plan.monolith.recipe.dockerfile_from_context == "old/Dockerfile"
    shop.replace("bake.toml", "[monolith]", '[monolith]\ncontext = "old"')
    assert (found := planned(shop)[1].monolith)
    assert found.recipe.dockerfile_from_context == "Dockerfile"


def test_its_build_gets_what_its_dockerignore_and_git_leave(shop: GitWorkspace) -> None:
    for path in ("data/huge.bin", "src/.env", "src/dist/x", "src/node_modules/x", "src/new.py"):
        shop.write(f"services/ml/{path}", "x")
    project, plan = planned(shop)
    file = project.dockerfiles["ml"]
    assert file.sources == (".dockerignore", ".gitignore", "Dockerfile", "requirements.txt", "src/app.py", "src/new.py")
    assert render(project, plan)["services/ml/Dockerfile"] == DOCKERFILE
    assert render(project, plan)["services/ml/Dockerfile.dockerignore"] == file.ignore


def test_an_empty_dockerignore_of_its_dockerfile_goes_before_that_of_its_context(shop: GitWorkspace) -> None:
    shop.write("services/ml/tests/x.py", "x")
    assert "tests/x.py" not in planned(shop)[0].dockerfiles["ml"].sources
    shop.write("services/ml/Dockerfile.dockerignore", "")
    assert "tests/x.py" in planned(shop)[0].dockerfiles["ml"].sources


def test_what_git_tracks_in_spite_of_its_name_is_there_unless_its_dockerignore_says_no(shop: GitWorkspace) -> None:
    shop.write("services/ml/src/ca.pem", "x")
    shop.write("services/ml/tests/ca.pem", "x")
    shop.commit()
    assert [s for s in planned(shop)[0].dockerfiles["ml"].sources if s.endswith(".pem")] == ["src/ca.pem"]


def test_patterns_of_the_root_count_in_a_context_below_it(shop: GitWorkspace) -> None:
    ignored = "services/ml/models\n/services/*/cache\n/elsewhere\n!keep\n"
    shop.write(".gitignore", (shop.root / ".gitignore").read_text() + ignored)
    lines = planned(shop)[0].dockerfiles["ml"].ignore.splitlines()
    assert lines[1:9] == ["tests", "*.md", "**/dist", "**/node_modules", "**/.bake", "models", "cache", "!**/keep"]
    assert "**/data" in lines
    assert not any("elsewhere" in line for line in lines)


NOW: Resolve = lambda names: dict.fromkeys(names, f"sha256:{'a' * 64}")  # noqa: E731


def test_its_content_tag_follows_the_base_images_of_the_stages_that_it_is_made_from(shop: GitWorkspace) -> None:
    project, plan = planned(shop)
    assert plan.dockered[0].bases == ("ghcr.io/acme/tool:1", "python:3.12-slim")
    marks = load_marks(project, plan, load_inputs(project, plan, render(project, plan)), NOW)
    assert sorted(marks) == ["api", "ml", "web"]
    assert sorted(marks["ml"].bases) == ["ghcr.io/acme/tool:1", "python:3.12-slim"]


def test_a_base_image_that_nobody_can_tell_leaves_it_without_a_content_tag(shop: GitWorkspace) -> None:
    shop.replace("services/ml/Dockerfile", "FROM python:3.12-slim AS", "FROM python:$UNKNOWN AS")
    project, plan = planned(shop)
    assert sorted(load_marks(project, plan, load_inputs(project, plan, render(project, plan)), NOW)) == ["api", "web"]


def contents(shop: GitWorkspace) -> str:
    project, plan = planned(shop)
    return load_contents(project, plan)["ml"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("services/ml/src/app.py", "source services/ml/src/app.py"),
        ("services/ml/Dockerfile", "template services/ml/Dockerfile"),
        ("services/ml/README.md", None),
        ("services/ml/tests/test_app.py", None),
        ("services/api/src/index.ts", None),
    ],
)
def test_an_edit_affects_it_where_its_build_gets_the_file(shop: GitWorkspace, path: str, reason: str | None) -> None:
    before = contents(shop)
    shop.write(path, (shop.root / path).read_text() + "# more\n")
    assert shop.reasons().get("ml", []) == ([reason] if reason else [])
    assert (contents(shop) != before) is bool(reason)
    project, plan = planned(shop)
    assert seen_by_builds(project, plan)(path) is (reason is not None or "api" in path)


def test_a_change_of_its_table_affects_it_and_nothing_else(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", '"{sha}"', '"2"')
    sha = shop.git("rev-parse", "HEAD")[:12]
    assert shop.reasons() == {"ml": [f"argument services.ml.args.VERSION: {sha} -> 2"]}
    shop.replace("bake.toml", "port = 8000", "target = 'runtime'\nport = 8000")
    assert shop.reasons()["ml"][0] == "config services.ml.target: (none) -> runtime"


def test_a_new_one_is_new_and_leaves_the_others_as_they_are(shop: GitWorkspace) -> None:
    shop.write(
        "bake.toml", (shop.root / "bake.toml").read_text() + '[services.proxy]\ndockerfile = "proxy/Dockerfile"\n'
    )
    shop.write("proxy/Dockerfile", "FROM nginx\n")
    assert shop.reasons() == {"proxy": ["config new image"]}


def test_it_is_chosen_by_name_and_pattern_and_has_a_job_of_its_own(shop: GitWorkspace) -> None:
    project, plan = planned(shop)
    assert select(project.config, ["m*"]) == ("ml",)
    assert [job.name for job in make_matrix(plan, by="service", runners={})] == ["api", "web", "ml"]


def test_what_is_named_and_not_there_is_told_before_a_build(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "port = 8000", "target = 'runtim'")
    project, plan = planned(shop)
    assert [str(f) for f in check(project, plan) if f.services == ("ml",)] == [
        "bake.toml: services.ml.target: services/ml/Dockerfile has no stage 'runtim' (in ml); did you mean `runtime`?"
    ]
    shop.replace("bake.toml", "target = 'runtim'", 'context = "services/m"')
    project, plan = planned(shop)
    assert [str(f) for f in check(project, plan) if f.services == ("ml",)] == [
        "bake.toml: services.ml.context: no folder 'services/m' with files (in ml); correct it"
    ]
    shop.replace("bake.toml", 'context = "services/m"', "")
    (shop.root / "services/ml/Dockerfile").unlink()
    project, plan = planned(shop)
    assert [f.what for f in check(project, plan) if f.services == ("ml",)] == ["no file 'services/ml/Dockerfile'"]


def test_a_dockerfile_behind_a_link_out_of_the_workspace_is_refused(shop: GitWorkspace, tmp_path: Path) -> None:
    (shop.root / "services/ml/Dockerfile").unlink()
    (shop.root / "services/ml/Dockerfile").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceError) as caught:
        planned(shop)
    assert caught.value.where == "bake.toml: services.ml.dockerfile"


def test_compose_builds_it_by_its_dockerfile_and_watches_its_context(shop: GitWorkspace) -> None:
    project, plan = planned(shop)
    service = yaml.safe_load(render_compose(project, plan))["services"]["ml"]
    assert service["build"] == {
        "context": "../services/ml",
        "dockerfile": "../../.bake/services/ml/Dockerfile",
        "args": {"VERSION": "a" * 12},
    }
    assert [rule["path"] for rule in service["develop"]["watch"]] == ["../services/ml"]
    assert "healthcheck" not in service


def test_commands_that_tell_of_images_tell_of_it_too(
    shop: GitWorkspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.root)
    assert main(["inputs", "ml", "--format", "tilt"]) == 0
    assert '"services/ml"' in capsys.readouterr().out
    assert main(["why", "ml", "src/app.py"]) == 0
    assert capsys.readouterr().out == "ml may have src/app.py: its own Dockerfile says what is in it\n"
    assert main(["audit", "ml"]) == 2
    assert "targets: name no image that is made of a package; see `bake list`" in capsys.readouterr().err


def test_its_manifest_has_its_port_probes_and_volumes(shop: GitWorkspace) -> None:
    project, plan = planned(shop)
    digest = "sha256:" + "a" * 64
    part = ReleasedPlatform(platform="linux/amd64", digest=digest, bytes=1)
    image = ReleasedImage(image="ml", repository="ghcr.io/x/shop-ml", digest=digest, platforms=(part,), bytes=1)
    files = render_workloads(
        [make_workload(project.config, i) for i in plan.dockered], Release(project="shop", images=(image,))
    )
    deployment, service = yaml.safe_load_all(files["ml.yaml"])
    for document in (deployment, service):
        kubernetes_validate.validate(document, "1.33", strict=True)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def test_keys_that_only_a_package_or_only_a_dockerfile_has_are_told_apart() -> None:
    text = """
[project]
name = "shop"
[services.ml]
dockerfile = "Dockerfile"
package = "x"
command = "python app.py"
env.A = "b"
writable = ["cache"]
[services.two]
dockerfile = "Dockerfile"
[services.two.roles.api]
[services.api]
package = "x"
target = "y"
[services.none]
"""
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    rest = "does not go with `dockerfile`, which says what is in the image and runs"
    assert caught.value.complaints == (
        f"bake.toml: services.ml.package: {rest}",
        f"bake.toml: services.ml.command: {rest}",
        f"bake.toml: services.ml.env: {rest}",
        "bake.toml: services.ml.writable: 'cache' is not absolute, and there is no package it could be in",
        f"bake.toml: services.two.roles: {rest}",
        "bake.toml: services.api.target: has no meaning without services.api.dockerfile",
        "bake.toml: services.none.package: missing; a service is a package, or has a `dockerfile`",
    )
