"""Generated files: any string survives HCL, the Dockerfile is what the plan says, credentials stay out."""

import dataclasses
import json
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bake.errors import BakeError
from bake.plan import Plan, Request, make_plan, name_images, plan_cache
from bake.project import Project, load_project
from bake.render import render, render_bake_file, render_dockerfile, render_ignore
from bake.render.bakefile import hcl


def bake_print(folder: Path, text: str, target: str = "all") -> Mapping[str, Any]:
    """The bake file as real buildx reads it; needs no daemon."""
    file = folder / "docker-bake.hcl"
    file.write_text(text, encoding="utf-8")
    words = ["docker", "buildx", "bake", "-f", str(file), "--print", target]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed: Mapping[str, Any] = json.loads(done.stdout)
    return printed


def unprinted(text: str) -> str:
    """What buildx means by a printed value: `--print` escapes templates again, so that its output is a bake file."""
    return text.replace("$${", "${").replace("%%{", "%{")


# Everything that TOML can hold: all of Unicode but lone surrogates.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_NASTY = ["${x}", "%{if}", "$${", "%%{", '"', "\\", "\n\r\t\b\f\0", "\u2028\ufeff", "🍞", "é", "$", "%", "<<EOF", "#"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.one_of(_TEXTS, st.sampled_from(_NASTY)), min_size=40, max_size=60))
def test_any_string_survives_the_bake_file(tmp_path: Path, texts: list[str]) -> None:
    table = {f"key {i} {text}": text for i, text in enumerate([*texts, *_NASTY])}
    printed = bake_print(tmp_path, f'target "all" {{\n  context = "."\n  labels = {hcl(table)}\n}}\n')
    # HCL normalises strings to NFC (zclconf/go-cty); that is the one thing that changes.
    wanted = {unicodedata.normalize("NFC", k): unicodedata.normalize("NFC", v) for k, v in table.items()}
    assert {k: unprinted(v) for k, v in printed["target"]["all"]["labels"].items()} == wanted


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(BakeError) as caught:
        hcl("a\ud83d")
    assert str(caught.value) == "docker-bake.hcl: cannot hold the lone surrogate U+D83D; remove it"


def bake_file(project: Project, plan: Plan) -> str:
    return render_bake_file(project, plan, name_images(project, plan), plan_cache(project, plan))


def test_buildx_reads_the_plan_back(tmp_path: Path, example_project: Project, example_plan: Plan) -> None:
    printed = bake_print(tmp_path, bake_file(example_project, example_plan))
    targets = printed["target"]
    assert set(targets) == {i.target for i in example_plan.images}
    for image in example_plan.images:
        target = targets[image.target]
        assert target["labels"] == image.labels
        assert target["tags"] == list(name_images(example_project, example_plan)[image.target].references)
        assert target["target"] == image.stage
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
        assert target["contexts"].keys() == {"manifests", "plan", "tools"}
        assert target["dockerfile"] == ".bake/Dockerfile"


def test_there_is_a_group_for_all_and_one_per_service(
    tmp_path: Path, example_project: Project, example_plan: Plan
) -> None:
    text = bake_file(example_project, example_plan)
    group = bake_print(tmp_path, text, "catalog")["group"]
    assert group["catalog"]["targets"] == [i.target for i in example_plan.images if i.service == "catalog"]
    assert set(bake_print(tmp_path, text, "monolith")["target"]) == {"monolith"}
    assert bake_print(tmp_path, text, "workspace")["target"]["workspace"]["target"] == "workspace"


def test_every_image_inherits_the_workspace_target(example_project: Project, example_plan: Plan) -> None:
    text = bake_file(example_project, example_plan)
    assert text.count('inherits = ["workspace"]') == len(example_plan.images)


def test_roles_differ_in_their_last_stage_only(example_project: Project, example_plan: Plan) -> None:
    text = render_dockerfile(example_project, example_plan)
    last = text[text.index("FROM service-catalog AS image-catalog-worker") :].split("\n\n")[0]
    assert last.splitlines() == [
        "FROM service-catalog AS image-catalog-worker",
        'ENV NODE_ENV="production"',
        "USER 1000:1000",
        "ENTRYPOINT []",
        'CMD ["tsx", "src/worker.ts"]',
    ]


def test_no_stage_copies_the_whole_build_context(example_project: Project, example_plan: Plan) -> None:
    lines = render_dockerfile(example_project, example_plan).splitlines()
    direct = [line for line in lines if line.startswith("COPY ") and "--from=" not in line]
    assert sorted(direct) == sorted(
        [
            'COPY --chmod=0755 ["/apps/cli/bin/apphub.js", "/app/apps/cli/bin/apphub.js"]',
            'COPY ["/package.json", "/tsconfig.base.json", "/tsconfig.json", "/app/"]',
            *(f'COPY ["/{stage.package}/", "/app/{stage.package}/"]' for stage in example_plan.builds.stages),
        ]
    )


def test_the_workspace_copies_all_that_services_copy_so_that_its_cache_serves_them(
    example_project: Project, example_plan: Plan
) -> None:
    copies: dict[str, set[str]] = {}
    stage = ""
    for line in render_dockerfile(example_project, example_plan).splitlines():
        stage = line.rpartition(" ")[2] if line.startswith("FROM ") else stage
        if line.startswith("COPY "):
            copies.setdefault(stage, set()).add(line)
    services = [copies[s] for s in copies if s.startswith("service-")]
    assert len(services) == len(example_plan.services)
    assert set().union(*services) <= copies["workspace"]


