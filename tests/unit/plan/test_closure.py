import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from bake.errors import WorkspaceError
from bake.lockfile import (
    Entry,
    Lockfile,
    MissingPlatformPackage,
    make_production,
    missing_platform_packages,
    node_platform,
    parse_lockfile,
)
from bake.lockfile.npm import make_lockfile
from bake.lockfile.platforms import NamedPlatform, parse_platform_name, runs_on
from bake.plan import Closure, closure
from bake.plan.closure import closures
from bake.plan.layers import layer_classes

BOTH = ("linux/amd64", "linux/arm64")


def lock_of(packages: Mapping[str, Mapping[str, Any]]) -> Lockfile:
    return make_lockfile({"lockfileVersion": 3, "packages": {"": {}, **packages}})


def entries(lock: Lockfile, path: str, platform: str = "linux/amd64", libc: str = "glibc", **options: Any) -> list[str]:
    return [
        entry.replace("node_modules/", "~")
        for entry in closure(lock, path, platforms=(platform,), libc=libc, **options).entries
    ]


def needs(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "*")


# --- parsing ----------------------------------------------------------------------------------------


def test_an_entry_holds_what_the_lockfile_says() -> None:
    lock = parse_lockfile(
        '\ufeff{"lockfileVersion": 3, "packages": {"": {"name": "root"}, "node_modules/@x/y": {"name": "real",'
        '"version": "1.2.3", "devOptional": true, "os": "linux", "cpu": ["x64"], "bin": "cli.js",'
        '"hasInstallScript": true, "peerDependencies": {"a": "1", "b": "2"},'
        '"peerDependenciesMeta": {"a": {"optional": true}, "b": {"optional": false}}}}}'
    )
    entry = lock.entries["node_modules/@x/y"]
    assert (entry.name, entry.version, entry.os, entry.cpu, entry.libc) == ("real", "1.2.3", ("linux",), ("x64",), ())
    assert (entry.dev, entry.optional) == (False, False)
    assert entry.bins == {"real": "cli.js"}
    assert entry.peer_optional == frozenset({"a"})
    assert lock.packages[""].name == "root"


@pytest.mark.parametrize(
    "fields",
    [
        {"os": ["linux"]},
        {"cpu": ["x64"]},
        {"libc": ["musl"]},
        {"hasInstallScript": True},
        {"dependencies": needs("node-gyp-build")},
        {"optionalDependencies": needs("node-gyp-build-optional-packages")},
    ],
)
def test_an_entry_that_may_hold_machine_code_is_native(fields: Mapping[str, Any]) -> None:
    lock = lock_of({"node_modules/x": fields, "node_modules/plain": {"dependencies": needs("x")}})
    assert lock.entries["node_modules/x"].native
    assert not lock.entries["node_modules/plain"].native


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{\n"packages": ]}',
            "package-lock.json:2: not JSON: Expecting value; run `npm install --package-lock-only`",
        ),
        (
            '{"lockfileVersion": 1, "dependencies": {}}',
            "package-lock.json: lockfileVersion 1 does not record where packages lie; "
            "run `npm install --package-lock-only --lockfile-version 3`",
        ),
        (
            "[]",
            "package-lock.json: no npm lockfile (it has no `packages`); run `npm install --package-lock-only`",
        ),
    ],
)
def test_what_is_no_usable_lockfile_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        parse_lockfile(text)
    assert str(caught.value) == message


# --- resolution -------------------------------------------------------------------------------------


def test_a_name_is_looked_for_from_the_inside_to_the_root() -> None:
    lock = lock_of(
        {
            "node_modules/a": {},
            "node_modules/@s/b": {},
            "node_modules/@s/b/node_modules/a": {},
            "node_modules/@s/b/node_modules/c": {},
            "services/api": {},
            "services/api/node_modules/a": {},
        }
    )
    found = [
        lock.resolve(start, "a")
        for start in ("", "services/api", "services/other", "node_modules/@s/b", "node_modules/@s/b/node_modules/c")
    ]
    assert found == [
        "node_modules/a",
        "services/api/node_modules/a",
        "node_modules/a",
        "node_modules/@s/b/node_modules/a",
        "node_modules/@s/b/node_modules/a",
    ]
    assert lock.resolve("node_modules/a", "c") is None


