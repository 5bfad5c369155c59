"""Exact nearest neighbours by cosine in a matrix of unit vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import QueryError

MIN_NORM = 1e-3


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
    rows = _largest(similarity, count)
    return Matches(rows, np.clip(similarity[rows], -1.0, 1.0), passing)


def blend_query_vectors(image: NDArray[np.float32], text: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The mean of both, weighted by the text's share `weight` (0 to 1) and normalized to unit length.

    `image` and `text` are (d,) float32 of unit length, and so is the result. At 0 and at 1 it is the one or the other
    unchanged. Raises QueryError for another weight, and where both cancel each other out.
    """
    if not 0 <= weight <= 1:
        raise QueryError(f"the weight of the words is {weight:g}: choose one from 0 (the picture alone) to 1")
    if weight in (0, 1):
        return text if weight else image
    mean = (1 - weight) * image.astype(np.float64) + weight * text.astype(np.float64)
    norm = float(np.linalg.norm(mean))
    if norm < MIN_NORM:
        raise QueryError(f"picture and words cancel each other out at a weight of {weight:g}: choose another weight")
    unit: NDArray[np.float32] = (mean / norm).astype(np.float32)
    return unit


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
