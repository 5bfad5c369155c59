"""The one place where concrete parts are put together: settings in, an `App` out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from core.access import Access
from core.background import Background
from core.embedding import images
from core.embedding.encoders import Encoders, LoadEncoder, loader
from core.embedding.hashes import content_id, file_checkpoint
from core.embedding.protocol import Encoder
from core.embedding.sources import BUNDLED, checkpoint_of
from core.errors import ContactSheetError, ModelUnavailable
from core.ingest import demo
from core.ingest.folders import image_files
from core.ingest.library import INGEST, Library, only_files
from core.ingest.pipeline import Ingest, Lookup
from core.ingest.sidecar import Sidecar, read_sidecar
from core.ingest.text import TITLE_LENGTH, clean
from core.logs import configure_logging, log
from core.records import (
    Asset,
    Collection,
    Description,
    Failure,
    Filters,
    IngestReport,
    Job,
    Progress,
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
from core.store.collections import Collections
from core.store.database import Database
from core.store.jobs import Jobs
from core.store.names import check_collection_name, path_of
from core.store.rankings import Rankings
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
        calls = _calls(settings, database, self.events)
        ranker = Ranker(calls, Rankings(database), _rank_options(settings), settings.gemini_api_key)
        hourly = Hourly(settings.clip_usd_per_hour, settings.compute_usd_per_hour)
        self._service = SearchService(ranker, self.events, hourly)
        self.follow_ups = FollowUps(calls, self.events, settings.rank_deadline_s)

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
        return self._searcher(collection).version

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
        check_collection_name(collection)
        folder = folder.expanduser()
        if not folder.exists():
            raise ContactSheetError(f"{folder} does not exist: check the path")
        sidecar = read_sidecar(captions) if captions else Sidecar({})
        listener(Progress("load model", 0, 0))
        table = self._table_for_ingest(collection, listener)
        lookup = _lookup(folder, sidecar, clean(source or folder.resolve().name, TITLE_LENGTH))
        return self._run_ingest(table, lookup, image_files(folder) if only is None else only_files(only), listener)

    def run_job(self, job_id: int) -> Job:
        """Be the process of a background job: run it, note its end. Raises JobError if there is none."""
        return self._background.run(job_id, {INGEST: self._ingest_of_job})

    def _ingest_of_job(self, job: Job, listener: ProgressListener) -> IngestReport:
        folder, only = path_of(job.arguments["folder"]), job.arguments.get("only")
        return self.ingest(folder, job.collection, source=job.arguments.get("source"), listener=listener, only=only)

    def ensure_demo(self, listener: ProgressListener = unheard) -> IngestReport | None:
        """Build the demo collection unless it is complete; None if it was. Raises CollectionBusy."""
        wanted = f"{checkpoint_of(BUNDLED)} {file_checkpoint(demo.MANIFEST)}"
        if self._collections.built_from(DEMO) == wanted:
            return None
        listener(Progress("load model", 0, 0))
        self._remove_outdated_demo()
        table = self._table_for_ingest(DEMO, listener, BUNDLED)
        lookup = _lookup(demo.PHOTOS, read_sidecar(demo.MANIFEST), DEMO)
        report = self._run_ingest(table, lookup, demo.photographs(), listener)
        self._collections.mark(DEMO, wanted)
        return report

    def _run_ingest(
        self, table: AssetTable, lookup: Lookup, files: Iterable[Path | Failure], listener: ProgressListener
    ) -> IngestReport:
        encoder = self.encoders.named(table.model.name)
        report = Ingest(table, encoder, lookup, listener, self.settings.max_megapixels).run(files)
        log("ingest", "ingest ended", collection=table.name, added=report.added, known=report.known,
            failed=len(report.failures), seconds=round(report.seconds, 1))  # fmt: skip
        return report

    def _table_for_ingest(self, collection: str, listener: ProgressListener, model: str | None = None) -> AssetTable:
        if collection not in self._collections.names():
            name = model or (BUNDLED if collection == DEMO else self.encoders.for_new_collections)
            return self._collections.open_or_create(collection, self.encoders.named(name, listener).card)
        table = self._collections.open(collection)
        card = self.encoders.named(table.model.name, listener).card
        if card != table.model:
            raise ModelUnavailable(
                f"collection {collection} was embedded with {table.model.name} ({table.model.checkpoint[:19]}), which "
                f"now is {card.checkpoint[:19]}: ingest into a new collection"
            )
        return table

    def _remove_outdated_demo(self) -> None:
        if DEMO not in self._collections.names():
            return
        if self._collections.open(DEMO).model.checkpoint != checkpoint_of(BUNDLED):
            self._collections.remove(DEMO)
            self._forget(DEMO)

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

    def _searcher(self, collection: str) -> Searcher:
        with self._lock:
            if collection in self._searchers and (self._searchers[collection][0].folder / "collection.json").exists():
                return self._searchers[collection][1]
            table = self._collections.open(collection)
            searcher = Searcher(table, lambda: self.encoders.named(table.model.name))
            self._searchers[collection] = (table, searcher)
            return searcher

    def _forget(self, collection: str) -> None:
        with self._lock:
            self._searchers.pop(collection, None)


def _calls(settings: Settings, database: Database, events: EventLog) -> Calls:
    def late(model: str, usage: Usage, usd: float) -> None:
        events.note(gemini_event("late", datetime.now(UTC), model, usage, usd, "timeout"))

    key, endpoint = settings.gemini_api_key, settings.gemini_endpoint
    spend = Spend(database, Budgets(settings.daily_usd, settings.monthly_usd))
    client = GeminiClient(key, endpoint) if key else None
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


def _lookup(folder: Path, sidecar: Sidecar, source: str) -> Lookup:
    root = folder if folder.is_dir() else folder.parent

    def lookup(path: Path) -> tuple[Description, str]:
        row = sidecar.of(path.relative_to(root).as_posix())
        return (row.about, row.source or source) if row else (Description(), source)

    return lookup