def test_node_modules_inside_node_modules_is_never_looked_into() -> None:
    lock = lock_of({"node_modules/a": {}, "node_modules/node_modules/b": {}})
    assert lock.resolve("node_modules/a", "b") is None


# --- closures ---------------------------------------------------------------------------------------


def test_a_closure_follows_links_into_workspace_packages_and_their_own_node_modules() -> None:
    lock = lock_of(
        {
            "node_modules/@w/shared": {"link": True, "resolved": "packages/shared"},
            "node_modules/zod": {"version": "3.0.0"},
            "packages/shared": {"dependencies": needs("zod")},
            "packages/shared/node_modules/zod": {"version": "4.0.0"},
            "services/api": {"dependencies": needs("@w/shared"), "devDependencies": needs("zod")},
        }
    )
    found = closure(lock, "services/api", platforms=BOTH, libc="glibc")
    assert found.entries == ("node_modules/@w/shared", "packages/shared/node_modules/zod")
    assert found.packages == ("packages/shared", "services/api")
    assert found.chain("packages/shared/node_modules/zod") == (
        "services/api",
        "node_modules/@w/shared",
        "packages/shared",
        "packages/shared/node_modules/zod",
    )
    assert found.chain("node_modules/zod") == ()


def test_peers_count_and_optional_peers_count_where_production_has_them() -> None:
    lock = lock_of(
        {
            "services/api": {"dependencies": needs("x")},
            "node_modules/x": {
                "peerDependencies": needs("hard", "there", "dev-only", "absent"),
                "peerDependenciesMeta": {key: {"optional": True} for key in ("there", "dev-only", "absent")},
            },
            "node_modules/hard": {"dev": True},
            "node_modules/there": {},
            "node_modules/dev-only": {"dev": True},
        }
    )
    assert entries(lock, "services/api") == ["~hard", "~there", "~x"]


def test_a_bundle_comes_whole_with_its_bundler() -> None:
    lock = lock_of(
        {
            "": {"dependencies": needs("b")},
            "node_modules/b": {"bundleDependencies": ["in"]},
            "node_modules/b/node_modules/in": {"inBundle": True},
            "node_modules/b/node_modules/unused": {"inBundle": True},
            "node_modules/b/node_modules/unused/node_modules/deep": {"inBundle": True},
        }
    )
    assert entries(lock, "") == ["~b", "~b/~in", "~b/~unused", "~b/~unused/~deep"]


def test_packages_for_other_platforms_are_left_out_with_what_hangs_on_them() -> None:
    lock = lock_of(
        {
            "": {"optionalDependencies": needs("mac", "wrapper", "both", "x64", "musl")},
            "node_modules/mac": {"optional": True, "os": ["darwin"], "dependencies": needs("only-mac")},
            "node_modules/only-mac": {"optional": True},
            "node_modules/wrapper": {"optional": True, "dependencies": needs("mac")},
            "node_modules/both": {"optional": True, "os": ["!win32"]},
            "node_modules/x64": {"optional": True, "cpu": ["x64"]},
            "node_modules/musl": {"optional": True, "os": ["linux"], "libc": ["musl"]},
        }
    )
    assert entries(lock, "", "linux/amd64") == ["~both", "~x64"]
    assert entries(lock, "", "linux/arm64") == ["~both"]
    assert entries(lock, "", "linux/arm64", extra={"": ("x64",)}) == ["~both"]
    assert entries(lock, "", "linux/arm64", "musl") == ["~both", "~musl"]
    assert closure(lock, "", platforms=BOTH, libc="glibc").entries == ("node_modules/both", "node_modules/x64")


def test_extra_and_excluded_names_change_what_a_workspace_package_reaches() -> None:
    lock = lock_of(
        {
            "services/api": {"dependencies": needs("a", "b")},
            "services/web": {"dependencies": needs("a")},
            "node_modules/a": {"dependencies": needs("b")},
            "node_modules/b": {},
            "node_modules/tsx": {"dev": True, "dependencies": needs("esbuild")},
            "node_modules/esbuild": {"dev": True},
        }
    )
    assert entries(lock, "services/api", exclude={"services/api": ("a",)}) == ["~b"]
    assert entries(lock, "services/web", exclude={"services/api": ("a",)}) == ["~a", "~b"]
    # A third-party package keeps its own need of an excluded name.
    assert entries(lock, "services/api", exclude={"services/api": ("b",)}) == ["~a", "~b"]
    assert entries(lock, "services/web", extra={"services/web": ("tsx",)}) == ["~a", "~b", "~esbuild", "~tsx"]
    assert entries(lock, "services/web", extra={"services/web": ("tsx",)}, exclude={"services/web": ("a", "tsx")}) == []


