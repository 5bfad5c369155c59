"""A circuit breaker (Nygard, Release It!, 2007): after failures in a row nothing is sent for a while, then a probe."""

from __future__ import annotations

import threading
from collections.abc import Callable

FAILURES, PAUSE_S, LONGEST_PAUSE_S = 4, 20.0, 300.0


class CircuitBreaker:
    """Closed, open, or half open with one probe under way. May be shared between threads."""

    def __init__(self, clock: Callable[[], float], failures: int = FAILURES, pause_s: float = PAUSE_S) -> None:
        """Opens after `failures` in a row for `pause_s`, twice as long each time a probe fails, at most 5 minutes."""
        self._clock, self._limit, self._first_pause_s = clock, failures, pause_s
        self._lock = threading.Lock()
        self._failures, self._pause_s = 0, pause_s
        self._open_until: float | None = None
        self._probing_until = float("-inf")

    def admits(self, probe_s: float) -> bool:
        """Whether a request may be sent; where it is the probe, others wait `probe_s` for how it ends."""
        with self._lock:
            if self._open_until is None:
                return True
            now = self._clock()
            if now < self._open_until or now < self._probing_until:
                return False
            self._probing_until = now + probe_s
            return True

    def wait_s(self) -> float:
        """Seconds until a request may be sent; 0 while closed."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            return max(0.0, max(self._open_until, self._probing_until) - self._clock())

    def succeeded(self) -> None:
        """The service answered: close."""
        with self._lock:
            self._failures, self._pause_s = 0, self._first_pause_s
            self._open_until, self._probing_until = None, float("-inf")

    def failed(self) -> None:
        """The service did not answer."""
        with self._lock:
            self._failures += 1
            if self._open_until is not None:
                if self._clock() < self._open_until:
                    return  # one that was sent before it opened
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            elif self._failures < self._limit:
                return
            self._open_until = self._clock() + self._pause_s
            self._probing_until = float("-inf")
