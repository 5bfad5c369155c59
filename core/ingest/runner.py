"""Runs ingests of folders and of the demo collection: chooses the table and the model, and describes each file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from core.embedding.encoder_registry import EncoderRegistry
from core.embedding.hashes import file_checkpoint
from core.embedding.model_source import BUNDLED, model_checkpoint
from core.errors import ContactSheetError, ModelUnavailable
from core.ingest.ingest_input import Describe, IngestInput
from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean
from core.ingest.metadata.sidecar import Sidecar, read_sidecar
from core.ingest.pipeline import BatchListener, IngestBatch, IngestPipeline
from core.ingest.sources import demo
from core.ingest.sources.folder import files_by_uri, image_files
from core.logs import log
from core.records.descriptions import Description
from core.records.jobs import Cancelled, IngestReport, Progress, ProgressListener, ignore
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.objects.names import check_collection_name


class IngestRunner:
    """Runs ingests, each in the calling thread."""

    def __init__(
        self, collections: Collections, encoders: EncoderRegistry, settings: Settings, on_batch: BatchListener = ignore
    ) -> None:
        """`on_batch` is called with every batch that was committed, and with the error of a run that failed."""
        self._collections, self._encoders, self._settings = collections, encoders, settings
        self._on_batch = on_batch

    def ingest_folder(
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
        name = source or os.fsencode(folder.resolve().name).decode("utf-8", "replace")  # whatever bytes it has
        describe = _describe(folder, sidecar, clean(name, MAX_TITLE_LENGTH))
        files = image_files(folder) if only is None else files_by_uri(only)
        return self.ingest(table, IngestInput(files, describe), listener)

    def build_demo(self, listener: ProgressListener, on_delete: Callable[[], None]) -> IngestReport | None:
        """Build the demo collection unless it is complete; `on_delete` is called after an outdated one was deleted."""
        expected = f"{model_checkpoint(BUNDLED)} {file_checkpoint(demo.MANIFEST)}"
        if self._collections.built_from(demo.NAME) == expected:
            return None
        listener(Progress("load model", 0, 0))
        self._delete_outdated_demo(on_delete)
        table = self._table(demo.NAME, listener, BUNDLED)
        describe = _describe(demo.PHOTOS, read_sidecar(demo.MANIFEST), demo.NAME)
        report = self.ingest(table, IngestInput(demo.photographs(), describe), listener)
        self._collections.set_built_from(demo.NAME, expected)
        return report

    def open_or_create(self, collection: str, listener: ProgressListener) -> AssetTable:
        """The collection to add to, created if it is new. Raises CollectionError, ModelUnavailable."""
        check_collection_name(collection)
        listener(Progress("load model", 0, 0))
        return self._table(collection, listener)

    def ingest(self, table: AssetTable, source: IngestInput, listener: ProgressListener) -> IngestReport:
        """Add files to an open collection."""
        encoder = self._encoders.get(table.model.name)
        pipeline = IngestPipeline(table, encoder, self._settings.max_megapixels, listener, self._on_batch)
        try:
            report = pipeline.run(source)
        except Cancelled:
            raise
        except ContactSheetError as error:
            self._on_batch(IngestBatch(table.name, error=type(error).__name__))
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
            name = model or (BUNDLED if collection == demo.NAME else self._encoders.model_for_new_collections)
            return self._collections.open_or_create(collection, self._encoders.get(name, listener).card)
        table = self._collections.open(collection)
        card = self._encoders.get(table.model.name, listener).card
        if card != table.model:
            raise ModelUnavailable(
                f"collection {collection} was embedded with {table.model.name} ({table.model.checkpoint[:19]}), which "
                f"now is {card.checkpoint[:19]}: ingest into a new collection"
            )
        return table

    def _delete_outdated_demo(self, on_delete: Callable[[], None]) -> None:
        if demo.NAME not in self._collections.names():
            return
        if self._collections.open(demo.NAME).model.checkpoint != model_checkpoint(BUNDLED):
            self._collections.delete(demo.NAME)
            on_delete()


def _describe(folder: Path, sidecar: Sidecar, source: str) -> Describe:
    root = folder if folder.is_dir() else folder.parent

    def describe(path: Path) -> tuple[Description, str]:
        row = sidecar.find(path.relative_to(root).as_posix())
        return (row.about, row.source or source) if row else (Description(), source)

    return describe
