"""One workspace for every package manager: two services, two libraries, dependencies of every kind.

The lockfiles in fixtures/shelf were written by pnpm 10, yarn 4 and yarn 1 for exactly these manifests; run this
file with a folder and a manager's name to get the workspace, install there, and copy the lockfile back.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures" / "shelf"
LOCKFILES = {"pnpm": "pnpm-lock.yaml", "berry": "yarn.lock", "classic": "yarn.lock"}
VERSIONS = {"pnpm": "pnpm@10.15.1", "berry": "yarn@4.9.1", "classic": "yarn@1.22.22"}

_BUILD = "node -e \"require('node:fs').cpSync('src', 'dist', { recursive: true })\""


def manifests(manager: str) -> Mapping[str, Mapping[str, Any]]:
    """Package path -> package.json, in the manager's own words."""
    local = {"pnpm": "workspace:*", "berry": "workspace:^", "classic": "1.0.0"}[manager]
    ms = "catalog:" if manager == "pnpm" else "^2.1.3"
    root: dict[str, Any] = {
        "name": "shelf",
        "private": True,
        "packageManager": VERSIONS[manager],
        # For development only, though a service has an optional peer of this name.
        "devDependencies": {"picocolors": "1.1.1"},
        "resolutions": {"through": "2.3.7"},
    }
    if manager != "pnpm":
        root["workspaces"] = ["packages/*", "services/*"]
    common = {"version": "1.0.0", "private": True, "scripts": {"build": _BUILD}}
    return {
        "": root,
        "packages/lib": {"name": "@shelf/lib", **common, "main": "dist/index.js", "dependencies": {"ms": ms}},
        "packages/tool": {"name": "@shelf/tool", **common, "main": "dist/index.js"},
        "services/api": {
            "name": "@shelf/api",
            **common,
            "main": "dist/main.js",
            "dependencies": {
                "@node-rs/crc32": "1.10.6",
                "@shelf/lib": local,
                "ajv": "8.17.1",
                "ajv-errors": "3.0.0",
                "debug": "4.4.0",
                "old-ms": "npm:ms@2.0.0",
            },
            "devDependencies": {"@shelf/tool": local},
        },
        "services/worker": {
            "name": "@shelf/worker",
            **common,
            "main": "dist/main.js",
            "dependencies": {"@shelf/lib": local, "JSONStream": "1.3.5", "debug": "4.4.0", "ms": "2.0.0"},
            "devDependencies": {"supports-color": "7.2.0"},
        },
    }


_SOURCES = {
    "packages/lib/src/index.js": "exports.day = require('ms')('1d');\n",
    "packages/tool/src/index.js": "",
    "services/api/src/main.js": """\
const ajv = new (require('ajv'))({ allErrors: true });
require('ajv-errors')(ajv);
require('debug')('api');
const { day } = require('@shelf/lib');
const { crc32 } = require('@node-rs/crc32');
console.log(JSON.stringify({ day, crc: crc32('shelf'), old: require('old-ms/package.json').version }));
""",
    "services/worker/src/main.js": """\
require('JSONStream');
require('debug')('worker');
console.log(JSON.stringify({ day: require('@shelf/lib').day, ms: require('ms/package.json').version }));
""",
}

_SETTINGS = {
    "pnpm": {
        "pnpm-workspace.yaml": 'packages: ["packages/*", "services/*"]\ncatalog:\n  ms: ^2.1.3\n'
        "overrides:\n  through: 2.3.7\n"
    },
    "berry": {".yarnrc.yml": "nodeLinker: node-modules\n"},
    "classic": {},
}


def write_shelf(root: Path, manager: str, *, lock: bool = True) -> None:
    """Write the workspace; manager is "pnpm", "berry" or "classic"."""
    files = {f"{path}/package.json".lstrip("/"): json.dumps(m, indent=2) for path, m in manifests(manager).items()}
    for name, text in (files | _SOURCES | _SETTINGS[manager]).items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if lock:
        text = (FIXTURES / f"{manager}.lock").read_text(encoding="utf-8")
        (root / LOCKFILES[manager]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_shelf(Path(sys.argv[1]), sys.argv[2], lock=False)
