"""The assets of one collection: reading, adding, removing, compacting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import CollectionBusy, CollectionError
from core.records.assets import Asset, Location, ModelCard
from core.records.jobs import ignore
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.lance import schema
from core.store.lance.bin import Bin, RemovedAsset, ids_filter
from core.store.lance.checksums import checksums, with_checksums
from core.store.lance.snapshot import COLUMNS, Snapshot, read_snapshot
from core.store.lance.table_check import DamagedPart, TableCheck
from core.store.lance.text_columns import COLUMNS as TEXT_COLUMNS
from core.store.lance.text_columns import TextColumns, read_text_columns
from core.store.objects.locks import write_lock

# Compaction keeps versions younger than this, so that no reader loses the files it is reading.
VERSION_RETENTION = timedelta(hours=1)
# Files that LanceDB is writing have such names; it never cleans up those of a killed process.
TEMPORARY_FILES = ".tmp*"
# Rows per batch of a full read.
READ_BATCH_SIZE = 8_192
# Rows of an older version that get their checksums whenever a collection is compacted: each is written anew.
SEALED_WITH_COMPACTION, SEAL_ALL = 20_000, 1 << 31
# Rows per batch moved between a collection and its bin: their thumbnails are in memory.
MOVE_BATCH_SIZE = 2_000
# Whom a bin names for pictures that nobody wanted to be rid of: they come back when a file holds them again.
RETIRED, EXCLUDED = "a changed file", "an exclude pattern"
WITH_SOURCE, WITH_FILE = " (with their folder)", " (with its file)"
METADATA_CHECKSUM = schema.checksum_column("metadata")


class AssetTable:
    """Assets, thumbnails and vectors of one collection. Reads see the latest committed state.

    Every method raises StoreError if the disk or LanceDB fail; what was committed before stays.
    """

    def __init__(self, name: str, model: ModelCard, table: Any, folder: Path) -> None:
        self.name, self.model, self.folder, self._table = name, model, folder, table
        self._inode = folder.stat().st_ino
        self.bin = Bin(folder, str(table.name))

    def count(self) -> int:
        """The number of assets."""
        with wrap_read_errors(self.folder):
            return int(self._latest().count_rows())

    def change_token(self) -> int:
        """A number that changes with every commit; equal tokens mean equal content."""
        with wrap_read_errors(self.folder):
            return int(self._latest().version)

    def snapshot(self) -> Snapshot:
        """All vectors and filter columns, read at one version."""
        with wrap_read_errors(self.folder):
            table = self._latest()
            batches = table.search().select(COLUMNS).to_batches(READ_BATCH_SIZE)
            return read_snapshot(batches, table.count_rows(), self.model)

    def texts(self) -> TextColumns:
        """What is written about every asset, read at one version."""
        with wrap_read_errors(self.folder):
            return read_text_columns(self._latest().search().select(TEXT_COLUMNS).to_batches(READ_BATCH_SIZE))

    def assets(self, ids: Sequence[str]) -> list[tuple[Asset, bytes]]:
        """The assets with these ids and their thumbnails (JPEG), in that order; unknown ids are left out."""
        rows = {row["id"]: row for row in self._rows(ids, [*schema.ASSET_COLUMNS, "thumbnail"])}
        return [(schema.to_asset(rows[i]), rows[i]["thumbnail"]) for i in ids if i in rows]

    def thumbnail(self, asset_id: str) -> bytes | None:
        """The thumbnail (JPEG) of one asset; None if the collection does not hold it."""
        rows = self._rows([asset_id], ["id", "thumbnail"])
        return rows[0]["thumbnail"] if rows else None

    def metadata(self, asset_id: str) -> Asset | None:
        """One asset without its thumbnail; None if the collection does not hold it."""
        rows = self._rows([asset_id], schema.ASSET_COLUMNS)
        return schema.to_asset(rows[0]) if rows else None

    def vector(self, asset_id: str) -> NDArray[np.float32] | None:
        """The vector (d,) of one asset; None if the collection does not hold it."""
        rows = self._rows([asset_id], ["id", "vector"])
        return np.array(rows[0]["vector"], np.float32) if rows else None

    def was_written_as(self, asset: Asset) -> bool:
        """Whether the metadata of an asset is what was written for it, by its checksum."""
        rows = self._rows([asset.id], ["id", METADATA_CHECKSUM])
        now = schema.metadata_table([asset])
        return bool(rows) and rows[0][METADATA_CHECKSUM] == int(checksums(now, "metadata")[0])

    def ids(self) -> set[bytes]:
        """The ids of all assets as 32 raw bytes each: a million of them fit in memory."""
        with wrap_read_errors(self.folder):
            column = self._latest().search().select(["id"]).to_arrow()["id"]
            return {bytes.fromhex(i) for i in column.to_pylist()}

    def uris(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The uris of each of these assets; unknown ids are left out."""
        return {row["id"]: tuple(row["uris"] or ()) for row in self._rows(ids, ["id", "uris"])}

    def locations(self) -> dict[str, tuple[Location, ...]]:
        """The locations of every asset, without words, read at one version."""
        with wrap_read_errors(self.folder):
            rows = self._latest().search().select(["id", "uris", "source", "locations"]).to_arrow()
        columns = (rows[name].to_pylist() for name in ("id", "uris", "locations", "source"))
        return {
            asset_id: schema.to_locations(uris, locations, source, with_words=False)
            for asset_id, uris, locations, source in zip(*columns, strict=True)
        }

    def assets_with_several_uris(self) -> dict[str, tuple[str, ...]]:
        """The locations of every asset that was found at more than one."""
        with wrap_read_errors(self.folder):
            rows = self._latest().search().select(["id", "uris"]).to_arrow()
        pairs = zip(rows["id"].to_pylist(), rows["uris"].to_pylist(), strict=True)
        return {asset_id: tuple(uris) for asset_id, uris in pairs if len(uris or ()) > 1}

    def add(self, assets: Sequence[Asset], thumbnails: Sequence[bytes], vectors: NDArray[np.float32]) -> int:
        """Add assets in one commit; an id that exists already, or is given twice, keeps its first row.

        Returns how many were new. `vectors` is (n, d) float32 of unit length. Raises CollectionError for a wrong shape
        or length and CollectionBusy if another process keeps writing.
        """
        self._check(vectors, len(assets))
        first = list({asset.id: row for row, asset in reversed(list(enumerate(assets)))}.values())[::-1]
        rows = with_checksums(schema.to_table(assets, thumbnails, vectors).take(first))
        with write_lock(self.folder), wrap_write_errors(self.folder):
            result = self._latest().merge_insert("id").when_not_matched_insert_all().execute(rows)
        return int(result.num_inserted_rows)

    def edit(self, ids: Iterable[str], change: Callable[[Asset], Asset]) -> int:
        """Change the metadata of assets: one commit per batch; returns how many differ. Raises CollectionBusy.

        `change` must be a pure function. Vectors and thumbnails are not touched; unknown ids are left out.
        """
        with write_lock(self.folder), wrap_write_errors(self.folder):
            self._latest()
            return sum(self._edit(chunk, change) for chunk in _chunks(list(dict.fromkeys(ids))))

    def _edit(self, ids: Sequence[str], change: Callable[[Asset], Asset]) -> int:
        before = self._query(ids, [*schema.ASSET_COLUMNS, METADATA_CHECKSUM]).to_arrow()
        pairs = [(row, asset, change(asset)) for row, asset in enumerate(map(schema.to_asset, before.to_pylist()))]
        changed = [(row, wanted) for row, asset, wanted in pairs if wanted != asset]
        if changed:
            rows = schema.metadata_table(wanted for _, wanted in changed)
            rows = _resealed(before.take([row for row, _ in changed]), rows)
            self._table.merge_insert("id").when_matched_update_all().execute(rows)
        return len(changed)

    def add_locations(self, found: Mapping[str, Iterable[Location]]) -> int:
        """Add locations to assets, or write those with the same uris anew, and what is written there with them.

        Returns how many assets differ from before.
        """
        return self.edit(found, lambda asset: asset.at(_joined(asset, found[asset.id])))

    def move_uris(self, moved: Mapping[str, str]) -> None:
        """Replace locations, old by new, wherever they occur."""
        if moved:
            self.edit(sorted(raw.hex() for raw in self.ids()), partial(_moved, moved))

    def fragments_and_versions(self) -> tuple[int, int]:
        """The number of data files, and of versions that readers can still open; compaction lowers both."""
        with wrap_read_errors(self.folder):
            table = self._latest()
            return int(table.stats()["fragment_stats"]["num_fragments"]), len(table.list_versions())

    def remove(self, ids: Sequence[str], removed_by: str, removed_at: datetime) -> int:
        """Move assets to the bin, all of them in one commit; returns how many there were.

        Raises CollectionBusy if another process keeps writing.
        """
        with write_lock(self.folder), wrap_write_errors(self.folder):
            self._latest()
            for chunk in _chunks(ids):
                rows = self._query(chunk, schema.COLUMNS).to_arrow().select(schema.COLUMNS)
                if len(rows):
                    self.bin.add(rows, removed_by, removed_at)
            return int(self._table.delete(ids_filter(ids)).num_deleted_rows) if ids else 0

    def restore(self, ids: Sequence[str]) -> int:
        """Restore assets from the bin; returns how many were restored. Raises CollectionBusy.

        If the process is killed, each of them is in the collection or still in the bin.
        """
        with write_lock(self.folder), wrap_write_errors(self.folder):
            self._latest()
            restored, binned = 0, {raw.hex() for raw in self.bin.ids()}
            for chunk in _chunks([i for i in ids if i in binned]):
                merge = self._table.merge_insert("id").when_not_matched_insert_all()
                restored += int(merge.execute(self.bin.rows(chunk).select(schema.COLUMNS)).num_inserted_rows)
            self.bin.remove(ids)
        return restored

    def empty_bin(self) -> int:
        """Delete everything in the bin for good; returns how many assets there were. Raises CollectionBusy."""
        with write_lock(self.folder), wrap_write_errors(self.folder):
            deleted = len(self.removed_ids())
            self.bin.remove(self.bin.ids_newest_first())
            self.bin.compact(timedelta(milliseconds=1))
        return deleted

    def removed_ids(self) -> set[bytes]:
        """The ids of the assets in the bin as 32 raw bytes each."""
        return binned - self.ids() if (binned := self.bin.ids()) else binned

    def retired_ids(self) -> set[bytes]:
        """The ids of the assets in the bin that went with their file, and come back with it."""
        return self.bin.ids_removed_by(_went_with_file) & self.removed_ids()

    def removed(self, first: int, count: int) -> list[RemovedAsset]:
        """A page of the assets in the bin, the most recently removed first."""
        removed = {raw.hex() for raw in self.removed_ids()}
        ids = [i for i in self.bin.ids_newest_first() if i in removed]
        return self.bin.get(ids[first : first + count])

    def compact(self) -> None:
        """Merge small files, index ids, and delete versions older than an hour; no commit if there is nothing to merge.

        Files left by a killed writer are deleted too: nobody else writes while this process holds the lock.
        """
        with write_lock(self.folder), wrap_write_errors(self.folder):
            from lancedb.index import BTree

            table = self._latest()
            if not any(index.columns == ["id"] for index in table.list_indices()):
                table.create_index("id", config=BTree())
            self._seal(SEALED_WITH_COMPACTION)
            table.optimize(cleanup_older_than=VERSION_RETENTION, delete_unverified=True)
            self.bin.compact(VERSION_RETENTION)
            for file in self.folder.rglob(TEMPORARY_FILES):
                file.unlink()

    def check(self, on_rows: Callable[[int], None] = ignore) -> list[DamagedPart]:
        """Compare all rows with their checksums: what is damaged. Raises StoreError if not even ids can be read.

        `on_rows` is called with the number of rows checked so far.
        """
        with wrap_read_errors(self.folder):
            table = self._latest()
        return TableCheck(table, self.folder, on_rows).run()

    def check_bin(self) -> list[DamagedPart]:
        """The same for the bin, while nobody writes. Raises CollectionBusy."""
        with write_lock(self.folder):  # emptying a bin deletes files that a reader may be at
            with wrap_read_errors(self.folder):
                tables = Bin.open(self.folder, str(self._table.name))
            return [part for table in tables for part in TableCheck(table, self.folder, ignore).run()]

    def replace(self, asset: Asset, thumbnail: bytes, vector: NDArray[np.float32], before: Asset) -> None:
        """Write the row of an asset anew. Raises CollectionBusy if its metadata is not `before` any more."""
        self._check(vector[np.newaxis], 1)
        rows = with_checksums(schema.to_table([asset], [thumbnail], vector[np.newaxis]))
        with write_lock(self.folder), wrap_write_errors(self.folder):
            if self.metadata(asset.id) != before:
                raise CollectionBusy(f"{asset.id[:12]} of {self.name} was changed meanwhile: try again")
            self._table.merge_insert("id").when_matched_update_all().execute(rows)

    def rebuild_index(self) -> None:
        """Make the index by id anew. Raises CollectionBusy."""
        with write_lock(self.folder), wrap_write_errors(self.folder):
            from lancedb.index import BTree

            self._latest().create_index("id", config=BTree(), replace=True)

    def seal(self) -> int:
        """Give checksums to rows that an older version wrote; returns how many. Raises CollectionBusy."""
        with write_lock(self.folder), wrap_write_errors(self.folder):
            return self._seal()

    def _seal(self, limit: int | None = None) -> int:
        self._latest()
        unsealed = f"{METADATA_CHECKSUM} IS NULL"
        rows = self._table.search().where(unsealed).select(["id"]).limit(limit or SEAL_ALL).to_arrow()
        for chunk in _chunks(rows["id"].to_pylist()):
            content = self._query(chunk, schema.COLUMNS).to_arrow().select(schema.COLUMNS)
            self._table.merge_insert("id").when_matched_update_all().execute(with_checksums(content))
        return len(rows)

    def _latest(self) -> Any:
        """The table as it was committed last. Raises CollectionBusy if its folder was replaced since it was opened."""
        try:
            replaced = self.folder.stat().st_ino != self._inode
        except FileNotFoundError:
            replaced = True
        if replaced:
            raise CollectionBusy(f"{self.name} was replaced or deleted meanwhile: nothing was changed; try again")
        self._table.checkout_latest()
        return self._table

    def _query(self, ids: Sequence[str], columns: list[str]) -> Any:
        return self._table.search().where(ids_filter(ids)).select(columns).limit(max(1, len(ids)))

    def _rows(self, ids: Sequence[str], columns: list[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        with wrap_read_errors(self.folder):
            self._latest()
            rows: list[dict[str, Any]] = self._query(ids, columns).to_list()
        return rows

    def _check(self, vectors: NDArray[np.float32], count: int) -> None:
        expected = (count, self.model.dimension)
        if vectors.shape != expected or vectors.dtype != np.float32:
            found = f"{vectors.shape} {vectors.dtype}"
            raise CollectionError(f"collection {self.name} takes vectors of shape {expected} float32, not {found}")
        norms = np.linalg.norm(vectors, axis=1)
        if not np.allclose(norms, 1.0, atol=1e-3):
            worst = norms[np.argmax(np.abs(np.nan_to_num(norms, nan=0.0) - 1))]
            raise CollectionError(f"collection {self.name} takes vectors of unit length, not of {worst:.4g}")


def _went_with_file(removed_by: str) -> bool:
    return removed_by in (RETIRED, EXCLUDED) or removed_by.endswith((WITH_SOURCE, WITH_FILE))


def _joined(asset: Asset, found: Iterable[Location]) -> tuple[Location, ...]:
    """The locations of an asset with those that were found in place of their earlier states."""
    before = {place.uri: place for place in asset.locations}
    return tuple((before | {place.uri: asset.completing(place) for place in found}).values())


def _moved(moved: Mapping[str, str], asset: Asset) -> Asset:
    places = (replace(place, uri=moved.get(place.uri, place.uri)) for place in asset.locations)
    return replace(asset, locations=tuple(places))


def _resealed(before: pa.Table, rows: pa.Table) -> pa.Table:
    """Rows whose metadata was changed, with its new checksum; what was unknown or damaged before stays so."""
    was_whole = pc.equal(before[METADATA_CHECKSUM], pa.array(checksums(before, "metadata"), pa.int64()))
    new = pa.array(checksums(rows, "metadata"), pa.int64())
    return rows.append_column(METADATA_CHECKSUM, pc.if_else(was_whole.fill_null(False), new, before[METADATA_CHECKSUM]))


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + MOVE_BATCH_SIZE] for first in range(0, len(ids), MOVE_BATCH_SIZE))
