"""Caches the vectors of recent texts, so that a repeated query is not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.cache import LruCache

CAPACITY = 2_048

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class VectorCache:
    """At most `capacity` vectors; the least recently used are evicted. May be shared between threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._vectors = LruCache[str, NDArray[np.float32]](capacity)

    def get_or_encode(self, texts: Sequence[str], encode: Encode) -> NDArray[np.float32]:
        """(n, d) float32 for n texts; `encode` is called at most once, with the unknown texts without duplicates."""
        known = {text: vector for text in texts if (vector := self._vectors.get(text)) is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            for text, vector in zip(missing, encode(missing), strict=True):
                known[text] = self._vectors.setdefault(text, vector.copy())
        return np.stack([known[text] for text in texts])
