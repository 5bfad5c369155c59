"""Politely fetching over HTTP from the few hosts that are allowed: kept connections, redirects, retries.

Every hop, the first one and each redirect, passes the same check, and a connection is made to the very address that
was checked; TLS still proves the host's name. Proxies from the environment are not used: through one, nobody here would
know which address a name leads to.
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

from core.ingest.http.allowed_hosts import AllowedHosts, Network, Target, host_of, path_of_request
from core.ingest.http.fetch_errors import CUT_OFF, FetchError, status_fault, transport_faults
from core.ingest.http.rate_limiter import AT_ONCE, PER_S, RateLimiter
from core.records.jobs import Cancelled

AGENT = "contact-sheet/1"
REDIRECTS = 5
REDIRECTED = (301, 302, 303, 307, 308)
CHUNK_BYTES = 64 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a fault that passes is met again, and how long each part of a request may take."""

    retries: int = 4  # in a row that bring no byte
    backoff_s: float = 1.0  # before the first of them, then doubled; half to one and a half of it, by chance
    longest_wait_s: float = 300.0  # that a server may ask for
    silence_s: float = 20.0
    at_once: int = AT_ONCE
    per_s: float = PER_S


@dataclass(frozen=True)
class FetchEnvironment:
    """What comes in from outside: the network, time and chance. `wait` sleeps unless the event is set."""

    network: Network = Network()
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = partial(datetime.now, UTC)
    chance: Callable[[], float] = random.random
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    patience: RetryPolicy = field(default_factory=RetryPolicy)


