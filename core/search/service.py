"""The search service: what a page or a command can ask of the pictures of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.cache import OnceCache
from core.records.assets import Filters, SearchResult
from core.records.jobs import ProgressListener, ignore
from core.records.searches import SearchOptions
from core.search.answer import Answer
from core.search.duplicates import Duplicates, find_near_duplicates
from core.search.filters import Facets
from core.search.open_collections import OpenCollections
from core.search.query_picture import QueryPicture, read_query_picture
from core.search.search_pipeline import CandidatesListener, SearchPipeline

MAX_CACHED_DUPLICATES = 4


class SearchService:
    """Searches over collections; each search by text or picture leaves an event. May be shared between threads."""

    def __init__(
        self, collections: OpenCollections, pipeline: SearchPipeline, candidates: int, max_megapixels: float
    ) -> None:
        """`candidates` is how many pictures a ranking needs; larger pictures than `max_megapixels` are refused."""
        self._collections, self._pipeline = collections, pipeline
        self._candidates, self._max_megapixels = candidates, max_megapixels
        self._duplicates = OnceCache(MAX_CACHED_DUPLICATES)

    def by_text(
        self,
        text: str,
        collection: str,
        options: SearchOptions = SearchOptions(),
        ranked: bool = False,
        on_candidates: CandidatesListener = ignore,
        kind: str = "search",
    ) -> Answer:
        """The pictures most similar to a text; if `ranked`, Gemini orders the first of them, where it is available.

        `on_candidates` gets them by similarity while Gemini ranks; `kind` is the event's.
        Raises QueryError, CollectionError, ModelUnavailable.
        """
        if ranked:
            options = replace(options, top=max(options.top, self._candidates))
        return self._pipeline.run(
            lambda: self._collections.searcher(collection).by_text(text, options),
            collection,
            ranked,
            on_candidates,
            kind,
        )

    def by_asset(
        self,
        asset_id: str,
        collection: str,
        options: SearchOptions = SearchOptions(),
        text: str = "",
        text_weight: float = 0.5,
    ) -> Answer:
        """The pictures most similar to one of the collection, and to a `text` whose share is `text_weight`, 0 to 1.

        Raises QueryError, CollectionError, and with a text ModelUnavailable.
        """
        return self._pipeline.run(
            lambda: self._collections.searcher(collection).by_asset(asset_id, options, text, text_weight), collection
        )

    def by_picture(
        self,
        picture: QueryPicture,
        collection: str,
        options: SearchOptions = SearchOptions(),
        text: str = "",
        text_weight: float = 0.5,
    ) -> Answer:
        """The pictures most similar to one from outside, and to a `text` whose share is `text_weight`, 0 to 1.

        Raises QueryError, CollectionError, ModelUnavailable.
        """
        return self._pipeline.run(
            lambda: self._collections.searcher(collection).by_picture(picture, options, text, text_weight), collection
        )

    def read_query_picture(self, data: bytes) -> QueryPicture:
        """A picture from outside to search by; it is not stored. Raises QueryError, BadImage."""
        return read_query_picture(data, self._max_megapixels)

    def browse(self, collection: str, top: int = 10, filters: Filters = Filters()) -> SearchResult:
        """The newest pictures of a collection. Raises CollectionError."""
        return self._collections.searcher(collection).browse(top, filters)

    def examples(self, collection: str, count: int = 6) -> list[str]:
        """Example queries: titles of pictures of the collection that differ from each other."""
        return self._collections.searcher(collection).examples(count)

    def facets(self, collection: str) -> Facets:
        """What a collection can be filtered by."""
        return self._collections.searcher(collection).facets

    def duplicates(self, collection: str, listener: ProgressListener = ignore) -> Duplicates:
        """What a collection holds more than once; computed once per collection version."""
        table, snapshot = self._collections.table(collection), self._collections.snapshot(collection)

        def load_thumbnails(ids: Sequence[str]) -> dict[str, bytes]:
            return {asset.id: jpeg for asset, jpeg in table.assets(ids)}

        def find() -> Duplicates:
            sizes = np.column_stack([snapshot.width, snapshot.height]).astype(np.int64)
            groups = find_near_duplicates(snapshot.ids, snapshot.vectors, sizes, load_thumbnails, listener=listener)
            return Duplicates(tuple(groups), table.assets_with_several_uris())

        key = (collection, snapshot.version, self._collections.stamp(collection))
        return self._duplicates.get_or_create(key, find)
