"""Writes cluster names and keywords into XMP sidecars beside the originals, and undoes it. Originals are never touched.

Every run is recorded before its files are written: killed at any moment, it can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from core.access import Access, Action, Person
from core.errors import CollectionError, SidecarError
from core.ingest.sources import demo
from core.library.sidecar_planning import PlannedSidecar, SidecarPlanner
from core.library.sidecar_replacing import (
    content_hash,
    pack,
    read_sidecar,
    remove_draft,
    replace_sidecar,
    unpack,
)
from core.logs import log
from core.records.assets import Asset, Location
from core.records.cluster_members import ClusterMembers
from core.records.jobs import Progress, ProgressListener, ignore
from core.records.sidecars import (
    SidecarChange,
    SidecarOptions,
    SidecarReport,
    SidecarRun,
    UndoneSidecar,
    UndoOutcome,
    WrittenSidecar,
)
from core.store.lance.collections import Collections
from core.store.objects.locks import held_lock
from core.store.objects.names import path_to_uri, uri_to_path
from core.store.sql.sidecar_store import SidecarStore

_BATCH = 50  # files: what is recorded at once
Item = TypeVar("Item")


class SidecarService:
    """May be shared between threads and used by several processes. Every change asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        store: SidecarStore,
        members: Callable[[str, int | None], ClusterMembers],
        access: Access,
        roots: Sequence[Path],
        lock_file: Path,
    ) -> None:
        """`members` gives the clusters of a revision, by default the published one; only below `roots` do pages write.

        `lock_file` is held while files are written.
        """
        self._collections, self._store, self._members, self._access = collections, store, members, access
        self._roots, self._lock_file = [root.resolve() for root in roots], lock_file

    # -- writing --------------------------------------------------------------------------------------------

    def preview(self, person: Person, collection: str, options: SidecarOptions = SidecarOptions()) -> SidecarReport:
        """What `write` would do, without touching anything. Raises NotAllowed, ClusterError, CollectionError."""
        self._access.require(person, Action.WRITE_SIDECARS)
        members = self._members_to_write(collection, options)
        changes = [planned.change for planned in self._planned(person, collection, members, options)]
        return SidecarReport(collection, members.revision.id, None, tuple(changes))

    def write(
        self,
        person: Person,
        collection: str,
        options: SidecarOptions = SidecarOptions(),
        listener: ProgressListener = ignore,
    ) -> SidecarReport:
        """Add the confirmed names of a revision's clusters, and the pictures' own keywords, to their sidecars.

        A file that cannot be written is left out, and the report says why; the rest goes on. Raises NotAllowed,
        ClusterError, CollectionError, CollectionBusy while another run writes, StoreError.
        """
        self._access.require(person, Action.WRITE_SIDECARS)
        members = self._members_to_write(collection, options)
        with (
            self._access.acting(person, Action.WRITE_SIDECARS, collection, f"revision {members.revision.id}"),
            self._alone(),
        ):
            report = self._write(person, self._planned(person, collection, members, options), members, listener)
        files = sum(change.outcome in ("created", "updated") for change in report.changes)
        log("library", "sidecars written", collection=collection, files=files, by=person.author)
        return report

    def _members_to_write(self, collection: str, options: SidecarOptions) -> ClusterMembers:
        if collection == demo.NAME:
            raise CollectionError(
                "the demo's pictures ship with Contact Sheet: write beside those of other collections"
            )
        return self._members(collection, options.revision)

    def _write(
        self, person: Person, plans: Iterable[PlannedSidecar], members: ClusterMembers, listener: ProgressListener
    ) -> SidecarReport:
        run, collection = None, members.revision.collection
        changes, total = list[SidecarChange](), len(members.cluster_of)
        for batch in _batches(plans):
            files = [file for planned in batch if (file := _recorded(planned)) is not None]
            if files:
                run = run or self._store.begin(collection, members.revision.id, person.author)
                self._store.add(run, files)
            written = [_written(planned, run) for planned in batch]
            if run is not None:  # what was not written after all needs no undoing
                self._store.remove(run, [c.sidecar for c in written if c.outcome == "left out" and c.sidecar])
            changes += written
            listener(Progress("write sidecars", len(changes), max(total, len(changes))))
        return SidecarReport(collection, members.revision.id, run, tuple(changes))

    def _planned(
        self, person: Person, collection: str, members: ClusterMembers, options: SidecarOptions
    ) -> Iterator[PlannedSidecar]:
        """A plan for each place of each picture; a sidecar that two pictures share is planned for the first."""
        table, names = self._collections.open(collection), members.confirmed_names
        planner, taken = SidecarPlanner(None if person.is_operator else self._roots), set[Path | None]()
        chosen = {i: places for i, places in table.locations().items() if options.keywords or i in names}
        for batch in _batches(_by_folder(chosen)):
            assets = {asset.id: asset for asset, _ in table.assets([asset_id for asset_id, _ in batch])}
            for asset, place in ((assets[i], _place(assets[i], uri)) for i, uri in batch if i in assets):
                if names.get(asset.id) or (place.words or asset.about).keywords:
                    planned = planner.plan(asset, place, names.get(asset.id, ""))
                    yield _left_out_twice(planned) if planned.path in taken else planned
                    taken |= {planned.path} - {None}

    # -- undoing --------------------------------------------------------------------------------------------

    def runs(self, collection: str) -> list[SidecarRun]:
        """The runs that can be undone, the latest first."""
        return self._store.runs(collection)

    def undo(self, person: Person, collection: str, run: int) -> list[UndoneSidecar]:
        """Let sidecars hold what they held before a run, byte for byte, and delete those that it created.

        One that was changed since is left alone, and stays in the run, so that it can be tried again. Raises
        NotAllowed, ContactSheetError if there is no such run, CollectionBusy while another run writes, StoreError.
        """
        self._access.require(person, Action.UNDO_SIDECARS)
        self._store.run(collection, run)
        with self._access.acting(person, Action.UNDO_SIDECARS, collection, f"run {run}"), self._alone():
            roots = None if person.is_operator else self._roots
            undone = [_undone(file, run, roots) for file in reversed(self._store.files(run))]
            self._store.remove(run, [each.sidecar for each in undone if each.outcome != "left alone"])
        log("library", "sidecars undone", collection=collection, run=run, files=len(undone), by=person.author)
        return undone

    def _alone(self) -> AbstractContextManager[None]:
        return held_lock(self._lock_file, 0.0, "sidecars are being written already: wait until that is done")


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _by_folder(places: Mapping[str, Sequence[Location]]) -> list[tuple[str, str]]:
    """Asset ids and uris: folder by folder, the files of each by name."""
    found = [(asset_id, place.uri) for asset_id, own in places.items() for place in own]
    return sorted(found, key=lambda pair: pair[1].rpartition("/")[::2])


