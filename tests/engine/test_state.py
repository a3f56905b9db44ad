"""What tools keep comes back, on another machine too, and images are the same as without."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

# Webpack's own cache, with which a second build takes the modules of the first.
BUILD = """
const webpack = require('webpack');
const fs = require('node:fs');
fs.rmSync('dist', { recursive: true, force: true });
const known = fs.existsSync('node_modules/.cache/webpack') ? 'known' : 'new';
const entry = Object.fromEntries(fs.readdirSync('src').map((name) => [name.slice(0, -3), `./src/${name}`]));
webpack({ mode: 'production', target: 'node', entry, cache: { type: 'filesystem' } }, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
  console.log(`the cache is ${known}`);
});
"""


@pytest.fixture
def workspace(tmp_path: Path, project_name: str) -> Workspace:
    made = Workspace(root=tmp_path / "workspace", project=project_name)
    root = {"name": "t", "version": "1.0.0", "private": True, "workspaces": ["services/*"]}
    made.write("package.json", json.dumps({**root, "devDependencies": {"webpack": "5.101.3"}}))
    manifest = {"name": "@t/web", "version": "1.0.0", "scripts": {"build": "node build.cjs"}}
    made.write("services/web/package.json", json.dumps(manifest))
    made.write("services/web/build.cjs", BUILD)
    made.write("services/web/src/main.js", f"console.log('{project_name}');\n")
    made.write("services/web/src/other.js", "console.log('other');\n")
    made.write(".gitignore", "node_modules\n.bake\ndist\n")
    service = '[services.web]\npackage = "services/web"\ncommand = "node dist/main.js"\n'
    project = f'[project]\nname = "{project_name}"\nplatforms = ["linux/amd64"]\nregistry = "{REGISTRY}/bake-test"\n'
    made.write("bake.toml", f'{project}[cache]\nstate = true\nwrite = "always"\n{service}')
    made.lock()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("Begin")
    return made


def build(workspace: Workspace) -> tuple[str, str]:
    """The image's digest, and what the build said."""
    done = workspace.bake("all", "--verbose", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["images"][0]["digest"], done.stderr


def forget(workspace: Workspace) -> None:
    """Take away what the engine keeps of the workspace's builds, as if it were another one."""
    listed = subprocess.run(["docker", "buildx", "du", "--verbose"], capture_output=True, text=True, check=True).stdout
    records = [record for record in listed.split("\n\n") if f"bake-state-{workspace.project}-" in record]
    assert records
    for record in records:
        found = re.search(r"ID:\s+(\w+)", record)
        assert found is not None
        words = ["docker", "buildx", "prune", "--force", "--filter", f"id={found[1]}"]
        subprocess.run(words, capture_output=True, check=True)


def test_a_build_begins_with_what_the_last_one_kept_and_gives_the_same_image(workspace: Workspace) -> None:
    _, said = build(workspace)
    assert "the cache is new" in said
    forget(workspace)
    workspace.write("services/web/src/main.js", f"console.log('{workspace.project} again');\n")
    edited, said = build(workspace)
    assert "services/web: begins with what its last build kept" in said
    assert "the cache is known" in said
    (workspace.root / "services/web/src/other.js").unlink()
    removed, said = build(workspace)
    assert "begins without what its last build kept: services/web/src/other.js is gone" in said
    assert "the cache is new" in said
    config = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    workspace.write("bake.toml", f"{config}\n[workspace]\nstate = false\n")
    plain, said = build(workspace)
    assert "what its last build kept" not in said
    assert plain == removed
    workspace.write("services/web/src/other.js", "console.log('other');\n")
    assert build(workspace)[0] == edited


# --- the compiler -----------------------------------------------------------------------------------------------------

SCRIPT = Path(__file__).parents[2] / "docker" / "state.mjs"
OPTIONS = {"incremental": True, "declaration": True, "outDir": "dist", "rootDir": "src", "module": "commonjs"}
TSCONFIG = json.dumps({"compilerOptions": {**OPTIONS, "target": "es2020", "types": []}, "files": ["src/main.ts"]})
NAMES = ("a", "b", "c")
VALUES = ("1", "'text'", "{ deep: [1] }", "() => 1")
TYPES = ("number", "string", "{ deep: number[] }")


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of TypeScript."""
    folder = tmp_path_factory.mktemp("typescript")
    words = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--prefix",
        str(folder),
        "typescript@5.9.2",
    ]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "node_modules/typescript/bin/tsc"


@dataclass
class Compiled:
    """Builds of packages/app beside packages/lib, each in a new folder, with one folder of state."""

    folder: Path
    compiler: Path
    files: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def run(self, *words: str, state: bool = True) -> Mapping[str, str]:
        """What a build leaves in packages/app/dist, but for the compiler's notes."""
        tree = self.folder / "app"
        shutil.rmtree(tree, ignore_errors=True)
        for path, text in {"app/tsconfig.json": TSCONFIG, **self.files}.items():
            (tree / "packages" / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / "packages" / path).write_text(text)
            os.utime(tree / "packages" / path, (1e9, 1e9))
        self.said = self._call("restore") if state else ""
        self._compile(tree / "packages/app", *words)
        self.said += self._call("save") if state else ""
        made = tree / "packages/app/dist"
        found = {p.relative_to(made).as_posix(): p for p in made.rglob("*") if p.is_file()}
        return {path: p.read_text() for path, p in found.items() if not path.endswith(".tsbuildinfo")}

    def _compile(self, folder: Path, *words: str) -> None:
        done = subprocess.run(["node", self.compiler, *words], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def _call(self, command: str) -> str:
        (self.folder / "state").mkdir(exist_ok=True)
        places = ("--tree", self.folder / "app", "--state", self.folder / "state", "--home", "packages/app")
        words = ["node", str(SCRIPT), command, *map(str, places), "--results", "dist:src"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return done.stdout


def source(name: str, value: str, number: int, takes: str) -> str:
    """A module. takes: the modules that it imports, whose types and constants are in its declarations and its code."""
    others = [other for other in takes if other > name]
    imports = "".join(f"import {{ v as {o}, E as {o.upper()} }} from './{o}';\n" for o in others)
    told = ", ".join(["lib", *others, *(f"{o.upper()}.A" for o in others)])
    head = f"import {{ lib }} from '../../lib';\n{imports}"
    return f"{head}export const enum E {{ A = {number} }}\nexport const v = [{value}, {told}] as const;\n"


def library(value: str) -> str:
    """Declarations of another package, as builds that only compile have them."""
    return f"export declare const lib: {value};\n"


def main(takes: str) -> str:
    return "".join(f"export * as {name} from './{name}';\n" for name in takes) + "export {};\n"


_TAKES = st.sampled_from(["", "a", "b", "bc", "abc"])
_EDITS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES), st.integers(1, 2), _TAKES),
    st.tuples(st.just("main"), _TAKES),
    st.tuples(st.just("lib"), st.sampled_from(TYPES)),
)


