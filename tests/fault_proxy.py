"""A proxy on the loopback in front of a registry, which breaks requests as a test says."""

import http.client
import json
import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Literal

_PIECE = 1 << 16
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass
class Fault:
    """What happens to requests that match. path: expression searched in the path with its query.

    status answers with it; reset breaks the connection in the middle of the request's body; slow passes the
    body on in pieces with pauses. times: how many requests it hits.
    """

    method: str
    path: str
    kind: Literal["status", "reset", "slow"] = "status"
    status: int = 500
    times: int = 1_000_000
    hit: int = 0


@dataclass
class FaultProxy:
    """A running proxy: its address, what it breaks, and the requests that it passed on."""

    host: str = ""
    faults: list[Fault] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def fault(self, method: str, path: str) -> Fault | None:
        """The first fault that this request meets, which counts it."""
        with self.lock:
            for one in self.faults:
                if one.method == method and one.hit < one.times and re.search(one.path, path):
                    one.hit += 1
                    return one
            self.passed.append((method, path))
            return None

    def uploads(self) -> list[str]:
        """The paths of requests that carried a blob."""
        return [path for method, path in self.passed if method in {"PATCH", "PUT"} and "/blobs/" in path]


@contextmanager
def fault_proxy(registry: str) -> Iterator[FaultProxy]:
    """Run one in front of host:port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.registry = registry
    server.proxy = FaultProxy(host=f"127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: str
    proxy: FaultProxy

    def handle_error(self, *args: object) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # Docker tries TLS first, and wants to be told in HTTP's words

    def do_GET(self) -> None:  # the name that http.server calls
        fault = self.server.proxy.fault(self.command, self.path)
        if fault is None or fault.kind == "slow":
            self._forward(slow=fault is not None)
        elif fault.kind == "status":
            for _ in self._body():
                pass
            self._refuse(fault.status)
        else:
            next(self._body(), b"")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _refuse(self, status: int) -> None:
        code = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}.get(status, "UNKNOWN")
        body = json.dumps({"errors": [{"code": code, "message": "broken on purpose"}]}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _forward(self, *, slow: bool) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        # Closed whatever comes: a client that goes away in the middle would leave the socket to the collector.
        with closing(http.client.HTTPConnection(self.server.registry, timeout=60)) as upstream:
            upstream.request(self.command, self.path, body=self._paced(slow), headers=headers, encode_chunked=chunked)
            with upstream.getresponse() as answer:
                self._pass_back(answer, answer.read())

    def _pass_back(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(body)

    def _paced(self, slow: bool) -> Iterator[bytes]:
        for piece in self._body():
            for at in range(0, len(piece), 256 if slow else _PIECE):
                if slow:
                    time.sleep(0.001)
                yield piece[at : at + (256 if slow else _PIECE)]

    def _body(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def log_message(self, *args: object) -> None:
        pass
