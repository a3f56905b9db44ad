"""Builds get what a clone has: what git tracks, and what it neither tracks nor ignores, but no secret of that kind."""

import json
import re
from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.git import list_ignored
from bake.plan import Request, check, make_plan
from bake.project import Project, load_project
from bake.render import render, render_dockerfile, render_ignore
from bake.workspace import parse_dockerignore
from tests.git_workspace import GitWorkspace, make_git_workspace


def loaded(root: Path) -> Project:
    return load_project(root / "bake.toml", {})


def sends(root: Path, path: str) -> bool:
    project = loaded(root)
    return not parse_dockerignore(render_ignore(project, make_plan(project, Request())))(path)


@pytest.fixture
def shop(tmp_path: Path) -> GitWorkspace:
    return make_git_workspace(tmp_path / "shop")


@pytest.mark.parametrize(
    ("name", "untracked"),
    [
        (".env", False),
        (".env.production", False),
        ("src/keys/public.pem", False),
        ("server.key", False),
        ("dist/assets/logo.svg", False),
        ("README.md", True),
        ("docs/CHANGELOG.md", True),
        ("src/data.txt", True),
    ],
)
def test_a_file_is_sent_where_git_tracks_it_and_else_unless_it_may_be_a_secret_or_a_result(
    shop: GitWorkspace, name: str, *, untracked: bool
) -> None:
    shop.replace(".gitignore", "dist\n", "")
    shop.write(f"services/api/{name}", "x")
    assert sends(shop.root, f"services/api/{name}") is untracked
    shop.commit()
    assert sends(shop.root, f"services/api/{name}")


@pytest.mark.parametrize("name", [".npmrc", ".netrc", "node_modules/ms/index.js"])
def test_logins_and_installs_are_never_sent(shop: GitWorkspace, name: str) -> None:
    shop.write(f"services/api/{name}", "x")
    shop.git("add", "-A", "-f")
    assert not sends(shop.root, f"services/api/{name}")


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("package.json", True),
        ("postcss.config.js", True),
        (".swcrc", True),
        ("schema.graphql", True),
        (".env", True),
        ("README.md", False),
        ("LICENSE", False),
        ("vitest.workspace.ts", False),
        ("docker-compose.yml", False),
        ("package-lock.json", False),
        (".npmrc", False),
        (".env.example", False),
    ],
)
def test_every_build_has_small_files_of_the_root_that_may_be_settings(
    shop: GitWorkspace, name: str, *, shared: bool
) -> None:
    if not (shop.root / name).exists():
        shop.write(name, "x")
    shop.commit()
    project = loaded(shop.root)
    copied = re.findall(r'^COPY \[(.*), "/app/"\]$', render_dockerfile(project, make_plan(project, Request())), re.M)
    assert (f'"/{name}"' in copied[0].split(", ")) is shared
    assert sends(shop.root, name) is shared


def test_secrets_of_the_root_that_git_does_not_track_and_data_are_not_shared(shop: GitWorkspace) -> None:
    for name in (".env", "local.pem", "dist.tsbuildinfo"):
        shop.write(name, "x")
    shop.write("big.json", "x" * 200_000)
    assert loaded(shop.root).root_files == ("package.json", "tsconfig.base.json")


def test_a_linked_file_of_the_root_comes_with_what_it_leads_to(shop: GitWorkspace) -> None:
    shop.write("config/postcss.config.js", "x")
    (shop.root / "postcss.config.js").symlink_to("config/postcss.config.js")
    (shop.root / "outside.json").symlink_to(shop.root.parent / "elsewhere.json")
    (shop.root.parent / "elsewhere.json").write_text("{}", encoding="utf-8")
    files = loaded(shop.root).root_files
    assert {"postcss.config.js", "config/postcss.config.js"} <= set(files)
    assert not [f for f in files if "elsewhere" in f]


def test_without_git_only_the_usual_names_of_secrets_are_left_out(tmp_path: Path) -> None:
    shop = make_git_workspace(tmp_path / "shop")
    for name in (".git", ".gitignore"):
        (shop.root / name).rename(tmp_path / f"away{name}")
    for name in (".env", ".env.production"):
        shop.write(f"services/api/{name}", "x")
    assert not sends(shop.root, "services/api/.env")
    assert sends(shop.root, "services/api/.env.production")


def test_a_repository_that_git_refuses_is_said_and_not_taken_for_none(shop: GitWorkspace) -> None:
    (shop.root / ".git/HEAD").write_text("nonsense", encoding="utf-8")
    with pytest.raises(WorkspaceError) as caught:
        list_ignored(shop.root)
    assert caught.value.what.startswith("git cannot read this checkout (not a git repository")


def test_an_install_gets_the_tarballs_that_dependencies_name(shop: GitWorkspace) -> None:
    shop.replace("services/api/package.json", '"left": "^1.0.0"', '"left": "file:../../vendor/left.tgz"')
    shop.write("vendor/left.tgz", "x")
    shop.commit()
    project = loaded(shop.root)
    text = render_dockerfile(project, make_plan(project, Request()))
    assert text.count('COPY ["/vendor/left.tgz", "/app/vendor/left.tgz"]') == 2
    assert sends(shop.root, "vendor/left.tgz")


