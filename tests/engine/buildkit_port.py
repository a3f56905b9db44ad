"""The engine's own BuildKit on a TCP port of the loopback, as a remote buildkitd would be."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

SOCKET = "/var/run/docker.sock"

# dockerd hands its BuildKit's gRPC to connections that ask so; buildx's docker driver does the same.
_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def buildkit_port() -> Iterator[str]:
    """Serve BuildKit's gRPC; gives the endpoint, `tcp://127.0.0.1:PORT`."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Thread(target=_serve, args=(listener,), daemon=True)
    server.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Closing alone does not wake a thread in accept().
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        server.join()


def _serve(listener: socket.socket) -> None:
    with listener:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            Thread(target=_connect, args=(client,), daemon=True).start()


def _connect(client: socket.socket) -> None:
    with client, socket.socket(socket.AF_UNIX) as engine:
        engine.connect(SOCKET)
        engine.sendall(_UPGRADE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += engine.recv(1)
        back = Thread(target=_copy, args=(client, engine), daemon=True)
        back.start()
        _copy(engine, client)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
