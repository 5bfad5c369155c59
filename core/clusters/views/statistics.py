"""Statistics of clusters: centroids, representatives, cohesion, neighbours and borderline members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.asset_index import identical_groups, stable_argsort

BLOCK_ROWS = 2048
BLOCK_CLUSTERS = 512
BLOCK_MEMBERS = 256
ROWS_PER_COPY = 16  # copying a centroid takes about as long as comparing it with this many rows
MIN_MEAN_NORM = 1e-6  # a shorter mean of float32 unit vectors is nothing but rounding
ANGLE_ROUNDING = 1e-3  # of an angle (radians) between float32 unit vectors


@dataclass(frozen=True, eq=False)
class ClusterStatistics:
    """Statistics of the clusters of one labelling.

    `centroids` are (k, d) float32 of unit length (zero if the members cancel out). `representatives` (k,) are rows: the
    medoid, the member most similar to the others on average. `cohesion` (k,) is the members' mean cosine similarity to
    each other, 1 for a single one. `similarity` (n,) is each row's cosine to its own centroid, NaN if it has none. The
    margin of a row is how much nearer it is to its own centroid than to the nearest other one: members with a small or
    negative margin are borderline.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int32]
    centroids: NDArray[np.float32]
    representatives: NDArray[np.int64]
    cohesion: NDArray[np.float32]
    similarity: NDArray[np.float32]

    def neighbours(self, numbers: Sequence[int] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The other cluster with the most similar centroid, and that cosine, for all clusters or the m given ones: both
        (k,) or (m,); -1 and NaN if there is no other. For all clusters, time is quadratic in k."""
        selected = range(len(self.centroids)) if numbers is None else numbers
        nearest, cosine = np.full(len(selected), -1), np.full(len(selected), np.nan, np.float32)
        for block, to_others in self._cosines_to_others(selected):
            nearest[block] = to_others.argmax(axis=1)
            cosine[block] = to_others.max(axis=1)
        return nearest, cosine

    def members(self, number: int) -> NDArray[np.int64]:
        """The rows of a cluster, the most typical first, (size,)."""
        rows = np.flatnonzero(self.labels == number)
        return rows[np.argsort(-self.similarity[rows], kind="stable")]

    def borderline(self, number: int, margin: float) -> NDArray[np.int64]:
        """The rows of a cluster whose margin is below `margin`, by ascending margin."""
        rows = self.members(number)
        margins = next(
            (self._margins(rows, to_others[0], margin) for _, to_others in self._cosines_to_others([number])), None
        )
        if margins is None:
            return rows[:0]
        below = np.flatnonzero(margins < margin)
        return rows[below[np.lexsort((rows[below], margins[below]))]]

    def borderline_counts(self, margin: float, numbers: Sequence[int] | None = None) -> NDArray[np.int64]:
        """How many members of all clusters, or of the m given ones, have a margin below `margin`, (k,) or (m,)."""
        selected = range(len(self.centroids)) if numbers is None else numbers
        counts = np.zeros(len(selected), np.int64)
        order, start = self._by_cluster
        for block, cosines in self._cosines_to_others(selected):
            for i, to_others in zip(range(block.start, block.stop), cosines, strict=True):
                rows = order[start[selected[i]] : start[selected[i] + 1]]
                counts[i] = np.count_nonzero(self._margins(rows, to_others, margin) < margin)
        return counts

    def _cosines_to_others(self, numbers: Sequence[int]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Blocks of `numbers`, and the cosines of their centroids to all centroids, -inf to their own; nothing if there
        is no other cluster."""
        if len(self.centroids) < 2:
            return
        for start in range(0, len(numbers), BLOCK_CLUSTERS):
            own = np.asarray(numbers[start : start + BLOCK_CLUSTERS], np.int64)
            cosines = self.centroids[own] @ self.centroids.T
            cosines[np.arange(len(own)), own] = -np.inf
            yield slice(start, start + len(own)), cosines

    def _margins(self, rows: NDArray[np.int64], to_others: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
        """The margins of `rows`, all of one cluster, where they are below `limit`; some value ≥ `limit` elsewhere.

        `to_others` (k,) are the cosines of the cluster's centroid to the others. By the triangle inequality of angles,
        a centroid further from the own one than the sum of a row's angle to its centroid and the angle at the limit
        cannot bring that row's margin below the limit. Rows are processed in blocks, the most typical first, so that
        the last row of a block gives the bound for all of them.
        """
        similarity, margins = self.similarity[rows], np.full(len(rows), np.inf, np.float32)
        typical_first = np.argsort(-similarity, kind="stable")
        for start in range(0, len(rows), BLOCK_MEMBERS):
            block = typical_first[start : start + BLOCK_MEMBERS]
            lowest = float(similarity[block[-1]])
            reach = np.arccos(np.clip([lowest, lowest - limit], -1, 1)).sum() + ANGLE_ROUNDING
            near = np.flatnonzero(to_others >= (np.cos(reach) if reach < np.pi else -2.0))
            copy_pays = len(near) * (len(block) + ROWS_PER_COPY) < len(to_others) * len(block)
            if len(near):
                others = self.centroids.take(near, axis=0) if copy_pays else self.centroids
                to_near = self.vectors.take(rows[block], axis=0) @ others.T
                if not copy_pays:
                    to_near[:, np.isneginf(to_others)] = -np.inf  # the own centroid
                margins[block] = similarity[block] - to_near.max(axis=1)
        return margins

    @cached_property
    def _by_cluster(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows by cluster, ascending, and where each cluster starts and the last one ends."""
        order = stable_argsort(self.labels)
        return order, np.searchsorted(self.labels[order], np.arange(len(self.centroids) + 1))


def compute_statistics(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int, previous: ClusterStatistics | None = None
) -> ClusterStatistics:
    """The statistics of `count` clusters of (n, d) float32 unit vectors; `labels` (n,) are their numbers, -1 for none.

    `previous` are statistics of the same vectors for another labelling: clusters that are in both are not computed
    again. The result is the same, to the last bit.
    """
    statistics, is_new = _initial_statistics(vectors, labels, count, previous)
    rows = np.flatnonzero(np.append(is_new, False)[labels])  # the last entry is for -1
    rows = rows[stable_argsort(labels[rows])]
    starts = np.flatnonzero(np.diff(labels[rows], prepend=-1))
    breaks = np.append(starts[np.flatnonzero(np.diff(starts // BLOCK_ROWS, prepend=-1))], len(rows))
    for begin, end in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True):
        _compute_block(statistics, rows[begin:end])
    return statistics


def _initial_statistics(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int, previous: ClusterStatistics | None
) -> tuple[ClusterStatistics, NDArray[np.bool_]]:
    """The statistics of clusters that `previous` has too, those of an empty cluster for the others; which are new."""
    if previous is None or not len(previous.centroids):
        centroids = np.zeros((count, vectors.shape[1]), np.float32)
        medoids, cohesion = np.full(count, -1), np.ones(count, np.float32)
        similarity = np.full(len(labels), np.nan, np.float32)
        return ClusterStatistics(vectors, labels, centroids, medoids, cohesion, similarity), np.ones(count, bool)
    before = identical_groups(labels, count, previous.labels, len(previous.centroids))
    is_new, known = before < 0, np.maximum(before, 0)
    centroids = previous.centroids.take(known, axis=0)
    medoids, cohesion = previous.representatives[known], previous.cohesion[known]
    centroids[is_new], medoids[is_new], cohesion[is_new] = 0, -1, 1
    similarity = np.where(np.append(is_new, True)[labels], np.float32(np.nan), previous.similarity)
    return ClusterStatistics(vectors, labels, centroids, medoids, cohesion, similarity), is_new


def _compute_block(statistics: ClusterStatistics, rows: NDArray[np.int64]) -> None:
    """Fill in the clusters whose members are `rows`, sorted by cluster, then by row."""
    own, members = statistics.labels[rows], statistics.vectors.take(rows, axis=0)  # faster than [rows]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    numbers, sizes = own[starts], np.diff(starts, append=len(rows))
    sums = np.empty((len(starts), members.shape[1]))
    for i, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        np.add.reduce(members[start : start + size], axis=0, dtype=np.float64, out=sums[i])
    norms = np.linalg.norm(sums, axis=1)
    sums[norms <= MIN_MEAN_NORM * sizes] = 0
    centroids = (sums / np.maximum(norms, MIN_MEAN_NORM)[:, None]).astype(np.float32)
    similarity = np.einsum("ij,ij->i", members, np.repeat(centroids, sizes, axis=0))
    pairs = np.maximum(sizes * (sizes - 1), 1)
    statistics.centroids[numbers] = centroids
    statistics.similarity[rows] = similarity
    statistics.cohesion[numbers] = np.where(sizes > 1, (norms**2 - sizes) / pairs, 1.0)
    statistics.representatives[numbers] = rows[_first_maxima(similarity, starts, sizes)]


def _first_maxima(
    values: NDArray[np.float32], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The first maximum of each run of values: the row nearest to its centroid is the one most similar to all members
    on average."""
    maxima = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, starts), sizes))
    return maxima[np.searchsorted(maxima, starts)]