@pytest.mark.parametrize(
    ("path", "extra", "message"),
    [
        (
            "services/new",
            {},
            "services/new: is not in package-lock.json; run `npm install --package-lock-only`",
        ),
        (
            "services/api",
            {"services/api": ("tsx",)},
            'services/api: tsx is not in package-lock.json; run `npm install tsx -w "services/api"`',
        ),
        ("", {"": ("tsx",)}, "root package: tsx is not in package-lock.json; run `npm install tsx`"),
    ],
)
def test_what_the_lockfile_does_not_hold_is_refused(
    path: str, extra: Mapping[str, tuple[str, ...]], message: str
) -> None:
    lock = lock_of({"services/api": {}})
    with pytest.raises(WorkspaceError) as caught:
        closure(lock, path, platforms=BOTH, libc="glibc", extra=extra)
    assert str(caught.value) == message


def test_a_workspace_package_that_nothing_links_is_found_by_its_name() -> None:
    lock = lock_of(
        {"services/api": {}, "packages/lib": {"name": "@x/lib", "dependencies": needs("a")}, "node_modules/a": {}}
    )
    found = closure(lock, "services/api", platforms=BOTH, libc="glibc", extra={"services/api": ("@x/lib",)})
    assert (found.packages, found.entries) == (("packages/lib", "services/api"), ("node_modules/a",))


def test_hard_dependencies_that_the_lockfile_lacks_are_listed() -> None:
    lock = lock_of(
        {
            "services/api": {"dependencies": needs("a", "gone"), "optionalDependencies": needs("maybe")},
            "services/web": {"dependencies": needs("other-gone")},
            "node_modules/a": {"dependencies": needs("lost"), "peerDependencies": needs("peer")},
        }
    )
    found = closure(lock, "services/api", platforms=BOTH, libc="glibc")
    assert found.missing == (("node_modules/a", "lost"), ("services/api", "gone"))


def test_cycles_end() -> None:
    lock = lock_of(
        {
            "": {"dependencies": needs("a")},
            "node_modules/a": {"dependencies": needs("b")},
            "node_modules/b": {"dependencies": needs("a")},
        }
    )
    assert entries(lock, "") == ["~a", "~b"]


# --- layer classes ----------------------------------------------------------------------------------


def classes(
    contents: Mapping[str, str], *, most: int = 99, native: str = ""
) -> list[tuple[tuple[str, ...], bool, str]]:
    """Closures as words of one-letter packages; returns (services, native, word) of each class."""
    letters = sorted({letter for word in contents.values() for letter in word})
    lock = lock_of({f"node_modules/{x}": {"os": ["linux"]} if x in native else {} for x in letters})
    closures = {
        service: Closure(entries=tuple(f"node_modules/{x}" for x in sorted(word)), packages=(), via={})
        for service, word in contents.items()
    }
    found = layer_classes(closures, lock, most=most)
    return [(c.services, c.native, "".join(e[-1] for e in c.entries)) for c in found]


def test_entries_that_the_same_services_need_are_one_class() -> None:
    assert classes({"api": "abcx", "job": "abx", "web": "ad"}, native="x") == [
        (("api", "job", "web"), False, "a"),
        (("api", "job"), False, "b"),
        (("api", "job"), True, "x"),
        (("api",), False, "c"),
        (("web",), False, "d"),
    ]


def test_class_names_are_readable_and_do_not_depend_on_order() -> None:
    lock = lock_of({"node_modules/a": {}, "node_modules/b": {"cpu": ["x64"]}})
    one = Closure(entries=("node_modules/a", "node_modules/b"), packages=(), via={})
    two = Closure(entries=("node_modules/a",), packages=(), via={})
    found = layer_classes({"web": two, "api": one}, lock, most=9)
    assert found == layer_classes({"api": one, "web": two}, lock, most=9)
    assert [layer.id for layer in found] == ["shared-f2a586ef", "api-native"]


