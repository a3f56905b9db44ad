"""The program that tells of what a process looks for in vain, in a real node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bake.images.misses import Miss, parse_misses, watching
from bake.render import template_text

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize(
    ("name", "code", "miss"),
    [
        ("a.cjs", "try { require('absent') } catch {}", "module"),
        ("a.mjs", "import fs from 'node:fs'; try { fs.readFileSync('/app/absent') } catch {}", "file"),
        ("b.mjs", "import { existsSync } from 'node:fs'; existsSync('/app/absent');", "file"),
        (
            "c.mjs",
            "import { stat } from 'node:fs/promises'; await stat('/app/absent').catch(() => {});",
            "file",
        ),
        ("d.cjs", "require('node:fs').readdir('/app/absent', () => {});", "file"),
    ],
)
def test_it_tells_of_modules_and_files(tmp_path: Path, name: str, code: str, miss: str) -> None:
    (tmp_path / name).write_text(f"{code}\nconsole.log('done');\n", encoding="utf-8")
    environment = watching({"PATH": os.environ["PATH"]}, template_text("docker/misses.mjs"))
    words = ["node", str(tmp_path / name)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    expected = Miss(path="/app/absent") if miss == "file" else Miss(name="absent", by=str(tmp_path / name))
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert parse_misses(done.stderr) == ((expected,), "")
