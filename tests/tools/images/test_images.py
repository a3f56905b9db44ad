"""`bake size`, `inspect` and `layers` on images that never were built: an OCI layout and a registry in memory."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bake.cli import main
from bake.publish import Release, write_release
from bake.publish.release import ReleasedImage
from bake.registry import INDEX_TYPES
from bake.registry.oci import MANIFEST_TYPES
from tests.git_workspace import GitWorkspace, make_git_workspace
from tests.memory_registry import MemoryRegistry, memory_registry
from tests.scripted_server import Answer, Asked

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
Blobs = dict[str, bytes]


def put(blobs: Blobs, body: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    blobs[digest] = body
    return {"digest": digest, "size": len(body)}


def tar(files: Mapping[str, int]) -> bytes:
    """A layer with files of these sizes, which do not compress."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, size in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = size
            archive.addfile(entry, io.BytesIO(hashlib.shake_128(name.encode()).digest(size)))
    return packed.getvalue()


def put_image(blobs: Blobs, *layers: tuple[str, Mapping[str, int]], plain: bool = False) -> tuple[str, bytes]:
    """Store an image of (created_by, files); gives its manifest's digest and body."""
    pack = bytes if plain else lambda body: gzip.compress(body, mtime=0)
    media = GZIP.removesuffix("+gzip") if plain else GZIP
    described = [{**put(blobs, pack(tar(files))), "mediaType": media} for _said, files in layers]
    process = {"User": "1000:1000", "Cmd": ["node", "dist/server.js"], "WorkingDir": "/app/services/api"}
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": process,
        "history": [{"created_by": said} for said, _files in layers],
    }
    manifest = {"config": put(blobs, json.dumps(config).encode()), "layers": described}
    body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], **manifest}).encode()
    return str(put(blobs, body)["digest"]), body


BASE = ("ADD os.tar /", {"bin/node": 3000})
API = ("COPY /bake/out/ / # buildkit", {"app/services/api/package.json": 100, "app/services/api/dist/server.js": 400})
WEB = ("COPY /bake/out/ / # buildkit", {"app/services/web/package.json": 100, "app/services/web/dist/index.html": 200})


def modules(left: int) -> tuple[str, Mapping[str, int]]:
    return (
        "COPY /layers/api/ / # buildkit",
        {"app/node_modules/left/index.js": left, "app/node_modules/deep/index.js": 500},
    )


class Engine:
    """An engine that has images by name and saves them as an OCI layout."""

    def __init__(self) -> None:
        self.blobs: Blobs = {}
        self.names: dict[str, str] = {}
        self.saved: list[Sequence[str]] = []

    def build(self, name: str, *layers: tuple[str, Mapping[str, int]], plain: bool = False) -> None:
        self.names[name] = put_image(self.blobs, *layers, plain=plain)[0]

    def ids(self, references: Mapping[str, str]) -> Mapping[str, str]:
        return {target: self.names[name] for target, name in references.items() if name in self.names}

    def save(self, references: Sequence[str], file: Path) -> None:
        self.saved.append(references)
        named = [(name, self.names[name]) for name in references]
        index = {
            "manifests": [
                {"digest": d, "annotations": {"io.containerd.image.name": f"docker.io/library/{n}"}} for n, d in named
            ]
        }
        with tarfile.open(file, "w") as archive:
            files = {f"blobs/{d.replace(':', '/')}": body for d, body in self.blobs.items()}
            for name, body in {**files, "index.json": json.dumps(index).encode()}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitWorkspace:
    shop = make_git_workspace(tmp_path / "shop")
    shop.replace("bake.toml", 'name = "shop"', 'name = "shop"\ntag = "dev"')
    shop.commit()
    monkeypatch.chdir(shop.root)
    return shop


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    engine.build("shop-api:dev", BASE, modules(left=20_000), API)
    engine.build("shop-web:dev", BASE, WEB)
    monkeypatch.setattr("bake.images.read.image_ids", engine.ids)
    monkeypatch.setattr("bake.images.read.save_images", engine.save)
    return engine


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main([*words]) == status
    return capsys.readouterr().out


