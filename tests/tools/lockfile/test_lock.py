"""bake.lock: its text, where missing packages go, and that npm takes the completed lockfile."""

import copy
import dataclasses
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bake.errors import RegistryError, WorkspaceError
from bake.lockfile import (
    BakeLock,
    LockedImage,
    MissingPlatformPackage,
    complete,
    load_bake_lock,
    make_bake_lock,
    missing_platform_packages,
    parse_lockfile,
    record_integrities,
    stale,
    write_bake_lock,
)
from bake.lockfile.bake_lock import LockedPackage, LockFinding, parse_bake_lock, render_bake_lock
from bake.registry import NpmRegistry
from bake.registry.npm import NpmSettings
from tests.npm_registry import npm_registry

PLATFORMS = ("linux/amd64", "linux/arm64")
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class Missing:
    """As closure.MissingPlatformPackage."""

    parent: str
    name: str
    version: str
    platform: str = "linux/amd64"


def locked(path: str, version: str = "1.0.0", **fields: Any) -> LockedPackage:
    name = path.rpartition("node_modules/")[2]
    base = {"name": name, "parent": "node_modules/tool", "integrity": "sha512-AAAA"}
    return LockedPackage(path=path, version=version, **{**base, **fields})


def manifest(name: str, version: str, **fields: Any) -> Mapping[str, Any]:
    tarball = f"{REGISTRY}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    dist = {"integrity": f"sha512-{version.replace('.', 'x')}", "tarball": tarball}
    return {"name": name, "version": version, "os": ["linux"], "cpu": ["x64"], "dist": dist, **fields}


def fetch_any(specs: Sequence[tuple[str, str]]) -> tuple[Mapping[str, Any], ...]:
    """A registry that has every package in every version."""
    return tuple(manifest(name, spec.lstrip("^~")) for name, spec in specs)


def no_image(reference: str) -> LockedImage:
    raise AssertionError(reference)


def lock_missing(packages: Mapping[str, Any], *missing: Missing, fetch: Any = fetch_any) -> tuple[LockedPackage, ...]:
    raw = {"lockfileVersion": 3, "packages": {"": {}, **packages}}
    return make_bake_lock(raw, missing, (), fetch=fetch, resolve=no_image).packages


def paths_of(packages: Mapping[str, Any], *missing: Missing) -> dict[str, str]:
    return {package.path: package.version for package in lock_missing(packages, *missing)}


# The text


WHOLE = BakeLock(
    packages=(
        locked(
            "node_modules/@tool/linux-x64",
            resolved="@tool/linux-x64/-/linux-x64-1.0.0.tgz",
            os=("linux",),
            engines={"node": ">=18"},
        ),
    ),
    images={"docker.io/library/node:24": LockedImage(digest=DIGEST, platforms=("linux/amd64", "linux/arm64"))},
)
TEXT = f"""\
# Written by `bake lock`. Commit it; do not edit it: run `bake lock` again.
# packages: what package-lock.json lacks for other platforms (npm/cli#4828).
# images: the digests that base images are pinned to.
version = 1

[[packages]]
path = "node_modules/@tool/linux-x64"
name = "@tool/linux-x64"
version = "1.0.0"
parent = "node_modules/tool"
integrity = "sha512-AAAA"
resolved = "@tool/linux-x64/-/linux-x64-1.0.0.tgz"
os = [
    "linux",
]

[packages.engines]
node = ">=18"

[images."docker.io/library/node:24"]
digest = "{DIGEST}"
platforms = [
    "linux/amd64",
    "linux/arm64",
]
"""


def test_a_lock_is_written_as_commented_toml() -> None:
    assert render_bake_lock(WHOLE) == TEXT


def test_a_written_lock_reads_as_what_was_written() -> None:
    assert parse_bake_lock(TEXT) == WHOLE


def test_an_empty_lock_reads_as_what_was_written() -> None:
    assert parse_bake_lock(render_bake_lock(BakeLock())) == BakeLock()


