"""docker/carve builds: what each build gets of an installed tree."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.tools.stages.test_carve_walk import SCRIPT, plant

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

UNPACK = SCRIPT.parents[1] / "unpack.mjs"
PACKAGES = ["", "packages/lib", "services/a", "services/b"]
STAGES = {
    "a": {"packages": ["packages/lib", "services/a"], "extra": []},
    "b": {"packages": ["services/b"], "extra": []},
}


def carve(
    folder: Path, stages: Mapping[str, Any] = STAGES, *, lockfile: str = "", **more: object
) -> dict[str, list[str]]:
    """Stage -> the packages, links and files in its node_modules folders: those that all share, and its own."""
    plan = {"lockfile": lockfile, "packages": PACKAGES, "stages": stages, **more}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    places = {"--tree": folder / "app", "--plan": folder / "plan.json", "--out": folder / "packs"}
    run_node(SCRIPT, "builds", *(w for pair in places.items() for w in pair))
    for name in ("base", *stages):
        run_node(UNPACK, folder / "packs" / name, folder / "builds" / name)
    shared = listing(folder / "builds" / "base")
    own = {name: listing(folder / "builds" / name) for name in stages}
    assert not any({*shared} & {*found} for found in own.values())
    return {name: sorted((*shared, *found)) for name, found in own.items()}


def run_node(script: Path, *words: str | Path) -> None:
    done = subprocess.run(["node", str(script), *map(str, words)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def listing(stage: Path) -> list[str]:
    files = [p for p in stage.rglob("*") if not p.is_dir() or p.is_symlink()]
    found = [p.relative_to(stage).as_posix() for p in files]
    return sorted(p.removesuffix("/package.json") for p in found if "node_modules/" in p)


def test_what_every_build_reaches_stays_and_the_rest_goes_to_those_that_reach_it(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "": {"devDependencies": {"compiler": "1"}},
            "packages/lib": {"dependencies": {"of-lib": "1"}, "devDependencies": {"tool-of-lib": "1"}},
            "services/a": {"dependencies": {"lib": "1", "all": "1", "x": "1"}},
            "services/b": {"dependencies": {"all": "1", "x": "2"}, "peerDependencies": {"peer": "1"}},
            "node_modules/compiler": {"dependencies": {"of-compiler": "1"}},
            "node_modules/of-compiler": {},
            "node_modules/of-lib": {},
            "node_modules/tool-of-lib": {},
            "node_modules/@scope/x-uses": {},
            "node_modules/all": {"optionalDependencies": {"of-all": "1"}},
            "node_modules/of-all": {},
            "node_modules/x": {"dependencies": {"@scope/x-uses": "1"}},
            "node_modules/x/node_modules/@scope/x-uses": {},
            "node_modules/peer": {},
            "node_modules/nobody": {},
            "services/b/node_modules/x": {},
        },
        {
            "node_modules/lib": "../packages/lib",
            "node_modules/b": "../services/b",
            "node_modules/.bin/compiler": "../compiler/cli.js",
            "node_modules/.bin/x": "../x/cli.js",
        },
    )
    everyone = [
        "node_modules/.bin/compiler",
        "node_modules/all",
        "node_modules/compiler",
        "node_modules/of-all",
        "node_modules/of-compiler",
    ]
    assert carve(tmp_path) == {
        "a": sorted(
            [
                *everyone,
                "node_modules/.bin/x",
                "node_modules/lib",
                "node_modules/of-lib",
                "node_modules/tool-of-lib",
                "node_modules/x",
                "node_modules/x/node_modules/@scope/x-uses",
            ]
        ),
        "b": sorted([*everyone, "node_modules/b", "node_modules/peer", "services/b/node_modules/x"]),
    }
    shared = ["node_modules/.bin/compiler", "node_modules/compiler", "node_modules/of-compiler"]
    assert listing(tmp_path / "builds/base") == shared


def test_a_build_gets_what_it_mentions_and_every_build_all_types(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "": {},
            "packages/lib": {},
            "services/a": {},
            "services/b": {"devDependencies": {"@types/node": "1"}},
            "node_modules/@types/node": {"dependencies": {"undici-types": "1"}},
            "node_modules/undici-types": {},
            "node_modules/plugin": {},
        },
    )
    stages = {**STAGES, "a": {**STAGES["a"], "extra": ["plugin", "absent"]}}
    types = ["node_modules/@types/node", "node_modules/undici-types"]
    assert carve(tmp_path, stages) == {"a": sorted(["node_modules/plugin", *types]), "b": types}


def test_a_build_gets_what_the_lockfile_adds_to_a_package(tmp_path: Path) -> None:
    packages = {f"node_modules/{name}": {"name": name, "version": "1.0.0"} for name in ("x", "added", "other")}
    plant(tmp_path / "app", {"": {}, "services/a": {"devDependencies": {"x": "1"}}, **packages})
    stages = {"a": {"packages": ["services/a"], "extra": []}}
    found = carve(tmp_path, stages, extended={"x@1.0.0": ["added"], "other@1.0.0": ["x"]})
    assert found == {"a": ["node_modules/added", "node_modules/x"]}


def test_no_build_gets_records_of_the_whole_install_and_each_what_scripts_made_beside_packages(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"": {}, "packages/lib": {}, "services/a": {}, "services/b": {}})
    for path in (".package-lock.json", ".yarn-integrity", ".prisma/client/index.js"):
        (tmp_path / "app/node_modules" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app/node_modules" / path).write_text("{}")
    made = ["node_modules/.prisma/client/index.js"]
    assert carve(tmp_path) == {"a": made, "b": made}


def test_packages_of_pnpms_store_come_with_the_links_beside_them(tmp_path: Path) -> None:
    store = "node_modules/.pnpm"
    plant(
        tmp_path / "app",
        {
            "": {},
            "packages/lib": {},
            "services/a": {"dependencies": {"x": "1"}},
            "services/b": {"dependencies": {"y": "1"}},
            f"{store}/x@1/node_modules/x": {"dependencies": {"y": "1"}},
            f"{store}/y@1/node_modules/y": {},
            f"{store}/z@1/node_modules/z": {},
        },
        {
            "services/a/node_modules/x": f"../../../{store}/x@1/node_modules/x",
            "services/b/node_modules/y": f"../../../{store}/y@1/node_modules/y",
            f"{store}/x@1/node_modules/y": "../../y@1/node_modules/y",
            f"{store}/node_modules/x": "../x@1/node_modules/x",
            f"{store}/node_modules/y": "../y@1/node_modules/y",
            f"{store}/node_modules/z": "../z@1/node_modules/z",
        },
    )
    (tmp_path / "app" / store / "lock.yaml").write_text("")
    both = [f"{store}/node_modules/y", f"{store}/y@1/node_modules/y"]
    assert carve(tmp_path) == {
        "a": sorted(
            [
                *both,
                f"{store}/node_modules/x",
                f"{store}/x@1/node_modules/x",
                f"{store}/x@1/node_modules/y",
                "services/a/node_modules/x",
            ]
        ),
        "b": sorted([*both, "services/b/node_modules/y"]),
    }


def test_what_pnpm_has_in_the_place_of_a_copy_comes_with_the_workspace_package_itself(tmp_path: Path) -> None:
    copy = "node_modules/.pnpm/lib@file+packages+lib_x@1/node_modules/lib"
    plant(
        tmp_path / "app",
        {"": {}, "packages/lib": {}, "services/a": {"dependencies": {"lib": "1"}}, "services/b": {}},
        {copy: f"{tmp_path}/app/packages/lib", "services/a/node_modules/lib": f"../../../{copy}"},
    )
    assert carve(tmp_path) == {"a": [copy, "services/a/node_modules/lib"], "b": []}


def test_of_packages_of_which_a_build_reads_some_files_it_gets_what_these_load(tmp_path: Path) -> None:
    store = "node_modules/.pnpm"
    packages = {
        "": {},
        "packages/lib": {"dependencies": {"x": "1", "z": "1"}},
        "services/a": {},
        f"{store}/x@1/node_modules/x": {},
        f"{store}/z@1/node_modules/z": {},
        "node_modules/hoisted": {"dependencies": {"more": "1"}},
        "node_modules/more": {},
    }
    links = {f"packages/lib/node_modules/{n}": f"../../../{store}/{n}@1/node_modules/{n}" for n in ("x", "z")}
    plant(tmp_path / "app", packages, links)
    stage: Mapping[str, Any] = {"packages": ["services/a"], "extra": []}
    some = {**stage, "beside": {"packages/lib": ["gone", "hoisted", "x"]}}
    every = {**stage, "beside": {"packages/lib": None}}
    x, z = ([f"{store}/{n}@1/node_modules/{n}", f"packages/lib/node_modules/{n}"] for n in ("x", "z"))
    assert carve(tmp_path, {"some": some, "every": every, "none": stage}) == {
        "some": sorted(["node_modules/hoisted", "node_modules/more", *x]),
        "every": sorted([*x, *z]),
        "none": [],
    }


def test_another_version_for_one_build_changes_nothing_for_the_other(tmp_path: Path) -> None:
    seen = []
    for version in ("1.0.0", "2.0.0"):
        folder = tmp_path / version
        manifests: dict[str, dict[str, Any]] = {
            "": {},
            "packages/lib": {},
            "services/a": {"dependencies": {"x": version, "all": "1"}},
            "services/b": {"dependencies": {"all": "1"}},
            "node_modules/x": {"version": version, "dependencies": {f"of-{version}": "1"}},
            f"node_modules/of-{version}": {},
            "node_modules/all": {},
        }
        plant(folder / "app", manifests)
        carve(folder)
        for stage in ("a", "b"):
            files = (folder / "builds" / stage).rglob("*.json")
            seen.append(sorted((p.relative_to(folder), p.read_text()) for p in files))
    assert seen[0] != seen[2]
    assert seen[1] == seen[3]


def test_each_build_finds_a_lockfile_of_what_it_got(tmp_path: Path) -> None:
    manifests: dict[str, dict[str, Any]] = {
        "": {},
        "packages/lib": {},
        "services/a": {"dependencies": {"x": "1"}},
        "services/b": {},
        "node_modules/x": {},
    }
    plant(tmp_path / "app", manifests, {"node_modules/lib": "../packages/lib"})
    places = {path: {"version": "1.0.0"} for path in (*manifests, "node_modules/lib")}
    (tmp_path / "app/package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": places}))
    carve(tmp_path, lockfile="package-lock.json")
    locks = [json.loads((tmp_path / f"builds/{s}/package-lock.json").read_text()) for s in ("a", "b")]
    assert [lock["lockfileVersion"] for lock in locks] == [3, 3]
    assert list(locks[0]["packages"]) == ["", "packages/lib", "services/a", "node_modules/x", "node_modules/lib"]
    assert list(locks[1]["packages"]) == ["", "services/b"]


@pytest.mark.parametrize(
    ("name", "head"), [("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"), ("yarn.lock", "# yarn lockfile v1\n")]
)
def test_of_lockfiles_that_name_no_places_the_head_is_there(tmp_path: Path, name: str, head: str) -> None:
    plant(tmp_path / "app", {"": {}, "packages/lib": {}, "services/a": {}, "services/b": {}})
    (tmp_path / "app" / name).write_text(f"{head}\npackages:\n\n  x@1:\n")
    carve(tmp_path, lockfile=name)
    assert (tmp_path / "builds/a" / name).read_text() == head


def test_a_workspace_without_packages_of_others_has_folders_to_mount(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"": {}, "packages/lib": {}, "services/a": {}, "services/b": {}})
    assert carve(tmp_path) == {"a": [], "b": []}
    assert [p.name for p in sorted((tmp_path / "packs").iterdir())] == ["a", "b", "base"]


def test_builds_share_one_pack_of_each_package(tmp_path: Path) -> None:
    needs = {"dependencies": {"all": "1"}}
    plant(tmp_path / "app", {"services/a": needs, "services/b": needs, "node_modules/all": {}})
    carve(tmp_path)
    first, second = ({(p.name, p.stat().st_ino) for p in (tmp_path / "packs" / s).iterdir()} for s in ("a", "b"))
    assert len(first) == len(second) == 2
    assert len(first & second) == 1


def test_what_is_unpacked_is_named_by_its_content(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"services/a": {"dependencies": {"x": "1"}}, "node_modules/x": {}})
    listed: list[str] = []
    for text in ("1", "2", "1"):
        (tmp_path / "app/node_modules/x/index.js").write_text(text)
        shutil.rmtree(tmp_path / "packs", ignore_errors=True)
        carve(tmp_path, {"a": STAGES["a"]})
        run_node(UNPACK, tmp_path / "packs/a", tmp_path / "again", tmp_path / f"list{len(listed)}")
        listed.append((tmp_path / f"list{len(listed)}").read_text())
    assert listed[0] == listed[2] != listed[1]


def test_a_package_is_unpacked_as_it_was_installed_but_for_its_times(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"services/a": {"dependencies": {"x": "1"}}, "node_modules/x": {}})
    package = tmp_path / "app/node_modules/x"
    for mode in (0o644, 0o755, 0o600, 0o666, 0o4755):
        (package / f"{mode:o}").write_bytes(bytes(range(256)))
        (package / f"{mode:o}").chmod(mode)
    (package / "Ünï code").write_text("")
    (package / "empty/inside").mkdir(parents=True)
    (package / "link").symlink_to("Ünï code")
    (package / "dangling").symlink_to("../nowhere")
    carve(tmp_path, {"a": STAGES["a"]})
    unpacked = tmp_path / "builds/a/node_modules/x"
    assert state(unpacked) == state(package)
    assert {p.stat().st_mtime for p in unpacked.rglob("*") if p.is_file()} == {946684800}


def state(folder: Path) -> dict[str, object]:
    """Path -> where a link leads, or the mode and bytes of a file; None for folders."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink())
        if path.is_symlink()
        else (path.stat().st_mode, path.read_bytes())
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def test_a_package_of_many_bytes_is_several_packs(tmp_path: Path) -> None:
    package = tmp_path / "app/node_modules/x"
    package.mkdir(parents=True)
    for name, size in (("a", 6), ("b", 4), ("c", 1), ("d", 12)):
        (package / name).write_text(name * size)
    script = f"""
        import {{ entriesOf, writePacks }} from '{SCRIPT.parent / "packs.mjs"}';
        writePacks('packs', entriesOf('app', 'node_modules/x'), 'app', 10);
    """
    (tmp_path / "packs").mkdir()
    subprocess.run(["node", "--input-type=module", "-e", script], cwd=tmp_path, check=True)
    run_node(UNPACK, tmp_path / "packs", tmp_path / "again")
    held = sorted([p for p, *_ in json.loads(f.read_text().splitlines()[0])] for f in (tmp_path / "packs").iterdir())
    assert held == [[f"node_modules/x/{name}" for name in names] for names in ("ab", "c", "d")]
    assert state(tmp_path / "again/node_modules/x") == state(package)


def test_a_command_of_a_workspace_package_comes_with_that_package(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {"": {}, "packages/lib": {}, "services/a": {}, "services/b": {}},
        {"node_modules/lib": "../packages/lib", "node_modules/.bin/lib": "../lib/bin/lib.js"},
    )
    links = {name: [p for p in found if "lib" in p] for name, found in carve(tmp_path).items()}
    assert links == {"a": ["node_modules/.bin/lib", "node_modules/lib"], "b": []}
