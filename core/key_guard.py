"""Entering the curator key: wrong ones make the next try wait, whoever guesses and from wherever."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from core.access import Access
from core.errors import TooManyTries
from core.logs import log
from core.settings import Secret
from core.store.sql.rate_limits import RateLimits

KIND, EVERYWHERE = "wrong key", "wrong keys of all visitors"
HOUR_S = 3600.0
FREE_TRIES, FIRST_PAUSE_S = 3, 2.0
TRIES_BEFORE_LOCK, LOCK_S = 10, 900.0
WRONG_BEFORE_DELAY, DELAY_S = 100, 1.0


class KeyGuard:
    """Compares keys that visitors enter. May be shared between threads; its counts are those of all processes.

    After 3 wrong keys within an hour a visitor waits 2 s before the next try, then 4, 8, … and after 10 a quarter of an
    hour. Against guesses from many addresses: after 100 wrong ones an hour from everywhere, every try takes a second
    longer, which locks nobody out.
    """

    def __init__(
        self,
        access: Access,
        limits: RateLimits,
        on_wrong: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`on_wrong(visitor)` is told of every wrong key, but never which it was."""
        self._access, self._limits, self._on_wrong, self._sleep = access, limits, on_wrong, sleep

    def check(self, visitor: str, key: Secret) -> bool:
        """Whether this is the curator key. Raises TooManyTries while the visitor has to wait, and StoreError."""
        wait_s = self._limits.penalize(KIND, visitor, HOUR_S, pause_s)
        if wait_s is not None:
            raise TooManyTries(f"too many wrong keys: try again in {math.ceil(wait_s)} s", wait_s)
        if self._limits.count(EVERYWHERE, "", HOUR_S) >= WRONG_BEFORE_DELAY:
            self._sleep(DELAY_S)
        if self._access.is_key(key):
            self._limits.forget(KIND, visitor)
            return True
        self._limits.take(EVERYWHERE, "", WRONG_BEFORE_DELAY, HOUR_S)
        log("access", "a wrong curator key was entered", logging.WARNING, visitor=visitor or "unknown")
        self._on_wrong(visitor)
        return False


def pause_s(tries: int) -> float:
    """Seconds from the n-th wrong key of an hour until the next one is looked at."""
    if tries >= TRIES_BEFORE_LOCK:
        return LOCK_S
    return 0.0 if tries < FREE_TRIES else FIRST_PAUSE_S * 2 ** (tries - FREE_TRIES)
