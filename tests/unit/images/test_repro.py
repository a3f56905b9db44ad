"""Comparing two builds of an image: the same bytes, or the layer and the files that differ."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bake.errors import BuildError
from bake.images import load_comparison
from bake.images.repro import Difference
from bake.registry import INDEX_TYPES
from bake.registry.oci import MANIFEST_TYPES

Files = Mapping[str, tuple[str, int]]
"""Path -> content, time."""


def layout(
    folder: Path, files: Files, *, platform: str = "amd64", env: str = "a", packing: int = 1, user: str = "1000"
) -> Path:
    """An OCI layout with one image of one layer, below an index."""

    def store(body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (folder / "blobs" / "sha256" / digest).write_bytes(body)
        return f"sha256:{digest}"

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (content, time) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), time
            tar.addfile(entry, io.BytesIO(content.encode()))
    layer = store(gzip.compress(packed.getvalue(), packing, mtime=0))
    history = [{"created_by": "COPY /bake/out/ / # buildkit"}, {"created_by": f"USER {user}", "empty_layer": True}]
    configuration = {"os": "linux", "architecture": platform, "config": {"Env": env}, "history": history}
    config = store(json.dumps(configuration | {"rootfs": layer}).encode())
    manifest = store(json.dumps({"config": {"digest": config}, "layers": [{"digest": layer}]}).encode())
    listed = {"digest": manifest, "mediaType": MANIFEST_TYPES[0], "platform": {"os": "linux", "architecture": platform}}
    index = store(json.dumps({"manifests": [listed]}).encode())
    (folder / "index.json").write_text(json.dumps({"manifests": [{"digest": index, "mediaType": INDEX_TYPES[0]}]}))
    return folder


def differences(tmp_path: Path, one: Files, other: Files, **changes: str) -> list[tuple[str, str, str]]:
    (found,) = load_comparison(layout(tmp_path / "1", one), layout(tmp_path / "2", other, **changes))  # type: ignore[arg-type]
    assert found.same == (not found.differences)
    return [(d.layer, d.path, d.what) for d in found.differences]


FILES = {"app/a.js": ("a", 1), "app/b.js": ("b", 1)}
LAYER = "COPY /bake/out/ /"


def test_the_same_bytes_have_no_difference(tmp_path: Path) -> None:
    assert differences(tmp_path, FILES, FILES) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({**FILES, "app/b.js": ("c", 1)}, [(LAYER, "app/b.js", "content")]),
        ({**FILES, "app/b.js": ("b", 2)}, [(LAYER, "app/b.js", "time 1.0, then 2.0")]),
        ({"app/a.js": ("a", 1)}, [(LAYER, "app/b.js", "only in the first build")]),
        (dict(reversed(FILES.items())), [(LAYER, "", "the same files in another order")]),
    ],
    ids=["content", "time", "absent", "order"],
)
def test_a_file_that_differs_is_named_with_its_layer(
    tmp_path: Path, other: Files, expected: list[tuple[str, str, str]]
) -> None:
    assert differences(tmp_path, FILES, other) == expected


def test_a_configuration_that_differs_is_named_by_its_key(tmp_path: Path) -> None:
    assert differences(tmp_path, FILES, FILES, env="b") == [("configuration", "config.Env", "a, then b")]


def test_layers_that_are_packed_in_another_way_say_so(tmp_path: Path) -> None:
    long = {"a": ("".join(map(str, range(5000))), 1)}
    (found,) = load_comparison(layout(tmp_path / "1", long), layout(tmp_path / "2", long, packing=9))
    assert [d.what for d in found.differences] == ["the same files, packed in another way"]


def test_a_platform_that_only_one_build_has_is_named(tmp_path: Path) -> None:
    found = load_comparison(layout(tmp_path / "1", FILES), layout(tmp_path / "2", FILES, platform="arm64"))
    assert [c.differences for c in found] == [
        (Difference(platform="linux/amd64", layer="image", path="", what="missing in the second build"),),
        (Difference(platform="linux/arm64", layer="image", path="", what="missing in the first build"),),
    ]


def test_what_is_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"index\.json: is no part of an OCI layout"):
        load_comparison(tmp_path, tmp_path)


def test_an_instruction_that_differs_is_named_by_its_number(tmp_path: Path) -> None:
    told = ("configuration", "history 2.created_by", "USER 1000, then USER 0")
    assert differences(tmp_path, FILES, FILES, user="0") == [told]
