"""What a linkage begins with: the distinct rows of a matrix, in an order of their own, equal ones joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError

ROWS_NAMED = 5


@dataclass(frozen=True, eq=False)
class UniqueRows:
    """The m distinct rows among n, in the order of their bytes.

    `vectors` is (m, d) float64 of unit length, or zero; each stands for `counts` (m,) equal rows, joined under the
    dendrogram node `nodes` (m,) at the distance `heights` (m,). `merges` (n - m, 4) has made these nodes from rows:
    two nodes, their distance, the size; merge i makes node n + i.
    """

    vectors: NDArray[np.float64]
    counts: NDArray[np.int64]
    nodes: NDArray[np.int64]
    heights: NDArray[np.float64]
    merges: NDArray[np.float64]


def find_unique_rows(vectors: NDArray[np.float32]) -> UniqueRows:
    """Bring (n, d) float32 rows to unit length and join those that are equal: at distance 0, rows of zeros at 1.

    Raises ClusterError for vectors that are not (n, d) or not finite.
    """
    rows = np.asarray(vectors, np.float32)
    _check(rows)
    order, starts = _by_bytes(rows)
    unit = _unit(rows[order[starts]])
    counts = np.diff(starts, append=len(order))
    apart = np.where(unit.any(axis=1), 0.0, 1.0)
    nodes, merges = _join_equal(order, counts, apart)
    return UniqueRows(unit, counts, nodes, np.where(counts > 1, apart, 0.0), merges)


def _check(vectors: NDArray[np.float32]) -> None:
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise ClusterError(f"vectors have shape {vectors.shape}, expected (n, d) with d ≥ 1: pass one row per picture")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        named = ", ".join(map(str, bad[:ROWS_NAMED])) + (", …" if len(bad) > ROWS_NAMED else "")
        raise ClusterError(
            f"{len(bad)} of {len(vectors)} vectors hold NaN or infinity (rows {named}): embed these pictures again"
        )


def _by_bytes(rows: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows in the order of their bytes (n,), and the places in it where another value begins."""
    whole = (np.ascontiguousarray(rows) + np.float32(0)).view(f"V{rows.shape[1] * rows.itemsize}")[:, 0]  # -0 is 0
    order = np.argsort(whole, kind="stable")
    return order, np.flatnonzero(np.append(True, whole[order[1:]] != whole[order[:-1]])[: len(rows)])


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    unit = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    np.divide(unit, lengths, out=unit, where=lengths > 0)
    return unit


def _join_equal(
    order: NDArray[np.intp], counts: NDArray[np.intp], apart: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The top node of each distinct row and the merges below it, two by two, so that the tree stays low."""
    nodes, point, sizes = order.astype(np.int64), np.repeat(np.arange(len(counts)), counts), np.ones(len(order))
    merges, made = [np.empty((0, 4))], len(order)
    while len(point) > len(counts):
        place = np.arange(len(point)) - np.searchsorted(point, point)
        left = np.flatnonzero((place[:-1] % 2 == 0) & (point[1:] == point[:-1]))
        sizes[left] += sizes[left + 1]
        merges.append(np.column_stack([nodes[left], nodes[left + 1], apart[point[left]], sizes[left]]))
        nodes[left] = np.arange(made, made + len(left))
        made += len(left)
        stays = np.ones(len(point), bool)
        stays[left + 1] = False
        nodes, point, sizes = nodes[stays], point[stays], sizes[stays]
    return nodes, np.concatenate(merges)
