"""Failed steps in the words of the workspace."""

import pytest

from bake.build.failures import explained
from bake.build.run import pause_of, persist
from bake.console import Console
from bake.engine import Built, Progress, Step
from bake.errors import BuildError
from bake.plan import Plan
from bake.project import Project

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
    example_project: Project, example_plan: Plan, said: str, advice: str
) -> None:
    step = Step(digest="", name="", stage="dependencies", what=INSTALL, error="exit code: 1", log=[f"{said}\n"])
    lines, error = explained(example_project, example_plan, step)
    assert lines == (f"    {said}",)
    assert str(error) == f"dependencies: `npm ci --omit=dev --cpu=$cpu` failed with exit code 1; {advice}"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("npm error nospc ENOSPC: no space left on device, write", "exit code: 228"),
        ("Error: ENOSPC: no space left on device, open '/app/dist/a.js'", "exit code: 1"),
        ("done", "failed to copy files: write /app/a: no space left on device"),
    ],
)
@pytest.mark.parametrize("stage", ["install", "build-services-catalog"])
def test_a_full_disk_is_named_whatever_step_meets_it(
    example_project: Project, example_plan: Plan, stage: str, said: str, error: str
) -> None:
    step = Step(digest="", name="", stage=stage, what="RUN x", error=error, log=[f"{said}\n"])
    advice = "; the engine's disk is full: `bake disk` says what takes it, `bake prune` makes room"
    assert str(explained(example_project, example_plan, step)[1]).endswith(advice)


@pytest.mark.parametrize(
    ("stage", "said", "code", "advice"),
    [
        (
            "build-services-catalog",
            "Killed",
            137,
            "give the engine more memory, or build fewer packages at once: concurrency = 1 in [workspace]",
        ),
        ("install", "Killed", 137, "give the engine more memory"),
        (
            "build-services-catalog",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            134,
            'let Node take more: NODE_OPTIONS = "--max-old-space-size=4096" (megabytes) in [workspace.environment]',
        ),
    ],
)
def test_memory_that_ran_out_is_told_with_whose_it_was(
    example_project: Project, example_plan: Plan, stage: str, said: str, code: int, advice: str
) -> None:
    step = Step(digest="", name="", stage=stage, what="RUN x", error=f"x: exit code: {code}", log=[f"{said}\n"])
    assert str(explained(example_project, example_plan, step)[1]).endswith(f"failed with exit code {code}; {advice}")


def test_a_limit_of_watchers_is_no_full_disk(example_project: Project, example_plan: Plan) -> None:
    said = "Error: ENOSPC: no space left on device, watch '/app/src'"
    step = Step(digest="", name="", stage="build-services-catalog", what="RUN x", error="exit code: 1", log=[said])
    assert "disk" not in str(explained(example_project, example_plan, step)[1])


def test_each_mistake_that_carving_finds_is_an_error_of_its_own(example_project: Project, example_plan: Plan) -> None:
    log = ["carve: services/api: one; correct it\ncarve: serv", "ices/api: two; correct it\n"]
    step = Step(digest="", name="", stage="out-services-api", what="RUN node", error="exit code: 1", log=log)
    lines, error = explained(example_project, example_plan, step)
    assert lines == ("bake: error: services/api: one; correct it",)
    assert str(error) == "services/api: two; correct it"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "failed to prepare: parent snapshot sha256:ab does not exist: not found",
            "the engine lost a snapshot while it stored an image (moby/buildkit#6521): trying again\n",
        ),
        (
            "target a: failed to receive status: rpc error: code = NotFound desc = no such job ms3hjyq62xtu",
            "the engine lost sight of one of many images (docker/buildx#3810): trying again\n",
        ),
        (
            "target a: NotFound: forwarding Ping: no such job q4aqi466s2jyqne9jghthmfwu",
            "the engine lost sight of one of many images (docker/buildx#3810): trying again\n",
        ),
    ],
)
def test_a_build_that_fails_by_what_the_engine_lost_is_tried_again_and_others_are_not(
    capsys: pytest.CaptureFixture[str], what: str, said: str
) -> None:
    console, built = Console(environment={}), Built(metadata={}, progress=Progress())
    lost = BuildError("docker buildx bake", what)
    answers: list[BuildError | Built] = [lost, lost, built]

    def run() -> Built:
        answer = answers.pop(0)
        if isinstance(answer, BuildError):
            raise answer
        return answer

    def tried() -> Built:
        return persist(run, lambda error: pause_of(error, console, None), wait=lambda _: None)

    assert tried() is built
    assert capsys.readouterr().err == said * 2
    for failures in ([lost, lost, lost], [BuildError("x", "exit code: 1")]):
        answers[:] = failures
        with pytest.raises(BuildError):
            tried()
        assert answers == []
