"""A service in the workspace's root package: its stage, its files, what affects it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.commands import command_parser
from bake.commands import list as list_
from bake.console import Console
from bake.errors import ConfigError
from bake.inputs import load_contents
from bake.plan import Plan, Request, make_plan
from bake.project import Project, load_project
from bake.render import render, render_ignore
from bake.session import Session
from bake.workspace import Part, load_parts, parse_dockerignore
from tests.git_workspace import GitWorkspace
from tests.root_app import write_root_app


@pytest.fixture
def shop(tmp_path: Path) -> GitWorkspace:
    write_root_app(tmp_path)
    workspace = GitWorkspace(tmp_path)
    workspace.git("init", "-q", "-b", "main")
    workspace.commit()
    return workspace


def planned(root: Path) -> tuple[Project, Plan]:
    project = load_project(root / "bake.toml", {})
    return project, make_plan(project, Request())


def dockerfile(root: Path) -> str:
    return render(*planned(root))["Dockerfile"]


def stage(text: str, name: str) -> list[str]:
    """The instructions of a stage, without RUN's."""
    lines = text.partition(f" AS {name}\n")[2].partition("\nFROM ")[0].splitlines()
    return [line for line in lines if line.startswith(("COPY", "WORKDIR", "ENV"))]


def test_the_root_is_built_after_the_members_that_it_needs_and_from_its_own_files(shop: GitWorkspace) -> None:
    assert stage(dockerfile(shop.root), "build-root-e3b0") == [
        'COPY --from=build-packages-lib ["/app/packages/lib/", "/app/packages/lib/"]',
        'COPY --from=build-packages-tool ["/app/packages/tool/", "/app/packages/tool/"]',
        'COPY ["/[p]ackage.json", "/[t]sconfig.json", "/app/"]',
        'COPY ["/[a]ssets", "/app/assets/"]',
        'COPY ["/packages/[R]EADME.md", "/app/packages/"]',
        'COPY ["/[s]rc", "/app/src/"]',
        "WORKDIR /app",
    ]


def test_a_repository_without_workspaces_is_copied_as_a_whole(tmp_path: Path) -> None:
    write_root_app(tmp_path, members=False)
    assert stage(dockerfile(tmp_path), "build-root-e3b0") == ['COPY ["/", "/app/"]', "WORKDIR /app"]


def test_everything_in_one_stage_holds_the_root_too(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "[services.shop]", '[workspace]\nbuild = "whole"\n\n[services.shop]')
    text = dockerfile(shop.root)
    assert 'COPY ["/[s]rc", "/app/src/"]' in stage(text, "build-whole")
    assert "    cd . && npm run build\n" in text


def test_the_closure_of_the_root_is_its_dependencies_only(shop: GitWorkspace) -> None:
    _, plan = planned(shop.root)
    service = next(s for s in plan.services if s.service == "shop")
    assert service.closure.entries == ("node_modules/@shop/lib",)
    assert service.closure.packages == ("", "packages/lib")
    assert plan.image("shop").command == ("node", "dist/main.js")


def test_the_image_of_the_root_starts_in_the_tree_itself(shop: GitWorkspace) -> None:
    text = dockerfile(shop.root)
    assert "WORKDIR /app" in stage(text, "service-shop")
    assert "/app/\n" not in text
    assert "/app//" not in text


