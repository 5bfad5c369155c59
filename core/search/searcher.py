"""Answers searches over one collection from a snapshot that follows the table."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.embedding.encoder import Encoder
from core.errors import ModelUnavailable, QueryError
from core.metrics.stage_timer import StageTimer
from core.records.assets import Asset, Filters, Hit, ModelCard, SearchResult
from core.search.filters import Facets, FilterColumns
from core.search.query_picture import QueryPicture, encode
from core.search.vector_search import blend_query_vectors, nearest_rows, spread_rows
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable

MAX_QUERY_LENGTH = 2_000
MASKS_KEPT = 16
EXAMPLE_LENGTH = 22


@dataclass(frozen=True)
class _Resident:
    mark: int
    snapshot: Snapshot
    row_of: dict[str, int]
    columns: FilterColumns
    facets: Facets
    newest_first: NDArray[np.intp]


class Searcher:
    """Exact search over one collection. May be shared between threads; sees every committed asset."""

    def __init__(self, table: AssetTable, encoder: Callable[[], Encoder]) -> None:
        """`encoder` is called when a text has to be encoded, so that looking around needs no model."""
        self._table, self._encoder = table, encoder
        self._lock = threading.Lock()
        self._resident: _Resident | None = None
        self._masks: OrderedDict[tuple[int, Filters], NDArray[np.bool_] | None] = OrderedDict()

    @property
    def model(self) -> ModelCard:
        """The model that the collection is embedded with."""
        return self._table.model

    @property
    def snapshot(self) -> Snapshot:
        """The collection as a search would see it now."""
        return self._current().snapshot

    @property
    def facets(self) -> Facets:
        """What the collection can be filtered by."""
        return self._current().facets

    def by_text(self, query: str, top: int, filters: Filters = Filters(), floor: float = -1.0) -> SearchResult:
        """The `top` assets most similar to a text. Raises QueryError for an empty or overlong query."""
        text = plain_words(query)
        if not text:
            raise QueryError("the query is empty: write what the picture should show")
        encoder = self._fitting_encoder()  # loading it, once, is no part of a search
        stages = StageTimer()
        with stages.stage("encode"):
            vector = encoder.encode_texts([text])[0]
        return self._search(text, vector, top, filters, floor, stages)

    def by_asset(
        self,
        asset_id: str,
        top: int,
        filters: Filters = Filters(),
        floor: float = -1.0,
        words: str = "",
        weight: float = 0.5,
    ) -> SearchResult:
        """The `top` assets most similar to one of the collection, and to `words`, itself left out.

        `weight` is the words' share, from 0 to 1. Raises QueryError if the asset is unknown, or as `by_text` does.
        """
        text, resident = plain_words(words), self._current()
        row = resident.row_of.get(asset_id)
        if row is None:
            raise QueryError(
                f"collection {self._table.name} has no picture {asset_id[:12]!r}: it may have been removed"
            )
        encoder = self._fitting_encoder() if text else None
        stages = StageTimer()
        with stages.stage("encode"):
            vector = resident.snapshot.vectors[row]
            if encoder is not None:
                vector = blend_query_vectors(vector, encoder.encode_texts([text])[0], weight)
        return self._search(text, vector, top, filters, floor, stages, without=row)

    def by_picture(
        self,
        picture: QueryPicture,
        top: int,
        filters: Filters = Filters(),
        floor: float = -1.0,
        words: str = "",
        weight: float = 0.5,
    ) -> SearchResult:
        """The `top` assets most similar to a picture from outside, and to `words`, whose share is `weight`, 0 to 1.

        A picture that the collection holds is found by its own vector: it is most similar to itself. Raises as
        `by_text` does.
        """
        text, resident = plain_words(words), self._current()
        row, encoder = resident.row_of.get(picture.id), self._fitting_encoder()
        stages = StageTimer()
        with stages.stage("encode"):
            vector = encode(encoder, picture.image) if row is None else resident.snapshot.vectors[row]
            if text:
                vector = blend_query_vectors(vector, encoder.encode_texts([text])[0], weight)
        return self._search(text, vector, top, filters, floor, stages)

    def browse(self, top: int, filters: Filters = Filters()) -> SearchResult:
        """The newest `top` assets that pass the filters, with similarity 0: what one sees before asking anything."""
        stages, resident = StageTimer(), self._current()
        with stages.stage("search"):
            mask = self._mask(resident, filters)
            rows = resident.newest_first if mask is None else resident.newest_first[mask[resident.newest_first]]
        return self._load(resident, "", rows[:top], np.zeros(min(top, len(rows)), np.float32), len(rows), stages)

    def examples(self, count: int) -> list[str]:
        """Up to `count` titles of pictures that differ most from each other, to begin a search with."""
        snapshot = self._current().snapshot
        ids = [snapshot.ids[row] for row in spread_rows(snapshot.vectors, 5 * count)]
        titles = [
            asset.about.title for asset, _ in self._table.assets(ids) if 0 < len(asset.about.title) <= EXAMPLE_LENGTH
        ]
        return list(dict.fromkeys(titles))[:count]

    def pictures(self, asset_ids: Sequence[str], similarities: Sequence[float] | None = None) -> tuple[Hit, ...]:
        """Assets by their ids, in that order, with their thumbnails; those that are gone are left out."""
        loaded = {asset.id: (asset, thumbnail) for asset, thumbnail in self._table.assets(list(asset_ids))}
        cosines = [0.0] * len(asset_ids) if similarities is None else similarities
        found = [(i, s) for i, s in zip(asset_ids, cosines, strict=True) if i in loaded]
        return tuple(Hit(rank, s, *loaded[i]) for rank, (i, s) in enumerate(found, 1))

    def asset(self, asset_id: str) -> tuple[Asset, bytes] | None:
        """One asset and its thumbnail (JPEG), or None if the collection does not hold it."""
        found = self._table.assets([asset_id])
        return found[0] if found else None

    def _search(
        self,
        query: str,
        vector: NDArray[np.float32],
        top: int,
        filters: Filters,
        floor: float,
        stages: StageTimer,
        without: int | None = None,
    ) -> SearchResult:
        resident = self._current()
        with stages.stage("search"):
            mask = self._mask(resident, filters)
            if without is not None:
                mask = np.ones(len(resident.snapshot), bool) if mask is None else mask.copy()
                mask[without] = False
            rows, similarities, matching = nearest_rows(resident.snapshot.vectors, vector, top, mask, floor)
        return self._load(resident, query, rows, similarities, matching, stages)

    def _load(
        self,
        resident: _Resident,
        query: str,
        rows: NDArray[np.intp],
        similarities: NDArray[np.float32],
        matching: int,
        stages: StageTimer,
    ) -> SearchResult:
        ids = [resident.snapshot.ids[row] for row in rows]
        with stages.stage("load"):
            loaded = {asset.id: (asset, thumbnail) for asset, thumbnail in self._table.assets(ids)}
        found = [(i, s) for i, s in zip(ids, similarities.tolist(), strict=True) if i in loaded]
        hits = tuple(Hit(rank, s, *loaded[i]) for rank, (i, s) in enumerate(found, 1))
        return SearchResult(self._table.name, resident.snapshot.version, query, hits, matching, stages.finish())

    def _fitting_encoder(self) -> Encoder:
        encoder, model = self._encoder(), self._table.model
        if (encoder.card.checkpoint, encoder.card.dimension) != (model.checkpoint, model.dimension):
            raise ModelUnavailable(
                f"{self._table.name} was embedded with {model.name} ({model.checkpoint[:19]}), but that name "
                f"now means {encoder.card.checkpoint[:19]}: restore the model, or ingest into a new collection"
            )
        return encoder

    def _current(self) -> _Resident:
        with self._lock:
            mark = self._table.change_mark()
            if self._resident is None or self._resident.mark != mark:
                self._resident = _build(mark, self._table.snapshot())
                self._masks.clear()
            return self._resident

    def _mask(self, resident: _Resident, filters: Filters) -> NDArray[np.bool_] | None:
        key = (resident.mark, filters)
        with self._lock:
            if key not in self._masks:
                self._masks[key] = resident.columns.mask(filters)
                while len(self._masks) > MASKS_KEPT:
                    self._masks.popitem(last=False)
            return self._masks[key]


def plain_words(query: str) -> str:
    """A query with one space between its words. Raises QueryError if it is overlong."""
    text = " ".join(query.split())
    if len(text) > MAX_QUERY_LENGTH:
        raise QueryError(f"the query has {len(text)} characters, allowed are {MAX_QUERY_LENGTH}: shorten it")
    return text


def _build(mark: int, snapshot: Snapshot) -> _Resident:
    columns = FilterColumns(snapshot)
    return _Resident(
        mark=mark,
        snapshot=snapshot,
        row_of={asset_id: row for row, asset_id in enumerate(snapshot.ids)},
        columns=columns,
        facets=columns.facets(),
        newest_first=np.lexsort((np.arange(len(snapshot)), -snapshot.ingested_us)),
    )
