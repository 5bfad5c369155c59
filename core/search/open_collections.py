"""The collections in use: a table and a searcher each, opened once, and again where a name refers to another table."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.embedding.encoder import Encoder
from core.search.searcher import Searcher
from core.search.stemming import Language
from core.store.lance.collections import Collections
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable
from core.store.objects.text_fit_file import TextFitFile

Stamp = tuple[int, int]


@dataclass(frozen=True)
class _OpenCollection:
    stamp: Stamp
    table: AssetTable
    searcher: Searcher


class OpenCollections:
    """Collections by name; each method raises CollectionError if there is none. May be shared between threads."""

    def __init__(
        self,
        collections: Collections,
        encoder: Callable[[str], Encoder],
        text_fits: Callable[[str], TextFitFile],
        language: Language = Language(),
    ) -> None:
        """`encoder` gives the encoder of a model by its name; it is called when a text has to be encoded.

        `language` is that of the texts.
        """
        self._collections, self._encoder = collections, encoder
        self._text_fits, self._language = text_fits, language
        self._lock, self._open = threading.RLock(), dict[str, _OpenCollection]()

    def searcher(self, collection: str) -> Searcher:
        """The searcher of a collection."""
        return self._get(collection).searcher

    def snapshot(self, collection: str) -> Snapshot:
        """A collection as a search would see it now."""
        return self._get(collection).searcher.snapshot

    def table(self, collection: str) -> AssetTable:
        """The table that stores the assets of a collection."""
        return self._get(collection).table

    def encoder(self, collection: str) -> Encoder:
        """The encoder of a collection's model, loaded at its first use. Raises ModelUnavailable too."""
        return self._encoder(self._get(collection).table.model.name)

    def encode_texts(self, collection: str, texts: list[str]) -> NDArray[np.float32]:
        """Texts as the collection's model encodes them: (n, d) float32 of unit length. Raises ModelUnavailable too."""
        return self.encoder(collection).encode_texts(texts)

    def stamp(self, collection: str) -> Stamp:
        """A value that changes when the name refers to another table."""
        return self._get(collection).stamp

    def forget(self, collection: str) -> None:
        """Open it again the next time."""
        with self._lock:
            self._open.pop(collection, None)

    def _get(self, collection: str) -> _OpenCollection:
        with self._lock:
            stamp = self._collections.change_token(collection)  # changes when the name was switched or created again
            known = self._open.get(collection)
            if known is None or known.stamp != stamp:
                table = self._collections.open(collection)
                fits, language = self._text_fits(collection), self._language
                searcher = Searcher(table, lambda: self._encoder(table.model.name), fits, language)
                known = _OpenCollection(stamp, table, searcher)
                self._open[collection] = known
            return known
