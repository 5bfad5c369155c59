"""Running a request in a thread of its own, so that its caller never waits past the deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

MAX_PENDING = 16

_T = TypeVar("_T")


class TooManyPending(Exception):
    """As many requests as allowed are still waiting for their replies."""


class DeadlineRunner:
    """Runs functions in daemon threads, at most `limit` at a time. May be shared between threads."""

    def __init__(self, wait: Callable[[Future[Any], float], None], limit: int = MAX_PENDING) -> None:
        """`wait(future, timeout_s)` returns once the future is done, or after `timeout_s`."""
        self._wait, self._slots = wait, threading.BoundedSemaphore(limit)

    def run(self, work: Callable[[], _T], timeout_s: float, on_late: Callable[[_T], None]) -> _T | None:
        """Return the result of `work`, or None after `timeout_s`; a result that comes later goes to `on_late`.

        Raises TooManyPending.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyPending
        delivery: Future[_T] = Future()

        def target() -> None:
            try:
                result = work()
            finally:
                self._slots.release()
            if delivery.set_running_or_notify_cancel():
                delivery.set_result(result)
            else:
                on_late(result)

        threading.Thread(target=target, name="gemini", daemon=True).start()
        self._wait(delivery, timeout_s)
        return None if delivery.cancel() else delivery.result()
