"""README and docs: their commands run, their output is bake's, their TOML is accepted.

A shell command stands in a `console` block behind `$ `; what it prints follows, `...` for what is left out. Or it is a
line of a `sh` block, and the `text` block that follows at once is what the last one prints: for pages where copying a
block must give commands only. A page is one session in a copy of the example workspace.
"""

import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from bake import __version__, cli
from bake.commands import COMMANDS, command_parser, size, smoke, verify
from bake.config import parse_config
from bake.console import Console
from bake.engine import StageTime
from bake.errors import BakeError
from bake.images import Excess, Growth, Result, Tally, measure, measure_fleet
from bake.images.trial import TrialFinding
from bake.plan import Request, make_plan, name_images
from bake.publish import Release, write_release
from bake.publish.release import ReleasedImage, ReleasedPlatform
from bake.session import Session
from bake.table import JSON_FORMAT, to_json
from tests.unit.images.test_sizes import FLEET, SERVICES, UNPACKED
from tests.unit.report.test_summary import built

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f.relative_to(ROOT).as_posix() for f in (ROOT / "docs").rglob("*.md")))

ENGINE = (
    "bake metastore --tag dev --platform linux/amd64",
    "bake metastore --platform linux/amd64",
    "bake smoke metastore --platform linux/amd64",
    "bake inspect metastore fastify --platform linux/amd64",
    "bake layers metastore --platform linux/amd64",
    "bake size metastore --platform linux/amd64",
    "bake layers catalog",
    "bake doctor",
    "bake disk",
)
"""Commands of bake that run on the engine here; without one, the parser alone sees them."""

PARSED = (
    "bake all --push --release release.json",
    "bake all --since origin/main --platform linux/amd64",
    "bake smoke --since origin/main --platform linux/amd64",
    "bake builder up",
    # A registry on the network, or a login to one.
    "bake all --push",
    "BAKE_REGISTRY=127.0.0.1:5000 bake all --push",
    "bake all --platform linux/amd64 --push --no-tags --release amd64.json",
    "bake all --platform linux/arm64 --push --no-tags --release arm64.json",
    "bake merge amd64.json arm64.json --release release.json",
    "bake promote release.json --tag stable",
    "bake rollback release-stable.json",
    "bake clean release.json --days 60",
    "bake sign release.json",
    "bake verify --signed release.json --identity '^https://github.com/acme/' "
    "--issuer https://token.actions.githubusercontent.com",
    "bake clean release.json --days 60 --delete",
    "bake copy release.json registry.acme.example/shop --tag stable",
    "bake lock",
    "bake lock --check",
    "bake size --against release.json --format markdown",
    "bake size --since origin/main",
    "bake size catalog --trace",
    # A process that runs, beside which docker takes over.
    "bake run metastore",
    "bake debug metastore",
    "bake debug metastore -- ls -l /app/services/metastore",
    # A build that was.
    "bake report --html report.html",
    # Every image: tests/engine and scripts/demo build them.
    "bake all",
    "bake all --platform linux/amd64",
    "bake all --cache-to",
    "bake monolith --platform linux/amd64",
    "bake verify --platform linux/amd64",
    "bake parity --platform linux/amd64",
    "bake smoke --platform linux/amd64",
    "bake repro metastore --platform linux/amd64",
    # Something of this machine that all share.
    "bake prune --keep 10GB",
    # A builder that stays on the machine.
    "bake all --builder team",
    "bake builder status",
    "bake builder down --keep-state",
)
"""Commands of bake that need the world outside: argparse takes them, and they are tested elsewhere."""

OUTSIDE = (
    "cd examples/apphub",
    "scripts/demo",
    "scripts/test",
    "pipx install git+https://github.com/<owner>/<repository>",
    "docker run --rm -d --name metastore --read-only -p 4100:4100 apphub-metastore:dev",
    "curl -s --retry 9 --retry-all-errors localhost:4100/healthz",
    "docker run --rm -d --name debugged --read-only -p 4100:4100 -p 127.0.0.1:9229:9229 "
    "-e NODE_OPTIONS=--inspect=0.0.0.0:9229 apphub-metastore:dev",
    "curl -s --retry 9 --retry-all-errors localhost:9229/json/version",
    "docker rm -f debugged",
    "pipx install --force git+https://github.com/<owner>/<repository>@<tag>",
    "docker login ghcr.io",
    "docker buildx create --name team --driver docker-container",
    "kubectl apply -k deploy",
)
"""Commands of others that do not run here; a script of ours must be there."""

