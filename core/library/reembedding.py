"""A collection embedded once more by another model, beside the old one, and the switch from one to the other.

The pictures are read from their original files. What a run has committed it does not do again, so one that was cut off
goes on where it stopped. The collection is used as before meanwhile, except that nothing can be added to it; switching
over is one write that exchanges the names.
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

from core.access import Access, Person
from core.embedding import images
from core.embedding.encoder import Encoder
from core.embedding.encoder_registry import Encoders
from core.embedding.look_ahead import DECODERS, MemoryBudget, look_ahead
from core.errors import CollectionError, ContactSheetError
from core.ingest.sources import demo
from core.jobs.background import BackgroundJobs
from core.library.originals import original
from core.records.assets import Asset, ModelCard, SiblingCollection
from core.records.jobs import Cancelled, Failure, IngestReport, Job, Progress, ProgressListener
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock
from core.store.objects.names import check_collection_name

EMBED = "embed"
LOOK_AHEAD, AT_ONCE = 2, 64
NO_ORIGINAL = "no original file any more"


@dataclass(frozen=True)
class _Row:
    """One picture to embed: what is known of it, its thumbnail, and its pixels as the model takes them."""

    asset: Asset
    thumbnail: bytes
    pixels: NDArray[np.float32]


class ReembeddingService:
    """May be shared between threads and used by many processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        encoders: Encoders,
        background: BackgroundJobs,
        access: Access,
        max_megapixels: float,
        switched: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`switched` hears of a collection that has another model now."""
        self._collections, self._encoders, self._background, self._access = collections, encoders, background, access
        self._max_megapixels, self._switched, self._now, self._clock = max_megapixels, switched, now, clock

    def start(self, person: Person, collection: str, model: str, name: str, thumbnails: bool = False) -> Job:
        """Start embedding a collection with another model, as the collection `name` beside it.

        Pictures whose original is gone are listed as failures, or embedded from their `thumbnails`. Raises NotAllowed,
        CollectionError, JobError if it is being done already.
        """
        self._access.require_curator(person, "embed collections again")
        if not model.strip():
            raise CollectionError("no model was named: write one as the setting CONTACTSHEET_MODEL takes it")
        others = {*self._collections.names()} - {*self._collections.beside(collection)}
        if check_collection_name(name) in others:
            raise CollectionError(f"there is a collection {name} already: choose another name")
        arguments = {"model": model.strip(), "name": name, "thumbnails": thumbnails}
        return self._background.start(EMBED, collection, arguments, person.author)

    def beside(self, collection: str) -> list[SiblingCollection]:
        """What lies beside a collection, by name."""
        ids, found = self._collections.open(collection).ids(), []
        for name in self._collections.beside(collection):
            table = self._collections.open(name)
            found.append(SiblingCollection(name, table.model, table.count(), len(ids - table.ids())))
        return found

    def switch(self, person: Person, collection: str, to: str) -> str:
        """Let a collection's name mean the one beside it; returns the name under which the old one is kept.

        What was removed meanwhile is removed from the new one first. Raises NotAllowed, CollectionError, and
        CollectionBusy while something is being added.
        """
        self._access.require_curator(person, "switch collections over")
        if collection == demo.NAME:
            raise CollectionError("demo always uses the bundled model: it can be compared with others, not switched")
        if to not in self._collections.beside(collection):
            raise CollectionError(f"{to} does not lie beside {collection}: embed that one with another model first")
        old, new = self._collections.open(collection), self._collections.open(to)
        _follow_removals(old, new, person.author, self._now())
        kept = self._collections.switch(collection, to)
        self._switched(collection)
        return kept

    def run(self, job: Job, listener: ProgressListener) -> IngestReport:
        """Be the job that `start` queued."""
        asked = job.arguments
        return self.embed(job.author, job.collection, asked["model"], asked["name"], asked["thumbnails"], listener)

    def embed(
        self, author: str, collection: str, model: str, name: str, thumbnails: bool, listener: ProgressListener
    ) -> IngestReport:
        """Embed what the collection beside does not have yet, which is made now if there is none.

        Raises CollectionError, CollectionBusy, ModelUnavailable; a listener may raise Cancelled.
        """
        listener(Progress("load model", 0, 0))
        encoder = self._encoders.named(model, listener)
        old = self._collections.open(collection)
        with ingest_lock(old.folder):
            new = self._beside(collection, name, encoder.card)
            report = _Run(old, new, encoder, listener, self._max_megapixels, thumbnails, self._clock).run()
            _follow_removals(old, new, author, self._now())
            listener(Progress("compact", 1, 1))
            new.compact()
        return report

    def _beside(self, collection: str, name: str, model: ModelCard) -> AssetTable:
        if name not in self._collections.beside(collection):
            return self._collections.create_beside(name, collection, model)
        table = self._collections.open(name)
        if table.model != model:
            raise CollectionError(f"{name} is embedded with {table.model.name}, not with {model.name}: choose a name")
        return table


def _follow_removals(old: AssetTable, new: AssetTable, author: str, moment: datetime) -> None:
    """Take out of the new table what is no longer in the old one: into its bin, so that no ingest brings it back."""
    gone = sorted(raw.hex() for raw in new.ids() - old.ids())
    if gone:
        new.remove(gone, author, moment)


class _Run:
    """One run from a table into another."""

    def __init__(
        self,
        old: AssetTable,
        new: AssetTable,
        encoder: Encoder,
        listener: ProgressListener,
        max_megapixels: float,
        thumbnails: bool,
        clock: Callable[[], float],
    ) -> None:
        self._old, self._new, self._encoder, self._listener, self._clock = old, new, encoder, listener, clock
        self._max_megapixels, self._room, self._thumbnails = max_megapixels, MemoryBudget(max_megapixels), thumbnails
        self._failures, self._added, self._seen = list[Failure](), 0, 0
        done = new.ids() | new.removed_ids()
        # What lies in the bin is embedded too: the bin of the new table holds the same pictures then.
        self._known = len(old.ids() & done)
        self._ids = sorted(raw.hex() for raw in (old.ids() | old.removed_ids()) - done)
        self._began = clock()

    def run(self) -> IngestReport:
        with ThreadPoolExecutor(DECODERS) as pool:
            depth = LOOK_AHEAD * self._encoder.batch_size
            rows = (future.result() for future in look_ahead(pool, self._read, self._rows(), depth))
            try:
                while portion := list(islice(rows, AT_ONCE)):
                    self._commit([row for row in portion if isinstance(row, _Row)])
                    self._failures += [row for row in portion if isinstance(row, Failure)]
                    self._seen += len(portion)
                    self._tell()
            except Cancelled as stop:
                stop.report = self._report()
                raise
        return self._report()

    def _rows(self) -> Iterator[tuple[Asset, bytes]]:
        for first in range(0, len(self._ids), AT_ONCE):
            ids = self._ids[first : first + AT_ONCE]
            binned = [(removed.asset, removed.thumbnail) for removed in self._old.bin.get(ids)]
            yield from {asset.id: (asset, jpeg) for asset, jpeg in [*binned, *self._old.assets(ids)]}.values()

    def _read(self, row: tuple[Asset, bytes]) -> _Row | Failure:
        asset, thumbnail = row
        place = asset.uris[0] if asset.uris else asset.id
        found = original(asset)
        if found is None and not self._thumbnails:
            return Failure(place, NO_ORIGINAL)
        try:
            with self._room.taking(asset.width * asset.height / 1e6):
                picture = images.decode(found[1] if found else thumbnail, place, self._max_megapixels)
                return _Row(asset, thumbnail, self._encoder.preprocess(picture))
        except ContactSheetError as error:
            return Failure(place, "cannot be decoded", str(error)[:200])

    def _commit(self, rows: Sequence[_Row]) -> None:
        size = self._encoder.batch_size
        batches = [rows[first : first + size] for first in range(0, len(rows), size)]
        vectors = [self._encoder.encode_pixels(np.stack([row.pixels for row in batch])) for batch in batches]
        if vectors:
            self._added += self._new.add(
                [row.asset for row in rows], [row.thumbnail for row in rows], np.concatenate(vectors)
            )

    def _tell(self) -> None:
        seconds = max(self._clock() - self._began, 1e-9)
        left = len(self._ids) - self._seen
        rate = self._seen / seconds
        self._listener(Progress("embed", self._seen, len(self._ids), rate, left / rate if rate else None))

    def _report(self) -> IngestReport:
        seconds = self._clock() - self._began
        rate = self._added / max(seconds, 1e-9)
        return IngestReport(self._new.name, self._added, self._known, tuple(self._failures), seconds, rate)
