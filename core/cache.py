"""Bounded caches that threads share: of values at hand, and of values that are expensive to create."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_T = TypeVar("_T")


class LruCache(Generic[_K, _V]):
    """At most `max_entries` values; the least recently used are evicted. Thread-safe."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries, self._lock = max_entries, threading.Lock()
        self._values: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        """The cached value, which counts as used now."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def setdefault(self, key: _K, value: _V) -> _V:
        """The cached value, which counts as used now; without one, `value` is cached."""
        with self._lock:
            found = self._values.setdefault(key, value)
            self._values.move_to_end(key)
            while len(self._values) > self._max_entries:
                self._values.popitem(last=False)
            return found

    def items(self) -> list[tuple[_K, _V]]:
        """What is cached at this moment; it does not count as used."""
        with self._lock:
            return list(self._values.items())


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: object = None


class OnceCache:
    """An LRU cache that creates each value once: threads wait for the one that creates it, but only for the same key.

    A value that is evicted while it is created may be created again. Thread-safe.
    """

    def __init__(self, max_entries: int) -> None:
        self._slots = LruCache[Hashable, _Slot](max_entries)

    def get_or_create(self, key: Hashable, create: Callable[[], _T]) -> _T:
        """The cached value, created if there is none. None is not cached; exceptions of `create` propagate."""
        slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            if slot.value is None:
                slot.value = create()
            return cast(_T, slot.value)
