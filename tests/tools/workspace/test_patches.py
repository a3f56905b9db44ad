"""patch-package: found in install scripts, applied to both installs, what a patch affects, what `bake check` says."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bake.inputs import load_contents
from bake.lockfile import unheeded
from bake.plan import Plan, Request, check, make_plan
from bake.project import Project, load_project
from bake.render import render, render_ignore
from bake.workspace import Package, Patches, load_patches, parse_dockerignore
from bake.workspace.managers import make_pnpm
from bake.workspace.patches import parse_patch
from tests.git_workspace import GitWorkspace, make_git_workspace
from tests.plant import plant

SCRIPT = Path(__file__).parents[3] / "docker" / "patch.mjs"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, whose root patches `left`, which `api` needs, and `tsc-like`, which builds use."""
    shop = make_git_workspace(tmp_path_factory.mktemp("template"))
    patching = '"scripts": {"postinstall": "patch-package"}, "devDependencies": {"patch-package": "8.0.0", '
    shop.replace("package.json", '"devDependencies": {', patching)
    shop.replace("package-lock.json", '"tsc-like": "^1.0.0"', '"tsc-like": "^1.0.0", "patch-package": "8.0.0"')
    tool = '"node_modules/patch-package": {"version": "8.0.0", "integrity": "sha512-x", "dev": true}, '
    shop.replace("package-lock.json", '"node_modules/left"', f'{tool}"node_modules/left"')
    for name in ("left+1.0.0.patch", "right+1.0.0.patch", "bundler++gone+1.0.0.dev.patch"):
        shop.write(f"patches/{name}", "a patch\n")
    shop.commit()
    return shop.root


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(Path(shutil.copytree(template, tmp_path / "shop")))


def planned(root: Path) -> tuple[Project, Plan]:
    project = load_project(root / "bake.toml", {})
    return project, make_plan(project, Request())


@pytest.mark.parametrize(
    ("name", "packages"),
    [
        ("left-pad+1.3.0.patch", ("left-pad",)),
        ("@x+y+1.0.0-rc.1.dev.patch", ("@x/y",)),
        ("a++@x+y+2.0.0.patch", ("a", "@x/y")),
        ("@s+a++b+2.0.0+001+fix-it.patch", ("@s/a", "b")),
    ],
)
def test_a_patch_s_name_says_what_it_changes(name: str, packages: tuple[str, ...]) -> None:
    assert parse_patch(name) == packages


