"""Limits the requests to each host: how many at once, how many a second, and none while the host asks for a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimit:
    """The maximum load on one host."""

    max_concurrent: int = 16
    requests_per_s: float = 50.0


class _HostState:
    def __init__(self, max_concurrent: int) -> None:
        self.slots, self.next_s, self.paused_until_s = threading.BoundedSemaphore(max_concurrent), 0.0, 0.0


class RateLimiter:
    """One rate limit per host, shared by all threads. `sleep` waits the given seconds; it may raise to give up."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], None], limit: RateLimit = RateLimit()
    ) -> None:
        self._clock, self._sleep, self._limit = clock, sleep, limit
        self._interval_s = 1.0 / limit.requests_per_s
        self._hosts: dict[str, _HostState] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, host: str) -> Iterator[None]:
        """Hold one of the host's slots, from the moment its next request is due."""
        state = self._state(host)
        with state.slots:
            while (wait_s := self._acquire(state)) > 0:
                self._sleep(wait_s)
            yield

    def pause(self, host: str, seconds: float) -> None:
        """Send a host no new requests for that long; requests already sent go on."""
        state = self._state(host)
        with self._lock:
            state.paused_until_s = max(state.paused_until_s, self._clock() + seconds)

    def _state(self, host: str) -> _HostState:
        with self._lock:
            return self._hosts.setdefault(host, _HostState(self._limit.max_concurrent))

    def _acquire(self, state: _HostState) -> float:
        """Take the next turn if it is due, and return 0 or less; else the seconds until it is."""
        with self._lock:
            now_s = self._clock()
            wait_s = max(state.next_s, state.paused_until_s) - now_s
            if wait_s <= 0:
                state.next_s = now_s + self._interval_s
            return wait_s
