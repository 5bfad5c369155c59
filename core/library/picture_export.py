"""Exports pictures for others: those of a selection or of clusters, as a ZIP file or in folders, with a list of them.

Copies have no coordinates in them unless that is asked for: the pixels and all other metadata stay as they are.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from core.access import Access, Action, Person
from core.errors import ClusterError, ContactSheetError, NotAllowed
from core.ingest.metadata.location_removal import without_location
from core.library.export_manifest import NAME, Manifest
from core.library.export_names import UniqueNames, safe_name
from core.library.export_targets import ExportTarget, FolderTarget, new_zip
from core.library.originals import file_size, open_original
from core.logs import log
from core.records.assets import Asset, file_name
from core.records.cluster_members import ClusterMembers
from core.records.clusterings import ClusterRecord
from core.records.exports import ExportedPicture, ExportOptions, ExportReport, PictureSelection
from core.records.jobs import Progress, ProgressListener, ignore
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.objects.names import uri_to_path
from core.store.sql.source_store import SourceStore
from core.text import counted, format_bytes

# What a page may send: it is kept in memory on its way to the browser.
MAX_PAGE_PICTURES, MAX_PAGE_BYTES = 2_000, 500_000_000
_BATCH, _KEPT_S = 50, 24 * 3600
_OR_COMMAND = "or use python -m core export-pictures"
_NOT_REMOVABLE = "its format may hold coordinates that cannot be removed"


class PictureExportService:
    """May be shared between threads and used by several processes. Every export asks `access` first."""

    def __init__(
        self,
        collections: Collections,
        sources: SourceStore,
        members: Callable[[str, int | None], ClusterMembers],
        access: Access,
        folder: Path,
        max_megapixels: float,
        share_location: bool,
    ) -> None:
        """`folder` keeps the ZIP files of pages for a day; `share_location` is the setting for them."""
        self._collections, self._sources, self._members, self._access = collections, sources, members, access
        self._folder, self._max_megapixels, self._share_location = folder, max_megapixels, share_location

    def zip(
        self, person: Person, collection: str, asset_ids: Sequence[str], listener: ProgressListener = ignore
    ) -> tuple[Path, ExportReport]:
        """A new ZIP file of pictures, for a page to send: its path and what became of each. Kept for a day.

        Raises NotAllowed, ContactSheetError for none, too many or too large ones, StoreError.
        """
        self._access.require(person, Action.EXPORT_PICTURES)
        self._require_small(collection, asset_ids)
        target = self._folder / f"{collection}-{uuid.uuid4().hex}.zip"
        options = ExportOptions(thumbnails=True, location=self._share_location)
        with self._acting(person, collection, PictureSelection(tuple(asset_ids))):
            self._remove_old()
            report = self._to_zip(collection, target, PictureSelection(tuple(asset_ids)), options, listener)
        return target, report

    def export(
        self,
        person: Person,
        collection: str,
        target: Path,
        selection: PictureSelection = PictureSelection(),
        options: ExportOptions = ExportOptions(),
        listener: ProgressListener = ignore,
    ) -> ExportReport:
        """Export pictures into a ZIP file, if `target` is called `….zip`, or a folder with one for each cluster.

        A picture that cannot be exported is left out, and the report says why. Raises NotAllowed from a page,
        ContactSheetError if the target lies in a source (what is exported would be added), ClusterError, StoreError.
        """
        self._access.require(person, Action.EXPORT_PICTURES)
        if not person.is_operator:
            raise NotAllowed("only the command line exports into folders of the server: download a ZIP file instead")
        target = target.expanduser().resolve()
        self._require_outside_sources(target)
        with self._acting(person, collection, selection):
            if target.suffix.lower() == ".zip":
                return self._to_zip(collection, target, selection, options, listener)
            if target.exists() and not target.is_dir():
                raise ContactSheetError(f"{target} is a file: name a folder, or a file that ends in .zip")
            return self._export(collection, FolderTarget(target, options.link), target, selection, options, listener)

    @contextmanager
    def _acting(self, person: Person, collection: str, selection: PictureSelection) -> Iterator[None]:
        chosen = counted(len(selection.asset_ids), "picture")
        about = chosen if selection.asset_ids else counted(len(selection.clusters), "cluster")
        everything = not (selection.asset_ids or selection.clusters)
        with self._access.acting(person, Action.EXPORT_PICTURES, collection, "all clusters" if everything else about):
            yield
        log("library", "pictures exported", collection=collection, by=person.author)

    def _to_zip(
        self,
        collection: str,
        target: Path,
        selection: PictureSelection,
        options: ExportOptions,
        listener: ProgressListener,
    ) -> ExportReport:
        with new_zip(target) as archive:
            return self._export(collection, archive, target, selection, options, listener)

    def _export(
        self,
        collection: str,
        target: ExportTarget,
        place: Path,
        selection: PictureSelection,
        options: ExportOptions,
        listener: ProgressListener,
    ) -> ExportReport:
        table = self._collections.open(collection)
        cluster_of = self._chosen(collection, selection)
        folders = _Folders() if not selection.asset_ids else None
        if folders is not None and isinstance(target, FolderTarget):
            for cluster in cluster_of.values():
                self._require_outside_sources((place / folders.of(cluster)).resolve())
        writer, manifest = _PictureWriter(target, options, self._max_megapixels), Manifest(options.location)
        pictures = list[ExportedPicture]()
        for asset, thumbnail in _assets(table, list(cluster_of)):
            cluster = cluster_of[asset.id]
            folder = folders.of(cluster) if folders is not None else ""
            picture = writer.write(asset, thumbnail, folder)
            manifest.add(asset, cluster.name if cluster else "", picture)
            pictures.append(picture)
            listener(Progress("export", len(pictures), len(cluster_of)))
        name, _ = target.put(NAME, io.BytesIO(manifest.content), time.time(), None)
        return ExportReport(collection, str(place), name, tuple(pictures))

    def _chosen(self, collection: str, selection: PictureSelection) -> dict[str, ClusterRecord | None]:
        """The pictures to export, each with its cluster, those of a cluster together."""
        if selection.asset_ids:
            try:
                members = self._members(collection, selection.revision).cluster_of
            except ClusterError:
                if selection.revision is not None:
                    raise
                members = {}  # nothing is published: pictures have no clusters
            return {asset_id: members.get(asset_id) for asset_id in dict.fromkeys(selection.asset_ids)}
        return dict(self._of_clusters(collection, selection))

    def _of_clusters(self, collection: str, selection: PictureSelection) -> list[tuple[str, ClusterRecord]]:
        """Pictures with their clusters, by the clusters' names."""
        cluster_of = self._members(collection, selection.revision).cluster_of
        clusters = {cluster.id: cluster for cluster in cluster_of.values()}
        chosen = {c.id for text in selection.clusters for c in _named(text, clusters, collection)} or set(clusters)
        found = [(asset_id, cluster) for asset_id, cluster in cluster_of.items() if cluster.id in chosen]
        return sorted(found, key=lambda pair: (pair[1].name.casefold(), pair[1].id, pair[0]))

    def _require_outside_sources(self, target: Path) -> None:
        """Raise ContactSheetError if a scan of any collection would find what is written to `target`."""
        for collection in self._collections.names():
            for source in self._sources.list(collection):
                root = uri_to_path(source.root)
                if source.kind == "folder" and target.is_relative_to(root):
                    raise ContactSheetError(
                        f"{target} lies in {root}, a source of {collection}, which would add the copies:"
                        " choose a folder outside"
                    )

    def _require_small(self, collection: str, asset_ids: Sequence[str]) -> None:
        chosen = counted(len(asset_ids), "picture")
        if not 0 < len(asset_ids) <= MAX_PAGE_PICTURES:
            raise ContactSheetError(f"{chosen} chosen: choose 1 to {MAX_PAGE_PICTURES:,}, {_OR_COMMAND}")
        total = sum(file_size(asset) or 0 for asset, _ in _assets(self._collections.open(collection), asset_ids))
        if total > MAX_PAGE_BYTES:
            limit = format_bytes(MAX_PAGE_BYTES)
            raise ContactSheetError(f"{chosen} take {format_bytes(total)}: choose up to {limit}, {_OR_COMMAND}")

    def _remove_old(self) -> None:
        """Delete the ZIP files of pages that are older than a day."""
        for path in self._folder.glob("*.zip") if self._folder.is_dir() else ():
            if path.stat().st_mtime < time.time() - _KEPT_S:
                path.unlink(missing_ok=True)


