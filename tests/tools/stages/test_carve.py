"""docker/carve, as a real node process on small trees."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bake.sources import NEVER, left_out, unneeded
from tests.plant import plant

SCRIPT = Path(__file__).parents[3] / "docker" / "carve" / "main.mjs"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

TIME = 946684800  # 2000-01-01T00:00:00Z
AMD64, ARM, ARM64, I386, PPC64, RISCV64, S390 = 62, 40, 183, 3, 21, 243, 22
GLIBC = ("libm.so.6", "libc.so.6")


@pytest.mark.parametrize("path", ["node_modules/x/index.js", "node_modules/x/lib/deep/a.js"])
def test_an_entry_is_moved_to_its_layer(tmp_path: Path, path: str) -> None:
    tree = plant(tmp_path / "app", {path: "export {}", "node_modules/x/package.json": "{}"})
    layers(tmp_path, layer("one", entry("node_modules/x")))
    assert read(tmp_path / "layers/one/app" / path) == "export {}"
    assert not (tree / "node_modules/x").exists()


def test_nested_node_modules_stay_for_entries_of_their_own(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "node_modules/x/a.js": "a",
            "node_modules/x/node_modules/y/b.js": "b",
            "node_modules/x/node_modules/z/c.js": "not asked for",
            "node_modules/x/test/node_modules/fixture.js": "the package's own",
        },
    )
    one = layer("one", entry("node_modules/x"))
    layers(tmp_path, one, layer("two", entry("node_modules/x/node_modules/y")))
    assert files(tmp_path / "layers/one/app/node_modules/x") == ("a.js", "test/node_modules/fixture.js")
    assert files(tmp_path / "layers/two") == ("app/node_modules/x/node_modules/y/b.js",)


def test_a_nested_entry_of_the_same_layer_lands_in_its_parent(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/a.js": "a", "node_modules/x/node_modules/@s/y/b.js": "b"})
    layers(tmp_path, layer("one", entry("node_modules/x/node_modules/@s/y"), entry("node_modules/x")))
    assert files(tmp_path / "layers/one/app/node_modules/x") == ("a.js", "node_modules/@s/y/b.js")
    assert {round(p.stat().st_mtime) for p in (tmp_path / "layers/one").rglob("*")} == {TIME}


def test_an_entry_of_several_layers_is_whole_in_each(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/a.js": "a", "node_modules/x/node_modules/y/b.js": "b"})
    both = (entry("node_modules/x"), entry("node_modules/x/node_modules/y"))
    layers(tmp_path, layer("one", *both), layer("two", *both), layer("three", both[0]))
    expected = {"node_modules/x/a.js": "a", "node_modules/x/node_modules/y/b.js": "b"}
    assert contents(tmp_path / "layers/one/app") == expected
    assert contents(tmp_path / "layers/two/app") == expected
    assert contents(tmp_path / "layers/three/app") == {"node_modules/x/a.js": "a"}


def test_an_entry_named_twice_in_a_layer_counts_once(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/a.js": "a"})
    sizes = layers(tmp_path, layer("one", entry("node_modules/x"), entry("node_modules/x")))
    assert sizes["one"] == {"bytes": 1, "files": 1, "entries": {"node_modules/x": 1}}


def test_a_read_only_tree_of_another_file_system_is_copied(tmp_path: Path) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    tree = shared_memory / f"bake-carve-{os.getpid()}"
    try:
        plant(
            tree,
            {
                "node_modules/x/a.js": "a",
                "node_modules/x/node_modules/y/b.js": "b",
                "node_modules/x/c.map": "",
            },
        )
        plan = {"trim": ["**/*.map"], "layers": [layer("one", entry("node_modules/x"))]}
        run_layers(tmp_path, plan, tree=tree)
        assert contents(tmp_path / "layers/one/app") == {"node_modules/x/a.js": "a"}
        assert (tree / "node_modules/x/a.js").exists()
        assert (tree / "node_modules/x/c.map").exists()
    finally:
        shutil.rmtree(tree)


def test_an_empty_layer_has_an_app_directory(tmp_path: Path) -> None:
    plant(tmp_path / "app", {})
    assert layers(tmp_path, layer("none")) == {"none": {"bytes": 0, "files": 0, "entries": {}}}
    assert (tmp_path / "layers/none/app").is_dir()


def test_modes_and_times_are_normalised(tmp_path: Path) -> None:
    tree = plant(tmp_path / "app", {"node_modules/@s/x/bin/run": "#!/bin/sh", "node_modules/@s/x/secret.js": "1"})
    (tree / "node_modules/@s/x/bin/run").chmod(0o4710)
    (tree / "node_modules/@s/x/secret.js").chmod(0o600)
    (tree / "node_modules/@s/x/bin").chmod(0o700)
    layers(tmp_path, layer("one", entry("node_modules/@s/x")))
    modes = {p.name: oct(p.stat().st_mode & 0o7777) for p in (tmp_path / "layers/one").rglob("*")}
    assert modes == dict.fromkeys(("app", "node_modules", "@s", "x", "bin", "run"), "0o755") | {"secret.js": "0o644"}
    assert {p.stat().st_mtime for p in (tmp_path / "layers").rglob("*")} == {TIME}


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = {f"node_modules/{n}/{f}.js": f for n in ("b", "a", "@s/c") for f in ("z", "y")}
    shapes = []
    for name, order in (("one", sorted(texts)), ("two", sorted(texts, reverse=True))):
        tree = plant(tmp_path / name / "app", {path: texts[path] for path in order})
        link(tree / "node_modules/.bin/b", "../b/z.js")
        entries = [entry(f"node_modules/{n}") for n in ("b", "a", "@s/c")]
        layers(tmp_path / name, layer("l", *(entries if name == "one" else reversed(entries))))
        shapes.append(shape(tmp_path / name / "layers"))
    assert shapes[0] == shapes[1]
    assert "l/app/node_modules/.bin/b" in shapes[0]


def test_sizes_are_sorted_and_count_what_is_left(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {"node_modules/b/b.js": "12345", "node_modules/b/b.map": "123", "node_modules/a/a.js": "12"},
    )
    plan = [
        layer("two", entry("node_modules/b"), entry("node_modules/a")),
        layer("one", entry("node_modules/a")),
    ]
    layers(tmp_path, *plan, trim=["**/*.map"])
    assert (
        read(tmp_path / "layers/sizes.json")
        == json.dumps(
            {
                "one": {"bytes": 2, "files": 1, "entries": {"node_modules/a": 2}},
                "two": {"bytes": 7, "files": 2, "entries": {"node_modules/a": 2, "node_modules/b": 5}},
            },
            indent=2,
        )
        + "\n"
    )


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("node_modules/@s/shared", "packages/shared", "../../packages/shared"),
        ("node_modules/root", "packages/a", "../packages/a"),
        (
            "services/a/node_modules/x",
            "node_modules/.pnpm/x@1/node_modules/x",
            "../../../node_modules/.pnpm/x@1/node_modules/x",
        ),
        (
            "node_modules/.pnpm/x@1/node_modules/y",
            "node_modules/.pnpm/y@2/node_modules/y",
            "../../y@2/node_modules/y",
        ),
    ],
)
def test_a_link_entry_is_a_relative_link(tmp_path: Path, path: str, target: str, expected: str) -> None:
    plant(tmp_path / "app", {})
    layers(tmp_path, layer("one", {"path": path, "link": target}))
    written = tmp_path / "layers/one/app" / path
    assert written.readlink() == Path(expected)
    assert written.lstat().st_mtime == TIME


def test_a_pnpm_package_is_an_entry_like_any_other(tmp_path: Path) -> None:
    home = "node_modules/.pnpm/x@1/node_modules/x"
    tree = plant(tmp_path / "app", {f"{home}/a.js": "a"})
    link(tree / "node_modules/x", ".pnpm/x@1/node_modules/x")
    layers(tmp_path, layer("one", entry(home), {"path": "node_modules/x", "link": home}))
    assert read(tmp_path / "layers/one/app/node_modules/x/a.js") == "a"


def test_bin_links_go_with_the_package_they_lead_into(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {"node_modules/x/cli.js": "", "node_modules/@s/x/cli.js": "", "a/node_modules/x/c.js": ""},
    )
    targets = {
        "node_modules/.bin/x": "../x/cli.js",
        "node_modules/.bin/sx": "../@s/x/cli.js",
        "node_modules/.bin/workspace": "../w/dist/not-built-yet.js",
        "a/node_modules/.bin/x": "../x/c.js",
        "node_modules/.bin/unwanted": "../unwanted/cli.js",
    }
    for path, target in targets.items():
        link(tmp_path / "app" / path, target)
    linked = {"path": "node_modules/w", "link": "packages/w"}
    one = layer("one", entry("node_modules/x"), linked)
    layers(tmp_path, one, layer("two", entry("node_modules/@s/x"), entry("a/node_modules/x")))
    assert bins(tmp_path / "layers/one") == {
        "node_modules/.bin/workspace": "../w/dist/not-built-yet.js",
        "node_modules/.bin/x": "../x/cli.js",
    }
    assert bins(tmp_path / "layers/two") == {
        "a/node_modules/.bin/x": "../x/c.js",
        "node_modules/.bin/sx": "../@s/x/cli.js",
    }


def test_links_inside_a_package_stay_when_they_stay_in_the_tree(tmp_path: Path) -> None:
    tree = plant(tmp_path / "app", {"node_modules/x/lib/a.js": "a"})
    link(tree / "node_modules/x/current", "lib")
    link(tree / "node_modules/x/absolute.js", str(tree / "node_modules/x/lib/a.js"))
    link(tree / "node_modules/x/python3", "/usr/bin/python3")
    layers(tmp_path, layer("one", entry("node_modules/x")))
    carved = tmp_path / "layers/one/app/node_modules/x"
    assert {p.name: str(p.readlink()) for p in carved.iterdir() if p.is_symlink()} == {
        "current": "lib",
        "absolute.js": "lib/a.js",
    }


def test_trim_drops_files_and_the_directories_they_leave_empty(tmp_path: Path) -> None:
    plant(
        tmp_path / "app",
        {
            "node_modules/x/package.json": "{}",
            "node_modules/x/types/index.d.ts": "",
            "node_modules/x/docs/a.html": "",
            "node_modules/docs/index.js": "a package named docs",
            "node_modules/y/node_modules/big/locale/de.js": "",
            "node_modules/y/node_modules/big/index.js": "",
        },
    )
    paths = ("node_modules/x", "node_modules/docs", "node_modules/y/node_modules/big")
    trim = ["**/*.d.ts", "**/docs/**", "**/*.json", "node_modules/big/locale"]
    layers(tmp_path, layer("one", *map(entry, paths)), trim=trim)
    carved = tmp_path / "layers/one/app/node_modules"
    assert files(carved) == ("docs/index.js", "x/package.json", "y/node_modules/big/index.js")
    assert not (carved / "x/types").exists()


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/there/a.js": ""})
    paths = ("node_modules/there", "node_modules/gone", "node_modules/gone-too")
    assert layers_fail(tmp_path, layer("one", *map(entry, paths))) == (
        "carve: node_modules/gone: not installed for linux/amd64; install again with this lockfile\n"
        "carve: node_modules/gone-too: not installed for linux/amd64; install again with this lockfile\n"
    )
    assert (tmp_path / "app/node_modules/there/a.js").exists(), "a failure leaves the tree as it was"


@pytest.mark.parametrize(
    ("limits", "platform", "libc"),
    [
        ({"os": ["darwin"]}, "linux/amd64", "glibc"),
        ({"os": ["!linux"]}, "linux/amd64", "glibc"),
        ({"os": ["linux"], "cpu": ["x64"]}, "linux/arm64", "glibc"),
        ({"cpu": ["arm64"]}, "linux/arm/v7", "glibc"),
        ({"cpu": ["ia32"]}, "linux/amd64", "glibc"),
        ({"cpu": ["x64"], "libc": ["musl"]}, "linux/amd64", "glibc"),
        ({"optional": True}, "linux/amd64", "glibc"),
    ],
)
def test_an_absent_package_for_elsewhere_is_left_out(
    tmp_path: Path, limits: Mapping[str, Any], platform: str, libc: str
) -> None:
    plant(tmp_path / "app", {})
    absent = {"path": "node_modules/gone", "optional": True, **limits}
    sizes = run_layers(tmp_path, {"layers": [layer("one", absent)]}, platform=platform, libc=libc)
    assert sizes["one"]["entries"] == {}


@pytest.mark.parametrize(
    ("limits", "platform", "libc"),
    [
        ({"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]}, "linux/amd64", "glibc"),
        ({"os": ["!win32"]}, "linux/amd64", "glibc"),
        ({"cpu": ["arm"]}, "linux/arm/v7", "musl"),
        ({"cpu": ["ia32"]}, "linux/386", "glibc"),
        ({"cpu": ["ppc64"]}, "linux/ppc64le", "glibc"),
        ({"os": ["any"], "cpu": ["s390x"]}, "linux/s390x", "glibc"),
    ],
)
def test_an_absent_optional_package_for_this_platform_is_an_error(
    tmp_path: Path, limits: Mapping[str, Any], platform: str, libc: str
) -> None:
    plant(tmp_path / "app", {})
    plan = {"layers": [layer("one", {"path": "node_modules/gone", "optional": True, **limits})]}
    message = fail("layers", layer_arguments(tmp_path, plan, platform=platform, libc=libc))
    assert message == f"carve: node_modules/gone: not installed for {platform}; install again with this lockfile\n"


def test_a_package_for_another_platform_is_left_out_though_installed(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/a.js": ""})
    sizes = layers(tmp_path, layer("one", {"path": "node_modules/x", "cpu": ["arm64"]}))
    assert sizes["one"]["files"] == 0


def elf(
    machine: int = AMD64,
    *,
    wide: bool = True,
    little: bool = True,
    interpreter: str = "",
    needed: Sequence[str] = (),
    note: bytes = b"",
    abi: int = 0,
) -> bytes:
    """A file with real ELF headers, program headers, interpreter, note and dynamic section, and no code."""
    order, word = ("<" if little else ">"), ("Q" if wide else "I")
    header_size, row_size = (64, 56) if wide else (52, 32)
    names = b"\0" + b"".join(n.encode() + b"\0" for n in needed)
    offsets = [names.index(b"\0" + n.encode() + b"\0") + 1 for n in needed]
    base, start = 0x10000, header_size + 4 * row_size
    text = interpreter.encode() + b"\0"
    at_names, at_note, at_dynamic = (
        start + len(text),
        start + len(text) + len(names),
        start + len(text + names + note),
    )
    tags = [(1, offset) for offset in offsets] + [(5, base + at_names), (0, 0)]
    dynamic = b"".join(struct.pack(f"{order}2{word}", *tag) for tag in tags) if needed else b""
    whole = at_dynamic + len(dynamic)
    rows = [(1, 0, base, whole), (3, start, 0, len(text) if interpreter else 0), (4, at_note, 0, len(note))]
    rows.append((2, at_dynamic, 0, len(dynamic)))

    def row(kind: int, offset: int, address: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}2I6Q", kind, 4, offset, address, address, size, size, 8)
        return struct.pack(f"{order}8I", kind, offset, address, address, size, size, 4, 4)

    identity = b"\x7fELF" + bytes([2 if wide else 1, 1 if little else 2, 1, abi]) + bytes(8)
    counts = (header_size, row_size, 4, 0, 0, 0)
    header = identity + struct.pack(f"{order}2HI3{word}I6H", 3, machine, 1, 0, header_size, 0, 0, *counts)
    return header + b"".join(row(*each) for each in rows) + text + names + note + dynamic


NATIVE = [
    ("linux/amd64", elf(AMD64, needed=GLIBC)),
    ("linux/arm64", elf(ARM64, needed=GLIBC)),
    ("linux/arm/v7", elf(ARM, wide=False, needed=GLIBC)),
    ("linux/386", elf(I386, wide=False, needed=GLIBC)),
    ("linux/ppc64le", elf(PPC64, needed=GLIBC)),
    ("linux/s390x", elf(S390, little=False, needed=GLIBC)),
    ("linux/riscv64", elf(RISCV64, needed=GLIBC)),
]


@pytest.mark.parametrize(("platform", "binary"), NATIVE, ids=[p for p, _ in NATIVE])
def test_a_binary_is_accepted_on_its_platform_only(tmp_path: Path, platform: str, binary: bytes) -> None:
    other = "linux/arm64" if platform == "linux/amd64" else "linux/amd64"
    plant(tmp_path / "app", {"node_modules/x/x.node": binary})
    plan = {"layers": [layer("one", entry("node_modules/x"), native=True)]}
    found = platform.removesuffix("/v7")
    assert fail("layers", layer_arguments(tmp_path, plan, platform=other)) == (
        f"carve: node_modules/x: x.node is for {found} (glibc), wanted {other} (glibc); "
        "install or build it for the target platform, "
        'or leave it out: layers.trim = ["node_modules/x/**"]\n'
    )
    assert run_layers(tmp_path, plan, platform=platform)["one"]["files"] == 1


LIBC = {
    "glibc by needed": (elf(needed=GLIBC), "linux/amd64 (glibc)"),
    "glibc by interpreter": (elf(interpreter="/lib64/ld-linux-x86-64.so.2"), "linux/amd64 (glibc)"),
    "musl by needed": (elf(needed=("libc.musl-x86_64.so.1",)), "linux/amd64 (musl)"),
    "musl by zig's name": (elf(needed=("libc.so",)), "linux/amd64 (musl)"),
    "musl by interpreter": (elf(interpreter="/lib/ld-musl-x86_64.so.1"), "linux/amd64 (musl)"),
    "android": (
        elf(needed=("libc.so", "libm.so"), note=b"\x08\0\0\0\x04\0\0\0\1\0\0\0Android\0"),
        "android/amd64 (musl)",
    ),
    "freebsd": (elf(abi=9), "freebsd/amd64"),
    "unknown machine": (elf(4242), "linux/machine 4242"),
    "big-endian ppc64": (elf(PPC64, little=False), "linux/ppc64"),
}


@pytest.mark.parametrize("name", LIBC)
def test_a_foreign_binary_is_described(tmp_path: Path, name: str) -> None:
    binary, found = LIBC[name]
    plant(tmp_path / "app", {"node_modules/x/build/x.node": binary})
    plan = {"layers": [layer("one", entry("node_modules/x"))]}
    libc = "musl" if "(glibc)" in found else "glibc"
    assert fail("layers", layer_arguments(tmp_path, plan, libc=libc)) == (
        f"carve: node_modules/x: build/x.node is for {found}, wanted linux/amd64 ({libc}); "
        "install or build it for the target platform, "
        'or leave it out: layers.trim = ["node_modules/x/**"]\n'
    )


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_layers_of_another_c_library_are_left_to_their_own_stage(tmp_path: Path, libc: str) -> None:
    plant(tmp_path / "app", {"node_modules/x/x.js": ""})
    plan = {"layers": [{**layer(one, entry("node_modules/x")), "libc": one} for one in ("glibc", "musl")]}
    assert list(run_layers(tmp_path, plan, libc=libc)) == [libc]


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_a_static_binary_runs_on_any_libc(tmp_path: Path, libc: str) -> None:
    plant(tmp_path / "app", {"node_modules/x/bin/x": elf()})
    plan = {"layers": [layer("one", entry("node_modules/x"), native=True)]}
    assert run_layers(tmp_path, plan, libc=libc)["one"]["files"] == 1


def test_a_binary_of_this_machine_is_read_right(tmp_path: Path) -> None:
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    real = shutil.which("true")
    if here is None or real is None or platform.libc_ver()[0] != "glibc":
        pytest.skip("not a glibc machine")
    tree = plant(tmp_path / "app", {"node_modules/x/package.json": "{}"})
    shutil.copy(real, tree / "node_modules/x/tool")
    plan = {"layers": [layer("one", entry("node_modules/x"), native=True)]}
    assert fail("layers", layer_arguments(tmp_path, plan, platform=f"linux/{here}", libc="musl")) == (
        f"carve: node_modules/x: tool is for linux/{here} (glibc), wanted linux/{here} (musl); "
        "install or build it for the target platform, "
        'or leave it out: layers.trim = ["node_modules/x/**"]\n'
    )
    assert run_layers(tmp_path, plan, platform=f"linux/{here}")["one"]["files"] == 2


PREBUILDS = {
    "node_modules/x/prebuilds/linux-x64/x.glibc.node": elf(needed=GLIBC),
    "node_modules/x/prebuilds/linux-x64/x.musl.node": elf(needed=("libc.musl-x86_64.so.1",)),
    "node_modules/x/prebuilds/linux-arm64/x.node": elf(ARM64),
    "node_modules/x/prebuilds/android-arm64/x.node": elf(ARM64, note=b"Android\0"),
    "node_modules/x/prebuilds/darwin-x64/x.node": bytes.fromhex("cffaedfe") + bytes(60),
    "node_modules/x/prebuilds/darwin-both/x.node": bytes.fromhex("cafebabe") + bytes(60),
    "node_modules/x/prebuilds/win32-x64/x.node": b"MZ" + bytes(60),
    "node_modules/x/MZ.txt": b"MZ is no program here",
}


def test_foreign_prebuilds_beside_a_right_one_are_dropped_from_native_layers(tmp_path: Path) -> None:
    plant(tmp_path / "app", PREBUILDS)
    layers(tmp_path, layer("one", entry("node_modules/x"), native=True))
    carved = tmp_path / "layers/one/app/node_modules/x"
    assert files(carved) == ("MZ.txt", "prebuilds/linux-x64/x.glibc.node")
    assert [p.name for p in (carved / "prebuilds").iterdir()] == ["linux-x64"]


def test_a_layer_for_all_platforms_keeps_every_prebuild(tmp_path: Path) -> None:
    plant(tmp_path / "app", PREBUILDS)
    assert layers(tmp_path, layer("one", entry("node_modules/x")))["one"]["files"] == len(PREBUILDS)


def test_windows_tools_alone_are_no_error(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/vendor/notify.exe": b"MZ" + bytes(60)})
    assert layers(tmp_path, layer("one", entry("node_modules/x"), native=True))["one"]["files"] == 1


@pytest.mark.parametrize(
    "junk",
    [b"\x7fELF", b"\x7fELF\x02\x01\x01", elf()[:60], elf()[:32] + b"\xff" * 32, elf(needed=GLIBC)[:-40]],
    ids=["magic only", "cut header", "header short", "wild header", "cut dynamic"],
)
def test_a_broken_elf_file_does_not_stop_the_build(tmp_path: Path, junk: bytes) -> None:
    plant(tmp_path / "app", {"node_modules/x/fixture": junk})
    assert layers(tmp_path, layer("one", entry("node_modules/x")))["one"]["files"] == 1


def test_a_trimmed_binary_is_not_checked(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/arm.node": elf(ARM64), "node_modules/x/a.js": ""})
    assert layers(tmp_path, layer("one", entry("node_modules/x")), trim=["*.node"])["one"]["files"] == 1


@pytest.mark.parametrize("path", ["../x", "/etc", "node_modules/../../x"])
def test_an_entry_outside_the_tree_is_refused(tmp_path: Path, path: str) -> None:
    plant(tmp_path / "app", {})
    assert layers_fail(tmp_path, layer("one", entry(path))) == f"carve: {path}: not a path inside the tree\n"


SERVICE = {
    "package.json": '{"name": "@x/catalog", "main": "dist/server.js", "bin": {"c": "./dist/cli.js"}}',
    "dist/server.js": "",
    "dist/server.js.map": "",
    "dist/server.d.ts": "",
    "dist/cli.js": "#!/usr/bin/env node",
    "dist/server.test.js": "",
    "dist/tests/a.js": "",
    "dist/routes/test/handler.js": "",
    "dist/tsconfig.tsbuildinfo": "",
    "src/server.ts": "",
    "src/view.tsx": "",
    "src/server.test.ts": "",
    "src/__tests__/a.js": "",
    "src/mail/welcome.html": "",
    "src/prompts/system.md": "",
    "migrations/001.sql": "",
    "prisma/schema.prisma": "",
    "harness/run.py": "",
    "config/kafka.config.json": "",
    "pages/[id].js": "",
    "next.config.js": "",
    "ecosystem.config.cjs": "",
    "knexfile.js": "",
    "drizzle.config.js": "",
    "vite.config.js": "",
    "vitest.config.mts": "",
    "vitest.workspace.ts": "",
    "jest.config.cjs": "",
    "jest.setup.js": "",
    "eslint.config.mjs": "",
    ".eslintrc.json": "",
    ".prettierrc": "",
    "tailwind.config.ts": "",
    "tsup.config.ts": "",
    "tsconfig.json": "",
    "tsconfig.build.json": "",
    ".env": "SECRET=1",
    ".env.production": "SECRET=1",
    ".npmrc": "//registry/:_authToken=1",
    ".gitignore": "",
    "Dockerfile": "",
    "Dockerfile.dev": "",
    "docker-compose.yml": "",
    "docker-compose.override.yml": "",
    "README.md": "",
    "docs/guide.html": "",
    "tests/a.js": "",
    "coverage/index.html": "",
    "npm-debug.log": "",
    "node_modules/x/index.js": "",
}
RUN_TIME = (
    "config/kafka.config.json",
    "dist/cli.js",
    "dist/routes/test/handler.js",
    "dist/server.js",
    "dist/server.js.map",
    "dist/server.test.js",
    "dist/tests/a.js",
    "docs/guide.html",
    "drizzle.config.js",
    "ecosystem.config.cjs",
    "harness/run.py",
    "knexfile.js",
    "migrations/001.sql",
    "next.config.js",
    "package.json",
    "pages/[id].js",
    "prisma/schema.prisma",
    "src/mail/welcome.html",
    "src/prompts/system.md",
)


def test_a_package_keeps_what_may_be_needed_at_run_time(tmp_path: Path) -> None:
    assert package(tmp_path) == RUN_TIME


def test_sources_are_kept_on_request_with_their_tsconfig(tmp_path: Path) -> None:
    typescript = ("dist/server.d.ts", "src/server.ts", "src/view.tsx", "tsconfig.build.json", "tsconfig.json")
    assert package(tmp_path, sources=True) == tuple(sorted((*RUN_TIME, *typescript)))


def test_listed_files_are_taken_exactly(tmp_path: Path) -> None:
    listed = ["dist/**", "vite.config.js", "./src/mail/", "{migrations,prisma}/*.sql"]
    assert package(tmp_path, files=listed, exclude=["**/*.map", "dist/{tests,routes}", "*.json"]) == (
        "dist/cli.js",
        "dist/server.d.ts",
        "dist/server.js",
        "dist/server.test.js",
        "dist/tsconfig.tsbuildinfo",
        "migrations/001.sql",
        "package.json",
        "src/mail/welcome.html",
        "vite.config.js",
    )


def test_source_maps_stay_out_on_request_and_other_files_called_so_do_not(tmp_path: Path) -> None:
    text = json.dumps({"version": 3, "sources": ["a.ts"], "mappings": "AAAA"})
    maps = {"dist/server.js.map": text, "dist/levels/one.map": '{"version": 3}', "dist/x.map": "no JSON"}
    plant(tmp_path / "app/generated", {"a.js": "", "a.js.map": text})
    added = ("dist/levels/one.map", "dist/x.map")
    left = sorted({*RUN_TIME, *added} - {"dist/server.js.map"})
    assert package(tmp_path, tree={**SERVICE, **maps}, maps=False, extra=["generated"]) == tuple(left)
    assert files(tmp_path / "out/app/generated") == ("a.js",)


def test_secrets_and_installed_packages_never_come_even_when_listed(tmp_path: Path) -> None:
    taken = package(tmp_path, files=["**"])
    assert set(SERVICE) - set(taken) == {".env", ".env.production", ".npmrc", "node_modules/x/index.js"}


def test_package_files_are_normalised_and_commands_executable(tmp_path: Path) -> None:
    package(tmp_path)
    modes = {
        str(p.relative_to(tmp_path / "out/app/services/catalog")): p.stat().st_mode & 0o777 for p in walk(tmp_path)
    }
    assert {path for path, mode in modes.items() if mode == 0o755} == {"dist/cli.js"}
    assert set(modes.values()) == {0o755, 0o644}
    assert {p.stat().st_mtime for p in (tmp_path / "out").rglob("*") if p.is_dir()} == {TIME}


def test_a_files_time_is_its_contents_so_that_servers_know_other_content_of_one_size(tmp_path: Path) -> None:
    def times(home: str, page: str) -> Mapping[str, int]:
        package(tmp_path / home, tree={"package.json": "{}", "dist/index.html": page, "dist/same.css": page[:1]})
        return {p.name: int(p.stat().st_mtime) for p in walk(tmp_path / home)}

    one, other = times("one", "<script src=a1.js>"), times("other", "<script src=b2.js>")
    assert one == times("again", "<script src=a1.js>")
    assert {name for name in one if one[name] != other[name]} == {"index.html"}
    assert all(TIME <= time < TIME + 20 * 366 * 86400 for time in (*one.values(), *other.values()))


def test_the_tree_is_left_as_it_was(tmp_path: Path) -> None:
    package(tmp_path)
    assert contents(tmp_path / "app/services/catalog") == SERVICE


def test_what_belongs_to_a_package_elsewhere_comes_along(tmp_path: Path) -> None:
    elsewhere = {
        "tsconfig.base.json": "{}",
        "generated/client/index.js": "",
        "generated/client/.env": "",
        "unrelated.js": "",
    }
    plant(tmp_path / "app", elsewhere)
    package(tmp_path, extra=["tsconfig.base.json", "generated/client/"])
    others = {p for p in files(tmp_path / "out/app") if not p.startswith("services/catalog")}
    assert others == {"tsconfig.base.json", "generated/client/index.js"}


def test_an_output_elsewhere_that_was_not_written_is_named(tmp_path: Path) -> None:
    assert package_fails(tmp_path, extra=["generated"]) == (
        'carve: services/catalog: generated is not there after the build; correct packages."services/catalog".outputs\n'
    )


def test_files_that_match_nothing_are_an_error(tmp_path: Path) -> None:
    assert package_fails(tmp_path, files=["dist/**", "build/**", "asets/*"]) == (
        'carve: services/catalog: no file matches files = ["build/**","asets/*"]; '
        'run its build or correct packages."services/catalog".files\n'
    )


def test_the_key_that_says_which_files_is_named(tmp_path: Path) -> None:
    assert package_fails(tmp_path, files=["build/**"], key="services.web.static") == (
        'carve: services/catalog: no file matches files = ["build/**"]; run its build or correct services.web.static\n'
    )


def test_a_file_that_a_command_starts_and_the_image_has_not_is_an_error(tmp_path: Path) -> None:
    starts = {"dist/server.js": "api", "dist/servr.js": "api", "src/server.ts": "worker", "dist/routes.js": "jobs"}
    tree = SERVICE | {"dist/routes/index.js": ""}
    assert package_fails(tmp_path, tree=tree, starts=starts) == (
        "carve: services/catalog: dist/servr.js, which api starts, is not among the files of the image; run its build, "
        'or correct the command or packages."services/catalog".files\n'
        "carve: services/catalog: src/server.ts, which worker starts, is not among the files of the image; run its "
        'build, or correct the command or packages."services/catalog".files\n'
    )


def test_a_package_that_was_not_built_is_an_error(tmp_path: Path) -> None:
    unbuilt = {"package.json": '{"name": "x"}', "src/a.ts": "", "README.md": ""}
    assert package_fails(tmp_path, tree=unbuilt) == (
        "carve: services/catalog: nothing to run beside package.json; "
        'run its build or set packages."services/catalog".files\n'
    )


@pytest.mark.parametrize(
    ("manifest", "shown"),
    [
        ({"main": "dist/gone.js"}, 'main "dist/gone.js"'),
        ({"main": "./dist"}, 'main "./dist"'),
        ({"exports": "./dist/gone.js"}, 'exports "./dist/gone.js"'),
        (
            {"exports": {"types": "./src/a.ts", "import": "./gone.mjs", "require": "./gone.cjs"}},
            'exports "./gone.mjs"',
        ),
        (
            {"main": "dist/a.js", "exports": {".": {"default": "./gone.js"}, "./b": "./dist/a.js"}},
            'exports "./gone.js"',
        ),
    ],
)
def test_an_entry_point_that_is_missing_is_an_error(tmp_path: Path, manifest: Mapping[str, Any], shown: str) -> None:
    tree = {"package.json": json.dumps(manifest), "dist/a.js": "", "src/a.ts": ""}
    assert package_fails(tmp_path, tree=tree) == (
        f"carve: services/catalog: its {shown} is not among the files of the image; "
        'run its build or correct packages."services/catalog".files\n'
    )
    assert package(tmp_path / "again", tree=tree, main=False) == ("dist/a.js", "package.json")


@pytest.mark.parametrize(
    "manifest",
    [
        {"main": "dist/a"},
        {"main": "./dist/"},
        {"main": "dist"},
        {},
        {"exports": {"./*": "./dist/*.js"}},
        {"exports": {".": [{"import": "./dist/gone.mjs"}, "./dist/a.js"]}},
        {"exports": {".": None, "./a": "./dist/a.js"}},
    ],
)
def test_an_entry_point_is_found_as_node_finds_it(tmp_path: Path, manifest: Mapping[str, Any]) -> None:
    tree = {"package.json": json.dumps(manifest), "dist/a.js": "", "dist/index.js": ""}
    assert len(package(tmp_path, tree=tree)) == 3


def test_a_package_with_a_binary_for_one_platform_fails_for_two(tmp_path: Path) -> None:
    tree: dict[str, str | bytes] = {"package.json": "{}", "bin/tool": elf()}
    assert package_fails(tmp_path, tree=tree, platforms=["linux/amd64", "linux/arm64"]) == (
        "carve: services/catalog: bin/tool is for linux/amd64, wanted linux/arm64 (glibc); "
        "install or build it for the target platform\n"
    )
    both = tree | {"bin/tool-arm": elf(ARM64)}
    assert len(package(tmp_path / "both", tree=both, platforms=["linux/amd64", "linux/arm64"])) == 3


def test_a_right_call_says_nothing_and_ends_with_status_zero(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"node_modules/x/a.js": "a"})
    done = run("layers", *layer_arguments(tmp_path, {"layers": [layer("one", entry("node_modules/x"))]}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(tmp_path / "layers/one") == {"app/node_modules/x/a.js": "a"}


def test_the_root_package_lands_in_app(tmp_path: Path) -> None:
    plant(tmp_path / "app", {"package.json": "{}", "server.js": ""})
    spec = {
        "path": "",
        "files": None,
        "exclude": [],
        "sources": False,
        "platforms": ["linux/amd64"],
        "libc": "glibc",
    }
    carve("package", package_arguments(tmp_path, spec))
    assert files(tmp_path / "out") == ("app/package.json", "app/server.js")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("dist/**", ("dist/a", "dist/a/b"), ("dist", "x/dist/a", "distant/a")),
        ("**/*.js", ("a.js", "a/b/c.js", ".x/.y.js"), ("a.jsx", "a/js")),
        ("*.js", ("a.js",), ("a/b.js",)),
        ("a?c", ("abc", "a.c"), ("ac", "a/c")),
        ("a/**/b", ("a/b", "a/x/y/b"), ("a/xb", "ab")),
        ("{a,b/{c,d}}.js", ("a.js", "b/c.js", "b/d.js"), ("b.js", "{a,b}.js")),
        ("x{,.*}", ("x", "x.y"), ("xy",)),
        ("[id].(a+b)^$|,\\.js", ("[id].(a+b)^$|,\\.js",), ("i.js",)),
        ("./dist/", ("dist", "dist/a"), ("dist.js",)),
    ],
)
def test_globs_mean_what_npm_and_git_users_expect(pattern: str, yes: Iterable[str], no: Iterable[str]) -> None:
    paths = (*yes, *no)
    assert ask(["glob", pattern, *paths]) == list(yes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: main.mjs layers|package|trace|pick|standalone|minimal|libraries|builds --tree DIR … --out DIR"),
        (["package", "--tree", "x"], "missing --spec, --out"),
        (
            ["package", "--tree", "x", "--spec", "/nowhere.json", "--out", "y"],
            "ENOENT: no such file or directory, open '/nowhere.json'",
        ),
    ],
)
def test_a_wrong_call_is_one_line(arguments: Sequence[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"carve: {message}\n")


@pytest.mark.parametrize(
    "pattern",
    ["**/" * 40, "*a" * 40, "**a" * 40, "{a*,*a}" * 20, "{a,aa}" * 300, "?*" * 40],
)
def test_however_many_stars_a_pattern_has_a_path_is_read_once(pattern: str) -> None:
    long = "a/" * 500 + "a" * 500 + "c"  # for ever, where each star tries each length
    assert ask(["glob", f"{pattern}b", long, long.replace("/", "")]) == []


@pytest.mark.parametrize("pattern", ["{a", "a}", "{a,{b}", "a}{b"])
def test_braces_that_are_not_in_pairs_are_one_line(tmp_path: Path, pattern: str) -> None:
    assert package_fails(tmp_path, files=[pattern]) == f'carve: "{pattern}": braces must come in pairs\n'


@pytest.mark.parametrize("beside", [False, True], ids=["moved", "copied"])
def test_pipes_and_sockets_of_a_package_are_left_out_with_a_warning(tmp_path: Path, beside: bool) -> None:
    tree = plant(tmp_path / "app", {"node_modules/x/a.js": "a"})
    plant_special(tree / "node_modules/x/only")
    plan = {"trim": [], "layers": [layer("one", entry("node_modules/x"))]}
    if beside:
        plan["layers"].append(layer("two", entry("node_modules/x")))
    done = run("layers", *layer_arguments(tmp_path, plan))
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == {
        "warning: node_modules/x/only/pipe: a named pipe; images hold files, so it is left out",
        "warning: node_modules/x/only/talk: a socket; images hold files, so it is left out",
    }
    for each in (tmp_path / "layers").iterdir():
        assert not each.is_dir() or [p.name for p in (each / "app/node_modules/x").rglob("*")] == ["a.js"]


def test_pipes_and_sockets_that_a_build_left_are_left_out_with_a_warning(tmp_path: Path) -> None:
    arguments = service_arguments(tmp_path, SERVICE, {})
    plant_special(tmp_path / "app/services/catalog/dist")
    done = run("package", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == {
        "warning: services/catalog/dist/pipe: a named pipe; images hold files, so it is left out",
        "warning: services/catalog/dist/talk: a socket; images hold files, so it is left out",
    }
    assert not {"pipe", "talk"} & {p.name for p in (tmp_path / "out").rglob("*")}


def plant_special(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder):  # its path may not be long
        server.bind("talk")


def test_a_plan_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    arguments = ["--tree", "x", "--spec", str(tmp_path / "plan.json"), "--out", "y"]
    assert fail("package", arguments).startswith(f"carve: {tmp_path}/plan.json: not JSON: ")


def entry(path: str) -> Mapping[str, Any]:
    return {"path": path}


def layer(name: str, *entries: Mapping[str, Any], native: bool = False) -> Mapping[str, Any]:
    return {"id": name, "native": native, "entries": list(entries)}


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


OTHER_TOOLS = (".yarn/releases/yarn.cjs", "patches/x.patch")


@pytest.mark.parametrize("path", ["", "services/catalog"])
def test_a_package_leaves_out_other_packages_in_its_folder(tmp_path: Path, path: str) -> None:
    own = {"package.json": "{}", "src/a.js": "a", "packages/notes.txt": "its own", "node_modules/y/y.js": "y"}
    others = {"packages/x/package.json": "{}", "packages/x/x.js": "x", "packages/x/node_modules/z/z.js": "z"}
    plant(tmp_path / "app" / path, {**own, **others, **dict.fromkeys(OTHER_TOOLS, "")})
    carve(
        "package",
        package_arguments(tmp_path, {"path": path, "files": None, "others": ["packages/x"], "unneeded": OTHER_TOOLS}),
    )
    assert files(tmp_path / "out/app" / path) == ("package.json", "packages/notes.txt", "src/a.js")


def test_an_output_may_lie_in_node_modules(tmp_path: Path) -> None:
    """A generated Prisma client does."""
    client = {"node_modules/.prisma/client/index.js": "x", "node_modules/.prisma/client/.env": "SECRET"}
    plant(tmp_path / "app", {"services/api/package.json": "{}", "services/api/a.js": "a", **client})
    spec = {"path": "services/api", "files": None, "extra": ["node_modules/.prisma"]}
    carve("package", package_arguments(tmp_path, spec))
    assert files(tmp_path / "out/app/node_modules") == (".prisma/client/index.js",)


def carve(command: str, arguments: Sequence[str]) -> None:
    assert ask([command, *arguments]) == ""


def fail(command: str, arguments: Sequence[str]) -> str:
    complaint = ask([command, *arguments])
    assert isinstance(complaint, str)
    return complaint + "\n"


def ask(words: Sequence[str]) -> object:
    """The answer of carve in one node process for all tests: starting one outlasts a test."""
    node = carver()
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(json.dumps(words) + "\n")
    node.stdin.flush()
    return json.loads(node.stdout.readline())


@cache
def carver() -> subprocess.Popen[str]:
    program = f"""
        import {{ createInterface }} from 'node:readline';
        import {{ glob }} from {json.dumps((SCRIPT.parent / "glob.mjs").as_uri())};
        import {{ main }} from {json.dumps(SCRIPT.as_uri())};
        for await (const line of createInterface({{ input: process.stdin }})) {{
            const [command, ...words] = JSON.parse(line);
            const globbed = () => words.slice(1).filter(glob(words.slice(0, 1)));
            console.log(JSON.stringify(command === 'glob' ? globbed() : await main([command, ...words])));
        }}"""
    words = ["node", "--input-type=module", "-e", program]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True, scope="module")
def _end_of_carver() -> Iterator[None]:
    yield
    with carver() as node:  # closes its pipes and waits
        pass
    carver.cache_clear()
    assert node.returncode == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


def layers(home: Path, *layers: Mapping[str, Any], trim: Sequence[str] = ()) -> Any:
    return run_layers(home, {"trim": list(trim), "layers": list(layers)})


def layers_fail(home: Path, *layers: Mapping[str, Any]) -> str:
    return fail("layers", layer_arguments(home, {"trim": [], "layers": list(layers)}))


def run_layers(
    home: Path,
    plan: Mapping[str, Any],
    *,
    platform: str = "linux/amd64",
    libc: str = "glibc",
    tree: Path | None = None,
) -> Any:
    carve("layers", layer_arguments(home, plan, platform=platform, libc=libc, tree=tree))
    return json.loads((home / "layers/sizes.json").read_text())


def layer_arguments(
    home: Path,
    plan: Mapping[str, Any],
    *,
    platform: str = "linux/amd64",
    libc: str = "glibc",
    tree: Path | None = None,
) -> Sequence[str]:
    (home / "layers.json").write_text(json.dumps(plan))
    where = [
        "--tree",
        str(tree or home / "app"),
        "--plan",
        str(home / "layers.json"),
        "--out",
        str(home / "layers"),
    ]
    return [*where, "--platform", platform, "--libc", libc]


def package(home: Path, *, tree: Mapping[str, str | bytes] = SERVICE, **spec: Any) -> tuple[str, ...]:
    carve("package", service_arguments(home, tree, spec))
    return files(home / "out/app/services/catalog")


def package_fails(home: Path, *, tree: Mapping[str, str | bytes] = SERVICE, **spec: Any) -> str:
    return fail("package", service_arguments(home, tree, spec))


def service_arguments(home: Path, tree: Mapping[str, str | bytes], spec: Mapping[str, Any]) -> Sequence[str]:
    plant(home / "app/services/catalog", tree)
    defaults = {"files": None, "exclude": [], "sources": False, "platforms": ["linux/amd64"], "libc": "glibc"}
    return package_arguments(home, {"path": "services/catalog"} | defaults | dict(spec))


def package_arguments(home: Path, spec: Mapping[str, Any]) -> Sequence[str]:
    sources, listed = spec.get("sources", False), spec["files"]
    tracked = [path for path in SERVICE if not path.startswith("dist/")]
    left = unneeded(tracked, files=listed, sources=sources)
    rules = {"never": NEVER, "leaves": left_out(files=listed, sources=sources), "unneeded": left}
    (home / "spec.json").write_text(json.dumps({**rules, **spec}))
    return ["--tree", str(home / "app"), "--spec", str(home / "spec.json"), "--out", str(home / "out")]


def walk(home: Path) -> Iterable[Path]:
    return (p for p in (home / "out/app/services/catalog").rglob("*") if p.is_file())


def files(root: Path) -> tuple[str, ...]:
    return tuple(sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()))


def contents(root: Path) -> Mapping[str, str]:
    return {path: read(root / path) for path in files(root)}


def read(path: Path) -> str:
    return path.read_text()


def bins(root: Path) -> Mapping[str, str]:
    app = root / "app"
    return {str(p.relative_to(app)): str(p.readlink()) for p in sorted(app.rglob(".bin/*"))}


def shape(root: Path) -> Mapping[str, tuple[int, float, str]]:
    """Everything of a tree that a layer's digest depends on."""
    return {
        str(p.relative_to(root)): (
            p.lstat().st_mode,
            p.lstat().st_mtime,
            str(p.readlink()) if p.is_symlink() else p.read_text() if p.is_file() else "",
        )
        for p in sorted(root.rglob("*"))
    }