@pytest.mark.parametrize(
    ("path", "scripts", "folder"),
    [
        ("", {"postinstall": "patch-package"}, "patches"),
        ("", {"prepare": "husky && npx patch-package --error-on-fail"}, "patches"),
        ("", {"postinstall": "npm run patch", "patch": "patch-package --patch-dir ./fixes"}, "fixes"),
        ("services/api", {"postinstall": "yarn patch-package"}, "services/api/patches"),
        ("", {"patch": "patch-package"}, None),
        ("", {"postinstall": "patch-package-lock"}, None),
    ],
)
def test_install_scripts_say_which_patches_are_applied(
    tmp_path: Path, path: str, scripts: Mapping[str, str], folder: str | None
) -> None:
    for place in ("patches", "fixes", "services/api/patches"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x+1.0.0.patch").write_text("", encoding="utf-8")
        (tmp_path / place / "README.md").write_text("", encoding="utf-8")
    package = Package(path=path, name="x", version="", manifest={"scripts": scripts})
    wanted = Patches(package=path, folder=folder, files=("x+1.0.0.patch",)) if folder else None
    assert load_patches(tmp_path, package) == wanted


def test_both_installs_apply_them_and_a_patch_does_not_reach_the_install_itself(shop: GitWorkspace) -> None:
    files = render(*planned(shop.root))
    words = ["COPY", '["/patches/", "/bake/patches/1/"]']
    for stage, tools in (("install", "/app"), ("dependencies", "/bake/installed")):
        text = files["Dockerfile"].partition(f" AS {stage}\n")[2].partition("\nFROM ")[0]
        install, _, after = text.partition(" ".join(words))
        assert "npm ci" in install
        assert "from=install,source=/app,target=/bake/installed" not in install
        assert f"    node /bake/patch.mjs --tree /app --home '' --patches /bake/patches/1 --tools {tools}\n" in after
    assert not [name for name in files if name.startswith("manifests/") and "patch" in name]
    assert "tools/patch.mjs" in files
    assert not parse_dockerignore(files["Dockerfile.dockerignore"])("patches/left+1.0.0.patch")


def test_without_patches_nothing_is_added(template: Path, tmp_path: Path) -> None:
    shop = GitWorkspace(Path(shutil.copytree(template, tmp_path / "shop")))
    shutil.rmtree(shop.root / "patches")
    files = render(*planned(shop.root))
    assert "tools/patch.mjs" not in files
    assert "patches" not in files["Dockerfile"]
    assert "patches" not in render_ignore(*planned(shop.root))


def test_a_patch_affects_the_images_that_reach_its_package(shop: GitWorkspace) -> None:
    shop.write("patches/left+1.0.0.patch", "another patch\n")
    assert shop.reasons() == {
        "api": ["dependency patches/left+1.0.0.patch (services/api > node_modules/left)"],
    }


def test_a_patch_of_what_builds_use_affects_every_image(shop: GitWorkspace) -> None:
    shop.write("patches/tsc-like+1.0.0.patch", "a patch\n")
    reason = "dependency patches/tsc-like+1.0.0.patch (package.json > node_modules/tsc-like)"
    assert shop.reasons() == {"api": [reason], "web": [reason]}


def test_a_patch_of_nothing_affects_nothing(shop: GitWorkspace) -> None:
    shop.write("patches/bundler++gone+1.0.0.dev.patch", "another\n")
    assert shop.reasons() == {}


def test_the_content_of_images_follows_patches(shop: GitWorkspace) -> None:
    before = load_contents(*planned(shop.root))
    shop.write("patches/left+1.0.0.patch", "another patch\n")
    assert load_contents(*planned(shop.root))["api"] != before["api"]


def findings(root: Path, rule: str) -> list[str]:
    return [f"{f.level}: {f}" for f in check(*planned(root)) if f.rule == rule]


def test_check_names_a_patch_of_what_is_not_there(shop: GitWorkspace) -> None:
    assert findings(shop.root, "patch") == [
        "warning: patches/bundler++gone+1.0.0.dev.patch: changes node_modules/bundler/node_modules/gone, which "
        "package-lock.json does not hold; remove it"
    ]


def test_check_wants_patch_package_in_the_lockfile(shop: GitWorkspace) -> None:
    shop.replace("package-lock.json", '"node_modules/patch-package"', '"node_modules/other"')
    assert findings(shop.root, "patch")[0] == (
        "error: patches: patch-package applies these patches, and package-lock.json lacks it; "
        "run `npm install -D patch-package`"
    )


def test_check_refuses_patches_in_pnpm_s_isolated_tree(shop: GitWorkspace) -> None:
    project, _ = planned(shop.root)
    tool = make_pnpm("10", files={}, hoisted=False)
    project = replace(project, workspace=replace(project.workspace, tool=tool))
    plan = make_plan(project, Request())
    assert plan.install.patches == ()
    assert [str(f) for f in check(project, plan) if f.rule == "patch"] == [
        "patches: patch-package cannot work in pnpm's isolated node_modules; use `pnpm patch`, or node-linker=hoisted"
    ]


# --- the script ---------------------------------------------------------------------------------------------


_FAKE = """\
const { readdirSync } = require('node:fs');
const words = process.argv.slice(2);
const folder = words[words.indexOf('--patch-dir') + 1];
console.log(words[0], process.cwd().split('/').pop(), readdirSync(folder, { recursive: true }).sort().join(' '));
process.exit(Number(readdirSync(folder).some((name) => name.startsWith('broken'))));
"""


def patch(root: Path, home: str = "") -> "subprocess.CompletedProcess[str]":
    """Run patch.mjs on root/app with the tools of root/installed, whose patch-package prints what it is given."""
    words = [f"--tree={root}/app", f"--home={home}", f"--patches={root}/patches", f"--tools={root}/installed"]
    return subprocess.run(["node", str(SCRIPT), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("home", ["", "services/api"])
def test_patches_of_what_is_installed_are_applied_by_the_full_install_s_tool(tmp_path: Path, home: str) -> None:
    names = ("left+1.0.0.patch", "@x+y+1.0.0+001+a.patch", "a++b+1.0.0.patch", "gone+1.0.0.patch", "notes.txt")
    plant(tmp_path / "patches", dict.fromkeys(names, ""))
    places = ("left", "@x/y", "a/node_modules/b")
    plant(tmp_path / "app" / home, {f"node_modules/{p}/package.json": "{}" for p in places})
    tool = {"index.js": _FAKE, "package.json": json.dumps({"bin": "./index.js"})}
    plant(tmp_path / "installed/node_modules/patch-package", tool)
    done = patch(tmp_path, home)
    assert done.stdout.splitlines() == [
        "gone+1.0.0.patch: node_modules/gone is not installed, left out",
        f"--error-on-fail {home.rpartition('/')[2] or 'app'} @x+y+1.0.0+001+a.patch a++b+1.0.0.patch left+1.0.0.patch",
    ]
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_patch_that_does_not_fit_ends_the_build(tmp_path: Path) -> None:
    plant(tmp_path, {"patches/broken+1.0.0.patch": "", "app/node_modules/broken/package.json": "{}"})
    tool = {"index.js": _FAKE, "package.json": json.dumps({"bin": {"patch-package": "index.js"}})}
    plant(tmp_path / "installed/node_modules/patch-package", tool)
    assert patch(tmp_path).returncode == 1


def test_a_missing_patch_package_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"patches/x+1.0.0.patch": "", "app/node_modules/x/package.json": "{}"})
    done = patch(tmp_path, "services/api/../..")
    assert done.stderr == "patch: patch-package is not installed; add it to the devDependencies and install again\n"
    assert done.returncode == 1


# --- install scripts of the workspace's own packages --------------------------------------------------------


@pytest.mark.parametrize(
    ("scripts", "build", "found"),
    [
        ({"prepare": "husky"}, "", ()),
        ({"prepare": "husky install || true"}, "", ()),
        ({"prepare": "is-ci || lefthook install", "preinstall": "npx only-allow npm"}, "", ()),
        ({"postinstall": "patch-package && echo done"}, "", ()),
        ({"postinstall": "git config core.hooksPath .githooks"}, "", ()),
        ({"postinstall": "turbo run build --filter=./packages/*"}, "", ()),
        ({"prepare": "npm run build -ws"}, "", ()),
        ({"prepare": "npm run build", "build": "tsc && cp a b"}, "build", ()),
        ({"prepare": "tsc", "build": "tsc && cp a b"}, "build", ()),
        ({"prepare": "tsc"}, "prepare", ()),
        ({"postinstall": "prisma generate", "prebuild": "prisma generate", "build": "tsc"}, "build", ()),
        ({"prepare": "npm run build", "build": "tsc"}, "", (("prepare", "npm run build"),)),
        (
            {"postinstall": "husky && prisma generate", "prepare": "ts-patch install"},
            "build",
            (("postinstall", "husky && prisma generate"), ("prepare", "ts-patch install")),
        ),
    ],
)
def test_install_scripts_that_a_build_may_miss_are_told_from_those_for_developers(
    scripts: Mapping[str, str], build: str, found: tuple[tuple[str, str], ...]
) -> None:
    assert unheeded(scripts, build) == found


def test_check_names_install_scripts_of_the_workspace_once(shop: GitWorkspace) -> None:
    shop.replace("package.json", '"patch-package"', '"patch-package && prisma generate"')
    shop.replace("services/api/package.json", '"build": "tsc"', '"build": "tsc", "install": "node gen.js"')
    assert findings(shop.root, "script") == [
        "warning: package.json: its `postinstall` script does not run in builds: patch-package && prisma generate; run "
        'it in the build of the package that needs it, or add "shop" to install.without-scripts when images do without',
        "warning: services/api/package.json: its `install` script does not run in builds: node gen.js (in api); run it "
        'in its `build` script, or add "@shop/api" to install.without-scripts when images do without',
    ]
    shop.replace("bake.toml", "[services.api]", '[install]\nwithout-scripts = ["shop", "@shop/api"]\n\n[services.api]')
    assert findings(shop.root, "script") == []
