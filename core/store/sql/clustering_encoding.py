"""Clusterings as compressed columns with checksums, and back."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import DataDamaged
from core.records.clusterings import Clustering, ClusterRecord, Revision

_ID_BYTES = 32
_Number = TypeVar("_Number", np.uint8, np.int32, np.float32)


class EncodedClustering(NamedTuple):
    """A clustering as the tables store it: asset ids ascending, labels and sketches by position in that order."""

    ids: NDArray[np.bytes_]
    labels: bytes
    centroids: bytes
    clusters: list[tuple[Any, ...]]


def encode(clustering: Clustering) -> EncodedClustering:
    """A clustering with its rows in ascending order of asset ids."""
    # Numbers are converted to Python's own types: SQLite would store NumPy's as bytes.
    raw = np.frombuffer(bytes.fromhex("".join(clustering.asset_ids)), f"S{_ID_BYTES}")
    order = np.argsort(raw)
    position = {clustering.asset_ids[row]: number for number, row in enumerate(order.tolist())}
    clusters = [
        (
            c.id,
            c.name,
            bool(c.confirmed),
            c.description,
            int(c.size),
            float(c.threshold),
            bool(c.no_group),
            c.representative,
            float(c.cohesion),
            pack(np.array([position[i] for i in c.sample_ids], np.int32)),
        )
        for c in clustering.clusters
    ]
    centroids = pack(np.array([c.centroid for c in clustering.clusters], np.float32))
    return EncodedClustering(raw[order], pack(clustering.labels[order], level=1), centroids, clusters)


def decode(
    revision: Revision, packed_ids: bytes, packed_labels: bytes, packed_centroids: bytes, rows: list[sqlite3.Row]
) -> Clustering:
    """The clustering of a revision from its columns and its rows of clusters. Raises DataDamaged if it is damaged."""
    with wrap_damage(f"revision {revision.id} of {revision.collection}"):
        digits = unpack(packed_ids, np.uint8).reshape(revision.size, _ID_BYTES).tobytes().hex()
        ids = tuple(digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES))
        labels = unpack(packed_labels, np.int32).reshape(revision.size)
        flat = unpack(packed_centroids, np.float32)
        centroids = flat.reshape(revision.cluster_count, len(flat) // max(revision.cluster_count, 1))
        clusters = tuple(_cluster(row, ids, centroid) for row, centroid in zip(rows, centroids, strict=True))
    return Clustering(ids, labels, clusters)


def _cluster(row: sqlite3.Row, ids: tuple[str, ...], centroid: NDArray[np.float32]) -> ClusterRecord:
    return ClusterRecord(
        id=row["id"],
        name=row["name"],
        confirmed=bool(row["confirmed"]),
        description=row["description"],
        size=row["size"],
        threshold=row["threshold"],
        no_group=bool(row["no_group"]),
        representative=row["representative"],
        cohesion=row["cohesion"],
        centroid=centroid,
        sample_ids=tuple(ids[position] for position in unpack(row["sketch"], np.int32).tolist()),
    )


def pack(array: NDArray[Any], level: int = 0) -> bytes:
    """The bytes of an array with a checksum; level 0 for data that would not shrink."""
    return zlib.compress(array.tobytes(), level)


def unpack(blob: bytes, dtype: type[_Number]) -> NDArray[_Number]:
    """The flat, read-only array that `pack` stored."""
    return np.frombuffer(zlib.decompress(blob), dtype)


@contextmanager
def wrap_damage(what: str) -> Iterator[None]:
    """Around decoding `what`: raises DataDamaged if it is damaged."""
    try:
        yield
    except (zlib.error, ValueError, IndexError, TypeError) as error:
        raise DataDamaged(
            f"{what} is damaged ({error}): nothing was changed; restore the database from a backup,"
            " or go on from another revision"
        ) from error
