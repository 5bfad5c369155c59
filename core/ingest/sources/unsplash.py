"""Adds an Unsplash dataset to a collection: tables first, then pictures as they are downloaded.

A photo is identified by its page (`https://unsplash.com/photos/ID`). One that a collection holds is not downloaded
again, whatever its width, so an interrupted run resumes where it stopped and no photo is added twice.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import ContactSheetError
from core.ingest.http.allowed_hosts import AllowedHosts, hostname
from core.ingest.http.fetcher import FetchEnvironment, Fetcher
from core.ingest.ingest_input import IngestInput
from core.ingest.pipeline import COMMIT_ASSETS, LOOK_AHEAD_BATCHES
from core.ingest.runner import IngestRunner
from core.ingest.sources.archive import fetch_archive
from core.ingest.sources.sharded_tables import TableReading, find_shards
from core.ingest.sources.unsplash_images import DownloadOptions, PhotoDownloads
from core.ingest.sources.unsplash_tables import (
    Conversion,
    Photo,
    collection_titles,
    full_description,
    photo_id_of_uri,
    read_conversions,
    read_photos,
    top_colours,
    top_keywords,
)
from core.logs import log
from core.records.assets import Location
from core.records.descriptions import Description
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener, ignore
from core.settings import Settings
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock
from core.store.objects.names import check_collection_name

SOURCE = "unsplash"
IMAGE_HOSTS = frozenset({"images.unsplash.com"})
# Where https://unsplash.com/data/lite/latest redirects to.
ARCHIVE_HOSTS = frozenset({"unsplash-datasets.s3.amazonaws.com"})
MAX_THREADS, MIN_WIDTH, MAX_WIDTH = 64, 64, 4096
_IDS_PER_READ = 500


@dataclass(frozen=True)
class UnsplashOptions:
    """What to add of a dataset: pictures `width` pixels wide, at most `limit` photos of the table, `only` these uris.

    `threads` download at the same time.
    """

    width: int = 640
    limit: int | None = None
    threads: int = 16
    only: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ContactSheetError with the value that is not allowed."""
        if not MIN_WIDTH <= self.width <= MAX_WIDTH:
            raise ContactSheetError(
                f"a width of {self.width} pixels is not available: choose {MIN_WIDTH} to {MAX_WIDTH}"
            )
        if not 1 <= self.threads <= MAX_THREADS:
            raise ContactSheetError(f"{self.threads} threads cannot download: choose 1 to {MAX_THREADS}")
        if self.limit is not None and self.limit < 1:
            raise ContactSheetError(f"a limit of {self.limit} photos adds none: choose 1 or more")


class UnsplashIngest:
    """Adds Unsplash datasets to collections."""

    def __init__(
        self,
        runner: IngestRunner,
        settings: Settings,
        hosts: frozenset[str] = IMAGE_HOSTS,
        environment: FetchEnvironment | None = None,
    ) -> None:
        """Pictures come from `hosts` alone; the default `environment` is the public internet and real time."""
        self._runner, self._settings, self._hosts = runner, settings, hosts
        self._environment = environment or FetchEnvironment()

    def ingest(
        self,
        location: str,
        collection: str,
        options: UnsplashOptions = UnsplashOptions(),
        listener: ProgressListener = ignore,
    ) -> IngestReport:
        """Add the photos of the dataset at `location`: a folder, a ZIP, or the URL of a ZIP.

        Raises CollectionBusy, CollectionError, ModelUnavailable, and ContactSheetError where the dataset cannot be
        read or no server can be reached. A listener may raise Cancelled.
        """
        check_collection_name(collection)
        options.check()
        folder = self._settings.data / SOURCE / collection
        with ingest_lock(folder):
            dataset = self.open_dataset(location, listener)
            table = self._runner.open_or_create(collection, listener)
            present = removed_assets_by_photo(table) | assets_by_photo(table)
            selection = _Selection(dataset, options, present, listener)
            report = self._download(selection, table, folder / "photos", listener)
            shutil.rmtree(folder / "photos", ignore_errors=True)
        return report

    def conversions(self, location: str, listener: ProgressListener = ignore) -> Iterator[Conversion]:
        """Which searches led to which downloads, one by one, of the dataset at `location`; damaged rows are logged.

        Raises ContactSheetError if the dataset cannot be read or has no table of conversions.
        """
        dataset = self.open_dataset(location, listener)
        if not find_shards(dataset, "conversions"):
            raise ContactSheetError(
                f"{location} holds no table conversions.tsv000 or conversions.csv000: get the whole dataset"
            )
        reading = TableReading(lambda lines: listener(Progress("read conversions", lines, 0)))
        yield from read_conversions(dataset, reading)
        if reading.damaged_rows:
            damaged = reading.damaged_rows
            log("ingest", "damaged rows were left out", logging.WARNING, table="conversions", rows=damaged)

    def open_dataset(self, location: str, listener: ProgressListener = ignore) -> Path:
        """The folder or ZIP of a dataset, downloaded to the data folder if `location` is a URL.

        Raises ContactSheetError.
        """
        if "://" not in location:
            path = Path(location).expanduser()
            if not path.exists():
                raise ContactSheetError(f"{path} does not exist: name a folder, a ZIP or the address of one")
            return path
        try:
            hosts = self._hosts | ARCHIVE_HOSTS | {hostname(urlsplit(location))}
        except ValueError:
            raise ContactSheetError("the address of the dataset is malformed: check it") from None
        fetcher = self._fetcher(hosts)
        try:
            return fetch_archive(fetcher, location, self._settings.data / SOURCE, listener)
        finally:
            fetcher.stop()

    def _download(
        self, selection: _Selection, table: AssetTable, folder: Path, listener: ProgressListener
    ) -> IngestReport:
        # More files than the pipeline may have read and not yet committed.
        max_kept_files = COMMIT_ASSETS + 2 * LOOK_AHEAD_BATCHES * self._settings.batch_size
        options = DownloadOptions(
            selection.options.width, selection.options.threads, max_kept_files, self._settings.max_megapixels
        )
        repeating = _RepeatingListener(listener)
        downloads = PhotoDownloads(self._fetcher(self._hosts), folder, options, repeating.repeat)
        photos = {downloads.path(photo).name: photo for photo in selection.missing}
        with closing(selection.files(downloads)) as files:
            arriving = IngestInput(
                files,
                describe=lambda path, embedded: selection.location(photos[path.name], embedded),
                locate=lambda path: photos[path.name].uri,
                expected=selection.expected,
            )
            try:
                report = self._runner.ingest(table, arriving, repeating)
            except Cancelled as stop:
                stop.report = selection.with_known(stop.report) if stop.report else None
                raise
        return selection.with_known(report)

    def _fetcher(self, hosts: frozenset[str]) -> Fetcher:
        return Fetcher(AllowedHosts(hosts, self._environment.network), self._environment)


