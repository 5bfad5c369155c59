"""Near-duplicates among results: the best one is shown, the others lie under it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.cache import LruCache
from core.records.assets import Hit
from core.search.duplicates import MAX_ASPECT_RATIO, MAX_HASH_DISTANCE, MIN_SIMILARITY, structure_hash

MAX_CACHED_HASHES = 50_000

StructureHashes = LruCache[str, NDArray[np.bool_]]


class ResultFolder:
    """Folds results in the order in which they are added, by the rules of `core.search.duplicates`."""

    def __init__(self, hashes: StructureHashes) -> None:
        """`hashes` caches the structure of thumbnails by asset id."""
        self._hashes = hashes
        self._shown: list[Hit] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._under: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """The number of results that are shown."""
        return len(self._shown)

    def add(self, hit: Hit, vector: NDArray[np.float32], fold: bool = True) -> None:
        """Show a result with its vector (d,) float32 of unit length, or fold it under the first that shows the same.

        Without `fold` it is shown in any case.
        """
        twin = self._twin(hit, vector) if fold else None
        if twin is None:
            self._shown.append(hit)
            self._vectors.append(vector)
        else:
            self._under.setdefault(twin.asset.id, []).append(hit.asset.id)

    def folded(self) -> list[tuple[Hit, tuple[str, ...]]]:
        """The results that are shown, each with the ids of those under it."""
        return [(hit, tuple(self._under.get(hit.asset.id, ()))) for hit in self._shown]

    def _twin(self, hit: Hit, vector: NDArray[np.float32]) -> Hit | None:
        if not self._shown:
            return None
        similar = np.flatnonzero(np.array(self._vectors) @ vector >= MIN_SIMILARITY).tolist()
        return next((self._shown[row] for row in similar if self._shows_the_same(self._shown[row], hit)), None)

    def _shows_the_same(self, first: Hit, second: Hit) -> bool:
        ratios = [max(1, hit.asset.width) / max(1, hit.asset.height) for hit in (first, second)]
        if abs(math.log(ratios[0] / ratios[1])) > math.log(MAX_ASPECT_RATIO):
            return False
        return int(np.count_nonzero(self._hash(first) != self._hash(second))) <= MAX_HASH_DISTANCE

    def _hash(self, hit: Hit) -> NDArray[np.bool_]:
        known = self._hashes.get(hit.asset.id)
        return self._hashes.setdefault(hit.asset.id, structure_hash(hit.thumbnail)) if known is None else known
