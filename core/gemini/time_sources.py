"""Where a call to Gemini gets its time and its randomness from, so that a test can put a fake in their place."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _wait(future: Future[Any], timeout_s: float) -> None:
    futures.wait([future], timeout_s)


@dataclass(frozen=True)
class TimeSources:
    """`clock` gives seconds that only ever grow, `now` the time (UTC), `jitter` a random number in [0, 1).

    `wait(future, timeout_s)` returns once the future is done, or after `timeout_s`.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep
    wait: Callable[[Future[Any], float], None] = _wait
    jitter: Callable[[], float] = random.random
