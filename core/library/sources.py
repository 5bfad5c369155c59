"""The sources of a collection: what they hold by now, reading them again, and letting go of what is no longer there.

Original files are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.access import Access, Action, Person
from core.cache import OnceCache
from core.errors import ContactSheetError, SidecarError
from core.ingest.runner import FolderOptions, IngestRunner
from core.jobs.background import BackgroundJobs
from core.library.rescan_schedule import CHECK_INTERVAL_S, RESCAN_JOB, RescanSchedule
from core.logs import log
from core.periodic import Periodic
from core.records.assets import Asset, Location
from core.records.jobs import Failure, IngestReport, Job, ProgressListener, ignore
from core.records.sources import UPLOADS, CollectionSource, RescanOptions, ScanPreview, SourceState
from core.store.lance.collections import Collections
from core.store.lance.table import WITH_FILE, WITH_SOURCE
from core.store.objects.names import is_below, path_to_uri, uri_to_path
from core.store.sql.source_store import SourceStore
from core.text import counted

MAX_READ = 2  # collections whose locations are kept, for pages that are drawn again and again


class SourceService:
    """May be shared between threads and used by several processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        sources: SourceStore,
        runner: IngestRunner,
        background: BackgroundJobs,
        access: Access,
        on_change: Callable[[str], None],
        every: timedelta | None = None,
        watch_files: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`on_change` is called with a collection whose pictures changed.

        Rescans start by themselves after the time `every`, and with `watch_files` when files change.
        """
        self._every, self._watch_files, self._read = every, watch_files, OnceCache(MAX_READ)
        self._collections, self._sources, self._runner = collections, sources, runner
        self._background, self._access, self._on_change, self._now = background, access, on_change, now

    def states(self, collection: str) -> list[SourceState]:
        """The sources of a collection in the order in which they were added. Raises CollectionError, StoreError."""
        places = [place for found in self._locations(collection).values() for place in found]
        return [_state(source, places) for source in self._sources.list(collection)]

    def _locations(self, collection: str) -> Mapping[str, tuple[Location, ...]]:
        """The locations of every picture, read once for every version of the collection."""
        table = self._collections.open(collection)
        return self._read.get_or_create((collection, table.folder, table.change_token()), table.locations)

    def source_at(self, collection: str, folder: Path) -> CollectionSource | None:
        """What is known of a folder that was added before; None if it is no source of the collection."""
        root = path_to_uri(folder.expanduser().resolve())
        return next((each for each in self._sources.list(collection) if each.root == root), None)

    # -- rescans --------------------------------------------------------------------------------------------

    def preview(self, collection: str, options: RescanOptions = RescanOptions()) -> list[ScanPreview]:
        """What a rescan would do, by source, without changing anything. Raises CollectionBusy, SidecarError."""
        previews = []
        for source in self._chosen(collection, options):
            if _is_there(source):
                previews.append(self._runner.preview_folder(uri_to_path(source.root), collection, _folder(options)))
            else:
                previews.append(ScanPreview(source.root, remarks=(_unreachable(source),)))
        return previews

    def start(self, person: Person, collection: str, options: RescanOptions = RescanOptions()) -> Job:
        """Start a rescan in the background. Raises NotAllowed, JobError if one is running."""
        with self._access.acting(person, Action.RESCAN, collection, _about(options)):
            self._chosen(collection, options)
            return self._background.start(RESCAN_JOB, collection, vars(options), person.author)

    def run(self, job: Job, listener: ProgressListener) -> IngestReport:
        """The rescan of a background job."""
        given: dict[str, Any] = job.arguments
        options = RescanOptions(
            tuple(given.get("roots", ())), given.get("checksum", False), given.get("accept_empty", False)
        )
        return self._rescan(job.collection, options, listener)

    def watch(self) -> Periodic | None:
        """Start rescans when they are due, until the watch is closed; None where none is ever due."""
        schedule = RescanSchedule(self._folders, self._background, self._every, self._watch_files)
        if schedule.idle:
            return None
        problem = "a rescan could not be started"
        return Periodic("library", problem, schedule.start_due, CHECK_INTERVAL_S, schedule.close)

    def _folders(self) -> dict[str, tuple[CollectionSource, ...]]:
        """The folders that each collection came from."""
        return {name: tuple(self._folders_of(name)) for name in self._collections.names()}

    def _folders_of(self, collection: str) -> list[CollectionSource]:
        return [source for source in self._sources.list(collection) if source.kind != UPLOADS]

    def rescan(
        self, person: Person, collection: str, options: RescanOptions, listener: ProgressListener = ignore
    ) -> IngestReport:
        """Bring a collection up to date with its sources.

        Raises NotAllowed, CollectionError, CollectionBusy, SidecarError. A source that cannot be reached stays as it
        is, and the report says so.
        """
        with self._access.acting(person, Action.RESCAN, collection, _about(options)):
            return self._rescan(collection, options, listener)

    def _rescan(self, collection: str, options: RescanOptions, listener: ProgressListener) -> IngestReport:
        report = IngestReport(collection, 0, 0, (), 0.0, 0.0)
        chosen = self._chosen(collection, options)
        for source in chosen:
            scanned = self._rescan_source(collection, source, options, listener)
            report = report.joined(_naming(source, scanned) if len(chosen) > 1 else scanned)
        self._on_change(collection)
        return report

    def _rescan_source(
        self, collection: str, source: CollectionSource, options: RescanOptions, listener: ProgressListener
    ) -> IngestReport:
        nothing = IngestReport(collection, 0, 0, (), 0.0, 0.0)
        if not _is_there(source):
            return replace(nothing, remarks=(_unreachable(source),))
        try:
            return self._runner.ingest_folder(uri_to_path(source.root), collection, _folder(options), listener)
        except SidecarError as error:  # the other sources go on
            return replace(nothing, failures=(Failure(source.root, "source cannot be read", str(error)),))

    def _chosen(self, collection: str, options: RescanOptions) -> Sequence[CollectionSource]:
        self._collections.open(collection)
        known = self._folders_of(collection)
        if not known:
            raise ContactSheetError(
                f"no folder is known that {collection} came from: add its folder again (python -m core ingest FOLDER"
                f" --collection {collection}); what is in it by then stays"
            )
        return [named_source(root, collection, self._sources.list(collection)) for root in options.roots] or known

    def files(self, collection: str, source: CollectionSource) -> list[str]:
        """The paths of a source's files that a collection knows and are there, relative to its folder."""
        root = uri_to_path(source.root)
        folder = root.parent if root.is_file() else root
        places = [place for found in self._locations(collection).values() for place in found]
        own = (p for p in places if p.state == "present" and is_below(p.uri, source.root))
        return [uri_to_path(place.uri).relative_to(folder).as_posix() for place in own]

    # -- missing files --------------------------------------------------------------------------------------

    def count_missing(self, collection: str) -> int:
        """How many pictures have no file any more."""
        return len(_missing(self._locations(collection)))

    def missing(self, collection: str, first: int = 0, count: int = 24) -> list[tuple[Asset, bytes]]:
        """A page of the pictures whose files are all missing, by the path of the first, each with its thumbnail."""
        ids = _missing(self._locations(collection))[first : first + count]
        return self._collections.open(collection).assets(ids)

    def prune(self, person: Person, collection: str) -> int:
        """Move pictures whose files are all missing to the bin; returns how many.

        Those whose files are there again stay, and those of a source that cannot be reached now: its disk may not be
        mounted. Raises NotAllowed, CollectionBusy, StoreError.
        """
        table = self._collections.open(collection)
        closed = [source for source in self._sources.list(collection) if not _is_there(source)]
        locations = table.locations()
        held = {place.uri for places in locations.values() for place in places if place.state == "present"}
        ids = [i for i in _missing(locations) if not any(_may_exist(place, closed, held) for place in locations[i])]
        with self._access.acting(person, Action.REMOVE, collection, counted(len(ids), "missing picture")):
            removed = table.remove(ids, person.author + WITH_FILE, self._now())
        if removed:
            self._on_change(collection)
        return removed

    # -- removing a source ----------------------------------------------------------------------------------

    def count_only_in(self, collection: str, root: str) -> int:
        """How many pictures lie in this source alone, and go to the bin with it. Raises ContactSheetError."""
        source, others = self._source_and_others(collection, root)
        return len(_only_in(source, others, self._locations(collection)))

    def remove(self, person: Person, collection: str, root: str) -> int:
        """Let a collection forget a source; pictures that lie nowhere else go to the bin. Returns how many.

        Raises NotAllowed, ContactSheetError if it is no source of the collection, CollectionBusy, StoreError.
        """
        source, others = self._source_and_others(collection, root)
        table = self._collections.open(collection)
        with self._access.acting(person, Action.REMOVE_SOURCE, collection, "a source"):
            locations = table.locations()
            own = {i: [p for p in places if _is_of(p, source.root, others)] for i, places in locations.items()}
            alone = _only_in(source, others, locations)
            removed = table.remove(alone, person.author + WITH_SOURCE, self._now())
            kept = own.keys() - set(alone)
            table.edit([i for i in kept if own[i]], lambda asset: _without(asset, own[asset.id]))
            self._sources.remove(collection, source)
        log("library", "source removed", collection=collection, pictures=removed, by=person.author)
        self._on_change(collection)
        return removed

    def _source_and_others(self, collection: str, root: str) -> tuple[CollectionSource, list[CollectionSource]]:
        known = self._sources.list(collection)
        source = named_source(root, collection, known)
        return source, [each for each in known if each != source]


