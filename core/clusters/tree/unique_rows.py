"""The input of a linkage: the distinct rows of a matrix, in a canonical order, with equal rows already merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError

MAX_ROWS_LISTED = 5


@dataclass(frozen=True, eq=False)
class UniqueRows:
    """The m distinct rows among n, in the order of their bytes.

    `vectors` is (m, d) float64 of unit length, or zero; each stands for `counts` (m,) equal rows, merged into the
    dendrogram node `nodes` (m,) at the distance `heights` (m,). `merges` (n - m, 4) are the merges of these equal rows:
    two nodes, their distance, the size; merge i makes node n + i.
    """

    vectors: NDArray[np.float64]
    counts: NDArray[np.int64]
    nodes: NDArray[np.int64]
    heights: NDArray[np.float64]
    merges: NDArray[np.float64]


def find_unique_rows(vectors: NDArray[np.float32]) -> UniqueRows:
    """Normalise (n, d) float32 rows to unit length and merge equal ones: at distance 0, rows of zeros at 1.

    Raises ClusterError for vectors that are not (n, d) or not finite.
    """
    rows = np.asarray(vectors, np.float32)
    _check(rows)
    order, starts = _sorted_by_bytes(rows)
    unit = _normalized(rows[order[starts]])
    counts = np.diff(starts, append=len(order))
    distances = np.where(unit.any(axis=1), 0.0, 1.0)
    nodes, merges = _merge_equal(order, counts, distances)
    return UniqueRows(unit, counts, nodes, np.where(counts > 1, distances, 0.0), merges)


def _check(vectors: NDArray[np.float32]) -> None:
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise ClusterError(f"vectors have shape {vectors.shape}, expected (n, d) with d ≥ 1: pass one row per picture")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        listed = ", ".join(map(str, bad[:MAX_ROWS_LISTED])) + (", …" if len(bad) > MAX_ROWS_LISTED else "")
        raise ClusterError(
            f"{len(bad)} of {len(vectors)} vectors hold NaN or infinity (rows {listed}): embed these pictures again"
        )


def _sorted_by_bytes(rows: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows in the order of their bytes, (n,), and where in it each distinct value starts, (m,)."""
    keys = (np.ascontiguousarray(rows) + np.float32(0)).view(f"V{rows.shape[1] * rows.itemsize}")[:, 0]  # -0 becomes 0
    order = np.argsort(keys, kind="stable")
    return order, np.flatnonzero(np.append(True, keys[order[1:]] != keys[order[:-1]])[: len(rows)])


def _normalized(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    unit = rows.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    np.divide(unit, norms, out=unit, where=norms > 0)
    return unit


def _merge_equal(
    order: NDArray[np.intp], counts: NDArray[np.intp], distances: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The top node of each distinct row and the merges below it, two by two, so that the tree stays low."""
    nodes, point, sizes = order.astype(np.int64), np.repeat(np.arange(len(counts)), counts), np.ones(len(order))
    merges, next_node = [np.empty((0, 4))], len(order)
    while len(point) > len(counts):
        rank = np.arange(len(point)) - np.searchsorted(point, point)
        left = np.flatnonzero((rank[:-1] % 2 == 0) & (point[1:] == point[:-1]))
        sizes[left] += sizes[left + 1]
        merges.append(np.column_stack([nodes[left], nodes[left + 1], distances[point[left]], sizes[left]]))
        nodes[left] = np.arange(next_node, next_node + len(left))
        next_node += len(left)
        remaining = np.ones(len(point), bool)
        remaining[left + 1] = False
        nodes, point, sizes = nodes[remaining], point[remaining], sizes[remaining]
    return nodes, np.concatenate(merges)
