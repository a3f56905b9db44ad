"""{content}: the hash of an image changes with what the image is made of, and with nothing else."""

import dataclasses
import errno
import functools
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bake.errors import WorkspaceError
from bake.inputs import load_contents
from bake.inputs.tree import Ignores, Present
from bake.plan import Request, make_plan
from bake.project import load_project
from tests.conftest import ROOT
from tests.shelf import LOCKFILES, write_shelf

REQUEST = Request(revision="a" * 40, branch="main")
IMAGES = ("catalog-api", "metastore", "filestore-api", "timestore-api", "frontend", "cli")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A copy of the example."""
    copy = tmp_path / "apphub"
    ignore = shutil.ignore_patterns("node_modules", ".bake", "dist")
    shutil.copytree(ROOT / "examples" / "apphub", copy, ignore=ignore, symlinks=True)
    return copy


def hashes(workspace: Path, request: Request = REQUEST) -> Mapping[str, str]:
    """Image -> hash, of one image of each service."""
    project = load_project(workspace / "bake.toml", {})
    found = load_contents(project, make_plan(project, request))
    return {i: found[i] for i in IMAGES}


def changed(workspace: Path, change: Callable[[Path], object], request: Request = REQUEST) -> list[str]:
    """The images whose hash is not that of the unchanged example after the change."""
    change(workspace)
    before, after = unchanged(), hashes(workspace, request)
    return [i for i in IMAGES if before[i] != after[i]]


@functools.cache
def unchanged() -> Mapping[str, str]:
    """The hashes of the example, in its own folder: another checkout than the tests' copies."""
    return hashes(ROOT / "examples" / "apphub")


def edit(path: str, text: str = "\n// edited\n") -> Callable[[Path], object]:
    def change(workspace: Path) -> None:
        file = workspace / path
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")

    return change


def replace(path: str, old: str, new: str) -> Callable[[Path], object]:
    def change(workspace: Path) -> None:
        text = (workspace / path).read_text(encoding="utf-8")
        assert old in text
        (workspace / path).write_text(text.replace(old, new), encoding="utf-8")

    return change


def test_another_checkout_of_a_later_commit_without_changes_has_the_same_hashes(workspace: Path) -> None:
    later = dataclasses.replace(REQUEST, revision="b" * 40, branch="other", version="2.0.0", tags=("x",))
    assert changed(workspace, lambda _: None, later) == []


@pytest.mark.parametrize(
    ("change", "images"),
    [
        (edit("services/metastore/src/routes.ts"), ["metastore"]),
        (edit("services/metastore/src/routes.ts", "\n// like 'croner'\n"), ["metastore"]),
        (edit("packages/shared/package.json", " "), ["catalog-api", "metastore", "filestore-api", "timestore-api"]),
        (edit("README.md"), []),
        (edit("tsconfig.base.json", "\n"), list(IMAGES)),
        (replace("bake.toml", "port = 4100", "port = 4101"), ["metastore"]),
        (replace("bake.toml", "node dist/scheduler.js", "node dist/server.js"), []),
        (replace("bake.toml", '[monolith]', '[labels]\n"a" = "b"\n\n[monolith]'), list(IMAGES)),
        (replace("bake.toml", "http://localhost:4000", "http://localhost:4001"), ["frontend"]),
    ],
    ids=["a source", "a mention", "a library", "a file no build sees", "a root file", "a port", "another's command",
         "a label", "a build argument"],
)  # fmt: skip
def test_a_change_concerns_the_images_that_it_is_in(
    workspace: Path, change: Callable[[Path], object], images: list[str]
) -> None:
    assert changed(workspace, change) == images


def test_a_package_with_another_integrity_concerns_the_services_that_need_it(workspace: Path) -> None:
    lock = json.loads((workspace / "package-lock.json").read_text())
    entry = lock["packages"]["services/metastore"]["dependencies"]
    name = next(n for n in entry if f"node_modules/{n}" in lock["packages"] and not n.startswith("@apphub"))

    def other_content(workspace: Path) -> None:
        lock["packages"][f"node_modules/{name}"]["integrity"] = "sha512-" + "A" * 86 + "=="
        (workspace / "package-lock.json").write_text(json.dumps(lock))

    found = changed(workspace, other_content)
    assert "metastore" in found
    assert "frontend" not in found


