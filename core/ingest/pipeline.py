"""From files to assets: threads decode while the model encodes, whole batches are committed at once.

Memory is bounded: the pictures being decoded are together no larger than the largest one allowed, at most
`LOOK_AHEAD_BATCHES` batches are decoded and not yet encoded, at most `COMMIT_ASSETS` encoded and not yet committed. An
interrupted run loses nothing it has committed, and the next run skips that by content.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.embedding import images
from core.embedding.allocator import release_unused_memory
from core.embedding.encoder import Encoder
from core.embedding.hashes import content_id
from core.embedding.look_ahead import DECODER_THREADS, MemoryBudget, look_ahead
from core.errors import BadImage
from core.ingest.ingest_input import IngestInput, ignore_read
from core.ingest.metadata.embedded import embedded_description
from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener, ignore
from core.store.lance.table import AssetTable

LOOK_AHEAD_BATCHES = 2
MAX_READ_MEGABYTES = 400.0
LARGE_IMAGE_MEGAPIXELS = 40.0
COMMIT_ASSETS = 256
COMMIT_INTERVAL_S = 10.0
PROGRESS_INTERVAL_S = 0.25


@dataclass(frozen=True)
class IngestBatch:
    """One commit: pictures decoded, files already known, failures by reason.

    `stage_ms` has the keys `load` (reading and decoding, as far as the encoder waited for it), `encode` and `total`;
    `error` names what ended the run, if anything did.
    """

    collection: str
    decoded: int = 0
    known: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


BatchListener = Callable[[IngestBatch], None]


@dataclass(frozen=True)
class _Prepared:
    """One file, read: an asset to encode, or the location of known bytes, or (`removed`) bytes removed before.

    `before` are the pictures that were at its uri when it was read last.
    """

    asset_id: str
    uri: str
    removed: bool = False
    location: Location | None = None
    asset: Asset | None = None
    thumbnail: bytes = b""
    pixels: NDArray[np.float32] | None = None
    before: tuple[str, ...] = ()
    note: str = ""


@dataclass
class _Pending:
    """Encoded, not yet committed."""

    assets: list[Asset] = field(default_factory=list)
    thumbnails: list[bytes] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    known: dict[str, list[Location]] = field(default_factory=dict)
    returned: list[str] = field(default_factory=list)


@dataclass
class _Counts:
    """How many files a run has dealt with."""

    seen: int = 0
    known: int = 0
    removed: int = 0
    encoded: int = 0
    added: int = 0
    refreshed: int = 0


class IngestPipeline:
    """One run into one collection."""

    def __init__(
        self,
        table: AssetTable,
        encoder: Encoder,
        max_megapixels: float,
        listener: ProgressListener,
        on_batch: BatchListener = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table, self._encoder, self._max_megapixels = table, encoder, max_megapixels
        self._listener, self._on_batch, self._clock = listener, on_batch, clock
        self._read_budget, self._decode_budget = MemoryBudget(MAX_READ_MEGABYTES), MemoryBudget(max_megapixels)
        self._pending, self._failures, self._notes = _Pending(), list[Failure](), list[Failure]()
        self._known: set[bytes] = set()
        self._removed: set[bytes] = set()
        self._retired: set[bytes] = set()
        self._on_read: Callable[[str, str], object] = ignore_read
        self._on_return: Callable[[str], object] = ignore
        self._counts, self._reported, self._reported_failures = _Counts(), _Counts(), 0
        self._total, self._encode_s = 0, 0.0
        self._started = self._embedding_since = self._committed_at = self._told_at = clock()

    def run(self, source: IngestInput) -> IngestReport:
        """Ingest the files of `source` and report. The caller holds the ingest lock.

        A listener may raise Cancelled; what was encoded by then is committed first.
        """
        paths, self._on_read, self._on_return = self._paths(source), source.on_read, source.on_return
        self._known, self._removed = self._table.ids(), self._table.removed_ids()
        self._retired = self._table.retired_ids() if self._removed else set()
        self._embedding_since = self._committed_at = self._clock()
        pool = ThreadPoolExecutor(DECODER_THREADS)
        try:
            depth = LOOK_AHEAD_BATCHES * self._encoder.batch_size
            prepared = look_ahead(pool, partial(self._prepare, source), paths, depth)
            self._consume(map(self._result, prepared))
        except Cancelled as stop:
            pool.shutdown(wait=False, cancel_futures=True)
            self._commit()
            stop.report = self._report()
            raise
        finally:  # whoever stops does not wait for a large picture that is being decoded
            pool.shutdown(wait=False, cancel_futures=True)
        self._commit()
        return self._report()

    def _paths(self, source: IngestInput) -> Iterable[Path]:
        if source.expected is None:
            paths = self._scan(source.files)
            self._total = len(paths)
            return paths
        self._total = source.expected
        return self._arriving(source.files)

    def _scan(self, files: Iterable[Path | Failure]) -> list[Path]:
        paths = []
        for item in files:
            if isinstance(item, Failure):
                self._failures.append(item)
            else:
                paths.append(item)
        return paths

    def _arriving(self, files: Iterable[Path | Failure]) -> Iterator[Path]:
        for item in files:
            if isinstance(item, Failure):
                self._failures.append(item)
                self._counts.seen += 1
            else:
                yield item

    def _prepare(self, source: IngestInput, path: Path) -> _Prepared | Failure:
        uri = source.locate(path)
        try:
            with self._read_budget.reserve(images.file_megabytes(path, self._max_megapixels)):
                return self._read(path, uri, source)
        except BadImage as error:
            return Failure(uri, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001 - reported by name; one picture never costs the others
            return Failure(uri, "cannot be processed", f"{type(error).__name__}: {error}"[:200])

    def _read(self, path: Path, uri: str, source: IngestInput) -> _Prepared:
        data = images.read_bytes(path)
        asset_id = content_id(data)
        raw_id, before = bytes.fromhex(asset_id), source.before.get(uri, ())
        if raw_id in self._removed and raw_id not in self._retired:
            return _Prepared(asset_id, uri, removed=True)
        opened = images.open_image(data, str(path), self._max_megapixels)
        if raw_id in self._known or raw_id in self._retired:
            return _Prepared(asset_id, uri, location=source.describe(path, embedded_description(opened)))
        megapixels = opened.width * opened.height / 1e6
        with self._decode_budget.reserve(megapixels):
            stored_size = opened.size
            picture = images.upright_rgb(opened, str(path), images.MIN_SIDE_PX)
            size = images.upright_size(stored_size, opened)
            location = source.describe(path, embedded_description(opened))
            asset = Asset(asset_id, (location,), Description(), *size, utc_now()).at((location,))
            thumbnail, pixels = images.thumbnail(picture), self._encoder.preprocess(picture)
            note = images.note_of(opened)
            del opened, picture
            if megapixels > LARGE_IMAGE_MEGAPIXELS:
                release_unused_memory()
        return _Prepared(asset_id, uri, asset=asset, thumbnail=thumbnail, pixels=pixels, before=before, note=note)

    def _result(self, future: Future[_Prepared | Failure]) -> _Prepared | Failure:
        """A file's result; the listener is called while a large picture is awaited, since it may want to stop."""
        while not wait([future], PROGRESS_INTERVAL_S).done:
            self._report_progress()
        return future.result()

    def _consume(self, prepared: Iterator[_Prepared | Failure]) -> None:
        batch: list[_Prepared] = []
        for item in prepared:
            if (new := self._sort(item)) is not None:
                batch.append(new)
            if len(batch) == self._encoder.batch_size or self._commit_is_due():
                self._encode(batch)
                batch = []
            if self._commit_is_due():
                self._commit()
            if self._counts.seen % 8 == 0 or self._clock() - self._told_at >= PROGRESS_INTERVAL_S:
                self._report_progress()
        self._encode(batch)
        self._report_progress()

    def _sort(self, item: _Prepared | Failure) -> _Prepared | None:
        """Count a file; returns it if it is a new asset, to be encoded."""
        self._counts.seen += 1
        if isinstance(item, Failure):
            self._failures.append(item)
        elif item.removed:
            self._counts.removed += 1
            self._on_read(item.uri, item.asset_id)
        elif item.asset is None or bytes.fromhex(item.asset_id) in self._known:
            self._take_known(item)
        else:
            self._known.add(bytes.fromhex(item.asset_id))
            if item.note:
                self._notes.append(Failure(item.uri, "read, but not whole", item.note))
            asset = self._with_older_words(item.asset, item.before)
            vector = self._vector_before(item)
            if vector is None:
                return replace(item, asset=asset)
            self._keep(asset, item.thumbnail, vector)
        return None

    def _take_known(self, item: _Prepared) -> None:
        raw_id = bytes.fromhex(item.asset_id)
        location = item.location or (item.asset.locations[0] if item.asset else Location(item.uri))
        if raw_id not in self._known:  # an earlier version of a file that came back
            self._pending.returned.append(item.asset_id)
            self._on_return(item.asset_id)
            self._known.add(raw_id)
        self._counts.known += 1
        self._on_read(item.uri, item.asset_id)
        self._pending.known.setdefault(item.asset_id, []).append(location)

    def _with_older_words(self, asset: Asset, before: tuple[str, ...]) -> Asset:
        """An edited file with the words of a version that did not record where they came from."""
        for older, _ in self._table.assets(before):
            asset = asset.at((older.completing(replace(asset.locations[0], words=asset.about)),))
        return asset

    def _vector_before(self, item: _Prepared) -> NDArray[np.float32] | None:
        """The vector of the picture that was at this uri before, if its pixels were the same: only metadata changed."""
        for before, thumbnail in self._table.assets(item.before):
            same_size = item.asset and (before.width, before.height) == (item.asset.width, item.asset.height)
            if same_size and thumbnail == item.thumbnail:
                return self._table.vector(before.id)
        return None

    def _keep(self, asset: Asset, thumbnail: bytes, vector: NDArray[np.float32]) -> None:
        self._on_read(asset.locations[0].uri, asset.id)
        self._pending.assets.append(asset)
        self._pending.thumbnails.append(thumbnail)
        self._pending.vectors.append(vector)

    def _encode(self, batch: list[_Prepared]) -> None:
        if not batch:
            return
        began = self._clock()
        vectors = self._encoder.encode_pixels(np.stack([item.pixels for item in batch if item.pixels is not None]))
        self._encode_s += self._clock() - began
        self._counts.encoded += len(batch)
        for item, vector in zip(batch, vectors, strict=True):
            if item.asset is None or not np.isfinite(vector).all():
                self._failures.append(Failure(item.uri, "no finite vector"))
                continue
            self._keep(item.asset, item.thumbnail, vector)

    def _commit_is_due(self) -> bool:
        size = max(len(self._pending.assets), len(self._pending.known))
        return size >= COMMIT_ASSETS or (size > 0 and self._clock() - self._committed_at >= COMMIT_INTERVAL_S)

    def _commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        ready = self._clock()
        if pending.assets:
            self._counts.added += self._table.add(pending.assets, pending.thumbnails, np.stack(pending.vectors))
        if pending.returned:
            self._table.restore(pending.returned)
        if pending.known:
            self._counts.refreshed += self._table.add_locations(pending.known)
        began, self._committed_at = self._committed_at, self._clock()
        self._report_batch(ready - began, self._committed_at - began)

    def _report_batch(self, until_ready_s: float, total_s: float) -> None:
        load_ms, encode_ms = (until_ready_s - self._encode_s) * 1000, self._encode_s * 1000
        batch = IngestBatch(
            collection=self._table.name,
            decoded=self._counts.encoded - self._reported.encoded,
            known=self._counts.known - self._reported.known,
            failures=Counter(failure.reason for failure in self._failures[self._reported_failures :]),
            stage_ms={"load": load_ms, "encode": encode_ms, "total": total_s * 1000},
        )
        self._reported, self._reported_failures = replace(self._counts), len(self._failures)
        self._encode_s = 0.0
        if batch.decoded or batch.known or batch.failures:
            self._on_batch(batch)

    def _report_progress(self) -> None:
        self._told_at = self._clock()
        seen, seconds = self._counts.seen, max(self._clock() - self._embedding_since, 1e-9)
        remaining_s = (self._total - seen) * seconds / seen if seen else None
        self._listener(Progress("embed", seen, self._total, self._counts.encoded / seconds, remaining_s))

    def _report(self) -> IngestReport:
        now = self._clock()
        return IngestReport(
            collection=self._table.name,
            added=self._counts.added,
            known=self._counts.known,
            failures=tuple(self._failures),
            seconds=now - self._started,
            images_per_s=self._counts.encoded / max(now - self._embedding_since, 1e-9),
            removed=self._counts.removed,
            refreshed=self._counts.refreshed,
            notes=tuple(self._notes),
        )
