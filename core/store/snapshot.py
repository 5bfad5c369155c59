"""What of a collection stays in memory: vectors, and the columns that filters look at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.records import ModelCard

COLUMNS = ["id", "uris", "title", "source", "keywords", "width", "height", "created_at", "ingested_at", "vector"]


@dataclass(frozen=True)
class Snapshot:
    """A collection at one moment; row i of every field is the same asset.

    `vectors` is (n, d) float32 of unit length and C-contiguous; `created_us` is microseconds since 1970 (UTC),
    `NO_DATE` where unknown. A title is the file's name where nobody gave one.
    """

    version: str
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    titles: tuple[str, ...]
    sources: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    created_us: NDArray[np.int64]
    ingested_us: NDArray[np.int64]

    NO_DATE = np.iinfo(np.int64).min

    def __len__(self) -> int:
        return len(self.ids)


def read_snapshot(table: pa.Table, version: str, dimension: int) -> Snapshot:
    """Build a Snapshot from an Arrow table with `COLUMNS`."""
    return Snapshot(
        version=version,
        ids=tuple(table["id"].to_pylist()),
        vectors=_matrix(table["vector"], dimension),
        titles=tuple(map(_title, table["title"].to_pylist(), table["uris"].to_pylist())),
        sources=tuple(s or "" for s in table["source"].to_pylist()),
        keywords=tuple(tuple(k or ()) for k in table["keywords"].to_pylist()),
        width=table["width"].to_numpy().astype(np.int32),
        height=table["height"].to_numpy().astype(np.int32),
        created_us=_microseconds(table["created_at"]),
        ingested_us=_microseconds(table["ingested_at"]),
    )


def collection_version(model: ModelCard, asset_ids: Iterable[str]) -> str:
    """16 hexadecimal digits that change with the model or the set of assets, and with nothing else."""
    digest = hashlib.sha256(f"{model.name} {model.checkpoint}".encode())
    for asset_id in sorted(asset_ids):
        digest.update(asset_id.encode())
    return digest.hexdigest()[:16]


def _title(title: str | None, uris: list[str] | None) -> str:
    return title or (uris[0].rsplit("/", 1)[-1] if uris else "")


def _matrix(column: pa.ChunkedArray, dimension: int) -> NDArray[np.float32]:
    matrix = np.empty((len(column), dimension), np.float32)
    row = 0
    for chunk in column.chunks:
        matrix[row : row + len(chunk)] = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
        row += len(chunk)
    return matrix


def _microseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    values: NDArray[np.int64] = column.cast(pa.int64()).fill_null(Snapshot.NO_DATE).to_numpy()
    return values
