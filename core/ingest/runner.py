"""Runs ingests of folders and of the demo collection: chooses the table, the model and what describes the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core.embedding.encoder_registry import EncoderRegistry
from core.embedding.hashes import file_checkpoint
from core.embedding.model_source import BUNDLED, model_checkpoint
from core.errors import ContactSheetError, ModelUnavailable, SidecarError
from core.ingest.ingest_input import IngestInput
from core.ingest.metadata.captions_table import read_captions
from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean
from core.ingest.pipeline import BatchListener, IngestBatch, IngestPipeline
from core.ingest.source_files import SourceRoot
from core.ingest.source_ingest import ScanRequest, SourceScan
from core.ingest.source_walk import walk_source
from core.ingest.sources import demo
from core.ingest.sources.folder import Walk, walk, walk_files
from core.logs import log
from core.records.jobs import Cancelled, IngestReport, Progress, ProgressListener, ignore
from core.records.sources import CollectionSource, ScanPreview
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock
from core.store.objects.names import check_collection_name, path_to_uri, uri_to_path
from core.store.sql.source_store import SourceStore


@dataclass(frozen=True)
class FolderOptions:
    """How a folder is read; what is None stays as it was when the folder was read before.

    `captions` is a table of descriptions, `label` the name to filter by, `exclude` patterns of what is passed over.
    `only` limits the run to these uris. With `checksum` every file is read, not only those whose size or time changed;
    with `accept_empty` files are missing even if none is left.
    """

    captions: Path | None = None
    label: str | None = None
    exclude: tuple[str, ...] | None = None
    only: Sequence[str] | None = None
    checksum: bool = False
    accept_empty: bool = False

    @property
    def is_about_source(self) -> bool:
        """Whether it says anything that is remembered of the folder."""
        return (self.captions, self.label, self.exclude) != (None, None, None)


class IngestRunner:
    """Runs ingests, each in the calling thread."""

    def __init__(
        self,
        collections: Collections,
        encoders: EncoderRegistry,
        sources: SourceStore,
        settings: Settings,
        on_batch: BatchListener = ignore,
    ) -> None:
        """`on_batch` is called with every batch that was committed, and with the error of a run that failed."""
        self._collections, self._encoders, self._sources = collections, encoders, sources
        self._settings, self._on_batch = settings, on_batch

    def ingest_folder(
        self, folder: Path, collection: str, options: FolderOptions, listener: ProgressListener
    ) -> IngestReport:
        """Bring a collection up to date with a folder; see App.ingest."""
        check_collection_name(collection)
        path = _existing(folder)
        source = self._source(collection, path, options)
        roots = self._roots(collection, path, source)
        found = walk_source(path, roots[0], roots, listener) if options.only is None else walk_files(options.only)
        if not found.files and collection not in self._collections.names():
            return _nothing_to_read(collection, found)
        listener(Progress("load model", 0, 0))
        table = self._table(collection, listener)
        request = ScanRequest(path, roots, options.only, options.checksum, options.accept_empty)
        with self._ingesting(table):
            scan = SourceScan(table, request, found)
            if scan.is_doubtful:
                return IngestReport(collection, 0, 0, found.failures, 0.0, 0.0, remarks=(scan.doubt(),))
            self._sources.put(collection, source)
            report = self._run(table, scan.input(), listener)
            self._compact(table, report, listener)
            report = scan.complete(report, scan.settle(self._sources))
            if options.only is None and uri_to_path(source.root) == path:
                self._sources.set_scanned(collection, source)
        return report

    def preview_folder(self, folder: Path, collection: str, options: FolderOptions) -> ScanPreview:
        """What `ingest_folder` would do to a collection that exists, without changing anything."""
        path, table = _existing(folder), self._collections.open(collection)
        source = self._source(collection, path, options)
        roots = self._roots(collection, path, source)
        request = ScanRequest(path, roots, None, options.checksum, options.accept_empty)
        with ingest_lock(table.folder):
            return SourceScan(table, request, walk_source(path, roots[0], roots)).preview()

    def _source(self, collection: str, path: Path, options: FolderOptions) -> CollectionSource:
        """The source that a folder belongs to: one that holds it, unless something new is said of the folder."""
        holding = [source for source in self._sources.list(collection) if path.is_relative_to(uri_to_path(source.root))]
        outer = max(holding, key=lambda source: len(source.root), default=None)
        if outer is not None and (uri_to_path(outer.root) == path or not options.is_about_source):
            return _changed(outer, options)
        uploaded = path == (self._settings.data / "uploads" / collection).resolve()
        label = os.fsencode(path.name).decode("utf-8", "replace")  # whatever bytes it has
        plain = CollectionSource(path_to_uri(path), clean(label, MAX_TITLE_LENGTH), "uploads" if uploaded else "folder")
        return _changed(plain, options)

    def _roots(self, collection: str, path: Path, source: CollectionSource) -> tuple[SourceRoot, ...]:
        """The sources by which the files below a path are described: its own, then those in it, then those around it.

        Their captions are read. Raises SidecarError.
        """
        others = [each for each in self._sources.list(collection) if each.root != source.root]
        inside = [each for each in others if uri_to_path(each.root).is_relative_to(path)]
        around = [each for each in others if path.is_relative_to(uri_to_path(each.root)) and each not in inside]
        return tuple(_root(each) for each in (source, *inside, *around))

    def build_demo(self, listener: ProgressListener, on_delete: Callable[[], None]) -> IngestReport | None:
        """Build the demo collection unless it is complete; `on_delete` is called after an outdated one was deleted."""
        expected = f"{model_checkpoint(BUNDLED)} {file_checkpoint(demo.MANIFEST)}"
        if self._collections.built_from(demo.NAME) == expected:
            return None
        listener(Progress("load model", 0, 0))
        self._delete_outdated_demo(on_delete)
        table = self._table(demo.NAME, listener, BUNDLED)
        root = SourceRoot(demo.PHOTOS, demo.NAME, read_captions(demo.MANIFEST))
        with ingest_lock(table.folder):
            scan = SourceScan(table, ScanRequest(demo.PHOTOS, (root,)), walk(demo.PHOTOS))
            report = self._run(table, scan.input(), listener)
            self._compact(table, report, listener)
            report = scan.complete(report, scan.settle(self._sources))
        self._collections.set_built_from(demo.NAME, expected)
        return report

    def open_or_create(self, collection: str, listener: ProgressListener) -> AssetTable:
        """The collection to add to, created if it is new. Raises CollectionError, ModelUnavailable."""
        check_collection_name(collection)
        listener(Progress("load model", 0, 0))
        return self._table(collection, listener)

    def ingest(self, table: AssetTable, source: IngestInput, listener: ProgressListener) -> IngestReport:
        """Add files to an open collection. Raises CollectionBusy if another ingest into it is running."""
        with self._ingesting(table):
            report = self._run(table, source, listener)
            self._compact(table, report, listener)
        return report

    @contextmanager
    def _ingesting(self, table: AssetTable) -> Iterator[None]:
        """Hold the ingest lock. Raises CollectionBusy, which leaves its trace in the event log too."""
        with ExitStack() as stack:
            try:
                stack.enter_context(ingest_lock(table.folder))
            except ContactSheetError as error:
                self._on_batch(IngestBatch(table.name, error=type(error).__name__))
                raise
            yield

    def _run(self, table: AssetTable, source: IngestInput, listener: ProgressListener) -> IngestReport:
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

    def _compact(self, table: AssetTable, report: IngestReport, listener: ProgressListener) -> None:
        seen = report.added + report.known + report.removed + len(report.failures)
        listener(Progress("compact", seen, seen))
        table.compact()  # even if nothing is new: the run before may have been interrupted here

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


def _existing(folder: Path) -> Path:
    """The real path of a folder or file. Raises ContactSheetError if there is none."""
    path = folder.expanduser()
    if not path.exists():
        raise ContactSheetError(f"{path} does not exist: check the path")
    return path.resolve()


def _changed(source: CollectionSource, options: FolderOptions) -> CollectionSource:
    captions = source.captions if options.captions is None else path_to_uri(options.captions.expanduser().absolute())
    label = source.label if options.label is None else clean(options.label, MAX_TITLE_LENGTH)
    exclude = source.exclude if options.exclude is None else options.exclude
    return replace(source, captions=captions, label=label, exclude=exclude)


def _root(source: CollectionSource) -> SourceRoot:
    captions = uri_to_path(source.captions) if source.captions else None
    if captions is not None and not captions.is_file():
        raise SidecarError(
            f"the captions {captions} of {source.root} are not there: put them back, or name others with --captions"
        )
    table = read_captions(captions) if captions else None
    if table is not None and not len(table):
        raise SidecarError(f"the captions {captions} describe no file: nothing was changed; check the table")
    return SourceRoot(uri_to_path(source.root), source.label, table, source.exclude)


def _nothing_to_read(collection: str, found: Walk) -> IngestReport:
    counts, line = found.passed_over.counts(), found.passed_over.line()
    remarks = (line,) if line else ()
    return IngestReport(collection, 0, 0, found.failures, 0.0, 0.0, passed_over=counts, remarks=remarks)