def test_a_line_break_cannot_start_another_instruction(example_project: Project, example_plan: Plan) -> None:
    image = dataclasses.replace(example_plan.image("cli"), user="1000\nRUN evil")
    plan = dataclasses.replace(example_plan, images=(image,))
    with pytest.raises(BakeError) as caught:
        render_dockerfile(example_project, plan)
    assert str(caught.value) == "Dockerfile: cannot hold '1000\\nRUN evil'; remove the control characters"


def test_a_value_with_line_breaks_travels_as_a_build_argument(
    tmp_path: Path, example_project: Project, example_plan: Plan
) -> None:
    image = dataclasses.replace(example_plan.image("cli"), env={"KEY": 'a\n"$b"'})
    plan = dataclasses.replace(example_plan, images=(image,))
    assert 'ARG BAKE_ENV_KEY\nENV KEY="${BAKE_ENV_KEY}"' in render_dockerfile(example_project, plan)
    printed = bake_print(tmp_path, bake_file(example_project, plan))
    assert printed["target"]["cli"]["args"]["BAKE_ENV_KEY"] == 'a\n"$b"'


def test_manifests_hold_what_npm_reads_and_nothing_else(example_project: Project, example_plan: Plan) -> None:
    files = render(example_project, example_plan)
    catalog = json.loads(files["manifests/services/catalog/package.json"])
    assert "scripts" not in catalog
    assert "description" not in catalog
    assert catalog["dependencies"]["fastify"]
    assert {f for f in files if f.startswith("manifests/")} == {
        "manifests/package.json",
        "manifests/package-lock.json",
        "manifests/apps/cli/bin/apphub.js",
        *(f"manifests/{p.path}/package.json" for p in example_project.workspace.packages),
    }


def test_what_production_needs_is_no_longer_a_development_dependency(
    example_project: Project, example_plan: Plan
) -> None:
    files = render(example_project, example_plan)
    root, lock = (json.loads(files[f"manifests/{n}.json"]) for n in ("package", "package-lock"))
    assert "tsx" in root["dependencies"]
    assert "tsx" not in root["devDependencies"]
    assert "dev" not in lock["packages"]["node_modules/tsx"]
    assert lock["packages"][""]["dependencies"] == root["dependencies"]


def test_the_context_holds_packages_and_shared_files_only(example_project: Project, example_plan: Plan) -> None:
    lines = render_ignore(example_project, example_plan).splitlines()
    assert lines[1] == "*"
    allowed = [line for line in lines if line.startswith("!") and "*" not in line]
    assert allowed == [
        *(f"!{s.package}" for s in example_plan.builds.stages),
        "!package.json",
        "!tsconfig.base.json",
        "!tsconfig.json",
    ]
    assert {"**/node_modules", "**/.env", "**/.npmrc", "services/catalog/dist"} <= set(lines)


def test_no_image_is_called_like_another_stage(example_project: Project, example_plan: Plan) -> None:
    images = tuple(
        dataclasses.replace(i, target=name)
        for i, name in zip(example_plan.images, ("install", "source", "layers", "build-apps-cli"), strict=False)
    )
    text = render_dockerfile(example_project, dataclasses.replace(example_plan, images=images))
    stages = [line.split(" AS ")[1] for line in text.splitlines() if line.startswith("FROM ")]
    assert len(stages) == len(set(stages))


def test_the_monolith_is_built_for_the_builders_own_platform_unless_asked(
    tmp_path: Path, example_project: Project, example_plan: Plan
) -> None:
    own = bake_print(tmp_path, bake_file(example_project, example_plan), "monolith")["target"]["monolith"]
    assert "platforms" not in own
    plan = make_plan(example_project, Request(platforms=("linux/arm64",)))
    asked = bake_print(tmp_path, bake_file(example_project, plan), "monolith")["target"]["monolith"]
    assert asked["platforms"] == ["linux/arm64"]


def test_globs_of_shared_files_and_inputs_become_the_files_they_name_with_a_copy_per_folder(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "apphub"
    shutil.copytree(example, tmp_path / "w", ignore=shutil.ignore_patterns("node_modules", ".bake", "dist"))
    file = tmp_path / "w" / "bake.toml"
    shared, own = '[workspace]\nfiles = ["tsconfig.base.json"]', 'inputs = ["proto/**", "a?[1].md", "docs/*.md"]'
    text = file.read_text(encoding="utf-8")
    file.write_text(f'{text}\n{shared}\n[packages."services/metastore"]\n{own}\n', encoding="utf-8")
    for name in ("proto/x/y.proto", "ab1.md", "ab2.md", "node_modules/ab1.md", "docs/a.md", "docs/b.md"):
        (tmp_path / "w" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "w" / name).write_text("")
    project = load_project(file, {})
    lines = render_dockerfile(project, make_plan(project, Request())).splitlines()
    copied = [line for line in lines if line.startswith('COPY ["/') and "-" not in line.split('"')[1]]
    assert [line for line in copied if "proto" in line or ".md" in line] == [
        'COPY ["/proto", "/app/proto"]',
        'COPY ["/ab1.md", "/app/ab1.md"]',
        'COPY ["/docs/a.md", "/docs/b.md", "/app/docs/"]',
    ]
    assert 'COPY ["/package.json", "/tsconfig.base.json", "/app/"]' in copied
