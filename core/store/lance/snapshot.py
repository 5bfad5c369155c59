"""The in-memory part of a collection: vectors, and the columns that filters use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import CollectionError
from core.records.assets import ModelCard, file_name
from core.store.lance.schema import to_created

_TEXTS = ("camera", "author", "sublocation", "city", "state", "country")
_NUMBERS = ("width", "height", "created_at", "ingested_at", "rating")
COLUMNS = [
    *("id", "uris", "title", "source", "locations", "keywords", "people", "created_precision", "latitude", "longitude"),
    *_TEXTS,
    *_NUMBERS,
    "vector",
]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A collection at one version; row i of every field is the same asset.

    `vectors` is (n, d) float32 of unit length and C-contiguous. `created_us` and `created_end_us` enclose when a
    picture was taken, in microseconds since 1970 on the clock where it was; `NO_NUMBER` where that, or a rating, is
    unknown. An asset without a title has its file name.
    """

    version: str
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    titles: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    keywords: tuple[tuple[str, ...], ...]
    people: tuple[tuple[str, ...], ...]
    places: tuple[tuple[str, ...], ...]
    cameras: tuple[str, ...]
    authors: tuple[str, ...]
    rating: NDArray[np.int64]
    has_gps: NDArray[np.bool_]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    created_us: NDArray[np.int64]
    created_end_us: NDArray[np.int64]
    ingested_us: NDArray[np.int64]

    NO_NUMBER = np.iinfo(np.int64).min

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
    vectors, row, interned = np.empty((count, model.dimension), np.float32), 0, dict[str, str]()
    lists: dict[str, list[Any]] = {name: [] for name in _LISTS}
    numbers: dict[str, list[NDArray[np.int64]]] = {name: [] for name in (*_NUMBERS, "created_end")}
    gps: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]
    for batch in batches:
        start, row = row, row + len(batch)
        if row > len(vectors):
            vectors = np.concatenate([vectors, np.empty((row, model.dimension), np.float32)])
        vectors[start:row] = batch["vector"].flatten().to_numpy(zero_copy_only=False).reshape(-1, model.dimension)
        for name, read in _LISTS.items():
            lists[name] += read(batch, interned)
        for name in _NUMBERS:
            numbers[name].append(batch[name].cast(pa.int64()).fill_null(Snapshot.NO_NUMBER).to_numpy())
        numbers["created_end"].append(_created_end_us(batch))
        gps.append(np.asarray(pc.and_(batch["latitude"].is_valid(), batch["longitude"].is_valid()), np.bool_))
    columns = {name: np.concatenate([np.empty(0, np.int64), *parts]) for name, parts in numbers.items()}
    return Snapshot(
        version=collection_version(model, lists["ids"]),
        **{name: tuple(values) for name, values in lists.items()},
        vectors=vectors[:row],
        rating=columns["rating"],
        has_gps=np.concatenate(gps),
        width=columns["width"].astype(np.int32),
        height=columns["height"].astype(np.int32),
        created_us=columns["created_at"],
        created_end_us=columns["created_end"],
        ingested_us=columns["ingested_at"],
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


def _sources(batch: pa.RecordBatch, interned: dict[str, str]) -> list[tuple[str, ...]]:
    """The sources of each row: those of its locations; a row of an older version has one."""
    first = [interned.setdefault(source or "", source or "") for source in batch["source"].to_pylist()]
    several = np.flatnonzero(np.asarray(pc.greater(pc.list_value_length(batch["locations"]).fill_null(0), 1)))
    sources: list[tuple[str, ...]] = [(source,) if source else () for source in first]
    for row in several.tolist():
        names = (place["source"] or "" for place in batch["locations"][row].as_py())
        sources[row] = tuple(dict.fromkeys(interned.setdefault(name, name) for name in names if name))
    return sources


def _words(column: str) -> Callable[[pa.RecordBatch, dict[str, str]], list[tuple[str, ...]]]:
    def read(batch: pa.RecordBatch, interned: dict[str, str]) -> list[tuple[str, ...]]:
        words = iter([interned.setdefault(word, word) for word in batch[column].flatten().to_pylist()])
        lengths = pc.list_value_length(batch[column]).fill_null(0).to_pylist()
        return [tuple(islice(words, length)) for length in lengths]

    return read


def _places(batch: pa.RecordBatch, interned: dict[str, str]) -> list[tuple[str, ...]]:
    columns = [batch[name].fill_null("").to_pylist() for name in ("sublocation", "city", "state", "country")]
    rows = zip(*columns, strict=True)
    return [tuple(interned.setdefault(name, name) for name in names if name) for names in rows]


def _texts(column: str) -> Callable[[pa.RecordBatch, dict[str, str]], list[str]]:
    def read(batch: pa.RecordBatch, interned: dict[str, str]) -> list[str]:
        return [interned.setdefault(text, text) for text in batch[column].fill_null("").to_pylist()]

    return read


def _created_end_us(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """The first moment after each picture may have been taken; `NO_NUMBER` if unknown."""
    known = zip(batch["created_at"].to_pylist(), batch["created_precision"].to_pylist(), strict=True)
    created = [to_created(start, precision, None) for start, precision in known]
    ends = [None if each is None else each.end.replace(tzinfo=UTC) for each in created]
    column = pa.array(ends, pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(column.fill_null(Snapshot.NO_NUMBER), np.int64)


# The columns of a snapshot that are Python values, and how each is read from a batch; equal strings are stored once.
_LISTS: dict[str, Callable[[pa.RecordBatch, dict[str, str]], list[Any]]] = {
    "ids": lambda batch, _: batch["id"].to_pylist(),
    "titles": lambda batch, _: _titles(batch),
    "sources": _sources,
    "keywords": _words("keywords"),
    "people": _words("people"),
    "places": _places,
    "cameras": _texts("camera"),
    "authors": _texts("author"),
}
