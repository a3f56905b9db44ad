"""Seconds, stages and drawings from BuildKit's progress lines."""

import base64
import json
from xml.etree import ElementTree

import pytest

from bake.display.lines import still_running
from bake.display.titles import plain
from bake.engine import Progress, cache_usage, merge
from bake.engine.disk import Usage
from bake.engine.progress import missing_image
from bake.plan import Plan
from bake.report import timeline


def _line(digest: str, name: str, start: float, end: float, *, cached: bool = False, error: str = "") -> str:
    stamp = "2026-01-01T00:00:{:09.6f}Z".format
    vertex = {"digest": digest, "name": name, "started": stamp(start), "completed": stamp(end), "cached": cached}
    vertex |= {"error": error} if error else {}
    return json.dumps({"vertexes": [vertex]})


def _progress(*lines: str, target: str = "") -> Progress:
    progress = Progress()
    for line in lines:
        progress.feed(line, target=target)
    return progress


def test_a_step_that_two_targets_share_counts_once_for_each_of_them() -> None:
    name = "[{} linux/amd64 build-api 3/3] RUN npm run build".format
    progress = _progress(_line("a", name("api"), 1.0, 5.0), _line("a", name("worker"), 1.1, 5.0))
    assert len(progress.steps) == 1
    assert [len(progress.of(t)) for t in ("api", "worker")] == [1, 1]
    assert progress.seconds("api") == pytest.approx(4.0)
    assert [s.what for s in progress.ran()] == ["RUN npm run build"]


def test_seconds_are_those_in_which_something_ran_without_pulls_and_waits() -> None:
    progress = _progress(
        _line("f", "[linux/amd64 install 1/3] FROM node:24", 0.0, 20.0),
        _line("a", "[linux/amd64 install 2/3] RUN npm ci", 20.0, 24.0),
        _line("b", "[linux/amd64 layers 2/2] RUN carve", 23.0, 26.0),
        _line("c", "[linux/amd64 layers 1/2] COPY x y", 30.0, 31.0, cached=True),
        target="api",
    )
    assert progress.seconds("api") == pytest.approx(6.0)
    assert [(s.stage, round(s.seconds), s.steps, s.cached, s.ran) for s in progress.stages("api")] == [
        ("install", 4, 2, 0, 1),
        ("layers", 3, 2, 1, 1),
    ]


def test_a_step_that_one_of_several_runs_executed_counts_as_run() -> None:
    name = "[linux/amd64 build 1/1] RUN make"
    hit = _progress(_line("a", name, 1.0, 1.1, cached=True), target="api")
    run = _progress(_line("a", name, 2.0, 4.0), target="worker")
    for order in ((hit, run), (run, hit)):
        whole = merge(order)
        assert [s.targets for s in whole.ran()] == [{"api", "worker"}]


def test_a_timeline_has_a_row_per_stage_and_hollow_bars_for_hits() -> None:
    progress = _progress(
        _line("a", '[linux/amd64 build 1/2] RUN echo "<&>"', 1.0, 3.0),
        _line("b", "[linux/amd64->arm64 layers 1/1] COPY x y", 1.0, 9.0, cached=True),
        target="api",
    )
    drawing = timeline(progress, title="shop & co")
    tree = ElementTree.fromstring(drawing)
    name = "{http://www.w3.org/2000/svg}"
    assert tree.findtext(f"{name}title") == "shop & co"
    assert tree.findtext(f"{name}desc") == "2 steps in 2 stages, 1 run and 1 cached, in 2.0 s."
    bars = [(r.get("class"), r.findtext(f"{name}title")) for g in tree.iter(f"{name}g") for r in g.iter(f"{name}rect")]
    assert ("run", 'RUN echo "<&>" (2.0 s)') in bars
    assert ("cached", "COPY x y (cached)") in bars
    assert "prefers-color-scheme: dark" in drawing


