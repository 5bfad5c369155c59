"""The in-memory part of a collection: vectors, and the columns that filters use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import CollectionError
from core.records.assets import ModelCard, file_name

COLUMNS = ["id", "uris", "title", "source", "keywords", "width", "height", "created_at", "ingested_at", "vector"]

_NUMBERS = ("width", "height", "created_at", "ingested_at")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A collection at one version; row i of every field is the same asset.

    `vectors` is (n, d) float32 of unit length and C-contiguous; `created_us` is microseconds since 1970 (UTC),
    `NO_DATE` if unknown. An asset without a title has its file name.
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

    @cached_property
    def order_hash(self) -> str:
        """32 hexadecimal digits that change with the ids and their order; `version` ignores the order."""
        return hashlib.sha256("".join(self.ids).encode()).hexdigest()[:32]


def read_snapshot(batches: Iterable[pa.RecordBatch], count: int, model: ModelCard) -> Snapshot:
    """Build a Snapshot from batches of rows with `COLUMNS`; `count` is the number of rows to allocate at first.

    Only one batch is in memory at a time, and equal strings are stored once.
    """
    ids, titles, sources, keywords = list[str](), list[str](), list[str](), list[tuple[str, ...]]()
    numbers: dict[str, list[NDArray[np.int64]]] = {name: [] for name in _NUMBERS}
    vectors, row, interned = np.empty((count, model.dimension), np.float32), 0, dict[str, str]()
    for batch in batches:
        start, row = row, row + len(batch)
        if row > len(vectors):
            vectors = np.concatenate([vectors, np.empty((row, model.dimension), np.float32)])
        vectors[start:row] = batch["vector"].flatten().to_numpy(zero_copy_only=False).reshape(-1, model.dimension)
        ids += batch["id"].to_pylist()
        titles += _titles(batch)
        sources += [interned.setdefault(source or "", source or "") for source in batch["source"].to_pylist()]
        keywords += _keywords(batch["keywords"], interned)
        for name, parts in numbers.items():
            parts.append(batch[name].cast(pa.int64()).fill_null(Snapshot.NO_DATE).to_numpy())
    width, height, created_us, ingested_us = (np.concatenate([np.empty(0, np.int64), *p]) for p in numbers.values())
    return Snapshot(
        version=collection_version(model, ids),
        ids=tuple(ids),
        vectors=vectors[:row],
        titles=tuple(titles),
        sources=tuple(sources),
        keywords=tuple(keywords),
        width=width.astype(np.int32),
        height=height.astype(np.int32),
        created_us=created_us,
        ingested_us=ingested_us,
    )


def collection_version(model: ModelCard, asset_ids: Iterable[str]) -> str:
    """16 hexadecimal digits that change with the model or the set of assets, and with nothing else."""
    about = f"{model.name} {model.checkpoint}"
    return hashlib.sha256("".join([about, *sorted(asset_ids)]).encode()).hexdigest()[:16]


def require_same_collection(name: str, before: Snapshot, now: Snapshot) -> None:
    """Raise CollectionError if no picture of `before` is in `now`: the name means another collection by now."""
    if before.version != now.version and set(before.ids).isdisjoint(now.ids):
        raise CollectionError(f"{name} was deleted and made anew meanwhile: what was computed for it is not kept")


def _titles(batch: pa.RecordBatch) -> list[str]:
    """The title of each row, or its file name; uris are read only for rows without a title."""
    titles: list[str] = [title or "" for title in batch["title"].to_pylist()]
    untitled = [row for row, title in enumerate(titles) if not title]
    for row, uris in zip(untitled, batch["uris"].take(pa.array(untitled, pa.int64())).to_pylist(), strict=True):
        titles[row] = file_name(uris[0]) if uris else ""
    return titles


def _keywords(column: pa.ListArray, interned: dict[str, str]) -> list[tuple[str, ...]]:
    words = iter([interned.setdefault(word, word) for word in column.flatten().to_pylist()])
    return [tuple(islice(words, length)) for length in pc.list_value_length(column).fill_null(0).to_pylist()]
