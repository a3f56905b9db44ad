"""A service's C library is its base image's: closures, layers, stages and bake.lock follow it."""

import json
from pathlib import Path

import pytest

from bake.commands.lock import missing_packages
from bake.config.tables import parse_config
from bake.plan import Plan, Request, check, make_plan, service_libcs
from bake.project import Project, load_project
from bake.render import render

NATIVE = {"os": ["linux"], "cpu": ["x64"], "optional": True, "version": "1.0.0"}
FAMILY = {"n-linux-x64-gnu": "1.0.0", "n-linux-x64-musl": "1.0.0"}
PARTS = {
    "node_modules/n-linux-x64-gnu": {**NATIVE, "libc": ["glibc"]},
    "node_modules/n-linux-x64-musl": {**NATIVE, "libc": ["musl"]},
}
TWO = '[services.a]\npackage = "a"\n[services.b]\npackage = "b"\nbase = "node:24-alpine"\n'


def load(root: Path, services: str = TWO, without: str = "") -> tuple[Project, Plan]:
    """Services a and b, which both need n, a package with a binary per C library."""
    member = {"version": "1.0.0", "dependencies": {"n": "1.0.0"}, "scripts": {"start": "node x.js"}}
    manifests: dict[str, dict[str, object]] = {"": {"name": "w", "workspaces": ["a", "b"]}}
    manifests |= {path: {"name": path, **member} for path in "ab"}
    packages = {
        **manifests,
        **{f"node_modules/{p}": {"resolved": p, "link": True} for p in "ab"},
        "node_modules/n": {"version": "1.0.0", "optionalDependencies": FAMILY},
        **{path: entry for path, entry in PARTS.items() if path != without},
    }
    for path, manifest in manifests.items():
        (root / path).mkdir(exist_ok=True)
        (root / path / "package.json").write_text(json.dumps(manifest))
    (root / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    (root / "bake.toml").write_text(f'[project]\nname = "w"\nplatforms = ["linux/amd64"]\n{services}')
    project = load_project(root / "bake.toml", {})
    return project, make_plan(project, Request())


def test_each_service_holds_the_binary_of_its_own_c_library(tmp_path: Path) -> None:
    _, plan = load(tmp_path)
    held = {s.service: [e for e in s.closure.entries if "linux" in e] for s in plan.services}
    assert held == {"a": ["node_modules/n-linux-x64-gnu"], "b": ["node_modules/n-linux-x64-musl"]}


def test_a_layer_is_for_one_c_library(tmp_path: Path) -> None:
    _, plan = load(tmp_path)
    assert {(layer.libc, *layer.services) for layer in plan.layers.classes} == {("glibc", "a"), ("musl", "b")}
    assert plan.install.libcs == ("glibc", "musl")


def test_dependencies_are_installed_and_carved_for_each_c_library(tmp_path: Path) -> None:
    files = render(*load(tmp_path))
    lines = [line.strip() for line in files["Dockerfile"].splitlines()]
    assert [line.rpartition("--libc=")[2] for line in lines if "--libc=" in line] == ["glibc", "musl"]
    assert [line.rpartition("--libc ")[2] for line in lines if "--libc " in line] == [
        "glibc --out /layers",
        "musl --out /layers",
    ]
    service = files["Dockerfile"].partition("AS service-b\n")[2].partition("FROM")[0]
    assert 'COPY --link --from=layers-musl ["/layers/b/", "/"]' in service
    carved = json.loads(files["plan/layers.json"])["layers"]
    assert {layer["id"]: layer["libc"] for layer in carved} == {
        "a": "glibc",
        "a-native": "glibc",
        "b": "musl",
        "b-native": "musl",
    }
    assert json.loads(files["plan/packages/b.json"])["libc"] == ["musl"]


def test_where_builds_have_another_c_library_nothing_is_shared_with_them(tmp_path: Path) -> None:
    dockerfile = render(*load(tmp_path))["Dockerfile"]
    glibc, musl = dockerfile.partition("AS dependencies\n")[2].split("AS dependencies-musl\n")
    assert '[ "$TARGETPLATFORM" = "$BUILDPLATFORM" ] && exit' in glibc
    assert '[ "$TARGETPLATFORM" = "$BUILDPLATFORM" ] && exit' not in musl


@pytest.mark.parametrize(("base", "gone"), [("node:24-slim", "gnu"), ("node:24-alpine", "musl")])
def test_check_misses_the_binary_of_the_services_own_c_library(tmp_path: Path, base: str, gone: str) -> None:
    services = f'[services.b]\npackage = "b"\nbase = "{base}"\n'
    project, plan = load(tmp_path, services, without=f"node_modules/n-linux-x64-{gone}")
    found = [f"{f.where}: {f.what}" for f in check(project, plan) if f.rule == "platform"]
    what = f"n-linux-x64-{gone} 1.0.0 for linux/amd64 is not in the lockfile (npm/cli#4828)"
    assert found == [f"node_modules/n: {what}"]


def test_bake_lock_completes_for_the_c_libraries_of_services_and_builds(tmp_path: Path) -> None:
    for gone in ("gnu", "musl"):
        project, _ = load(tmp_path, without=f"node_modules/n-linux-x64-{gone}")
        assert [m.name for m in missing_packages(project, project.original.lock)] == [f"n-linux-x64-{gone}"]


@pytest.mark.parametrize(
    ("settings", "libc"),
    [
        ("", "glibc"),
        ('[base]\nruntime = "node:24-alpine"', "musl"),
        ('[base]\nruntime = "corp/node:24"\nlibc = "musl"', "musl"),
        ('base = "corp/own:1"\n[base]\nlibc = "musl"', "musl"),
        ('base = "node:24-bookworm"\n[base]\nlibc = "musl"', "glibc"),
        ('base = "corp/own:1"\nlibc = "musl"', "musl"),
        ('libc = "glibc"\n[base]\nruntime = "node:24-alpine"', "glibc"),
    ],
)
def test_the_c_library_is_told_by_config_or_the_images_name(settings: str, libc: str) -> None:
    config = parse_config(f'[project]\nname = "w"\n[services.a]\npackage = "a"\n{settings}\n')
    assert service_libcs(config) == {"a": libc}
