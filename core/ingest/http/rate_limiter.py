"""When requests to a host go out: so many at once, so many a second, and none while the host asks for a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AT_ONCE, PER_S = 16, 50.0


class _Host:
    def __init__(self, at_once: int) -> None:
        self.room, self.next_s, self.paused_until_s = threading.BoundedSemaphore(at_once), 0.0, 0.0


class RateLimiter:
    """One pace per host, shared by all threads. `sleep` waits the given seconds; it may raise to give up."""

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        at_once: int = AT_ONCE,
        per_s: float = PER_S,
    ) -> None:
        self._clock, self._sleep, self._at_once, self._interval_s = clock, sleep, at_once, 1.0 / per_s
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Hold one of the host's places, from the moment that its next request is due."""
        place = self._host(host)
        with place.room:
            while (left_s := self._take(place)) > 0:
                self._sleep(left_s)
            yield

    def pause(self, host: str, seconds: float) -> None:
        """Leave a host alone for so long; what was asked already goes on."""
        place = self._host(host)
        with self._lock:
            place.paused_until_s = max(place.paused_until_s, self._clock() + seconds)

    def _host(self, host: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(host, _Host(self._at_once))

    def _take(self, place: _Host) -> float:
        """Take the next turn if it is due; the seconds until it is otherwise."""
        with self._lock:
            now_s = self._clock()
            left_s = max(place.next_s, place.paused_until_s) - now_s
            if left_s <= 0:
                place.next_s = now_s + self._interval_s
            return left_s
