"""The search desk: what a page or a command asks of the pictures of a collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.cache import OnceCache
from core.records.assets import Filters, SearchResult
from core.records.jobs import ProgressListener, ignore
from core.search.answer import Answer
from core.search.duplicates import Duplicates, near_identical
from core.search.filters import Facets
from core.search.open_collections import OpenCollections
from core.search.query_picture import QueryPicture, query_picture
from core.search.request import Candidates, SearchPipeline

DUPLICATES_KEPT = 4


class SearchService:
    """Searches over collections; each by words or by a picture leaves an event. May be shared between threads."""

    def __init__(
        self, opened: OpenCollections, service: SearchPipeline, candidates: int, max_megapixels: float
    ) -> None:
        """`candidates` is how many pictures a ranking needs; larger pictures than `max_megapixels` are refused."""
        self._opened, self._service = opened, service
        self._candidates, self._max_megapixels = candidates, max_megapixels
        self._duplicates = OnceCache(DUPLICATES_KEPT)

    def by_words(
        self,
        query: str,
        collection: str,
        top: int = 10,
        filters: Filters = Filters(),
        floor: float = -1.0,
        ranked: bool = False,
        on_candidates: Candidates = ignore,
        kind: str = "search",
    ) -> Answer:
        """The `top` pictures most similar to a text; the first of them `ranked` by Gemini, where that can be had.

        `on_candidates` has them by similarity while Gemini is asked; `kind` is the event's.
        Raises QueryError, CollectionError, ModelUnavailable.
        """
        most = max(top, self._candidates) if ranked else top
        return self._service.answer(
            lambda: self._opened.searcher(collection).by_text(query, most, filters, floor),
            collection,
            ranked,
            on_candidates,
            kind,
        )

    def similar(
        self,
        asset_id: str,
        collection: str,
        top: int = 10,
        filters: Filters = Filters(),
        floor: float = -1.0,
        query: str = "",
        weight: float = 0.5,
    ) -> Answer:
        """The `top` pictures most similar to one of the collection; with a `query` also to that, `weight` its share.

        Raises QueryError, CollectionError, and with a query ModelUnavailable.
        """
        return self._service.answer(
            lambda: self._opened.searcher(collection).by_asset(asset_id, top, filters, floor, query, weight), collection
        )

    def query_picture(self, data: bytes) -> QueryPicture:
        """A picture from outside, to search by; it is not stored. Raises QueryError, BadImage."""
        return query_picture(data, self._max_megapixels)

    def by_picture(
        self,
        picture: QueryPicture,
        collection: str,
        top: int = 10,
        filters: Filters = Filters(),
        floor: float = -1.0,
        query: str = "",
        weight: float = 0.5,
    ) -> Answer:
        """The `top` pictures most similar to one from outside; with a `query` also to that, `weight` its share.

        Raises QueryError, CollectionError, ModelUnavailable.
        """
        return self._service.answer(
            lambda: self._opened.searcher(collection).by_picture(picture, top, filters, floor, query, weight),
            collection,
        )

    def browse(self, collection: str, top: int = 10, filters: Filters = Filters()) -> SearchResult:
        """The newest pictures of a collection. Raises CollectionError."""
        return self._opened.searcher(collection).browse(top, filters)

    def examples(self, collection: str, count: int = 6) -> list[str]:
        """Queries to begin with: titles of pictures of the collection that differ from each other."""
        return self._opened.searcher(collection).examples(count)

    def facets(self, collection: str) -> Facets:
        """What a collection can be filtered by."""
        return self._opened.searcher(collection).facets

    def duplicates(self, collection: str, listener: ProgressListener = ignore) -> Duplicates:
        """What a collection holds more than once; looked for once per collection version."""
        table, snapshot = self._opened.table(collection), self._opened.snapshot(collection)

        def thumbnails(ids: Sequence[str]) -> dict[str, bytes]:
            return {asset.id: jpeg for asset, jpeg in table.assets(ids)}

        def found() -> Duplicates:
            sizes = np.column_stack([snapshot.width, snapshot.height]).astype(np.int64)
            groups = near_identical(snapshot.ids, snapshot.vectors, sizes, thumbnails, listener=listener)
            return Duplicates(tuple(groups), table.seen_again())

        return self._duplicates.get_or_create((collection, snapshot.version, self._opened.stamp(collection)), found)
