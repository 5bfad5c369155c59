"""The collections in use: a table and a searcher each, opened once and anew where a name means another table."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.embedding.encoder import Encoder
from core.search.searcher import Searcher
from core.store.lance.collections import Collections
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable

Stamp = tuple[int, int]


@dataclass(frozen=True)
class _OpenCollection:
    stamp: Stamp
    table: AssetTable
    searcher: Searcher


class OpenCollections:
    """Collections by name; each method raises CollectionError if there is none. May be shared between threads."""

    def __init__(self, collections: Collections, encoder: Callable[[str], Encoder]) -> None:
        """`encoder` gives the encoder of a model by the model's name; it is asked when words have to be encoded."""
        self._collections, self._encoder = collections, encoder
        self._lock, self._open = threading.RLock(), dict[str, _OpenCollection]()

    def searcher(self, collection: str) -> Searcher:
        """What answers searches over a collection."""
        return self._of(collection).searcher

    def snapshot(self, collection: str) -> Snapshot:
        """A collection as a search would see it now."""
        return self._of(collection).searcher.snapshot

    def table(self, collection: str) -> AssetTable:
        """Where the assets of a collection lie."""
        return self._of(collection).table

    def encoder(self, collection: str) -> Encoder:
        """The encoder of a collection's model, loaded at its first use. Raises ModelUnavailable too."""
        return self._encoder(self._of(collection).table.model.name)

    def encode_texts(self, collection: str, texts: list[str]) -> NDArray[np.float32]:
        """Texts as the collection's model encodes them: (n, d) float32 of unit length. Raises ModelUnavailable too."""
        return self.encoder(collection).encode_texts(texts)

    def stamp(self, collection: str) -> Stamp:
        """Something that changes when the name means another table."""
        return self._of(collection).stamp

    def forget(self, collection: str) -> None:
        """Open it anew the next time."""
        with self._lock:
            self._open.pop(collection, None)

    def _of(self, collection: str) -> _OpenCollection:
        with self._lock:
            stamp = self._collections.stamp(collection)  # another one where the name was switched, or made anew
            known = self._open.get(collection)
            if known is None or known.stamp != stamp:
                table = self._collections.open(collection)
                known = _OpenCollection(stamp, table, Searcher(table, lambda: self._encoder(table.model.name)))
                self._open[collection] = known
            return known
