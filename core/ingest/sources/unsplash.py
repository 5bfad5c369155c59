"""An Unsplash dataset into a collection: tables first, then pictures as they are downloaded.

A photo is known by its page (`https://unsplash.com/photos/ID`). One that a collection holds is not fetched again, at
whatever width it came, so a run that was cut off goes on where it stopped and no photo is there twice.
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
from core.ingest.http.allowed_hosts import AllowedHosts, host_of
from core.ingest.http.fetcher import FetchEnvironment, Fetcher
from core.ingest.pipeline import COMMIT_ASSETS, LOOK_AHEAD
from core.ingest.runner import IngestRunner
from core.ingest.sources.archive import fetch_archive
from core.ingest.sources.sharded_tables import TableReading, shards
from core.ingest.sources.unsplash_images import DownloadOptions, Downloads
from core.ingest.sources.unsplash_tables import (
    Conversion,
    Photo,
    best_keywords,
    collection_titles,
    conversions,
    described,
    main_colours,
    photo_of,
    photos,
)
from core.logs import log
from core.records.assets import Description
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener, ignore
from core.settings import Settings
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock
from core.store.objects.names import check_collection_name

SOURCE = "unsplash"
IMAGE_HOSTS = frozenset({"images.unsplash.com"})
# Where https://unsplash.com/data/lite/latest leads to.
ARCHIVE_HOSTS = frozenset({"unsplash-datasets.s3.amazonaws.com"})
MAX_THREADS, WIDTHS = 64, (64, 4096)
_IDS_AT_ONCE = 500


@dataclass(frozen=True)
class UnsplashOptions:
    """What of a dataset to add: pictures of `width` pixels, at most `limit` photos of the table, or `only` these uris.

    `threads` download at once.
    """

    width: int = 640
    limit: int | None = None
    threads: int = 16
    only: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ContactSheetError with the value that cannot be."""
        if not WIDTHS[0] <= self.width <= WIDTHS[1]:
            raise ContactSheetError(f"a width of {self.width} pixels cannot be had: choose {WIDTHS[0]} to {WIDTHS[1]}")
        if not 1 <= self.threads <= MAX_THREADS:
            raise ContactSheetError(f"{self.threads} threads cannot download: choose 1 to {MAX_THREADS}")
        if self.limit is not None and self.limit < 1:
            raise ContactSheetError(f"a limit of {self.limit} photos adds none: choose 1 or more")


class UnsplashIngest:
    """Adds Unsplash datasets to collections."""

    def __init__(
        self,
        runs: IngestRunner,
        settings: Settings,
        hosts: frozenset[str] = IMAGE_HOSTS,
        world: FetchEnvironment | None = None,
    ) -> None:
        """Pictures are fetched from `hosts` alone; `world` is the public internet and real time unless given."""
        self._runs, self._settings, self._hosts, self._world = runs, settings, hosts, world or FetchEnvironment()

    def ingest(
        self,
        place: str,
        collection: str,
        wish: UnsplashOptions = UnsplashOptions(),
        listener: ProgressListener = ignore,
    ) -> IngestReport:
        """Add the photos of the dataset at `place`: a folder, a ZIP, or the address of a ZIP.

        Raises CollectionBusy, CollectionError, ModelUnavailable, and ContactSheetError where the dataset cannot be
        read or no server be reached. A listener may raise Cancelled.
        """
        check_collection_name(collection)
        wish.check()
        folder = self._settings.data / SOURCE / collection
        with ingest_lock(folder):
            dataset = self.dataset(place, listener)
            table = self._runs.open(collection, listener)
            run = _Run(dataset, wish, removed_by_photo(table) | assets_by_photo(table), listener)
            report = self._download(run, table, folder / "photos")
            shutil.rmtree(folder / "photos", ignore_errors=True)
        return report

    def conversions(self, place: str, listener: ProgressListener = ignore) -> Iterator[Conversion]:
        """Which searches led to which downloads, one by one, of the dataset at `place`; damaged rows are logged.

        Raises ContactSheetError if the dataset cannot be read, or tells of none.
        """
        dataset = self.dataset(place, listener)
        if not shards(dataset, "conversions"):
            raise ContactSheetError(
                f"{place} holds no table conversions.tsv000 or conversions.csv000: get the whole dataset"
            )
        reading = TableReading(lambda lines: listener(Progress("read conversions", lines, 0)))
        yield from conversions(dataset, reading)
        if reading.count:
            log("ingest", "damaged rows were left out", logging.WARNING, table="conversions", rows=reading.count)

    def dataset(self, place: str, listener: ProgressListener = ignore) -> Path:
        """The folder or ZIP of a dataset, downloaded to the data folder if `place` is an address.

        Raises ContactSheetError.
        """
        if "://" not in place:
            path = Path(place).expanduser()
            if not path.exists():
                raise ContactSheetError(f"{path} does not exist: name a folder, a ZIP or the address of one")
            return path
        try:
            hosts = self._hosts | ARCHIVE_HOSTS | {host_of(urlsplit(place))}
        except ValueError:
            raise ContactSheetError("the address of the dataset is malformed: check it") from None
        fetcher = Fetcher(AllowedHosts(hosts, self._world.network), self._world)
        try:
            return fetch_archive(fetcher, place, self._settings.data / SOURCE, listener)
        finally:
            fetcher.stop()

    def _download(self, run: _Run, table: AssetTable, folder: Path) -> IngestReport:
        # More files than the pipeline may have read and not yet committed.
        kept = COMMIT_ASSETS + 2 * LOOK_AHEAD * self._settings.batch_size
        sizes = DownloadOptions(run.wish.width, run.wish.threads, kept, self._settings.max_megapixels)
        heard = _Heard(run.listener)
        fetcher = Fetcher(AllowedHosts(self._hosts, self._world.network), self._world)
        downloads = Downloads(fetcher, folder, sizes, heard.again)
        by_path = {downloads.path(photo).name: photo for photo in run.missing}
        with closing(run.files(downloads)) as files:
            try:
                report = self._runs.arriving(
                    table,
                    files,
                    run.coming,
                    lambda path: (run.description(by_path[path.name]), SOURCE),
                    lambda path: by_path[path.name].uri,
                    heard,
                )
            except Cancelled as stop:
                stop.report = run.counted(stop.report) if stop.report else None
                raise
        return run.counted(report)


