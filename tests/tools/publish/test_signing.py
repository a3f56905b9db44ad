"""`bake sign` and `bake verify --signed`: what cosign is called with, by a stand-in on PATH that records it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bake.publish import Release, write_release
from bake.publish.release import ReleasedImage
from tests.conftest import ROOT

DIGEST = "sha256:" + "a" * 64
COSIGN = """\
#!{python}
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit({status})
"""


class Signing:
    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls"
        images = [
            ReleasedImage(image=i, repository=f"{h}/shop-{i}", digest=DIGEST, platforms=(), bytes=1, tags=("main",))
            for h in ("ghcr.io/acme", "eu.example/acme")
            for i in ("api", "web")
        ]
        write_release(
            folder / "release.json", Release(project="shop", images=tuple(images[:2]), mirrors=tuple(images[2:]))
        )
        self.references = [i.reference for i in images]

    def cosign(self, status: int = 0) -> None:
        file = self.folder / "bin" / "cosign"
        file.parent.mkdir(exist_ok=True)
        file.write_text(COSIGN.format(python=sys.executable, log=str(self.log), status=status))
        file.chmod(0o755)

    def run(self, *words: str, **environment: str) -> tuple[int, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACTIONS_", "SIGSTORE_"))}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [sys.executable, "-m", "bake", *words],
            cwd=self.folder,
            env={**kept, "PATH": path, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr.strip().rpartition("\n")[2]

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    return Signing(tmp_path)


def test_every_digest_in_every_registry_and_the_manifest_are_signed(signing: Signing) -> None:
    signing.cosign()
    said = "4 images signed; release.json.sigstore.json signs the manifest"
    assert signing.run("sign", "release.json", "--key", "env://KEY") == (0, said)
    assert signing.run("sign", "release.json", ACTIONS_ID_TOKEN_REQUEST_URL="https://x") == (0, said)
    blob = ["--bundle", "release.json.sigstore.json", "release.json"]
    assert signing.calls() == [
        ["sign", "--yes", "--key", "env://KEY", "--recursive", *signing.references],
        ["sign-blob", "--yes", "--key", "env://KEY", *blob],
        ["sign", "--yes", "--recursive", *signing.references],
        ["sign-blob", "--yes", *blob],
    ]


def test_signatures_are_verified_by_a_key_or_by_an_identity_and_its_issuer(signing: Signing) -> None:
    signing.cosign()
    said = "4 images and their manifest are signed"
    assert signing.run("verify", "--signed", "release.json", "--key", "k.pub") == (0, said)
    identity = ("--identity", "^https://github.com/acme/", "--issuer", "https://token.actions.githubusercontent.com")
    assert signing.run("verify", "--signed", "release.json", *identity)[0] == 0
    by = ["--certificate-identity-regexp", identity[1], "--certificate-oidc-issuer", identity[3]]
    blob = ["--bundle", "release.json.sigstore.json", "release.json"]
    assert signing.calls() == [
        ["verify", "--key", "k.pub", *signing.references],
        ["verify-blob", "--key", "k.pub", *blob],
        ["verify", *by, *signing.references],
        ["verify-blob", *by, *blob],
    ]


def test_what_is_missing_or_fails_is_said_in_one_line(signing: Signing) -> None:
    remedy = "use --key, give the GitHub job `id-token: write`, or the GitLab job id_tokens.SIGSTORE_ID_TOKEN"
    assert signing.run("sign", "release.json") == (
        2,
        f"bake: error: bake sign: there is neither a key nor an identity of a CI job; {remedy}",
    )
    assert signing.run("verify", "--signed", "release.json")[1].startswith("bake: error: --signed: says not by whom; ")
    signing.cosign(status=3)
    status, said = signing.run("sign", "release.json", "--key", "k")
    assert (status, said) == (1, "bake: error: cosign sign: failed with exit code 3; its words are above")
