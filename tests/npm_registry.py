"""A registry for npm that lives in the test: made-up packages, real protocol, real tarballs."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

Manifests = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Package name -> version -> manifest fields; `bundleDependencies` are packed from these, newest version."""


@contextmanager
def npm_registry(manifests: Manifests) -> Iterator[str]:
    """Serve the packages on a free port of the loopback; yield the registry's URL."""
    answers: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(unquote(self.path))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    answers.update(_answers(manifests, url))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answers(manifests: Manifests, url: str) -> Iterator[tuple[str, bytes]]:
    for name, versions in manifests.items():
        document: dict[str, Any] = {"name": name, "versions": {}, "dist-tags": {"latest": list(versions)[-1]}}
        for version, fields in versions.items():
            manifest = {"name": name, "version": version, **fields}
            tarball = _tarball(manifest, manifests)
            path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
            yield path, tarball
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
            document["versions"][version] = manifest | {"dist": {"tarball": url + path, "integrity": integrity}}
        yield f"/{name}", json.dumps(document).encode()


def _tarball(manifest: Mapping[str, Any], manifests: Manifests) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in _files("package", manifest, manifests):
            info = tarfile.TarInfo(f"{path}/package.json")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _files(path: str, manifest: Mapping[str, Any], manifests: Manifests) -> Iterator[tuple[str, bytes]]:
    yield path, json.dumps(manifest).encode()
    for name in manifest.get("bundleDependencies", ()):
        version = list(manifests[name])[-1]
        bundled = {"name": name, "version": version, **manifests[name][version]}
        yield from _files(f"{path}/node_modules/{name}", bundled, manifests)
