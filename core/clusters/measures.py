"""What is measured of clusters: centroids, representatives, cohesion, neighbours, and who stands at the border."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 8192
ROUNDING = 1e-6  # a mean of float32 unit vectors that is shorter than this is nothing but their rounding


@dataclass(frozen=True, eq=False)
class Measures:
    """The clusters of one labelling.

    `centroids` are (k, d) float32 of unit length (zero where members cancel out). `representatives` (k,) are rows: the
    medoid, the member most similar to the others on average. `cohesion` (k,) is the members' mean cosine similarity to
    each other, 1 for a single one. `similarity` (n,) is each row's cosine to its own centroid, NaN where it has none.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int32]
    centroids: NDArray[np.float32]
    representatives: NDArray[np.int64]
    cohesion: NDArray[np.float32]
    similarity: NDArray[np.float32]

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """For every cluster the other one with the most similar centroid, (k,), and that cosine; -1, NaN if alone."""
        count = len(self.centroids)
        if count < 2:
            return np.full(count, -1), np.full(count, np.nan, np.float32)
        between = self.centroids @ self.centroids.T
        np.fill_diagonal(between, -np.inf)
        nearest = between.argmax(axis=1)
        return nearest, between[np.arange(count), nearest]

    @cached_property
    def margins(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """How much nearer each row is to its own centroid than to the nearest other one, (n,), and that other (n,).

        A small or negative margin means that the row stands at the border. NaN and -1 for rows without a cluster, and
        where there is only one.
        """
        margin, other = np.full(len(self.labels), np.nan, np.float32), np.full(len(self.labels), -1)
        rows = np.flatnonzero(self.labels >= 0)
        if len(self.centroids) < 2:
            return margin, other
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            to_all = self.vectors[block] @ self.centroids.T
            to_all[np.arange(len(block)), self.labels[block]] = -np.inf
            other[block] = to_all.argmax(axis=1)
            margin[block] = self.similarity[block] - to_all.max(axis=1)
        return margin, other

    def members(self, number: int) -> NDArray[np.int64]:
        """The rows of a cluster, the most typical first, (size,)."""
        rows = np.flatnonzero(self.labels == number)
        return rows[np.argsort(-self.similarity[rows], kind="stable")]

    def borderline(self, number: int, margin: float) -> NDArray[np.int64]:
        """The rows of a cluster whose margin is below `margin`, the most doubtful first."""
        margins = self.margins[0]
        rows = np.flatnonzero((self.labels == number) & (margins < margin))
        return rows[np.argsort(margins[rows], kind="stable")]

    def borderline_counts(self, margin: float) -> NDArray[np.int64]:
        """How many members of each cluster have a margin below `margin`, (k,)."""
        doubtful = (self.labels >= 0) & (self.margins[0] < margin)
        return np.bincount(self.labels[doubtful], minlength=len(self.centroids))


def measure(vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int) -> Measures:
    """Measure `count` clusters of (n, d) float32 unit vectors; `labels` (n,) are their numbers, -1 for none."""
    sums, sizes = _sums(vectors, labels, count)
    lengths = np.linalg.norm(sums, axis=1)
    sums[lengths <= ROUNDING * sizes] = 0
    centroids = (sums / np.maximum(lengths, ROUNDING)[:, None]).astype(np.float32)
    similarity = np.full(len(labels), np.nan, np.float32)
    rows = np.flatnonzero(labels >= 0)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        similarity[block] = np.einsum("ij,ij->i", vectors[block], centroids[labels[block]])
    pairs = np.maximum(sizes * (sizes - 1), 1)
    cohesion = np.where(sizes > 1, (lengths**2 - sizes) / pairs, 1.0).astype(np.float32)
    return Measures(vectors, labels, centroids, _medoids(labels, similarity, count), cohesion, similarity)


def _sums(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    sums = np.zeros((count, vectors.shape[1]))
    order = np.argsort(labels, kind="stable")[np.count_nonzero(labels < 0) :]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for number in range(count):
        sums[number] = vectors[order[starts[number] : starts[number + 1]]].sum(axis=0, dtype=np.float64)
    return sums, sizes


def _medoids(labels: NDArray[np.int32], similarity: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The row nearest to its centroid is the one most similar to all members on average; of several the first."""
    rows = np.flatnonzero(labels >= 0)
    rows = rows[np.lexsort((rows, -similarity[rows], labels[rows]))]
    found, first = np.unique(labels[rows], return_index=True)
    medoids = np.full(count, -1)
    medoids[found] = rows[first]
    return medoids
