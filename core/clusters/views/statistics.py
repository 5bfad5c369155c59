"""What is measured of clusters: centroids, representatives, cohesion, neighbours, and who stands at the border."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.asset_index import by_label, same_groups

BLOCK_ROWS = 2048
BLOCK_CLUSTERS = 512
BLOCK_MEMBERS = 256
ROWS_PER_COPY = 16  # copying a centroid takes about as long as comparing it with so many rows
ROUNDING = 1e-6  # a mean of float32 unit vectors that is shorter than this is nothing but their rounding
ANGLE_ROUNDING = 1e-3  # of an angle (radians) between float32 unit vectors


@dataclass(frozen=True, eq=False)
class ClusterStatistics:
    """The clusters of one labelling.

    `centroids` are (k, d) float32 of unit length (zero where members cancel out). `representatives` (k,) are rows: the
    medoid, the member most similar to the others on average. `cohesion` (k,) is the members' mean cosine similarity to
    each other, 1 for a single one. `similarity` (n,) is each row's cosine to its own centroid, NaN where it has none.
    The margin of a row is how much nearer it is to its own centroid than to the nearest other one: who has a small or
    a negative one stands at the border.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int32]
    centroids: NDArray[np.float32]
    representatives: NDArray[np.int64]
    cohesion: NDArray[np.float32]
    similarity: NDArray[np.float32]

    def neighbours(self, numbers: Sequence[int] | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The other cluster with the most similar centroid, and that cosine, for each cluster, or for these m ones: two
        times (k,) or (m,); -1 and NaN for one that is alone. For all, time goes with the square of k."""
        wanted = range(len(self.centroids)) if numbers is None else numbers
        nearest, cosine = np.full(len(wanted), -1), np.full(len(wanted), np.nan, np.float32)
        if len(self.centroids) < 2:
            return nearest, cosine
        for some, to_all in self._to_all(wanted):
            nearest[some] = to_all.argmax(axis=1)
            cosine[some] = to_all.max(axis=1)
        return nearest, cosine

    def members(self, number: int) -> NDArray[np.int64]:
        """The rows of a cluster, the most typical first, (size,)."""
        rows = np.flatnonzero(self.labels == number)
        return rows[np.argsort(-self.similarity[rows], kind="stable")]

    def borderline(self, number: int, margin: float) -> NDArray[np.int64]:
        """The rows of a cluster whose margin is below `margin`, the most doubtful first."""
        rows = self.members(number)
        margins = next((self._margins(rows, to_all[0], margin) for _, to_all in self._to_all([number])), None)
        if margins is None:
            return rows[:0]
        doubtful = np.flatnonzero(margins < margin)
        return rows[doubtful[np.lexsort((rows[doubtful], margins[doubtful]))]]

    def borderline_counts(self, margin: float, numbers: Sequence[int] | None = None) -> NDArray[np.int64]:
        """How many members of each cluster, or of these m ones, have a margin below `margin`, (k,) or (m,)."""
        wanted = range(len(self.centroids)) if numbers is None else numbers
        counts = np.zeros(len(wanted), np.int64)
        order, start = self._by_cluster
        for some, to_all in self._to_all(wanted):
            for place, to_others in zip(range(some.start, some.stop), to_all, strict=True):
                rows = order[start[wanted[place]] : start[wanted[place] + 1]]
                counts[place] = np.count_nonzero(self._margins(rows, to_others, margin) < margin)
        return counts

    def _to_all(self, numbers: Sequence[int]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Cosines of the centroids of `numbers` to all others, -inf to themselves, some at a time; nothing if alone."""
        if len(self.centroids) < 2:
            return
        for start in range(0, len(numbers), BLOCK_CLUSTERS):
            own = np.asarray(numbers[start : start + BLOCK_CLUSTERS], np.int64)
            to_all = self.centroids[own] @ self.centroids.T
            to_all[np.arange(len(own)), own] = -np.inf
            yield slice(start, start + len(own)), to_all

    def _margins(self, rows: NDArray[np.int64], to_others: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
        """The margins of `rows`, all of one cluster, as far as they are below `limit`; at least that for the others.

        `to_others` (k,) is the cosine of that cluster's centroid to each other one. By the triangle inequality of
        angles, a centroid further from the own one than a row's angle to it and the angle at the limit together cannot
        bring that row's margin below the limit. Rows are looked at some at a time, the most typical first: the last of
        them speaks for all.
        """
        similarity, margins = self.similarity[rows], np.full(len(rows), np.inf, np.float32)
        typical = np.argsort(-similarity, kind="stable")
        for start in range(0, len(rows), BLOCK_MEMBERS):
            block = typical[start : start + BLOCK_MEMBERS]
            lowest = float(similarity[block[-1]])
            reach = np.arccos(np.clip([lowest, lowest - limit], -1, 1)).sum() + ANGLE_ROUNDING
            near = np.flatnonzero(to_others >= (np.cos(reach) if reach < np.pi else -2.0))
            worth_it = len(near) * (len(block) + ROWS_PER_COPY) < len(to_others) * len(block)
            if len(near):
                others = self.centroids.take(near, axis=0) if worth_it else self.centroids
                to_near = self.vectors.take(rows[block], axis=0) @ others.T
                if not worth_it:
                    to_near[:, np.isneginf(to_others)] = -np.inf  # the own one
                margins[block] = similarity[block] - to_near.max(axis=1)
        return margins

    @cached_property
    def _by_cluster(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows by cluster, ascending, and where each cluster begins and the last one ends."""
        order = by_label(self.labels)
        return order, np.searchsorted(self.labels[order], np.arange(len(self.centroids) + 1))


def measure(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int, like: ClusterStatistics | None = None
) -> ClusterStatistics:
    """Measure `count` clusters of (n, d) float32 unit vectors; `labels` (n,) are their numbers, -1 for none.

    `like` are measures of the same vectors by other labels: clusters that are in both are not measured again. The
    result is the same, to the last bit.
    """
    found, fresh = _begun(vectors, labels, count, like)
    rows = np.flatnonzero(np.append(fresh, False)[labels])  # the last is for -1
    rows = rows[by_label(labels[rows])]
    starts = np.flatnonzero(np.diff(labels[rows], prepend=-1))
    breaks = np.append(starts[np.flatnonzero(np.diff(starts // BLOCK_ROWS, prepend=-1))], len(rows))
    for begin, end in zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True):
        _measure_some(found, rows[begin:end])
    return found


def _begun(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], count: int, like: ClusterStatistics | None
) -> tuple[ClusterStatistics, NDArray[np.bool_]]:
    """What `like` knows of clusters with the same members, what holds of empty ones for the others, which these are."""
    if like is None or not len(like.centroids):
        empty = np.zeros((count, vectors.shape[1]), np.float32), np.full(count, -1), np.ones(count, np.float32)
        return ClusterStatistics(vectors, labels, *empty, np.full(len(labels), np.nan, np.float32)), np.ones(
            count, bool
        )
    before = same_groups(labels, count, like.labels, len(like.centroids))
    fresh, known = before < 0, np.maximum(before, 0)
    centroids, medoids, cohesion = like.centroids.take(known, axis=0), like.representatives[known], like.cohesion[known]
    centroids[fresh], medoids[fresh], cohesion[fresh] = 0, -1, 1
    similarity = np.where(np.append(fresh, True)[labels], np.float32(np.nan), like.similarity)
    return ClusterStatistics(vectors, labels, centroids, medoids, cohesion, similarity), fresh


def _measure_some(found: ClusterStatistics, rows: NDArray[np.int64]) -> None:
    """Measure the clusters that `rows` are all members of, sorted by cluster, then by row."""
    own, members = found.labels[rows], found.vectors.take(rows, axis=0)  # faster than [rows]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    numbers, sizes = own[starts], np.diff(starts, append=len(rows))
    sums = np.empty((len(starts), members.shape[1]))
    for place, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        np.add.reduce(members[start : start + size], axis=0, dtype=np.float64, out=sums[place])
    lengths = np.linalg.norm(sums, axis=1)
    sums[lengths <= ROUNDING * sizes] = 0
    centroids = (sums / np.maximum(lengths, ROUNDING)[:, None]).astype(np.float32)
    similarity = np.einsum("ij,ij->i", members, np.repeat(centroids, sizes, axis=0))
    pairs = np.maximum(sizes * (sizes - 1), 1)
    found.centroids[numbers] = centroids
    found.similarity[rows] = similarity
    found.cohesion[numbers] = np.where(sizes > 1, (lengths**2 - sizes) / pairs, 1.0)
    found.representatives[numbers] = rows[_first_greatest(similarity, starts, sizes)]


def _first_greatest(
    values: NDArray[np.float32], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Where each stretch has its greatest value, of several the first: the row nearest to its centroid is the one most
    similar to all members on average."""
    greatest = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, starts), sizes))
    return greatest[np.searchsorted(greatest, starts)]