PRINTED = ("docker buildx bake -f .bake/docker-bake.hcl catalog",)
"""Builds by buildx alone, which reads the bake file and builds nothing."""

FRESH = ("bake init --dry-run", "bake init")
"""Commands for a workspace that has no bake.toml yet."""

SHELL = ("echo", "mkdir")
"""Programs that run here as they are."""

LANGUAGES = ("console", "sh", "toml", "yaml", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a page and the lines that the page shows below it."""

    text: str
    shown: tuple[str, ...]

    @property
    def words(self) -> Sequence[str]:
        """The words of bake's command line, without assignments, `bake` and a redirection."""
        parts = shlex.split(self.text.partition(" > ")[0])
        return parts[parts.index("bake") + 1 :]

    @property
    def is_bake(self) -> bool:
        return re.match(r"([A-Z_]+=\S+ )*bake( |$)", self.text) is not None


def blocks(page: str, language: str) -> tuple[str, ...]:
    text = (ROOT / page).read_text("utf-8")
    return tuple(re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S))


def commands(page: str) -> tuple[Command, ...]:
    found: list[Command] = []
    for language, block, printed in _SESSION.findall((ROOT / page).read_text("utf-8")):
        parts = re.split(r"^\$ ", block, flags=re.M)[1:] if language == "console" else block.splitlines()
        if printed:
            parts[-1] += f"\n{printed}"
        for part in parts:
            first, *shown = part.splitlines()
            found.append(Command(text=first, shown=tuple(shown)))
    return tuple(found)


_SESSION = re.compile(r"^```(console|sh)\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)


ALL = tuple((page, command) for page in PAGES for command in commands(page))


def copy_example(folder: Path) -> Path:
    """The example workspace without what builds leave, in a repository of its own, with a push behind it."""
    left_out = shutil.ignore_patterns("node_modules", "dist", ".bake", "*.tsbuildinfo", "images")
    shutil.copytree(ROOT / "examples" / "apphub", folder, ignore=left_out)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", f"the example in {folder}")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)
    write_push(folder)
    return folder


def write_push(folder: Path) -> None:
    """The manifest that a push of every image leaves."""
    project = Session(console=Console(environment={}), directory=folder).project
    plan = make_plan(project, Request(registry="127.0.0.1:5000", push=True))
    names = name_images(project, plan)
    digest = "sha256:" + 64 * "a"
    platforms = tuple(ReleasedPlatform(platform=p, digest=digest, bytes=1) for p in plan.platforms)
    images = tuple(
        ReleasedImage(
            image=i.target,
            repository=names[i.target].repository,
            digest=digest,
            platforms=platforms,
            bytes=1,
            tags=("tag",),
            previous={"tag": ""},
        )
        for i in plan.images
    )
    write_release(folder / ".bake" / "release.json", Release(project="apphub", revision="", images=images))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_example(tmp_path_factory.mktemp("docs") / "apphub")


@pytest.fixture
def workspace(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page's own copy of the example, which is the current directory; nothing says that this is CI."""
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_OUTPUT", "BAKE_REGISTRY", "VITE_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "apphub"
    shutil.copytree(example, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def run_bake(command: Command) -> tuple[int, str]:
    """Status and what the terminal would show; stdout goes where `> FILE` says."""
    output = io.StringIO()
    with contextlib.redirect_stderr(output), contextlib.ExitStack() as stack:
        target = command.text.partition(" > ")[2]
        stdout = stack.enter_context(Path(target).open("w", encoding="utf-8")) if target else output
        stack.enter_context(contextlib.redirect_stdout(stdout))
        return cli.main(command.words), output.getvalue()


def run_fresh(command: Command) -> tuple[int, str]:
    hidden = Path("bake.toml").rename("hidden.toml")
    try:
        return run_bake(command)
    finally:
        hidden.rename("bake.toml")


def parse(command: Command) -> None:
    """Let argparse judge the command line; it exits with status 2 where it does not know a word."""
    words = list(command.words)
    name = words.pop(0) if words[0] in COMMANDS else "build"
    command_parser(name).parse_args(words)


def run_here(command: Command, *, engine: bool) -> None:
    """Run one command of a page as far as it can run here, and compare what it prints."""
    if not command.is_bake:
        run_other(command)
    elif command.text in PARSED or (command.text in ENGINE and not engine):
        parse(command)
    else:
        status, output = run_fresh(command) if command.text in FRESH else run_bake(command)
        wrong = any(line.startswith("bake: error:") for line in command.shown)
        assert (status != 0) == wrong, f"$ {command.text}\n{output}"
        assert_shown(command, output)


def run_other(command: Command) -> None:
    if command.text.split()[0] in SHELL:
        subprocess.run(command.text, shell=True, check=True)
    elif command.text in PRINTED:
        run_bake(Command(text="bake all --dry-run", shown=()))
        subprocess.run([*shlex.split(command.text), "--print"], check=True, capture_output=True)
    elif command.text.startswith("scripts/"):
        assert (ROOT / command.text).stat().st_mode & 0o100
    else:
        assert command.text in OUTSIDE


def assert_shown(command: Command, output: str) -> None:
    """Every line that the page shows is in the output, in its order, without a gap where no `...` stands."""
    lines = [plain(line) for line in output.splitlines()]
    place, gap = 0, True
    for shown in command.shown:
        if shown == "...":
            gap = True
            continue
        found = next((i for i in range(place, len(lines)) if fits(plain(shown), lines[i])), None)
        assert found is not None, f"$ {command.text}\nshows: {shown}\nprints:\n{output}"
        assert gap or found == place, f"$ {command.text}\nleaves out lines before: {shown}\nprints:\n{output}"
        place, gap = found + 1, False


def fits(shown: str, line: str) -> bool:
    return line.startswith(shown.removesuffix("...")) if shown.endswith("...") else shown == line


def plain(line: str) -> str:
    """A line without what differs from run to run: digests, commits, measured numbers, and the width of columns."""
    line = re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b", "HEX", line)
    line = re.sub(r"\d+(\.\d+)? (B|kB|MB|s)\b|\b\d+\.\d\b|\b\d+/\d+\b", "#", line)
    return " ".join(line.split())


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)])
def test_the_commands_of_a_page_run_and_print_what_it_shows(page: str, workspace: Path) -> None:
    for command in commands(page):
        run_here(command, engine=False)


