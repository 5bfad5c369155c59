"""Checksums of rows: whether a thumbnail, a vector or metadata are still those that were written beside this id.

They lie in the row itself, so that both are written in one commit.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.store.lance import schema

# The parts of a row, each with a checksum in a column of its own.
RowPart = Literal["thumbnail", "vector", "metadata"]
PARTS: tuple[RowPart, ...] = ("thumbnail", "vector", "metadata")
_FIRST = [name for name in schema.FIRST_COLUMNS if name != "id"]


def with_checksums(rows: pa.Table) -> pa.Table:
    """Rows of a collection with the checksums of what they hold now."""
    for part in PARTS:
        column = pa.array(checksums(rows, part), pa.int64())
        name = schema.checksum_column(part)
        at = rows.schema.get_field_index(name)
        rows = rows.append_column(name, column) if at < 0 else rows.set_column(at, rows.schema.field(at), column)
    return rows


def checksums(rows: pa.Table | pa.RecordBatch, part: RowPart) -> NDArray[np.int64]:
    """The checksums (n,) int64 of one part of each row: 8 bytes of BLAKE2b of its id and its content."""
    contents = {"thumbnail": _thumbnails, "vector": _vectors, "metadata": _metadata}[part](rows)
    pairs = zip(rows["id"].to_pylist(), contents, strict=True)
    digests = [blake2b(asset_id.encode() + content, digest_size=8).digest() for asset_id, content in pairs]
    return np.frombuffer(b"".join(digests), ">i8").astype(np.int64)


def damaged_parts(rows: pa.Table | pa.RecordBatch) -> list[tuple[str, RowPart]]:
    """The id and the part of whatever is not what was written. A row without checksums was written by an older version
    and passes.
    """
    found = list[tuple[str, RowPart]]()
    for part in PARTS:
        if schema.checksum_column(part) not in rows.schema.names:
            continue
        stored = rows[schema.checksum_column(part)]
        known = np.asarray(stored.is_valid())
        differs = known & (checksums(rows, part) != stored.fill_null(0).to_numpy(zero_copy_only=False))
        found += [(rows["id"][int(row)].as_py(), part) for row in np.flatnonzero(differs)]
    return found


def _thumbnails(rows: pa.Table | pa.RecordBatch) -> list[bytes]:
    return [thumbnail or b"" for thumbnail in rows["thumbnail"].to_pylist()]


def _vectors(rows: pa.Table | pa.RecordBatch) -> list[bytes]:
    column = rows["vector"]
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = column.flatten().to_numpy(zero_copy_only=False).astype("<f4").reshape(len(rows), -1)
    return [row.tobytes() for row in flat]


def _metadata(rows: pa.Table | pa.RecordBatch) -> list[bytes]:
    first = zip(*(_plain(rows[name]).to_pylist() for name in _FIRST), strict=True)
    added = [name for name in schema.ADDED_COLUMNS if name in rows.schema.names]
    later = zip(*(rows[name].to_pylist() for name in added), strict=True) if added else iter([()] * len(rows))
    return [_document(values, dict(zip(added, more, strict=True))) for values, more in zip(first, later, strict=True)]


def _plain(column: Any) -> Any:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def _document(values: tuple[Any, ...], added: dict[str, Any]) -> bytes:
    # A column that is empty may come back as nothing, and the other way round. Columns that were added later count only
    # where they hold something: a row that an older version wrote keeps its checksum.
    later = {name: value for name, value in added.items() if value not in (None, "", [])}
    document = [value or None for value in values] + ([later] if later else [])
    return json.dumps(document, separators=(",", ":")).encode()
