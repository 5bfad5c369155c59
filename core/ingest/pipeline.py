"""Files to assets: decoding in threads while the model encodes, whole batches committed at once.

Memory is bounded: pictures in decoding are together no larger than the largest one allowed, at most `LOOK_AHEAD`
batches are decoded and not yet encoded, at most `COMMIT_ASSETS` encoded and not yet committed. A run that is cut off
has lost nothing that it committed, and the next run skips it by content.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.embedding import images
from core.embedding.allocator import release_unused_memory
from core.embedding.encoder import Encoder
from core.embedding.hashes import content_id
from core.embedding.look_ahead import DECODER_THREADS, MemoryBudget, look_ahead
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from core.records.assets import Asset, Description, utc_now
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener, ignore
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock
from core.store.objects.names import path_to_uri

LOOK_AHEAD = 2
MAX_READ_MEGABYTES = 400.0
LARGE_IMAGE_MEGAPIXELS = 40.0
COMMIT_ASSETS = 256
COMMIT_INTERVAL_S = 10.0

# What is known of a file besides its bytes: (description, source).
Lookup = Callable[[Path], tuple[Description, str]]
# The place (uri) by which a file is known.
Locate = Callable[[Path], str]


def uri_on_disk(path: Path) -> str:
    """Where a file lies, as its place."""
    return path_to_uri(path.absolute())


@dataclass(frozen=True)
class Batch:
    """What was committed at once: pictures decoded, files known already, failures by reason.

    `stage_ms` has the keys `load` (reading and decoding, as far as anyone waited for it), `encode` and `total`;
    `error` names what ended the run, where something did.
    """

    collection: str
    decoded: int = 0
    known: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


BatchListener = Callable[[Batch], None]


@dataclass(frozen=True)
class _Prepared:
    """One file, read: an asset to encode, or known bytes seen at one more place, or (`removed`) bytes not wanted."""

    asset_id: str
    uri: str
    removed: bool = False
    asset: Asset | None = None
    thumbnail: bytes = b""
    pixels: NDArray[np.float32] | None = None


@dataclass
class _Pending:
    """Encoded, not yet committed."""

    assets: list[Asset] = field(default_factory=list)
    thumbnails: list[bytes] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)


class Ingest:
    """One run of the pipeline into one collection."""

    def __init__(
        self,
        table: AssetTable,
        encoder: Encoder,
        lookup: Lookup,
        listener: ProgressListener,
        max_megapixels: float,
        place: Locate = uri_on_disk,
        clock: Callable[[], float] = time.monotonic,
        on_batch: BatchListener = ignore,
    ) -> None:
        self._table, self._encoder, self._lookup, self._place = table, encoder, lookup, place
        self._listener, self._max_megapixels, self._clock, self._on_batch = listener, max_megapixels, clock, on_batch
        self._file_room, self._pixel_room = MemoryBudget(MAX_READ_MEGABYTES), MemoryBudget(max_megapixels)
        self._pending, self._failures = _Pending(), list[Failure]()
        self._known: set[bytes] = set()
        self._removed: set[bytes] = set()
        self._removed_files = 0
        self._added = self._known_files = self._seen = self._encoded = self._total = 0
        self._told_known = self._told_encoded = self._told_failures = 0
        self._encode_s = 0.0
        self._started = self._embedding_since = self._committed_at = clock()

    def run(self, files: Iterable[Path | Failure], coming: int | None = None) -> IngestReport:
        """Ingest `files` and report. All are found first, unless so many are `coming` one by one: a download.

        Raises CollectionBusy if another ingest into the collection runs. A listener may raise Cancelled; what
        was encoded by then is committed first.
        """
        with ingest_lock(self._table.folder):
            paths = self._scan(files) if coming is None else self._arriving(files, coming)
            self._known, self._removed = self._table.ids(), self._table.removed_ids()
            self._embedding_since = self._committed_at = self._clock()
            with ThreadPoolExecutor(DECODER_THREADS) as pool:
                prepared = look_ahead(pool, self._prepare, paths, LOOK_AHEAD * self._encoder.batch_size)
                try:
                    self._consume(future.result() for future in prepared)
                except Cancelled as stop:
                    self._commit()
                    stop.report = self._report()
                    raise
            self._commit()
            self._listener(Progress("compact", self._total, self._total))
            self._table.compact()  # also after nothing new: the run before may have been cut off here
        return self._report()

    def _scan(self, files: Iterable[Path | Failure]) -> list[Path]:
        paths = []
        for item in files:
            if isinstance(item, Failure):
                self._failures.append(item)
            else:
                paths.append(item)
            if len(paths) % 1000 == 0:
                self._listener(Progress("scan", len(paths), 0))
        self._total = len(paths)
        return paths

    def _arriving(self, files: Iterable[Path | Failure], coming: int) -> Iterator[Path]:
        self._total = coming
        for item in files:
            if isinstance(item, Failure):
                self._failures.append(item)
                self._seen += 1
            else:
                yield item

    def _prepare(self, path: Path) -> _Prepared | Failure:
        uri = self._place(path)
        try:
            with self._file_room.taking(images.file_megabytes(path, self._max_megapixels)):
                return self._read(path, uri)
        except BadImage as error:
            return Failure(uri, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001 - reported by name; one picture never costs the others
            return Failure(uri, "cannot be processed", f"{type(error).__name__}: {error}"[:200])

    def _read(self, path: Path, uri: str) -> _Prepared:
        data = images.read_bytes(path)
        asset_id = content_id(data)
        if bytes.fromhex(asset_id) in self._known:
            return _Prepared(asset_id, uri)
        if bytes.fromhex(asset_id) in self._removed:
            return _Prepared(asset_id, uri, removed=True)
        opened = images.open_image(data, str(path), self._max_megapixels)
        megapixels = opened.width * opened.height / 1e6
        with self._pixel_room.taking(megapixels):
            stored_size = opened.size
            picture = images.upright_rgb(opened, str(path), images.ENOUGH_PX)
            size = images.upright_size(stored_size, opened)
            about, source = self._lookup(path)
            asset = Asset(asset_id, (uri,), source, about.over(embedded_description(opened)), *size, utc_now())
            ready = _Prepared(asset_id, uri, False, asset, images.thumbnail(picture), self._encoder.preprocess(picture))
            del opened, picture
            if megapixels > LARGE_IMAGE_MEGAPIXELS:
                release_unused_memory()
        return ready

    def _consume(self, prepared: Iterator[_Prepared | Failure]) -> None:
        batch: list[_Prepared] = []
        for item in prepared:
            self._seen += 1
            if isinstance(item, Failure):
                self._failures.append(item)
            elif item.removed:
                self._removed_files += 1
            elif item.asset is None or bytes.fromhex(item.asset_id) in self._known:
                self._known_files += 1
                self._pending.seen.setdefault(item.asset_id, []).append(item.uri)
            else:
                self._known.add(bytes.fromhex(item.asset_id))
                batch.append(item)
            if len(batch) == self._encoder.batch_size or self._commit_is_due():
                self._encode(batch)
                batch = []
            if self._commit_is_due():
                self._commit()
            if self._seen % 8 == 0:
                self._tell()
        self._encode(batch)
        self._tell()

    def _encode(self, batch: list[_Prepared]) -> None:
        if not batch:
            return
        began = self._clock()
        vectors = self._encoder.encode_pixels(np.stack([item.pixels for item in batch if item.pixels is not None]))
        self._encode_s += self._clock() - began
        self._encoded += len(batch)
        for item, vector in zip(batch, vectors, strict=True):
            if item.asset is None or not np.isfinite(vector).all():
                self._failures.append(Failure(item.uri, "no finite vector"))
                continue
            self._pending.assets.append(item.asset)
            self._pending.thumbnails.append(item.thumbnail)
            self._pending.vectors.append(vector)

    def _commit_is_due(self) -> bool:
        size = max(len(self._pending.assets), len(self._pending.seen))
        return size >= COMMIT_ASSETS or (size > 0 and self._clock() - self._committed_at >= COMMIT_INTERVAL_S)

    def _commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        ready = self._clock()
        if pending.assets:
            self._added += self._table.add(pending.assets, pending.thumbnails, np.stack(pending.vectors))
        if pending.seen:
            self._table.add_uris(pending.seen)
        began, self._committed_at = self._committed_at, self._clock()
        self._note_batch(ready - began, self._committed_at - began)

    def _note_batch(self, until_ready_s: float, total_s: float) -> None:
        batch = Batch(
            self._table.name,
            self._encoded - self._told_encoded,
            self._known_files - self._told_known,
            Counter(failure.reason for failure in self._failures[self._told_failures :]),
            {"load": (until_ready_s - self._encode_s) * 1000, "encode": self._encode_s * 1000, "total": total_s * 1000},
        )
        self._told_encoded, self._told_known, self._encode_s = self._encoded, self._known_files, 0.0
        self._told_failures = len(self._failures)
        if batch.decoded or batch.known or batch.failures:
            self._on_batch(batch)

    def _tell(self) -> None:
        seconds = max(self._clock() - self._embedding_since, 1e-9)
        remaining_s = (self._total - self._seen) * seconds / self._seen if self._seen else None
        self._listener(Progress("embed", self._seen, self._total, self._encoded / seconds, remaining_s))

    def _report(self) -> IngestReport:
        now = self._clock()
        return IngestReport(
            collection=self._table.name,
            added=self._added,
            known=self._known_files,
            failures=tuple(self._failures),
            seconds=now - self._started,
            images_per_s=self._encoded / max(now - self._embedding_since, 1e-9),
            removed=self._removed_files,
        )