def test_an_optional_package_without_a_binary_for_the_platform_is_left_out(tmp_path: Path) -> None:
    binaries: dict[str, str | bytes] = {
        "node_modules/fast/arm.node": elf(ARM64),
        "node_modules/fast/package.json": "{}",
    }
    plant(tmp_path / "app", {**binaries, "node_modules/x/a.js": "a"})
    plan = {"layers": [layer("one", entry("node_modules/x"), {"path": "node_modules/fast", "optional": True})]}
    done = run("layers", *layer_arguments(tmp_path, plan))
    assert (done.returncode, done.stdout) == (
        0,
        "warning: node_modules/fast: arm.node is for linux/arm64, wanted linux/amd64 (glibc); install or build it for "
        "the target platform; it is left out, as an optional dependency may be\n",
    )
    assert files(tmp_path / "layers/one") == ("app/node_modules/x/a.js",)


def test_what_belongs_to_binaries_of_windows_goes_with_them(tmp_path: Path) -> None:
    own: Mapping[str, str | bytes] = {
        "linux.node": elf(AMD64),
        "win.node": b"MZ\0\0",
        "win.pdb": b"Microsoft C/C++ MSF 7.00",
        "notes.pdb": b"ATOM",
    }
    plant(tmp_path / "app", {f"node_modules/x/{name}": content for name, content in own.items()})
    layers(tmp_path, layer("one", entry("node_modules/x"), native=True))
    assert files(tmp_path / "layers/one/app/node_modules/x") == ("linux.node", "notes.pdb")