def test_a_service_called_like_anothers_native_class_gets_a_name_of_its_own() -> None:
    lock = lock_of({"node_modules/a": {}, "node_modules/b": {"cpu": ["x64"]}})
    closures = {
        "api": Closure(entries=("node_modules/b",), packages=(), via={}),
        "api-native": Closure(entries=("node_modules/a",), packages=(), via={}),
    }
    ids = [layer.id for layer in layer_classes(closures, lock, most=9)]
    assert len(set(ids)) == 2
    assert "api-native" in ids


def test_past_the_limit_the_class_that_saves_least_goes_into_each_services_own() -> None:
    assert classes({"api": "abcd", "job": "abe", "web": "cf"}, most=2) == [
        (("api", "job"), False, "ab"),
        (("api",), False, "cd"),
        (("job",), False, "e"),
        (("web",), False, "cf"),
    ]


def test_a_class_that_is_given_up_goes_into_kept_classes_of_its_services_first() -> None:
    assert classes({"api": "abcd", "job": "abce", "web": "cf"}, most=2) == [
        (("api", "job"), False, "abc"),
        (("api",), False, "d"),
        (("job",), False, "e"),
        (("web",), False, "cf"),
    ]


def test_native_entries_never_go_into_a_class_that_platforms_share() -> None:
    assert classes({"api": "abcn", "job": "abcn", "web": "n"}, most=3, native="n") == [
        (("api", "job"), False, "abc"),
        (("api",), True, "n"),
        (("job",), True, "n"),
        (("web",), True, "n"),
    ]


def test_every_image_holds_exactly_its_closure_whatever_the_limit() -> None:
    contents = {"a": "pqrstuv", "b": "pqrs", "c": "prtw", "d": "qsuvwx", "e": "x"}
    for most in range(1, 9):
        found = classes(contents, most=most, native="qsw")
        assert all(layer[1] == (letter in "qsw") for layer in found for letter in layer[2])
        for service, word in contents.items():
            own = [layer for layer in found if service in layer[0]]
            assert sorted(x for layer in own for x in layer[2]) == sorted(word)
            assert len(own) <= max(most, 2)


@pytest.mark.parametrize("seed", range(30))
def test_many_closures_at_once_are_those_of_each(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"e{number}" for number in range(25)]
    own = [f"services/s{number}" for number in range(7)]
    links = {f"node_modules/{path[-2:]}": {"resolved": path, "link": True} for path in own}
    known = [*names, *(path[-2:] for path in own), "absent"]

    def some() -> dict[str, dict[str, str]]:
        return {"dependencies": needs(*chance.sample(known, chance.randrange(4)))}

    lock = lock_of({**{path: some() for path in own}, **{f"node_modules/{name}": some() for name in names}, **links})
    options: Mapping[str, Any] = {
        "platforms": BOTH,
        "libc": "glibc",
        "extra": {own[1]: (names[3],), own[2]: (names[4],)},
        "exclude": {own[2]: (names[5], names[6])},
    }
    paths = chance.choices(own, k=6)
    found = closures(lock, paths, **options)
    assert found == {path: closure(lock, path, **options) for path in paths}
    assert all(each.chain(e)[0] == path for path, each in found.items() for e in each.entries)


# --- platform completeness --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("@rollup/rollup-linux-x64-gnu", ("linux", "x64", "glibc")),
        ("@esbuild/linux-arm64", ("linux", "arm64", "")),
        ("esbuild-linux-64", ("linux", "x64", "")),
        ("lightningcss-linux-arm64-musl", ("linux", "arm64", "musl")),
        ("@tailwindcss/oxide-linux-arm-gnueabihf", ("linux", "arm", "")),
        ("@swc/core-darwin-arm64", ("darwin", "arm64", "")),
        ("@swc/core-win32-x64-msvc", ("win32", "x64", "")),
        ("@img/sharp-libvips-linuxmusl-x64", ("linux", "x64", "musl")),
        ("@parcel/watcher-linux-x64-glibc", ("linux", "x64", "glibc")),
        ("@msgpackr-extract/msgpackr-extract-linux-x64", ("linux", "x64", "")),
        ("turbo-windows-arm64", ("win32", "arm64", "")),
        ("@img/sharp-wasm32", None),
        ("fsevents", None),
        ("linux-platform-info", None),
    ],
)
def test_the_platform_is_read_from_a_packages_name(name: str, platform: tuple[str, str, str] | None) -> None:
    assert parse_platform_name(name) == (NamedPlatform(*platform) if platform else None)


