"""Secrets are there while steps run, and nowhere afterwards: not in layers, configs, caches, logs or .bake/."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bake.registry import Registry
from tests.engine.conftest import REGISTRY, Workspace

pytestmark = pytest.mark.engine

TOKEN = "npm_Zq7secretOfTheTestsNpmrc0001"
ENVIRONMENT = "Zq7secretOfTheTestsEnvironment02"
CERTIFICATE = "Zq7secretOfTheTestsCertificate03"
SECRETS = (TOKEN, ENVIRONMENT, CERTIFICATE)

CONFIG = """
[secrets.npmrc]
file = "../outside/npmrc"

[secrets.deploy]
env = "DEPLOY_TOKEN"
variable = "DEPLOY_TOKEN"

[secrets.ca]
file = "../outside/ca.pem"
"""

# Says what a build step sees without saying it.
BUILD = """
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const has = (file, text) => existsSync(file) && readFileSync(file, 'utf8').includes(text);
const part = 'Zq7secret';
mkdirSync('dist', { recursive: true });
writeFileSync('dist/seen.json', JSON.stringify({
  npmrc: has('/root/.npmrc', part),
  variable: (process.env.DEPLOY_TOKEN ?? '').startsWith(part),
  ca: has(process.env.NODE_EXTRA_CA_CERTS ?? '', part),
}));
"""


def blobs(registry: Registry, reference: str) -> Iterator[tuple[str, bytes]]:
    """Everything a registry has of an image, layers unpacked; by a name to find it again."""
    manifest = registry.manifest(reference)
    yield reference, manifest.body
    for part in manifest.content.get("manifests", ()):
        yield from blobs(registry, f"{reference.partition('@')[0].rpartition(':')[0]}@{part['digest']}")
    for blob in (manifest.content["config"], *manifest.content["layers"]) if "config" in manifest.content else ():
        yield blob["digest"], unpacked(registry.blob(reference, blob["digest"]))


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        yield str(file), unpacked(file.read_bytes())


def leaks(found: Iterator[tuple[str, bytes]]) -> list[tuple[str, str]]:
    return [(name, secret) for name, data in found for secret in SECRETS if secret.encode() in data]


def layer_files(layers: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    """Path -> content of every file in the layers."""
    contents: dict[str, bytes] = {}
    for _, data in layers:
        if data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    read = tar.extractfile(member) if member.isfile() else None
                    contents[member.name.lstrip("/")] = read.read() if read else b""
    return contents


@pytest.fixture
def workspace(tiny_workspace: Workspace, forget: Callable[[str], None]) -> Workspace:
    """The tiny workspace, whose API builds with secrets that lie outside of it."""
    root = tiny_workspace.root
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "npmrc").write_text(f"//npm.example.invalid/:_authToken={TOKEN}\n", "utf-8")
    (outside / "ca.pem").write_text(f"# {CERTIFICATE}\n", "utf-8")
    tiny_workspace.write("bake.toml", (root / "bake.toml").read_text("utf-8") + CONFIG)
    manifest: dict[str, Any] = json.loads((root / "services/api/package.json").read_text("utf-8"))
    tiny_workspace.write("services/api/package.json", json.dumps(manifest | {"scripts": {"build": "node build.js"}}))
    tiny_workspace.write("services/api/build.js", BUILD)
    tiny_workspace.commit("Build with secrets")
    forget(f"{REGISTRY}/bake-test/{tiny_workspace.project}-api")
    return tiny_workspace


def test_secrets_reach_every_step_and_stay_nowhere(workspace: Workspace, registry: Registry, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    export = f"api.cache-to=type=local,mode=max,dest={cache}"
    words = ["--verbose", "build", "api", "--push", "--no-cache", "--set", export, "--format", "json"]
    done = workspace.bake(*words, DEPLOY_TOKEN=ENVIRONMENT, BAKE_ALLOW="npmrc,ca")
    assert done.returncode == 0, done.stderr

    reference = f"{REGISTRY}/bake-test/{workspace.project}-api:main"
    image = list(blobs(registry, reference))
    contents = layer_files(iter(image))
    assert json.loads(contents["app/services/api/dist/seen.json"]) == {"npmrc": True, "variable": True, "ca": True}
    assert [name for name in contents if name.startswith(("root/.npmrc", "run/secrets"))] == []

    exported = list(files(cache))
    assert any(b"Zq7secret" in data for _, data in exported), "the cache has the build's own source"
    assert leaks(iter(image)) == []
    assert leaks(iter(exported)) == []
    assert leaks(files(workspace.root / ".bake")) == []
    assert leaks(iter([("stdout", done.stdout.encode()), ("stderr", done.stderr.encode())])) == []
    assert leaks(iter([("bake print", workspace.bake("print", DEPLOY_TOKEN=ENVIRONMENT).stdout.encode())])) == []


def test_a_secret_that_is_not_there_stops_the_build_before_it_starts(workspace: Workspace) -> None:
    (workspace.root.parent / "outside/ca.pem").unlink()
    done = workspace.bake("build", "api")
    assert done.returncode == 3
    assert done.stderr == (
        "bake: error: bake.toml: secrets.deploy: $DEPLOY_TOKEN is not set; provide it or set required = false\n"
        "bake: error: bake.toml: secrets.ca: ../outside/ca.pem does not exist; provide it or set required = false\n"
    )
