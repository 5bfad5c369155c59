"""Cluster counts at every threshold, from one pass over a dendrogram, and the plateaus where they hardly change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.linkage import Linkage
from core.text import counted

MAX_MOVED_SHARE = 0.02  # of the rows may change their group within a plateau
MIN_WIDTH = 0.01  # of a plateau, in similarity
MIN_GROUPED_SHARE = 0.1  # of the rows in groups: below, hardly anything is grouped yet
MAX_LARGEST_SHARE = 0.9  # of the rows in one group: above, hardly anything is separated
FALSE_POSITIVE_RATE = 0.01  # of finding a plateau where there is none


@dataclass(frozen=True, eq=False)
class ThresholdCounts:
    """Counts at a series of thresholds: all clusters, those of one row, those of at least `minimum_size` rows
    ("groups") and the rows of the largest one, each int64; and the share of all rows that are in groups, float64."""

    clusters: NDArray[np.int64]
    singletons: NDArray[np.int64]
    groups: NDArray[np.int64]
    largest: NDArray[np.int64]
    share: NDArray[np.float64]

    def take(self, entries: NDArray[np.intp]) -> ThresholdCounts:
        """The counts at the given entries."""
        return ThresholdCounts(*(values[entries] for values in vars(self).values()))


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """Cluster counts of `n` rows by threshold.

    `similarity` (s,) float64 are the distinct similarities of merges, decreasing. Entry j of `counts` (s + 1 entries)
    applies to thresholds from similarity[j - 1] down to, but excluding, similarity[j]. `moved` (s + 1,) float64 is the
    cumulative share of rows that change their group on the way down: at a merge, those of its smaller part.
    """

    n: int
    similarity: NDArray[np.float64]
    counts: ThresholdCounts
    moved: NDArray[np.float64]

    def counts_at(self, thresholds: NDArray[np.float64]) -> ThresholdCounts:
        """The exact counts at arbitrary thresholds."""
        return self.counts.take(np.searchsorted(-self.similarity, -thresholds, side="right"))

    def sample(self, points: int) -> tuple[NDArray[np.float64], ThresholdCounts]:
        """`points` evenly spaced thresholds over the range of all merges, ascending, and the exact counts there."""
        lowest, highest = (self.similarity[-1], self.similarity[0]) if len(self.similarity) else (0.0, 1.0)
        thresholds = np.linspace(lowest, highest, points)
        return thresholds, self.counts_at(thresholds)


@dataclass(frozen=True)
class ThresholdPlateau:
    """A range of thresholds with nearly the same groups; `clusters`, `groups` and `share` (see ThresholdCounts) are
    those at the middle, and `moved` is the share of rows that change their group in between."""

    lowest: float
    highest: float
    clusters: int
    groups: int
    share: float
    moved: float

    @property
    def threshold(self) -> float:
        """The middle of the range: the threshold to suggest."""
        return (self.lowest + self.highest) / 2

    @property
    def width(self) -> float:
        """The width of the range, in similarity."""
        return self.highest - self.lowest

    @property
    def reason(self) -> str:
        """Why to use this threshold, as a sentence."""
        span = f"from {self.lowest:.2f} to {self.highest:.2f}"
        steady = f"hardly change {span} ({100 * self.moved:.1f} % of the pictures move)"
        verb = "holds" if self.groups == 1 else "hold"
        grouped = f"{counted(self.groups, 'group')} {verb} {100 * self.share:.0f} % of the pictures"
        return f"the groups {steady if self.moved >= 0.0005 else f'stay the same {span}'}: {grouped}"


def threshold_curve(linkage: Linkage, minimum_size: int = 2) -> ThresholdCurve:
    """The cluster counts at all thresholds, accumulated over the merges: each changes the counts by what it joins."""
    n, size = linkage.n, linkage.z[:, 3].astype(np.int64)
    parts = np.append(np.ones(n, np.int64), size)[linkage.z[:, :2].astype(np.int64)]
    last = np.flatnonzero(np.append(np.diff(linkage.similarities) != 0, True)[: len(size)])

    def cumulative(steps: NDArray[np.int64], start: int = 0) -> NDArray[np.int64]:
        return np.append(start, start + np.cumsum(steps)[last])

    grouped, were_grouped = size >= minimum_size, parts >= minimum_size
    rows_grouped = size * grouped - (parts * were_grouped).sum(axis=1)
    grouped_alone = n if minimum_size <= 1 else 0
    counts = ThresholdCounts(
        clusters=cumulative(np.full(len(size), -1), n),
        singletons=cumulative(-(parts == 1).sum(axis=1), n),
        groups=cumulative(grouped.astype(np.int64) - were_grouped.sum(axis=1), grouped_alone),
        largest=np.append(min(n, 1), np.maximum.accumulate(size)[last]),
        share=cumulative(rows_grouped, grouped_alone) / max(n, 1),
    )
    return ThresholdCurve(n, linkage.similarities[last], counts, cumulative(parts.min(axis=1)) / max(n, 1))


def find_plateaus(curve: ThresholdCurve, limit: int = 3) -> list[ThresholdPlateau]:
    """The widest threshold intervals in which the groups hardly change, at most `limit`, widest first, not overlapping.

    From each merge down, an interval extends until more than `MAX_MOVED_SHARE` of the rows have changed their group. It
    is a plateau if it is not trivial (`MIN_WIDTH`, `MIN_GROUPED_SHARE`, `MAX_LARGEST_SHARE`, at least two groups) and
    if merges are rarer within it than just before. In a cloud without structure, merges occur at an even or rising rate
    per factor of distance, so the interval, from distance a to b, is compared with the one of equal length on that
    scale, from a·a/b to a: by chance, half of all merges in both would fall into the first. A plateau has so few
    that this has a probability below `FALSE_POSITIVE_RATE` over all n intervals together (Chernoff's bound on the
    binomial tail).
    """
    if len(curve.similarity) < 2:
        return []
    begin = np.arange(1, len(curve.similarity))  # the entry that applies at the interval's upper end
    end = np.searchsorted(curve.moved[:-1], curve.moved[begin] + MAX_MOVED_SHARE, side="right") - 1
    highest, lowest = curve.similarity[begin - 1], curve.similarity[end]
    good = _nontrivial(curve, begin, end, highest - lowest) & _significant(curve, begin, end)
    chosen: list[ThresholdPlateau] = []
    for i in np.flatnonzero(good)[np.argsort(lowest[good] - highest[good], kind="stable")]:
        if len(chosen) < limit and all(highest[i] <= p.lowest or lowest[i] >= p.highest for p in chosen):
            moved = curve.moved[end[i]] - curve.moved[begin[i]]
            chosen.append(_plateau(curve, float(lowest[i]), float(highest[i]), float(moved)))
    return chosen


def _nontrivial(
    curve: ThresholdCurve, begin: NDArray[np.intp], end: NDArray[np.intp], width: NDArray[np.float64]
) -> NDArray[np.bool_]:
    counts = curve.counts
    grouped = (counts.share[begin] >= MIN_GROUPED_SHARE) & (counts.groups[end] >= 2)
    return grouped & (counts.largest[end] <= MAX_LARGEST_SHARE * curve.n) & (width >= MIN_WIDTH)


def _significant(curve: ThresholdCurve, begin: NDArray[np.intp], end: NDArray[np.intp]) -> NDArray[np.bool_]:
    near, far = 1 - curve.similarity[begin - 1], 1 - curve.similarity[end]
    before = np.searchsorted(-curve.similarity, near * near / far - 1, side="left")
    clusters = curve.counts.clusters
    within, both = clusters[begin] - clusters[end], clusters[before] - clusters[end]
    share = within / np.maximum(both, 1)
    divergence = np.log(2) + _p_log_p(share) + _p_log_p(1 - share)
    significant: NDArray[np.bool_] = (share < 0.5) & (both * divergence >= np.log(curve.n / FALSE_POSITIVE_RATE))
    return significant


def _p_log_p(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p * np.log(np.maximum(p, np.finfo(np.float64).tiny))


def _plateau(curve: ThresholdCurve, lowest: float, highest: float, moved: float) -> ThresholdPlateau:
    counts = curve.counts_at(np.array([(lowest + highest) / 2]))
    clusters, groups, share = int(counts.clusters[0]), int(counts.groups[0]), float(counts.share[0])
    return ThresholdPlateau(lowest, highest, clusters, groups, share, moved)