def test_every_command_that_does_not_run_here_is_in_a_page() -> None:
    texts = {command.text for _, command in ALL}
    assert [text for text in (*ENGINE, *PARSED, *OUTSIDE, *PRINTED, *FRESH) if text not in texts] == []


def test_pages_hold_blocks_of_known_languages_only() -> None:
    fences = {(p, w) for p in PAGES for w in re.findall(r"^```(.*)$", (ROOT / p).read_text("utf-8"), re.M)[::2]}
    assert {(page, word) for page, word in fences if word not in LANGUAGES} == set()


@pytest.mark.parametrize(("page", "text"), [(p, b) for p in PAGES for b in blocks(p, "toml")])
def test_a_piece_of_bake_toml_in_a_page_is_accepted(page: str, text: str) -> None:
    head = "" if "[project]" in text else '[project]\nname = "shop"\n'
    tail = "" if "[services." in text else '\n[services.api]\npackage = "services/api"\n'
    parse_config(head + text + tail, name=page)


@pytest.mark.parametrize(("page", "text"), [(p, b) for p in PAGES for b in blocks(p, "yaml")])
def test_a_piece_of_yaml_in_a_page_can_be_read(page: str, text: str) -> None:
    assert isinstance(yaml.safe_load(text), Mapping)


def test_commands_within_sentences_are_known_to_the_parser() -> None:
    spans = {s for p in PAGES for s in re.findall(r"`(bake [^`]+)`", prose(p)) if s != "bake COMMAND --help"}
    assert len(spans) > 10
    for span in spans:
        words = span.split()[1:]
        # A command alone is its name, not a call of it.
        if len(words) > 1 or words[0] not in COMMANDS:
            parse(Command(text=span, shown=()))


