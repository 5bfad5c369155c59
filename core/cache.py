"""What is worked out once and shared: the values used last, each made by one thread while others wait for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

_T = TypeVar("_T")


class _Slot:
    def __init__(self) -> None:
        self.lock, self.value = threading.Lock(), cast(object, None)


class OnceCache:
    """A bounded memory by key. Making one value keeps nobody waiting for another."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get_or_create(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What was made for this key, or make it. None is not kept; what `make` raises passes through."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.value is None:
                slot.value = make()
            return cast(_T, slot.value)