def test_where_builds_get_the_whole_installation_every_update_concerns_every_image(workspace: Path) -> None:
    def update(workspace: Path) -> None:
        lock = json.loads((workspace / "package-lock.json").read_text())
        lock["packages"]["node_modules/croner"]["integrity"] = "sha512-" + "A" * 86 + "=="
        (workspace / "package-lock.json").write_text(json.dumps(lock))

    before = hashes(workspace)
    update(workspace)
    assert [i for i in IMAGES if hashes(workspace)[i] != before[i]] == ["catalog-api"]
    shared = (workspace / "bake.toml").read_text() + "\n[workspace]\nisolate = false\n"
    (workspace / "bake.toml").write_text(shared)
    after = hashes(workspace)
    shutil.copy(ROOT / "examples" / "apphub" / "package-lock.json", workspace)
    assert [i for i in IMAGES if hashes(workspace)[i] != after[i]] == list(IMAGES)


def load_hash(root: Path, path: str, ignores: Ignores) -> Mapping[str, str]:
    tree = Present(root)
    return {file: tree.name(file) for file in tree.below(path, ignores)}


def test_a_folders_hash_tells_names_contents_modes_and_links_apart(tmp_path: Path) -> None:
    seen = [load_hash(tmp_path, "f", lambda _: False)]
    (tmp_path / "f").mkdir()
    for step in (
        lambda: (tmp_path / "f" / "a").write_text("1"),
        lambda: (tmp_path / "f" / "a").write_text("2"),
        lambda: (tmp_path / "f" / "a").chmod(0o755),
        lambda: (tmp_path / "f" / "a").rename(tmp_path / "f" / "b"),
        lambda: (tmp_path / "f" / "l").symlink_to("b"),
        lambda: (tmp_path / "f" / "l").rename(tmp_path / "f" / "m"),
    ):
        step()
        seen.append(load_hash(tmp_path, "f", lambda _: False))
    assert all(seen.count(one) == 1 for one in seen)


def test_what_never_reaches_a_build_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "f" / "node_modules").mkdir(parents=True)
    (tmp_path / "f" / "a").write_text("1")
    before = load_hash(tmp_path, "f", lambda p: p.endswith(".log"))
    (tmp_path / "f" / "node_modules" / "x").write_text("1")
    (tmp_path / "f" / "a.log").write_text("1")
    assert load_hash(tmp_path, "f", lambda p: p.endswith(".log")) == before


def test_pipes_and_sockets_are_not_read_and_what_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert load_hash(tmp_path, "pipe", lambda _: False) != load_hash(tmp_path, "absent", lambda _: False)
    (tmp_path / "file").touch()

    def refuse(file: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(WorkspaceError) as caught:
        load_hash(tmp_path, "file", lambda _: False)
    assert str(caught.value) == (
        "file: cannot be read (Permission denied); make it readable, or leave it out by workspace.ignore"
    )


@pytest.mark.parametrize("manager", ["pnpm", "pnpm hoisted", "berry", "classic"])
def test_images_of_every_package_manager_have_a_hash_that_follows_their_dependencies(
    tmp_path: Path, manager: str
) -> None:
    name, _, linker = manager.partition(" ")
    write_shelf(tmp_path, name)
    if linker:
        (tmp_path / ".npmrc").write_text(f"node-linker={linker}\n")
    services = "".join(f'[services.{s}]\npackage = "services/{s}"\n' for s in ("api", "worker"))
    (tmp_path / "bake.toml").write_text(f'[project]\nname = "shelf"\n{services}')

    def found() -> Mapping[str, str]:
        project = load_project(tmp_path / "bake.toml", {})
        return load_contents(project, make_plan(project, REQUEST))

    before, lock = found(), tmp_path / LOCKFILES[name]
    assert found() == before
    # The checksum of JSONStream, which the worker alone uses.
    text = lock.read_text().replace("E+iruNOY8VV9", "A+iruNOY8VV9").replace("10c0/0f54694da322", "10c0/aaaaaaaaaaaa")
    lock.write_text(text)
    after = found()
    assert after["worker"] != before["worker"]
    # Where the installed tree alone tells places, every update may move packages of all services.
    assert (after["api"] == before["api"]) == (manager == "pnpm")