class _Line(http.client.HTTPConnection):
    """A connection to a checked address, under the host's own name."""

    def __init__(self, target: Target, silence_s: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=silence_s)
        self._target, self._tls = target, tls
        self.key = (target.scheme, target.host, target.port)

    def connect(self) -> None:
        bare = self._reached()
        self.sock = self._tls.wrap_socket(bare, server_hostname=self._target.host) if self._tls else bare

    def ask(self, parts: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        host = host_of(parts) + (f":{parts.port}" if parts.port else "")
        named = {"Host": host, "User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        self.request("GET", path_of_request(parts), headers=named)
        return self.getresponse()

    def hang_up(self) -> None:
        """Wake whoever reads from it in another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _reached(self) -> socket.socket:
        for address in self._target.addresses[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, self._target.port), self.timeout)
        return socket.create_connection((self._target.addresses[-1], self._target.port), self.timeout)


class Fetcher:
    """Requests to the hosts within `reach`. May be shared between threads; `stop` ends them all, for good."""

    def __init__(self, reach: AllowedHosts, world: FetchEnvironment) -> None:
        self._reach, self._world, self._patience = reach, world, world.patience
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._idle: dict[tuple[str, str, int], list[_Line]] = {}
        self._open: set[_Line] = set()
        self._tls = world.tls() if "https" in reach.network.schemes else None
        self._pace = RateLimiter(world.clock, self._sleep, self._patience.at_once, self._patience.per_s)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        """The answer (200 or 206) that `url` has in the end; read it with `body` or `chunks`. Raises Fault."""
        for _ in range(REDIRECTS + 1):
            parts = self._reach.split(url)
            with self._pace.turn(host_of(parts)), self._asked(parts, headers) as response:
                if response.status not in REDIRECTED:
                    self._check(response, host_of(parts))
                    yield response
                    return
                url = urljoin(url, response.getheader("Location") or "")
        raise FetchError("redirected too often", f"more than {REDIRECTS} times")

    def chunks(self, response: HTTPResponse) -> Iterator[bytes]:
        """The body piece by piece. Raises Fault where it ends early or nothing comes for too long."""
        expected, received = response.length, 0
        while expected is None or received < expected:
            with transport_faults("the server"):
                piece = response.read1(CHUNK_BYTES)
            self._give_up_if_stopped()
            if not piece:
                break
            received += len(piece)
            yield piece
        if expected is not None and received < expected:
            raise FetchError(CUT_OFF, f"{received} of {expected} bytes came", passing=True)
        response.close()

    def body(self, response: HTTPResponse, most_bytes: int, within_s: float) -> bytes:
        """The whole body. Raises Fault, also where it is larger or takes longer than allowed."""
        until_s, pieces, size = self._world.clock() + within_s, list[bytes](), 0
        if (response.length or 0) > most_bytes:
            raise FetchError("too large a file", f"{response.length} bytes, allowed are {most_bytes}")
        for piece in self.chunks(response):
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                raise FetchError("too large a file", f"more than {most_bytes} bytes")
            if self._world.clock() > until_s:
                raise FetchError("too slow", f"{size} bytes in {within_s:g} s", passing=True)
        return b"".join(pieces)

    def patiently(self, attempt: Callable[[], Result], gained: Callable[[], int] = lambda: 0) -> Result:
        """What `attempt` gives; tried again after a passing FetchError while `gained()` grows or retries last."""
        fruitless = 0
        while True:
            before = gained()
            try:
                return attempt()
            except FetchError as fault:
                fruitless = 1 if gained() > before else fruitless + 1
                too_long = fault.asked_s > self._patience.longest_wait_s
                if not fault.passing or too_long or fruitless > self._patience.retries:
                    raise
                backoff_s = self._patience.backoff_s * 2 ** (fruitless - 1) * (0.5 + self._world.chance())
                wait_s = max(fault.asked_s, backoff_s)
            self._sleep(wait_s)

    def stop(self) -> None:
        """End whatever waits or reads: it raises Cancelled or Fault."""
        self._stopped.set()
        with self._lock:
            for line in self._open:
                line.hang_up()
            for lines in self._idle.values():
                for line in lines:
                    line.close()
            self._idle.clear()

    def _check(self, response: HTTPResponse, host: str) -> None:
        fault = status_fault(response.status, response.getheader("Retry-After") or "", self._world.now())
        if fault is None:
            return
        if fault.asked_s:  # all threads leave the host alone, not only the one that was told so
            self._pace.pause(host, min(fault.asked_s, self._patience.longest_wait_s))
        raise fault

    @contextmanager
    def _asked(self, parts: SplitResult, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        line, response = self._ask(parts, headers)
        reusable = False
        try:
            yield response
            reusable = response.isclosed() and not response.will_close
        finally:
            self._put_back(line, reusable)

    def _ask(self, parts: SplitResult, headers: Mapping[str, str]) -> tuple[_Line, HTTPResponse]:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        line = self._take_idle((parts.scheme, host_of(parts), port))
        if line is not None:
            try:
                return line, line.ask(parts, headers)
            except (OSError, http.client.HTTPException):  # it was closed while it lay idle: a fresh one decides
                self._put_back(line, reusable=False)
        return self._ask_afresh(parts, headers)

    def _ask_afresh(self, parts: SplitResult, headers: Mapping[str, str]) -> tuple[_Line, HTTPResponse]:
        with transport_faults(host_of(parts)):
            target = self._reach.addresses(parts)
            line = _Line(target, self._patience.silence_s, self._tls if target.scheme == "https" else None)
            with self._lock:
                self._open.add(line)
            try:
                self._give_up_if_stopped()
                return line, line.ask(parts, headers)
            except BaseException:
                self._put_back(line, reusable=False)
                raise

    def _take_idle(self, key: tuple[str, str, int]) -> _Line | None:
        with self._lock:
            lines = self._idle.get(key)
            line = lines.pop() if lines else None
            if line is not None:
                self._open.add(line)
            return line

    def _put_back(self, line: _Line, reusable: bool) -> None:
        with self._lock:
            self._open.discard(line)
            if reusable and not self._stopped.is_set():
                self._idle.setdefault(line.key, []).append(line)
                return
        line.close()

    def _sleep(self, seconds: float) -> None:
        self._world.wait(self._stopped, seconds)
        self._give_up_if_stopped()

    def _give_up_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("stopped")
