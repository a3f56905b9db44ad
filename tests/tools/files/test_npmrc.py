import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bake.files import parse_npmrc

NPMRC = r"""
; a comment
# another
registry = https://one.example/ ; behind the value
quoted = "with ; and # inside"
single = 'it is'
escaped = a\;b
flag
number = 5
ca[] = first
ca[] = second
set = ${SET}/x
unset = ${UNSET}/x
maybe = ${UNSET?}/x
kept = \${SET}
//host/:_authToken = ${SET}
[section]
registry = https://in-a-section.example/
"""


def test_an_npmrc_is_read_as_npm_reads_it() -> None:
    ini = Path(shutil.which("npm") or pytest.skip("npm is not installed")).resolve().parent.parent
    script = """
        const [modules, text] = process.argv.slice(1), {createRequire} = require('module')
        const here = createRequire(modules + '/package.json')
        const read = here('ini').parse(text), replace = here('@npmcli/config/lib/env-replace.js')
        const values = {}
        for (const [key, value] of Object.entries(read)) {
          if (typeof value !== 'object' || Array.isArray(value))
            values[replace(key, process.env)] = [value].flat().map(v => replace(String(v), process.env))
        }
        console.log(JSON.stringify(values))"""
    node = shutil.which("node") or "node"
    env = {"SET": "from-env"}
    asked = subprocess.run([node, "-e", script, str(ini), NPMRC], env=env, capture_output=True, text=True, check=True)
    ours = {key: list(values) for key, values in parse_npmrc(NPMRC, env).items()}
    assert ours == json.loads(asked.stdout)
