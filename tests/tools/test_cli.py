"""One clear line for each mistake, the right status, nothing left behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bake.publish import Release, write_release

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "apphub"


def bake(*words: str, cwd: Path = EXAMPLE, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bake", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("node_modules", ".bake", "dist")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "apphub", ignore=ignore))


def test_an_unknown_target_is_usage_with_a_suggestion() -> None:
    done = bake("catalog-wroker")
    assert done.stderr == ("bake: error: catalog-wroker: no such image or service; did you mean `catalog-worker`?\n")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_bad_config_is_answered_with_every_complaint(copy: Path) -> None:
    (copy / "bake.toml").write_text('[project]\nnmae = "x"\n[services.a]\npackage = "a"\nport = "80"\n')
    done = bake("list", cwd=copy)
    assert done.stderr.splitlines() == [
        "bake: error: bake.toml: project.nmae: unknown key, did you mean `name`?",
        "bake: error: bake.toml: project.name: missing",
        "bake: error: bake.toml: services.a.port: expected a whole number, got text",
    ]
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[workspace]\nscript = 3\n", "workspace.script: expected text, got a whole number"),
        (
            '[services.a]\npackage = "a"\n',
            "services.a.package: no package 'a' in the workspace; see `bake list --packages`",
        ),
        (
            '[workspace.environment]\nTZ = "a\\tb"\n',
            "workspace.environment.TZ: a Dockerfile cannot hold '\"a\\tb\"'; remove the control characters",
        ),
        ('[workspace]\nscript = "bilud"\n', "workspace.script: no package has a script 'bilud'; correct it"),
    ],
)
def test_a_bake_toml_of_another_name_is_called_by_it(copy: Path, text: str, message: str) -> None:
    services = "" if "[services" in text else '[services.web]\npackage = "apps/frontend"\nstatic = "dist"\n'
    (copy / "bake.toml").unlink()
    (copy / "k3.toml").write_text(f'[project]\nname = "x"\n{services}{text}')
    done = bake("all", "-f", "k3.toml", "--dry-run", cwd=copy)
    assert f"bake: error: k3.toml: {message}" in done.stderr.splitlines()
    assert "bake.toml" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tag", "{commit}"), "--tag: {commit} is not known; use one of sha, branch, version, pr, content"),
        ((), "bake.toml: project.tag: {commit} is not known; use one of sha, branch, version, pr, content"),
    ],
)
def test_a_tag_that_cannot_be_made_is_blamed_on_who_gave_it(copy: Path, words: tuple[str, ...], message: str) -> None:
    text = (copy / "bake.toml").read_text()
    (copy / "bake.toml").write_text(text.replace("[project]\n", '[project]\ntag = "{commit}"\n', 1))
    assert bake("print", *words, cwd=copy).stderr.splitlines()[-1] == f"bake: error: {message}"


def test_the_plan_as_buildx_reads_it_without_docker_is_one_line(copy: Path, tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(git)
    done = bake("print", "--format", "json", cwd=copy, PATH=str(tmp_path / "bin"))
    assert done.stderr.splitlines()[-1].startswith("bake: error: docker: is not installed; ")
    assert "Traceback" not in done.stderr
    assert done.returncode == 4


def test_a_directory_without_bake_toml_is_told_how_to_get_one(tmp_path: Path) -> None:
    done = bake("all", cwd=tmp_path)
    assert done.stderr == (
        f"bake: error: bake.toml: none in {tmp_path} or above; write one with `bake init`, or name it with --file\n"
    )
    assert done.returncode == 3


def test_a_missing_lockfile_stops_before_anything_is_written(copy: Path) -> None:
    (copy / "package-lock.json").unlink()
    done = bake("all", cwd=copy)
    assert done.returncode == 3
    assert done.stderr == (
        f"bake: error: workspace: no package-lock.json in {copy}; run `npm install --package-lock-only`\n"
    )
    assert not (copy / ".bake").exists()


@pytest.mark.parametrize("command", ["build", "disk", "inspect", "repro", "size", "smoke", "verify"])
def test_an_engine_that_is_down_is_one_line_and_status_4(command: str) -> None:
    words = [] if command == "disk" else ["metastore"]
    done = bake(command, *words, DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.stderr.splitlines()[-1] == (
        "bake: error: docker engine: does not answer (Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the "
        "docker daemon running?); start Docker, or see `docker context ls` and DOCKER_HOST"
    )
    assert done.returncode == 4


@pytest.mark.parametrize("words", ["disk", "prune --keep 1GB", "builder status", "size metastore", "smoke metastore"])
def test_commands_that_look_at_the_engine_say_that_it_is_down(tmp_path: Path, words: str) -> None:
    done = bake(*words.split(), DOCKER_HOST=f"unix://{tmp_path}/no.sock")
    assert done.stderr.endswith("; start Docker, or see `docker context ls` and DOCKER_HOST\n")
    assert (done.stdout, len(done.stderr.splitlines()), done.returncode) == ("", 1, 4)


@pytest.mark.parametrize("command", ["build", "builder", "disk"])
def test_docker_that_is_not_installed_is_one_line_and_status_4(tmp_path: Path, command: str) -> None:
    (tmp_path / "git").symlink_to(shutil.which("git") or "git")
    done = bake(command, *{"builder": ["status"]}.get(command, []), PATH=str(tmp_path))
    assert done.stderr.splitlines()[-1] == (
        "bake: error: docker: is not installed; install Docker Engine 28 or later (docs.docker.com/engine/install)"
    )
    assert done.returncode == 4


@pytest.mark.parametrize("name", ["linux/amd46", "windows/amd64", "amd64"])
def test_what_is_no_platform_is_usage(name: str) -> None:
    done = bake("metastore", "--platform", f"linux/arm64,{name}")
    assert done.stderr == (f"bake: error: --platform: {name!r} is not a platform like linux/amd64 or linux/arm64\n")
    assert done.returncode == 2


def test_only_builds_need_the_secrets(copy: Path) -> None:
    file = copy / "bake.toml"
    file.write_text(file.read_text() + '\n[secrets.token]\nenv = "NO_TOKEN"\n[secrets.ca]\nfile = "no.pem"\n')
    for words in (["list"], ["matrix"], ["check"], ["print"], ["metastore", "--dry-run"]):
        assert bake(*words, cwd=copy).returncode == 0
    done = bake("metastore", cwd=copy)
    assert done.stderr.splitlines()[-2:] == [
        "bake: error: bake.toml: secrets.token: $NO_TOKEN is not set; provide it or set required = false",
        "bake: error: bake.toml: secrets.ca: no.pem does not exist; provide it or set required = false",
    ]
    assert done.returncode == 3


def test_what_bake_toml_names_and_the_workspace_lacks_is_found_before_a_build(copy: Path) -> None:
    text = (copy / "bake.toml").read_text().replace("[monolith]", '[monolith]\ndockerfile = "Dockerfil"')
    more = '[workspace]\nfiles = ["tsconfig*.json", "no*.json"]\nscript = "biuld"\n'
    inputs = '[packages."services/metastore"]\ninputs = ["proto/**"]\n'
    (copy / "bake.toml").write_text(f"{text}\n{more}{inputs}")
    done = bake("all", "monolith", "--quiet", cwd=copy)
    assert done.stderr.splitlines() == [
        "bake: error: bake.toml: monolith.dockerfile: no file 'Dockerfil'; correct it",
        "bake: error: bake.toml: packages.\"services/metastore\".inputs: 'proto/**' names no file (in metastore); "
        "correct or remove it",
        "bake: error: bake.toml: workspace.files: 'no*.json' names no file; correct or remove it",
        "bake: error: bake.toml: workspace.script: no package has a script 'biuld'; correct it",
        "bake: error: check: 4 errors stop the build; see above",
    ]
    assert done.returncode == 1


def test_a_place_that_cannot_be_written_is_one_line(copy: Path) -> None:
    (copy / ".bake").write_text("in the way")
    done = bake("metastore", "--dry-run", "--quiet", cwd=copy)
    what = "Not a directory; see that bake may read and write it"
    assert done.stderr == f"bake: error: {copy}/.bake/.gitignore: {what}\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_an_import_that_nothing_provides_stops_the_build_with_file_and_line(copy: Path) -> None:
    file = copy / "services/metastore/src/server.ts"
    file.write_text('import "left-pad-nowhere";\n' + file.read_text())
    done = bake("metastore", cwd=copy)
    assert (
        "bake: error: services/metastore/src/server.ts:1: imports left-pad-nowhere, which nothing provides "
        "(in metastore); declare the package in services/metastore/package.json if it is one, or add the name to "
        'packages."services/metastore".ignore'
    ) in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == "bake: error: check: 1 error stops the build; see above"
    assert done.returncode == 1


def test_what_only_files_to_serve_import_and_nothing_provides_is_the_bundlers_business(copy: Path) -> None:
    file = copy / "apps/frontend/src/main.tsx"
    file.write_text('import "virtual-thing";\n' + file.read_text())
    done = bake("check", cwd=copy)
    assert (
        "bake: warning: apps/frontend/src/main.tsx:1: imports virtual-thing, which nothing but the bundler's "
        "configuration may provide (in frontend); install it, or add it to "
        'packages."apps/frontend".ignore'
    ) in done.stderr.splitlines()


def test_a_manifest_that_changed_without_the_lockfile_is_found(copy: Path) -> None:
    file = copy / "services/metastore/package.json"
    file.write_text(file.read_text().replace('"fastify": "^5', '"fastify": "^4'))
    done = bake("check", cwd=copy)
    assert (
        "bake: error: services/metastore/package.json: fastify differs from package-lock.json; run `npm install`"
    ) in done.stderr.splitlines()
    assert done.returncode == 1


def test_the_json_of_list_has_ports_as_numbers_and_commands_as_lists() -> None:
    rows = {row["image"]: row for row in json.loads(bake("list", "catalog", "frontend", "--format", "json").stdout)}
    assert (rows["catalog-api"]["command"], rows["catalog-api"]["port"]) == (["node", "dist/server.js"], 4000)
    assert (rows["catalog-worker"]["command"], rows["catalog-worker"]["port"]) == (["tsx", "src/worker.ts"], None)
    assert (rows["frontend"]["command"], rows["frontend"]["port"]) == ("(static)", 8080)


def test_quiet_leaves_out_warnings_and_says_what_is_wrong(copy: Path) -> None:
    file = copy / "services/metastore/package.json"
    file.write_text(file.read_text().replace('"fastify": "^5', '"fastify": "^4'))
    done = bake("check", "--quiet", cwd=copy)
    assert done.stderr == (
        "bake: error: services/metastore/package.json: fastify differs from package-lock.json; run `npm install`\n"
    )
    assert done.returncode == 1


def test_a_bare_target_means_build() -> None:
    done = bake("metastore", "--dry-run", "--tag", "1", "--platform", "linux/arm64,linux/amd64")
    assert done.stdout.splitlines()[-1].split() == ["metastore", "linux/arm64,linux/amd64", "apphub-metastore:1"]
    assert done.returncode == 0


def test_help_names_every_command_and_imports_no_docker() -> None:
    program = """