def _folder(options: RescanOptions) -> FolderOptions:
    return FolderOptions(checksum=options.checksum, accept_empty=options.accept_empty)


def _about(options: RescanOptions) -> str:
    return counted(len(options.roots), "source") if options.roots else "all sources"


def _roots(sources: Sequence[CollectionSource]) -> str:
    return ", ".join(source.root for source in sources) or "none"


def named_source(root: str, collection: str, known: Sequence[CollectionSource]) -> CollectionSource:
    """The source of this uri, or of this path as people write it. Raises ContactSheetError."""
    path = path_to_uri(Path(root).expanduser().resolve())
    found = next((source for source in known if source.root in (root, path)), None)
    if found is None:
        raise ContactSheetError(f"{root} is not a source of {collection}; its sources are {_roots(known)}")
    return found


def _is_there(source: CollectionSource) -> bool:
    return uri_to_path(source.root).exists()


def _naming(source: CollectionSource, report: IngestReport) -> IngestReport:
    """The report with remarks that say which source they are about."""
    return replace(report, remarks=tuple(f"{source.label}: {remark}" for remark in report.remarks))


def _unreachable(source: CollectionSource) -> str:
    return f"{source.root} is not there: is its disk mounted? Its pictures stay as they are"


def _missing(locations: Mapping[str, tuple[Location, ...]]) -> list[str]:
    """The ids of the pictures whose files are all missing, by the path of the first."""
    found = [(places[0].uri, i) for i, places in locations.items() if places and not _any_present(places)]
    return [asset_id for _, asset_id in sorted(found)]