class _Run:
    """One reading of the tables: which photos are missing, and what is said of them."""

    def __init__(
        self, dataset: Path, wish: UnsplashOptions, held: Mapping[str, str], listener: ProgressListener
    ) -> None:
        self.wish, self.listener = wish, listener
        listener(Progress("read tables", 0, 0))
        reading = TableReading(lambda lines: listener(Progress("read tables", lines, 0)))
        wanted = list(self._wanted(photos(dataset, reading)))
        self.missing = [photo for photo in wanted if photo.id not in held]
        self._known = len(wanted) - len(self.missing)
        ids = dict.fromkeys(photo.id for photo in self.missing)
        self._keywords = best_keywords(dataset, ids, reading) if ids else {}
        self._colours = main_colours(dataset, ids, reading) if ids else {}
        self._collections = collection_titles(dataset, ids, reading) if ids else {}
        self._faults = reading.failures()

    @property
    def coming(self) -> int:
        return len(self.missing) + len(self._faults)

    def files(self, downloads: Downloads) -> Generator[Path | Failure, None, None]:
        yield from self._faults
        with closing(downloads.arriving(self.missing)) as arriving:
            yield from arriving

    def description(self, photo: Photo) -> Description:
        said = (self._keywords, self._colours, self._collections)
        return described(photo, *(of.get(photo.id, ()) for of in said))

    def counted(self, report: IngestReport) -> IngestReport:
        """The report, with the photos that the collection held before."""
        return replace(report, known=report.known + self._known)

    def _wanted(self, found: Iterator[Photo]) -> Iterator[Photo]:
        chosen = set(self.wish.only)
        for photo in islice(found, self.wish.limit):
            if not chosen or photo.uri in chosen:
                yield photo


class _Heard:
    """A listener that can be told the last moment again, so that a wish to stop is heard while no picture comes."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener, self._last = listener, Progress("embed", 0, 0)

    def __call__(self, progress: Progress) -> None:
        self._last = progress
        self._listener(progress)

    def again(self) -> None:
        self._listener(self._last)


def assets_by_photo(table: AssetTable) -> dict[str, str]:
    """The asset of every photo of an Unsplash dataset that a collection holds, both by id."""
    ids, found = sorted(raw.hex() for raw in table.ids()), dict[str, str]()
    for first in range(0, len(ids), _IDS_AT_ONCE):
        for asset_id, uris in table.uris(ids[first : first + _IDS_AT_ONCE]).items():
            found |= {photo_id: asset_id for photo_id in map(photo_of, uris) if photo_id}
    return found


def removed_by_photo(table: AssetTable) -> dict[str, str]:
    """The same of photos that someone has taken out of the collection: they are not wanted at another width either."""
    found, first = dict[str, str](), 0
    while part := table.removed(first, _IDS_AT_ONCE):
        found |= {photo_id: one.asset.id for one in part for photo_id in map(photo_of, one.asset.uris) if photo_id}
        first += len(part)
    return found


def causes(failures: Sequence[Failure]) -> str:
    """Why photos are missing, the most frequent cause first: `12 not found, 3 cut off`."""
    return ", ".join(f"{count} {reason}" for reason, count in Counter(f.reason for f in failures).most_common())