@pytest.mark.parametrize(
    ("platform", "node"),
    [
        ("linux/amd64", ("linux", "x64")),
        ("linux/arm64", ("linux", "arm64")),
        ("linux/arm64/v8", ("linux", "arm64")),
        ("linux/arm/v7", ("linux", "arm")),
        ("windows/amd64", ("win32", "x64")),
    ],
)
def test_dockers_platforms_are_translated_to_nodes(platform: str, node: tuple[str, str]) -> None:
    assert node_platform(platform) == node


def family_lock(family: Mapping[str, str], **present: str) -> Lockfile:
    places = {f"node_modules/{name.replace('_', '-')}": {"version": version} for name, version in present.items()}
    return lock_of({"node_modules/parent": {"optionalDependencies": family}, **places})


def lacking(lock: Lockfile, *, libc: str = "glibc", platforms: tuple[str, ...] = BOTH) -> list[str]:
    every = frozenset(lock.entries)
    found = missing_platform_packages(lock, platforms=platforms, libc=libc, reachable=every)
    return [f"{one.name}@{one.version} {one.platform}" for one in found]


def test_a_family_without_its_linux_members_is_reported_for_each_wanted_platform() -> None:
    family = dict.fromkeys(("x-linux-x64-gnu", "x-linux-x64-musl", "x-linux-arm64-gnu", "x-darwin-arm64"), "1.0.0")
    lock = family_lock(family, x_darwin_arm64="1.0.0", x_linux_arm64_gnu="1.0.0")
    assert lacking(lock) == ["x-linux-x64-gnu@1.0.0 linux/amd64"]
    assert lacking(lock, libc="musl") == ["x-linux-x64-musl@1.0.0 linux/amd64"]
    assert missing_platform_packages(lock, platforms=BOTH, libc="glibc", reachable=frozenset()) == ()


def test_silence_about_libc_means_glibc_beside_a_sibling_for_musl() -> None:
    sharp = dict.fromkeys(("sharp-linux-x64", "sharp-linuxmusl-x64", "sharp-linux-arm64"), "1.0.0")
    lock = family_lock(sharp)
    assert lacking(lock) == ["sharp-linux-arm64@1.0.0 linux/arm64", "sharp-linux-x64@1.0.0 linux/amd64"]
    assert lacking(lock, libc="musl") == [
        # Nothing says that this one is for glibc only.
        "sharp-linux-arm64@1.0.0 linux/arm64",
        "sharp-linuxmusl-x64@1.0.0 linux/amd64",
    ]


def test_a_family_that_has_nothing_for_the_platform_lacks_nothing() -> None:
    lock = family_lock({"fsevents": "~2.3.2", "x-darwin-arm64": "1.0.0", "x-linux-riscv64": "1.0.0"})
    assert lacking(lock) == []


def test_another_versions_binary_higher_up_does_not_serve_a_nested_parent() -> None:
    family = {"x-linux-x64": "2.0.0"}
    lock = lock_of(
        {
            "node_modules/x": {"optionalDependencies": {"x-linux-x64": "^1.0.0"}},
            "node_modules/x-linux-x64": {"version": "1.4.0"},
            "node_modules/tsx/node_modules/x": {"optionalDependencies": family},
        }
    )
    found = missing_platform_packages(lock, platforms=BOTH, libc="glibc", reachable=frozenset(lock.entries))
    parent = "node_modules/tsx/node_modules/x"
    assert found == (
        MissingPlatformPackage(parent=parent, name="x-linux-x64", version="2.0.0", platform="linux/amd64"),
    )


def test_a_workspace_packages_own_optional_binaries_are_looked_at_too() -> None:
    lock = lock_of({"apps/web": {"optionalDependencies": {"x-linux-arm64-gnu": "^4.0.0"}}})
    found = missing_platform_packages(lock, platforms=BOTH, libc="glibc", reachable=frozenset({"apps/web"}))
    assert [(one.parent, one.name) for one in found] == [("apps/web", "x-linux-arm64-gnu")]


