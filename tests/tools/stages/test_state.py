"""docker/state.mjs: what a build keeps for the next one never changes what comes out."""

import json
import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

SCRIPT = Path(__file__).parents[3] / "docker" / "state.mjs"
HOME = "apps/web"
CACHE = f"{HOME}/node_modules/.cache/tool"
WITH = f"{HOME}: begins with what its last build kept\n"

# A bundler as careless as any: it knows a source again by its path and content alone, and keeps what it ever made.
TOOL = """
import fs from 'node:fs';
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
const kept = 'node_modules/.cache/tool/made.json';
const made = JSON.parse(read(kept) || '{}');
const others = ['tool.config.js', 'data.json', 'node_modules/dep/index.js', 'src/set/up.js'];
const told = [...others.map(read), process.env.MODE];
for (const name of fs.readdirSync('src').filter((each) => each.endsWith('.js'))) {
  const text = read(`src/${name}`);
  if (made[name]?.of !== text) made[name] = { of: text, is: [text, ...told].join('|') };
}
fs.mkdirSync('node_modules/.cache/tool', { recursive: true });
fs.writeFileSync(kept, JSON.stringify(made));
fs.mkdirSync('dist', { recursive: true });
for (const [name, one] of Object.entries(made)) fs.writeFileSync(`dist/${name}`, one.is);
"""
FILES = {
    "package.json": '{"workspaces":["apps/*"]}',
    "package-lock.json": '{"packages":{"apps/web":{"name":"@t/web"},"node_modules/@t/web":{"link":true}}}',
    "packages/preset/package.json": '{"name":"preset"}',
    "packages/preset/lib/some.js": "1",
    "packages/ui/package.json": '{"name":"@t/ui"}',
    "packages/ui/lib/some.js": "1",
    f"{HOME}/package.json": '{"name":"@t/web","dependencies":{"@t/ui":"1"},"scripts":{"build":"node tool.mjs"}}',
    f"{HOME}/tsconfig.json": '{"paths":{"@t/ui":["../../packages/ui/lib"]}}',
    f"{HOME}/babel.config.js": "module.exports = { presets: ['preset'] };",
    f"{HOME}/tool.mjs": TOOL,
    f"{HOME}/tool.config.js": "export default require('./src/set/up.js');",
    f"{HOME}/data.json": "{}",
    f"{HOME}/src/a.js": "a",
    f"{HOME}/src/b.js": "b",
    f"{HOME}/src/set/up.js": "up",
    f"{HOME}/node_modules/dep/index.js": "1",
}


@dataclass
class Build:
    """Builds of a workspace, each in a new folder, with one folder of state."""

    folder: Path
    files: dict[str, str] = field(default_factory=lambda: dict(FILES))
    environment: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def run(self, *, state: bool = True) -> Mapping[str, str]:
        """What a build leaves: file -> text, without what it was given."""
        tree = self.folder / "app"
        shutil.rmtree(tree, ignore_errors=True)
        for path, text in self.files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
            os.utime(tree / path, (1e9, 1e9))
        self.said = self.call("restore") if state else ""
        environment = {**os.environ, **self.environment}
        subprocess.run(["node", "tool.mjs"], cwd=tree / HOME, env=environment, check=True)
        self.said += self.call("save") if state else ""
        found = (p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_file())
        return {path: (tree / path).read_text() for path in found if path not in self.files and "/.cache/" not in path}

    def call(self, command: str) -> str:
        """What the program says."""
        (self.folder / "state").mkdir(exist_ok=True)
        places = ("--tree", str(self.folder / "app"), "--home", HOME, "--state", str(self.folder / "state"))
        environment = {**os.environ, **self.environment}
        words = ["node", str(SCRIPT), command, *places, *self.words]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout


@contextmanager
def scratch() -> Iterator[Build]:
    with tempfile.TemporaryDirectory() as folder:
        yield Build(Path(folder))