def test_a_command_by_name_is_found_among_the_root_s_own_binaries(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", 'package = "."', 'package = "."\ncommand = "serve-it"')
    assert "ENV PATH=/app/node_modules/.bin:$PATH" in stage(dockerfile(shop.root), "service-shop")


def test_files_of_the_root_are_served_from_its_folder(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", 'package = "."', 'package = "."\nstatic = "dist"')
    _, plan = planned(shop.root)
    assert plan.image("shop").command == ("node", "/app/serve.mjs", "/app/dist")


def test_what_is_carved_of_the_root_leaves_out_the_members(shop: GitWorkspace) -> None:
    specification = json.loads(render(*planned(shop.root))["plan/packages/root-e3b0.json"])
    assert specification["path"] == ""
    assert specification["others"] == ["packages/lib", "packages/tool", "packages/unused", "packages/worker"]


@pytest.mark.parametrize("name", [".", "./", "@shop/root"])
def test_the_root_is_named_by_a_dot_or_its_name(shop: GitWorkspace, name: str) -> None:
    shop.replace("bake.toml", 'package = "."', f'package = "{name}"')
    shop.replace("bake.toml", "[services.worker]", '[packages."."]\nbuild = false\n\n[services.worker]')
    _, plan = planned(shop.root)
    assert [(s.package, s.script) for s in plan.builds.stages if not s.package] == [("", "")]


def test_no_build_can_need_the_root(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "[services.worker]", '[packages."packages/lib"]\nneeds = ["."]\n\n[services.worker]')
    with pytest.raises(ConfigError) as caught:
        planned(shop.root)
    assert caught.value.complaints == (
        "bake.toml: packages.\"packages/lib\".needs: no package '.' in the workspace; see `bake list --packages`",
    )


def test_the_root_needs_what_its_tsconfig_refers_to_but_not_what_it_maps_for_all(shop: GitWorkspace) -> None:
    paths = {"paths": {"@shop/unused": ["./packages/unused"]}}
    shop.write("tsconfig.json", json.dumps({"compilerOptions": paths, "references": [{"path": "./tsconfig.app.json"}]}))
    shop.write("tsconfig.app.json", json.dumps({"references": [{"path": "packages/worker"}]}))
    project, _ = planned(shop.root)
    assert project.workspace.needs("") == ("packages/lib", "packages/tool", "packages/worker")


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("src/main.js", False),
        ("new-folder/new.js", False),
        ("packages/lib/src/index.js", False),
        ("packages/README.md", False),
        ("packages/unused/index.js", True),
        ("packages/unused/package.json", True),
        ("packages/lib/node_modules/x/index.js", True),
        ("node_modules/x/index.js", True),
        ("dist/main.js", True),
        (".github/workflows/ci.yml", True),
        ("bake.toml", True),
        (".bake/Dockerfile", True),
        ("package-lock.json", True),
        ("README.md", False),
        (".env", True),
    ],
)
def test_the_context_has_the_root_s_files_without_members_that_no_image_needs(
    shop: GitWorkspace, path: str, ignored: bool
) -> None:
    assert parse_dockerignore(render_ignore(*planned(shop.root)))(path) is ignored


@pytest.mark.parametrize(
    ("path", "reasons"),
    [
        ("src/main.js", {"shop": ["source src/main.js"]}),
        ("new/file.js", {"shop": ["source new/file.js"]}),
        ("packages/tool/index.js", {"shop": ["source packages/tool/index.js ( > packages/tool)"]}),
        ("packages/worker/index.js", {"worker": ["source packages/worker/index.js"]}),
        (
            "packages/lib/src/index.js",
            {
                "shop": ["source packages/lib/src/index.js ( > packages/lib)"],
                "worker": ["source packages/lib/src/index.js (packages/worker > packages/lib)"],
            },
        ),
        ("packages/unused/index.js", {}),
        (".github/workflows/ci.yml", {}),
        ("README.md", {"shop": ["source README.md"]}),
    ],
)
def test_a_change_affects_the_root_s_image_where_its_own_files_or_needs_change(
    shop: GitWorkspace, path: str, reasons: Mapping[str, list[str]]
) -> None:
    shop.write(path, "// changed\n")
    assert shop.reasons() == reasons


def test_a_shared_file_of_the_root_affects_every_image(shop: GitWorkspace) -> None:
    shop.write("tsconfig.json", '{"compilerOptions": {}}\n')
    reasons = shop.reasons()
    assert reasons["worker"] == ["config tsconfig.json"]
    assert reasons["shop"] == ["config tsconfig.json", "source tsconfig.json"]


@pytest.mark.parametrize(("path", "changed"), [("src/main.js", True), ("packages/worker/index.js", False)])
def test_the_content_of_the_root_s_image_follows_its_own_files(shop: GitWorkspace, path: str, changed: bool) -> None:
    before = load_contents(*planned(shop.root))
    shop.write(path, "// changed\n")
    assert (load_contents(*planned(shop.root))["shop"] != before["shop"]) is changed


def test_folders_around_other_packages_are_listed_one_by_one(tmp_path: Path) -> None:
    for path in ("api/src/a.js", "api/plugins/x/x.js", "api/plugins/note", "api/node_modules/y/y.js", "api/[id].js"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("", encoding="utf-8")
    assert load_parts(tmp_path, "api", ()) == (Part(paths=("api",), folder="api"),)
    assert load_parts(tmp_path, "api", ("api/plugins/x",)) == (
        Part(paths=("api/[id].js",), folder="api", listed=True),
        Part(paths=("api/plugins/note",), folder="api/plugins", listed=True),
        Part(paths=("api/src",), folder="api/src", listed=True),
    )


def test_the_command_line_calls_the_root_a_dot(shop: GitWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command_parser("list").parse_args(["shop", "--format", "json"])
    list_.run(Session(console=Console(environment={}), directory=shop.root), arguments)
    assert json.loads(capsys.readouterr().out)[0]["package"] == "."
