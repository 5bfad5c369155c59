"""Wall time per stage of one request, in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageTimer:
    """Times named stages; `total` runs from creation to the call of `finish`."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._start = clock, clock()
        self._ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`, also when the body raises."""
        start = self._clock()
        try:
            yield
        finally:
            self._ms[name] = self._ms.get(name, 0.0) + (self._clock() - start) * 1000

    def finish(self) -> dict[str, float]:
        """All stages so far and `total`."""
        return {**self._ms, "total": (self._clock() - self._start) * 1000}
