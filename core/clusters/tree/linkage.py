"""The complete average-linkage dendrogram of a set of vectors, exact, without a full distance matrix."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.flat_tree import FlatTree
from core.clusters.tree.unique_rows import find_unique_rows
from core.records.jobs import Progress, ProgressListener, ignore

PHASE = "link"
REPORT_INTERVAL_S = 0.25


@dataclass(frozen=True, eq=False)
class Linkage:
    """A dendrogram of `n` rows in the format of scipy.cluster.hierarchy.

    `z` is (n - 1, 4) float64, (0, 4) for fewer than two rows. Merge i joins the nodes z[i, 0] < z[i, 1] at the cosine
    distance z[i, 2] into node n + i of z[i, 3] rows; nodes below n are rows. Distances never decrease.
    """

    z: NDArray[np.float64]
    n: int

    @cached_property
    def similarities(self) -> NDArray[np.float64]:
        """The cosine similarity of each merge, (n - 1,), never increasing."""
        return 1 - self.z[:, 2]

    @cached_property
    def tree(self) -> FlatTree:
        """The tree as flat arrays for cuts, computed once."""
        return FlatTree.from_merges(self.z, self.n)


def average_linkage(
    vectors: NDArray[np.float32],
    *,
    listener: ProgressListener = ignore,
    device: str = "cpu",
    clock: Callable[[], float] = time.monotonic,
) -> Linkage:
    """The dendrogram of the rows of `vectors` (n, d) float32 by average linkage (UPGMA) on cosine distance.

    Every merge joins a closest pair of clusters, up to float64 rounding; rows are normalised to unit length first. The
    result does not depend on the row order: rows are processed in the order of their bytes, and ties are broken within
    it. Equal rows merge first, at distance 0. Rows of zeros have similarity 0 with everything, each other included.
    Distances are clipped at 0, and a merge is never nearer than one it contains: average linkage is monotone, so this
    only corrects rounding. Reduced precision, on devices where it is fast, shortens the search and never changes the
    result.

    `device` is a torch device that supports float64 (`cpu`, `cuda`). `listener` receives the number of merges made, a
    few times a second by `clock` (seconds); an exception it raises stops the computation and propagates. Raises
    ClusterError for vectors that are not (n, d) or not finite.
    """
    points = find_unique_rows(vectors)
    if len(vectors) < 2:
        return Linkage(np.empty((0, 4)), len(vectors))
    from core.clusters.tree.merging import (
        ReciprocalMerger,  # imports torch, which cuts of a stored dendrogram don't need
    )

    report = _ThrottledReport(listener, len(vectors) - 1, clock)
    merges = ReciprocalMerger(points, device, report).run()
    report.send(len(merges))
    return Linkage(_sorted_by_distance(merges, len(vectors)), len(vectors))


def _sorted_by_distance(merges: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The merges sorted by distance, ties in the order they were made, with their nodes renumbered accordingly."""
    order = np.argsort(merges[:, 2], kind="stable")
    number = np.arange(n + len(merges))
    number[n + order] = np.arange(n, n + len(merges))
    z = merges[order]
    z[:, :2] = np.sort(number[z[:, :2].astype(np.int64)], axis=1)
    return z


class _ThrottledReport:
    """Reports the number of merges made to a listener, at most every 0.25 s."""

    def __init__(self, listener: ProgressListener, total: int, clock: Callable[[], float]) -> None:
        self._listener, self._total, self._clock = listener, total, clock
        self._started_s, self._last_s = clock(), float("-inf")

    def __call__(self, done: int) -> None:
        if self._clock() - self._last_s >= REPORT_INTERVAL_S:
            self.send(done)

    def send(self, done: int) -> None:
        self._last_s = self._clock()
        elapsed_s = self._last_s - self._started_s
        rate = done / elapsed_s if elapsed_s else 0.0
        self._listener(Progress(PHASE, done, self._total, rate, (self._total - done) / rate if rate else None))
