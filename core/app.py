"""The one place where concrete parts are put together: settings in, an `App` out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.access import OPERATOR, Access, Person, RoleRules
from core.atlas.service import MAP_JOB, AtlasService
from core.cache import OnceCache
from core.clusters.curation import CurationService
from core.clusters.service import LINKAGE_JOB, ClusterService, ClusterSources
from core.clusters.views.assignment import AssignmentService
from core.clusters.views.members import members_of
from core.clusters.views.naming import load_common_words
from core.embedding import gpu
from core.embedding.encoder import Encoder
from core.embedding.encoder_registry import EncoderRegistry, LoadEncoder, encoder_loader
from core.errors import ClusterError, CollectionError, ContactSheetError, StoreError
from core.gemini.calls import GeminiCalls
from core.gemini.client import GeminiClient
from core.gemini.prices import TokenUsage, load_prices
from core.ingest.pipeline import IngestBatch
from core.ingest.runner import FolderOptions, IngestRunner
from core.ingest.sources import demo
from core.ingest.sources.unsplash import UnsplashIngest, UnsplashOptions, assets_by_photo
from core.jobs.background import BackgroundJobs, JobFunction
from core.key_guard import KeyGuard
from core.library.backup.restorer import Restorer
from core.library.backup.service import (
    BACKUP_JOB,
    RESTORE_JOB,
    VERIFY_JOB,
    BackupSchedule,
    BackupService,
)
from core.library.backup.writer import BackupWriter
from core.library.captions import CaptionsService
from core.library.condition import collection_condition
from core.library.image_service import ImageService
from core.library.originals import file_size, read_original
from core.library.picture_export import PictureExportService
from core.library.reembedder import Reembedder
from core.library.reembedding import EMBED_JOB, ReembeddingService
from core.library.removal import RemovalService
from core.library.rescan_schedule import RESCAN_JOB
from core.library.service import INGEST_JOB, UNSPLASH_JOB, LibraryService
from core.library.sidecar_writer import SidecarService
from core.library.sources import SourceService
from core.library.verification import Verifier
from core.logs import configure_logging, log
from core.metrics.audit import AuditService
from core.metrics.machine import Capacity
from core.metrics.monitor import Monitor, MonitorSources
from core.metrics.request_recorder import RequestNotes, RequestRecorder
from core.metrics.summary import GeminiSpending, Summary, read_summary
from core.quality.judging import JudgingService
from core.quality.relevance import DEPTH
from core.quality.service import EvaluationTarget, QualityOptions, QualityService
from core.quality.weak_labels import WeakLabels
from core.records.assets import (
    Asset,
    Collection,
    CollectionCondition,
    DamagedCollection,
    Filters,
    Hit,
    ModelCard,
    StorageStats,
)
from core.records.cluster_members import ClusterMembers
from core.records.clusterings import Revision
from core.records.evaluations import RankerName
from core.records.jobs import IngestReport, Job, ProgressListener, ignore
from core.records.searches import SearchBy, SearchOptions
from core.records.set_aside import SetAsideDatabase
from core.search.answer import Answer, HourlyRates
from core.search.follow_ups import FollowUps
from core.search.interpretation import Interpretations
from core.search.open_collections import OpenCollections
from core.search.ranking import Ranker, RankingOptions
from core.search.request_events import gemini_event
from core.search.search_limits import SearchLimits
from core.search.search_pipeline import SearchPipeline
from core.search.service import SearchService
from core.search.stemming import Language
from core.sessions import SessionService
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.snapshot import collection_version
from core.store.objects.names import check_collection_name, uri_to_path
from core.store.sql.damage import describe_set_aside, set_aside_files
from core.store.sql.event_retention import Retention
from core.store.sql.spend_store import Budgets
from core.store.stores import Stores
from core.upload_permits import UploadPermits

DEMO = demo.NAME


def open_app(settings: Settings | None = None) -> App:
    """Contact Sheet with the settings in force, or with those given. Raises SettingError."""
    settings = settings or Settings.load()
    settings.export()
    configure_logging(settings.log_format, settings.log_level, [settings.gemini_api_key, settings.alert_webhook])
    return App(settings, Collections(settings.data / "collections"), encoder_loader(settings))


class App:
    """Everything a page, a command or a script can ask of Contact Sheet. May be shared between threads."""

    def __init__(self, settings: Settings, collections: Collections, load_encoder: LoadEncoder) -> None:
        self.settings = settings
        self._collections, self.encoders = collections, EncoderRegistry(settings, load_encoder)
        budgets = Budgets(settings.daily_usd, settings.monthly_usd)
        self._stores = stores = Stores.open(settings.data, budgets, Retention(settings.event_days))
        language = Language(settings.text_language)
        self._opened = OpenCollections(collections, self.encoders.get, stores.text_fits, language)
        self._model_changes = OnceCache(1000)
        self.events, self.spend, self.rates = stores.events, stores.spend, stores.rates
        self.access = _access(settings, stores)
        lifetime = timedelta(settings.session_days)
        self.sessions = SessionService(stores.sessions, self.access, stores.rates, lifetime, settings.roles_claim)
        self.audit = AuditService(stores.audit, self.access)
        self.key_guard = KeyGuard(self.access, stores.rates, self._record_wrong_key)
        self.upload_permits = UploadPermits(self.access, stores.rates, settings)
        self._background = BackgroundJobs(stores.jobs, settings.data / "jobs", settings.environment())
        self._build_search()
        self._build_clusters()
        self._build_library()
        self.backups = self._build_backups()
        self.quality = self._build_quality()
        sources = MonitorSources(stores.events, stores.jobs, stores.spend, self._sizes, _gpu_memory)
        self.monitor = Monitor(settings, sources, self.access)

    def _record_wrong_key(self, visitor: str) -> None:
        self.audit.record(Person(visitor=visitor), "wrong key", outcome="refused")

    def _build_search(self) -> None:
        settings, stores = self.settings, self._stores
        key = settings.gemini_api_key
        self._gemini = GeminiClient(key, settings.gemini_endpoint) if key else None
        calls = _gemini_calls(settings, stores, self._gemini)
        hourly = HourlyRates(settings.clip_usd_per_hour, settings.compute_usd_per_hour)
        pipeline = SearchPipeline(
            Ranker(calls, stores.rankings, _ranking_options(settings), key), stores.events, hourly
        )
        limits = SearchLimits(self.access, stores.rates, settings)
        self.searches = SearchService(self._opened, pipeline, limits, self.access, settings)
        self.follow_ups = FollowUps(calls, stores.events, settings.rank_deadline_s, limits)
        self.interpretations = Interpretations(calls, stores.events, settings.rank_deadline_s, limits)
        self.requests = RequestRecorder(stores.events, hourly.stages_usd)

    def _build_clusters(self) -> None:
        stores, opened = self._stores, self._opened
        sources = ClusterSources(
            opened.snapshot, stores.linkages, opened.encode_texts, load_common_words, stores.sources.successors
        )
        self.clusters = ClusterService(sources, stores.revisions, self._background, recording=self.requests.recording)
        self.curation = CurationService(self.clusters, stores.revisions, stores.drafts, self.access)
        self.assignments = AssignmentService(
            opened.snapshot,
            stores.revisions,
            stores.assignments,
            self.clusters.clustering,
            self.model_changed,
            stores.sources.successors,
        )
        self.atlas = AtlasService(opened.snapshot, stores.maps, self._background, self.access)

    def _build_library(self) -> None:
        settings, collections = self.settings, self._collections
        uploads, captions = settings.data / "uploads", settings.data / "captions"
        self.library = LibraryService(
            settings.roots, uploads, captions, self._stores.jobs, self._background, self.access
        )
        self.images = ImageService(
            self._opened.table, collections.names, settings.max_megapixels, settings.share_location
        )
        self._runner = IngestRunner(collections, self.encoders, self._stores.sources, settings, self._record_batch)
        self.sources = SourceService(
            collections,
            self._stores.sources,
            self._runner,
            self._background,
            self.access,
            self._after_ingest,
            timedelta(hours=settings.rescan_hours) if settings.rescan_hours else None,
            bool(settings.watch),
        )
        self.sidecars = SidecarService(
            collections,
            self._stores.sidecars,
            self.cluster_members,
            self.access,
            settings.roots,
            settings.data / "sidecars.lock",
        )
        self.exports = PictureExportService(
            collections,
            self._stores.sources,
            self.cluster_members,
            self.access,
            settings.data / "exports",
            settings.max_megapixels,
            settings.share_location,
        )
        self.captions = CaptionsService(self._stores.sources, self.sources, captions, self.access)
        self._unsplash = UnsplashIngest(self._runner, settings, frozenset(settings.unsplash_hosts))
        self.removal = RemovalService(
            collections, self.access, self._after_ingest, self._forget, self._stores.sources.set_returned
        )
        reembedder = Reembedder(collections, self.encoders, settings.max_megapixels)
        self.reembedding = ReembeddingService(
            collections, reembedder, self._background, self.access, self._after_switch
        )

    def _build_backups(self) -> BackupService:
        settings, collections = self.settings, self._collections
        every = timedelta(hours=settings.backup_hours) if settings.backup_hours else None
        return BackupService(
            BackupWriter(settings.data, collections),
            Restorer(settings.data, collections, self._stores),
            Verifier(collections, self._stores, settings.data, self.encoders.get, settings.max_megapixels),
            self._background,
            self.access,
            BackupSchedule(settings.backup, every, timedelta(days=settings.backup_days)),
            self._opened.forget,
        )

    def _build_quality(self) -> QualityService:
        return QualityService(
            EvaluationTarget(self._search_for_evaluation, self._opened.snapshot, self._opened.encoder),
            self._stores.runs,
            JudgingService(
                self._stores.judgements, lambda name: self.model(name).name, self._stores.sources.successors
            ),
            WeakLabels(self._unsplash.conversions, lambda name: assets_by_photo(self._opened.table(name))),
            QualityOptions(bool(self.settings.gemini_api_key), self.settings.mock_server_host),
        )

    # -- models ---------------------------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """The encoder of new collections. Its `encode_images(paths)` and `encode_texts(texts)` give (n, d) float32
        of unit length. Raises ModelUnavailable."""
        return self.encoders.get(self.encoders.model_for_new_collections)

    # -- collections ----------------------------------------------------------------------------------------

    def collections(self) -> list[Collection]:
        """All collections that can be opened, by name."""
        return self._collections.survey()[0]

    def survey_collections(self) -> tuple[list[Collection], list[DamagedCollection]]:
        """All collections by name, and those that cannot be opened."""
        return self._collections.survey()

    def collection_names(self) -> list[str]:
        """The names of all collections, sorted; the demo collection is always among them."""
        return sorted({*self._collections.names(), DEMO})

    def existing_collections(self) -> list[str]:
        """The names of the collections that are there by now, sorted."""
        return self._collections.names()

    def is_whole(self, collection: str) -> bool:
        """Whether a collection can be opened, as far as that can be told without reading its rows."""
        return self._collections.is_whole(collection)

    def is_free(self, name: str) -> bool:
        """Whether a collection can be restored under this name: there is none yet, or a damaged one.

        Raises CollectionError for what is no name of a collection.
        """
        return check_collection_name(name) not in self._collections.names() or not self.is_whole(name)

    def set_aside_databases(self) -> list[SetAsideDatabase]:
        """The databases that were damaged and begun anew, the latest last, while what is left of them is kept."""
        return [describe_set_aside(path) for path in set_aside_files(self.settings.data)]

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
        """How a collection is stored on disk. Raises CollectionError, StoreError."""
        table = self._opened.table(collection)
        return StorageStats(collection, table.count(), *table.fragments_and_versions())

    def condition(self, collection: str) -> CollectionCondition:
        """The state of a collection; checks on disk for a sample of its original files."""
        linkages, maps = self._stores.linkages(collection), self._stores.maps(collection)
        return collection_condition(
            self._opened.table(collection),
            self._opened.snapshot(collection),
            linkages,
            maps,
            self.library.jobs(200),
            self.searches.text_fit(collection),
        )

    def _sizes(self) -> dict[str, int]:
        sizes = {}
        for name in self._collections.names():
            with suppress(CollectionError, StoreError):  # a damaged one has no size
                sizes[name] = self._opened.table(name).count()
        return sizes

    # -- ingest ---------------------------------------------------------------------------------------------

    def ingest(
        self,
        folder: Path,
        collection: str,
        captions: Path | None = None,
        source: str | None = None,
        listener: ProgressListener = ignore,
        only: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
    ) -> IngestReport:
        """Bring a collection up to date with the images below `folder`; it is created if there is none of that name.

        `captions` is a table of descriptions, `source` the name to filter by (by default the folder's), `exclude` are
        patterns of what is passed over: all three are remembered with the folder. `only` limits the run to these uris.
        Raises CollectionBusy, SidecarError, ModelUnavailable, CollectionError.
        """
        demo.check_not_demo(collection)
        options = FolderOptions(captions, source, None if exclude is None else tuple(exclude), only)
        report = self._runner.ingest_folder(folder, collection, options, listener)
        self._after_ingest(collection)
        return report

    def run_job(self, job_id: int) -> Job:
        """Run a background job in this process and record how it ends. Raises JobError if there is no such job."""
        functions: dict[str, JobFunction] = {
            INGEST_JOB: self._ingest_of_job,
            LINKAGE_JOB: lambda job, listener: self.clusters.compute_linkage(job.collection, listener),
            MAP_JOB: lambda job, listener: self.atlas.fit(job.collection, listener),
            UNSPLASH_JOB: self._unsplash_of_job,
            RESCAN_JOB: self.sources.run,
            EMBED_JOB: self.reembedding.run,
            BACKUP_JOB: self.backups.run_backup,
            RESTORE_JOB: self.backups.run_restore,
            VERIFY_JOB: self.backups.run_verification,
        }
        return self._background.run(job_id, functions)

    def _ingest_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        given = job.arguments
        return self.ingest(
            uri_to_path(given["folder"]),
            job.collection,
            captions=uri_to_path(given["captions"]) if "captions" in given else None,
            source=given.get("source"),
            listener=listener,
            only=given.get("only"),
            exclude=given.get("exclude"),
        )

    def ingest_unsplash(
        self,
        location: str,
        collection: str,
        options: UnsplashOptions = UnsplashOptions(),
        listener: ProgressListener = ignore,
    ) -> IngestReport:
        """Add the photos of the Unsplash dataset at `location` (a folder, a ZIP or the URL of one) to a collection.

        Raises CollectionBusy, CollectionError, ModelUnavailable, and ContactSheetError where the dataset cannot be
        read or no server can be reached.
        """
        demo.check_not_demo(collection)
        report = self._unsplash.ingest(location, collection, options, listener)
        self._after_ingest(collection)
        return report

    def _unsplash_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        options = UnsplashOptions(job.arguments["width"], only=tuple(job.arguments.get("only", ())))
        return self.ingest_unsplash(job.arguments["place"], job.collection, options, listener)

    def ensure_demo(self, listener: ProgressListener = ignore) -> IngestReport | None:
        """Build the demo collection unless it is complete; None if it was. Raises CollectionBusy."""
        report = self._runner.build_demo(listener, lambda: self._opened.forget(DEMO))
        if report is not None:
            self._after_ingest(DEMO)
        return report

    def _after_ingest(self, collection: str) -> None:
        """Assign new assets to clusters; if this fails, the ingest still succeeds."""
        try:
            self.assign(collection)
            self.clusters.refresh_if_used(collection, "ingest")
        except ContactSheetError as error:
            log("clusters", "newcomers were not placed", logging.ERROR, collection=collection, error=str(error))

    def _after_switch(self, collection: str) -> None:
        """The dendrogram and the map follow the new model, where there were any."""
        self._after_ingest(collection)
        if self._stores.maps(collection).change_token():
            self.atlas.start_fit(collection, "switch")

    def model_changed(self, revision: Revision) -> bool:
        """Whether a saved clustering was made from vectors of another model than the collection has now."""
        model = self.model(revision.collection)

        def changed() -> bool:
            ids = self.clusters.saved_clustering(revision.id).asset_ids
            return collection_version(model, ids) != revision.collection_version

        return self._model_changes.get_or_create((revision.id, model), changed)

    def assign(self, collection: str) -> int:
        """Assign every unassigned asset to the published clusters; returns how many."""
        with self.requests.recording("assign", collection) as request:
            request.detail["assigned"] = placed = self.assignments.assign_new_assets(collection)
            return placed

    def cluster_members(self, collection: str, revision: int | None = None) -> ClusterMembers:
        """The clusters of a revision, by default the published one, by their pictures. Raises ClusterError."""
        published = self.clusters.revisions.published(collection)
        chosen = self.clusters.revisions.get(revision) if revision is not None else published
        if chosen is None:
            raise ClusterError(f"{collection} has no published clusters: publish a revision, or name one")
        if chosen.collection != collection:
            raise ClusterError(f"revision {chosen.id} is of {chosen.collection}, not of {collection}: name another")
        assigned = self.assignments.for_revision(collection, chosen) if chosen == published else []
        return members_of(chosen, self.clusters.clustering(chosen.id), assigned)

    def _record_batch(self, batch: IngestBatch) -> None:
        request = RequestNotes(batch.decoded, {"known": batch.known, "failures": dict(batch.failures)})
        self.requests.record("ingest", batch.collection, batch.stage_ms, request, batch.error)

    # -- search ---------------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        collection: str = DEMO,
        top: int = 10,
        filters: Filters = Filters(),
        min_similarity: float = -1.0,
        ranked: bool = False,
    ) -> Answer:
        """The `top` pictures most similar to a text; if `ranked`, Gemini orders the first of them, where available.

        `searches.by_text` as a script or the command line asks, with the demo collection unless another is named.
        Raises QueryError, CollectionError, ModelUnavailable.
        """
        return self.searches.by_text(OPERATOR, query, collection, SearchOptions(top, filters, min_similarity), ranked)

    def _search_for_evaluation(self, person: Person, query: str, collection: str, ranker: RankerName) -> Answer:
        """A query of a label set: an event of its own kind, so that metrics do not count it as a person's search."""
        by: dict[RankerName, SearchBy] = {"vector": "pixels", "words": "words"}
        options = SearchOptions(DEPTH, by=by.get(ranker, "both"))
        return self.searches.by_text(person, query, collection, options, ranker == "gemini", kind="evaluate")

    def asset(self, asset_id: str, collection: str = DEMO) -> tuple[Asset, bytes] | None:
        """One picture and its thumbnail (JPEG), or None if the collection does not hold it."""
        return self._opened.searcher(collection).asset(asset_id)

    def original(self, asset: Asset) -> tuple[Path, bytes] | None:
        """The original file, from the first place that still holds exactly its bytes; None if none does."""
        return read_original(asset)

    def file_size(self, asset: Asset) -> int | None:
        """The size in bytes of the first file of an asset that still exists; None if none does."""
        return file_size(asset)

    def warm(self, collection: str, listener: ProgressListener = ignore) -> None:
        """Load what the first search of a collection needs; the listener hears of a model being downloaded.

        Measures how well the collection's texts fit its pictures where that is not known.

        Raises CollectionError, ModelUnavailable.
        """
        searcher = self._opened.searcher(collection)
        searcher.facets  # noqa: B018 - reading it brings the matrix into memory
        self.encoders.get(searcher.model.name, listener)
        searcher.prepare_words()
        if self._gemini is not None:
            self._gemini.prepare()

    def shows_location(self, person: Person) -> bool:
        """Whether this person is shown the coordinates where pictures were taken."""
        return self.settings.share_location or self.access.is_curator(person)

    # -- metrics --------------------------------------------------------------------------------------------

    def metrics(self, since: datetime, until: datetime, collection: str | None = None) -> Summary:
        """What happened in [since, until), in one collection or in all of them. Raises StoreError."""
        spent, budgets = self.spend.spent(), self.spend.budgets
        money = GeminiSpending(spent.day_usd, spent.month_usd, budgets.daily_usd, budgets.monthly_usd)
        return read_summary(self.events, since, until, collection, money)

    def _forget(self, collection: str) -> None:
        """Erase all state about a collection, so that a new one of its name inherits nothing. Raises StoreError."""
        # Jobs first, so that none writes what was just forgotten.
        for store in (self._background, *self._stores.of_collections()):
            store.forget(collection)
        self._opened.forget(collection)


def _access(settings: Settings, stores: Stores) -> Access:
    rules = RoleRules(settings.curators, settings.admins) if settings.sign_in else None
    sessions = stores.sessions
    return Access(
        settings.curator_key, rules, lambda session: sessions.get(session) is not None, sessions.has_ended, stores.audit
    )


def _gemini_calls(settings: Settings, stores: Stores, client: GeminiClient | None) -> GeminiCalls:
    def log_late_reply(model: str, usage: TokenUsage, usd: float) -> None:
        stores.events.try_append(gemini_event("late", datetime.now(UTC), model, usage, usd, "timeout"))

    prices = load_prices(settings.unknown_price)
    return GeminiCalls(client, settings.gemini_model, prices, stores.spend, log_late_reply)


def _gpu_memory() -> Capacity | None:
    memory = gpu.memory_bytes()
    return Capacity(*memory) if memory else None


def _ranking_options(settings: Settings) -> RankingOptions:
    return RankingOptions(
        candidates=settings.rank_candidates,
        deadline_s=settings.rank_deadline_s,
        send=settings.rank_send,
        prompt_version=settings.rank_prompt,
        endpoint=settings.gemini_endpoint,
    )
