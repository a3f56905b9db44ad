"""Images and an all-in-one image that differ from each other are told apart by their files. On the real engine."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bake.engine.docker import connect
from tests.engine.conftest import Workspace
from tests.engine.trials import built_trials, containers_of

pytestmark = pytest.mark.engine

ROLES = ("box-well", "box-once", "page")


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("verify") / "workspace"
    yield from built_trials(root, *ROLES, "monolith")


def altered(
    trials: Workspace, image: str, tag: str, *, write: Mapping[str, str] | None = None, remove: str = ""
) -> str:
    """A copy of an image under another tag with files written or one removed; gives its reference."""
    with connect() as client:
        command = ["rm", "-r", remove] if remove else None
        made = client.containers.create(f"{image}:trial", command=command, user="0")
        try:
            if write:
                made.put_archive("/", _archive(write))
            if remove:
                made.start()
                assert made.wait()["StatusCode"] == 0
            made.commit(image, tag)
        finally:
            made.remove(force=True)
    return f"{image}:{tag}"


def _archive(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def verify(trials: Workspace, *words: str) -> tuple[int, list[tuple[str, str, list[str]]]]:
    """Exit status, and kind, path and images of every finding."""
    done = trials.bake("verify", *ROLES, "--format", "json", *words)
    assert done.stdout, done.stderr
    packages = json.loads(done.stdout)["packages"]
    return done.returncode, [(f["kind"], f["path"], f["images"]) for p in packages for f in p["findings"]]


def tag_all(trials: Workspace, tag: str, *others: str) -> None:
    """Give the roles' images another tag, apart from those that have been altered."""
    for role in set(ROLES) - set(others):
        name = f"{trials.project}-{role}"
        subprocess.run(["docker", "tag", f"{name}:trial", f"{name}:{tag}"], check=True)


def test_images_and_the_monolith_of_one_revision_are_the_same(trials: Workspace) -> None:
    done = trials.bake("verify", *ROLES)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert rows == [
        ["PACKAGE", "IMAGES", "FILES", "IDENTICAL", "DIFFERING", "MISSING", "LOST", "NEW"],
        ["libraries/words", "3", "2", "2", "0", "0", "0", "0"],
        ["services/box", "2", "25", "25", "0", "0", "0", "0"],
        ["services/page", "1", "4", "4", "0", "0", "0", "0"],
    ]
    assert done.stderr.endswith("every file is the same in 3 images and the monolith\n")


def test_a_service_whose_dist_differs_is_caught(trials: Workspace) -> None:
    path = "services/box/dist/well.js"
    altered(trials, f"{trials.project}-box-well", "differs", write={f"/app/{path}": "// something else\n"})
    tag_all(trials, "differs", "box-well")
    status, found = verify(trials, "--tag", "differs", "--against", f"{trials.project}:trial")
    assert (status, found) == (1, [("differing", path, ["box-well (linux/amd64)"])])


def test_an_asset_that_no_image_has_is_lost(trials: Workspace) -> None:
    path = "services/box/assets/more.json"
    reference = altered(trials, trials.project, "richer", write={f"/app/{path}": "{}\n"})
    assert verify(trials, "--against", reference) == (1, [("lost", path, ["monolith"])])


def test_an_asset_that_one_image_lacks_is_missing(trials: Workspace) -> None:
    path = "services/box/assets/list.json"
    altered(trials, f"{trials.project}-box-once", "lacks", remove=f"/app/{path}")
    tag_all(trials, "lacks", "box-once")
    status, found = verify(trials, "--tag", "lacks", "--no-monolith")
    assert (status, found) == (1, [("missing", path, ["box-once (linux/amd64)"])])


def test_tests_and_secrets_of_the_monolith_are_no_loss(trials: Workspace) -> None:
    files = {"/app/services/box/.env": "TOKEN=1\n", "/app/services/box/tests/more.js": "// a test\n"}
    reference = altered(trials, trials.project, "untidy", write=files)
    assert verify(trials, "--against", reference) == (0, [])


def test_a_monolith_that_is_not_there_is_a_warning_and_asked_for_an_error(trials: Workspace) -> None:
    text = (trials.root / "bake.toml").read_text(encoding="utf-8")
    trials.write("absent.toml", text.replace("[monolith]", '[monolith]\nimage = "absent"'))
    done = trials.bake("--file", "absent.toml", "verify", "page")
    assert done.returncode == 0
    assert "bake: warning: not compared with the monolith: " in done.stderr
    named = trials.bake("verify", "page", "--against", f"{trials.project}:absent")
    assert named.returncode == 4


def test_parity_names_what_only_the_monolith_has(trials: Workspace) -> None:
    done = trials.bake("parity", *ROLES, "--format", "json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert items(answer["lost"]) == ["command postgres", "port 9000", "env OLD_SETTING", "env STORE"]
    assert items(answer["gained"]) == ["command services/box/dist/once.js", "env NODE_ENV"]


def test_parity_accepts_what_the_configuration_names(trials: Workspace) -> None:
    accept = 'accept = ["command postgres", "PORT 9000", "env OLD_*", "env STORE"]'
    text = (trials.root / "bake.toml").read_text(encoding="utf-8")
    trials.write("accepting.toml", text.replace("[monolith]", f"[monolith]\n{accept}"))
    done = trials.bake("--file", "accepting.toml", "parity", *ROLES)
    assert (done.returncode, done.stderr) == (0, "nothing lost (4 accepted), 2 gained\n")


def test_reading_leaves_no_container(trials: Workspace) -> None:
    trials.bake("verify", *ROLES)
    assert containers_of(trials.project) == []


def items(given: list[Mapping[str, Any]]) -> list[str]:
    return [f"{i['kind']} {i['name']}" for i in given]
