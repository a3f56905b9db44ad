"""A small workspace in a git repository of its own, without third-party downloads: two services and two libraries.

`api` needs packages/lib and the package `left`; `web` needs `right`; both are compiled by the root's `tsc-like`,
`web` also by its own `bundler`. packages/types is needed by the build of `api` only.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bake.console import Console
from bake.inputs import Reason, since_revision
from bake.plan import Request, make_plan
from bake.session import Session

CONFIG = """\
[project]
name = "shop"
platforms = ["linux/amd64"]

[services.api]
package = "services/api"
command = "node dist/server.js"

[services.web]
package = "services/web"
static = "dist"

[packages."services/web".args]
SITE = { env = "SITE", default = "local" }
"""

MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "packages/lib": {"name": "@shop/lib", "version": "1.0.0", "main": "dist/index.js", "scripts": {"build": "tsc"}},
    "packages/types": {"name": "@shop/types", "version": "1.0.0", "scripts": {"build": "tsc"}},
    "services/api": {
        "name": "@shop/api",
        "version": "1.0.0",
        "scripts": {"build": "tsc"},
        "dependencies": {"@shop/lib": "1.0.0", "left": "^1.0.0"},
        "devDependencies": {"@shop/types": "1.0.0"},
    },
    "services/web": {
        "name": "@shop/web",
        "version": "1.0.0",
        "scripts": {"build": "bundle"},
        "dependencies": {"right": "^1.0.0"},
        "devDependencies": {"bundler": "^1.0.0"},
    },
}


class GitWorkspace:
    """The workspace below `root`, changed and asked about by tests."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *words: str) -> str:
        """Run git as somebody; gives its output."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")
        done = subprocess.run(["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self) -> str:
        """Commit everything; gives the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a commit")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text that is there."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        self.write(path, text.replace(old, new))

    def lock(self, versions: Mapping[str, str] | None = None) -> None:
        """Write the lockfile with these versions of third-party packages instead of 1.0.0."""
        self.write("package-lock.json", json.dumps(lockfile(versions or {}), indent=2))

    def reasons(self, since: str = "HEAD", environment: Mapping[str, str] | None = None) -> Mapping[str, list[str]]:
        """Affected image -> its reasons as `kind what (via)`."""
        session = Session(console=Console(environment=environment or {}), directory=self.root)
        targets = ("all", *(["monolith"] if session.project.config.monolith else []))
        request = Request(targets=targets, environment=environment or {}, revision=session.head.revision)
        found = since_revision(session.project, make_plan(session.project, request), session.tree, since)
        return {target: [words(r) for r in reasons] for target, reasons in found.items() if reasons}


def words(reason: Reason) -> str:
    """A reason as text."""
    return f"{reason.kind} {reason.what}" + (f" ({' > '.join(reason.via)})" if len(reason.via) > 1 else "")


def lockfile(versions: Mapping[str, str]) -> Mapping[str, Any]:
    """The lockfile: deep is a dependency of left and of bundler."""

    def entry(name: str, **more: Any) -> Mapping[str, Any]:
        version = versions.get(name, "1.0.0")
        return {"version": version, "integrity": f"sha512-{name}-{version}", **more}

    third_party = {
        "left": entry("left", dependencies={"deep": "^1.0.0"}),
        "right": entry("right"),
        "deep": entry("deep"),
        "bundler": entry("bundler", dev=True, dependencies={"deep": "^1.0.0"}),
        "tsc-like": entry("tsc-like", dev=True),
    }
    links = {f"node_modules/{m['name']}": {"resolved": path, "link": True} for path, m in MEMBERS.items()}
    root = {"name": "shop", "workspaces": ["packages/*", "services/*"], "devDependencies": {"tsc-like": "^1.0.0"}}
    return {
        "name": "shop",
        "lockfileVersion": 3,
        "packages": {"": root, **MEMBERS, **links, **{f"node_modules/{n}": e for n, e in third_party.items()}},
    }


def make_git_workspace(root: Path) -> GitWorkspace:
    """Write the workspace and commit it on `main`."""
    workspace = GitWorkspace(root)
    root.mkdir(parents=True, exist_ok=True)
    workspace.git("init", "-q", "-b", "main")
    manifest = {"name": "shop", "private": True, "workspaces": ["packages/*", "services/*"]}
    workspace.write("package.json", json.dumps({**manifest, "devDependencies": {"tsc-like": "^1.0.0"}}, indent=2))
    for path, member in MEMBERS.items():
        workspace.write(f"{path}/package.json", json.dumps(member, indent=2))
        taken = "import type {} from '@shop/types';\n" if path == "services/api" else "export {};\n"
        workspace.write(f"{path}/src/index.ts", taken)
        workspace.write(f"{path}/tsconfig.json", '{"extends": "../../tsconfig.base.json"}')
    workspace.lock()
    workspace.write("bake.toml", CONFIG)
    workspace.write("tsconfig.base.json", "{}")
    workspace.write("README.md", "# Shop\n")
    workspace.write("services/api/README.md", "# API\n")
    workspace.write(".gitignore", "dist\nnode_modules\n.bake\n")
    workspace.commit()
    return workspace
