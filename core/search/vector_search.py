"""Exact nearest neighbours by cosine in a matrix of unit vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Matches(NamedTuple):
    """Rows with their cosine similarities, (k,) each, the best first, and how many rows passed in total."""

    rows: NDArray[np.intp]
    similarities: NDArray[np.float32]
    passing: int


def nearest_rows(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    top: int,
    mask: NDArray[np.bool_] | None = None,
    min_similarity: float = -1.0,
) -> Matches:
    """The rows of `vectors` most similar to `query`, by cosine, which for unit vectors is the dot product.

    `vectors` is (n, d) float32, `query` (d,) float32, both unit length; `mask` (n,) bool limits the rows,
    `min_similarity` the similarity (inclusive). Returns at most `top` rows, those of equal similarity in row order.
    """
    similarity = vectors @ query
    if mask is not None:
        similarity = np.where(mask, similarity, np.float32(-2.0))
    passing = int(np.count_nonzero(similarity >= max(min_similarity, -1.5)))
    count = min(top, passing)
    if count == 0:
        return Matches(np.empty(0, np.intp), np.empty(0, np.float32), passing)
    rows = largest(similarity, count)
    return Matches(rows, np.clip(similarity[rows], -1.0, 1.0), passing)


def spread_rows(vectors: NDArray[np.float32], count: int) -> list[int]:
    """Rows of (n, d) unit vectors that are far apart: farthest-first traversal by cosine (Gonzalez 1985).

    It starts with the row nearest to the mean, so the result depends on the vectors alone.
    """
    if len(vectors) == 0:
        return []
    rows = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    similarity = vectors @ vectors[rows[0]]
    while len(rows) < min(count, len(vectors)):
        rows.append(int(np.argmin(similarity)))
        similarity = np.maximum(similarity, vectors @ vectors[rows[-1]])
    return rows


def largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The positions of the `count` largest values, largest first, equal values in order of position."""
    if count <= 0:
        return np.empty(0, np.intp)
    if count < len(values):
        threshold = np.partition(values, len(values) - count)[len(values) - count]
        above = np.flatnonzero(values > threshold)
        level = np.flatnonzero(values == threshold)[: count - len(above)]
        candidates = np.concatenate([above, level])
    else:
        candidates = np.arange(len(values))
    order = np.lexsort((candidates, -values[candidates]))
    return candidates[order][:count]
