"""Work done ahead of its use, by a bounded number of items, in bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

DECODER_THREADS = min(os.cpu_count() or 2, 8)


class MemoryBudget:
    """Bounds what several threads together hold in memory."""

    def __init__(self, capacity: float) -> None:
        self._capacity = self._free = capacity
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, amount: float) -> Iterator[None]:
        """Wait until `amount` is free, and hold it; more than the capacity counts as all of it."""
        amount = min(amount, self._capacity)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


def look_ahead(pool: ThreadPoolExecutor, task: Any, items: Any, depth: int) -> Iterator[Future[Any]]:
    """Futures of `task(item)` in the order of `items`, with at most `depth` started and not yet yielded."""
    pending: list[Future[Any]] = []
    remaining = iter(items)
    try:
        while True:
            pending += [pool.submit(task, item) for item in islice(remaining, depth - len(pending))]
            if not pending:
                return
            yield pending.pop(0)
    finally:
        for future in pending:
            future.cancel()
