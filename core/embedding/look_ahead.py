"""Work that is done ahead of its use, a bounded distance."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

DECODERS = 4


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
