"""The one place where concrete parts are put together: settings in, an `App` out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.access import Access
from core.atlas.service import MAP, AtlasService
from core.cache import OnceCache
from core.clusters.curation import CurationService
from core.clusters.service import LINK, ClusterService
from core.clusters.views.assignment import AssignmentService
from core.clusters.views.naming import load_common_words
from core.embedding import gpu, images
from core.embedding.encoder import Encoder
from core.embedding.encoder_registry import EncoderRegistry, LoadEncoder, loader
from core.errors import ContactSheetError
from core.gemini.calls import GeminiCalls
from core.gemini.client import GeminiClient
from core.gemini.prices import TokenUsage, load_prices
from core.ingest.pipeline import Batch
from core.ingest.runner import IngestRunner
from core.ingest.sources import demo
from core.ingest.sources.unsplash import UnsplashIngest, UnsplashOptions, assets_by_photo
from core.jobs.background import BackgroundJobs, JobFunction
from core.library.condition import examine
from core.library.image_service import ImageService
from core.library.originals import original
from core.library.reembedding import EMBED, ReembeddingService
from core.library.removal import RemovalService
from core.library.service import INGEST, UNSPLASH, LibraryService
from core.logs import configure_logging, log
from core.metrics.machine import Capacity
from core.metrics.monitor import Monitor
from core.metrics.request_recorder import RequestNotes, RequestRecorder
from core.metrics.summary import GeminiSpending, Summary, read_summary
from core.quality.judging import JudgingService
from core.quality.relevance import DEPTH
from core.quality.service import QualityService
from core.quality.weak_labels import WeakLabels
from core.records.assets import Asset, Collection, CollectionCondition, Filters, Hit, ModelCard, StorageStats
from core.records.clusterings import Revision
from core.records.jobs import IngestReport, Job, ProgressListener, ignore
from core.search.answer import Answer, HourlyRates
from core.search.follow_ups import FollowUps
from core.search.open_collections import OpenCollections
from core.search.ranking import Ranker, RankOptions
from core.search.request import Candidates, SearchPipeline, gemini_event
from core.search.service import SearchService
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.snapshot import collection_version
from core.store.objects.linkage_files import LinkageFiles
from core.store.objects.map_files import MapFiles
from core.store.objects.names import uri_to_path
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.database import Database
from core.store.sql.draft_store import DraftStore
from core.store.sql.event_log import EventLog
from core.store.sql.event_retention import Retention
from core.store.sql.forgetting import forget
from core.store.sql.job_store import JobStore
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.ranking_cache import RankingCache
from core.store.sql.revision_store import RevisionStore
from core.store.sql.run_store import RunStore
from core.store.sql.spend_store import Budgets, SpendStore

DEMO = demo.NAME
DETAIL_PX = 1600


def open_app(settings: Settings | None = None) -> App:
    """Contact Sheet with the settings in force, or with those given. Raises SettingError."""
    settings = settings or Settings.load()
    settings.export()
    configure_logging(settings.log_format, settings.log_level, [settings.gemini_api_key, settings.alert_webhook])
    return App(settings, Collections(settings.data / "collections"), loader(settings))


class App:
    """Everything a page, a command or a script can ask of Contact Sheet. May be shared between threads."""

    def __init__(self, settings: Settings, collections: Collections, load_encoder: LoadEncoder) -> None:
        self.settings = settings
        self._collections, self.encoders = collections, EncoderRegistry(settings, load_encoder)
        self._opened, self._outlived = OpenCollections(collections, self.encoders.named), OnceCache(1000)
        self.access = Access(settings.curator_key)
        self._database = database = Database(settings.data / "contactsheet.db")
        jobs = JobStore(database)
        self._background = BackgroundJobs(jobs, settings.data / "jobs", settings.environment())
        self.library = LibraryService(settings.roots, settings.data / "uploads", jobs, self._background, self.access)
        self.events = EventLog(settings.data / "events.db", Retention(settings.event_days))
        key = settings.gemini_api_key
        self._gemini = GeminiClient(key, settings.gemini_endpoint) if key else None
        self.spend = SpendStore(database, Budgets(settings.daily_usd, settings.monthly_usd))
        calls = _calls(settings, self.spend, self.events, self._gemini)
        ranker = Ranker(calls, RankingCache(database), _rank_options(settings), settings.gemini_api_key)
        hourly = HourlyRates(settings.clip_usd_per_hour, settings.compute_usd_per_hour)
        service = SearchPipeline(ranker, self.events, hourly)
        self.searches = SearchService(self._opened, service, settings.rank_candidates, settings.max_megapixels)
        self.images = ImageService(self._opened.table, collections.names, settings.max_megapixels)
        self.requests = RequestRecorder(self.events, hourly.stages_usd)
        self.monitor = Monitor(settings, self.events, jobs, self.spend, self.access, self._sizes, _gpu_memory)
        self.follow_ups = FollowUps(calls, self.events, settings.rank_deadline_s)
        self._runs = IngestRunner(collections, self.encoders, settings, self._note_batch)
        self._unsplash = UnsplashIngest(self._runs, settings, frozenset(settings.unsplash_hosts))
        revisions = RevisionStore(database)
        self.clusters = ClusterService(
            self._opened.snapshot,
            self._linkages,
            revisions,
            self._background,
            self._opened.encode_texts,
            load_common_words,
            watch=self.requests.watching,
        )
        self.atlas = AtlasService(self._opened.snapshot, self._maps, self._background)
        self.curators = CurationService(self.clusters, revisions, DraftStore(database), self.access)
        self.newcomers = AssignmentService(
            self._opened.snapshot, revisions, AssignmentStore(database), self.clusters.clustering, self.model_changed
        )
        self.removal = RemovalService(collections, self.access, self._after_ingest, self._forget_all)
        self.reembedding = ReembeddingService(
            collections, self.encoders, self._background, self.access, settings.max_megapixels, self._after_switch
        )
        self.quality = QualityService(
            self._evaluated,
            self._opened.snapshot,
            self._opened.encoder,
            RunStore(settings.data / "quality.db"),
            JudgingService(JudgementStore(settings.data / "judgements.db"), lambda name: self.model(name).name),
            WeakLabels(self._unsplash.conversions, lambda name: assets_by_photo(self._opened.table(name))),
            bool(key),
            settings.gemini_stand_in,
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

    def existing_collections(self) -> list[str]:
        """The names of the collections that are there by now, sorted."""
        return self._collections.names()

    def version(self, collection: str) -> str:
        """The version of a collection: it changes when pictures come or go."""
        return self._opened.snapshot(collection).version

    def model(self, collection: str) -> ModelCard:
        """The model that a collection is embedded with."""
        return self._opened.searcher(collection).model

    def size(self, collection: str) -> int:
        """How many pictures a collection has."""
        return len(self._opened.snapshot(collection))

    def pictures(
        self, collection: str, asset_ids: Sequence[str], similarities: Sequence[float] | None = None
    ) -> tuple[Hit, ...]:
        """Pictures by their ids, in that order; those that are gone are left out."""
        return self._opened.searcher(collection).pictures(asset_ids, similarities)

    def titles(self, collection: str) -> dict[str, str]:
        """The title of every picture, or its file's name, by id."""
        snapshot = self._opened.snapshot(collection)
        return dict(zip(snapshot.ids, snapshot.titles, strict=True))

    def health(self, collection: str) -> StorageStats:
        """How a collection lies on the disk. Raises CollectionError, StoreError."""
        table = self._opened.table(collection)
        return StorageStats(collection, table.count(), *table.fragments_and_versions())

    def condition(self, collection: str) -> CollectionCondition:
        """How a collection is doing. Looks at the disk for a sample of its original files."""
        linkages, maps = self._linkages(collection), self._maps(collection)
        return examine(
            self._opened.table(collection), self._opened.snapshot(collection), linkages, maps, self.library.jobs(200)
        )

    def _linkages(self, collection: str) -> LinkageFiles:
        return LinkageFiles(self.settings.data / "linkages" / collection)

    def _maps(self, collection: str) -> MapFiles:
        return MapFiles(self.settings.data / "maps" / collection)

    def _sizes(self) -> dict[str, int]:
        return {name: self._opened.table(name).count() for name in self._collections.names()}

    # -- ingest ---------------------------------------------------------------------------------------------

    def ingest(
        self,
        folder: Path,
        collection: str,
        captions: Path | None = None,
        source: str | None = None,
        listener: ProgressListener = ignore,
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
        works: dict[str, JobFunction] = {
            INGEST: self._ingest_of_job,
            LINK: lambda job, listener: self.clusters.link(job.collection, listener),
            MAP: lambda job, listener: self.atlas.fit(job.collection, listener),
            UNSPLASH: self._unsplash_of_job,
            EMBED: self.reembedding.run,
        }
        return self._background.run(job_id, works)

    def _ingest_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        folder, only = uri_to_path(job.arguments["folder"]), job.arguments.get("only")
        return self.ingest(folder, job.collection, source=job.arguments.get("source"), listener=listener, only=only)

    def ingest_unsplash(
        self,
        place: str,
        collection: str,
        wish: UnsplashOptions = UnsplashOptions(),
        listener: ProgressListener = ignore,
    ) -> IngestReport:
        """Add the photos of the Unsplash dataset at `place` (a folder, a ZIP or the address of one) to a collection.

        Raises CollectionBusy, CollectionError, ModelUnavailable, and ContactSheetError where the dataset cannot be
        read or no server be reached.
        """
        report = self._unsplash.ingest(place, collection, wish, listener)
        self._after_ingest(collection)
        return report

    def _unsplash_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        wish = UnsplashOptions(job.arguments["width"], only=tuple(job.arguments.get("only", ())))
        return self.ingest_unsplash(job.arguments["place"], job.collection, wish, listener)

    def ensure_demo(self, listener: ProgressListener = ignore) -> IngestReport | None:
        """Build the demo collection unless it is complete; None if it was. Raises CollectionBusy."""
        report = self._runs.demo(listener, lambda: self._opened.forget(DEMO))
        if report is not None:
            self._after_ingest(DEMO)
        return report

    def _after_ingest(self, collection: str) -> None:
        """Newcomers find their clusters; that this fails is no reason for an ingest to fail."""
        try:
            self.assign(collection)
            self.clusters.refresh_if_used(collection, "ingest")
        except ContactSheetError as error:
            log("clusters", "newcomers were not placed", logging.ERROR, collection=collection, error=str(error))

    def _after_switch(self, collection: str) -> None:
        """The dendrogram and the map follow the new model, where there were any."""
        self._after_ingest(collection)
        if self._maps(collection).change_mark():
            self.atlas.refresh(collection, "switch", again=True)

    def model_changed(self, revision: Revision) -> bool:
        """Whether a saved clustering was made from vectors of another model than the collection has now."""
        model = self.model(revision.collection)

        def changed() -> bool:
            ids = self.clusters.clustering(revision.id).asset_ids
            return collection_version(model, ids) != revision.collection_version

        return self._outlived.get_or_create((revision.id, model), changed)

    def assign(self, collection: str) -> int:
        """Assign every picture without a place to the published clusters; says how many."""
        with self.requests.watching("assign", collection) as request:
            request.detail["assigned"] = placed = self.newcomers.place(collection)
            return placed

    def _note_batch(self, batch: Batch) -> None:
        request = RequestNotes(batch.decoded, {"known": batch.known, "failures": dict(batch.failures)})
        self.requests.done("ingest", batch.collection, batch.stage_ms, request, batch.error)

    # -- search ---------------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        collection: str = DEMO,
        top: int = 10,
        filters: Filters = Filters(),
        floor: float = -1.0,
        ranked: bool = False,
        on_candidates: Candidates = ignore,
    ) -> Answer:
        """The `top` pictures most similar to a text; the first of them `ranked` by Gemini, where that can be had.

        `searches.by_words`, with the demo collection unless another is named. Raises QueryError, CollectionError,
        ModelUnavailable.
        """
        return self.searches.by_words(query, collection, top, filters, floor, ranked, on_candidates)

    def _evaluated(self, query: str, collection: str, ranked: bool) -> Answer:
        """A query of a label set: an event of its own kind, so that nobody takes it for a person's search."""
        return self.searches.by_words(query, collection, DEPTH, ranked=ranked, kind="evaluate")

    def asset(self, asset_id: str, collection: str = DEMO) -> tuple[Asset, bytes] | None:
        """One picture and its thumbnail (JPEG), or None if the collection does not hold it."""
        return self._opened.searcher(collection).asset(asset_id)

    def original(self, asset: Asset) -> tuple[Path, bytes] | None:
        """The original file, from the first place that still holds exactly its bytes; None if none does."""
        return original(asset)

    def view(self, original: bytes) -> bytes:
        """An original as a JPEG that any browser shows, its longest side at most 1600 px. Raises BadImage."""
        return images.thumbnail(images.decode(original, "original", self.settings.max_megapixels), DETAIL_PX)

    def warm(self, collection: str, listener: ProgressListener = ignore) -> None:
        """Load what the first search of a collection needs; the listener hears of a model being downloaded.

        Raises CollectionError, ModelUnavailable.
        """
        searcher = self._opened.searcher(collection)
        searcher.facets  # noqa: B018 - reading it brings the matrix into memory
        self.encoders.named(searcher.model.name, listener)
        if self._gemini is not None:
            self._gemini.prepare()

    # -- metrics --------------------------------------------------------------------------------------------

    def metrics(self, since: datetime, until: datetime, collection: str | None = None) -> Summary:
        """What happened in [since, until), in one collection or in all of them. Raises StoreError."""
        spent, budgets = self.spend.spent(), self.spend.budgets
        money = GeminiSpending(spent.day_usd, spent.month_usd, budgets.daily_usd, budgets.monthly_usd)
        return read_summary(self.events, since, until, collection, money)

    def _forget_all(self, collection: str) -> None:
        """Let nothing stay of a collection that was deleted, so that a new one of that name begins afresh."""
        self._opened.forget(collection)
        forget(self._database, collection)
        for kept in ("linkages", "maps"):
            shutil.rmtree(self.settings.data / kept / collection, ignore_errors=True)


def _calls(settings: Settings, spend: SpendStore, events: EventLog, client: GeminiClient | None) -> GeminiCalls:
    def late(model: str, usage: TokenUsage, usd: float) -> None:
        events.note(gemini_event("late", datetime.now(UTC), model, usage, usd, "timeout"))

    return GeminiCalls(client, settings.gemini_model, load_prices(), spend, on_late=late)


def _gpu_memory() -> Capacity | None:
    memory = gpu.memory_bytes()
    return Capacity(*memory) if memory else None


def _rank_options(settings: Settings) -> RankOptions:
    return RankOptions(
        settings.rank_candidates,
        settings.rank_results,
        settings.rank_deadline_s,
        settings.rank_send,
        settings.rank_prompt,
        settings.gemini_endpoint,
    )
