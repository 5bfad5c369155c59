"""Ingests from a folder and of the demo collection: which table, which model, what is said of each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from core.embedding.encoder_registry import Encoders
from core.embedding.hashes import file_checkpoint
from core.embedding.model_source import BUNDLED, checkpoint_of
from core.errors import ContactSheetError, ModelUnavailable
from core.ingest.metadata.cleaning import TITLE_LENGTH, clean
from core.ingest.metadata.sidecar import Sidecar, read_sidecar
from core.ingest.pipeline import Batch, BatchListener, Ingest, Lookup, PlaceOf, place_on_disk
from core.ingest.sources import demo
from core.ingest.sources.folder import image_files, only_files
from core.logs import log
from core.records.assets import Description
from core.records.jobs import Cancelled, Failure, IngestReport, Progress, ProgressListener, ignore
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.objects.names import check_collection_name


class IngestRunner:
    """Runs ingests, each in the thread that asks for it."""

    def __init__(
        self, collections: Collections, encoders: Encoders, settings: Settings, on_batch: BatchListener = ignore
    ) -> None:
        """`on_batch` hears of every batch that was committed, and of a run that could not go on."""
        self._collections, self._encoders, self._settings = collections, encoders, settings
        self._on_batch = on_batch

    def folder(
        self,
        folder: Path,
        collection: str,
        captions: Path | None,
        source: str | None,
        listener: ProgressListener,
        only: Sequence[str] | None,
    ) -> IngestReport:
        """Add the images below a folder; see App.ingest."""
        check_collection_name(collection)
        folder = folder.expanduser()
        if not folder.exists():
            raise ContactSheetError(f"{folder} does not exist: check the path")
        sidecar = read_sidecar(captions) if captions else Sidecar({})
        listener(Progress("load model", 0, 0))
        table = self._table(collection, listener)
        lookup = _lookup(folder, sidecar, clean(source or folder.resolve().name, TITLE_LENGTH))
        return self._run(table, lookup, image_files(folder) if only is None else only_files(only), listener)

    def demo(self, listener: ProgressListener, forget: Callable[[], None]) -> IngestReport | None:
        """Build the demo collection unless it is complete; `forget` is called before an outdated one is removed."""
        wanted = f"{checkpoint_of(BUNDLED)} {file_checkpoint(demo.MANIFEST)}"
        if self._collections.built_from(demo.NAME) == wanted:
            return None
        listener(Progress("load model", 0, 0))
        self._remove_outdated_demo(forget)
        table = self._table(demo.NAME, listener, BUNDLED)
        lookup = _lookup(demo.PHOTOS, read_sidecar(demo.MANIFEST), demo.NAME)
        report = self._run(table, lookup, demo.photographs(), listener)
        self._collections.mark(demo.NAME, wanted)
        return report

    def open(self, collection: str, listener: ProgressListener) -> AssetTable:
        """The collection to add to, made now if it is new. Raises CollectionError, ModelUnavailable."""
        check_collection_name(collection)
        listener(Progress("load model", 0, 0))
        return self._table(collection, listener)

    def arriving(
        self,
        table: AssetTable,
        files: Iterable[Path | Failure],
        coming: int,
        lookup: Lookup,
        place: PlaceOf,
        listener: ProgressListener,
    ) -> IngestReport:
        """Add files that come one by one, so many, known by what `place` says and not by where they lie for now."""
        return self._run(table, lookup, files, listener, place, coming)

    def _run(
        self,
        table: AssetTable,
        lookup: Lookup,
        files: Iterable[Path | Failure],
        listener: ProgressListener,
        place: PlaceOf = place_on_disk,
        coming: int | None = None,
    ) -> IngestReport:
        encoder = self._encoders.named(table.model.name)
        megapixels = self._settings.max_megapixels
        ingest = Ingest(table, encoder, lookup, listener, megapixels, place, on_batch=self._on_batch)
        try:
            report = ingest.run(files, coming)
        except Cancelled:
            raise
        except ContactSheetError as error:
            self._on_batch(Batch(table.name, error=type(error).__name__))
            raise
        log(
            "ingest",
            "ingest ended",
            collection=table.name,
            added=report.added,
            known=report.known,
            failed=len(report.failures),
            seconds=round(report.seconds, 1),
        )
        return report

    def _table(self, collection: str, listener: ProgressListener, model: str | None = None) -> AssetTable:
        if collection not in self._collections.names():
            name = model or (BUNDLED if collection == demo.NAME else self._encoders.for_new_collections)
            return self._collections.open_or_create(collection, self._encoders.named(name, listener).card)
        table = self._collections.open(collection)
        card = self._encoders.named(table.model.name, listener).card
        if card != table.model:
            raise ModelUnavailable(
                f"collection {collection} was embedded with {table.model.name} ({table.model.checkpoint[:19]}), which "
                f"now is {card.checkpoint[:19]}: ingest into a new collection"
            )
        return table

    def _remove_outdated_demo(self, forget: Callable[[], None]) -> None:
        if demo.NAME not in self._collections.names():
            return
        if self._collections.open(demo.NAME).model.checkpoint != checkpoint_of(BUNDLED):
            self._collections.remove(demo.NAME)
            forget()


def _lookup(folder: Path, sidecar: Sidecar, source: str) -> Lookup:
    root = folder if folder.is_dir() else folder.parent

    def lookup(path: Path) -> tuple[Description, str]:
        row = sidecar.of(path.relative_to(root).as_posix())
        return (row.about, row.source or source) if row else (Description(), source)

    return lookup
