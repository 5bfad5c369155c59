"""Reciprocal merging: all pairs of clusters that are each other's nearest merge at once, until one cluster is left.

Average linkage on cosine, after Sumengen et al. 2021, "Scaling Hierarchical Agglomerative Clustering to Billion-sized
Datasets". The average cosine between two clusters of unit vectors is the dot product of their mean vectors, so a
cluster is represented by a mean and a count. Average linkage is reducible (a merged cluster is never nearer to a third
one than the nearer of its parts), so the order in which such pairs merge does not matter.

Each cluster has a list of near clusters with their exact similarities, and an upper bound on the similarity of all
others. Both survive merges: a merged cluster combines both lists, and the weighted mean of both bounds covers whatever
is in neither. So most clusters find their next nearest neighbour without a new search.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from core.clusters.tree.nearest_shortlist import LIST_LENGTH, Rows, shortlists, similarities
from core.clusters.tree.unique_rows import UniqueRows

HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio


class ReciprocalMerger:
    """Merges clusters until one is left. A cluster is identified by the number of one of its points."""

    def __init__(self, points: UniqueRows, device: str, on_progress: Callable[[int], None]) -> None:
        """Takes ownership of `points` and modifies its arrays. `on_progress` often receives the number of merges."""
        self._means, self._counts = points.vectors, points.counts
        self._nodes, self._heights = points.nodes, points.heights
        self._row_count, self._merge_count = int(points.counts.sum()), len(points.merges)
        self._merges, self._on_progress = [points.merges], on_progress
        self._shortlists = shortlists(self._means, torch.device(device))
        self._alive = np.arange(len(points.vectors))
        self._neighbours = np.tile(self._alive[:, None], LIST_LENGTH)
        self._similarities = np.full(self._neighbours.shape, -np.inf)
        self._bounds = np.full(len(self._alive), np.inf)

    def run(self) -> NDArray[np.float64]:
        """All merges in a valid order, those of `points` first: (n - 1, 4), in the format of `UniqueRows.merges`."""
        while len(self._alive) > 1:
            self._on_progress(self._merge_count)
            kept, absorbed, similarity, uncertain = self._reciprocal_pairs()
            if len(kept):
                self._merge(kept, absorbed, similarity)
            else:
                self._search(uncertain)
        return np.concatenate(self._merges)

    def _reciprocal_pairs(self) -> tuple[Rows, Rows, NDArray[np.float64], Rows]:
        """Pairs that are certainly each other's nearest, with their similarity, and the clusters that are uncertain.

        Every cluster proposes to the best of its list. A pair merges if neither side made or received a better proposal
        and both bounds rule out anything better. Ties in similarity are broken by a hash of the pair that is the same
        on both sides and unrelated to order, so that tied clusters pair off in parallel instead of queueing.
        """
        alive, size = self._alive, len(self._means)
        best_slot = self._similarities[alive].argmax(axis=1)
        partner, similarity = self._neighbours[alive, best_slot], self._similarities[alive, best_slot]
        low, high = np.minimum(alive, partner), np.maximum(alive, partner)
        sides, pair_hash = np.stack([alive, partner]), (low * size + high).astype(np.uint64) * HASH_MULTIPLIER
        best, best_hash = np.full(size, -np.inf), np.zeros(size, np.uint64)
        for side in sides:
            np.maximum.at(best, side, similarity)
        is_best = best[sides] == similarity
        for side, proposed in zip(sides, is_best, strict=True):
            np.maximum.at(best_hash, side[proposed], pair_hash[proposed])
        agreed = (is_best & (best_hash[sides] == pair_hash) & (self._bounds[sides] <= similarity)).all(axis=0)
        absorbed = np.full(size, -1)
        absorbed[low[agreed]] = high[agreed]
        kept = np.flatnonzero(absorbed >= 0)
        return kept, absorbed[kept], best[kept], alive[best[alive] < self._bounds[alive]]

    def _search(self, rows: Rows) -> None:
        """Search new lists for `rows` among all clusters, in the fastest precision first."""
        for shortlist in self._shortlists:
            neighbours, bounds = shortlist.nearest(rows, self._alive, lambda: self._on_progress(self._merge_count))
            exact = similarities(self._means, rows, neighbours)
            nearest = exact.max(axis=1)
            if shortlist is self._shortlists[-1]:
                bounds = np.minimum(bounds, nearest)  # any remaining doubt is a tie within float64 rounding
            self._neighbours[rows], self._similarities[rows], self._bounds[rows] = neighbours, exact, bounds
            rows = rows[nearest < bounds]
            if not len(rows):
                return

    def _merge(self, kept: Rows, absorbed: Rows, similarity: NDArray[np.float64]) -> None:
        self._join(kept, absorbed, similarity)
        current = np.arange(len(self._means))
        current[absorbed] = kept
        self._alive = self._alive[current[self._alive] == self._alive]
        changed = np.zeros(len(current), bool)
        changed[kept] = True
        self._combine_lists(kept, current[np.hstack([self._neighbours[kept], self._neighbours[absorbed]])])
        self._update_lists(self._alive[~changed[self._alive]], current, changed)

    def _join(self, kept: Rows, absorbed: Rows, similarity: NDArray[np.float64]) -> None:
        """Record the merges, and give `kept` the mean, count, height, bound and node of the merged clusters."""
        sizes = self._counts[kept] + self._counts[absorbed]
        share = self._counts[kept] / sizes
        heights = np.maximum(1 - similarity, np.maximum(self._heights[kept], self._heights[absorbed]))
        self._merges.append(np.column_stack([self._nodes[kept], self._nodes[absorbed], heights, sizes]))
        self._means[kept] = share[:, None] * self._means[kept] + (1 - share)[:, None] * self._means[absorbed]
        for shortlist in self._shortlists:
            shortlist.refresh(kept)
        self._bounds[kept] = share * self._bounds[kept] + (1 - share) * self._bounds[absorbed]
        self._counts[kept], self._heights[kept] = sizes, heights
        self._nodes[kept] = self._row_count + self._merge_count + np.arange(len(kept))
        self._merge_count += len(kept)

    def _combine_lists(self, rows: Rows, neighbours: Rows) -> None:
        """Give merged clusters the best of both lists; whatever does not fit raises the bound."""
        neighbours, _ = _blank_repeats(rows, neighbours)
        exact = similarities(self._means, rows, neighbours)
        best = np.argsort(-exact, axis=1)[:, : LIST_LENGTH + 1]
        exact = np.take_along_axis(exact, best, axis=1)
        self._neighbours[rows] = np.take_along_axis(neighbours, best[:, :-1], axis=1)
        self._similarities[rows] = exact[:, :-1]
        self._bounds[rows] = np.maximum(self._bounds[rows], exact[:, -1])

    def _update_lists(self, rows: Rows, current: Rows, changed: NDArray[np.bool_]) -> None:
        """Update the lists of unmerged clusters that contain a merged one."""
        neighbours = current[self._neighbours[rows]]
        touched = changed[neighbours].any(axis=1)
        rows = rows[touched]
        neighbours, order = _blank_repeats(rows, neighbours[touched])
        exact = np.take_along_axis(self._similarities[rows], order, axis=1)
        exact[neighbours == rows[:, None]] = -np.inf
        row, slot = np.nonzero(changed[neighbours])
        exact[row, slot] = similarities(self._means, rows[row], neighbours[row, slot, None])[:, 0]
        self._neighbours[rows], self._similarities[rows] = neighbours, exact


def _blank_repeats(rows: Rows, neighbours: Rows) -> tuple[Rows, Rows]:
    """The lists in ascending order, and that order; repeated entries become empty slots (the row itself)."""
    order = np.argsort(neighbours, axis=1, kind="stable")
    neighbours = np.take_along_axis(neighbours, order, axis=1)
    repeated = np.zeros(neighbours.shape, bool)
    repeated[:, 1:] = neighbours[:, 1:] == neighbours[:, :-1]
    return np.where(repeated, rows[:, None], neighbours), order