def edited(edit: tuple[object, ...]) -> Iterator[tuple[str, str]]:
    """The file that an edit is of, and its text."""
    match edit:
        case ("lib", str(value)):
            yield "lib/index.d.ts", library(value)
        case ("main", str(takes)):
            yield "app/src/main.ts", main(takes)
        case (str(name), str(value), int(number), str(takes)):
            yield f"app/src/{name}.ts", source(name, value, number, takes)


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=3, max_size=3), st.sampled_from(["-b", "-p."]))
def test_after_any_edits_the_compiler_writes_the_same_with_state_and_without(
    compiler: Path, steps: list[list[tuple[object, ...]]], mode: str
) -> None:
    words = ("-b",) if mode == "-b" else ("-p", ".")
    with tempfile.TemporaryDirectory() as folder:
        build = Compiled(Path(folder), compiler)
        build.files = {"lib/index.d.ts": library("number"), "app/src/main.ts": main("abc")}
        build.files |= {f"app/src/{name}.ts": source(name, "1", 1, "bc") for name in NAMES}
        build.run(*words)
        for edits in steps:
            build.files |= {path: text for edit in edits for path, text in edited(edit)}
            found = build.run(*words)
            assert build.said == "packages/app: begins with what its last build kept\n"
            assert found == build.run(*words, state=False)
