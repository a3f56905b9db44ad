"""Failed steps in the words of the workspace."""

from pathlib import Path

import pytest

from bake.context import Context
from bake.plan import Plan
from bake.progress import Step
from bake.steps import explained

INSTALL = (
    "RUN --mount=type=cache,id=bake-npm,target=/root/.npm     "
    'case "$TARGETARCH" in amd64) cpu=x64 ;; *) cpu="$TARGETARCH" ;; esac;     npm ci --omit=dev --cpu=$cpu'
)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "npm error code EINTEGRITY",
            "the registry's bytes are not those of the lockfile: find out which are right",
        ),
        (
            "npm error code E401",
            "the npm registry wants a login: give an .npmrc with it as [secrets.npmrc] in bake.toml",
        ),
        (
            "npm error code SELF_SIGNED_CERT_IN_CHAIN",
            "the build does not trust the certificate: give its CA as [secrets.ca] in bake.toml",
        ),
        (
            "npm error network request to https://x/ms.tgz failed, reason: getaddrinfo ENOTFOUND x",
            "the build does not reach the host (x): see .npmrc, and the engine's network and proxy settings",
        ),
        ("npm error code EBADENGINE", "its output is above"),
    ],
)
def test_a_failed_install_is_named_by_its_command_with_what_to_do(
    example_plan: Plan, capsys: pytest.CaptureFixture[str], said: str, advice: str
) -> None:
    step = Step(digest="", name="", stage="dependencies", what=INSTALL, error="exit code: 1", log=[f"{said}\n"])
    error = explained(Context(environment={}, directory=Path()), example_plan, step)
    assert capsys.readouterr().err == f"    {said}\n"
    assert str(error) == f"dependencies: `npm ci --omit=dev --cpu=$cpu` failed with exit code 1; {advice}"


def test_each_mistake_that_carving_finds_is_an_error_of_its_own(
    example_plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    log = ["carve: services/api: one; correct it\ncarve: serv", "ices/api: two; correct it\n"]
    step = Step(digest="", name="", stage="out-services-api", what="RUN node", error="exit code: 1", log=log)
    error = explained(Context(environment={}, directory=Path()), example_plan, step)
    assert capsys.readouterr().err == "bake: error: services/api: one; correct it\n"
    assert str(error) == "services/api: two; correct it"
