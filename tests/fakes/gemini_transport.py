"""A Gemini transport without a network, and time that passes only while someone waits in vain or sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from core.gemini.failures import GeminiError
from core.gemini.prices import TokenUsage
from core.gemini.time_sources import TimeSources
from core.gemini.transport import GeminiReply, GeminiRequest
from core.settings import Secret

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
USAGE = TokenUsage(prompt=1_000, cached=200, output=50, thoughts=30)
HONEST = GeminiReply("{}", USAGE, "v1")

TransportStep = GeminiReply | Exception | Callable[[], GeminiReply]


class FakeTransport:
    """Takes one step per request, then replies honestly."""

    key = Secret("AIza-hidden-key")

    def __init__(self, *steps: TransportStep) -> None:
        self.steps, self.requests, self.timeouts_s = list(steps), list[GeminiRequest](), list[float]()

    def generate(self, model: str, request: GeminiRequest, timeout_s: float) -> GeminiReply:
        self.requests.append(request)
        self.timeouts_s.append(timeout_s)
        step = self.steps.pop(0) if self.steps else HONEST
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else step


class FakeClock:
    """Every time source of a call to Gemini; the real clock has no part in it."""

    def __init__(self) -> None:
        self.elapsed_s, self.slept_s = 0.0, list[float]()
        self._lock, self._expired = threading.Lock(), Future[None]()

    @property
    def times(self) -> TimeSources:
        """This clock, without jitter in the backoff."""
        return TimeSources(self.seconds, self.now, self.sleep, self.wait, jitter=lambda: 0.5)

    def seconds(self) -> float:
        return self.elapsed_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.advance(seconds)

    def wait(self, future: Future[Any], timeout_s: float) -> None:
        """Return when the future is done, or when `expire` says that the timeout has passed."""
        futures.wait([future, self._expired], return_when=futures.FIRST_COMPLETED)
        if not future.done():
            self.advance(timeout_s)

    def expire(self) -> None:
        """Let every wait time out, those under way and those to come, until `restart`."""
        with self._lock:
            if not self._expired.done():
                self._expired.set_result(None)

    def restart(self) -> None:
        """Let waits last until their futures are done again."""
        with self._lock:
            self._expired = Future()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.elapsed_s += seconds


class Gate:
    """Holds replies back until it opens, with their callers' timeouts passing meanwhile."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self._open = clock, threading.Event()

    def hold(self, result: GeminiReply | GeminiError = HONEST) -> Callable[[], GeminiReply]:
        """A step whose reply, or error, comes too late: when the gate opens."""

        def step() -> GeminiReply:
            self._clock.expire()
            self._open.wait()
            if isinstance(result, GeminiError):
                raise result
            return result

        return step

    def open(self) -> None:
        """Let the replies go, and wait for the threads that bring them."""
        self._open.set()
        for thread in threading.enumerate():
            if thread.name == "gemini":
                thread.join()
        self._clock.restart()
