"""HTTP for a server that is not trusted: a reply has so many bytes and so much time, whatever the server does."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Self

from requests import exceptions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

MAX_REPLY_BYTES, MAX_HEAD_BYTES = 1 << 20, 1 << 16
CHUNK_BYTES = 1 << 16


class RefusedReply(exceptions.RequestException):  # type: ignore[misc]  # mypy skips requests
    """A reply that is too large, or compressed. The message holds nothing that the server wrote."""


class BoundedAdapter(HTTPAdapter):  # type: ignore[misc]  # mypy skips requests
    """Requests that end, with their connection, `timeout` seconds after they began, however slowly bytes arrive.

    A reply is read whole, up to `MAX_REPLY_BYTES` after a head of up to `MAX_HEAD_BYTES`; it must not be compressed, so
    that it is never larger than what was sent. Only looking a host up may take longer, and connecting to each of
    several addresses `timeout` each.
    """

    def send(self, request: Any, *, timeout: float, **options: Any) -> Any:
        """The response with its body; `timeout` is in seconds.

        Raises RefusedReply; ConnectTimeout if the time was up before there was a connection, ReadTimeout afterwards;
        and ConnectionError.
        """
        request.headers["Accept-Encoding"] = "identity"
        with _Watch(timeout) as watch:
            try:
                response = super().send(request, timeout=timeout, **{**options, "stream": True})
                response.raw = io.BytesIO(_body(response))
            except Exception:
                watch.check()
                raise
            watch.check()  # to a connection that was shut down, half a reply may look whole
        return response

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _watch_connections(manager)
        return manager


class _Watch:
    """Shuts the connection of the request under way in this thread down when its time is up."""

    def __init__(self, limit_s: float) -> None:
        self.connected, self._over = False, False
        self._lock, self._handles = threading.Lock(), list[socket.socket]()
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _WATCH.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _WATCH.reset(self._token)
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def follow(self, connection: socket.socket) -> None:
        """Watch a connection through a handle of its own: TLS takes the socket over, and a reply may outlive it."""
        handle = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with self._lock:
            self._handles.append(handle)
            if self._over:
                _shut_down(handle)

    def check(self) -> None:
        """Raises ConnectTimeout or ReadTimeout if the time is up."""
        if self._over:
            raise (exceptions.ReadTimeout if self.connected else exceptions.ConnectTimeout)("the time is up") from None

    def _end(self) -> None:
        with self._lock:
            self._over = True
            for handle in self._handles:
                _shut_down(handle)


_WATCH: ContextVar[_Watch] = ContextVar("watch")


class _Reply(http.client.HTTPResponse):
    """A reply whose head is bounded as a whole, interim replies included, where http.client bounds its lines."""

    fp: Any

    def begin(self) -> None:
        file = self.fp
        self.fp = _Head(file)
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = file


class _Head:
    """The lines of a reply's head."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MAX_HEAD_BYTES

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise http.client.HTTPException(f"a head of more than {MAX_HEAD_BYTES:,} bytes")
        return line

    def close(self) -> None:
        self._file.close()


class _Watched:
    """What connections get in addition: a bounded head, and the watch of the request knows them, new or kept alive."""

    response_class = _Reply
    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]  # urllib3's
        _WATCH.get().follow(connection)
        return connection

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _WATCH.get().connected = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _WATCH.get().follow(self.sock)
            _WATCH.get().connected = True
        super().request(*args, **kwargs)  # type: ignore[misc]


def _watch_connections(manager: Any) -> None:
    """Make a pool manager open connections that are watched."""
    pools = manager.pool_classes_by_scheme.items()
    manager.pool_classes_by_scheme = {scheme: _with_watched_connections(pool) for scheme, pool in pools}


def _with_watched_connections(pool: Any) -> Any:
    connection = type(f"Watched{pool.ConnectionCls.__name__}", (_Watched, pool.ConnectionCls), {})
    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": connection})


def _shut_down(handle: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        handle.shutdown(socket.SHUT_RDWR)


def _body(response: Any) -> bytes:
    """The whole body; unless it was read to its end the connection is closed. Raises RefusedReply, ConnectionError."""
    try:
        return _read(response.raw)
    except HTTPError as error:
        response.raw.close()
        raise exceptions.ConnectionError(error) from error
    except BaseException:
        response.raw.close()
        raise


def _read(raw: Any) -> bytes:
    if raw.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise RefusedReply("a compressed reply")
    if (raw.length_remaining or 0) > MAX_REPLY_BYTES:
        raise RefusedReply(f"a reply of more than {MAX_REPLY_BYTES:,} bytes")
    body = bytearray()
    while chunk := raw.read(CHUNK_BYTES, decode_content=False):
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise RefusedReply(f"a reply of more than {MAX_REPLY_BYTES:,} bytes")
    return bytes(body)
