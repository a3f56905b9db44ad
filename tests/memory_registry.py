"""A container registry in memory, which a test can watch and disturb between any two requests."""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from bake.registry import INDEX_TYPES, Registry
from bake.registry.oci import MANIFEST_TYPES
from tests.scripted_server import Answer, Asked, scripted_server

_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<target>[^/]+)")
_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class MemoryRegistry:
    """What is in it. before: sees each request, and answers in the registry's stead when it gives an answer."""

    host: str = ""
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    before: Callable[[Asked], Answer | None] = lambda _: None
    deletes: bool = True
    lock: Lock = field(default_factory=Lock)

    def image(self, name: str, *, revision: str, created: str, content: str = "") -> str:
        """Store an image for linux/amd64 and linux/arm64; gives the digest of its index."""
        entries = []
        for architecture in ("amd64", "arm64"):
            labels = {"org.opencontainers.image.revision": revision}
            config = self._blob(
                {"os": "linux", "architecture": architecture, "created": created, "config": {"Labels": labels}}
            )
            layers = [self._blob({"shared": True}), self._blob({"content": content, "for": architecture})]
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": config, "layers": layers}
            body = json.dumps(manifest).encode()
            self.manifests[name, digest_of(body)] = (MANIFEST_TYPES[0], body)
            platform = {"os": "linux", "architecture": architecture}
            entries.append({"digest": digest_of(body), "size": len(body), "platform": platform})
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": entries}).encode()
        self.manifests[name, digest_of(index)] = (INDEX_TYPES[0], index)
        return digest_of(index)

    def _blob(self, content: object) -> dict[str, object]:
        body = json.dumps(content).encode()
        self.blobs[digest_of(body)] = body
        return {"digest": digest_of(body), "size": len(body)}

    def answer(self, asked: Asked) -> Answer:
        """The registry's own answer, unless `before` has one."""
        with self.lock:
            instead = self.before(asked)
            return instead if instead is not None else self._answer(asked)

    def _answer(self, asked: Asked) -> Answer:
        if found := _MANIFEST.fullmatch(asked.path):
            return self._manifest(asked, found["name"], found["target"])
        if (found := _BLOB.fullmatch(asked.path)) and found["digest"] in self.blobs:
            return _blob(self.blobs[found["digest"]], asked.headers.get("range", ""))
        if found := re.fullmatch(r"/v2/(.+)/tags/list(\?.*)?", asked.path):
            tags = [tag for name, tag in self.tags if name == found[1]]
            return Answer(body=json.dumps({"tags": tags}).encode())
        if asked.method == "POST" and asked.path.endswith("/blobs/uploads/"):
            return Answer(status=202, headers={"Location": f"{asked.path}1"})
        if asked.method == "PUT" and "/blobs/uploads/1?digest=" in asked.path:
            return Answer(status=201)
        if asked.method == "DELETE" and asked.path.endswith("/blobs/uploads/1"):
            return Answer(status=204, body=b"")
        return Answer(status=404)

    def _manifest(self, asked: Asked, name: str, target: str) -> Answer:
        if asked.method == "PUT":
            digest = digest_of(asked.body)
            self.manifests[name, digest] = (asked.headers["content-type"], asked.body)
            if target != digest:
                self.tags[name, target] = digest
            return Answer(status=201)
        if asked.method == "DELETE":
            return self._delete(name, target)
        digest = self.tags.get((name, target), target)
        if (name, digest) not in self.manifests:
            return Answer(status=404)
        media_type, body = self.manifests[name, digest]
        return Answer(body=body, headers={"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _delete(self, name: str, digest: str) -> Answer:
        if not self.deletes:
            return Answer(status=405, body=b'{"errors": [{"code": "UNSUPPORTED"}]}')
        if self.manifests.pop((name, digest), None) is None:
            return Answer(status=404)
        for tag in [t for t, d in self.tags.items() if t[0] == name and d == digest]:
            del self.tags[tag]
        return Answer(status=202)

    @staticmethod
    @functools.cache  # a client reads the CA bundle, which takes longer than a test
    def client() -> Registry:
        """A client of it that does not wait between attempts."""
        return Registry(sleep=lambda _: None)


def _blob(body: bytes, wanted: str) -> Answer:
    """The blob, or of `bytes=-N` its end."""
    return Answer(status=206, body=body[-int(wanted.removeprefix("bytes=-")) :]) if wanted else Answer(body=body)


@contextmanager
def memory_registry() -> Iterator[MemoryRegistry]:
    """A registry that runs on the loopback."""
    registry = MemoryRegistry()
    with scripted_server(registry.answer) as server:
        registry.host = server.host
        yield registry
