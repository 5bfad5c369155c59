"""Compares the rows of a table with their checksums, and finds those that cannot be read at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from core.errors import StoreError
from core.store.disk_errors import reason, wrap_read_errors
from core.store.lance import schema
from core.store.lance.checksums import PARTS, damaged_parts

BATCH_SIZE = 1_024
DIFFERS = "it is not what was written"


Part = Literal["thumbnail", "vector", "metadata", "index"]


@dataclass(frozen=True)
class DamagedPart:
    """A part of a row (`thumbnail`, `vector`, `metadata`), or the `index` by id, that is damaged, and how."""

    part: Part
    asset_id: str
    detail: str


class TableCheck:
    """A check of all rows of one LanceDB table at its latest version."""

    def __init__(self, table: Any, folder: Path, on_rows: Callable[[int], None]) -> None:
        """`on_rows` is called with the number of rows checked so far."""
        self._table, self._folder, self._on_rows = table, folder, on_rows
        self._columns = [name for name in schema.COLUMNS if name in table.schema.names]

    def run(self) -> list[DamagedPart]:
        """What is damaged. Raises StoreError if not even the ids can be read."""
        ids = self._ids()
        return [*self._index(ids), *self._rows(ids)]

    def _ids(self) -> list[str]:
        with wrap_read_errors(self._folder):
            ids: list[str] = self._table.search().select(["id"]).to_arrow()["id"].to_pylist()
            expected = self._table.count_rows()
        if len(ids) != expected or len(set(ids)) != expected:
            raise StoreError(f"{self._folder} lists {expected} rows and holds {len(set(ids))}")
        return ids

    def _index(self, ids: Sequence[str]) -> Iterator[DamagedPart]:
        """The index finds every row, or it is damaged."""
        for first in range(0, len(ids), BATCH_SIZE):
            chunk = ids[first : first + BATCH_SIZE]
            try:
                found = set(self._read(chunk, [], "id")["id"].to_pylist())
            except StoreError as error:
                yield DamagedPart("index", "", reason(error.__cause__ or error))
                return
            if found != set(chunk):
                yield DamagedPart("index", "", f"it finds {len(found)} of {len(chunk)} pictures")
                return

    def _rows(self, ids: Sequence[str]) -> Iterator[DamagedPart]:
        seen: set[str] = set()
        batches = self._batches()
        while True:
            try:
                with wrap_read_errors(self._folder):
                    batch = next(batches, None)
                    found = [] if batch is None else damaged_parts(batch)
            except StoreError:
                break
            if batch is None:
                return
            seen.update(batch["id"].to_pylist())
            self._on_rows(len(seen))
            yield from (DamagedPart(part, asset_id, DIFFERS) for asset_id, part in found)
        yield from self._bisected([asset_id for asset_id in ids if asset_id not in seen])

    def _batches(self) -> Iterator[pa.RecordBatch]:
        yield from self._table.search().select(self._columns).to_batches(BATCH_SIZE)

    def _bisected(self, ids: Sequence[str]) -> Iterator[DamagedPart]:
        """The damaged parts of some rows, read in ever smaller groups where a group cannot be read."""
        if not ids:
            return
        try:
            with wrap_read_errors(self._folder):
                found = damaged_parts(self._read(ids, self._columns))
        except StoreError:
            if len(ids) == 1:
                yield from self._unreadable(ids[0])
                return
            half = len(ids) // 2
            yield from self._bisected(ids[:half])
            yield from self._bisected(ids[half:])
            return
        yield from (DamagedPart(part, asset_id, DIFFERS) for asset_id, part in found)

    def _unreadable(self, asset_id: str) -> Iterator[DamagedPart]:
        for part in PARTS:
            columns = schema.ASSET_COLUMNS if part == "metadata" else [part]
            try:
                with wrap_read_errors(self._folder):
                    self._read([asset_id], columns).to_pylist()
            except StoreError:
                yield DamagedPart(part, asset_id, "it cannot be read")

    def _read(self, ids: Sequence[str], columns: Sequence[str], column: str = "concat(id, '')") -> pa.Table:
        """Rows by id, by default without the index, which may be damaged itself."""
        quoted = ",".join(f"'{asset_id}'" for asset_id in ids if asset_id.isalnum())
        with wrap_read_errors(self._folder):
            query = self._table.search().where(f"{column} IN ({quoted or repr('')})")
            return query.select(list(dict.fromkeys(["id", *columns]))).limit(len(ids)).to_arrow()
