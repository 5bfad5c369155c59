"""Newcomers: the nearest centroid if it is near enough, otherwise a cluster of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError

BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Assigned:
    """Where newcomers go: `cluster` (m,) int64 and the cosine `similarity` (m,) float32 to its centroid.

    Numbers from the count of centroids on are new clusters, in the order in which they came up.
    """

    cluster: NDArray[np.int64]
    similarity: NDArray[np.float32]


def assign(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], new_threshold: float
) -> Assigned:
    """Assign (m, d) float32 unit vectors to (k, d) unit centroids.

    A vector goes to its nearest centroid if their cosine is at least that cluster's threshold, (k,). Those left over
    are taken in order: each joins the nearest cluster that earlier ones of them founded if the cosine to its normalised
    mean is at least `new_threshold`, otherwise it founds one. Raises ClusterError where shapes do not fit.
    """
    _check(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    left_over = np.flatnonzero((nearest < 0) | (similarity < np.append(thresholds, np.inf)[nearest]))
    founded = _found(vectors[left_over], new_threshold)
    nearest[left_over], similarity[left_over] = founded.cluster + len(centroids), founded.similarity
    return Assigned(nearest, similarity)


def _check(vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating]) -> None:
    if centroids.ndim != 2 or vectors.ndim != 2 or centroids.shape[1] != vectors.shape[1]:
        raise ClusterError(f"vectors {vectors.shape} and centroids {centroids.shape} do not fit: same model?")
    if thresholds.shape != (len(centroids),):
        raise ClusterError(f"there are {thresholds.shape} thresholds for {len(centroids)} centroids: give one to each")


def _nearest(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    nearest, similarity = np.full(len(vectors), -1), np.full(len(vectors), -np.inf, np.float32)
    if not len(centroids):
        return nearest, similarity
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        to_all = vectors[block] @ centroids.T
        nearest[block] = to_all.argmax(axis=1)
        similarity[block] = to_all.max(axis=1)
    return nearest, similarity


def _found(vectors: NDArray[np.float32], threshold: float) -> Assigned:
    """Leader clustering: one pass, each to the nearest cluster founded so far, if it is near enough."""
    cluster, similarity = np.zeros(len(vectors), np.int64), np.ones(len(vectors), np.float32)
    sums, lengths, count = np.zeros_like(vectors), np.zeros(len(vectors), np.float32), 0
    for row, vector in enumerate(vectors):
        cosines = sums[:count] @ vector / lengths[:count]
        best = int(cosines.argmax()) if count else 0
        if count and cosines[best] >= threshold:
            similarity[row] = cosines[best]
        else:
            best, count = count, count + 1
        cluster[row] = best
        sums[best] += vector
        lengths[best] = max(float(np.linalg.norm(sums[best])), 1e-12)
    return Assigned(cluster, similarity)


@dataclass(frozen=True)
class Change:
    """An asset that would go elsewhere: cluster numbers as in Assigned, -1 for a new cluster of its own."""

    row: int
    before: int
    after: int
    similarity: float


def dry_run(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], proposed: float
) -> Sequence[Change]:
    """What would change if these (m, d) newcomers arrived again and every cluster's threshold were `proposed`.

    Raises ClusterError where shapes do not fit.
    """
    _check(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    allowed = np.append(thresholds, np.inf)[nearest]
    before = np.where(similarity >= allowed, nearest, -1)
    after = np.where(similarity >= proposed, nearest, -1)
    rows = np.flatnonzero(before != after)
    return [Change(int(r), int(before[r]), int(after[r]), float(similarity[r])) for r in rows]
