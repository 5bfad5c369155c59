"""What every threshold would give, from one pass over a dendrogram, and the thresholds on which little depends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.linkage import Linkage

MOVED_SHARE = 0.02  # of the rows may change their group within a plateau
LEAST_WIDTH = 0.01  # of a plateau, in similarity
LEAST_SHARE = 0.1  # of the rows in groups: fewer, and hardly anything is grouped yet
GREATEST_SHARE = 0.9  # of the rows in one group: more, and hardly anything is told apart
CHANCE = 0.01  # of finding a plateau where there is none


@dataclass(frozen=True, eq=False)
class ThresholdCounts:
    """Clusters at a series of thresholds: all, those of one row, those of at least `minimum_size` rows ("groups"), the
    rows of the largest, each int64; and the share of all rows that are in groups, float64."""

    clusters: NDArray[np.int64]
    singletons: NDArray[np.int64]
    groups: NDArray[np.int64]
    largest: NDArray[np.int64]
    share: NDArray[np.float64]

    def take(self, entries: NDArray[np.intp]) -> ThresholdCounts:
        """The counts at some of the thresholds."""
        return ThresholdCounts(*(values[entries] for values in vars(self).values()))


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """Clusters of `n` rows by threshold.

    `similarity` (s,) float64 holds the distinct similarities of merges, decreasing. Entry j of `counts` (s + 1 entries)
    holds for thresholds from similarity[j - 1] down to, but without, similarity[j]. `moved` (s + 1,) float64 adds up
    the share of rows that change their group on the way down to there: at a merge, those of its smaller part.
    """

    n: int
    similarity: NDArray[np.float64]
    counts: ThresholdCounts
    moved: NDArray[np.float64]

    def at(self, thresholds: NDArray[np.float64]) -> ThresholdCounts:
        """The exact counts at any thresholds."""
        return self.counts.take(np.searchsorted(-self.similarity, -thresholds, side="right"))

    def sampled(self, points: int) -> tuple[NDArray[np.float64], ThresholdCounts]:
        """`points` thresholds spread evenly over all merges, ascending, and the exact counts there: enough to draw."""
        lowest, highest = (self.similarity[-1], self.similarity[0]) if len(self.similarity) else (0.0, 1.0)
        thresholds = np.linspace(lowest, highest, points)
        return thresholds, self.at(thresholds)


@dataclass(frozen=True)
class ThresholdPlateau:
    """Thresholds from `lowest` to `highest` that give nearly the same groups; `clusters`, `groups` and `share` (see
    Counts) are those at the middle, and `moved` is the share of rows that change their group in between."""

    lowest: float
    highest: float
    clusters: int
    groups: int
    share: float
    moved: float

    @property
    def threshold(self) -> float:
        """The middle: the one to suggest."""
        return (self.lowest + self.highest) / 2

    @property
    def width(self) -> float:
        """How far the threshold can go without a difference worth a mention."""
        return self.highest - self.lowest

    @property
    def reason(self) -> str:
        """Why this threshold, for people."""
        span = f"from {self.lowest:.2f} to {self.highest:.2f}"
        steady = f"hardly change {span} ({100 * self.moved:.1f} % of the pictures move)"
        grouped = f"{self.groups} groups hold {100 * self.share:.0f} % of the pictures"
        return f"the groups {steady if self.moved >= 0.0005 else f'stay the same {span}'}: {grouped}"


def threshold_curve(linkage: Linkage, minimum_size: int = 2) -> ThresholdCurve:
    """Count the clusters of all thresholds at once: each merge changes the counts by what it joins."""
    n, size = linkage.n, linkage.z[:, 3].astype(np.int64)
    parts = np.append(np.ones(n, np.int64), size)[linkage.z[:, :2].astype(np.int64)]
    last = np.flatnonzero(np.append(np.diff(linkage.similarities) != 0, True)[: len(size)])

    def running(steps: NDArray[np.int64], start: int = 0) -> NDArray[np.int64]:
        return np.append(start, start + np.cumsum(steps)[last])

    grouped, were_grouped = size >= minimum_size, parts >= minimum_size
    rows_grouped = size * grouped - (parts * were_grouped).sum(axis=1)
    grouped_alone = n if minimum_size <= 1 else 0
    counts = ThresholdCounts(
        clusters=running(np.full(len(size), -1), n),
        singletons=running(-(parts == 1).sum(axis=1), n),
        groups=running(grouped.astype(np.int64) - were_grouped.sum(axis=1), grouped_alone),
        largest=np.append(min(n, 1), np.maximum.accumulate(size)[last]),
        share=running(rows_grouped, grouped_alone) / max(n, 1),
    )
    return ThresholdCurve(n, linkage.similarities[last], counts, running(parts.min(axis=1)) / max(n, 1))


def plateaus(curve: ThresholdCurve, limit: int = 3) -> list[ThresholdPlateau]:
    """The widest intervals of threshold in which the groups stay nearly the same, at most `limit`, the widest first.

    From each merge down, an interval goes on until more than `MOVED_SHARE` of the rows have changed their group. It is
    a plateau if it is not trivial (`LEAST_WIDTH`, `LEAST_SHARE`, `GREATEST_SHARE`, two groups or more) and if merges
    are rarer within it than just before. In a cloud without structure merges come at an even or rising rate per
    factor of distance, so the interval, from distance a to b, is compared with the equally long one from a·a/b to a on
    that scale: of all merges in both, as many fall to the first by even chance. A plateau has so few within that this
    has a probability below `CHANCE` for all n places together (Chernoff's bound on the binomial's tail).
    """
    if len(curve.similarity) < 2:
        return []
    begin = np.arange(1, len(curve.similarity))  # the entry that holds at the interval's upper end
    end = np.searchsorted(curve.moved[:-1], curve.moved[begin] + MOVED_SHARE, side="right") - 1
    highest, lowest = curve.similarity[begin - 1], curve.similarity[end]
    good = _worth_it(curve, begin, end, highest - lowest) & _unlikely_by_chance(curve, begin, end)
    chosen: list[ThresholdPlateau] = []
    for i in np.flatnonzero(good)[np.argsort(lowest[good] - highest[good], kind="stable")]:
        if len(chosen) < limit and all(highest[i] <= p.lowest or lowest[i] >= p.highest for p in chosen):
            chosen.append(
                _plateau(curve, float(lowest[i]), float(highest[i]), curve.moved[end[i]] - curve.moved[begin[i]])
            )
    return chosen


def _worth_it(
    curve: ThresholdCurve, begin: NDArray[np.intp], end: NDArray[np.intp], width: NDArray[np.float64]
) -> NDArray[np.bool_]:
    counts = curve.counts
    grouped = (counts.share[begin] >= LEAST_SHARE) & (counts.groups[end] >= 2)
    return grouped & (counts.largest[end] <= GREATEST_SHARE * curve.n) & (width >= LEAST_WIDTH)


def _unlikely_by_chance(curve: ThresholdCurve, begin: NDArray[np.intp], end: NDArray[np.intp]) -> NDArray[np.bool_]:
    near, far = 1 - curve.similarity[begin - 1], 1 - curve.similarity[end]
    before = np.searchsorted(-curve.similarity, near * near / far - 1, side="left")
    clusters = curve.counts.clusters
    within, both = clusters[begin] - clusters[end], clusters[before] - clusters[end]
    share = within / np.maximum(both, 1)
    surprise = np.log(2) + _p_log_p(share) + _p_log_p(1 - share)
    unlikely: NDArray[np.bool_] = (share < 0.5) & (both * surprise >= np.log(curve.n / CHANCE))
    return unlikely


def _p_log_p(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p * np.log(np.maximum(p, np.finfo(np.float64).tiny))


def _plateau(curve: ThresholdCurve, lowest: float, highest: float, moved: float) -> ThresholdPlateau:
    counts = curve.at(np.array([(lowest + highest) / 2]))
    return ThresholdPlateau(
        lowest, highest, int(counts.clusters[0]), int(counts.groups[0]), float(counts.share[0]), float(moved)
    )
