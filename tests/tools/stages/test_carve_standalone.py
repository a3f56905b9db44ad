"""docker/carve takes a build's complete output, with native packages of the target platform."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.plant import plant
from tests.tools.stages.test_carve import AMD64, ARM64, elf, files, read, run

SHARP = json.dumps({"optionalDependencies": {"@img/sharp-linux-x64": "1", "@img/sharp-linux-arm64": "1"}})


def carve(root: Path, platform: str = "linux/arm64", **spec: object) -> str:
    """Run it on the tree; gives what it says."""
    given = {
        "path": "web",
        "standalone": ".next/standalone",
        "tree": True,
        "beside": [".next/static", "public"],
        "key": "services.web.standalone",
    }
    more: dict[str, object] = {"never": ["node_modules", "**/.env*"], **spec}
    (root / "spec.json").write_text(json.dumps(given | more))
    words = ["--tree", root / "app", "--spec", root / "spec.json", "--platform", platform, "--libc", "glibc"]
    words += ["--dependencies", root / "deps", "--out", root / "out"]
    return run("standalone", *map(str, words)).stderr


def made(root: Path, below: str = "web/") -> None:
    """A standalone folder as Next.js makes it on amd64, and what an install for arm64 has."""
    top = "app/web/.next/standalone"
    plant(
        root,
        {
            f"{top}/{below}server.js": "server",
            f"{top}/{below}.env": "SECRET=1",
            f"{top}/node_modules/next/index.js": "next",
            f"{top}/node_modules/sharp/package.json": SHARP,
            f"{top}/node_modules/@img/sharp-linux-x64/package.json": "{}",
            "app/web/.next/static/a.js": "a",
            "app/web/public/robots.txt": "hi",
            "deps/node_modules/@img/sharp-linux-arm64/package.json": "{}",
            "deps/node_modules/@img/sharp-linux-arm64/sharp.node": elf(ARM64, needed=("libc.so.6",)),
            "deps/node_modules/other/index.js": "not needed",
            f"{top}/node_modules/@img/sharp-linux-x64/sharp.node": elf(AMD64, needed=("libc.so.6",)),
        },
    )


def test_it_has_the_native_packages_of_the_platform_and_what_lies_beside(tmp_path: Path) -> None:
    made(tmp_path)
    assert carve(tmp_path) == ""
    assert files(tmp_path / "out/app") == (
        "node_modules/@img/sharp-linux-arm64/package.json",
        "node_modules/@img/sharp-linux-arm64/sharp.node",
        "node_modules/next/index.js",
        "node_modules/sharp/package.json",
        "web/.next/static/a.js",
        "web/public/robots.txt",
        "web/server.js",
    )
    constant = [p for p in (tmp_path / "out").rglob("*") if p.is_dir() or "node_modules" in p.parts]
    assert {round(p.stat().st_mtime) for p in constant} == {946684800}
    assert (tmp_path / "out/app/web/public/robots.txt").stat().st_mtime > 946684800


def test_on_the_platform_that_built_it_it_is_as_it_was_built(tmp_path: Path) -> None:
    made(tmp_path)
    assert carve(tmp_path, "linux/amd64") == ""
    assert "node_modules/@img/sharp-linux-x64/sharp.node" in files(tmp_path / "out/app")
    assert not (tmp_path / "out/app/node_modules/@img/sharp-linux-arm64").exists()


def test_traced_from_the_package_alone_it_lies_where_the_package_does(tmp_path: Path) -> None:
    made(tmp_path, below="")
    carve(tmp_path)
    assert read(tmp_path / "out/app/web/server.js") == "server"
    assert "web/node_modules/@img/sharp-linux-arm64/sharp.node" in files(tmp_path / "out/app")


def test_source_maps_stay_out_on_request(tmp_path: Path) -> None:
    made(tmp_path)
    plant(tmp_path / "app/web", {".next/static/a.js.map": '{"version": 3, "mappings": ""}', "public/b.map": "data"})
    carve(tmp_path, maps=False)
    assert [p for p in files(tmp_path / "out/app") if p.endswith(".map")] == ["web/public/b.map"]


def test_a_build_that_makes_none_is_told(tmp_path: Path) -> None:
    plant(tmp_path, {"app/web/package.json": "{}"})
    what = "carve: web: its build made no .next/standalone; correct the build, or services.web.standalone\n"
    assert carve(tmp_path) == what


def test_a_server_in_a_folder_stays_there_and_gets_native_packages_of_the_workspace(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "app/web/.output").mkdir()
    (tmp_path / "app/web/.next/standalone/node_modules").rename(tmp_path / "app/web/.output/node_modules")
    (tmp_path / "app/web/.output").rename(tmp_path / "app/web/server")
    (tmp_path / "app/web/.output").mkdir()
    (tmp_path / "app/web/server").rename(tmp_path / "app/web/.output/server")
    plant(tmp_path, {"app/web/package.json": '{"type": "module"}'})
    assert carve(tmp_path, standalone=".output", tree=False, beside=[]) == ""
    found = files(tmp_path / "out/app")
    assert {"web/package.json", "web/.output/server/node_modules/@img/sharp-linux-arm64/sharp.node"} < {*found}
    assert not [path for path in found if "x64" in path]


def test_in_pnpms_store_a_package_finds_that_of_its_platform_beside_it(tmp_path: Path) -> None:
    top = "app/web/.next/standalone"
    store = f"{top}/node_modules/.pnpm"
    x64, arm64 = "@img/sharp-linux-x64", "@img/sharp-linux-arm64"
    there = f"deps/node_modules/.pnpm/@img+sharp-linux-arm64@1/node_modules/{arm64}"
    plant(
        tmp_path,
        {
            f"{top}/web/server.js": "server",
            f"{store}/sharp@1/node_modules/sharp/package.json": SHARP,
            f"{store}/sharp@1/node_modules/@img/colour/package.json": "{}",
            f"{store}/@img+sharp-linux-x64@1/node_modules/{x64}/package.json": "{}",
            f"{store}/@img+sharp-linux-x64@1/node_modules/{x64}/sharp.node": elf(AMD64, needed=("libc.so.6",)),
            f"{there}/package.json": "{}",
            f"{there}/sharp.node": elf(ARM64, needed=("libc.so.6",)),
        },
    )
    link = tmp_path / f"{store}/sharp@1/node_modules/{x64}"
    link.symlink_to(f"../../../@img+sharp-linux-x64@1/node_modules/{x64}")
    assert carve(tmp_path) == ""
    found = [p for p in files(tmp_path / "out/app") if "@img/sharp" in p]
    beside = f"node_modules/.pnpm/sharp@1/node_modules/{arm64}"
    assert found == [f"{beside}/package.json", f"{beside}/sharp.node"]


def test_a_binary_that_the_platform_has_no_other_for_is_an_error(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "deps/node_modules/@img/sharp-linux-arm64/package.json").unlink()
    assert carve(tmp_path).startswith("carve: web: node_modules/@img/sharp-linux-x64/sharp.node is for linux/amd64")


def test_a_part_of_which_a_trace_keeps_nothing_leaves_what_another_has_put_there(tmp_path: Path) -> None:
    for part, file in (("a", "app/packages/x/index.js"), ("b", "app/packages/y/dist/z.js")):
        (tmp_path / part / file).parent.mkdir(parents=True)
        (tmp_path / part / file).write_text("")
    traced = Path(__file__).parents[3] / "docker" / "carve" / "traced.mjs"
    script = f"""
        import {{ copyLike }} from {json.dumps(traced.as_uri())};
        copyLike('a', 'out', () => true);
        copyLike('b', 'out', () => false);
    """
    words = ["node", "--input-type=module", "--eval", script]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*")) == [
        "app",
        "app/packages",
        "app/packages/x",
        "app/packages/x/index.js",
    ]


def test_a_part_of_a_package_that_keeps_nothing_leaves_what_another_has_put_there(tmp_path: Path) -> None:
    for file in ("x/local/index.js", "x/shared/y.js"):
        (tmp_path / "tree" / file).parent.mkdir(parents=True)
        (tmp_path / "tree" / file).write_text("")
    files = Path(__file__).parents[3] / "docker" / "carve" / "files.mjs"
    script = f"""
        import {{ carveDirectory }} from {json.dumps(files.as_uri())};
        const job = {{ tree: 'tree', from: 'tree', to: 'out', home: 'tree', enters: () => true }};
        carveDirectory({{ ...job, keeps: (path) => path === 'x/local/index.js' }});
        carveDirectory({{ ...job, keeps: (path) => path === 'x/shared/y.js' }});
    """
    words = ["node", "--input-type=module", "--eval", script]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    found = [p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.js")]
    assert sorted(found) == ["x/local/index.js", "x/shared/y.js"]
