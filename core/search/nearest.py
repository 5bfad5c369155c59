"""Exact nearest neighbours by cosine in a matrix of unit vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest(
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
