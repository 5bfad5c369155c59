"""Reciprocal merging: all pairs of clusters that are each other's nearest merge at once, until one cluster is left.

Average linkage on cosine, after Sumengen et al. 2021, "Scaling Hierarchical Agglomerative Clustering to Billion-sized
Datasets". The average cosine between two clusters of unit vectors is the dot product of their mean vectors, so a
cluster is a mean and a count. Average linkage is reducible (a merged cluster is never nearer to a third one than the
nearer of its parts), so the order in which such pairs merge does not matter.

Each cluster keeps a list of near clusters with their exact similarities, and a ceiling on the similarity of all others.
Both survive merges: a merged cluster takes both lists, and the weighted mean of both ceilings bounds what is in
neither. So most clusters find their next nearest without looking through all of them again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from core.clusters.tree.nearest_shortlist import LIST_LENGTH, Rows, shortlists, similarities
from core.clusters.tree.unique_rows import UniqueRows

MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio


class Merging:
    """Clusters that merge until one is left. A cluster goes by the number of one of its points."""

    def __init__(self, points: UniqueRows, device: str, tick: Callable[[int], None]) -> None:
        """`points` is taken over: its arrays change. `tick` hears how many merges are made, often."""
        self._means, self._counts, self._nodes, self._heights = (
            points.vectors,
            points.counts,
            points.nodes,
            points.heights,
        )
        self._rounds, self._made, self._rows = [points.merges], len(points.merges), int(points.counts.sum())
        self._sieves, self._tick = shortlists(self._means, torch.device(device)), tick
        self._alive = np.arange(len(points.vectors))
        self._lists = np.tile(self._alive[:, None], LIST_LENGTH)
        self._known = np.full(self._lists.shape, -np.inf)
        self._ceilings = np.full(len(self._alive), np.inf)

    def run(self) -> NDArray[np.float64]:
        """All merges, those of `points` first, in an order in which they can be made: (n - 1, 4), as in `points`."""
        while len(self._alive) > 1:
            self._tick(self._made)
            kept, gone, similarity, unsure = self._closest_pairs()
            if len(kept):
                self._merge(kept, gone, similarity)
            else:
                self._look(unsure)
        return np.concatenate(self._rounds)

    def _closest_pairs(self) -> tuple[Rows, Rows, NDArray[np.float64], Rows]:
        """Pairs that are each other's nearest beyond doubt, with their similarity, and the clusters in doubt.

        Every cluster proposes to the best of its list. A pair merges if both sides know of no better proposal, made or
        received, and their ceilings allow of none. Equal similarities are told apart by a number that both sides
        compute alike and that has nothing to do with order, so that ties pair off instead of queueing.
        """
        alive, size = self._alive, len(self._means)
        place = self._known[alive].argmax(axis=1)
        partner, similarity = self._lists[alive, place], self._known[alive, place]
        low, high = np.minimum(alive, partner), np.maximum(alive, partner)
        sides, number = np.stack([alive, partner]), (low * size + high).astype(np.uint64) * MIX
        best, first = np.full(size, -np.inf), np.zeros(size, np.uint64)
        for side in sides:
            np.maximum.at(best, side, similarity)
        is_best = best[sides] == similarity
        for side, proposed in zip(sides, is_best, strict=True):
            np.maximum.at(first, side[proposed], number[proposed])
        agreed = (is_best & (first[sides] == number) & (self._ceilings[sides] <= similarity)).all(axis=0)
        gone = np.full(size, -1)
        gone[low[agreed]] = high[agreed]
        kept = np.flatnonzero(gone >= 0)
        return kept, gone[kept], best[kept], alive[best[alive] < self._ceilings[alive]]

    def _look(self, rows: Rows) -> None:
        """Search lists for `rows` among all clusters, in the fastest precision first."""
        for sieve in self._sieves:
            lists, ceilings = sieve.nearest(rows, self._alive, lambda: self._tick(self._made))
            known = similarities(self._means, rows, lists)
            nearest = known.max(axis=1)
            if sieve is self._sieves[-1]:
                ceilings = np.minimum(ceilings, nearest)  # what is still in doubt ties within float64's rounding
            self._lists[rows], self._known[rows], self._ceilings[rows] = lists, known, ceilings
            rows = rows[nearest < ceilings]
            if not len(rows):
                return

    def _merge(self, kept: Rows, gone: Rows, similarity: NDArray[np.float64]) -> None:
        self._join(kept, gone, similarity)
        now = np.arange(len(self._means))
        now[gone] = kept
        self._alive = self._alive[now[self._alive] == self._alive]
        changed = np.zeros(len(now), bool)
        changed[kept] = True
        self._inherit(kept, now[np.hstack([self._lists[kept], self._lists[gone]])])
        self._follow(self._alive[~changed[self._alive]], now, changed)

    def _join(self, kept: Rows, gone: Rows, similarity: NDArray[np.float64]) -> None:
        """Note the merges, and give what is kept the mean, count, height, ceiling and node of both."""
        sizes = self._counts[kept] + self._counts[gone]
        share = self._counts[kept] / sizes
        heights = np.maximum(1 - similarity, np.maximum(self._heights[kept], self._heights[gone]))
        self._rounds.append(np.column_stack([self._nodes[kept], self._nodes[gone], heights, sizes]))
        self._means[kept] = share[:, None] * self._means[kept] + (1 - share)[:, None] * self._means[gone]
        for sieve in self._sieves:
            sieve.refresh(kept)
        self._ceilings[kept] = share * self._ceilings[kept] + (1 - share) * self._ceilings[gone]
        self._counts[kept], self._heights[kept] = sizes, heights
        self._nodes[kept] = self._rows + self._made + np.arange(len(kept))
        self._made += len(kept)

    def _inherit(self, rows: Rows, lists: Rows) -> None:
        """Give merged clusters the best of both lists; what a list has no room for raises the ceiling."""
        lists, _ = _without_repeats(rows, lists)
        known = similarities(self._means, rows, lists)
        place = np.argsort(-known, axis=1)[:, : LIST_LENGTH + 1]
        known = np.take_along_axis(known, place, axis=1)
        self._lists[rows] = np.take_along_axis(lists, place[:, :-1], axis=1)
        self._known[rows] = known[:, :-1]
        self._ceilings[rows] = np.maximum(self._ceilings[rows], known[:, -1])

    def _follow(self, rows: Rows, now: Rows, changed: NDArray[np.bool_]) -> None:
        """Bring the lists of other clusters up to date where they name a merged one."""
        lists = now[self._lists[rows]]
        touched = changed[lists].any(axis=1)
        rows = rows[touched]
        lists, order = _without_repeats(rows, lists[touched])
        known = np.take_along_axis(self._known[rows], order, axis=1)
        known[lists == rows[:, None]] = -np.inf
        row, place = np.nonzero(changed[lists])
        known[row, place] = similarities(self._means, rows[row], lists[row, place, None])[:, 0]
        self._lists[rows], self._known[rows] = lists, known


def _without_repeats(rows: Rows, lists: Rows) -> tuple[Rows, Rows]:
    """The lists in ascending order, and that order; what repeats becomes an empty place."""
    order = np.argsort(lists, axis=1, kind="stable")
    lists = np.take_along_axis(lists, order, axis=1)
    repeated = np.zeros(lists.shape, bool)
    repeated[:, 1:] = lists[:, 1:] == lists[:, :-1]
    return np.where(repeated, rows[:, None], lists), order
