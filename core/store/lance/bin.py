"""The bin of a collection: removed assets, with all their columns, until they are restored or the bin is emptied.

An asset in both the bin and the collection counts as part of the collection: a removal or a restore that is interrupted
between its two commits has not happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.records.assets import Asset
from core.store.disk_errors import wrap_read_errors
from core.store.lance import schema

SUFFIX = "-removed"


@dataclass(frozen=True)
class RemovedAsset:
    """An asset in the bin, its thumbnail (JPEG), and who removed it when."""

    asset: Asset
    thumbnail: bytes = field(repr=False)
    removed_by: str
    removed_at: datetime


class Bin:
    """The rows of one bin. Its table is created with the first asset. Writers must hold the write lock."""

    def __init__(self, folder: Path, table: str) -> None:
        self._folder, self._name = folder, table + SUFFIX

    @classmethod
    def open(cls, folder: Path, table: str) -> list[Any]:
        """The LanceDB table of the bin beside a table, if there is one."""
        bin_ = cls(folder, table)
        return [bin_._open()] if bin_._exists() else []

    def ids(self) -> set[bytes]:
        """The ids of all assets in it as 32 raw bytes each."""
        if not self._exists():
            return set()
        with wrap_read_errors(self._folder):
            column = self._open().search().select(["id"]).to_arrow()["id"]
            return {bytes.fromhex(i) for i in column.to_pylist()}

    def ids_removed_by(self, is_meant: Callable[[str], bool]) -> set[bytes]:
        """The ids of the assets that were removed by whoever is meant, as 32 raw bytes each."""
        if not self._exists():
            return set()
        with wrap_read_errors(self._folder):
            rows = self._open().search().select(["id", "removed_by"]).to_arrow()
        found = zip(rows["id"].to_pylist(), rows["removed_by"].to_pylist(), strict=True)
        return {bytes.fromhex(asset_id) for asset_id, removed_by in found if is_meant(removed_by or "")}

    def ids_newest_first(self) -> list[str]:
        """The ids of all assets in it, the most recently removed first."""
        if not self._exists():
            return []
        with wrap_read_errors(self._folder):
            rows = self._open().search().select(["id", "removed_at"]).to_arrow()
        order = rows.sort_by([("removed_at", "descending"), ("id", "ascending")])
        ids: list[str] = order["id"].to_pylist()
        return ids

    def get(self, ids: Sequence[str]) -> list[RemovedAsset]:
        """The assets with these ids, in that order; ids that are not in it are left out."""
        if not ids or not self._exists():
            return []
        columns = [*schema.ASSET_COLUMNS, "thumbnail", "removed_by", "removed_at"]
        with wrap_read_errors(self._folder):
            rows_by_id = {row["id"]: row for row in _query(self._open(), ids, columns).to_list()}
        rows = [rows_by_id[i] for i in ids if i in rows_by_id]
        return [
            RemovedAsset(schema.to_asset(row), row["thumbnail"], row["removed_by"], row["removed_at"]) for row in rows
        ]

    def rows(self, ids: Sequence[str]) -> pa.Table:
        """The rows with these ids, with the columns of the collection."""
        return _query(self._open(), ids, schema.COLUMNS).to_arrow()

    def add(self, rows: pa.Table, removed_by: str, removed_at: datetime) -> None:
        """Add rows of the collection, in one commit."""
        rows = rows.append_column("removed_by", pa.array([removed_by] * len(rows), pa.string()))
        rows = rows.append_column("removed_at", pa.array([removed_at] * len(rows), pa.timestamp("us", tz="UTC")))
        table = self._open() if self._exists() else self._connect().create_table(self._name, rows[:0], mode="overwrite")
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove these assets from the bin, in one commit."""
        if ids and self._exists():
            self._open().delete(ids_filter(ids))

    def compact(self, retention: timedelta) -> None:
        """Merge small files, and delete versions older than `retention` with their data."""
        if self._exists():
            self._open().optimize(cleanup_older_than=retention, delete_unverified=True)

    def _exists(self) -> bool:
        # A table whose creation was interrupted has no manifest yet.
        return any((self._folder / f"{self._name}.lance" / "_versions").glob("*.manifest"))

    def _open(self) -> Any:
        return self._connect().open_table(self._name)

    def _connect(self) -> Any:
        import lancedb  # takes over a second: imported only when a table is opened

        return lancedb.connect(self._folder)


def ids_filter(ids: Sequence[str]) -> str:
    """A filter for these ids. Ids also come from URLs: only those that can be a SHA-256 reach the expression."""
    quoted = ",".join(f"'{i}'" for i in ids if len(i) == 64 and i.isalnum() and i.isascii())
    return f"id IN ({quoted or repr('')})"


def _query(table: Any, ids: Sequence[str], columns: list[str]) -> Any:
    return table.search().where(ids_filter(ids)).select(columns).limit(max(1, len(ids)))
