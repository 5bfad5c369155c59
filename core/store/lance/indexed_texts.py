"""A full-text index in memory that follows a collection: what is new or changed is added to it, the rest stays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TEXT_COLUMN = "text"
GONE = -1
# So many texts are added to an index, or this share of it, before all of it is built anew: what is added since is
# searched text by text.
MAX_ADDED, MAX_ADDED_SHARE = 1_000, 0.02


class IndexedTexts:
    """One text per row of a snapshot, in a table that several of these may share: each finds the rows of its own.

    May be shared between threads.
    """

    def __init__(self, table: _SharedTable, addresses: NDArray[np.uint64], rows: NDArray[np.intp]) -> None:
        """`addresses` (m,) ascending are those of texts in the table, `rows` (m,) their rows here, or GONE."""
        self._table, self._addresses, self._rows = table, addresses, rows

    @classmethod
    def build(cls, texts: pa.Array, config: Any) -> IndexedTexts:
        """Index a column of texts, row i for row i, by a configuration of LanceDB."""
        table = _SharedTable(texts, config)
        return cls(table, table.addresses(), np.arange(len(texts)))

    def updated(self, rows_now: NDArray[np.intp], added: pa.Array, added_rows: NDArray[np.intp]) -> IndexedTexts | None:
        """The index of another snapshot; None if so much is new that all of it is better built anew.

        `rows_now` (n,) are the rows that the texts of this one have there, or GONE; `added` are the texts of its
        `added_rows`.
        """
        known = self._rows != GONE
        rows = np.where(known, rows_now[np.where(known, self._rows, 0)], GONE) if len(rows_now) else self._rows
        unindexed = len(self._rows) - self._table.indexed + len(added) + int(np.count_nonzero(rows == GONE))
        if unindexed > max(MAX_ADDED, MAX_ADDED_SHARE * self._table.indexed):
            return None
        addresses = self._table.add(added)
        return IndexedTexts(
            self._table, np.concatenate([self._addresses, addresses]), np.concatenate([rows, added_rows])
        )

    def matches(
        self, words: str, every_word: bool = False, limit: int | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The rows that have any, or every one, of the words, and their BM25 scores; at most the best `limit`."""
        if not len(self._rows):
            return np.empty(0, np.intp), np.empty(0, np.float32)
        # Texts that are gone are found as well, and so are those that another snapshot has added.
        most = self._table.count if limit is None else limit + int(np.count_nonzero(self._rows == GONE))
        found, scores = self._table.search(words, every_word, max(1, most))
        at = np.minimum(np.searchsorted(self._addresses, found), len(self._addresses) - 1)
        rows = np.where(self._addresses[at] == found, self._rows[at], GONE)
        here = rows != GONE
        return rows[here][:limit], scores[here][:limit]


class _SharedTable:
    """A table of texts to which more are added; nothing is ever moved or deleted, so that addresses stay."""

    def __init__(self, texts: pa.Array, config: Any) -> None:
        import lancedb  # takes over a second: imported only when a collection is searched by words

        self._lock = threading.Lock()
        self._table = lancedb.connect("memory://").create_table("texts", pa.table({TEXT_COLUMN: texts}))
        self._table.create_index(TEXT_COLUMN, config=config)
        self.indexed = self.count = len(texts)

    def addresses(self) -> NDArray[np.uint64]:
        """The addresses of all texts, in the order in which they were added."""
        rows = self._table.search().with_row_id(True).select(["_rowid"]).to_arrow()
        return np.sort(rows["_rowid"].to_numpy().astype(np.uint64))

    def add(self, texts: pa.Array) -> NDArray[np.uint64]:
        """Add texts; returns their addresses, which are higher than all before."""
        if not len(texts):
            return np.empty(0, np.uint64)
        with self._lock:
            self._table.add(pa.table({TEXT_COLUMN: texts}))
            self.count += len(texts)
            return self.addresses()[-len(texts) :]

    def search(self, words: str, every_word: bool, limit: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        from lancedb.query import FullTextOperator, MatchQuery

        operator = FullTextOperator.AND if every_word else FullTextOperator.OR
        query = self._table.search(MatchQuery(words, TEXT_COLUMN, operator=operator), query_type="fts")
        found = query.with_row_id(True).select(["_score"]).limit(limit).to_arrow()
        return found["_rowid"].to_numpy().astype(np.uint64), found["_score"].to_numpy().astype(np.float32)
