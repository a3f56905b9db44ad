"""A workspace whose root is a service itself, beside a library and a service that lie in folders of their own.

Without third-party packages, so that it can be installed without a registry.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.plant import plant

BUILD = "node -e \"require('node:fs').cpSync('src', 'dist', { recursive: true })\""

CONFIG = """\
[project]
name = "{name}"
platforms = ["linux/amd64"]

[services.shop]
package = "."

[services.worker]
package = "packages/worker"
"""

_ROOT: Mapping[str, Any] = {
    "name": "@shop/root",
    "version": "1.0.0",
    "workspaces": ["packages/*"],
    "scripts": {"build": BUILD, "start": "node dist/main.js"},
    "dependencies": {"@shop/lib": "1.0.0"},
    "devDependencies": {"@shop/tool": "1.0.0"},
}
_MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "packages/lib": {"name": "@shop/lib", "version": "1.0.0", "main": "dist/index.js", "scripts": {"build": BUILD}},
    "packages/tool": {"name": "@shop/tool", "version": "1.0.0", "main": "index.js"},
    "packages/unused": {"name": "@shop/unused", "version": "1.0.0", "main": "index.js"},
    "packages/worker": {
        "name": "@shop/worker",
        "version": "1.0.0",
        "main": "index.js",
        "dependencies": {"@shop/lib": "1.0.0"},
    },
}
_SOURCES = {
    ".github/workflows/ci.yml": "on: push\n",
    ".gitignore": "node_modules\ndist\n.bake\n",
    "assets/logo.svg": "<svg/>\n",
    "packages/README.md": "# Packages\n",
    "packages/lib/src/index.js": "exports.greeting = 'hello';\n",
    "packages/tool/index.js": "",
    "packages/unused/index.js": "",
    "packages/worker/index.js": "console.log(require('@shop/lib').greeting, 'worker');\n",
    "src/main.js": "console.log(require('@shop/lib').greeting, 'root');\n",
    "tsconfig.json": "{}\n",
}


def write_root_app(root: Path, *, name: str = "shop", members: bool = True) -> None:
    """Write it; without members, the root alone."""
    alone = {key: value for key, value in _ROOT.items() if key in ("name", "version", "scripts")}
    manifests = {"": _ROOT, **_MEMBERS} if members else {"": alone}
    sources = {p: t for p, t in _SOURCES.items() if members or not p.startswith("packages/")}
    config = CONFIG if members else CONFIG.partition("\n[services.worker]")[0]
    files = {f"{path}/package.json".lstrip("/"): json.dumps(m, indent=2) for path, m in manifests.items()}
    files |= sources | {"bake.toml": config.format(name=name), "package-lock.json": json.dumps(_lock(manifests))}
    if not members:
        files["src/main.js"] = "console.log('hello root');\n"
    plant(root, files)


def _lock(manifests: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in manifests.items() if path}
    locked = {path: {k: v for k, v in m.items() if k != "scripts"} for path, m in manifests.items()}
    return {"name": "@shop/root", "version": "1.0.0", "lockfileVersion": 3, "packages": {**locked, **links}}
