"""Border pairs: what a threshold decides, shown as two pictures; and the threshold that people's answers speak for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.cut import members, node_of
from core.clusters.tree.linkage import Linkage

# How far from the true threshold people still disagree, in cosine similarity: the scale of the logistic curve.
DOUBT = 0.015
GRID = 2001
LEAST_ANSWERS = 4


@dataclass(frozen=True)
class BorderlinePair:
    """Two rows, the most typical ones of the two groups that one merge joins at this cosine similarity."""

    a: int
    b: int
    similarity: float


@dataclass(frozen=True)
class ThresholdAdvice:
    """The threshold that answers speak for, and how sure that is: its standard deviation; `answers` is how many."""

    threshold: float
    uncertainty: float
    answers: int


def borderline_pairs(
    linkage: Linkage, vectors: NDArray[np.float32], threshold: float, count: int, seen: frozenset[tuple[int, int]]
) -> list[BorderlinePair]:
    """The pairs that merges nearest to the threshold decide about, nearest first; those in `seen` are left out.

    `vectors` (n, d) are the linkage's rows; a pair in `seen` has its smaller row first.
    """
    nearest = np.argsort(np.abs(linkage.similarities - threshold), kind="stable")
    pairs: list[BorderlinePair] = []
    for merge in nearest[: 20 * count].tolist():
        a, b = sorted(_typical(linkage, vectors, int(child)) for child in linkage.z[merge, :2])
        if (a, b) not in seen:
            pairs.append(BorderlinePair(a, b, float(linkage.similarities[merge])))
        if len(pairs) == count:
            break
    return pairs


def _typical(linkage: Linkage, vectors: NDArray[np.float32], node: int) -> int:
    rows = members(linkage, node)
    block = vectors[rows]
    return int(rows[(block @ block.sum(axis=0)).argmax()])


def joined_at(linkage: Linkage, a: int, b: int) -> float:
    """The cosine similarity at which two rows come into one cluster (their cophenetic similarity)."""
    node = node_of(linkage, [a, b])
    return float(linkage.similarities[node - linkage.n]) if node >= linkage.n else 1.0


def advise(similarities: Sequence[float], same: Sequence[bool]) -> ThresholdAdvice | None:
    """The threshold that answers speak for; None for fewer than four, or if all say the same.

    An answer "same" is the likelier the more the pair's similarity lies above the threshold, along a logistic curve of
    scale 0.015. The threshold's posterior under a uniform prior is worked out on a grid; its mean is the advice.
    """
    if len(same) < LEAST_ANSWERS or len(set(same)) < 2:
        return None
    at, sign = np.asarray(similarities), np.where(np.asarray(same), 1.0, -1.0)
    grid = np.linspace(max(-1.0, at.min() - 5 * DOUBT), min(1.0, at.max() + 5 * DOUBT), GRID)
    log_likelihood = -np.logaddexp(0, -sign[:, None] * (at[:, None] - grid) / DOUBT).sum(axis=0)
    weight = np.exp(log_likelihood - log_likelihood.max())
    weight /= weight.sum()
    mean = float((grid * weight).sum())
    return ThresholdAdvice(mean, float(np.sqrt(((grid - mean) ** 2 * weight).sum())), len(same))
