"""Name suggestions for the cluster views of one collection, computed once per view."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.clusters.views.cluster_view import ClusterView
from core.clusters.views.naming import (
    NameSuggestion,
    TermNames,
    TermTable,
    combine_suggestions,
    is_confident,
    names_from_looks,
    names_from_terms,
)


class NameSuggester:
    """Suggests and caches cluster names. Thread-safe."""

    def __init__(self, terms: TermTable, words: Sequence[str], word_vectors: NDArray[np.float32]) -> None:
        """`terms` are of the snapshot's rows; looks are compared with `words` (m,) and their (m, d) unit vectors."""
        self._terms, self._words, self._word_vectors = terms, words, word_vectors
        self._lock, self._latest = threading.Lock(), TermNames(np.empty(0, np.int32), [])
        self._cache = WeakKeyDictionary[ClusterView, list[NameSuggestion | None]]()

    def for_view(self, view: ClusterView) -> list[NameSuggestion | None]:
        """A name for every cluster, None where there is no suggestion."""
        with self._lock:
            cached, latest = self._cache.get(view), self._latest
        if cached is not None:
            return cached
        previous = latest if len(latest.labels) == len(view.labels) else None
        from_terms = names_from_terms(view.labels, self._terms, len(view.clusters), previous)
        names = combine_suggestions(from_terms.names, self._looks_where_needed(view, from_terms.names))
        with self._lock:
            self._latest = from_terms
            self._cache[view] = names
        return names

    def _looks_where_needed(
        self, view: ClusterView, from_terms: Sequence[NameSuggestion | None]
    ) -> list[NameSuggestion | None]:
        """Names from looks for the clusters whose terms are not good enough, None for the others."""
        unsure = [number for number, name in enumerate(from_terms) if not is_confident(name)]
        looks = names_from_looks(view.statistics.centroids, self._words, self._word_vectors, unsure)
        from_looks: list[NameSuggestion | None] = [None] * len(from_terms)
        for number, name in zip(unsure, looks, strict=True):
            from_looks[number] = name
        return from_looks