def _named(text: str, clusters: dict[str, ClusterRecord], collection: str) -> list[ClusterRecord]:
    """The cluster of this id, else those of this name, whatever its case. Raises ClusterError."""
    if text in clusters:
        return [clusters[text]]
    found = [cluster for cluster in clusters.values() if cluster.name.casefold() == text.strip().casefold()]
    if not found:
        raise ClusterError(f"{text!r} is no cluster of {collection}: give the id or the name of one that has pictures")
    return found


def _assets(table: AssetTable, asset_ids: Sequence[str]) -> Iterator[tuple[Asset, bytes]]:
    for start in range(0, len(asset_ids), _BATCH):
        yield from table.assets(asset_ids[start : start + _BATCH])


class _Folders:
    """A folder for each cluster, by its name."""

    def __init__(self) -> None:
        self._names, self._folders = UniqueNames(), dict[str, str]()

    def of(self, cluster: ClusterRecord | None) -> str:
        if cluster is None:
            return ""
        if cluster.id not in self._folders:
            self._folders[cluster.id] = self._names.take("", safe_name(cluster.name, cluster.id))
        return self._folders[cluster.id]


class _PictureWriter:
    """Writes pictures to a target, each under a name of its own."""

    def __init__(self, target: ExportTarget, options: ExportOptions, max_megapixels: float) -> None:
        self._target, self._options, self._max_megapixels = target, options, max_megapixels
        self._names = UniqueNames()
        self._names.take("", NAME)

    def write(self, asset: Asset, thumbnail: bytes, folder: str) -> ExportedPicture:
        found = open_original(asset, self._max_megapixels)
        if found is None:
            return self._without_original(asset, thumbnail, folder)
        path, file = found
        with file:
            modified = path.stat().st_mtime
            content = self._shared(path, file)
            if content is None:
                return ExportedPicture(asset.id, "left out", reason=_NOT_REMOVABLE)
            name = self._name(path.name, asset, folder)
            written, outcome = self._target.put(name, content, modified, path if content is file else None)
        cleared = content is not file and self._options.link
        return ExportedPicture(asset.id, outcome, written, "a copy, without coordinates" if cleared else "")

    def _shared(self, path: Path, file: BinaryIO) -> BinaryIO | None:
        if self._options.location:
            return file
        data = file.read()
        file.seek(0)
        cleared = without_location(data, path.name)
        return file if cleared is data else io.BytesIO(cleared) if cleared is not None else None

    def _without_original(self, asset: Asset, thumbnail: bytes, folder: str) -> ExportedPicture:
        reason = "its original is missing or was changed"
        if not self._options.thumbnails:
            return ExportedPicture(asset.id, "left out", reason=reason)
        name = self._name(f"{Path(_file_name(asset)).stem} (thumbnail).jpg", asset, folder)
        written, outcome = self._target.put(name, io.BytesIO(thumbnail), asset.ingested_at.timestamp(), None)
        return ExportedPicture(asset.id, "thumbnail" if outcome == "exported" else outcome, written, reason)

    def _name(self, name: str, asset: Asset, folder: str) -> str:
        unique = self._names.take(folder, safe_name(name, asset.id[:12]))
        return f"{folder}/{unique}" if folder else unique


def _file_name(asset: Asset) -> str:
    return file_name(asset.uris[0]) if asset.uris else asset.id[:12]