# --- promotion --------------------------------------------------------------------------------------


def test_promotion_moves_a_dev_dependency_and_clears_its_flags() -> None:
    lock = lock_of(
        {
            "services/api": {"devDependencies": {"tsx": "^4", "typescript": "^5"}},
            "node_modules/tsx": {"version": "4.1.0", "dev": True, "dependencies": needs("esbuild")},
            "node_modules/esbuild": {"dev": True, "optionalDependencies": needs("esbuild-linux-x64", "soft")},
            "node_modules/esbuild-linux-x64": {"dev": True, "optional": True, "os": ["linux"]},
            "node_modules/soft": {"dev": True},
            "node_modules/typescript": {"dev": True},
        }
    )
    before = json.dumps(lock.raw)
    raw, changes = make_production(lock, {"services/api": ("tsx",)})
    tables = {"dependencies": {"tsx": "^4"}, "devDependencies": {"typescript": "^5"}}
    assert changes == {"services/api": tables}
    assert raw["packages"]["services/api"] == tables
    flags = {path: [f for f in ("dev", "optional", "devOptional") if e.get(f)] for path, e in raw["packages"].items()}
    assert flags == {
        "": [],
        "services/api": [],
        "node_modules/tsx": [],
        "node_modules/esbuild": [],
        "node_modules/esbuild-linux-x64": ["optional"],
        "node_modules/soft": ["devOptional"],
        "node_modules/typescript": ["dev"],
    }
    assert json.dumps(lock.raw) == before


def test_what_nobody_declares_is_added_to_the_root_with_its_locked_version() -> None:
    lock = lock_of({"services/api": {}, "node_modules/pino": {"version": "9.1.0", "dev": True}})
    raw, changes = make_production(lock, {"services/api": ("pino",)})
    assert changes == {"": {"dependencies": {"pino": "9.1.0"}}}
    assert raw["packages"]["node_modules/pino"] == {"version": "9.1.0"}


def test_what_the_root_has_for_development_is_moved_there() -> None:
    lock = lock_of(
        {
            "": {"devDependencies": {"tsx": "^4"}, "dependencies": {"yaml": "^2"}},
            "services/api": {},
            "node_modules/tsx": {"version": "4.1.0", "dev": True},
            "node_modules/yaml": {"version": "2.0.0"},
        }
    )
    _, changes = make_production(lock, {"services/api": ("tsx", "yaml")})
    assert changes == {"": {"dependencies": {"yaml": "^2", "tsx": "^4"}, "devDependencies": {}}}


def test_what_production_has_already_changes_no_manifest() -> None:
    lock = lock_of(
        {
            "services/api": {"dependencies": {"a": "1"}},
            "node_modules/a": {"version": "1.0.0"},
            "node_modules/@w/lib": {"link": True, "resolved": "packages/lib"},
            "packages/lib": {"dependencies": {"b": "1"}},
            "node_modules/b": {"version": "1.0.0", "devOptional": True},
        }
    )
    raw, changes = make_production(lock, {"services/api": ("a", "@w/lib")})
    assert changes == {}
    assert raw["packages"]["node_modules/b"] == {"version": "1.0.0"}


def test_a_platforms_binary_is_promoted_as_optional_since_npm_would_refuse_it_elsewhere() -> None:
    lock = lock_of({"services/api": {}, "node_modules/x-darwin": {"version": "1.0.0", "os": ["darwin"], "dev": True}})
    _, changes = make_production(lock, {"services/api": ("x-darwin",)})
    assert changes == {"": {"optionalDependencies": {"x-darwin": "1.0.0"}}}


def test_a_platform_package_without_libc_is_told_by_its_name() -> None:
    def runs(name: str, libc: str) -> bool:
        entry = Entry(path=f"node_modules/{name}", name=name, os=("linux",), cpu=("x64",), optional=True)
        return runs_on(entry, "linux/amd64", libc)

    names = ("@napi-rs/canvas-linux-x64-musl", "canvas-linux-x64-gnu", "canvas-linux-x64")
    assert [runs(name, "glibc") for name in names] == [False, True, True]
    assert [runs(name, "musl") for name in names] == [True, False, True]
