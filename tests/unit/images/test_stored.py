"""Images as they are stored: what each layer is, and whose files it holds."""

import gzip
import io
import tarfile
from collections.abc import Mapping

import pytest

from bake.images.blobs import Contents, make_contents, make_stored, read_contents, read_stored, unpacked_size

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


def history(*words: str) -> list[Mapping[str, object]]:
    return [{"created_by": w.removeprefix("-"), **({"empty_layer": True} if w.startswith("-") else {})} for w in words]


def origins(config: Mapping[str, object], count: int) -> list[tuple[str, str]]:
    manifest = {"layers": [{"digest": f"sha256:{i}", "size": i, "mediaType": GZIP} for i in range(count)]}
    stored = make_stored("web", "sha256:m", manifest, {"os": "linux", "architecture": "amd64", **config})
    return [(one.origin, one.name) for one in stored.layers]


def test_layers_are_told_by_what_buildkit_says_of_them() -> None:
    said = history(
        "-ARG TARGETARCH=amd64",
        "ADD os.tar / # buildkit",
        "COPY docker-entrypoint.sh /usr/local/bin/ # buildkit",
        "COPY /bake/out/web/ / # buildkit",
        "WORKDIR /app/services/web",
        "COPY /layers/shared-5a949ad9-native/ / # buildkit",
        "COPY / / # buildkit",
        "COPY /bake/out/ / # buildkit",
        "-USER 1000:1000",
    )
    assert origins({"history": said}, 7) == [
        ("base", ""),
        ("base", ""),
        ("settings", ""),
        ("settings", ""),
        ("dependencies", "shared-5a949ad9-native"),
        ("packages", ""),
        ("packages", ""),
    ]


def test_layers_without_a_history_are_the_base_images() -> None:
    said = history("COPY /layers/web/ / # buildkit", "COPY /out/ / # buildkit")
    assert origins({"history": said}, 4) == [("base", ""), ("base", ""), ("dependencies", "web"), ("packages", "")]
    # BuildKit fills up such a history at its end.
    said += history("[service-web 5/5] WORKDIR /app", "created by buildkit")
    assert origins({"history": said}, 4) == [("base", ""), ("base", ""), ("dependencies", "web"), ("packages", "")]
    assert origins({}, 2) == [("base", ""), ("base", "")]


def test_a_platform_has_its_variant() -> None:
    config = {"os": "linux", "architecture": "arm", "variant": "v7"}
    assert make_stored("web", "sha256:m", {}, config).platform == "linux/arm/v7"


def test_an_index_gives_its_platforms_without_attestations_and_what_is_not_there() -> None:
    blobs: Mapping[str, Mapping[str, object]] = {
        "index": {
            "manifests": [
                {"digest": "amd", "platform": {"os": "linux"}},
                {"digest": "arm", "platform": {"os": "linux"}},
                {"digest": "attestation", "platform": {"os": "unknown"}},
            ]
        },
        "amd": {"config": {"digest": "config"}, "layers": []},
        "attestation": {"config": {"digest": "config"}},
        "config": {"os": "linux", "architecture": "amd64"},
    }
    found = tuple(read_stored("web", "index", blobs.__getitem__))
    assert [(s.image, s.platform, s.digest) for s in found] == [("web", "linux/amd64", "amd")]


def test_files_belong_to_the_innermost_lock_entry_or_to_their_package() -> None:
    sizes = {
        "app/node_modules/ajv/index.js": 1,
        "app/node_modules/ajv/node_modules/fast-uri/index.js": 2,
        "app/node_modules/@fastify/cors/index.js": 4,
        "app/services/api/node_modules/zod/index.js": 8,
        "app/services/api/package.json": 16,
        "app/services/api/dist/server.js": 32,
        "app/services/api/plugins/a/package.json": 64,
        "app/node_modules/.bin/ajv": 128,
        "app/serve.mjs": 256,
    }
    assert make_contents(sizes) == Contents(
        unpacked=511,
        files=9,
        holders={
            "node_modules/@fastify/cors": 4,
            "node_modules/ajv": 1,
            "node_modules/ajv/node_modules/fast-uri": 2,
            "services/api": 48,
            "services/api/node_modules/zod": 8,
            "services/api/plugins/a": 64,
        },
        largest={
            "services/api": {"dist/server.js": 32, "package.json": 16},
            "services/api/plugins/a": {"package.json": 64},
        },
    )


def test_the_largest_files_of_the_workspaces_own_packages_are_kept() -> None:
    sizes = {f"app/a/{number:02}.js": number for number in range(20)} | {"app/a/package.json": 1, "app/package.json": 3}
    largest = make_contents(sizes).largest
    assert list(largest["a"].items())[:2] == [("19.js", 19), ("18.js", 18)]
    assert (len(largest["a"]), largest["."]) == (12, {"package.json": 3})


def test_files_of_the_root_package_are_told_from_those_of_packages_in_its_folder() -> None:
    files = ("package.json", "dist/a.js", "packages/x/package.json", "packages/x/x.js", "app/package.json")
    sizes = {f"app/{name}": 1 for name in (*files, "node_modules/y/y.js")}
    assert make_contents(sizes).holders == {".": 2, "app": 1, "node_modules/y": 1, "packages/x": 2}


@pytest.mark.parametrize(("media", "pack"), [(GZIP, gzip.compress), (GZIP.removesuffix("+gzip"), bytes)])
def test_a_layers_contents_are_read(media: str, pack: "type[bytes]") -> None:
    blob = pack(layer({"app/node_modules/x/a.js": b"12345", "app/node_modules/x/b.js": b"1"}))
    assert read_contents(io.BytesIO(blob), media) == Contents(unpacked=6, files=2, holders={"node_modules/x": 6})


def test_zstd_is_not_read() -> None:
    assert read_contents(io.BytesIO(b""), "application/vnd.oci.image.layer.v1.tar+zstd") is None


def test_a_gzip_blobs_last_bytes_tell_its_unpacked_size() -> None:
    assert unpacked_size(gzip.compress(b"x" * 70_000)[-4:], GZIP) == 70_000
    assert unpacked_size(b"abcd", "application/vnd.oci.image.layer.v1.tar+zstd") is None
