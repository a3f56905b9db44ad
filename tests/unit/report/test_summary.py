"""What GitHub shows of a build, and the account that it is made of."""

import dataclasses
import json
from pathlib import Path

import pytest

from bake.build import Account, BuiltImage, Leg, load_account, show_findings
from bake.build.account import (
    Before,
    Ran,
    account_table,
    load_before,
    parse_account,
    ran_steps,
    warnings_of,
    write_account,
)
from bake.build.failures import telling
from bake.commands import build, command_parser
from bake.console import Console
from bake.engine import Progress
from bake.errors import UsageError
from bake.plan import Finding, Plan
from bake.publish import Release
from bake.publish.release import ReleasedImage, ReleasedPlatform
from bake.report import failure, size_changes, summary
from bake.report.summary import Change
from bake.session import Session


def built(image: str, **changes: object) -> BuiltImage:
    one = BuiltImage(
        image=image,
        service=image,
        platforms=("linux/amd64",),
        references=(f"shop-{image}:main",),
        digest=f"sha256:{'ab' * 32}",
        bytes=12_300_000,
        seconds=4.25,
        steps=9,
        cached=6,
    )
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


def ran(stage: str, start: float, end: float, **changes: object) -> Ran:
    one = Ran(
        title=f"{stage}: npm run build",
        about=stage,
        stage=stage,
        platform="linux/amd64",
        what="RUN npm run build",
        cached=False,
        failed=False,
        intervals=((1000.0 + start, 1000.0 + end),),
    )
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


ACCOUNT = Account(
    project="shop",
    platforms=("linux/amd64", "linux/arm64"),
    seconds=12.34,
    images=(built("api"), built("web", bytes=None, digest="")),
    revision="0123456789abcdef",
    branch="main",
    steps=(
        ran("install", 0.0, 2.5),
        ran("build-api", 2.5, 4.0),
        ran("build-api", 4.5, 6.0),
        ran("layers", 1.0, 1.0, platform="linux/amd64->arm64", cached=True),
    ),
    warnings=("bake.toml: <b>look</b> at *this*",),
)


def released(target: str, **platforms: int) -> ReleasedImage:
    digest = f"sha256:{'cd' * 32}"
    parts = tuple(ReleasedPlatform(platform=f"linux/{p}", digest=digest, bytes=b) for p, b in platforms.items())
    return ReleasedImage(
        image=target, repository=f"r.example/{target}", digest=digest, platforms=parts, bytes=sum(platforms.values())
    )


def test_a_summary_has_images_a_chart_of_stages_changes_and_warnings() -> None:
    changes = (Change(image="api", before=10_000_000, after=12_500_000), Change(image="web", before=None, after=5))
    assert (
        summary(ACCOUNT, changes)
        == """\
### shop: 2 images in 12.3 s

main 0123456789ab, linux/amd64, linux/arm64, not pushed

| image | digest | size | seconds | cached |
| --- | --- | ---: | ---: | --- |
| `shop-api:main` | `sha256:abababababab` | 12.3 MB | 4.2 | 6/9 |
| `shop-web:main` |  |  | 4.2 | 6/9 |

<details><summary>2 stages that ran</summary>

```mermaid
gantt
dateFormat x
axisFormat %s s
todayMarker off
install amd64 :0, 2500
build-api amd64 :2500, 6000
```

| stage | seconds | cached |
| --- | ---: | --- |
| `install amd64` | 2.5 | 0/1 |
| `build-api amd64` | 3.0 | 0/2 |

</details>

#### Size since the last push

| image | size | change |
| --- | ---: | ---: |
| `api` | 12.5 MB | +2.5 MB |
| `web` | 5 B | new |

#### Warnings and findings

- bake.toml: \\<b\\>look\\</b\\> at \\*this\\*

"""
    )


def test_a_build_from_the_cache_has_no_chart() -> None:
    account = dataclasses.replace(ACCOUNT, steps=ACCOUNT.steps[-1:], warnings=())
    text = summary(account, ())
    assert text.endswith("Every step came from a cache.\n\nNo image changed its size since the last push.\n\n")
    assert "mermaid" not in text


def test_a_chart_has_the_longest_stages_and_takes_no_words_that_mermaid_reads() -> None:
    many = tuple(ran(f"s{i}", i, i + 1 + i / 100) for i in range(61))
    text = summary(dataclasses.replace(ACCOUNT, steps=(*many, ran("a:b;c#d", 0.0, 99.0, failed=True))), None)
    bars = [line for line in text.splitlines() if " :" in line]
    assert len(bars) == 60
    assert "a-b-c-d amd64 :crit, 0, 99000" in bars
    assert not any(bar.startswith(("s0 ", "s1 ")) for bar in bars)


def test_a_failed_build_says_why_and_more_than_fifty_warnings_are_counted() -> None:
    text = failure("a | b:\n`npm run build` failed", [f"w{i}" for i in range(52)])
    assert text.startswith(
        "### bake failed\n\na \\| b: \\`npm run build\\` failed\n\n#### Warnings and findings\n\n- w0\n"
    )
    assert text.endswith("- w49\n- and 2 more, in the log\n\n")


