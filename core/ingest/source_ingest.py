"""Brings a collection up to date with a source: what is new is added, what changed replaced, what is gone marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from core.embedding.hashes import file_id
from core.ingest.ingest_input import IngestInput
from core.ingest.settling import Settlement, settle
from core.ingest.source_files import SourceFiles, SourceRoot
from core.ingest.source_scan import ScannedFile, ScanPlan, known_below, plan_scan
from core.ingest.sources.folder import Walk
from core.ingest.sources.passed_over import PassedOver, lacks_reader
from core.records.assets import shown_path
from core.records.captions import captions_lines
from core.records.jobs import IngestReport
from core.records.sources import ScanPreview
from core.store.lance.table import EXCLUDED, RETIRED, AssetTable
from core.store.objects.names import path_to_uri, uri_to_path
from core.store.sql.source_store import SourceStore
from core.text import counted


@dataclass(frozen=True)
class ScanRequest:
    """What to read: all below `path`, or `only` these uris.

    `roots` are the sources of the collection, by which files are described. With `checksum` every file is read, not
    only those whose size or time changed; with `accept_empty` files are missing even if none is left.
    """

    path: Path
    roots: tuple[SourceRoot, ...]
    only: Sequence[str] | None = None
    checksum: bool = False
    accept_empty: bool = False


class SourceScan:
    """What lies at a place now, compared with what a collection knows of it. The caller holds the ingest lock."""

    def __init__(self, table: AssetTable, request: ScanRequest, walk: Walk) -> None:
        self._table, self._request, self.walk = table, request, walk
        self.files = SourceFiles(request.roots, self.walk.files)
        self._read, self._returned = dict[str, str](), list[str]()

    @cached_property
    def plan(self) -> ScanPlan:
        """Which files are new, changed, as they were, or gone."""
        locations, only = self._table.locations(), self._request.only
        known = known_below(path_to_uri(self._request.path), locations)
        unreadable = [path_to_uri(path) for path in self.walk.unreadable_folders]
        plan = plan_scan(self.files.scanned, known, unreadable, self._request.checksum or only is not None)
        if only is not None:
            return replace(plan, gone=(), unreachable=())
        there = {uri: self.files.is_excluded(uri_to_path(uri)) for uri in plan.gone if uri_to_path(uri).is_file()}
        return replace(
            plan,
            gone=tuple(uri for uri in plan.gone if uri not in there),
            unreachable=(*plan.unreachable, *(uri for uri, excluded in there.items() if not excluded)),
            excluded=tuple(uri for uri, excluded in there.items() if excluded),
        )

    @cached_property
    def is_doubtful(self) -> bool:
        """Whether nothing that was known is at this place any more, nor was moved within it: perhaps a disk is away."""
        if self._request.accept_empty or not self.plan.is_doubtful:
            return False
        self._read_moved()
        return not self._settlement().moved

    def input(self) -> IngestInput:
        """The files that have to be read."""
        paths = [file.path for file in self.plan.files.values()]
        return IngestInput(
            [*self.walk.failures, *paths],
            self.files.describe,
            path_to_uri,
            before=self.plan.before,
            on_read=self._take,
            on_return=self._returned.append,
        )

    def _take(self, uri: str, asset_id: str) -> None:
        if uri in self.plan.changed or asset_id in self._gone_ids:
            self._read[uri] = asset_id

    @cached_property
    def _gone_ids(self) -> frozenset[str]:
        return frozenset(asset_id for uri in self.plan.gone for asset_id in self.plan.known[uri])

    def settle(self, sources: SourceStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Settlement:
        """Once the files were read: retire what was replaced, follow what moved, mark what is missing."""
        settlement = self._settlement()
        sources.set_returned(self._table.name, self._returned)
        recorded = sources.successors(self._table.name).by_id
        settled_before = {i for i in self._replaced_before if i in recorded}
        new = {old: new for old, new in settlement.successors.items() if old not in settled_before}
        sources.add_successors(self._table.name, new)
        self._table.edit(settlement.changes, settlement.apply)
        for asset_ids, removed_by in ((settlement.successors, RETIRED), (settlement.excluded, EXCLUDED)):
            if asset_ids:
                self._table.remove(list(asset_ids), removed_by, now())
        return settlement

    @cached_property
    def _replaced_before(self) -> frozenset[str]:
        """The pictures that a scan which was killed marked as replaced: what took their place is known."""
        known = (item for pictures in self.plan.known.values() for item in pictures.items())
        return frozenset(asset_id for asset_id, place in known if place.state == "replaced")

    def _settlement(self) -> Settlement:
        return settle(
            self.plan,
            self._read,
            self._table.locations(),
            lambda place: uri_to_path(place.uri).is_file(),
            lambda uri: self.files.lacks_row(uri_to_path(uri)),
        )

    def complete(self, report: IngestReport, settlement: Settlement) -> IngestReport:
        """The report of a run, with all that was not read or changed besides."""
        passed_over = self.walk.passed_over.including(report.failures)
        return replace(
            report,
            failures=tuple(failure for failure in report.failures if not lacks_reader(failure)),
            known=report.known + len(self.plan.unchanged),
            replaced=len(settlement.successors),
            moved=len(settlement.moved),
            missing=len(settlement.missing),
            passed_over=passed_over.counts(),
            notes=(*report.notes, *self.files.notes),
            remarks=(*report.remarks, *self._remarks(settlement, passed_over)),
        )

    def _remarks(self, settlement: Settlement, passed_over: PassedOver) -> list[str]:
        tables = [root.captions for root in self._request.roots if root.captions is not None]
        remarks = [line for captions in tables for line in captions_lines(captions.report)]
        remarks += filter(None, [passed_over.line()])
        if settlement.described:
            moved = counted(len(settlement.described), "moved picture")
            remarks.append(f"captions: no row names {moved} any more; what the rows said is kept: write the new paths")
        if settlement.excluded:
            excluded = counted(len(settlement.excluded), "picture")
            remarks.append(f"{excluded} excluded now, moved to the bin: without the pattern they come back")
        if self.plan.unreachable:
            unread = counted(len(self.plan.unreachable), "picture")
            remarks.append(f"{unread} that cannot be reached stay as they are")
        return remarks

    def doubt(self) -> str:
        """What to say where nothing that was known is there."""
        known, place = counted(len(self.plan.gone), "picture"), shown_path(path_to_uri(self._request.path))
        return f"none of the {known} known in {place} is there: is its disk mounted? Nothing was changed"

    def _read_moved(self) -> None:
        """Read what may be files that are gone: new ones of the same size."""
        plan = self.plan
        sizes = {place.size for uri in plan.gone for place in plan.known[uri].values()}
        for uri, file in plan.new.items():
            if file.size in sizes:
                self._hash(uri, file)

    def _hash(self, uri: str, file: ScannedFile) -> None:
        if (asset_id := file_id(file.path)) is not None:
            self._take(uri, asset_id)

    def preview(self) -> ScanPreview:
        """What bringing the collection up to date would do. Reads files of the sizes of those that are gone."""
        plan = self.plan
        if self.is_doubtful:
            return ScanPreview(path_to_uri(self._request.path), remarks=(self.doubt(),))
        self._read_moved()
        for uri, file in plan.changed.items():
            self._hash(uri, file)
        settlement = self._settlement()
        moved = set(settlement.moved.values())
        replaced = tuple(uri for uri in plan.changed if self._read.get(uri) not in (None, *plan.known[uri]))
        return ScanPreview(
            root=path_to_uri(self._request.path),
            new=tuple(uri for uri in plan.new if uri not in moved),
            changed=replaced,
            refreshed=tuple(uri for uri in plan.changed if uri not in set(replaced)),
            moved=tuple(settlement.moved.items()),
            missing=settlement.missing,
            unchanged=len(plan.unchanged),
            passed_over=self.walk.passed_over.counts(),
            failures=self.walk.failures,
            remarks=tuple(self._remarks(settlement, self.walk.passed_over)),
        )
