"""A polite HTTP client for the few hosts that are allowed: persistent connections, redirects, retries.

Every hop, the first one and each redirect, passes the same check, and a connection is made to exactly the address that
was checked; TLS still verifies the host's name. Proxies from the environment are not used: behind one, nobody here
would know which address a name resolves to.
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPResponse
from typing import TypeVar
from urllib.parse import SplitResult, urljoin

from core.ingest.http.allowed_hosts import AllowedHosts, ConnectionTarget, Network, hostname, request_path
from core.ingest.http.fetch_errors import CUT_OFF, FetchError, status_error, transport_errors
from core.ingest.http.rate_limiter import RateLimit, RateLimiter
from core.records.jobs import Cancelled
from core.retry import RetryPolicy, RetryTimes, with_retries

USER_AGENT = "contact-sheet/1"
MAX_REDIRECTS = 5
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
CHUNK_BYTES = 64 * 1024

Result = TypeVar("Result")
_PoolKey = tuple[str, str, int]


def _asked_s(error: Exception) -> float:
    return error.retry_after_s if isinstance(error, FetchError) else 0.0


FETCH_RETRIES = RetryPolicy(
    is_transient=lambda error: isinstance(error, FetchError) and error.transient,
    attempts=5,
    jitter=0.5,
    asked_s=_asked_s,
    max_asked_s=300.0,
)


@dataclass(frozen=True)
class FetchEnvironment:
    """What comes in from outside: network, time and randomness. `wait` sleeps unless the event is set."""

    network: Network = Network()
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = partial(datetime.now, UTC)
    jitter: Callable[[], float] = random.random
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context
    retry_policy: RetryPolicy = FETCH_RETRIES
    read_timeout_s: float = 20.0
    rate_limit: RateLimit = field(default_factory=RateLimit)


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address, under the host's own name."""

    def __init__(self, target: ConnectionTarget, read_timeout_s: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=read_timeout_s)
        self._target, self._tls = target, tls
        self.pool_key: _PoolKey = (target.scheme, target.host, target.port)

    def connect(self) -> None:
        plain = self._open_socket()
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._target.host) if self._tls else plain

    def send_request(self, parts: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        host = hostname(parts) + (f":{parts.port}" if parts.port else "")
        sent = {"Host": host, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        self.request("GET", request_path(parts), headers=sent)
        return self.getresponse()

    def shut_down(self) -> None:
        """Wake whoever reads from it in another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _open_socket(self) -> socket.socket:
        for address in self._target.addresses[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, self._target.port), self.timeout)
        return socket.create_connection((self._target.addresses[-1], self._target.port), self.timeout)


class Fetcher:
    """Requests to allowed hosts. May be shared between threads; `stop` ends all requests, for good."""

    def __init__(self, allowed_hosts: AllowedHosts, environment: FetchEnvironment) -> None:
        self._allowed_hosts, self._environment = allowed_hosts, environment
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._idle: dict[_PoolKey, list[_Connection]] = {}
        self._in_use: set[_Connection] = set()
        self._tls = environment.tls_context() if "https" in allowed_hosts.network.schemes else None
        self._rate_limiter = RateLimiter(environment.clock, self._sleep, environment.rate_limit)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        """The final response (200 or 206) to `url`; read it with `body` or `chunks`. Raises FetchError."""
        for _ in range(MAX_REDIRECTS + 1):
            parts = self._allowed_hosts.parse(url)
            with self._rate_limiter.slot(hostname(parts)), self._request(parts, headers) as response:
                if response.status not in REDIRECT_STATUSES:
                    self._check_status(response, hostname(parts))
                    yield response
                    return
                url = urljoin(url, response.getheader("Location") or "")
        raise FetchError("redirected too often", f"more than {MAX_REDIRECTS} times")

    def chunks(self, response: HTTPResponse) -> Iterator[bytes]:
        """The body piece by piece. Raises FetchError where it ends early or a read times out."""
        expected, received = response.length, 0
        while expected is None or received < expected:
            with transport_errors("the server"):
                chunk = response.read1(CHUNK_BYTES)
            self._raise_if_stopped()
            if not chunk:
                break
            received += len(chunk)
            yield chunk
        if expected is not None and received < expected:
            raise FetchError(CUT_OFF, f"{received} of {expected} bytes came", transient=True)
        response.close()

    def body(self, response: HTTPResponse, max_bytes: int, timeout_s: float) -> bytes:
        """The whole body. Raises FetchError, also where it is larger or takes longer than allowed."""
        deadline_s, chunks, size = self._environment.clock() + timeout_s, list[bytes](), 0
        if (response.length or 0) > max_bytes:
            raise FetchError("too large a file", f"{response.length} bytes, the limit is {max_bytes}")
        for chunk in self.chunks(response):
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise FetchError("too large a file", f"more than {max_bytes} bytes")
            if self._environment.clock() > deadline_s:
                raise FetchError("too slow", f"{size} bytes in {timeout_s:g} s", transient=True)
        return b"".join(chunks)

    def with_retries(self, attempt: Callable[[], Result], received: Callable[[], int] = lambda: 0) -> Result:
        """The result of `attempt`, repeated after transient errors; a row of them ends when `received()` bytes grow.

        Raises its last FetchError, or Cancelled from a wait that `stop` ends.
        """
        environment = self._environment
        times = RetryTimes(self._sleep, environment.clock, environment.jitter)
        return with_retries(attempt, environment.retry_policy, "a download", times, received)

    def stop(self) -> None:
        """Abort all waits and reads: it raises Cancelled or FetchError."""
        self._stopped.set()
        with self._lock:
            for connection in self._in_use:
                connection.shut_down()
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def _check_status(self, response: HTTPResponse, host: str) -> None:
        error = status_error(response.status, response.getheader("Retry-After") or "", self._environment.now())
        if error is None:
            return
        if error.retry_after_s:  # for all threads, not only the one that received this answer
            self._rate_limiter.pause(host, min(error.retry_after_s, self._environment.retry_policy.max_asked_s))
        raise error

    @contextmanager
    def _request(self, parts: SplitResult, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        connection, response = self._send(parts, headers)
        reusable = False
        try:
            yield response
            reusable = response.isclosed() and not response.will_close
        finally:
            self._release(connection, reusable)

    def _send(self, parts: SplitResult, headers: Mapping[str, str]) -> tuple[_Connection, HTTPResponse]:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = self._take_idle((parts.scheme, hostname(parts), port))
        if connection is not None:
            try:
                return connection, connection.send_request(parts, headers)
            except (OSError, http.client.HTTPException):  # closed while it was idle: a new one decides
                self._release(connection, reusable=False)
        return self._send_on_new_connection(parts, headers)

    def _send_on_new_connection(
        self, parts: SplitResult, headers: Mapping[str, str]
    ) -> tuple[_Connection, HTTPResponse]:
        with transport_errors(hostname(parts)):
            target = self._allowed_hosts.resolve(parts)
            tls = self._tls if target.scheme == "https" else None
            connection = _Connection(target, self._environment.read_timeout_s, tls)
            with self._lock:
                self._in_use.add(connection)
            try:
                self._raise_if_stopped()
                return connection, connection.send_request(parts, headers)
            except BaseException:
                self._release(connection, reusable=False)
                raise

    def _take_idle(self, key: _PoolKey) -> _Connection | None:
        with self._lock:
            connections = self._idle.get(key)
            connection = connections.pop() if connections else None
            if connection is not None:
                self._in_use.add(connection)
            return connection

    def _release(self, connection: _Connection, reusable: bool) -> None:
        with self._lock:
            self._in_use.discard(connection)
            if reusable and not self._stopped.is_set():
                self._idle.setdefault(connection.pool_key, []).append(connection)
                return
        connection.close()

    def _sleep(self, seconds: float) -> None:
        self._environment.wait(self._stopped, seconds)
        self._raise_if_stopped()

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("stopped")
