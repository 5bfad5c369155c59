"""Searches one collection by a snapshot that follows the table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.cache import OnceCache
from core.embedding.encoder import Encoder
from core.errors import ModelUnavailable, QueryError
from core.metrics.stage_timer import StageTimer
from core.records.assets import Asset, Filters, Hit, ModelCard, SearchResult
from core.records.searches import SearchOptions
from core.search.filters import Facets, FilterColumns
from core.search.query_language.collection_names import CollectionNames
from core.search.query_picture import QueryPicture, encode_query_picture
from core.search.vector_search import Matches, blend_query_vectors, nearest_rows, spread_rows
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable

MAX_QUERY_LENGTH = 2_000
MAX_CACHED_MASKS = 16
MAX_EXAMPLE_LENGTH = 22


@dataclass(frozen=True)
class _Resident:
    """One state of the collection in memory, with the rows that recent filters leave."""

    change_token: int
    snapshot: Snapshot
    row_of: dict[str, int]
    columns: FilterColumns
    facets: Facets
    newest_first: NDArray[np.intp]
    masks: OnceCache = field(default_factory=lambda: OnceCache(MAX_CACHED_MASKS))

    @cached_property
    def names(self) -> CollectionNames:
        """The names by which sentences are read."""
        return CollectionNames(self.facets)

    def mask(self, filters: Filters) -> NDArray[np.bool_] | None:
        """The rows that the filters leave; None if they leave all."""
        return self.masks.get_or_create(filters, lambda: self.columns.mask(filters))


class Searcher:
    """Exact search over one collection. May be shared between threads; sees every committed asset."""

    def __init__(self, table: AssetTable, encoder: Callable[[], Encoder]) -> None:
        """`encoder` is called when a text has to be encoded, so that browsing needs no model."""
        self._table, self._encoder = table, encoder
        self._lock = threading.Lock()
        self._resident: _Resident | None = None

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

    @property
    def names(self) -> CollectionNames:
        """The names by which sentences about the collection are read."""
        return self._current().names

    def by_text(self, text: str, options: SearchOptions = SearchOptions()) -> SearchResult:
        """The assets most similar to a text. Raises QueryError for an empty or overlong text."""
        text = normalize_query(text)
        if not text:
            raise QueryError("the query is empty: write what the picture should show")
        encoder = self._matching_encoder()  # loading it, once, is not part of a search
        stages = StageTimer()
        with stages.stage("encode"):
            vector = encoder.encode_texts([text])[0]
        return self._search(text, vector, options, stages)

    def by_asset(
        self, asset_id: str, options: SearchOptions = SearchOptions(), text: str = "", text_weight: float = 0.5
    ) -> SearchResult:
        """The assets most similar to one of the collection, itself excluded, and to `text`.

        `text_weight` is the text's share, from 0 to 1. Raises QueryError if the asset is unknown, or as `by_text` does.
        """
        text, resident = normalize_query(text), self._current()
        row = resident.row_of.get(asset_id)
        if row is None:
            raise QueryError(
                f"collection {self._table.name} has no picture {asset_id[:12]!r}: it may have been removed"
            )
        encoder = self._matching_encoder() if text else None
        stages = StageTimer()
        with stages.stage("encode"):
            vector = resident.snapshot.vectors[row]
            if encoder is not None:
                vector = blend_query_vectors(vector, encoder.encode_texts([text])[0], text_weight)
        return self._search(text, vector, options, stages, excluded_row=row)

    def by_picture(
        self, picture: QueryPicture, options: SearchOptions = SearchOptions(), text: str = "", text_weight: float = 0.5
    ) -> SearchResult:
        """The assets most similar to a picture from outside, and to `text`, whose share is `text_weight`, 0 to 1.

        A picture that the collection holds is searched by its stored vector: it is most similar to itself. Raises as
        `by_text` does.
        """
        text, resident = normalize_query(text), self._current()
        row, encoder = resident.row_of.get(picture.id), self._matching_encoder()
        stages = StageTimer()
        with stages.stage("encode"):
            vector = encode_query_picture(encoder, picture) if row is None else resident.snapshot.vectors[row]
            if text:
                vector = blend_query_vectors(vector, encoder.encode_texts([text])[0], text_weight)
        return self._search(text, vector, options, stages)

    def browse(self, top: int, filters: Filters = Filters()) -> SearchResult:
        """The newest `top` assets that pass the filters, with similarity 0: what a page shows before any query."""
        stages, resident = StageTimer(), self._current()
        with stages.stage("search"):
            mask = resident.mask(filters)
            rows = resident.newest_first if mask is None else resident.newest_first[mask[resident.newest_first]]
        newest = Matches(rows[:top], np.zeros(min(top, len(rows)), np.float32), len(rows))
        return self._load(resident, "", newest, stages)

    def examples(self, count: int) -> list[str]:
        """Up to `count` titles of pictures that differ most from each other, as example queries."""
        snapshot = self._current().snapshot
        ids = [snapshot.ids[row] for row in spread_rows(snapshot.vectors, 5 * count)]
        titles = [asset.about.title for asset, _ in self._table.assets(ids)]
        return list(dict.fromkeys(title for title in titles if 0 < len(title) <= MAX_EXAMPLE_LENGTH))[:count]

    def pictures(self, asset_ids: Sequence[str], similarities: Sequence[float] | None = None) -> tuple[Hit, ...]:
        """Assets by their ids, in that order, with their thumbnails; those no longer stored are left out."""
        return self._hits(asset_ids, [0.0] * len(asset_ids) if similarities is None else similarities)

    def asset(self, asset_id: str) -> tuple[Asset, bytes] | None:
        """One asset and its thumbnail (JPEG), or None if the collection does not hold it."""
        found = self._table.assets([asset_id])
        return found[0] if found else None

    def _search(
        self,
        text: str,
        vector: NDArray[np.float32],
        options: SearchOptions,
        stages: StageTimer,
        excluded_row: int | None = None,
    ) -> SearchResult:
        resident = self._current()
        with stages.stage("search"):
            mask = resident.mask(options.filters)
            if excluded_row is not None:
                mask = np.ones(len(resident.snapshot), bool) if mask is None else mask.copy()
                mask[excluded_row] = False
            matches = nearest_rows(resident.snapshot.vectors, vector, options.top, mask, options.min_similarity)
        return self._load(resident, text, matches, stages)

    def _load(self, resident: _Resident, text: str, matches: Matches, stages: StageTimer) -> SearchResult:
        with stages.stage("load"):
            hits = self._hits([resident.snapshot.ids[row] for row in matches.rows], matches.similarities.tolist())
        return SearchResult(self._table.name, resident.snapshot.version, text, hits, matches.passing, stages.finish())

    def _hits(self, asset_ids: Sequence[str], similarities: Iterable[float]) -> tuple[Hit, ...]:
        loaded = {asset.id: (asset, thumbnail) for asset, thumbnail in self._table.assets(list(asset_ids))}
        found = [(i, similarity) for i, similarity in zip(asset_ids, similarities, strict=True) if i in loaded]
        return tuple(Hit(rank, similarity, *loaded[i]) for rank, (i, similarity) in enumerate(found, 1))

    def _matching_encoder(self) -> Encoder:
        """The encoder, if its model is the one that the collection was embedded with. Raises ModelUnavailable."""
        encoder, model = self._encoder(), self._table.model
        if (encoder.card.checkpoint, encoder.card.dimension) != (model.checkpoint, model.dimension):
            raise ModelUnavailable(
                f"{self._table.name} was embedded with {model.name} ({model.checkpoint[:19]}), but that name "
                f"now means {encoder.card.checkpoint[:19]}: restore the model, or ingest into a new collection"
            )
        return encoder

    def _current(self) -> _Resident:
        with self._lock:
            token = self._table.change_token()
            if self._resident is None or self._resident.change_token != token:
                self._resident = _make_resident(token, self._table.snapshot())
            return self._resident


def normalize_query(query: str) -> str:
    """A query with one space between its words. Raises QueryError if it is overlong."""
    text = " ".join(query.split())
    if len(text) > MAX_QUERY_LENGTH:
        raise QueryError(f"the query has {len(text)} characters, the limit is {MAX_QUERY_LENGTH}: shorten it")
    return text


def _make_resident(change_token: int, snapshot: Snapshot) -> _Resident:
    columns = FilterColumns(snapshot)
    return _Resident(
        change_token=change_token,
        snapshot=snapshot,
        row_of={asset_id: row for row, asset_id in enumerate(snapshot.ids)},
        columns=columns,
        facets=columns.facets(),
        newest_first=np.lexsort((np.arange(len(snapshot)), -snapshot.ingested_us)),
    )