class _Selection:
    """The photos of a dataset that the options select, which of them are missing, and their descriptions."""

    def __init__(
        self, dataset: Path, options: UnsplashOptions, present: Mapping[str, str], listener: ProgressListener
    ) -> None:
        self.options = options
        listener(Progress("read tables", 0, 0))
        reading = TableReading(lambda lines: listener(Progress("read tables", lines, 0)))
        selected = list(self._select(read_photos(dataset, reading)))
        self.missing = [photo for photo in selected if photo.id not in present]
        self._known = len(selected) - len(self.missing)
        ids = dict.fromkeys(photo.id for photo in self.missing)
        self._keywords = top_keywords(dataset, ids, reading) if ids else {}
        self._colours = top_colours(dataset, ids, reading) if ids else {}
        self._collections = collection_titles(dataset, ids, reading) if ids else {}
        self._damaged_rows = reading.failures()

    @property
    def expected(self) -> int:
        """How many files and failures `files` will yield."""
        return len(self.missing) + len(self._damaged_rows)

    def files(self, downloads: PhotoDownloads) -> Generator[Path | Failure, None, None]:
        yield from self._damaged_rows
        with closing(downloads.fetch_all(self.missing)) as arriving:
            yield from arriving

    def location(self, photo: Photo, embedded: Description) -> Location:
        """Where a photo lies, and what the tables and its file say of it."""
        tables = (self._keywords, self._colours, self._collections)
        about = full_description(photo, *(table.get(photo.id, ()) for table in tables))
        return Location(photo.uri, SOURCE, words=about.filled_from(embedded))

    def with_known(self, report: IngestReport) -> IngestReport:
        """The report, with the photos counted that the collection held before."""
        return replace(report, known=report.known + self._known)

    def _select(self, photos: Iterator[Photo]) -> Iterator[Photo]:
        only = set(self.options.only)
        for photo in islice(photos, self.options.limit):
            if not only or photo.uri in only:
                yield photo


class _RepeatingListener:
    """A listener that can be sent its last progress again, so that it can cancel while no picture arrives."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener, self._last = listener, Progress("embed", 0, 0)

    def __call__(self, progress: Progress) -> None:
        self._last = progress
        self._listener(progress)

    def repeat(self) -> None:
        self._listener(self._last)


def assets_by_photo(table: AssetTable) -> dict[str, str]:
    """The asset id of every photo of an Unsplash dataset that a collection holds, by photo id."""
    ids, found = sorted(raw.hex() for raw in table.ids()), dict[str, str]()
    for first in range(0, len(ids), _IDS_PER_READ):
        for asset_id, uris in table.uris(ids[first : first + _IDS_PER_READ]).items():
            found |= {photo_id: asset_id for photo_id in map(photo_id_of_uri, uris) if photo_id}
    return found


def removed_assets_by_photo(table: AssetTable) -> dict[str, str]:
    """The asset id of every photo that was removed from the collection, by photo id."""
    found, first = dict[str, str](), 0
    while page := table.removed(first, _IDS_PER_READ):
        for removed in page:
            found |= {photo_id: removed.asset.id for photo_id in map(photo_id_of_uri, removed.asset.uris) if photo_id}
        first += len(page)
    return found


def count_by_reason(failures: Sequence[Failure]) -> str:
    """Why photos are missing, the most frequent reason first: `12 not found, 3 cut off`."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(f.reason for f in failures).most_common())