def test_sizes_are_compared_from_a_kilobyte_on_and_on_the_platforms_that_both_pushes_have() -> None:
    before = Release(project="shop", images=(released("api", amd64=10_000, arm64=9_000), released("same", amd64=7_000)))
    after = Release(
        project="shop",
        images=(released("same", amd64=7_999, arm64=8_000), released("new", amd64=500), released("api", amd64=11_000)),
    )
    assert size_changes(before, after) == (
        Change(image="api", before=10_000, after=11_000),
        Change(image="new", before=None, after=500),
    )


def test_an_account_survives_its_file(tmp_path: Path) -> None:
    assert parse_account(account_table(ACCOUNT)) == ACCOUNT
    write_account(tmp_path, ACCOUNT)
    assert load_account(tmp_path) == ACCOUNT
    assert [f.name for f in tmp_path.iterdir()] == ["history.json"]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"format": 2}', '{"format": 1, "images": 3}'])
def test_without_an_account_of_this_bake_a_report_asks_for_a_build(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "history.json").write_text(f'{{"account": {text}}}')
    with pytest.raises(UsageError) as caught:
        load_account(tmp_path)
    assert str(caught.value) == "report: there is no account of a build here; run `bake build` first"


def test_an_account_keeps_the_steps_of_the_dockerfile_without_mounts_and_output(example_plan: Plan) -> None:
    vertex = {
        "digest": "a",
        "name": "[api linux/amd64 build 2/2] RUN --mount=type=cache,target=/x npm run build",
        "started": "2026-01-01T00:00:01.000400Z",
        "completed": "2026-01-01T00:00:03Z",
    }
    progress = Progress()
    progress.feed(json.dumps({"vertexes": [vertex, {"digest": "b", "name": "[internal] load build context"}]}))
    progress.feed(json.dumps({"logs": [{"vertex": "a", "data": "c2VjcmV0"}]}))
    assert ran_steps(example_plan, progress) == (
        Ran(
            title="build: npm run build (amd64)",
            about="build",
            stage="build",
            platform="linux/amd64",
            what="RUN npm run build",
            cached=False,
            failed=False,
            intervals=((1767225601.0, 1767225603.0),),
        ),
    )


def test_an_account_tells_of_the_build_before(tmp_path: Path) -> None:
    assert load_before(tmp_path) is None
    write_account(tmp_path, ACCOUNT)
    before = load_before(tmp_path)
    assert before == Before(seconds=12.34, steps={"install: npm run build": 2.5, "build-api: npm run build": 3.0})
    again = dataclasses.replace(ACCOUNT, before=before, path=(Leg(title="a", seconds=1.0, waited=0.5),))
    assert parse_account(account_table(again)) == again


def test_what_bake_and_buildkit_warn_of_stands_there_once() -> None:
    progress = Progress()
    progress.warnings = ["JSONArgsRecommended", "", "JSONArgsRecommended"]
    assert warnings_of(["odd"], progress) == ("odd", "JSONArgsRecommended")


def test_a_console_keeps_warnings_and_findings() -> None:
    console = Console(environment={}, volume="quiet")
    console.warn("first")
    show_findings(console, [Finding(level="warning", rule="r", where="x", what="is odd", remedy="mend it")])
    assert console.noted == ["first", "x: is odd; mend it"]


def test_findings_with_one_remedy_are_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding(level="warning", rule="r", where=f"x:{n}", what="is odd", remedy="mend it") for n in range(7)]
    other = Finding(level="error", rule="r", where="y", what="is bad", remedy="drop it")
    console = Console(environment={})
    show_findings(console, [other, *findings])
    assert capsys.readouterr().err.splitlines() == [
        "bake: error: y: is bad; drop it",
        *(f"bake: warning: x:{n}: is odd; mend it" for n in range(4)),
        "bake: warning: 3 more like this one; `bake check -v` shows each",
    ]
    assert len(console.noted) == 8
    show_findings(Console(environment={}, volume="verbose"), findings)
    assert len(capsys.readouterr().err.splitlines()) == 7


def test_a_build_that_stops_adds_its_reason_to_the_summary_of_the_step(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    session = Session(console=Console(environment={"GITHUB_STEP_SUMMARY": str(file)}), directory=tmp_path)
    with pytest.raises(Exception, match=r"bake\.toml: none in"):
        build.run(session, command_parser("build").parse_args([]))
    text = file.read_text()
    assert text.startswith("before\n### bake failed\n\nbake.toml: none in ")


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Console(environment={"GITHUB_STEP_SUMMARY": str(tmp_path)}).summarise("text")
    assert capsys.readouterr().err == f"bake: warning: {tmp_path}: cannot be written (Is a directory)\n"


def test_the_first_error_of_a_long_output_is_shown_beside_its_end() -> None:
    lines = (
        [f"step {at}" for at in range(100)] + ["Error: Cannot find module 'x'"] + [f"watched {at}" for at in range(99)]
    )
    shown = telling(lines)
    assert (shown[0], shown[29], shown[30], shown[31], shown[-1]) == (
        lines[100],
        lines[129],
        "…",
        lines[170],
        lines[-1],
    )
    assert telling(lines[:101]) == lines[41:101]
    assert telling(lines[:3]) == lines[:3]
