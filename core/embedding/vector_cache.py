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
        vectors = {text: self._vectors.get(text) for text in texts}
        missing = [text for text, vector in vectors.items() if vector is None]
        if missing:
            for text, vector in zip(missing, encode(missing), strict=True):
                vectors[text] = self._vectors.setdefault(text, vector.copy())
        return np.stack([vectors[text] for text in texts])
