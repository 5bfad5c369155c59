"""Caches the vectors of recent texts, so that a repeated query is not encoded again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CAPACITY = 2_048

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class VectorCache:
    """At most `capacity` vectors; the least recently used are evicted. May be shared between threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity, self._lock = capacity, threading.Lock()
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def get_or_encode(self, texts: Sequence[str], encode: Encode) -> NDArray[np.float32]:
        """(n, d) float32 for n texts; `encode` is called at most once, with the unknown texts without duplicates."""
        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, encode(missing), strict=True))
        self._store(known)
        return np.stack([known[text] for text in texts])

    def _store(self, vectors: dict[str, NDArray[np.float32]]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._vectors[text] = vector.copy()
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._capacity:
                self._vectors.popitem(last=False)
