"""Secrets planted in a workspace: none is in what bake writes, prints or sends to builds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bake.workspace import parse_dockerignore
from tests.hostile import made

ROOT = Path(__file__).parents[3]
PLANTED = "Zq7secret"

NPMRC = f"""\
registry=https://registry.npmjs.org/
//registry.npmjs.org/:_authToken={PLANTED}1
; //registry.npmjs.org/:_authToken={PLANTED}2
# _authToken={PLANTED}3
"//registry.npmjs.org/:_auth" = "{PLANTED}4"
'_password'={PLANTED}5
otp={PLANTED}6
_authToken = {PLANTED}7
https-proxy=http://u:{PLANTED}8@proxy:3128
COMPANY_TOKEN={PLANTED}9
strict-ssl=true ; {PLANTED}10
"""
YARNRC = f"""\
nodeLinker: node-modules # {PLANTED}11
# npmAuthToken: {PLANTED}12
npmAuthToken: "{PLANTED}13"
npmScopes:
  acme:
    npmAuthIdent: {PLANTED}14
    npmRegistryServer: "https://u:{PLANTED}15@npm.acme.example"
"""


@pytest.fixture(params=[0, 1, 2, 3], ids=["npm", "pnpm", "berry", "classic"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A workspace of each manager, as git has it, with secrets beside what it tracks."""
    folder = tmp_path / "w"
    seed = next(s for s in range(request.param, 4_000, 4) if made(s, tmp_path / str(s)).startswith("odd_names: 'lib'"))
    shutil.copytree(tmp_path / str(seed) / "w", folder, symlinks=True)
    (folder / "link").unlink()
    (folder / ".npmrc").write_text(NPMRC)
    if request.param == 2:
        (folder / ".yarnrc.yml").write_text(YARNRC)
    (folder / ".gitignore").write_text("node_modules\ndist\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    for name in ("packages/api/.env.production", "kubeconfig", "prod.tfvars", ".envrc", "packages/lib/id_rsa"):
        (folder / name).write_text(PLANTED)
    return folder


def run(root: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bake", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_planted_secret_is_written_or_printed(root: Path) -> None:
    for words in (("all", "--dry-run"), ("print",), ("check",), ("list", "--format", "json")):
        done = run(root, *words)
        assert done.returncode == 0, done.stderr
        assert PLANTED not in done.stdout + done.stderr
    written = {p: p.read_bytes() for p in (root / ".bake").rglob("*") if p.is_file()}
    assert len(written) > 5
    assert [p for p, data in written.items() if PLANTED.encode() in data] == []


def test_no_untracked_secret_is_sent_to_builds(root: Path) -> None:
    assert run(root, "all", "--dry-run").returncode == 0
    left_out = parse_dockerignore((root / ".bake/Dockerfile.dockerignore").read_text())
    names = ("packages/api/.env.production", ".envrc", "packages/lib/id_rsa", ".npmrc")
    assert [name for name in names if not left_out(name)] == []


def test_a_registry_with_a_password_is_refused_and_not_repeated(root: Path) -> None:
    done = run(root, "print", BAKE_REGISTRY=f"https://user:{PLANTED}@host/x")
    assert done.returncode == 2
    assert done.stderr == (
        "bake: error: BAKE_REGISTRY: is not a registry host with an optional path, e.g. ghcr.io/acme; "
        "log in with `docker login`\n"
    )