def test_state_comes_back_where_only_a_source_is_another_and_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    build = Build(tmp_path)
    build.run()
    assert build.said == ""
    assert not (tmp_path / "app" / CACHE).exists()
    build.files |= {f"{HOME}/src/a.js": "other", "packages/ui/lib/some.js": "2"}
    build.run()
    assert build.said == WITH
    # Tools that judge by times see what has changed, whatever time it had.
    times = {name: (tmp_path / "app" / HOME / "src" / name).stat().st_mtime for name in ("a.js", "b.js")}
    assert times["b.js"] == 1e9 < times["a.js"]


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("src/b.js", None, "src/b.js is gone"),
        ("data.json", "[]", "data.json has changed"),
        ("tool.config.js", "1", "tool.config.js has changed, which may say how to build"),
        ("src/set/up.js", "1", "src/set/up.js has changed, which may say how to build"),
        (
            "../../packages/preset/lib/some.js",
            "2",
            "packages/preset/lib/some.js has changed, which may say how to build",
        ),
        ("node_modules/dep/index.js", "2", "its dependencies have changed"),
    ],
)
def test_a_build_says_why_it_begins_afresh(tmp_path: Path, path: str, text: str | None, why: str) -> None:
    build = Build(tmp_path)
    build.run()
    place = posixpath.normpath(f"{HOME}/{path}")
    build.files = {k: v for k, v in build.files.items() if k != place}
    if text is not None:
        build.files[place] = text
    made = build.run()
    named = why if why.startswith(("its ", "packages/")) else f"{HOME}/{why}"
    assert build.said == f"{HOME}: begins without what its last build kept: {named}\n"
    assert made == build.run(state=False)


def test_another_command_or_variable_begins_afresh_and_a_secret_variable_does_not(tmp_path: Path) -> None:
    build = Build(tmp_path, words=("--hidden", "TOKEN"))
    build.run()
    build.environment = {"TOKEN": "something else"}
    build.run()
    assert build.said == WITH
    build.environment = {"MODE": "development"}
    build.run()
    other = f"{HOME}: begins without what its last build kept: its command, arguments or Node have changed\n"
    assert build.said == other
    build.words = (*build.words, "--of", "another")
    build.run()
    assert build.said == other


def test_dependencies_that_came_in_packs_are_those_that_their_list_says(tmp_path: Path) -> None:
    listed = tmp_path / "unpacked"
    listed.write_text("0a1b\n")
    build = Build(tmp_path, words=("--unpacked", str(listed)))
    build.run()
    build.files[f"{HOME}/node_modules/dep/index.js"] = "2"
    build.run()
    assert build.said == WITH
    listed.write_text("2c3d\n")
    build.run()
    assert build.said == f"{HOME}: begins without what its last build kept: its dependencies have changed\n"


def test_state_that_a_secret_is_in_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('registry="hunter-two"\n')
    build = Build(tmp_path, words=("--secrets", str(tmp_path / "secret")))
    build.files[f"{HOME}/src/a.js"] = "const password = 'hunter-two'"
    build.run()
    assert build.said == f"{HOME}: nothing is kept for its next build: a secret is in it\n"
    assert [p.name for p in (tmp_path / "state").iterdir()] == ["now.json"]


def test_a_build_that_failed_leaves_the_state_of_the_one_before(tmp_path: Path) -> None:
    build = Build(tmp_path)
    build.run()
    build.files[f"{HOME}/src/c.js"] = "c"
    build.call("restore")
    build.run()
    assert build.said == WITH


def test_state_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    build = Build(tmp_path)
    build.run()
    (tmp_path / "state" / "kept.json").write_text("{")
    build.run()
    assert build.said == ""
    shutil.rmtree(tmp_path / "state" / "kept")
    build.run()
    assert f"{HOME}: nothing is kept for its next build: " in build.said


def test_state_travels_and_never_replaces_what_is_there(tmp_path: Path) -> None:
    build, folder = Build(tmp_path), str(tmp_path / "given")
    build.run()
    build.words = ("--out", folder)
    build.call("give")
    given = json.loads((tmp_path / "given" / "kept.json").read_text())
    shutil.rmtree(tmp_path / "state")
    build.words = ("--from", folder)
    build.call("take")
    build.words = ()
    build.files[f"{HOME}/src/a.js"] = "other"
    build.run()
    assert build.said == WITH
    build.words = ("--from", folder)
    build.call("take")
    assert json.loads((tmp_path / "state" / "kept.json").read_text()) != given


_NAMES = st.sampled_from(["src/a.js", "src/b.js", "src/c.js", "src/deep/d.js"])
_OTHERS = st.sampled_from(["tool.config.js", "data.json", "src/set/up.js", "node_modules/dep/index.js"])
_EDITS = st.one_of(
    st.tuples(_NAMES, st.text("xyz", min_size=1, max_size=1)),
    st.tuples(_NAMES, st.none()),
    st.tuples(_OTHERS, st.text("xyz", min_size=1, max_size=1)),
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=2, max_size=4))
def test_after_any_edits_a_build_gives_the_same_with_state_and_without(
    steps: list[list[tuple[str, str | None]]],
) -> None:
    with scratch() as build:
        build.run()
        for edits in steps:
            for path, text in edits:
                build.files.pop(f"{HOME}/{path}", None)
                if text is not None:
                    build.files[f"{HOME}/{path}"] = text
            assert build.run() == build.run(state=False)