def test_an_install_gets_commands_of_packages_that_a_clone_has(shop: GitWorkspace) -> None:
    shop.replace("packages/lib/package.json", '"main"', '"bin": {"a": "./bin/a.js", "b": "dist/b.js"}, "main"')
    shop.write("packages/lib/bin/a.js", "// the command\n")
    shop.write("packages/lib/dist/b.js", "// is built\n")
    shop.commit()
    project = loaded(shop.root)
    files = render(project, make_plan(project, Request()))
    assert files["manifests/packages/lib/bin/a.js"] == "#!/usr/bin/env node\n"
    assert "manifests/packages/lib/dist/b.js" not in files
    assert 'COPY --chmod=0755 ["/packages/lib/bin/a.js", "/app/packages/lib/bin/a.js"]' in files["Dockerfile"]


def test_fields_that_nobody_is_known_not_to_read_reach_an_install(shop: GitWorkspace) -> None:
    more = '"publishConfig": {"directory": "dist"}, "scripts": {"build": "tsc"}, "browserslist": ["last 1 version"],'
    shop.replace("packages/types/package.json", '"version"', f'{more} "version"')
    project = loaded(shop.root)
    files = render(project, make_plan(project, Request()))
    assert set(json.loads(files["manifests/packages/types/package.json"])) == {"name", "version", "publishConfig"}


def test_a_layout_of_npm_s_that_its_lockfile_does_not_tell_is_not_used(shop: GitWorkspace) -> None:
    shop.write(".npmrc", "install-strategy=linked\nlegacy-peer-deps=true\n//r.example/:_authToken=x\n")
    project = loaded(shop.root)
    assert render(project, make_plan(project, Request()))["manifests/.npmrc"] == "legacy-peer-deps=true\n"


ASKS = '[packages."services/api".args]\nGIT_SHA = "{sha} {branch} {version} {other}"\n'


def test_a_build_is_told_the_commit_where_it_asks(shop: GitWorkspace) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text('utf-8')}\n{ASKS}")
    request = Request(revision="0123456789abcdef", branch="main", version="1.2.3")
    stages = {s.package: s.args for s in make_plan(loaded(shop.root), request).builds.stages}
    assert stages["services/api"] == {"GIT_SHA": "0123456789ab main 1.2.3 {other}"}
    assert stages["packages/lib"] == {}


def found(shop: GitWorkspace) -> list[str]:
    project = loaded(shop.root)
    return [str(one) for one in check(project, make_plan(project, Request())) if one.rule == "git"]


def test_a_build_that_asks_git_is_warned_of_unless_it_is_told(shop: GitWorkspace) -> None:
    shop.replace("services/api/package.json", '"build": "tsc"', '"build": "echo $(git rev-parse HEAD) && tsc"')
    assert found(shop) == [
        "services/api/package.json: its build asks git, and a build has no repository (in api); hand over the commit "
        'as packages."services/api".args.GIT_SHA = "{sha}" ({branch} and {version} too), and let it read that variable '
        "first"
    ]
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text('utf-8')}\n{ASKS}")
    assert found(shop) == []


@pytest.mark.parametrize(
    ("host", "config", "said"),
    [
        (
            "git@git.acme.example",
            "",
            "and builds have no SSH key (in api); add [secrets.git] with ssh = true to bake.toml",
        ),
        ("git@git.acme.example", "[secrets.git]\nssh = true\n", ""),
        ("git@git.acme.example", '[secrets.x]\nfile = "~/.gitconfig"\ntarget = "/root/.gitconfig"\n', ""),
        ("git@github.com", "", ""),
    ],
)
def test_a_git_dependency_asks_for_a_key_before_anything_runs(
    shop: GitWorkspace, host: str, config: str, said: str
) -> None:
    shop.replace("package-lock.json", '"integrity": "sha512-left-1.0.0"', f'"resolved": "git+ssh://{host}/a/b.git#c"')
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text('utf-8')}\n{config}")
    assert [said in line for line in found(shop)] == ([True] if said else [])


def test_a_base_without_git_cannot_fetch_git_dependencies(shop: GitWorkspace) -> None:
    shop.replace(
        "package-lock.json", '"integrity": "sha512-left-1.0.0"', '"resolved": "git+ssh://git@g.example/b.git#c"'
    )
    text = (shop.root / "bake.toml").read_text("utf-8")
    shop.write("bake.toml", f'{text}\n[base]\nbuild = "node:24-slim"\n[secrets.git]\nssh = true\n')
    assert found(shop) == [
        "node_modules/left: comes from git+ssh://git@g.example/b.git, and node:24-slim has no git (in api); "
        "name a base.build that has it, such as node:24"
    ]


def test_a_start_file_that_nothing_makes_is_said_before_the_build(shop: GitWorkspace) -> None:
    shop.replace("services/api/package.json", '"build": "tsc"', '"test": "tsc"')
    shop.write("services/api/dist/server.js", "// built here once, and ignored\n")
    project = loaded(shop.root)
    said = [str(one) for one in check(project, make_plan(project, Request())) if "starts" in one.what]
    assert said == [
        "api: its command starts dist/server.js, which git does not hold and no script of the package makes; "
        "give services/api/package.json a script `build`, or correct the command"
    ]
    shop.git("add", "--force", "services/api/dist/server.js")
    project = loaded(shop.root)
    assert not [one for one in check(project, make_plan(project, Request())) if "starts" in one.what]
