"""The one place where concrete parts are put together: settings in, an `App` out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.access import Access
from core.atlas.desk import MAP, Atlas
from core.background import Background, Work
from core.clusters.curators import Curators
from core.clusters.desk import LINK, ClusterDesk
from core.clusters.naming import common_words
from core.clusters.newcomers import Newcomers
from core.embedding import images
from core.embedding.encoders import Encoders, LoadEncoder, loader
from core.embedding.hashes import content_id
from core.embedding.protocol import Encoder
from core.errors import ContactSheetError
from core.ingest import demo
from core.ingest.library import INGEST, Library
from core.ingest.runs import Runs
from core.logs import configure_logging, log
from core.records import (
    Asset,
    Collection,
    Filters,
    Hit,
    IngestReport,
    Job,
    ProgressListener,
    SearchResult,
    unheard,
)
from core.search.answers import Answer, Hourly
from core.search.calls import Calls
from core.search.filters import Facets
from core.search.follow_ups import FollowUps
from core.search.gemini import GeminiClient
from core.search.prices import load_prices
from core.search.ranker import Ranker, RankOptions
from core.search.searcher import Searcher
from core.search.service import Candidates, SearchService, gemini_event, unwatched
from core.search.usage import Usage
from core.settings import Settings
from core.store.assignments import Assignments
from core.store.collections import Collections
from core.store.database import Database
from core.store.drafts import Drafts
from core.store.jobs import Jobs
from core.store.linkages import Linkages
from core.store.maps import Maps
from core.store.names import path_of
from core.store.rankings import Rankings
from core.store.revisions import Revisions
from core.store.spend import Budgets, Spend
from core.store.table import AssetTable
from core.telemetry.events import EventLog

DEMO = demo.NAME
DETAIL_PX = 1600


def open_app(settings: Settings | None = None) -> App:
    """Contact Sheet with the settings in force, or with those given. Raises SettingError."""
    settings = settings or Settings.load()
    settings.export()
    configure_logging(settings.log_format, settings.log_level, [settings.gemini_api_key])
    return App(settings, Collections(settings.data / "collections"), loader(settings))


class App:
    """Everything a page, a command or a script can ask of Contact Sheet. May be shared between threads."""

    def __init__(self, settings: Settings, collections: Collections, load_encoder: LoadEncoder) -> None:
        self.settings = settings
        self._collections, self.encoders = collections, Encoders(settings, load_encoder)
        self._searchers: dict[str, tuple[AssetTable, Searcher]] = {}
        self._lock = threading.RLock()
        self.access = Access(settings.curator_key)
        database = Database(settings.data / "contactsheet.db")
        jobs = Jobs(database)
        self._background = Background(jobs, settings.data / "jobs", settings.environment())
        self.library = Library(settings.roots, settings.data / "uploads", jobs, self._background, self.access)
        self.events = EventLog(settings.data / "events.db")
        key = settings.gemini_api_key
        self._gemini = GeminiClient(key, settings.gemini_endpoint) if key else None
        calls = _calls(settings, database, self.events, self._gemini)
        ranker = Ranker(calls, Rankings(database), _rank_options(settings), settings.gemini_api_key)
        hourly = Hourly(settings.clip_usd_per_hour, settings.compute_usd_per_hour)
        self._service = SearchService(ranker, self.events, hourly)
        self.follow_ups = FollowUps(calls, self.events, settings.rank_deadline_s)
        self._runs = Runs(collections, self.encoders, settings)
        revisions = Revisions(database)
        self.clusters = ClusterDesk(
            lambda name: self._searcher(name).snapshot, lambda name: Linkages(settings.data / "linkages" / name),
            revisions, self._background, self._encode_words, common_words,
        )  # fmt: skip
        self.atlas = Atlas(
            lambda name: self._searcher(name).snapshot,
            lambda name: Maps(settings.data / "maps" / name),
            self._background,
        )
        self.curators = Curators(self.clusters, revisions, Drafts(database), self.access)
        self.newcomers = Newcomers(
            lambda name: self._searcher(name).snapshot, revisions, Assignments(database), self.clusters.clustering
        )

    # -- models ---------------------------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """The encoder of new collections. Its `encode_images(paths)` and `encode_texts(texts)` give (n, d) float32
        of unit length. Raises ModelUnavailable."""
        return self.encoders.named(self.encoders.for_new_collections)

    # -- collections ----------------------------------------------------------------------------------------

    def collections(self) -> list[Collection]:
        """All collections, by name."""
        return [self._collections.describe(name) for name in self._collections.names()]

    def collection_names(self) -> list[str]:
        """The names of all collections, sorted; the demo collection is always among them."""
        return sorted({*self._collections.names(), DEMO})

    def version(self, collection: str) -> str:
        """The version of a collection: it changes when pictures come or go."""
        return self._searcher(collection).snapshot.version

    def size(self, collection: str) -> int:
        """How many pictures a collection has."""
        return len(self._searcher(collection).snapshot)

    def pictures(
        self, collection: str, asset_ids: Sequence[str], similarities: Sequence[float] | None = None
    ) -> tuple[Hit, ...]:
        """Pictures by their ids, in that order; those that are gone are left out."""
        return self._searcher(collection).pictures(asset_ids, similarities)

    def titles(self, collection: str) -> dict[str, str]:
        """The title of every picture, or its file's name, by id."""
        snapshot = self._searcher(collection).snapshot
        return dict(zip(snapshot.ids, snapshot.titles, strict=True))

    def facets(self, collection: str) -> Facets:
        """What a collection can be filtered by."""
        return self._searcher(collection).facets

    # -- ingest ---------------------------------------------------------------------------------------------

    def ingest(
        self,
        folder: Path,
        collection: str,
        captions: Path | None = None,
        source: str | None = None,
        listener: ProgressListener = unheard,
        only: Sequence[str] | None = None,
    ) -> IngestReport:
        """Add the images below `folder` to a collection, which is made if there is none of that name.

        `captions` is a .csv or .jsonl file with descriptions, `source` the name to filter by (by default the
        folder's), `only` limits the run to these uris. Raises CollectionBusy, SidecarError, ModelUnavailable,
        CollectionError.
        """
        report = self._runs.folder(folder, collection, captions, source, listener, only)
        self._after_ingest(collection)
        return report

    def run_job(self, job_id: int) -> Job:
        """Be the process of a background job: run it, note its end. Raises JobError if there is none."""
        works: dict[str, Work] = {
            INGEST: self._ingest_of_job,
            LINK: lambda job, listener: self.clusters.link(job.collection, listener),
            MAP: lambda job, listener: self.atlas.fit(job.collection, listener),
        }
        return self._background.run(job_id, works)

    def _ingest_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        folder, only = path_of(job.arguments["folder"]), job.arguments.get("only")
        return self.ingest(folder, job.collection, source=job.arguments.get("source"), listener=listener, only=only)

    def ensure_demo(self, listener: ProgressListener = unheard) -> IngestReport | None:
        """Build the demo collection unless it is complete; None if it was. Raises CollectionBusy."""
        report = self._runs.demo(listener, lambda: self._forget(DEMO))
        if report is not None:
            self._after_ingest(DEMO)
        return report

    def _after_ingest(self, collection: str) -> None:
        """Newcomers find their clusters; that this fails is no reason for an ingest to fail."""
        try:
            self.newcomers.place(collection)
            self.clusters.refresh_if_used(collection, "ingest")
        except ContactSheetError as error:
            log("clusters", "newcomers were not placed", logging.ERROR, collection=collection, error=str(error))

    # -- search ---------------------------------------------------------------------------------------------

    def search(
        self, query: str, collection: str = DEMO, top: int = 10, filters: Filters = Filters(), floor: float = -1.0,
        ranked: bool = False, on_candidates: Candidates = unwatched,
    ) -> Answer:  # fmt: skip
        """The `top` pictures most similar to a text; the first of them `ranked` by Gemini, where that can be had.

        `on_candidates` has them by similarity while Gemini is asked.
        Raises QueryError, CollectionError, ModelUnavailable.
        """
        most = max(top, self.settings.rank_candidates) if ranked else top
        find = partial(self._found, lambda searcher: searcher.by_text(query, most, filters, floor), collection)
        return self._service.answer(find, collection, ranked, on_candidates)

    def similar(
        self, asset_id: str, collection: str = DEMO, top: int = 10, filters: Filters = Filters(), floor: float = -1.0
    ) -> Answer:
        """The `top` pictures most similar to one of the collection. Raises QueryError, CollectionError."""
        find = partial(self._found, lambda searcher: searcher.by_asset(asset_id, top, filters, floor), collection)
        return self._service.answer(find, collection)

    def _found(self, ask: Callable[[Searcher], SearchResult], collection: str) -> SearchResult:
        return ask(self._searcher(collection))

    def browse(self, collection: str = DEMO, top: int = 10, filters: Filters = Filters()) -> SearchResult:
        """The newest pictures of a collection. Raises CollectionError."""
        return self._searcher(collection).browse(top, filters)

    def examples(self, collection: str = DEMO, count: int = 6) -> list[str]:
        """Queries to begin with: titles of pictures of the collection that differ from each other."""
        return self._searcher(collection).examples(count)

    def asset(self, asset_id: str, collection: str = DEMO) -> tuple[Asset, bytes] | None:
        """One picture and its thumbnail (JPEG), or None if the collection does not hold it."""
        return self._searcher(collection).asset(asset_id)

    def original(self, asset: Asset) -> tuple[Path, bytes] | None:
        """The original file, from the first place that still holds exactly its bytes; None if none does."""
        for uri in asset.uris:
            try:
                data = images.read_bytes(path_of(uri))
            except ContactSheetError:
                continue
            if content_id(data) == asset.id:
                return path_of(uri), data
        return None

    def view(self, original: bytes) -> bytes:
        """An original as a JPEG that any browser shows, its longest side at most 1600 px. Raises BadImage."""
        return images.thumbnail(images.decode(original, "original", self.settings.max_megapixels), DETAIL_PX)

    def warm(self, collection: str, listener: ProgressListener = unheard) -> None:
        """Load what the first search of a collection needs; the listener hears of a model being downloaded.

        Raises CollectionError, ModelUnavailable.
        """
        searcher = self._searcher(collection)
        searcher.facets  # noqa: B018 - reading it brings the matrix into memory
        self.encoders.named(searcher.model.name, listener)
        if self._gemini is not None:
            self._gemini.prepare()

    def _searcher(self, collection: str) -> Searcher:
        with self._lock:
            if collection in self._searchers and (self._searchers[collection][0].folder / "collection.json").exists():
                return self._searchers[collection][1]
            table = self._collections.open(collection)
            searcher = Searcher(table, lambda: self.encoders.named(table.model.name))
            self._searchers[collection] = (table, searcher)
            return searcher

    def _encode_words(self, collection: str, words: list[str]) -> NDArray[np.float32]:
        return self.encoders.named(self._searcher(collection).model.name).encode_texts(words)

    def _forget(self, collection: str) -> None:
        with self._lock:
            self._searchers.pop(collection, None)


def _calls(settings: Settings, database: Database, events: EventLog, client: GeminiClient | None) -> Calls:
    def late(model: str, usage: Usage, usd: float) -> None:
        events.note(gemini_event("late", datetime.now(UTC), model, usage, usd, "timeout"))

    spend = Spend(database, Budgets(settings.daily_usd, settings.monthly_usd))
    return Calls(client, settings.gemini_model, load_prices(), spend, on_late=late)


def _rank_options(settings: Settings) -> RankOptions:
    return RankOptions(
        settings.rank_candidates,
        settings.rank_results,
        settings.rank_deadline_s,
        settings.rank_send,
        settings.rank_prompt,
        settings.gemini_endpoint,
    )
