"""The bin of a collection: assets that were taken out of it, whole, until someone puts them back or empties it.

An asset that lies in the bin and in the collection is in the collection: whatever is cut off between the two commits of
a removal, or of putting back, has not happened.
"""

from __future__ import annotations

from collections.abc import Sequence
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
class BinnedAsset:
    """An asset in the bin, its thumbnail (JPEG), who took it out and when."""

    asset: Asset
    thumbnail: bytes = field(repr=False)
    by: str
    at: datetime


class Bin:
    """The rows of one bin. Its table is made with the first asset. Writing is for those who hold the write lock."""

    def __init__(self, folder: Path, table: str, dimension: int) -> None:
        self._folder, self._name, self._dimension = folder, table + SUFFIX, dimension

    def ids(self) -> set[bytes]:
        """The ids of all assets in it as 32 raw bytes each."""
        if not self._exists():
            return set()
        with wrap_read_errors(self._folder):
            column = self._open().search().select(["id"]).to_arrow()["id"]
        return {bytes.fromhex(i) for i in column.to_pylist()}

    def newest(self) -> list[str]:
        """The ids of all assets in it, those that were taken out last first."""
        if not self._exists():
            return []
        with wrap_read_errors(self._folder):
            rows = self._open().search().select(["id", "removed_at"]).to_arrow()
        order = rows.sort_by([("removed_at", "descending"), ("id", "ascending")])
        ids: list[str] = order["id"].to_pylist()
        return ids

    def get(self, ids: Sequence[str]) -> list[BinnedAsset]:
        """The assets with these ids, in the order asked; ids that are not in it are left out."""
        if not ids or not self._exists():
            return []
        columns = [*schema.ASSET_COLUMNS, "thumbnail", "removed_by", "removed_at"]
        with wrap_read_errors(self._folder):
            found = {row["id"]: row for row in _query(self._open(), ids, columns).to_list()}
        rows = [found[i] for i in ids if i in found]
        return [
            BinnedAsset(schema.to_asset(row), row["thumbnail"], row["removed_by"], row["removed_at"]) for row in rows
        ]

    def rows(self, ids: Sequence[str]) -> pa.Table:
        """The rows with these ids as the collection holds them."""
        return _query(self._open(), ids, schema.arrow_schema(self._dimension).names).to_arrow()

    def put(self, rows: pa.Table, by: str, at: datetime) -> None:
        """Keep rows of the collection, in one commit."""
        told = rows.append_column("removed_by", pa.array([by] * len(rows), pa.string()))
        told = told.append_column("removed_at", pa.array([at] * len(rows), pa.timestamp("us", tz="UTC")))
        table = self._open() if self._exists() else self._connect().create_table(self._name, told[:0], mode="overwrite")
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(told)

    def drop(self, ids: Sequence[str]) -> None:
        """Take these assets out of the bin, in one commit."""
        if ids and self._exists():
            self._open().delete(ids_filter(ids))

    def tidy(self, keep: timedelta) -> None:
        """Merge small files, and drop versions, with what was in them, that are older than `keep`."""
        if self._exists():
            self._open().optimize(cleanup_older_than=keep, delete_unverified=True)

    def _exists(self) -> bool:
        # A table that was cut off while it was made has no manifest yet.
        return any((self._folder / f"{self._name}.lance" / "_versions").glob("*.manifest"))

    def _open(self) -> Any:
        return self._connect().open_table(self._name)

    def _connect(self) -> Any:
        import lancedb  # takes over a second: only what opens a table should wait for it

        return lancedb.connect(self._folder)


def ids_filter(ids: Sequence[str]) -> str:
    """A filter for these ids. They come from URLs too: only what can be a SHA-256 reaches the expression."""
    wanted = ",".join(f"'{i}'" for i in ids if len(i) == 64 and i.isalnum() and i.isascii())
    return f"id IN ({wanted or repr('')})"


def _query(table: Any, ids: Sequence[str], columns: list[str]) -> Any:
    return table.search().where(ids_filter(ids)).select(columns).limit(max(1, len(ids)))
