"""An HTTP server on the loopback that answers as a test says and remembers what it was asked."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. path: with query; a whole URL when a proxy is asked. headers: lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. status 0 closes the connection without a word."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server: its address, the requests it had, and the ports of the connections that brought them."""

    host: str
    url: str
    asked: list[Asked]
    connections: set[int]


@contextmanager
def scripted_server(
    answer: Callable[[Asked], Answer], *, certificate: tuple[Path, Path] | None = None
) -> Iterator[Server]:
    """Answer every request by the function; certificate (chain, key) makes it speak TLS."""
    asked: list[Asked] = []

    connections: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections

        # The names that http.server calls.
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            connections.add(self.client_address[1])
            asked.append(Asked(method=self.command, path=self.path, headers=headers, body=body))
            given = answer(asked[-1])
            if given.status == 0:
                self.close_connection = True
                return
            self.send_response(given.status)
            for name, value in {"Content-Length": str(len(given.body)), **given.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        request_queue_size = 64  # the default 5 makes a ninth client wait a second

    server = Listener(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    host = f"127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Server(host=host, url=f"http{'s' if certificate else ''}://{host}", asked=asked, connections=connections)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_turn(*answers: Answer) -> Callable[[Asked], Answer]:
    """The answers one after the other; the last one again and again."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
