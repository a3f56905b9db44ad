"""How cosign is called: to sign every digest of a push and its manifest, and to verify them. Pure.

Source: docs.sigstore.dev, "Signing Containers", "Verifying Signatures"; docs.github.com, "OpenID Connect";
docs.gitlab.com, "Use Sigstore for keyless signing".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bake.errors import UsageError
from bake.publish.release import Release

_HOSTS = ("ACTIONS_ID_TOKEN_REQUEST_URL", "SIGSTORE_ID_TOKEN")
"""Variables by which cosign gets an identity: of a GitHub job that may have one, of a GitLab job that names one."""


def sign_calls(release: Release, file: Path, key: str, environment: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The calls that sign a push. key: "" for the identity of the CI job. Raises UsageError where there is none."""
    if not key and not any(environment.get(name) for name in _HOSTS):
        remedy = "use --key, give the GitHub job `id-token: write`, or the GitLab job id_tokens.SIGSTORE_ID_TOKEN"
        raise UsageError("bake sign", "there is neither a key nor an identity of a CI job", remedy)
    by = ("--yes", *(("--key", key) if key else ()))
    return (
        ("cosign", "sign", *by, "--recursive", *_references(release)),
        ("cosign", "sign-blob", *by, "--bundle", str(bundle_of(file)), str(file)),
    )


def verify_calls(release: Release, file: Path, *, key: str, identity: str, issuer: str) -> tuple[tuple[str, ...], ...]:
    """The calls that verify a push's signatures. Raises UsageError where it is not said whose they are to be."""
    if not key and not (identity and issuer):
        remedy = "name a key with --key, or the identity (a regular expression) and --issuer of the job that signed"
        raise UsageError("--signed", "says not by whom", remedy)
    by = ("--key", key) if key else ("--certificate-identity-regexp", identity, "--certificate-oidc-issuer", issuer)
    return (
        ("cosign", "verify", *by, *_references(release)),
        ("cosign", "verify-blob", *by, "--bundle", str(bundle_of(file)), str(file)),
    )


def bundle_of(file: Path) -> Path:
    """The signature of a manifest, beside it."""
    return file.with_name(f"{file.name}.sigstore.json")


def _references(release: Release) -> Sequence[str]:
    return [image.reference for image in release.everywhere]
