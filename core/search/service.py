"""The search service: what a page or a command can ask of the pictures of a collection."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.access import Access, Action, Person
from core.cache import OnceCache
from core.errors import QueryError
from core.records.assets import Filters, SearchResult
from core.records.jobs import ProgressListener, ignore
from core.records.queries import Query, Wish
from core.records.searches import SearchOptions
from core.records.text_fit import TextFit
from core.search.answer import Answer
from core.search.duplicates import Duplicates, find_near_duplicates
from core.search.filters import Facets
from core.search.open_collections import OpenCollections
from core.search.query_encoding import normalize_query
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.search.query_picture import MAX_QUERY_MEGAPIXELS, QueryPicture, read_query_picture
from core.search.search_limits import SearchLimits
from core.search.search_pipeline import CandidatesListener, SearchPipeline
from core.settings import Settings

MAX_CACHED_DUPLICATES = 4
MAX_DECODED_AT_ONCE = 2  # pictures that people search by: each may take some hundred MB for a moment


class SearchService:
    """Searches over collections; each search by text or picture leaves an event. May be shared between threads.

    Every search is counted for the person who asks.
    """

    def __init__(
        self,
        collections: OpenCollections,
        pipeline: SearchPipeline,
        limits: SearchLimits,
        access: Access,
        settings: Settings,
    ) -> None:
        self._collections, self._pipeline = collections, pipeline
        self._limits, self._access, self._settings = limits, access, settings
        self._duplicates = OnceCache(MAX_CACHED_DUPLICATES)
        self._decoding = threading.BoundedSemaphore(MAX_DECODED_AT_ONCE)

    def by_text(
        self,
        person: Person,
        text: str,
        collection: str,
        options: SearchOptions = SearchOptions(),
        ranked: bool = False,
        on_candidates: CandidatesListener = ignore,
        kind: str = "search",
    ) -> Answer:
        """The pictures most similar to a text; if `ranked`, Gemini orders the first of them, where it is available.

        `on_candidates` gets them by similarity while Gemini ranks; `kind` is the event's.
        Raises QueryError, CollectionError, ModelUnavailable, TooManyTries.
        """
        query = self.understood(text, collection)
        return self.by_query(person, query, collection, options, ranked, on_candidates, kind)

    def understood(self, text: str, collection: str) -> Query:
        """What a text asks of a collection, by rules alone. Raises QueryError if it is empty, overlong or mistaken."""
        parsed = parse(normalize_query(text), self.names(collection))
        if parsed.problems:
            raise QueryError("; ".join(problem.sentence for problem in parsed.problems))
        query = parsed.query
        if query == Query():
            raise QueryError("the query is empty: write what the picture should show")
        return query

    def by_query(
        self,
        person: Person,
        query: Query,
        collection: str,
        options: SearchOptions = SearchOptions(),
        ranked: bool = False,
        on_candidates: CandidatesListener = ignore,
        kind: str = "search",
        picture: QueryPicture | None = None,
        text_weight: float = 0.5,
    ) -> Answer:
        """The pictures that match a query best, and look like a `picture` from outside if there is one.

        `text_weight` is the share of the words next to pictures, 0 to 1. `ranked` and the rest are as for `by_text`.
        Raises QueryError, CollectionError, ModelUnavailable, TooManyTries.
        """
        allowance = self._limits.begin_search(person)
        if ranked:
            options = replace(options, top=max(options.top, self._settings.rank_candidates))

        def find() -> SearchResult:
            return self._collections.searcher(collection).search(query, options, picture, text_weight)

        return self._pipeline.run(find, collection, ranked, on_candidates, kind, allowance)

    def by_asset(
        self,
        person: Person,
        asset_id: str,
        collection: str,
        options: SearchOptions = SearchOptions(),
        text: str = "",
        text_weight: float = 0.5,
    ) -> Answer:
        """The pictures most similar to one of the collection, and to a `text` whose share is `text_weight`, 0 to 1.

        Raises QueryError, CollectionError, TooManyTries, and with a text ModelUnavailable.
        """
        query = Query((Wish(text),), like=(asset_id,))
        return self.by_query(person, query, collection, options, text_weight=text_weight)

    def by_picture(
        self,
        person: Person,
        picture: QueryPicture,
        collection: str,
        options: SearchOptions = SearchOptions(),
        text: str = "",
        text_weight: float = 0.5,
    ) -> Answer:
        """The pictures most similar to one from outside, and to a `text` whose share is `text_weight`, 0 to 1.

        Raises QueryError, CollectionError, ModelUnavailable, TooManyTries.
        """
        query = Query((Wish(text),))
        return self.by_query(person, query, collection, options, picture=picture, text_weight=text_weight)

    def read_query_picture(self, data: bytes) -> QueryPicture:
        """A picture from outside to search by; it is not stored. Raises QueryError, BadImage."""
        with self._decoding:
            return read_query_picture(data, self._settings.query_picture_mb, self.max_query_megapixels)

    @property
    def max_query_megapixels(self) -> int:
        """How large a picture to search by may be."""
        return min(self._settings.max_megapixels, MAX_QUERY_MEGAPIXELS)

    def browse(self, collection: str, top: int = 10, filters: Filters = Filters()) -> SearchResult:
        """The newest pictures of a collection. Raises CollectionError."""
        return self._collections.searcher(collection).browse(top, filters)

    def examples(self, collection: str, count: int = 6) -> list[str]:
        """Example queries: titles of pictures of the collection that differ from each other."""
        return self._collections.searcher(collection).examples(count)

    def text_fit(self, collection: str) -> TextFit:
        """How well the texts of a collection fit its pictures, as it was measured last. Raises CollectionError."""
        return self._collections.searcher(collection).text_fit

    def facets(self, collection: str) -> Facets:
        """What a collection can be filtered by."""
        return self._collections.searcher(collection).facets

    def names(self, collection: str) -> CollectionNames:
        """The names by which sentences about a collection are read."""
        return self._collections.searcher(collection).names

    def duplicates(self, person: Person, collection: str, listener: ProgressListener = ignore) -> Duplicates:
        """What a collection holds more than once; computed once per collection version. Raises NotAllowed."""
        self._access.require(person, Action.FIND_DUPLICATES)
        table, snapshot = self._collections.table(collection), self._collections.snapshot(collection)

        def load_thumbnails(ids: Sequence[str]) -> dict[str, bytes]:
            return {asset.id: jpeg for asset, jpeg in table.assets(ids)}

        def find() -> Duplicates:
            sizes = np.column_stack([snapshot.width, snapshot.height]).astype(np.int64)
            groups = find_near_duplicates(snapshot.ids, snapshot.vectors, sizes, load_thumbnails, listener=listener)
            return Duplicates(tuple(groups), table.assets_with_several_uris())

        key = (collection, snapshot.version, self._collections.stamp(collection))
        return self._duplicates.get_or_create(key, find)
