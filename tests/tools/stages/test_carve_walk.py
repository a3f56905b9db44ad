"""docker/carve on trees of pnpm and yarn: what it finds by walking, and the links that managers make."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "docker" / "carve" / "main.mjs"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

OWN = [{"id": f"{s}{k}", "services": [s], "native": bool(k)} for s in ("a", "b") for k in ("", "-native")]
BOTH = {"id": "both", "services": ["a", "b"], "native": False}


def plant(tree: Path, packages: Mapping[str, Mapping[str, Any]], links: Mapping[str, str] | None = None) -> None:
    """Packages by path, each with its package.json, and links by path with what they lead to."""
    for path, manifest in packages.items():
        (tree / path).mkdir(parents=True, exist_ok=True)
        (tree / path / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    for path, target in (links or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)


def carve(folder: Path, plan: Mapping[str, Any]) -> str:
    """Run `carve layers`; gives what it complains of."""
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    places = {"--tree": folder / "app", "--plan": folder / "plan.json", "--out": folder / "layers"}
    words = ["--platform", "linux/amd64", "--libc", "glibc", *(str(w) for pair in places.items() for w in pair)]
    done = subprocess.run(["node", str(SCRIPT), "layers", *words], capture_output=True, text=True, check=False)
    return done.stderr


def walked(folder: Path, **walk: object) -> dict[str, list[str]]:
    """Layer -> the entries that walking from the services a and b finds."""
    packages = ["", "services/a", "services/b", "packages/lib"]
    given = {"packages": packages, "services": {"a": "services/a", "b": "services/b"}, **walk}
    assert carve(folder, {"walk": given, "layers": [*OWN, BOTH]}) == ""
    sizes = json.loads((folder / "layers/sizes.json").read_text(encoding="utf-8"))
    return {name: list(layer["entries"]) for name, layer in sizes.items() if layer["entries"]}


def test_each_entry_lands_in_the_layer_of_exactly_its_services(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "": {},
            "packages/lib": {"dependencies": {"x": "1"}},
            "services/a": {"dependencies": {"lib": "1"}, "devDependencies": {"dev": "1"}},
            "services/b": {"dependencies": {"lib": "1", "y": "1", "x": "2"}, "optionalDependencies": {"gone": "1"}},
            "node_modules/x": {"version": "1.0.0"},
            "node_modules/y": {"scripts": {"install": "make"}},
            "node_modules/dev": {},
            "services/b/node_modules/x": {"version": "2.0.0"},
        },
        {"node_modules/lib": "../packages/lib"},
    )
    assert walked(tmp_path) == {
        "both": ["node_modules/lib", "node_modules/x"],
        "b": ["services/b/node_modules/x"],
        "b-native": ["node_modules/y"],
    }


def test_what_the_lockfile_adds_to_a_package_comes_with_it(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            **{path: {} for path in ("", "packages/lib", "services/b")},
            "services/a": {"dependencies": {"x": "1"}},
            **{f"node_modules/{name}": {"name": name, "version": "1.0.0"} for name in ("x", "added", "other")},
        },
    )
    found = walked(
        tmp_path, services={"a": "services/a"}, extended={"x@1.0.0": ["added", "gone"], "x@2.0.0": ["other"]}
    )
    assert found == {"a": ["node_modules/added", "node_modules/x"]}


def test_peers_count_where_something_else_brings_them_and_platforms_where_they_fit(tmp_path: Path) -> None:
    optional = {"peerDependenciesMeta": {"color": {"optional": True}, "dev": {"optional": True}}}
    plant(
        tmp_path / "app",
        {
            "": {"devDependencies": {"dev": "1"}},
            "packages/lib": {},
            "services/a": {"dependencies": {"x": "1"}},
            "services/b": {"dependencies": {"color": "1"}},
            "node_modules/x": {"peerDependencies": {"color": "1", "dev": "1"}, **optional, "dependencies": {"z": "1"}},
            "node_modules/color": {},
            "node_modules/dev": {},
            "node_modules/z": {"optionalDependencies": {"z-arm": "1", "z-x64": "1"}},
            "node_modules/z-arm": {"cpu": ["arm64"]},
            "node_modules/z-x64": {"cpu": "x64"},
        },
    )
    assert walked(tmp_path) == {
        "both": ["node_modules/color"],
        "a": ["node_modules/x", "node_modules/z"],
        "a-native": ["node_modules/z-x64"],
    }


def test_names_that_the_plan_adds_or_leaves_out_count(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "": {},
            "packages/lib": {},
            "services/a": {"dependencies": {"x": "1"}},
            "services/b": {},
            "node_modules/x": {},
            "node_modules/y": {},
        },
    )
    assert walked(tmp_path, extra={"services/b": ["y"]}, exclude={"services/a": ["x"]}) == {"b": ["node_modules/y"]}


def test_a_dependency_that_is_not_installed_ends_the_build(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"services/a": {"dependencies": {"x": "1"}}})
    walk = {"packages": ["services/a"], "services": {"a": "services/a"}}
    assert carve(tmp_path, {"walk": walk, "layers": OWN}) == (
        "carve: services/a: its dependency x is not installed; install again with this lockfile\n"
    )


def test_pnpms_commands_and_hoisted_links_come_with_what_they_lead_to(tmp_path: Path) -> None:
    store = "node_modules/.pnpm/x@1.0.0/node_modules/x"
    hidden = "node_modules/.pnpm/node_modules"
    plant(
        tmp_path / "app",
        {store: {}, "node_modules/.pnpm/y@1.0.0/node_modules/y": {}},
        {
            "services/a/node_modules/x": f"../../../{store}",
            "services/a/node_modules/.bin/x": f"../../../../{store}/package.json",
            f"{hidden}/x": "../x@1.0.0/node_modules/x",
            f"{hidden}/y": "../y@1.0.0/node_modules/y",
        },
    )
    layers = [
        {"id": "both", "native": False, "entries": [{"path": store}]},
        {"id": "a", "native": False, "entries": [{"path": "services/a/node_modules/x", "link": store}]},
    ]
    assert carve(tmp_path, {"hoisted": [hidden], "layers": layers}) == ""
    links = [p.relative_to(tmp_path / "layers").as_posix() for p in (tmp_path / "layers").rglob("*") if p.is_symlink()]
    assert sorted(links) == [
        "a/app/services/a/node_modules/.bin/x",
        "a/app/services/a/node_modules/x",
        f"both/app/{hidden}/x",
    ]


def test_what_a_tarball_brought_along_stays_in_its_package(tmp_path: Path) -> None:
    path = "node_modules/.pnpm/x@1.0.0/node_modules/x"
    plant(tmp_path / "app", {path: {}, f"{path}/node_modules/y": {}}, {f"{path}/node_modules/.bin/z": "../y"})
    entry = {"path": path, "bundled": True}
    assert carve(tmp_path, {"layers": [{"id": "one", "native": False, "entries": [entry]}]}) == ""
    assert (tmp_path / "layers/one/app" / path / "node_modules/y/package.json").is_file()
    assert not (tmp_path / "layers/one/app" / path / "node_modules/.bin").exists()


def test_a_link_to_a_folder_of_a_package_stays_one(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "": {},
            "packages/lib": {"dependencies": {"x": "1"}},
            "services/a": {"dependencies": {"lib": "1"}},
            "services/b": {},
            "node_modules/x": {},
        },
        {"node_modules/lib": "../packages/lib/dist"},
    )
    assert walked(tmp_path)["a"] == ["node_modules/lib", "node_modules/x"]
    assert (tmp_path / "layers/a/app/node_modules/lib").readlink() == Path("../packages/lib/dist")


def test_a_planned_link_leads_where_the_installed_one_does_when_that_is_in_the_package(tmp_path: Path) -> None:
    links = {"node_modules/lib": "../packages/lib/dist", "node_modules/other": "../elsewhere"}
    plant(tmp_path / "app", {"packages/lib": {}}, links)
    entries = [{"path": path, "link": "packages/lib"} for path in links]
    assert carve(tmp_path, {"layers": [{"id": "one", "native": False, "entries": entries}]}) == ""
    found = [(tmp_path / "layers/one/app" / path).readlink().as_posix() for path in links]
    assert found == ["../packages/lib/dist", "../packages/lib"]
