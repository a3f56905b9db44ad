"""Which images a change affects: a real git repository, the real planning of both sides."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bake.errors import UsageError, WorkspaceError
from bake.inputs import load_contents
from bake.plan import Request, make_plan
from bake.project import load_project
from bake.render import template_text
from tests.git_workspace import GitWorkspace, make_git_workspace
from tests.shelf import write_shelf


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_git_workspace(tmp_path_factory.mktemp("template")).root


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(Path(shutil.copytree(template, tmp_path / "shop")))


def test_nothing_changed_affects_nothing(shop: GitWorkspace) -> None:
    assert shop.reasons() == {}


def test_a_source_file_affects_the_images_of_its_package(shop: GitWorkspace) -> None:
    shop.write("services/web/src/index.ts", "export const x = 1;\n")
    assert shop.reasons() == {"web": ["source services/web/src/index.ts"]}


def test_a_library_affects_the_images_whose_closure_has_it(shop: GitWorkspace) -> None:
    shop.write("packages/lib/src/index.ts", "export const x = 1;\n")
    assert shop.reasons() == {"api": ["source packages/lib/src/index.ts (services/api > packages/lib)"]}


def test_a_package_that_only_a_build_needs_affects_the_image(shop: GitWorkspace) -> None:
    shop.write("packages/types/src/index.ts", "export type X = 1;\n")
    assert shop.reasons() == {"api": ["source packages/types/src/index.ts (services/api > packages/types)"]}


def test_a_staged_a_committed_and_an_untracked_file_count_alike(shop: GitWorkspace) -> None:
    base = shop.git("rev-parse", "HEAD")
    shop.write("services/web/src/committed.ts", "")
    shop.commit()
    shop.write("services/web/src/staged.ts", "")
    shop.git("add", "-A")
    shop.write("services/web/src/untracked.ts", "")
    files = ("committed", "staged", "untracked")
    assert shop.reasons(base) == {"web": [f"source services/web/src/{name}.ts" for name in files]}


def test_a_file_that_only_a_persons_own_settings_ignore_affects_the_image(shop: GitWorkspace) -> None:
    shop.write(".git/info/exclude", "*.scratch.ts\n")
    shop.write("services/web/src/a.scratch.ts", "")
    assert shop.reasons() == {"web": ["source services/web/src/a.scratch.ts"]}


def test_a_deleted_file_affects_the_image(shop: GitWorkspace) -> None:
    (shop.root / "services/web/src/index.ts").unlink()
    assert shop.reasons() == {"web": ["source services/web/src/index.ts"]}


def test_a_file_renamed_into_another_package_affects_both(shop: GitWorkspace) -> None:
    shop.write("services/web/src/long.ts", "export const text = 'a file long enough to be found again';\n" * 9)
    base = shop.commit()
    shop.git("mv", "services/web/src/long.ts", "packages/lib/src/long.ts")
    assert shop.reasons(base) == {
        "api": ["source packages/lib/src/long.ts (services/api > packages/lib)"],
        "web": ["source services/web/src/long.ts"],
    }


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/guide.md",
        ".github/workflows/ci.yml",
        "scripts/release.sh",
    ],
)
def test_a_file_that_no_build_sees_affects_none(shop: GitWorkspace, path: str) -> None:
    shop.write(path, "changed\n")
    shop.git("add", "-A", "-f")
    assert shop.reasons() == {}


@pytest.mark.parametrize("path", ["services/api/.env", "services/api/dist/server.js"])
def test_a_secret_and_a_result_affect_where_git_tracks_them(shop: GitWorkspace, path: str) -> None:
    shop.write(path, "changed\n")
    assert shop.reasons() == {}
    shop.git("add", "-A", "-f")
    assert shop.reasons() == {"api": [f"source {path}"]}


def test_a_readme_that_an_image_holds_affects_it(shop: GitWorkspace) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text()}\n[packages.'services/api']\nfiles = ['*.md']\n")
    base = shop.commit()
    shop.write("services/api/README.md", "changed\n")
    assert shop.reasons(base) == {"api": ["source services/api/README.md"]}


def test_the_root_tsconfig_affects_all(shop: GitWorkspace) -> None:
    shop.write("tsconfig.base.json", '{"compilerOptions": {}}')
    assert shop.reasons() == {image: ["config tsconfig.base.json"] for image in ("api", "web")}


def test_a_root_file_that_is_gone_affects_all(shop: GitWorkspace) -> None:
    shop.write("babel.config.json", "{}")
    base = shop.commit()
    (shop.root / "babel.config.json").unlink()
    assert shop.reasons(base) == {image: ["config babel.config.json"] for image in ("api", "web")}


def test_a_file_of_the_context_that_no_stage_copies_affects_none(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "[services.api]", "[workspace]\nignore = ['!vendor']\n\n[services.api]")
    base = shop.commit()
    shop.write("vendor/tool.js", "")
    assert shop.reasons(base) == {}


def test_an_ejected_dockerfile_affects_all(shop: GitWorkspace) -> None:
    shop.write(".bake-templates/docker/Dockerfile", template_text("docker/Dockerfile") + "# mine\n")
    assert shop.reasons() == {image: ["template docker/Dockerfile"] for image in ("api", "web")}


def test_an_input_affects_the_package_that_reads_it(shop: GitWorkspace) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text()}\n[packages.'services/api']\ninputs = ['proto']\n")
    shop.write("proto/api.proto", "one")
    base = shop.commit()
    shop.write("proto/api.proto", "two")
    assert shop.reasons(base) == {"api": ["source proto/api.proto"]}


def test_a_version_bump_affects_the_image_that_reaches_the_package(shop: GitWorkspace) -> None:
    shop.lock({"left": "1.1.0"})
    assert shop.reasons() == {"api": ["dependency left 1.0.0 -> 1.1.0 (services/api > node_modules/left)"]}


def test_a_version_bump_deep_down_names_the_shortest_way(shop: GitWorkspace) -> None:
    shop.lock({"deep": "1.0.1"})
    assert shop.reasons() == {
        "api": ["dependency deep 1.0.0 -> 1.0.1 (services/api > node_modules/left > node_modules/deep)"],
        "web": ["dependency deep 1.0.0 -> 1.0.1 (services/web > node_modules/bundler > node_modules/deep)"],
    }


def test_a_tool_of_the_root_affects_all(shop: GitWorkspace) -> None:
    shop.lock({"tsc-like": "2.0.0"})
    reason = "dependency tsc-like 1.0.0 -> 2.0.0 (package.json > node_modules/tsc-like)"
    assert shop.reasons() == {"api": [reason], "web": [reason]}


def test_a_plugin_that_only_a_setting_names_affects_the_package_that_has_the_setting(shop: GitWorkspace) -> None:
    shop.write("packages/types/tool.config.json", '{"plugins": ["bundler"]}')
    shop.commit()
    shop.lock({"bundler": "1.0.1"})
    assert shop.reasons() == {
        "api": ["dependency bundler 1.0.0 -> 1.0.1 (services/api > packages/types > node_modules/bundler)"],
        "web": ["dependency bundler 1.0.0 -> 1.0.1 (services/web > node_modules/bundler)"],
    }


def test_a_version_bump_in_pnpms_lockfile_affects_the_image_that_reaches_the_package(tmp_path: Path) -> None:
    workspace = GitWorkspace(tmp_path)
    write_shelf(tmp_path, "pnpm")
    services = "".join(f'[services.{name}]\npackage = "services/{name}"\n' for name in ("api", "worker"))
    workspace.write("bake.toml", f'[project]\nname = "shelf"\nplatforms = ["linux/amd64"]\n{services}')
    workspace.git("init", "-q", "-b", "main")
    workspace.commit()
    workspace.replace("pnpm-lock.yaml", "1.3.5", "1.3.4")
    workspace.replace("services/worker/package.json", "1.3.5", "1.3.4")
    found = workspace.reasons()
    assert found.keys() == {"worker"}
    assert any(reason.startswith("dependency JSONStream 1.3.5 -> 1.3.4") for reason in found["worker"])


@pytest.mark.parametrize("manager", ["pnpm", "berry", "classic"])
def test_on_a_tree_that_no_build_sees_a_change_of_nothing_is_affected_whatever_planning_reads(
    tmp_path: Path, manager: str
) -> None:
    workspace = GitWorkspace(tmp_path)
    write_shelf(tmp_path, manager)
    services = "".join(f'[services.{name}]\npackage = "services/{name}"\n' for name in ("api", "worker"))
    workspace.write("bake.toml", f'[project]\nname = "shelf"\nplatforms = ["linux/amd64"]\n{services}')
    workspace.write(".npmrc", "strict-peer-dependencies=false\n")
    workspace.write(".gitignore", "node_modules\n.bake\n*.log\n.yarn/cache\n")
    workspace.write("debug.log", "here, and not git's\n")
    for file, text in {
        "pnpm": {".pnpmfile.cjs": "require('./hooks/read.cjs');\n", "hooks/read.cjs": ""},
        "berry": {
            ".yarn/releases/yarn-4.9.1.cjs": "// a release that is committed\n",
            ".yarn/plugins/one.cjs": "// a plugin\n",
        },
        "classic": {".yarn/releases/yarn-1.22.22.cjs": "// a release that is committed\n"},
    }[manager].items():
        workspace.write(file, text)
    if manager == "berry":
        rc = (tmp_path / ".yarnrc.yml").read_text() if (tmp_path / ".yarnrc.yml").is_file() else ""
        plugin = "plugins:\n  - path: .yarn/plugins/one.cjs\n    spec: one\n"
        workspace.write(".yarnrc.yml", f"{rc}yarnPath: .yarn/releases/yarn-4.9.1.cjs\n{plugin}")
    if manager == "classic":
        workspace.write(".yarnrc", 'yarn-path ".yarn/releases/yarn-1.22.22.cjs"\n')
    workspace.git("init", "-q", "-b", "main")
    base = workspace.commit()

    assert workspace.reasons() == {}
    workspace.write("README.md", "# Shelf\n")
    workspace.commit()
    assert workspace.reasons(base) == {}
    assert sorted(p.name for p in (tmp_path / ".bake").glob("past-*")) == []


def test_a_release_of_the_manager_that_is_another_affects_all(tmp_path: Path) -> None:
    workspace = GitWorkspace(tmp_path)
    write_shelf(tmp_path, "berry")
    services = "".join(f'[services.{name}]\npackage = "services/{name}"\n' for name in ("api", "worker"))
    workspace.write("bake.toml", f'[project]\nname = "shelf"\nplatforms = ["linux/amd64"]\n{services}')
    workspace.write(".gitignore", "node_modules\n.bake\n")
    rc = (tmp_path / ".yarnrc.yml").read_text() if (tmp_path / ".yarnrc.yml").is_file() else ""
    workspace.write(".yarnrc.yml", f"{rc}yarnPath: .yarn/releases/yarn-4.9.1.cjs\n")
    workspace.write(".yarn/releases/yarn-4.9.1.cjs", "// one\n")
    workspace.git("init", "-q", "-b", "main")
    workspace.commit()
    workspace.write(".yarn/releases/yarn-4.9.1.cjs", "// another\n")
    assert workspace.reasons().keys() == {"api", "worker"}
    # What lies in the past is a link to what lies here, and the past is another file.
    assert (tmp_path / ".yarn/releases/yarn-4.9.1.cjs").read_text() == "// another\n"


def test_the_place_where_a_package_comes_from_does_not_count(shop: GitWorkspace) -> None:
    shop.replace(
        "package-lock.json", '"integrity": "sha512-left', '"resolved": "https://a/b.tgz", "integrity": "sha512-left'
    )
    assert shop.reasons() == {}


def test_a_package_with_other_content_and_the_same_version_counts(shop: GitWorkspace) -> None:
    shop.replace("package-lock.json", "sha512-left-1.0.0", "sha512-other")
    assert shop.reasons() == {"api": ["dependency left 1.0.0 (other content) (services/api > node_modules/left)"]}


def test_a_package_that_is_gone_affects_the_image_that_had_it(shop: GitWorkspace) -> None:
    shop.replace("services/api/package.json", '"left": "^1.0.0"', '"right": "^1.0.0"')
    shop.replace("package-lock.json", '"left": "^1.0.0"', '"right": "^1.0.0"')
    shop.replace("package-lock.json", '"node_modules/left"', '"node_modules/unused"')
    found = shop.reasons()
    assert found.keys() == {"api"}
    assert "dependency left 1.0.0 (gone) (services/api > node_modules/left)" in found["api"]
    assert "source services/api/package.json" in found["api"]


def test_a_package_that_config_adds_to_a_closure_affects_the_image(shop: GitWorkspace) -> None:
    before = (shop.root / "bake.toml").read_text()
    shop.write("bake.toml", f"{before}\n[packages.'services/api']\ndependencies = ['right']\n")
    base = shop.git("rev-parse", "HEAD")
    there = "right 1.0.0 ({}) (services/api > node_modules/right)"
    assert shop.reasons(base) == {"api": [f"dependency {there.format('new')}"]}
    base = shop.commit()
    shop.write("bake.toml", before)
    assert shop.reasons(base) == {"api": [f"dependency {there.format('gone')}"]}


def test_a_base_digest_affects_all(shop: GitWorkspace) -> None:
    digests = {name: f"sha256:{name[0] * 64}" for name in ("a", "b")}
    text = 'version = 1\n\n[images."docker.io/library/node:24-slim"]\ndigest = "{}"\nplatforms = ["linux/amd64"]\n'
    shop.write("bake.lock", text.format(digests["a"]))
    base = shop.commit()
    shop.write("bake.lock", text.format(digests["b"]))
    reason = f"base base.runtime: node:24-slim@{digests['a']} -> node:24-slim@{digests['b']}"
    found = shop.reasons(base)
    assert {image: [r[:90] for r in reasons] for image, reasons in found.items()} == {
        image: [reason[:90]] for image in ("api", "web")
    }


def test_a_command_affects_its_image(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "node dist/server.js", "node dist/main.js")
    assert shop.reasons() == {"api": ["config services.api.command: node dist/server.js -> node dist/main.js"]}


def test_a_build_argument_affects_the_images_of_its_package(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", 'default = "local"', 'default = "shop.example"')
    assert shop.reasons() == {"web": ['argument packages."services/web".args.SITE: local -> shop.example']}


def test_a_variable_of_every_build_affects_all(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "[services.api]", "[workspace.environment]\nTZ = 'UTC'\n\n[services.api]")
    assert shop.reasons() == {image: ["argument workspace.environment.TZ: (none) -> UTC"] for image in ("api", "web")}


def test_what_is_trimmed_affects_all(shop: GitWorkspace) -> None:
    shop.replace("bake.toml", "[services.api]", "[layers]\ntrim = ['**/*.map']\n\n[services.api]")
    reason = "config layers.trim: **/*.d.ts **/*.d.mts **/*.d.cts **/*.map **/*.tsbuildinfo -> **/*.map"
    assert shop.reasons() == {"api": [reason], "web": [reason]}


def test_a_key_that_no_image_depends_on_affects_none(shop: GitWorkspace) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text()}\n[smoke]\ngrace = 5\n")
    assert shop.reasons() == {}


def test_a_new_image_is_affected_and_the_others_are_not(shop: GitWorkspace) -> None:
    role = '[services.api.roles]\napi = { command = "node a.js" }\nworker = { command = "node w.js" }\n'
    shop.replace("bake.toml", 'command = "node dist/server.js"\n', role)
    assert shop.reasons() == {"api-api": ["config new image"], "api-worker": ["config new image"]}


def test_an_ignore_rule_affects_the_images_whose_files_it_hides(shop: GitWorkspace) -> None:
    shop.write("services/web/fixtures/a.json", "{}")
    base = shop.commit()
    # git goes on tracking what it has, and builds get it.
    shop.write(".gitignore", "dist\nnode_modules\n.bake\nfixtures\n")
    assert shop.reasons(base) == {}
    shop.write("bake.toml", f'{(shop.root / "bake.toml").read_text()}\n[workspace]\nignore = ["**/fixtures"]\n')
    assert "source services/web/fixtures/a.json" in shop.reasons(base)["web"]
    assert "api" not in shop.reasons(base)


def test_a_revision_without_bake_toml_affects_all(shop: GitWorkspace) -> None:
    (shop.root / "bake.toml").unlink()
    base = shop.commit()
    shop.git("checkout", "-q", "HEAD~1", "--", "bake.toml")
    found = shop.reasons(base)
    assert found.keys() == {"api", "web", "monolith"}
    remedy = "commit it, and what changes from then on is told"
    assert found["api"] == [f"unknown there is no plan of {base} (it has no bake.toml: {remedy})"]


def test_a_lockfile_of_old_that_cannot_be_read_affects_all(shop: GitWorkspace) -> None:
    shop.write("package-lock.json", "{")
    base = shop.commit()
    shop.lock()
    assert shop.reasons(base)["web"] == [
        f"unknown there is no plan of {base} (package-lock.json:1: not JSON: "
        "Expecting property name enclosed in double quotes)"
    ]


def test_what_others_did_on_the_branch_in_the_meantime_does_not_count(shop: GitWorkspace) -> None:
    shop.git("checkout", "-q", "-b", "feature")
    shop.write("services/web/src/index.ts", "export const mine = 1;\n")
    shop.commit()
    shop.git("checkout", "-q", "main")
    shop.write("packages/lib/src/index.ts", "export const theirs = 1;\n")
    shop.commit()
    shop.git("checkout", "-q", "feature")
    assert shop.reasons("main") == {"web": ["source services/web/src/index.ts"]}


def test_unrelated_histories_are_compared_as_they_are(shop: GitWorkspace) -> None:
    shop.git("checkout", "-q", "--orphan", "other")
    shop.write("services/web/src/index.ts", "export const x = 1;\n")
    shop.commit()
    assert shop.reasons("main") == {"web": ["source services/web/src/index.ts"]}


def test_a_workspace_below_the_repository_ignores_what_lies_beside_it(tmp_path: Path) -> None:
    outer = GitWorkspace(tmp_path)
    outer.git("init", "-q", "-b", "main")
    shop = make_git_workspace(tmp_path / "apps" / "shop")
    shutil.rmtree(shop.root / ".git")
    base = outer.commit()
    outer.write("elsewhere/services/api/src/index.ts", "x")
    shop.write("services/web/src/index.ts", "x")
    assert shop.reasons(base) == {"web": ["source services/web/src/index.ts"]}


def test_an_unknown_revision_is_said_with_the_remote_one(shop: GitWorkspace) -> None:
    with pytest.raises(UsageError) as error:
        shop.reasons("nonsense")
    assert str(error.value) == "nonsense: no such revision in this clone; fetch it, or name another one"
    shop.git("update-ref", "refs/remotes/origin/release", "HEAD")
    with pytest.raises(UsageError) as error:
        shop.reasons("release")
    assert str(error.value).startswith("release: no such revision in this clone; origin/release is there (")


def test_a_revision_is_never_an_option(shop: GitWorkspace) -> None:
    with pytest.raises(UsageError) as error:
        shop.reasons("--output=x")
    assert str(error.value) == "--output=x: no such revision in this clone; fetch it, or name another one"


def test_a_shallow_clone_says_how_to_get_the_history(shop: GitWorkspace, tmp_path: Path) -> None:
    base = shop.git("rev-parse", "HEAD")
    shop.write("services/web/src/index.ts", "x")
    shop.commit()
    shop.git("clone", "-q", "--depth", "1", f"file://{shop.root}", str(tmp_path / "clone"))
    with pytest.raises(WorkspaceError) as error:
        GitWorkspace(tmp_path / "clone").reasons(base)
    assert str(error.value) == (
        f"{base}: no such revision in this clone, which is shallow; run `git fetch --unshallow` "
        "(actions/checkout: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`)"
    )


def test_a_shallow_clone_without_the_merge_base_says_so(shop: GitWorkspace, tmp_path: Path) -> None:
    shop.git("checkout", "-q", "-b", "feature")
    shop.commit()
    shop.git("checkout", "-q", "main")
    shop.write("services/web/src/index.ts", "x")
    shop.commit()
    words = ("--depth", "1", "--no-single-branch", "--branch", "feature")
    shop.git("clone", "-q", *words, f"file://{shop.root}", str(tmp_path / "clone"))
    with pytest.raises(WorkspaceError) as error:
        GitWorkspace(tmp_path / "clone").reasons("origin/main")
    assert str(error.value) == (
        "origin/main: this clone is shallow and ends before the commit where HEAD left it; "
        "run `git fetch --unshallow` (actions/checkout: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`)"
    )


def test_a_workspace_without_git_cannot_be_compared(shop: GitWorkspace) -> None:
    shutil.rmtree(shop.root / ".git")
    with pytest.raises(WorkspaceError, match="git cannot say what changed"):
        shop.reasons()


def test_a_moved_submodule_affects_the_packages_in_it(shop: GitWorkspace, tmp_path: Path) -> None:
    library = GitWorkspace(tmp_path / "library")
    library.root.mkdir()
    library.git("init", "-q", "-b", "main")
    for name in ("package.json", "tsconfig.json", "src/index.ts"):
        library.write(name, (shop.root / "packages/lib" / name).read_text())
    library.commit()
    shop.git("rm", "-r", "-q", "packages/lib")
    shop.git("submodule", "--quiet", "add", str(library.root), "packages/lib")
    base = shop.commit()
    assert shop.reasons(base) == {}
    inside = GitWorkspace(shop.root / "packages/lib")
    inside.write("src/index.ts", "export const x = 1;\n")
    edited, new = (f"source packages/lib/src/{n}.ts (services/api > packages/lib)" for n in ("index", "new"))
    assert shop.reasons(base) == {"api": [edited]}
    inside.commit()
    shop.commit()
    assert shop.reasons(base) == {"api": [edited]}
    inside.write("src/new.ts", "")
    assert shop.reasons() == {"api": [new]}
    # The build has it, whatever git was told to overlook.
    shop.git("config", "-f", ".gitmodules", "submodule.packages/lib.ignore", "all")
    shop.git("config", "diff.ignoreSubmodules", "all")
    assert shop.reasons(base) == {"api": [edited, new]}


def test_the_monolith_is_affected_by_all_of_its_context(shop: GitWorkspace) -> None:
    shop.write("bake.toml", f"{(shop.root / 'bake.toml').read_text()}\n[monolith]\n")
    shop.write("Dockerfile", "FROM scratch\n")
    shop.write(".dockerignore", "docs\n")
    base = shop.commit()
    shop.write("docs/guide.md", "x")
    assert shop.reasons(base) == {}
    shop.write("README.md", "x")
    assert shop.reasons(base) == {"monolith": ["source README.md"]}


def contents(shop: GitWorkspace) -> Mapping[str, str]:
    """Image -> its content tag, of what is there now and of the commit that is checked out."""
    project = load_project(shop.root / "bake.toml", {})
    return load_contents(project, make_plan(project, Request(revision=shop.git("rev-parse", "HEAD"))))


def test_affected_are_the_images_whose_content_tag_is_another(shop: GitWorkspace) -> None:
    text = (shop.root / "bake.toml").read_text()
    shop.write("bake.toml", f"{text}\n[packages.'packages/types']\ninputs = ['proto/*.proto']\n")
    shop.write("services/web/src/read.ts", "readFileSync('../../shared/menu.json')\n")
    for path in ("proto/a.proto", "proto/b.proto", "shared/menu.json", ".env", "services/api/fixtures/.env.test"):
        shop.write(path, "one\n")
    shop.git("add", "-A", "-f")
    shop.commit()
    changes: tuple[Callable[[], object], ...] = (
        (shop.root / "proto/b.proto").unlink,
        lambda: shop.write("proto/c.proto", "three\n"),
        (shop.root / "shared/menu.json").unlink,
        lambda: shop.write(".env", "two\n"),
        (shop.root / "services/api/fixtures/.env.test").unlink,
        lambda: (shop.root / "services/web/src/index.ts").chmod(0o755),
        lambda: shop.replace("packages/lib/package.json", '"main"', '"bin": "src/index.ts", "main"'),
        lambda: (shop.root / "packages/lib/src/link.ts").symlink_to("index.ts"),
        lambda: shop.write(".gitignore", "dist\nnode_modules\n.bake\n*.proto\nfixtures\n"),
        lambda: shop.replace("bake.toml", 'default = "local"', 'default = "{sha}"'),
        lambda: shop.write("README.md", "another\n"),
        lambda: shop.git("mv", "packages/types/src/index.ts", "packages/types/src/main.ts"),
    )
    for change in changes:
        base, before = shop.git("rev-parse", "HEAD"), contents(shop)
        assert shop.reasons() == {}
        change()
        shop.commit()
        after = contents(shop)
        what = shop.git("log", "-1", "--stat", "--format=")
        assert shop.reasons(base).keys() == {t for t in before if before[t] != after[t]}, what
        assert "unknown" not in str(shop.reasons(base)), what


def test_what_git_ignores_and_a_pattern_names_affects_nothing(shop: GitWorkspace) -> None:
    text = (shop.root / "bake.toml").read_text()
    shop.write("bake.toml", f"{text}\n[packages.'services/api']\ninputs = ['packages/*/dist', 'gen/*.json']\n")
    shop.write("gen/menu.json", "{}")
    base = shop.commit()
    shop.write("packages/lib/dist/index.js", "")
    shop.write("packages/lib/node_modules/x/index.js", "")
    assert shop.reasons(base) == {}