def test_a_step_that_buildkit_cancelled_is_not_one_that_failed() -> None:
    name = "[linux/amd64 build 1/1] RUN make"
    cancelled = "process did not complete successfully: context canceled: context canceled"
    progress = _progress(_line("a", name, 1.0, 3.0, error=cancelled), target="api")
    assert progress.failed() is None
    assert "make (2.0 s)" in timeline(progress, title="shop")
    progress.feed(_line("b", name, 2.0, 3.0, error="exit code: 1"), target="api")
    assert [s.digest for s in progress.steps.values() if s.failed] == ["b"]
    assert "make (failed)" in timeline(progress, title="shop")


def test_a_step_that_another_build_ran_earlier_is_a_hit_when_this_one_began() -> None:
    name = "[linux/amd64 build {}/4] RUN make".format
    progress = _progress(
        _line("a", name(1), 1.0, 4.0),
        _line("b", name(2), 2.0, 12.0),
        _line("c", name(3), 11.0, 20.0),
        json.dumps({"vertexes": [{"digest": "d", "name": name(4)}]}),
        target="api",
    )
    progress.keep_last(10.0)
    begin = progress.steps["a"].started or 0.0
    assert [(s.cached, s.started and s.started - begin, s.seconds) for s in progress.steps.values()] == [
        (True, 0.0, 0.0),
        (False, 0.0, 2.0),
        (False, 1.0, 9.0),
        (False, None, 0.0),
    ]


def test_a_long_name_of_a_stage_leaves_its_platform_in_sight() -> None:
    progress = _progress(_line("a", f"[linux/amd64->arm64 out-{'x' * 40} 1/1] COPY x y", 1.0, 2.0), target="api")
    assert f">out-{'x' * 25}… arm64</text>" in timeline(progress, title="shop")


def test_a_cache_is_shown_by_kind_the_biggest_first() -> None:
    records = [
        {"Type": "regular", "Size": "1.5GB", "Reclaimable": True, "Shared": True},
        {"Type": "regular", "Size": "200kB", "Reclaimable": False, "Shared": False},
        {"Type": "exec.cachemount", "Size": "47.19MB", "Reclaimable": True, "Shared": False},
    ]
    assert cache_usage(json.dumps(r) for r in records) == (
        Usage(kind="steps, shared with images", count=1, bytes=1_500_000_000, reclaimable=1_500_000_000),
        Usage(kind="caches of package managers and bundlers", count=1, bytes=47_190_000, reclaimable=47_190_000),
        Usage(kind="steps", count=1, bytes=200_000, reclaimable=0),
    )


@pytest.mark.parametrize(
    ("reference", "said", "told"),
    [
        (
            "docker.io/library/node:20",
            "docker.io/library/node:20: not found",
            ("node:20", "is not in its registry", "name another in [base] of bake.toml"),
        ),
        (
            "docker.io/library/node:24@sha256:ab12",
            "docker.io/library/node:24@sha256:ab12: not found",
            ("node:24", "its registry does not have the digest that bake.lock pins", "run `bake lock`"),
        ),
        (
            "docker.io/docker/dockerfile:1",
            "docker.io/docker/dockerfile:1: not found",
            (
                "docker/dockerfile:1",
                "is not in its registry",
                "take the `# syntax=` line out of the Dockerfile that asks for it",
            ),
        ),
        (
            "ghcr.io/acme/node:24",
            "failed to authorize: failed to fetch oauth token: 403 Forbidden",
            ("ghcr.io/acme/node:24", "may not be pulled", "`docker login ghcr.io`"),
        ),
        (
            "127.0.0.1:5999/node:24-slim@sha256:ab12",
            'failed to do request: Head "https://127.0.0.1:5999/v2/": dial tcp: connect: connection refused',
            (
                "127.0.0.1:5999/node:24-slim@sha256:ab12",
                "cannot be pulled (connection refused)",
                "`bake doctor` says which registries answer",
            ),
        ),
    ],
)
def test_a_base_image_that_cannot_be_had_is_named_with_the_reason(
    reference: str, said: str, told: tuple[str, str, str]
) -> None:
    line = f"ERROR: target api: failed to solve: x: failed to resolve source metadata for {reference}: {said}"
    assert missing_image(line) == told


def test_another_failure_is_no_missing_image() -> None:
    assert missing_image("ERROR: target api: failed to solve: no space left on device") is None


