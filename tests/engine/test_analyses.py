"""What the tracer found in files is kept for the next trace, and never changes what a trace finds."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.engine

DOCKER = Path(__file__).parents[2] / "docker"
PROGRAM = f"""
import {{ traceFiles }} from '{DOCKER.as_uri()}/carve/trace.mjs';
const all = {{ held: () => false, doubtful: () => false }};
const found = await traceFiles(JSON.parse(process.argv[1]), all);
console.log(JSON.stringify(found.sort((a, b) => (a.path < b.path ? -1 : 1))));
"""
TEXTS = {
    "data": "require('fs').readFileSync(require('path').join(__dirname, 'data.json'));",
    "views": "const path = require('path');\nmodule.exports = (name) => path.join(__dirname, 'views', name + '.html');",
    "where": "require('fs').readFileSync(require('path').join(process.cwd(), 'config', 'x.json'));",
    "typed": "require('./typed.ts');",
    "broken": "this is no JavaScript",
    "nothing": "",
}
NAMES = ("a", "b", "c")
FILES = {
    "data.json": "{}",
    "views/one.html": "one",
    "views/two.html": "two",
    "views/more/three.html": "three",
    "typed.ts": "import './a.js';\nconst text: string = 'data.json';\n",
    "config/x.json": "{}",
}


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracer as stages install it."""
    folder = tmp_path_factory.mktemp("tracer") / "trace"
    shutil.copytree(DOCKER / "trace", folder)
    words = ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return folder


@dataclass
class Traces:
    """Traces of services/api, whose main.js needs a.js, b.js and c.js, with one store."""

    folder: Path
    tracer: Path
    files: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.folder / "store.json"

    def run(self, *, kept: bool = True) -> object:
        """What a trace of the files finds."""
        home = self.folder / "app/services/api"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "latest").symlink_to("views" if "views/two.html" in self.files else "config")
        for path, text in self.files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text)
        return self._trace(str(self.store) if kept else "")

    def _trace(self, analyses: str) -> object:
        starts = ["services/api", "services/api/config"]
        spec = {"tree": str(self.folder / "app"), "tools": str(self.tracer), "home": "services/api", "never": ["**/x"]}
        told = json.dumps({**spec, "entries": ["services/api/main.js"], "starts": starts, "analyses": analyses})
        words = ["node", "--input-type=module", "--eval", PROGRAM, told]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=self.folder)
        return json.loads(done.stdout)


def begun(folder: Path, tracer: Path) -> Traces:
    main = "".join(f"require('./{name}');\n" for name in NAMES)
    texts = {f"{name}.js": TEXTS[text] for name, text in zip(NAMES, ("data", "views", "where"), strict=True)}
    return Traces(folder, tracer, {"main.js": main, **texts, **FILES})


_EDITS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(TEXTS))),
    st.tuples(st.sampled_from(sorted(FILES)), st.booleans()),
)


@settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=3, max_size=3))
def test_after_any_edits_a_trace_finds_the_same_with_what_was_kept_and_without(
    tracer: Path, steps: list[list[tuple[str, str | bool]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        traces = begun(Path(folder), tracer)
        assert traces.run() == traces.run(kept=False)
        for edits in steps:
            for name, to in edits:
                if isinstance(to, str):
                    traces.files[f"{name}.js"] = TEXTS[to]
                elif to:
                    traces.files[name] = FILES[name]
                else:
                    traces.files.pop(name, None)
            assert traces.run() == traces.run(kept=False)


def test_a_file_that_stayed_the_same_is_not_parsed_again_until_there_are_other_files(
    tracer: Path, tmp_path: Path
) -> None:
    traces = begun(tmp_path, tracer)
    found = traces.run()
    kept = json.loads(traces.store.read_text())
    for start in kept["starts"].values():
        start[f"{tmp_path}/app/services/api/main.js"]["deps"] = []
    traces.store.write_text(json.dumps(kept))
    main = [{"line": 0, "path": "services/api/main.js", "reader": "", "way": "dependency"}]

    assert traces.run() == main
    traces.files["new.txt"] = ""
    assert traces.run() == found


def test_a_store_that_is_damaged_is_none(tracer: Path, tmp_path: Path) -> None:
    traces = begun(tmp_path, tracer)
    found = traces.run()
    traces.store.write_text('{"key": ')
    assert traces.run() == found
    assert json.loads(traces.store.read_text())["key"]
