"""docker/declare.mjs: what builds that only compile get of a library."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plant import plant

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

SCRIPT = Path(__file__).parents[3] / "docker/declare.mjs"
NOTED: Mapping[str, Any] = {
    "fileNames": ["../node_modules/typescript/lib/lib.d.ts", "../src/b.ts", "../src/a.tsx", "../src/data.json"],
    "fileInfos": [
        "lib",
        {"version": "of b", "signature": "b says"},
        {"version": "of a", "signature": "a says"},
        {"version": "of data"},
    ],
    "root": [[2, 4]],
    "fileIdsList": [[1, 2]],
    "referencedMap": [[3, 1]],
    "options": {"composite": True},
    "latestChangedDtsFile": "./b.d.ts",
    "version": "5.9.2",
}
LIB: Mapping[str, str | Mapping[str, Any]] = {
    "package.json": {"name": "lib"},
    "README.md": "",
    "tsconfig.json": """{ // Sources.
  "extends": "../base.json", "compilerOptions": { "outDir": "dist", }, "include": ["src"],}""",
    "src/a.tsx": "export const a = () => 1;",
    "src/b.ts": "export const b = (): string => 'b';",
    "src/data.json": "{}",
    "src/own.d.ts": "interface Own {}",
    "dist/a.js": "exports.a = () => 1;",
    "dist/a.d.ts": "export declare const a: () => number;\n//# sourceMappingURL=a.d.ts.map",
    "dist/a.d.ts.map": "{}",
    "dist/b.d.ts": "export declare const b: () => string;\n",
    "dist/.tsbuildinfo": NOTED,
}


def declare(
    root: Path, files: Mapping[str, str | Mapping[str, Any]], compiler: str = "5.9.2"
) -> tuple[dict[str, str], str]:
    """What builds get of a library, and what is said of it."""
    plant(root / "app/lib", {**LIB, **files})
    words = {"--tree": root / "app", "--package": "lib", "--configs": "tsconfig.json", "--outputs": '[["dist","src"]]'}
    given = [str(w) for pair in {**words, "--compiler": compiler, "--out": root / "out"}.items() for w in pair]
    done = subprocess.run(["node", str(SCRIPT), *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = sorted(p for p in (root / "out/lib").rglob("*") if p.is_file())
    there = {p.relative_to(root / "out/lib").as_posix(): p.read_text(encoding="utf-8") for p in found}
    return there, done.stdout.removeprefix("lib: packages that only compile get ").strip()


def test_sources_are_their_declarations_and_the_compilers_notes_agree(tmp_path: Path) -> None:
    found, said = declare(tmp_path, {})
    assert said == "its declarations"
    assert sorted(found) == [
        *("dist/.tsbuildinfo", "dist/a.d.ts", "dist/b.d.ts", "package.json", "src/a.tsx", "src/b.ts", "src/data.json"),
        *("src/own.d.ts", "tsconfig.json"),
    ]
    assert found["src/a.tsx"] == "export declare const a: () => number;\n"
    assert found["dist/a.d.ts"] == LIB["dist/a.d.ts"]
    config = {"extends": "../base.json", "compilerOptions": {"outDir": "dist", "noCheck": True}, "include": ["src"]}
    assert json.loads(found["tsconfig.json"]) == config
    a, b = (hashlib.sha256(found[name].encode()).hexdigest() for name in ("src/a.tsx", "src/b.ts"))
    assert json.loads(found["dist/.tsbuildinfo"]) == {
        "options": {"composite": True},
        "fileNames": ["../src/a.tsx", "../src/b.ts", "../src/data.json"],
        "fileInfos": [
            {"version": a},
            {"version": b},
            {"version": "of data"},
        ],
        "root": [1, 2, 3],
        "fileIdsList": [],
        "referencedMap": [],
        "latestChangedDtsFile": "a.d.ts",
        "version": "5.9.2",
    }


def test_an_edit_inside_a_function_and_another_import_change_nothing(tmp_path: Path) -> None:
    before, _ = declare(tmp_path / "before", {})
    noted = {**NOTED, "fileNames": [*NOTED["fileNames"], "../node_modules/x/x.d.ts"], "root": [3, 2, 4]}
    noted["fileInfos"] = [*noted["fileInfos"], "x"]
    edit = {"src/a.tsx": "import 'x'; export const a = () => 2;", "dist/a.js": "2", "dist/a.d.ts.map": "2"}
    after, _ = declare(tmp_path / "after", {**edit, "dist/.tsbuildinfo": noted, "README.md": "2"})
    assert after == before


def test_an_edit_of_a_source_that_was_its_own_declaration_changes_nothing(tmp_path: Path) -> None:
    """The compiler leaves out the digest of a declaration that is the same as the source's."""
    before, _ = declare(tmp_path / "before", {"dist/.tsbuildinfo": {**NOTED, "fileInfos": ["lib", "b", "a", "data"]}})
    after, _ = declare(tmp_path / "after", {})
    assert before["dist/.tsbuildinfo"].replace('"data"', '{"version":"of data"}') == after["dist/.tsbuildinfo"]


def test_notes_of_older_compilers_and_in_a_folder_beside_dependencies_are_known(tmp_path: Path) -> None:
    inner = {k: v for k, v in NOTED.items() if k != "version"}
    found, said = declare(tmp_path, {"dist/.tsbuildinfo": {"program": inner, "version": "5.4.5"}}, compiler="5.4.5")
    assert said == "its declarations"
    assert json.loads(found["dist/.tsbuildinfo"])["program"]["root"] == [1, 2, 3]
    assert found["tsconfig.json"] == LIB["tsconfig.json"]  # it knows no noCheck
    names = [name.replace("../", "../../") for name in NOTED["fileNames"]]
    found, _ = declare(tmp_path / "hidden", {"node_modules/.tmp/a.tsbuildinfo": {**NOTED, "fileNames": names}})
    assert json.loads(found["node_modules/.tmp/a.tsbuildinfo"])["root"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("files", "compiler", "reason"),
    [
        ({"dist/.tsbuildinfo": {**NOTED, "fileNames": ["", "../src/b.ts", "../src/c.js", ""]}}, "5.9.2", "src/c.js"),
        ({"dist/.tsbuildinfo": {"version": "4.0.0"}}, "4.0.0", "what the compiler notes is not known"),
    ],
)
def test_what_cannot_be_declared_is_handed_over_whole(
    tmp_path: Path, files: Mapping[str, Any], compiler: str, reason: str
) -> None:
    found, said = declare(tmp_path, files, compiler)
    assert said.startswith("all of it: its declarations do not stand alone (")
    assert reason in said
    assert found["src/a.tsx"] == LIB["src/a.tsx"]
    assert "dist/a.js" in found