def _place(asset: Asset, uri: str) -> Location:
    return next((place for place in asset.locations if place.uri == uri), Location(uri, state="missing"))


def _left_out_twice(planned: PlannedSidecar) -> PlannedSidecar:
    """On some disks p.jpg and P.JPG are two pictures: their sidecar goes to the first."""
    reason = "its sidecar is that of another picture, too"
    return PlannedSidecar(replace(planned.change, outcome="left out", added=(), reason=reason))


def _recorded(planned: PlannedSidecar) -> WrittenSidecar | None:
    if planned.path is None or planned.after is None:
        return None
    uri, after = path_to_uri(planned.path), content_hash(planned.after)
    if planned.before is None:
        return WrittenSidecar(uri, None, "", after)
    return WrittenSidecar(uri, pack(planned.before, planned.after), content_hash(planned.before), after)


def _written(planned: PlannedSidecar, run: int | None) -> SidecarChange:
    if planned.path is None or planned.after is None:
        return planned.change
    try:
        replace_sidecar(planned.path, planned.before, planned.after, _draft(planned.path, run or 0))
    except SidecarError as error:
        return replace(planned.change, outcome="left out", added=(), reason=str(error))
    return planned.change


def _undone(file: WrittenSidecar, run: int, roots: Sequence[Path] | None) -> UndoneSidecar:
    try:
        return UndoneSidecar(file.uri, _undo(file, run, roots))
    except SidecarError as error:
        return UndoneSidecar(file.uri, "left alone", str(error))


def _undo(file: WrittenSidecar, run: int, roots: Sequence[Path] | None) -> UndoOutcome:
    """Raises SidecarError where the file has to be left alone."""
    path = uri_to_path(file.uri)
    if roots is not None and not any(path.resolve().is_relative_to(root) for root in roots):
        raise SidecarError("it is outside the folders of CONTACTSHEET_ROOTS")
    remove_draft(_draft(path, run))
    now = read_sidecar(path)
    if now is None and file.packed is None:
        return "unchanged"
    if now is None or content_hash(now) != file.after:
        if now is not None and content_hash(now) == file.before:
            return "unchanged"
        raise SidecarError("it was changed since" if now is not None else "it was deleted since")
    before = None if file.packed is None else unpack(file.packed, now)
    replace_sidecar(path, now, before, _draft(path, run))
    return "deleted" if before is None else "restored"


def _draft(path: Path, run: int) -> Path:
    """Where a run writes a sidecar before it gets its name; by the run, so that undoing it finds what a kill left."""
    return path.with_name(f".{path.name[:180]}.{run}.draft")
