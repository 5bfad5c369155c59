"""Embeds the pictures of a collection with another model, into a sibling collection.

The pictures are read from their original files. What a run has committed is not done again, so an interrupted run
resumes where it stopped. The collection stays in use meanwhile, except that nothing can be added to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from core.embedding import images
from core.embedding.encoder import Encoder
from core.embedding.encoder_registry import EncoderRegistry
from core.embedding.look_ahead import DECODER_THREADS, MemoryBudget, look_ahead
from core.errors import CollectionError, ContactSheetError
from core.library.originals import read_original
from core.records.assets import Asset, ModelCard
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener
from core.store.lance.collections import Collections
from core.store.lance.table import RETIRED, AssetTable
from core.store.objects.locks import ingest_lock

LOOK_AHEAD_BATCHES, ROWS_PER_COMMIT = 2, 64
NO_ORIGINAL = "no original file any more"


class Reembedder:
    """Fills sibling collections, each in the calling thread."""

    def __init__(
        self,
        collections: Collections,
        encoders: EncoderRegistry,
        max_megapixels: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collections, self._encoders, self._max_megapixels = collections, encoders, max_megapixels
        self._now, self._clock = now, clock

    def embed(
        self, author: str, collection: str, model: str, name: str, use_thumbnails: bool, listener: ProgressListener
    ) -> IngestReport:
        """Embed the pictures that the sibling `name` of a collection lacks; it is created if it does not exist.

        Raises CollectionError, CollectionBusy, ModelUnavailable; a listener may raise Cancelled.
        """
        listener(Progress("load model", 0, 0))
        encoder = self._encoders.get(model, listener)
        source = self._collections.open(collection)
        with ingest_lock(source.folder):
            target = self._open_or_create_sibling(collection, name, encoder.card)
            reader = _PictureReader(encoder, self._max_megapixels, use_thumbnails)
            report = _Run(source, target, encoder, reader, listener, self._clock).run()
            copy_removals(source, target, author, self._now())
            listener(Progress("compact", 1, 1))
            target.compact()
        return report

    def _open_or_create_sibling(self, collection: str, name: str, model: ModelCard) -> AssetTable:
        if name not in self._collections.siblings(collection):
            return self._collections.create_sibling(name, collection, model)
        table = self._collections.open(name)
        if table.model != model:
            raise CollectionError(f"{name} is embedded with {table.model.name}, not with {model.name}: choose a name")
        return table


def copy_removals(source: AssetTable, target: AssetTable, author: str, removed_at: datetime) -> None:
    """Move the target's assets that are no longer in the source to its bin, so that no ingest brings them back.

    Those whose files were changed may come back: nobody removed them.
    """
    gone, retired = target.ids() - source.ids(), source.retired_ids()
    for ids, removed_by in ((gone - retired, author), (gone & retired, RETIRED)):
        if ids:
            target.remove(sorted(raw.hex() for raw in ids), removed_by, removed_at)


@dataclass(frozen=True)
class _Row:
    """One picture to embed: its asset, its thumbnail, and its pixels as input of the model."""

    asset: Asset
    thumbnail: bytes
    pixels: NDArray[np.float32]


class _PictureReader:
    """Reads pictures from their original files, or from thumbnails if allowed and the originals are gone."""

    def __init__(self, encoder: Encoder, max_megapixels: float, use_thumbnails: bool) -> None:
        self._encoder, self._max_megapixels, self._use_thumbnails = encoder, max_megapixels, use_thumbnails
        self._budget = MemoryBudget(max_megapixels)

    def read(self, picture: tuple[Asset, bytes]) -> _Row | Failure:
        asset, thumbnail = picture
        uri = asset.uris[0] if asset.uris else asset.id
        original = read_original(asset)
        if original is None and not self._use_thumbnails:
            return Failure(uri, NO_ORIGINAL)
        try:
            with self._budget.reserve(asset.width * asset.height / 1e6):
                image = images.decode(original[1] if original else thumbnail, uri, self._max_megapixels)
                return _Row(asset, thumbnail, self._encoder.preprocess(image))
        except ContactSheetError as error:
            return Failure(uri, "cannot be decoded", str(error)[:200])


class _Run:
    """One run from a source table to a target table."""

    def __init__(
        self,
        source: AssetTable,
        target: AssetTable,
        encoder: Encoder,
        reader: _PictureReader,
        listener: ProgressListener,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._target, self._encoder, self._reader = source, target, encoder, reader
        self._listener, self._clock = listener, clock
        self._failures, self._added, self._seen = list[Failure](), 0, 0
        done = target.ids() | target.removed_ids()
        # The bin is embedded too, so that the target's bin holds the same pictures.
        self._known = len(source.ids() & done)
        self._ids = sorted(raw.hex() for raw in (source.ids() | source.removed_ids()) - done)
        self._began = clock()

    def run(self) -> IngestReport:
        with ThreadPoolExecutor(DECODER_THREADS) as pool:
            depth = LOOK_AHEAD_BATCHES * self._encoder.batch_size
            rows = (future.result() for future in look_ahead(pool, self._reader.read, self._pictures(), depth))
            try:
                while chunk := list(islice(rows, ROWS_PER_COMMIT)):
                    self._commit([row for row in chunk if isinstance(row, _Row)])
                    self._failures += [row for row in chunk if isinstance(row, Failure)]
                    self._seen += len(chunk)
                    self._report_progress()
            except Cancelled as stop:
                stop.report = self._report()
                raise
        return self._report()

    def _pictures(self) -> Iterator[tuple[Asset, bytes]]:
        for first in range(0, len(self._ids), ROWS_PER_COMMIT):
            ids = self._ids[first : first + ROWS_PER_COMMIT]
            removed = [(binned.asset, binned.thumbnail) for binned in self._source.bin.get(ids)]
            yield from {asset.id: (asset, jpeg) for asset, jpeg in [*removed, *self._source.assets(ids)]}.values()

    def _commit(self, rows: Sequence[_Row]) -> None:
        size = self._encoder.batch_size
        batches = [rows[first : first + size] for first in range(0, len(rows), size)]
        vectors = [self._encoder.encode_pixels(np.stack([row.pixels for row in batch])) for batch in batches]
        if vectors:
            assets, thumbnails = [row.asset for row in rows], [row.thumbnail for row in rows]
            self._added += self._target.add(assets, thumbnails, np.concatenate(vectors))

    def _report_progress(self) -> None:
        remaining = len(self._ids) - self._seen
        rate = self._seen / max(self._clock() - self._began, 1e-9)
        self._listener(Progress("embed", self._seen, len(self._ids), rate, remaining / rate if rate else None))

    def _report(self) -> IngestReport:
        seconds = self._clock() - self._began
        rate = self._added / max(seconds, 1e-9)
        return IngestReport(self._target.name, self._added, self._known, tuple(self._failures), seconds, rate)
