"""A circuit breaker (Nygard, Release It!, 2007): after several failures in a row nothing is sent for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable

FAILURE_LIMIT, FIRST_PAUSE_S, MAX_PAUSE_S = 4, 20.0, 300.0


class CircuitBreaker:
    """Closed, open, or half open with one probe under way. May be shared between threads."""

    def __init__(
        self, clock: Callable[[], float], failure_limit: int = FAILURE_LIMIT, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        """Opens for `first_pause_s` after `failure_limit` failures in a row.

        The pause doubles each time a probe fails, up to 5 minutes.
        """
        self._clock, self._failure_limit, self._first_pause_s = clock, failure_limit, first_pause_s
        self._lock = threading.Lock()
        self._failures, self._pause_s = 0, first_pause_s
        self._open_until: float | None = None
        self._probing_until = float("-inf")

    def allow_request(self, probe_s: float) -> bool:
        """Whether a request may be sent; if it is the probe, other requests wait `probe_s` for its outcome."""
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

    def record_success(self) -> None:
        """The service answered: close."""
        with self._lock:
            self._failures, self._pause_s = 0, self._first_pause_s
            self._open_until, self._probing_until = None, float("-inf")

    def record_failure(self) -> None:
        """The service did not answer."""
        with self._lock:
            self._failures += 1
            if self._open_until is not None:
                if self._clock() < self._open_until:
                    return  # sent before it opened
                self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)
            elif self._failures < self._failure_limit:
                return
            self._open_until = self._clock() + self._pause_s
            self._probing_until = float("-inf")