@pytest.mark.parametrize(
    ("instruction", "shown"),
    [
        ("RUN --mount=type=cache,target=/root/.npm     npm ci --omit=dev", "RUN npm ci --omit=dev"),
        (
            'RUN case "amd64" in amd64) cpu=x64 ;; *) cpu="amd64" ;; esac; NPM_CONFIG_X=1 npm ci --cpu="$cpu"',
            'RUN npm ci --cpu="$cpu"',
        ),
        (
            'RUN [ "linux/amd64" = "linux/amd64" ] && exit; case "amd64" in amd64) cpu=x64 ;; esac; npm ci --omit=dev',
            "RUN npm ci --omit=dev",
        ),
        (
            'RUN tree=/app; [ "linux/amd64" = "linux/amd64" ] && tree=/bake/installed; node /bake/x.mjs layers',
            "RUN node /bake/x.mjs layers",
        ),
        (
            "RUN YARN_GLOBAL_FOLDER=/y YARN_ENABLE_TELEMETRY=false yarn install --immutable",
            "RUN yarn install --immutable",
        ),
        ("COPY --from=out-api /bake/out/ /", "COPY --from=out-api /bake/out/ /"),
    ],
)
def test_a_step_is_called_by_its_command(instruction: str, shown: str) -> None:
    assert plain(instruction) == shown


def test_a_failed_push_is_told_when_buildx_closes_with_a_target_that_it_cancelled() -> None:
    refused = "failed to push r.io/worker: unexpected status from PUT request to https://r.io: 403 Forbidden"
    ended = {"started": "2026-01-01T00:00:00Z", "completed": "2026-01-01T00:00:01Z"}
    name = "exporting to image"
    api = {"digest": "a", "name": name, "error": "failed to push r.io/api: context canceled", **ended}
    progress = Progress()
    progress.feed(json.dumps({"vertexes": [api, {"digest": "w", "name": name, "error": refused, **ended}]}))
    progress.feed("ERROR: target api: failed to solve: Canceled: context canceled\n")
    assert progress.closing() == refused
    progress.feed("ERROR: target worker: failed to solve: other words\n")
    assert progress.closing() == "target worker: failed to solve: other words"


def test_what_is_still_running_is_named_with_its_seconds(example_plan: Plan) -> None:
    progress = Progress()
    begun = {"digest": "a", "name": "[install 3/3] RUN npm ci", "started": "2026-01-01T00:00:00Z"}
    other = {"digest": "b", "name": "[linux/arm64 scripts 2/2] RUN npm rebuild", "started": "2026-01-01T00:00:30Z"}
    progress.feed(json.dumps({"vertexes": [other, begun]}))
    now = progress.running()[0].started or 0.0
    assert still_running(example_plan, progress.running(), now + 60) == (
        "still running: workspace: npm ci 60 s, install scripts: npm rebuild (arm64) 30 s"
    )
    done = [one | {"completed": "2026-01-01T00:01:00Z"} for one in (begun, other)]
    progress.feed(json.dumps({"vertexes": done}))
    assert still_running(example_plan, progress.running(), now + 60) == ""


def test_a_step_that_waits_for_its_turn_takes_no_time_until_it_has_it(example_plan: Plan) -> None:
    progress = Progress()
    stage = example_plan.builds.stages[0].name
    begun = {"digest": "a", "name": f"[api {stage} 3/3] RUN npm run build", "started": "2026-01-01T00:00:00Z"}

    def say(second: int, text: str) -> str:
        log = {"vertex": "a", "data": base64.b64encode(text.encode()).decode()}
        return json.dumps({"logs": [log | {"timestamp": f"2026-01-01T00:00:{second}.5Z"}]})

    progress.feed(json.dumps({"vertexes": [begun]}))
    progress.feed(say(10, "bake: waits for its turn\n"))
    assert progress.running() == ()
    progress.feed(say(40, "bake: its turn\n"))
    progress.feed(say(41, "> tsc\n"))
    (step,) = progress.running()
    progress.feed(json.dumps({"vertexes": [begun | {"completed": "2026-01-01T00:00:43Z"}]}))
    assert (step.seconds, progress.seconds("api"), "".join(step.log)) == (2.5, 2.5, "> tsc\n")
