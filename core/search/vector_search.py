"""Exact nearest neighbours by cosine in a matrix of unit vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import QueryError


def nearest_rows(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    top: int,
    mask: NDArray[np.bool_] | None = None,
    floor: float = -1.0,
) -> tuple[NDArray[np.intp], NDArray[np.float32], int]:
    """The rows of `vectors` most similar to `query`, by cosine, which for unit vectors is the dot product.

    `vectors` is (n, d) float32, `query` (d,) float32, both unit length; `mask` (n,) bool limits the rows, `floor`
    the similarity (inclusive). Returns at most `top` row numbers and their similarities, the best first and equal
    ones in row order, and the number of rows that pass `mask` and `floor`.
    """
    similarity = vectors @ query
    if mask is not None:
        similarity = np.where(mask, similarity, np.float32(-2.0))
    passing = int(np.count_nonzero(similarity >= max(floor, -1.5)))
    keep = min(top, passing)
    if keep == 0:
        return np.empty(0, np.intp), np.empty(0, np.float32), passing
    rows = _largest(similarity, keep)
    return rows, np.clip(similarity[rows], -1.0, 1.0), passing


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The positions of the `count` largest values, largest first, equal values in order of position."""
    if count < len(values):
        threshold = np.partition(values, len(values) - count)[len(values) - count]
        above = np.flatnonzero(values > threshold)
        level = np.flatnonzero(values == threshold)[: count - len(above)]
        candidates = np.concatenate([above, level])
    else:
        candidates = np.arange(len(values))
    order = np.lexsort((candidates, -values[candidates]))
    return candidates[order][:count]


LEAST_LENGTH = 1e-3


def blend_query_vectors(picture: NDArray[np.float32], words: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The mean of both, `weight` (0 to 1) being the words' share, brought back to unit length.

    `picture` and `words` are (d,) float32 of unit length, and so is what comes back. At 0 and at 1 it is the one or the
    other unchanged. Raises QueryError for another weight, and where both cancel each other out.
    """
    if not 0 <= weight <= 1:
        raise QueryError(f"the weight of the words is {weight:g}: choose one from 0 (the picture alone) to 1")
    if weight in (0, 1):
        return words if weight else picture
    mean = (1 - weight) * picture.astype(np.float64) + weight * words.astype(np.float64)
    length = float(np.linalg.norm(mean))
    if length < LEAST_LENGTH:
        raise QueryError(f"picture and words cancel each other out at a weight of {weight:g}: choose another weight")
    unit: NDArray[np.float32] = (mean / length).astype(np.float32)
    return unit


def spread_rows(vectors: NDArray[np.float32], count: int) -> list[int]:
    """Rows of (n, d) unit vectors that lie far apart: farthest-first traversal by cosine (Gonzalez 1985).

    It begins with the row nearest to the mean, so the result depends on the vectors alone.
    """
    if len(vectors) == 0:
        return []
    closest = vectors @ vectors.mean(axis=0)
    rows = [int(np.argmax(closest))]
    similarity = vectors @ vectors[rows[0]]
    while len(rows) < min(count, len(vectors)):
        rows.append(int(np.argmin(similarity)))
        similarity = np.maximum(similarity, vectors @ vectors[rows[-1]])
    return rows