def _any_present(places: Sequence[Location]) -> bool:
    return any(place.state == "present" for place in places)


def _state(source: CollectionSource, places: Sequence[Location]) -> SourceState:
    own = [place for place in places if is_below(place.uri, source.root)]
    return SourceState(source, len(own), sum(place.state == "missing" for place in own), _is_there(source))


def _is_of(place: Location, root: str, others: Sequence[CollectionSource]) -> bool:
    """Whether a location is of this source, and of no other that it lies in as well."""
    return is_below(place.uri, root) and not any(is_below(place.uri, other.root) for other in others)


def _only_in(
    source: CollectionSource, others: Sequence[CollectionSource], locations: Mapping[str, tuple[Location, ...]]
) -> list[str]:
    """The ids of the pictures all of whose places are of a source, and of no other."""
    return [i for i, places in locations.items() if places and all(_is_of(p, source.root, others) for p in places)]


def _may_exist(place: Location, closed: Sequence[CollectionSource], held: Set[str]) -> bool:
    """Whether a file is there, or could be: nothing is known of what lies in a source that cannot be reached.

    What is `held` is the place of another picture by now.
    """
    if any(is_below(place.uri, source.root) for source in closed):
        return True
    return "://" not in place.uri and place.uri not in held and uri_to_path(place.uri).exists()


def _without(asset: Asset, gone: Sequence[Location]) -> Asset:
    uris = {place.uri for place in gone}
    return asset.at(tuple(place for place in asset.locations if place.uri not in uris))
