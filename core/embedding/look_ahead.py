"""Work that is done ahead of its use, a bounded distance."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

DECODERS = min(os.cpu_count() or 2, 8)


class MemoryBudget:
    """Bounds what several threads hold in memory at once."""

    def __init__(self, capacity: float) -> None:
        self._capacity = self._free = capacity
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, amount: float) -> Iterator[None]:
        """Wait until so much is free, and hold it; what is larger than the room has it to itself."""
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
    """Futures of `task(item)` in the order of `items`, with at most `depth` started and not yet handed out."""
    waiting: list[Future[Any]] = []
    source = iter(items)
    try:
        while True:
            waiting += [pool.submit(task, item) for item in islice(source, depth - len(waiting))]
            if not waiting:
                return
            yield waiting.pop(0)
    finally:
        for future in waiting:
            future.cancel()
