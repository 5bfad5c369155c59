"""Borderline pairs of pictures, which a threshold joins or separates, and the threshold that people's answers imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.cut import leaf_rows, lowest_common_ancestor
from core.clusters.tree.linkage import Linkage

# The scale of the logistic curve, in cosine similarity: how far from the true threshold people still disagree.
JUDGEMENT_SCALE = 0.015
GRID_POINTS = 2001
MIN_ANSWERS = 4
MAX_MERGES_PER_PAIR = 20


@dataclass(frozen=True)
class BorderlinePair:
    """Two rows: the most typical ones of the two clusters that one merge joins at this cosine similarity."""

    a: int
    b: int
    similarity: float


@dataclass(frozen=True)
class ThresholdEstimate:
    """The threshold that a number of answers imply; `uncertainty` is its standard deviation."""

    threshold: float
    uncertainty: float
    answers: int


def borderline_pairs(
    linkage: Linkage, vectors: NDArray[np.float32], threshold: float, count: int, seen: frozenset[tuple[int, int]]
) -> list[BorderlinePair]:
    """Up to `count` pairs for the merges nearest to the threshold, nearest first, without those in `seen`.

    `vectors` (n, d) are the linkage's rows; pairs in `seen` have their smaller row first.
    """
    nearest = np.argsort(np.abs(linkage.similarities - threshold), kind="stable")
    pairs: list[BorderlinePair] = []
    for merge in nearest[: MAX_MERGES_PER_PAIR * count].tolist():
        a, b = sorted(_most_typical_row(linkage, vectors, int(child)) for child in linkage.z[merge, :2])
        if (a, b) not in seen:
            pairs.append(BorderlinePair(a, b, float(linkage.similarities[merge])))
        if len(pairs) == count:
            break
    return pairs


def _most_typical_row(linkage: Linkage, vectors: NDArray[np.float32], node: int) -> int:
    rows = leaf_rows(linkage, node)
    members = vectors[rows]
    return int(rows[(members @ members.sum(axis=0)).argmax()])


def cophenetic_similarity(linkage: Linkage, a: int, b: int) -> float:
    """The cosine similarity at which two rows first share a cluster; 1 for a row and itself."""
    node = lowest_common_ancestor(linkage, [a, b])
    return float(linkage.similarities[node - linkage.n]) if node >= linkage.n else 1.0


def estimate_threshold(similarities: Sequence[float], same: Sequence[bool]) -> ThresholdEstimate | None:
    """The threshold that answers about pairs imply; None for fewer than four, or if all are the same.

    The probability of the answer "same" rises with the pair's similarity along a logistic curve of scale 0.015 around
    the threshold. The threshold's posterior under a uniform prior is evaluated on a grid; its mean is the estimate.
    """
    if len(same) < MIN_ANSWERS or len(set(same)) < 2:
        return None
    at, sign = np.asarray(similarities), np.where(np.asarray(same), 1.0, -1.0)
    reach = 5 * JUDGEMENT_SCALE
    grid = np.linspace(max(-1.0, at.min() - reach), min(1.0, at.max() + reach), GRID_POINTS)
    log_likelihood = -np.logaddexp(0, -sign[:, None] * (at[:, None] - grid) / JUDGEMENT_SCALE).sum(axis=0)
    weight = np.exp(log_likelihood - log_likelihood.max())
    weight /= weight.sum()
    mean = float((grid * weight).sum())
    return ThresholdEstimate(mean, float(np.sqrt(((grid - mean) ** 2 * weight).sum())), len(same))
