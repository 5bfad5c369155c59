"""A cache for values that are expensive to create and shared between threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

_T = TypeVar("_T")


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: object = None


class OnceCache:
    """An LRU cache that creates each value once: threads wait for the one that creates it, but only for the same key.

    Thread-safe.
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get_or_create(self, key: Hashable, create: Callable[[], _T]) -> _T:
        """The cached value, created if there is none. None is not cached; exceptions of `create` propagate."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._max_entries:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.value is None:
                slot.value = create()
            return cast(_T, slot.value)