def prose(page: str) -> str:
    return re.sub(r"^```.*?^```$", "", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(links) > 10
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [p.removeprefix("docs/") for p in PAGES if p.startswith("docs/")]
    assert [page for page in pages if f": {page}\n" not in navigation] == []


def test_the_picture_shows_the_commands_of_its_text_and_they_are_those_of_the_readme() -> None:
    text = (ROOT / "docs" / "terminal.txt").read_text("utf-8")
    picture = (ROOT / "docs" / "terminal.svg").read_text("utf-8").replace("&#160;", " ")
    ran = [line for line in text.splitlines() if line.startswith("$ ")]
    assert len(ran) > 2
    assert [line for line in ran if line not in picture] == []
    known = {command.text for command in commands("README.md")}
    assert {line[2:] for line in ran} - known == {"bake all --tag dev --platform linux/amd64"}


def test_the_version_has_a_dated_section_in_the_changelog_and_is_in_the_documentation() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"copyright: bake {__version__}," in (ROOT / "mkdocs.yml").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text, re.M)


def test_no_page_installs_bake_by_a_name_on_pypi() -> None:
    pages = (*PAGES, ".github/workflows/images.yml")
    assert [p for p in pages if "bake-monorepo" in (ROOT / p).read_text("utf-8")] == []


@pytest.mark.parametrize("command", ["list", "check", "why metastore", "affected", "matrix"])
def test_the_page_of_json_outputs_names_the_fields_of_each(command: str, workspace: Path) -> None:
    (row,) = (
        r for r in (ROOT / "docs/reference/json.md").read_text("utf-8").splitlines() if f"`bake {command} --" in r
    )
    value = json.loads(run_bake(Command(text=f"bake -q {command} --format json", shown=()))[1])
    while not isinstance(value, Mapping) or any(key in value for key in ("include", "metastore")):
        value = next(iter(value.values())) if isinstance(value, Mapping) else value[0]
    assert [key for key in value if f"`{key}`" not in row] == []


def valid(command: str, value: object) -> None:
    """Hold what a command prints to the schema of its output."""
    schema = json.loads((ROOT / "docs/outputs.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    wanted = {"$schema": schema["$schema"], "$ref": f"#/$defs/{command}", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(wanted).validate(json.loads(to_json(value)))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("list", "list"),
        ("check", "check"),
        ("why", "why metastore"),
        ("affected", "affected"),
        ("matrix", "matrix"),
        ("build --dry-run", "all --dry-run"),
    ],
)
def test_what_commands_print_is_what_the_schema_says(command: str, words: str, workspace: Path) -> None:
    valid(command, json.loads(run_bake(Command(text=f"bake -q {words} --format json", shown=()))[1]))


def test_what_is_told_of_built_images_is_what_the_schema_says() -> None:
    stage = StageTime(stage="a", platform="linux/amd64", seconds=1.5, steps=2, cached=1, ran=1)
    images = (built("api", stages=(stage,)), built("web", bytes=None))
    valid("build", {"format": JSON_FORMAT, "images": images, "seconds": 1.5})
    found = TrialFinding(check="start", what="ended", remedy="look")
    result = Result(target="api", platform="linux/amd64", findings=(found,), exit_code=1, log=("x",))
    valid("smoke", {"format": JSON_FORMAT, "images": [smoke._values(result)]})
    tally = Tally(package="api", images=2, files=3, identical=2, findings=())
    valid("verify", {"format": JSON_FORMAT, "packages": [verify._values(tally)], "monolith": False})
    report = size.Report(
        sizes=measure(FLEET, SERVICES, UNPACKED),
        fleet=measure_fleet(FLEET, FLEET, SERVICES, UNPACKED),
        before={},
        growth=(Growth(holder="x", before=None, after=1, images=("api",)),),
        excess=(Excess(where="budget.image", what="api", bytes=2, budget=1),),
    )
    valid("size", size._values(report))


def test_troubleshooting_has_every_rule_of_check_and_every_status() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    code = (ROOT / "bake/plan/check.py").read_text("utf-8")
    rules = {a or b for a, b in re.findall(r'_error\(\s*"(\w+)"|rule="(\w+)"', code)}
    assert len(rules) > 5
    assert [rule for rule in sorted(rules) if f"| `{rule}` |" not in page] == []
    statuses = {error.status for error in BakeError.__subclasses__()}
    assert [status for status in sorted(statuses) if f"(status {status})" not in page] == []
