"""Searches one collection by a snapshot that follows the table."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from core.embedding.encoder import Encoder
from core.errors import ModelUnavailable, StoreError
from core.logs import log
from core.metrics.stage_timer import StageTimer
from core.records.assets import Asset, Filters, Found, Hit, ModelCard, SearchResult
from core.records.queries import Query, TextCondition
from core.records.searches import SearchOptions
from core.records.text_fit import MeasuredFit, TextFit
from core.search.closest_matches import DEPTH, count_closest
from core.search.filters import Facets
from core.search.folding import MAX_CACHED_HASHES, ResultFolder, StructureHashes
from core.search.found_words import WordFinder, words_to_find
from core.search.fusion import FULL_WEIGHT, looks_up, words_weight
from core.search.hints import WEAK, search_hints
from core.search.ordering import Ordered, looks_like, newest_rows, order_rows
from core.search.query_encoding import NO_TEXTS, corrected_query, normalized, query_vector
from core.search.query_language.collection_names import CollectionNames
from core.search.query_picture import QueryPicture
from core.search.resident import Resident, make_resident
from core.search.stemming import Language
from core.search.text_fit import is_outdated, measure_text_fit
from core.search.vector_search import spread_rows
from core.store.lance.snapshot import Snapshot
from core.store.lance.table import AssetTable
from core.store.lance.text_index import TextMatches
from core.store.objects.text_fit_file import TextFitFile

MAX_EXAMPLE_LENGTH = 22
FOLDED_DEPTH = 4  # how many times as far down is looked where near-duplicates may fill the first places
NO_FIT = TextFit(0, 0.0)


class Searcher:
    """Exact search over one collection. May be shared between threads; sees every committed asset."""

    def __init__(
        self,
        table: AssetTable,
        encoder: Callable[[], Encoder],
        fits: TextFitFile,
        language: Language = Language(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`encoder` is called when a text has to be encoded, so that browsing needs no model."""
        self._table, self._encoder, self._fits, self._language, self._now = table, encoder, fits, language, now
        self._lock = threading.Lock()
        self._resident: Resident | None = None
        self._unstored: MeasuredFit | None = None
        self._hashes = StructureHashes(MAX_CACHED_HASHES)

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

    @property
    def text_fit(self) -> TextFit:
        """How well the collection's texts fit its pictures, as it was measured last."""
        measured = self._measured_fit()
        return measured.fit if measured and measured.checkpoint == self.model.checkpoint else NO_FIT

    def prepare_words(self) -> None:
        """Read the texts of the collection, and measure how well they fit where that is not known.

        Where the measurement cannot be stored, this process keeps it. Raises ModelUnavailable, StoreError.
        """
        resident, checkpoint, now = self._current(), self.model.checkpoint, self._now()
        columns = resident.words.columns
        resident.words.prepare()
        if is_outdated(self._measured_fit(), checkpoint, columns.digest, len(columns), now):
            encode, rows = self._matching_encoder().encode_texts, np.flatnonzero(columns.with_text).tolist()
            fit = measure_text_fit(resident.snapshot.vectors, rows, columns.written, encode)
            self._keep(MeasuredFit(fit, checkpoint, columns.digest, len(columns), now))

    def search(
        self,
        query: Query,
        options: SearchOptions = SearchOptions(),
        picture: QueryPicture | None = None,
        text_weight: float = 0.5,
    ) -> SearchResult:
        """The assets that match a query best, and look like a `picture` from outside if there is one.

        `text_weight` is the share of the words next to pictures, from 0 to 1. What only narrows (conditions, unwanted
        words) keeps the newest first. Raises QueryError for an overlong text, an unknown picture, and for wishes that
        cancel each other out; ModelUnavailable.
        """
        resident, asked, correction = self._current(), normalized(query), None
        if options.correct and asked.wishes:
            asked, correction = corrected_query(asked, resident.words)
        shown = asked.wishes if options.by != "words" else ()  # what pictures should show, or not
        unknown_picture = picture is not None and picture.id not in resident.row_of
        encoder = self._matching_encoder() if shown or unknown_picture else None  # loading it is not part of a search
        stages = StageTimer()
        words = self._start_words(resident, asked, options)
        with stages.stage("encode"):
            texts = encoder.encode_texts([wish.text for wish in shown]) if encoder and shown else NO_TEXTS
            vector = query_vector(resident, asked, texts, picture, encoder, text_weight)
        with stages.stage("search"):
            by_picture = picture is not None or bool(asked.like)
            fit = self.text_fit if asked.words else NO_FIT
            full = FULL_WEIGHT if looks_up(asked.words) else words_weight(fit.wrong_share)
            weight = full * (min(1.0, 2 * text_weight) if by_picture else 1.0)
            ordered = self._order(resident, asked, options, vector, texts, words.result() if words else None, weight)
        with stages.stage("load"):
            hits, closest = self._found_hits(resident, asked, options, ordered)
        hints = () if by_picture or not ordered.by_pixels else self._hints(resident, asked, ordered, fit)
        return SearchResult(
            collection=self._table.name,
            collection_version=resident.snapshot.version,
            query=asked.words,
            hits=hits,
            matching=ordered.passing,
            stage_ms=stages.finish(),
            closest=0 if WEAK in hints else closest,
            correction=correction,
            hints=hints,
            spread=ordered.spread,
        )

    def browse(self, top: int, filters: Filters = Filters()) -> SearchResult:
        """The newest `top` assets that pass the filters, with similarity 0: what a page shows before any query."""
        return self.search(Query(), SearchOptions(top, filters))

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

    def _measured_fit(self) -> MeasuredFit | None:
        if self._unstored is not None:
            return self._unstored
        try:
            return self._fits.get()
        except StoreError as error:  # searches go on without it
            log("search", "how well texts fit cannot be read", logging.WARNING, error=str(error))
            return None

    def _keep(self, measured: MeasuredFit) -> None:
        self._unstored = measured
        try:
            self._fits.put(measured)
            self._unstored = None
        except StoreError as error:  # a disk that is full or read-only keeps nobody from searching
            log("search", "how well texts fit was not stored", logging.WARNING, error=str(error))

    def _start_words(self, resident: Resident, query: Query, options: SearchOptions) -> Future[TextMatches] | None:
        """Looks for the words beside the encoding of the query."""
        if options.by == "pixels" or not query.words:
            return None
        pool = ThreadPoolExecutor(1, "words")  # of its own: one that was kept would hold threads for each collection
        found = pool.submit(resident.words.matches_of, query.wishes)
        pool.shutdown(wait=False)
        return found

    def _order(
        self,
        resident: Resident,
        query: Query,
        options: SearchOptions,
        vector: NDArray[np.float32] | None,
        unwanted: NDArray[np.float32],
        matches: TextMatches | None,
        weight: float,
    ) -> Ordered:
        """The order of the rows that may be results; with neither a vector nor words the newest come first."""
        mask = resident.allowed(query, options.filters)
        top = max(options.top, DEPTH) * (FOLDED_DEPTH if options.fold else 1)
        vectors = resident.snapshot.vectors
        if vector is None and matches is None:
            for text in unwanted:
                mask &= ~looks_like(vectors @ text, mask)
            return newest_rows(resident.newest_first, mask, top)
        similarity = None if vector is None else vectors @ vector
        return order_rows(similarity, matches, mask, top, weight, options.min_similarity)

    def _hints(self, resident: Resident, query: Query, ordered: Ordered, fit: TextFit) -> tuple[str, ...]:
        if not len(ordered.rows):
            return ()
        best, unknown = float(ordered.similarities[0]), resident.words.unknown(query.words)
        return search_hints(query.words, self.model, fit, best, bool(ordered.relative.any()), unknown)

    def _found_hits(
        self, resident: Resident, query: Query, options: SearchOptions, ordered: Ordered
    ) -> tuple[tuple[Hit, ...], int]:
        """The first results of an order with what they were found by, and how many of them stand out."""
        ids, vectors = resident.snapshot.ids, resident.snapshot.vectors
        closest = count_closest(ordered.standard, ordered.relative, ordered.scores) if ordered.scores.any() else 0
        finder = WordFinder(words_to_find(query), resident.words.language, resident.words.is_telling)
        place_of = {ids[row]: place for place, row in enumerate(ordered.rows.tolist())}
        folder, place = ResultFolder(self._hashes), 0
        while len(folder) < options.top and place < len(ordered.rows):
            rows = ordered.rows[place : place + options.top - len(folder)]
            similarities = ordered.similarities[place : place + len(rows)].tolist()
            for hit in self._hits([ids[row] for row in rows], similarities):
                folder.add(hit, vectors[resident.row_of[hit.asset.id]], options.fold)
            place += len(rows)
        hits = []
        for rank, (hit, under) in enumerate(folder.folded(), 1):
            found = _found(hit.asset, place_of[hit.asset.id], query, ordered, finder)
            hits.append(replace(hit, rank=rank, folded=under, found=found))
        return tuple(hits), sum(place_of[hit.asset.id] < closest for hit in hits)

    def _hits(self, asset_ids: Sequence[str], similarities: Iterable[float]) -> tuple[Hit, ...]:
        loaded = {asset.id: (asset, thumbnail) for asset, thumbnail in self._table.assets(list(asset_ids))}
        found = [(i, similarity) for i, similarity in zip(asset_ids, similarities, strict=False) if i in loaded]
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

    def _current(self) -> Resident:
        with self._lock:
            token = self._table.change_token()
            if self._resident is None or self._resident.change_token != token:
                snapshot = self._table.snapshot()
                read, before = self._table.texts, self._resident
                self._resident = make_resident(self._table.name, token, snapshot, read, self._language, before)
            return self._resident


def _found(asset: Asset, place: int, query: Query, ordered: Ordered, finder: WordFinder) -> Found | None:
    """What the picture at a place (from 0) of an order was found by; None where nothing was looked for."""
    share = float(ordered.relative[place])
    looked_for = share > 0 or any(isinstance(each, TextCondition) for each in query.conditions)
    if not (ordered.by_pixels or ordered.by_words or looked_for):
        return None
    return Found(
        pixels=float(ordered.standard[place]) if ordered.by_pixels else None,
        words=share if ordered.by_words else None,
        texts=finder.texts(asset) if looked_for else (),
    )
