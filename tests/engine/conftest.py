"""Workspaces and a base image small enough to build in seconds, and a registry to push to."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bake.registry import INDEX_TYPES, Registry
from bake.registry.oci import MANIFEST_TYPES
from tests.engine.cold import cold_docker

REGISTRY = os.environ.get("BAKE_TEST_REGISTRY", "127.0.0.1:5000")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workspace:
    """A workspace with a git repository and the bake that works in it. project: its unique name."""

    root: Path
    project: str

    def bake(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run bake as a user does, with more environment variables."""
        return subprocess.run(
            [sys.executable, "-m", "bake", *words],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, path: str, text: str) -> None:
        """Write a file of the workspace."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self, message: str = "Change") -> str:
        """Commit everything; gives the revision."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def lock(self) -> None:
        """Write npm's lockfile."""
        words = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(words, cwd=self.root, check=True, capture_output=True)

    def git(self, *words: str) -> str:
        """Output of a git command."""
        who = [w for key in ("AUTHOR", "COMMITTER") for w in (f"GIT_{key}_NAME", f"GIT_{key}_EMAIL")]
        environment = {**os.environ, **dict.fromkeys(who, "test@example.invalid")}
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def project_name() -> Iterator[str]:
    """A project name that no other test has; images of that name are removed afterwards."""
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*{name}*"]
    images = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
    if images:
        subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True, check=False)


@pytest.fixture
def tiny_workspace(tmp_path: Path, project_name: str, tiny_base: str) -> Workspace:
    """Two services and a library without third-party packages, for linux/amd64, on a base image of some bytes."""
    workspace = Workspace(root=tmp_path / "workspace", project=project_name)
    workspace.root.mkdir()
    for path, text in _tiny_files(project_name, tiny_base).items():
        workspace.write(path, text)
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Begin")
    return workspace


@pytest.fixture
def example(tmp_path: Path, project_name: str) -> Workspace:
    """A copy of examples/apphub under a unique project name."""
    workspace = Workspace(root=tmp_path / "workspace", project=project_name)
    ignore = shutil.ignore_patterns("node_modules", ".bake", "dist")
    shutil.copytree(ROOT / "examples" / "apphub", workspace.root, ignore=ignore, symlinks=True)
    text = (workspace.root / "bake.toml").read_text(encoding="utf-8")
    workspace.write("bake.toml", text.replace('name = "apphub"', f'name = "{project_name}"', 1))
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Begin")
    return workspace


def _tiny_files(name: str, base: str) -> Mapping[str, str]:
    root = {"name": "tiny", "version": "1.0.0", "private": True, "workspaces": ["services/*", "libraries/*"]}
    common = {"name": "@tiny/common", "version": "1.0.0", "main": "index.js"}
    services = {
        s: {"name": f"@tiny/{s}", "version": "1.0.0", "main": "index.js", "dependencies": {"@tiny/common": "1.0.0"}}
        for s in ("api", "worker")
    }
    lock = {
        "name": "tiny",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {
            "": root,
            "libraries/common": common,
            "node_modules/@tiny/common": {"resolved": "libraries/common", "link": True},
            **{f"node_modules/@tiny/{s}": {"resolved": f"services/{s}", "link": True} for s in services},
            **{f"services/{s}": manifest for s, manifest in services.items()},
        },
    }
    config = f"""\
[project]
name = "{name}"
registry = "{REGISTRY}/bake-test"
platforms = ["linux/amd64"]
tag = ["{{sha}}", "{{branch}}"]

[base]
runtime = "{base}"

[services.api]
package = "services/api"
port = 3000

[services.worker]
package = "services/worker"
"""
    return {
        "bake.toml": config,
        ".gitignore": "node_modules/\n.bake/\n",
        "package.json": json.dumps(root),
        "package-lock.json": json.dumps(lock),
        "libraries/common/package.json": json.dumps(common),
        "libraries/common/index.js": "exports.greeting = 'hello';\n",
        **{f"services/{s}/package.json": json.dumps(m) for s, m in services.items()},
        **{f"services/{s}/index.js": "console.log(require('@tiny/common').greeting);\n" for s in services},
    }


@pytest.fixture(scope="session")
def tiny_base() -> str:
    """A base image with one small file, for both platforms, in the registry: pushes of images on it take no time."""
    name = "bake-test/tiny-base"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        content = b"tiny\n"
        entry = tarfile.TarInfo("etc/tiny")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(packed.getvalue(), mtime=0)
    difference = f"sha256:{hashlib.sha256(packed.getvalue()).hexdigest()}"
    described = _upload(name, layer) | {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    parts = [_tiny_manifest(name, architecture, described, difference) for architecture in ("amd64", "arm64")]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": parts}).encode()
    return f"{REGISTRY}/{name}@{Registry().put_manifest(f'{REGISTRY}/{name}:1', index, INDEX_TYPES[0])}"


def _tiny_manifest(name: str, architecture: str, layer: Mapping[str, object], difference: str) -> dict[str, object]:
    """Put an image of the one layer into the registry; gives what an index says of it."""
    rootfs = {"type": "layers", "diff_ids": [difference]}
    # Without it, BuildKit makes up a history by the step that it has a layer of, which may be one of another test.
    history = [{"created": "2000-01-01T00:00:00Z", "created_by": "ADD tiny"}]
    told = {"os": "linux", "architecture": architecture, "rootfs": rootfs, "history": history, "config": {}}
    config = json.dumps(told).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPES[0],
        "config": _upload(name, config) | {"mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [layer],
    }
    body = json.dumps(manifest).encode()
    digest = Registry().put_manifest(f"{REGISTRY}/{name}:{architecture}", body, MANIFEST_TYPES[0])
    platform = {"os": "linux", "architecture": architecture}
    return {"mediaType": MANIFEST_TYPES[0], "digest": digest, "size": len(body), "platform": platform}


def _upload(name: str, blob: bytes) -> dict[str, object]:
    """Put a blob into the registry; gives what a manifest says of it."""
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    base = f"http://{REGISTRY}/v2/{name}/blobs/uploads/"
    with urllib.request.urlopen(urllib.request.Request(base, data=b"", method="POST")) as begun:
        place = urllib.parse.urljoin(base, begun.headers["Location"])
    request = urllib.request.Request(
        f"{place}{'&' if '?' in place else '?'}digest={urllib.parse.quote(digest)}",
        data=blob,
        method="PUT",
        headers={"Content-Type": "application/octet-stream"},
    )
    urllib.request.urlopen(request).close()
    return {"digest": digest, "size": len(blob)}


@pytest.fixture
def registry() -> Registry:
    """The machine's registry, asked directly."""
    return Registry()


@pytest.fixture
def forget(registry: Registry) -> Iterator[Callable[[str], None]]:
    """Deletes what tags of a repository stand on, after the test."""
    repositories: list[str] = []
    yield repositories.append
    for repository in repositories:
        for tag in registry.tags(repository):
            registry.delete(f"{repository}:{tag}")


@pytest.fixture
def cold_engine() -> Iterator[Callable[[], "contextlib.AbstractContextManager[str]"]]:
    """Starts empty engines: `with cold_engine() as host:` gives a DOCKER_HOST."""
    folders: list[Path] = []

    def start() -> "contextlib.AbstractContextManager[str]":
        # A unix socket's path is short, pytest's folders are not.
        folders.append(Path(tempfile.mkdtemp(prefix="bakecold-")))
        return cold_docker(folders[-1], registry=REGISTRY)

    yield start
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
