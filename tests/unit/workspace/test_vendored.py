"""Dependencies that are named by a path: what an install has to find in the workspace."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bake.workspace import Package, load_vendored


def vendored(root: Path, manifests: Mapping[str, Mapping[str, Any]], lock: str = "") -> tuple[str, ...]:
    for name in ("vendor/x.tgz", "vendor/deep/y.tar.gz", "vendor/lib/package.json", "apps/own/z.tgz", "fix/a.patch"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", encoding="utf-8")
    packages = (Package(path=path, name=path, version="", manifest=about) for path, about in manifests.items())
    return load_vendored(root, packages, lock)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("file:../../vendor/x.tgz", ("vendor/x.tgz",)),
        ("../../vendor/x.tgz", ("vendor/x.tgz",)),
        ("file:../../vendor/lib", ("vendor/lib",)),
        ("link:../../vendor/lib", ("vendor/lib",)),
        ("portal:../../vendor/lib", ("vendor/lib",)),
        ("file:../own/z.tgz", ("apps/own/z.tgz",)),
        ("patch:a@npm%3A1.0.0#~/fix/a.patch", ("fix/a.patch",)),
        ("patch:a@npm%3A1.0.0#../../fix/a.patch::version=1", ("fix/a.patch",)),
        ("patch:typescript@npm%3A5.0.0#optional!builtin<compat/typescript>", ()),
        ("file:../own", ()),
        ("file:../../gone.tgz", ()),
        ("file:../../../outside.tgz", ()),
        ("^1.0.0", ()),
        ("npm:other@1.0.0", ()),
        ("workspace:*", ()),
        ("https://example.org/x.tgz", ()),
        ("git+ssh://git@example.org/x.git#main", ()),
        ("acme/lib#main", ()),
    ],
)
def test_a_path_in_a_dependency_counts_from_its_package(tmp_path: Path, spec: str, found: tuple[str, ...]) -> None:
    (tmp_path / "outside.tgz").write_text("", encoding="utf-8")
    root = tmp_path / "workspace"
    manifests = {"": {}, "apps/api": {"dependencies": {"x": spec}}, "apps/own": {}}
    assert vendored(root, manifests) == found


@pytest.mark.parametrize(
    "fields",
    [
        {"overrides": {"a": {"b": "file:vendor/x.tgz"}}},
        {"resolutions": {"a": "file:./vendor/x.tgz"}},
        {"pnpm": {"overrides": {"a": "file:vendor/x.tgz"}}},
    ],
)
def test_overrides_name_paths_from_the_root(tmp_path: Path, fields: Mapping[str, Any]) -> None:
    assert vendored(tmp_path, {"": fields, "apps/api": {"overrides": {"a": "file:../../vendor/deep/y.tar.gz"}}}) == (
        "vendor/x.tgz",
    )


def test_the_lockfile_names_what_other_files_ask_for(tmp_path: Path) -> None:
    npm = json.dumps({"packages": {"node_modules/y": {"resolved": "file:vendor/deep/y.tar.gz"}}})
    assert vendored(tmp_path, {"": {}}, npm) == ("vendor/deep/y.tar.gz",)
    pnpm = "  sheet@file:vendor/x.tgz:\n    resolution: {integrity: sha512-a==, tarball: file:vendor/x.tgz}\n"
    assert vendored(tmp_path, {"": {}}, pnpm) == ("vendor/x.tgz",)