def test_size_tells_what_images_weigh(shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(told(capsys, "size", "--format", "json"))
    api, web = report["images"]
    assert (api["image"], api["platform"]) == ("api", "linux/amd64")
    assert api["own"]["unpacked"] == 21_000
    assert api["base"]["unpacked"] == web["base"]["unpacked"] == 10_240
    assert api["own"]["stored"] > 20_500
    assert report["fleet"]["own"]["stored"] == api["own"]["stored"] + web["own"]["stored"]
    assert report["fleet"]["base"] == api["base"]


def test_size_is_a_markdown_table_for_a_pull_request(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(capsys, "size", "web", "--format", "markdown").splitlines()
    assert lines[:2] == [
        "| image | platform | base | shared | own | size | unpacked |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    assert lines[2].startswith("| web | amd64 | 3.")


def test_what_a_digest_holds_is_read_once(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    first = told(capsys, "size")
    assert told(capsys, "size") == first
    assert engine.saved == [["shop-api:dev", "shop-web:dev"]]
    engine.build("shop-api:dev", BASE, modules(left=10), API)
    assert told(capsys, "size") != first
    assert engine.saved[1:] == [["shop-api:dev"]]


def test_an_engine_without_compression_is_measured_as_a_push_would_be(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = json.loads(told(capsys, "size", "api", "--format", "json"))["images"][0]
    engine.build("shop-api:dev", BASE, modules(left=20_000), API, plain=True)
    plain = json.loads(told(capsys, "size", "api", "--format", "json"))["images"][0]
    assert abs(plain["total"]["stored"] - packed["total"]["stored"]) < 100
    assert plain["total"]["unpacked"] == packed["total"]["unpacked"]


def test_an_image_that_is_not_there_is_named_with_its_command(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    del engine.names["shop-web:dev"]
    assert main(["size"]) == 4
    error = "bake: error: web: the engine does not have shop-web:dev; build it (`bake build web`), or add --pushed\n"
    assert capsys.readouterr().err == error
    assert json.loads(told(capsys, "size", "api", "--format", "json"))["fleet"]["images"] == 1


def test_an_image_over_its_budget_fails(shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    shop.replace("bake.toml", "[services.api]", '[budget]\nimage = "1 kB"\n\n[services.api]\nbudget = "20.5 kB"')
    assert main(["size"]) == 1
    said = capsys.readouterr().err
    assert said == "bake: error: api (linux/amd64): 21.5 kB is 987 B over services.api.budget\n"


def test_a_fleet_over_its_budget_fails(shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    shop.replace("bake.toml", "[services.api]", '[budget]\nfleet = "20 kB"\n\n[services.api]')
    assert main(["size"]) == 1
    assert capsys.readouterr().err == "bake: error: all images: 22.0 kB is 2.0 kB over budget.fleet\n"


def push(server: MemoryRegistry, file: Path, *layers: tuple[str, Mapping[str, int]]) -> None:
    """Put an image `api` there, and the manifest of that push into the file."""
    digest, body = put_image(server.blobs, *layers)
    server.manifests["shop-api", digest] = (MANIFEST_TYPES[0], body)
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest, "size": 1}]}).encode()
    top = f"sha256:{hashlib.sha256(index).hexdigest()}"
    server.manifests["shop-api", top] = (INDEX_TYPES[0], index)
    image = ReleasedImage(image="api", repository=f"{server.host}/shop-api", digest=top, platforms=(), bytes=1)
    file.parent.mkdir(exist_ok=True)
    write_release(file, Release(project="shop", images=(image,)))


@pytest.mark.parametrize("ranges", [True, False])
def test_size_of_pushed_images_reads_no_more_of_a_base_than_the_size_it_unpacks_to(
    ranges: bool, shop: GitWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted: list[str] = []

    def before(asked: Asked) -> Answer | None:
        wanted.extend(asked.headers[name] for name in asked.headers if name == "range")
        digest = asked.path.rpartition("/")[2]
        return None if ranges or digest not in server.blobs else Answer(body=server.blobs[digest])

    with memory_registry() as server:
        push(server, shop.root / ".bake" / "release.json", BASE, modules(left=2_000), API)
        server.before = before
        (api,) = json.loads(told(capsys, "size", "api", "--pushed", "--format", "json"))["images"]
    assert wanted == ["bytes=-4"]
    assert (api["base"]["unpacked"], api["total"]["unpacked"]) == (10_240, 13_240)


def test_size_of_pushed_images_without_their_base_leaves_open_what_it_unpacks_to(
    shop: GitWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with memory_registry() as server:
        push(server, shop.root / ".bake" / "release.json", BASE, modules(left=2_000), API)
        server.before = lambda asked: Answer(status=404) if "range" in asked.headers else None
        text = told(capsys, "size", "api", "--pushed")
    assert text.splitlines()[0].split() == ["IMAGE", "PLATFORM", "BASE", "SHARED", "OWN", "SIZE"]


def test_size_against_an_earlier_push_names_the_package_and_who_brought_it(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with memory_registry() as server:
        push(server, shop.root / "old.json", BASE, modules(left=2_000), API)
        report = json.loads(told(capsys, "size", "--against", "old.json", "--format", "json"))
        text = told(capsys, "size", "--against", "old.json")
    assert report["growth"] == [
        {
            "holder": "node_modules/left",
            "before": 2_000,
            "after": 20_000,
            "images": ["api"],
            "via": ["services/api", "node_modules/left"],
            "said": "",
            "bytes": 18_000,
        }
    ]
    assert 17_900 < report["images"][0]["change"] < 18_100
    assert "change" not in report["images"][1]
    assert text.splitlines()[-1].split() == [
        "node_modules/left", "20.0", "kB", "+18.0", "kB", "api", "services/api", ">", "left",
    ]  # fmt: skip


def test_size_since_a_revision_tells_what_changed_packages_weigh(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.lock({"deep": "1.0.1"})
    assert told(capsys, "size", "--since", "HEAD").splitlines()[-1].split() == [
        "deep", "1.0.0", "->", "1.0.1", "500", "B", "api", "services/api", ">", "left", ">", "deep",
    ]  # fmt: skip


def test_inspect_tells_what_is_in_an_image_and_why(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(told(capsys, "inspect", "api", "--format", "json"))
    left, deep, api = found["packages"]
    ways = ["services/api", "node_modules/left", "node_modules/deep"]
    assert left == {"path": "node_modules/left", "version": "1.0.0", "bytes": 20_000, "via": ways[:2], "files": {}}
    assert deep == {"path": "node_modules/deep", "version": "1.0.0", "bytes": 500, "via": ways, "files": {}}
    files = {"dist/server.js": 400, "package.json": 100}
    assert api == {"path": "services/api", "version": "1.0.0", "bytes": 500, "via": ways[:1], "files": files}
    assert found["platforms"][0]["user"] == "1000:1000"
    assert [one["origin"] for one in found["platforms"][0]["layers"]] == ["base", "dependencies", "packages"]


def test_inspect_tells_why_one_package_is_there(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "inspect", "api", "deep").splitlines()[-1].split() == [
        "node_modules/deep", "1.0.0", "500", "B", "services/api", ">", "left", ">", "deep",
    ]  # fmt: skip
    assert main(["inspect", "api", "right"]) == 2
    assert capsys.readouterr().err == "bake: error: right: is not in api; `bake inspect api` lists what is\n"


def test_layers_shows_classes_with_their_bytes(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = json.loads(told(capsys, "layers", "--format", "json"))
    assert (row["layer"], row["services"], row["images"]) == ("api", ["api"], ["api"])
    assert row["packages"] == ["node_modules/@shop/lib", "node_modules/deep 1.0.0", "node_modules/left 1.0.0"]
    assert [(b["unpacked"], b["platforms"]) for b in row["platforms"]] == [(20_500, ["linux/amd64"])]


def test_layers_are_shown_without_sizes_before_a_build(
    shop: GitWorkspace, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.names.clear()
    assert main(["layers"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split() == ["api", "3", "1", "api"]
    assert err.startswith("bake: warning: without sizes: api: the engine does not have shop-api:dev;")
