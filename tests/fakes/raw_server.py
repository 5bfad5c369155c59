"""A TCP server whose every connection is handled by a function: for replies that no HTTP server would send."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Handle = Callable[[socket.socket], None]


class RawServer:
    """Where it listens, and how many connections it took and still has."""

    def __init__(self, handle: Handle) -> None:
        self.accepted, self.open, self._handle = 0, 0, handle
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._count(1, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self._handle(connection)
        self._count(0, -1)

    def _count(self, accepted: int, opened: int) -> None:
        with self._lock:
            self.accepted += accepted
            self.open += opened

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def raw_server(handle: Handle) -> Iterator[RawServer]:
    server = RawServer(handle)
    try:
        yield server
    finally:
        server.close()


def read_request(connection: socket.socket) -> bytes:
    """The next request with its body; empty if the client has gone."""
    request = b""
    while not _is_whole(request):
        data = connection.recv(65_536)
        if not data:
            return b""
        request += data
    return request


def _is_whole(request: bytes) -> bool:
    top, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", top, re.MULTILINE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def drip(connection: socket.socket, byte: bytes = b" ", pause_s: float = 0.02, limit_s: float = 30.0) -> None:
    """A byte now and then until the client has gone. Raises OSError then."""
    for _ in range(int(limit_s / pause_s)):
        connection.sendall(byte)
        time.sleep(pause_s)