def test_packages_are_written_in_the_order_of_their_paths() -> None:
    one, two = locked("node_modules/a"), locked("node_modules/b")
    assert render_bake_lock(BakeLock(packages=(two, one))) == render_bake_lock(BakeLock(packages=(one, two)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<<<<<<< HEAD",
            "bake.lock: not TOML (Invalid statement (at line 1, column 1)); settle the merge, then run `bake lock`",
        ),
        ("version = 2", "bake.lock: has version 2, expected 1; update bake"),
        ("bases = 1", "bake.lock: bases: unknown key; run `bake lock` again"),
        (
            TEXT.replace(DIGEST, "sha256:short"),
            'bake.lock: images."docker.io/library/node:24".digest: '
            "'sha256:short' is not sha256:… with 64 hex digits; run `bake lock` again",
        ),
        (
            TEXT.replace('"@tool/linux-x64/-', '"https://host/@tool/linux-x64/-'),
            "bake.lock: packages[0].resolved: 'https://host/@tool/linux-x64/-/linux-x64-1.0.0.tgz' is not "
            "a path below the registry, without its host; run `bake lock` again",
        ),
        (
            TEXT.replace('path = "node_modules/', 'path = "../node_modules/'),
            "bake.lock: packages[0].path: '../node_modules/@tool/linux-x64' is not "
            "a path that ends in node_modules/NAME; run `bake lock` again",
        ),
    ],
)
def test_a_wrong_lock_is_reported_with_the_key_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        parse_bake_lock(text)
    assert str(caught.value) == message


def test_no_lock_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert load_bake_lock(tmp_path / "bake.lock") == BakeLock()


def test_a_lock_is_written_once_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "bake.lock"
    assert [write_bake_lock(file, WHOLE), write_bake_lock(file, WHOLE)] == [True, False]
    assert [each.name for each in tmp_path.iterdir()] == ["bake.lock"]
    assert load_bake_lock(file) == WHOLE


def test_a_lock_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError) as caught:
        write_bake_lock(tmp_path / "file" / "bake.lock", WHOLE)
    assert str(caught.value) == f"{tmp_path}/file/bake.lock: cannot be written (Not a directory)"


# Where packages go


TOOL = {"version": "1.0.0", "optionalDependencies": {"@tool/linux-x64": "1.0.0"}}
TOOL_2 = {"version": "2.0.0", "optionalDependencies": {"@tool/linux-x64": "2.0.0"}}


def test_a_missing_package_goes_to_the_root() -> None:
    packages = {"services/api/node_modules/tool": TOOL, "services/api": {}}
    missing = Missing("services/api/node_modules/tool", "@tool/linux-x64", "1.0.0")
    assert paths_of(packages, missing) == {"node_modules/@tool/linux-x64": "1.0.0"}


def test_another_version_goes_beside_its_parent() -> None:
    packages = {
        "node_modules/tool": TOOL,
        "node_modules/builder": {"version": "5.0.0"},
        "node_modules/builder/node_modules/tool": TOOL_2,
    }
    inner = Missing("node_modules/builder/node_modules/tool", "@tool/linux-x64", "2.0.0")
    outer = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
    assert paths_of(packages, inner, outer) == {
        "node_modules/@tool/linux-x64": "1.0.0",
        "node_modules/builder/node_modules/@tool/linux-x64": "2.0.0",
    }


def test_two_parents_with_one_version_share_the_package() -> None:
    packages = {
        "node_modules/tool": TOOL_2,
        "services/a": {},
        "services/a/node_modules/tool": TOOL,
        "services/b": {},
        "services/b/node_modules/tool": TOOL,
    }
    missing = [Missing(f"services/{one}/node_modules/tool", "@tool/linux-x64", "1.0.0") for one in "ab"]
    assert paths_of(packages, *missing, Missing("node_modules/tool", "@tool/linux-x64", "2.0.0")) == {
        "node_modules/@tool/linux-x64": "2.0.0",
        "services/a/node_modules/@tool/linux-x64": "1.0.0",
        "services/b/node_modules/@tool/linux-x64": "1.0.0",
    }


def test_a_place_is_left_free_when_others_would_find_a_version_they_do_not_accept() -> None:
    packages = {
        "node_modules/tool": TOOL,  # not asked for: a platform that is not built
        "services/api": {},
        "services/api/node_modules/tool": TOOL_2,
    }
    missing = Missing("services/api/node_modules/tool", "@tool/linux-x64", "2.0.0")
    assert paths_of(packages, missing) == {"services/api/node_modules/@tool/linux-x64": "2.0.0"}