import sys, bake.cli
try:
    bake.cli.main(["--help"])
except SystemExit:
    pass
print(sorted({"docker", "python_on_whales", "jinja2"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    from bake.commands import COMMANDS

    assert all(f"\n    {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_list_imports_no_docker() -> None:
    code = "import sys, bake.cli; bake.cli.main(['list']); print({'docker', 'python_on_whales'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_push_without_a_registry_is_usage() -> None:
    done = bake("metastore", "--push", BAKE_REGISTRY="")
    assert done.stderr == (
        "bake: error: --push: there is no registry; set project.registry in bake.toml or BAKE_REGISTRY\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        ("-q", "--file", str(EXAMPLE / "bake.toml"), "list", "metastore"),
        (f"--file={EXAMPLE}/bake.toml", "--platform", "linux/amd64", "list", "-q", "metastore"),
        ("list", "metastore", "-q", "-f", str(EXAMPLE / "bake.toml")),
        ("--tag", "list", "-f", str(EXAMPLE / "bake.toml"), "list", "metastore"),
    ],
)
def test_options_may_stand_before_and_behind_the_command(words: tuple[str, ...]) -> None:
    done = bake(*words, cwd=Path("/"))
    assert (done.stderr, done.returncode) == ("", 0)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["IMAGE", "metastore"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lits", "lits: no such image or service; did you mean `list`?"),
        ("--push lits", "lits: no such image or service; did you mean `list`?"),
        ("build lits", "lits: no such image or service; see `bake list`"),
        ("metastore list", "list: no such image or service; as a command, `list` comes before them"),
        ("help lits", "lits: no such command; did you mean `list`?"),
        ("help list nothing", "nothing: no such command; see `bake help`"),
    ],
)
def test_a_word_that_was_meant_for_a_command_is_told(words: str, said: str) -> None:
    done = bake(*words.split())
    assert (done.stdout, done.stderr, done.returncode) == ("", f"bake: error: {said}\n", 2)


@pytest.mark.parametrize(
    ("words", "same"), [("help", "--help"), ("help list", "list --help"), ("-h list", "--help list")]
)
def test_help_is_a_command_too(words: str, same: str) -> None:
    asked = bake(*words.split())
    assert asked.stdout == bake(*same.split()).stdout
    assert (asked.stdout.split()[:2], asked.stderr, asked.returncode) == (["usage:", "bake"], "", 0)


@pytest.mark.parametrize("words", ["list --plat linux/amd64", "--pus", "--vers", "list --form json"])
def test_no_option_is_taken_by_its_beginning(words: str) -> None:
    done = bake(*words.split())
    option = next(word for word in words.split() if word.startswith("--"))
    assert f": error: unrecognized arguments: {option}" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("project", "message"),
    [
        ("victim", "is of the project 'victim', not of 'apphub'; merge the files of this workspace's jobs"),
        ("apphub", "has no image; merge the files of jobs that built one"),
    ],
)
def test_a_shard_that_is_not_of_this_workspace_or_empty_is_refused(copy: Path, project: str, message: str) -> None:
    write_release(copy / "shard.json", Release(project=project, revision="a" * 40, images=()))
    done = bake("merge", "shard.json", cwd=copy)
    assert (done.returncode, done.stderr) == (2, f"bake: error: shard.json: {message}\n")
    assert not (copy / ".bake/release.json").exists()
