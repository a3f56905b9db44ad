"""A small npm workspace on disk: two services with a build each, and packages that only one of them declares."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.plant import plant

_BUILD = {"build": "node build.js"}
MANIFESTS: Mapping[str, Mapping[str, Any]] = {
    "": {"name": "shop", "private": True, "workspaces": ["services/*"], "devDependencies": {"typescript": "5.0.0"}},
    "services/api": {"name": "@shop/api", "version": "1.0.0", "scripts": _BUILD, "dependencies": {"express": "4.0.0"}},
    "services/web": {"name": "@shop/web", "version": "1.0.0", "scripts": _BUILD, "dependencies": {"ms": "2.1.2"}},
}
ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "node_modules/@shop/api": {"resolved": "services/api", "link": True},
    "node_modules/@shop/web": {"resolved": "services/web", "link": True},
    "node_modules/@types/express": {"version": "4.0.0"},
    "node_modules/express": {"version": "4.0.0"},
    "node_modules/mkdirp": {"version": "1.0.0", "bin": {"mkdirp": "cmd.js"}},
    "node_modules/ms": {"version": "2.1.2"},
    "node_modules/typescript": {"version": "5.0.0", "dev": True, "bin": {"tsc": "tsc.js"}},
}
CONFIG = """\
[project]
name = "shop"

[services.api]
package = "services/api"
command = "node main.js"

[services.web]
package = "services/web"
command = "node main.js"
"""


def write_workspace(root: Path, *, config: str = CONFIG, files: Mapping[str, str] | None = None) -> Path:
    """Write it; gives its bake.toml. files: more of them, by path."""
    lock = {"name": "shop", "lockfileVersion": 3, "packages": {**MANIFESTS, **ENTRIES}}
    texts = {f"{path}/package.json".lstrip("/"): json.dumps(manifest) for path, manifest in MANIFESTS.items()}
    texts |= {"package-lock.json": json.dumps(lock), "bake.toml": config, **(files or {})}
    plant(root, texts)
    return root / "bake.toml"
