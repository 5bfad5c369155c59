"""Names for the clusters of views of one collection, each view's worked out once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.clusters.views.naming import NameSuggestion, TermNames, TermTable, by_looks, by_words, enough, suggest
from core.clusters.views.view import ClusterView


class NameSuggestions:
    """May be shared between threads."""

    def __init__(self, said: TermTable, words: Sequence[str], word_vectors: NDArray[np.float32]) -> None:
        """`said` is of the snapshot's rows; `words` and their (m, d) unit vectors are what looks are compared with."""
        self._said, self._words, self._word_vectors = said, words, word_vectors
        self._lock, self._latest = threading.Lock(), TermNames(np.empty(0, np.int32), [])
        self._known = WeakKeyDictionary[ClusterView, list[NameSuggestion | None]]()

    def of(self, view: ClusterView) -> list[NameSuggestion | None]:
        """A name for every cluster; None where there is nothing to say."""
        with self._lock:
            known, latest = self._known.get(view), self._latest
        if known is not None:
            return known
        count = len(view.clusters)
        like = latest if len(latest.labels) == len(view.labels) else None
        written = by_words(view.labels, self._said, count, like)
        unsure = [number for number, words in enumerate(written.names) if not enough(words)]
        looked: list[NameSuggestion | None] = [None] * count
        found = by_looks(view.measures.centroids, self._words, self._word_vectors, unsure)
        for number, looks in zip(unsure, found, strict=True):
            looked[number] = looks
        names = suggest(written.names, looked)
        with self._lock:
            self._latest = written
            self._known[view] = names
        return names