def test_a_package_behind_a_wrong_version_goes_inside_it() -> None:
    packages = {
        "services/api": {},
        "services/api/node_modules/tool": TOOL,
        "services/api/node_modules/@tool/linux-x64": {"version": "2.0.0"},
    }
    missing = Missing("services/api/node_modules/tool", "@tool/linux-x64", "1.0.0")
    assert paths_of(packages, missing) == {"services/api/node_modules/tool/node_modules/@tool/linux-x64": "1.0.0"}


def test_what_the_lockfile_has_already_is_not_locked() -> None:
    packages = {"node_modules/tool": TOOL, "node_modules/@tool/linux-x64": {"version": "1.0.0"}}
    assert paths_of(packages, Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")) == {}


def test_an_alias_keeps_its_place_and_names_the_real_package() -> None:
    tool = {"version": "1.0.0", "optionalDependencies": {"native": "npm:@tool/linux-x64@1.0.0"}}
    packages = {"node_modules/tool": tool}
    (found,) = lock_missing(packages, Missing("node_modules/tool", "native", "npm:@tool/linux-x64@1.0.0"))
    assert (found.path, found.name) == ("node_modules/native", "@tool/linux-x64")
    raw = {"packages": {"": {}, **packages}}
    assert complete(raw, BakeLock(packages=(found,)))["packages"]["node_modules/native"]["name"] == found.name


def test_what_a_missing_package_needs_is_locked_for_its_platform_only() -> None:
    made = {
        "@img/linux-x64": manifest(
            "@img/linux-x64",
            "1.0.0",
            dependencies={"loader": "^2.0.0", "@img/vips-x64": "3.0.0"},
            optionalDependencies={"@img/vips-x64": "3.0.0", "@img/vips-arm64": "3.0.0"},
        ),
        "loader": manifest("loader", "2.5.0", os=[], cpu=[]),
        "@img/vips-x64": manifest("@img/vips-x64", "3.0.0"),
        "@img/vips-arm64": manifest("@img/vips-arm64", "3.0.0", cpu=["arm64"]),
    }
    found = lock_missing(
        {"node_modules/img": {"version": "1.0.0", "optionalDependencies": {"@img/linux-x64": "1.0.0"}}},
        Missing("node_modules/img", "@img/linux-x64", "1.0.0"),
        fetch=lambda specs: [made[name] for name, _ in specs],
    )
    assert {package.path: package.parent for package in found} == {
        "node_modules/@img/linux-x64": "node_modules/img",
        "node_modules/@img/vips-x64": "node_modules/@img/linux-x64",
        "node_modules/loader": "node_modules/@img/linux-x64",
    }
    assert found[0].dependencies == {"loader": "^2.0.0"}


def test_what_a_package_for_every_platform_may_need_is_locked_for_each() -> None:
    made = {
        "portable": manifest("portable", "1.0.0", os=[], cpu=[], optionalDependencies={"native": "1.0.0"}),
        "native": manifest("native", "1.0.0"),
    }
    found = lock_missing(
        {"node_modules/tool": {"version": "1.0.0", "optionalDependencies": {"portable": "1.0.0"}}},
        Missing("node_modules/tool", "portable", "1.0.0"),
        fetch=lambda specs: [made[name] for name, _ in specs],
    )
    assert [package.name for package in found] == ["native", "portable"]


@pytest.mark.parametrize(
    ("resolved", "tarball"),
    [
        (f"{REGISTRY}/tool/-/tool-1.0.0.tgz", "@tool/linux-x64/-/linux-x64-1.0.0.tgz"),
        (None, ""),
        ("https://npm.pkg.example/download/tool/1.0.0/0a1b", ""),
    ],
)
def test_a_tarball_is_recorded_without_host_where_the_lockfile_records_tarballs(
    resolved: str | None, tarball: str
) -> None:
    tool = TOOL | ({"resolved": resolved} if resolved else {})
    missing = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
    (found,) = lock_missing({"node_modules/tool": tool}, missing)
    assert found.resolved == tarball


def test_a_tarball_of_a_scope_that_the_lockfile_says_nothing_of_is_not_where_others_are() -> None:
    other = {"version": "1.0.0", "resolved": f"{REGISTRY}/other/-/other-1.0.0.tgz"}
    missing = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
    (found,) = lock_missing({"node_modules/tool": TOOL, "node_modules/other": other}, missing)
    assert found.resolved == ""


@pytest.mark.parametrize(
    "tarball",
    [
        f"{REGISTRY}/@tool/linux-x64/-/linux-x64-1.0.0.tgz?token=secret",
        "https://storage.example/linux-x64-1.0.0.tgz",
    ],
)
def test_a_tarball_with_a_query_or_in_another_layout_is_not_recorded(tarball: str) -> None:
    made = manifest("@tool/linux-x64", "1.0.0", dist={"integrity": "sha512-AAAA", "tarball": tarball})
    tool = TOOL | {"resolved": f"{REGISTRY}/tool/-/tool-1.0.0.tgz"}
    missing = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
    (found,) = lock_missing({"node_modules/tool": tool}, missing, fetch=lambda _: [made])
    assert found.resolved == ""


def test_a_manifest_without_integrity_is_refused() -> None:
    missing = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
    with pytest.raises(RegistryError) as caught:
        lock_missing({"node_modules/tool": TOOL}, missing, fetch=lambda _: [{"version": "1.0.0"}])
    assert str(caught.value) == (
        "@tool/linux-x64@1.0.0: the registry's manifest has no integrity; ask the registry's owner"
    )


def test_images_are_locked_once_each_in_the_order_of_their_names() -> None:
    lock = make_bake_lock(
        {"packages": {"": {}}},
        (),
        ["docker.io/library/node:24", "a.example/base:1", "docker.io/library/node:24"],
        fetch=fetch_any,
        resolve=lambda _: LockedImage(digest=DIGEST),
    )
    assert list(lock.images) == ["a.example/base:1", "docker.io/library/node:24"]


# Completing


def test_completing_leaves_the_given_lockfile_as_it_is() -> None:
    raw = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/tool": TOOL}}
    before = copy.deepcopy(raw)
    complete(raw, WHOLE)
    assert raw == before


def test_the_tarball_gets_the_registry_that_the_lockfile_records() -> None:
    tool = TOOL | {"resolved": "https://npm.example/mirror/tool/-/tool-1.0.0.tgz"}
    done = complete({"packages": {"": {}, "node_modules/tool": tool}}, WHOLE)
    assert done["packages"]["node_modules/@tool/linux-x64"] == {
        "version": "1.0.0",
        "resolved": "https://npm.example/mirror/@tool/linux-x64/-/linux-x64-1.0.0.tgz",
        "integrity": "sha512-AAAA",
        "optional": True,
        "os": ["linux"],
        "engines": {"node": ">=18"},
    }


@pytest.mark.parametrize("tool", [TOOL_2, {"version": "1.0.0"}])
def test_an_outdated_lock_adds_nothing_that_the_lockfile_does_not_ask_for(tool: Mapping[str, Any]) -> None:
    packages = {"": {}, "node_modules/tool": tool}
    assert complete({"packages": packages}, WHOLE)["packages"] == packages


def test_what_the_lockfile_has_meanwhile_is_kept() -> None:
    own = {"version": "1.0.0", "integrity": "sha512-BBBB"}
    packages = {"": {}, "node_modules/tool": TOOL, "node_modules/@tool/linux-x64": own}
    assert complete({"packages": packages}, WHOLE)["packages"]["node_modules/@tool/linux-x64"] == own


def test_what_only_development_asks_for_itself_is_for_development() -> None:
    root = {"devDependencies": {"@tool/linux-x64": "1.0.0"}}
    packages = {"": root, "node_modules/tool": TOOL | {"dev": True}}
    added = complete({"packages": packages}, WHOLE)["packages"]["node_modules/@tool/linux-x64"]
    assert (added["dev"], added["optional"]) == (True, True)


def test_a_development_package_that_an_added_one_needs_is_for_production_too() -> None:
    added = locked("node_modules/@tool/linux-x64", dependencies={"loader": "^1.0.0"})
    packages = {
        "": {},
        "node_modules/tool": TOOL,
        "node_modules/loader": {"version": "1.2.0", "dev": True, "dependencies": {"deep": "1.0.0"}},
        "node_modules/deep": {"version": "1.0.0", "dev": True, "optional": True},
    }
    done = complete({"packages": packages}, BakeLock(packages=(added,)))["packages"]
    assert done["node_modules/loader"] == {
        "version": "1.2.0",
        "dependencies": {"deep": "1.0.0"},
        "devOptional": True,
    }
    assert done["node_modules/deep"] == {"version": "1.0.0", "optional": True}


# Any tree


def random_packages(chance: random.Random) -> dict[str, dict[str, Any]]:
    """A tree of up to four levels in which tools of several versions lack some of their natives."""
    packages: dict[str, dict[str, Any]] = {"": {"version": "1.0.0"}, "services/a": {"version": "1.0.0"}}
    for _ in range(12):
        home = chance.choice([path for path in packages if path.count("node_modules/") < 3])
        name, version = f"tool{chance.randrange(3)}", f"{chance.randrange(1, 4)}.0.0"
        path = f"{home}/node_modules/{name}".lstrip("/")
        natives = {f"@{name}/{cpu}": version for cpu in ("x64", "arm64")}
        packages.setdefault(path, {"version": version, "optionalDependencies": natives})
    for path, entry in tuple(packages.items()):
        for name, version in entry.get("optionalDependencies", {}).items():
            home = chance.choice(["", path.rpartition("node_modules/")[0].rstrip("/"), path])
            native = f"{home}/node_modules/{name}".lstrip("/")
            if chance.random() < 0.2 and found_by_node({**packages, native: {}}, path, name) == native:
                packages.setdefault(native, {"version": version})
    return packages


def found_by_node(packages: Mapping[str, Any], path: str, name: str) -> str | None:
    """Node's search, from the directory itself up to the root."""
    while True:
        slot = f"{path}/node_modules/{name}".lstrip("/")
        if slot in packages or not path:
            return slot if slot in packages else None
        path = path.rpartition("/")[0]


def edges(packages: Mapping[str, Any]) -> dict[tuple[str, str], str | None]:
    """(entry path, name) of all who name a native -> the version that they find."""
    return {
        (path, name): packages[found]["version"] if (found := found_by_node(packages, path, name)) else None
        for path, entry in packages.items()
        for name in entry.get("optionalDependencies", {})
    }


@pytest.mark.parametrize("seed", range(60))
def test_whoever_asked_finds_the_right_version_and_nobody_finds_another_than_before(seed: int) -> None:
    chance = random.Random(seed)
    packages = random_packages(chance)
    before = edges(packages)
    asked = {edge for edge, version in before.items() if version is None and chance.random() < 0.7}
    wanted = {edge: packages[edge[0]]["version"] for edge in before}
    missing = [Missing(*edge, wanted[edge]) for edge in sorted(asked, key=lambda _: chance.random())]
    raw = {"packages": packages}
    lock = make_bake_lock(raw, missing, (), fetch=fetch_any, resolve=no_image)
    after = edges(complete(raw, lock)["packages"])
    assert {edge: after[edge] for edge in asked} == {edge: wanted[edge] for edge in asked}
    assert all(after[edge] in (version, wanted[edge]) for edge, version in before.items())
    assert stale(lock, missing, ()) == ()


# Against npm


FAMILY_PLATFORMS = {
    "linux-x64": {"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]},
    "linux-arm64": {"os": ["linux"], "cpu": ["arm64"], "libc": ["glibc"]},
    "darwin-arm64": {"os": ["darwin"], "cpu": ["arm64"]},
}


def family(name: str, *versions: str, **fields: Any) -> dict[str, dict[str, Any]]:
    """A package with a native package for each platform, as esbuild and rollup have them."""
    natives = {
        f"@{name}/{platform}": {version: {**where, "engines": {"node": ">=18"}} for version in versions}
        for platform, where in FAMILY_PLATFORMS.items()
    }
    parent = {version: {"optionalDependencies": dict.fromkeys(natives, version), **fields} for version in versions}
    return {name: parent, **natives}


PUBLISHED: dict[str, dict[str, Any]] = {
    **family("esbuild", "1.0.0", "2.0.0", bin={"esbuild": "bin/esbuild"}),
    **family("rollup", "4.0.0"),
    **family("img", "3.0.0"),
    **family("vips", "7.0.0"),
    **family("lint", "8.0.0"),
    **family("peered", "9.0.0"),
    **family("either", "1.0.0"),
    "plugin": {"1.0.0": {"peerDependencies": {"peered": "^9.0.0"}}},
    "one": {"1.0.0": {"dependencies": {"either": "1.0.0"}}},
    "other": {"1.0.0": {"dependencies": {"either": "1.0.0"}}},
    "vite": {"5.0.0": {"dependencies": {"esbuild": "^1.0.0", "rollup": "^4.0.0"}}},
    "builder": {"1.0.0": {"dependencies": {"esbuild": "^1.0.0"}}},
}
for _platform in FAMILY_PLATFORMS:
    PUBLISHED[f"@vips/{_platform}"]["7.0.0"]["scripts"] = {"install": "node check.js"}
    PUBLISHED[f"@img/{_platform}"]["3.0.0"]["optionalDependencies"] = {f"@vips/{_platform}": "7.0.0"}
MANIFESTS: dict[str, dict[str, Any]] = {
    "": {
        "name": "root",
        "version": "1.0.0",
        "private": True,
        "workspaces": ["services/*"],
        "devDependencies": {"builder": "1.0.0", "lint": "8.0.0", "one": "1.0.0"},
        "optionalDependencies": {"other": "1.0.0"},
    },
    "services/api": {"name": "api", "version": "1.0.0", "dependencies": {"esbuild": "2.0.0", "img": "3.0.0"}},
    "services/web": {"name": "web", "version": "1.0.0", "dependencies": {"vite": "5.0.0", "plugin": "1.0.0"}},
}


@dataclass(frozen=True)
class NpmProject:
    """A workspace whose complete lockfile npm made, and a registry that serves its packages."""

    root: Path
    registry: str
    raw: Mapping[str, Any]

    def npm(self, *arguments: str, directory: Path | None = None) -> str:
        settings = {"registry": self.registry, "cache": str(self.root / ".cache"), "audit": "false"}
        settings |= {"update_notifier": "false", "userconfig": "/absent", "globalconfig": "/absent/npmrc"}
        path = os.environ["PATH"]
        done = subprocess.run(
            ["npm", *arguments],
            cwd=directory or self.root,
            env={"PATH": path, "HOME": str(self.root), **{f"npm_config_{k}": v for k, v in settings.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def without(self, *names: str) -> dict[str, Any]:
        """The lockfile as a machine of another platform leaves it."""
        kept = {
            path: entry
            for path, entry in self.raw["packages"].items()
            if path.rpartition("node_modules/")[2] not in names
        }
        return {**self.raw, "packages": kept}

    def lock(self, raw: Mapping[str, Any], *names: str) -> BakeLock:
        missing = [
            Missing(path, name, spec)
            for path, entry in raw["packages"].items()
            for name, spec in entry.get("optionalDependencies", {}).items()
            if name in names
        ]
        registry = NpmRegistry(NpmSettings(registry=f"{self.registry}/"))
        return make_bake_lock(raw, missing, (), fetch=registry.manifests, resolve=no_image)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NpmProject]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    root = tmp_path_factory.mktemp("project")
    write_manifests(root)
    with npm_registry(PUBLISHED) as url:
        NpmProject(root, url, {}).npm("install", "--package-lock-only")
        yield NpmProject(root, url, json.loads((root / "package-lock.json").read_text()))


def write_manifests(root: Path) -> None:
    for path, fields in MANIFESTS.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path / "package.json").write_text(json.dumps(fields))


def native_names() -> list[str]:
    return [name for name in PUBLISHED if "linux-" in name]


@pytest.mark.parametrize("names", [native_names(), *([name] for name in native_names())])
def test_the_completed_lockfile_is_the_one_npm_writes(project: NpmProject, names: list[str]) -> None:
    raw = project.without(*names)
    assert raw["packages"] != project.raw["packages"]
    assert complete(raw, project.lock(raw, *names)) == project.raw


def test_npm_ci_installs_the_added_packages_of_the_platform_it_is_told(project: NpmProject, tmp_path: Path) -> None:
    raw = project.without(*native_names())
    write_manifests(tmp_path)
    completed = complete(raw, project.lock(raw, *native_names()))
    (tmp_path / "package-lock.json").write_text(json.dumps(completed))
    platform = ("--os=linux", "--cpu=arm64", "--libc=glibc")
    told = project.npm("ci", "--dry-run", "--omit=dev", *platform, directory=tmp_path)
    added = {line.split()[1] for line in told.splitlines() if line.startswith("add @")}
    families = ("either", "esbuild", "img", "peered", "rollup", "vips")
    assert added == {f"@{name}/linux-arm64" for name in families}


def test_what_npm_has_lost_of_tarballs_is_asked_for_once_and_completed(project: NpmProject) -> None:
    registry = NpmRegistry(NpmSettings(registry=f"{project.registry}/"))
    asked: list[tuple[str, str]] = []

    def fetch(specs: Sequence[tuple[str, str]]) -> Sequence[Mapping[str, Any]]:
        asked.extend(specs)
        return registry.exact_manifests(specs)

    raw = copy.deepcopy(dict(project.raw))
    lost = [
        entry for path, entry in raw["packages"].items() if path.startswith("node_modules/") and "resolved" in entry
    ]
    for entry in (each for each in lost[1::2] if not each.get("link")):  # others say where the registry is
        del entry["integrity"], entry["resolved"]
    found = record_integrities(raw["packages"], {}, fetch=fetch, is_usual=registry.serves_as_usual)
    assert len(asked) == len(set(asked)) == len(found) > 5
    assert complete(raw, BakeLock(integrities=found)) == project.raw
    asked.clear()
    assert record_integrities(raw["packages"], found, fetch=fetch, is_usual=registry.serves_as_usual) == found
    assert asked == []
    assert record_integrities(project.raw["packages"], found, fetch=fetch, is_usual=registry.serves_as_usual) == {}


def integrities_of(
    packages: Mapping[str, Any], fetch: Any = fetch_any, *, is_usual: Callable[[str], bool] = lambda _: True
) -> dict[str, str]:
    return record_integrities(packages, {}, fetch=fetch, is_usual=is_usual)


def test_integrities_are_of_what_a_registry_has_in_the_usual_place() -> None:
    packages = {
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/b": {"version": "1.0.0", "name": "@real/b"},
        "node_modules/linked": {"resolved": "services/x", "link": True},
        "node_modules/a/node_modules/bundled": {"version": "1.0.0", "inBundle": True},
        "node_modules/git": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/x/git.git#0a1b"},
        "node_modules/file": {"version": "file:../file.tgz"},
        "services/x": {"version": "1.0.0"},
    }
    assert integrities_of(packages) == {"@real/b@1.0.0": "sha512-1x0x0", "a@1.0.0": "sha512-1x0x0"}
    assert integrities_of(packages, is_usual=lambda name: name == "a") == {"a@1.0.0": "sha512-1x0x0"}
    assert integrities_of(packages, lambda specs: [{} for _ in specs]) == {}
    elsewhere = {"integrity": "sha512-AAAA", "tarball": "https://storage.example/a.tgz"}
    assert integrities_of(packages, lambda specs: [manifest(*spec, dist=elsewhere) for spec in specs]) == {}


def test_a_tarball_is_where_those_of_its_scope_are() -> None:
    packages = {
        "node_modules/a": {"version": "1.0.0", "resolved": f"{REGISTRY}/a/-/a-1.0.0.tgz", "integrity": "sha512-1x0x0"},
        "node_modules/@s/b": {"version": "1.0.0", "resolved": "https://npm.example/@s/b/-/b-1.0.0.tgz"},
        "node_modules/@s/c": {"version": "1.0.0"},
        "node_modules/d": {"version": "1.0.0", "integrity": "sha512-kept"},
    }
    found = complete({"packages": packages}, BakeLock(integrities=integrities_of(packages)))["packages"]
    assert found["node_modules/a"] == packages["node_modules/a"]
    assert found["node_modules/@s/b"] == {**packages["node_modules/@s/b"], "integrity": "sha512-1x0x0"}
    assert found["node_modules/@s/c"]["resolved"] == "https://npm.example/@s/c/-/c-1.0.0.tgz"
    assert found["node_modules/d"] == {
        "version": "1.0.0",
        "resolved": f"{REGISTRY}/d/-/d-1.0.0.tgz",
        "integrity": "sha512-kept",
    }
    nowhere = {"node_modules/@s/c": {"version": "1.0.0"}}
    found = complete({"packages": nowhere}, BakeLock(integrities=integrities_of(nowhere)))["packages"]
    assert found == {"node_modules/@s/c": {"version": "1.0.0", "integrity": "sha512-1x0x0"}}


def test_what_is_reported_missing_before_completing_is_not_missing_after(project: NpmProject) -> None:
    def missing(raw: Mapping[str, Any]) -> tuple[MissingPlatformPackage, ...]:
        lock = parse_lockfile(json.dumps(raw))
        everything = frozenset(lock.entries)
        return missing_platform_packages(lock, platforms=PLATFORMS, libc="glibc", reachable=everything)

    raw = project.without(*native_names())
    fetch = NpmRegistry(NpmSettings(registry=f"{project.registry}/")).manifests
    lock = make_bake_lock(raw, missing(raw), (), fetch=fetch, resolve=no_image)
    assert {each.name for each in missing(raw)} >= {"@esbuild/linux-x64", "@img/linux-arm64"}
    assert complete(raw, lock) == project.raw
    assert missing(complete(raw, lock)) == ()
    assert stale(lock, missing(raw), ()) == ()


# Comparing


WANTED = Missing("node_modules/tool", "@tool/linux-x64", "1.0.0")
IMAGE = "docker.io/library/node:24"


def test_a_lock_that_has_everything_is_not_stale() -> None:
    assert stale(WHOLE, [WANTED], [IMAGE], current={IMAGE: DIGEST}) == ()


@pytest.mark.parametrize(
    ("lock", "missing", "images", "kind", "message"),
    [
        (
            BakeLock(images=WHOLE.images),
            [WANTED],
            [IMAGE],
            "missing",
            "node_modules/tool: @tool/linux-x64@1.0.0 for linux/amd64 is in neither lockfile; "
            "run `bake lock` and commit bake.lock",
        ),
        (
            WHOLE,
            [Missing("node_modules/tool", "@tool/linux-x64", "2.0.0", "linux/arm64")],
            [IMAGE],
            "behind",
            "node_modules/tool: @tool/linux-x64@2.0.0 for linux/arm64 is wanted, bake.lock has 1.0.0; "
            "run `bake lock` and commit bake.lock",
        ),
        (
            WHOLE,
            [],
            [IMAGE],
            "extra",
            "node_modules/@tool/linux-x64: @tool/linux-x64@1.0.0 is in bake.lock and no longer needed; "
            "run `bake lock` and commit bake.lock",
        ),
        (
            WHOLE,
            [WANTED],
            [IMAGE, "docker.io/library/node:24-slim"],
            "missing",
            "docker.io/library/node:24-slim: has no digest in bake.lock; run `bake lock` and commit bake.lock",
        ),
        (
            WHOLE,
            [WANTED],
            [],
            "extra",
            "docker.io/library/node:24: is in bake.lock and no longer a base image; "
            "run `bake lock` and commit bake.lock",
        ),
    ],
)
def test_a_stale_lock_is_reported(
    lock: BakeLock, missing: list[Missing], images: list[str], kind: str, message: str
) -> None:
    (found,) = stale(lock, missing, images)
    assert (found.kind, str(found)) == (kind, message)


def test_an_image_that_a_minimal_base_is_made_from_is_locked_with_its_variables() -> None:
    (found,) = stale(WHOLE, [WANTED], [IMAGE], minimal={IMAGE})
    what = "bake.lock does not say what it sets, which a minimal base needs"
    assert str(found) == f"{IMAGE}: {what}; run `bake lock` and commit bake.lock"
    told = LockedImage(digest=DIGEST, environment={"PATH": "/bin", "A-B": 'it\'s "x"\n'})
    lock = parse_bake_lock(render_bake_lock(dataclasses.replace(WHOLE, images={IMAGE: told})))
    assert lock.images == {IMAGE: told}
    assert stale(lock, [WANTED], [IMAGE], minimal={IMAGE}) == ()


def test_a_digest_that_moved_is_reported_when_the_registry_was_asked() -> None:
    assert stale(WHOLE, [WANTED], [IMAGE], current={IMAGE: OTHER_DIGEST}) == (
        LockFinding(
            kind="behind",
            where=IMAGE,
            what="the registry has sha256:bbbbbbbbbbbb…, bake.lock sha256:aaaaaaaaaaaa…",
        ),
    )


def test_what_a_locked_package_needs_is_not_extra() -> None:
    parent = locked("node_modules/@tool/linux-x64", dependencies={"loader": "^1.0.0"})
    lock = BakeLock(packages=(parent, locked("node_modules/loader", "1.5.0")))
    assert stale(lock, [WANTED], []) == ()
