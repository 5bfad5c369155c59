"""Puts what pictures show and what is written about them into one order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.records.text_fit import MOSTLY_RIGHT

# How much the best match by words counts, in standard deviations of the similarity: measured on data/eval/demo.jsonl,
# where anything from 2 to 4 is about as good.
FULL_WEIGHT = 2.5
MIN_DEVIATION = 1e-6
MIN_LOOKED_UP = 3


def standard_scores(similarity: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """How many standard deviations each similarity lies above the mean of the rows in `mask` (all without one).

    `similarity` is (n,) float32. Where the rows do not differ all scores are 0.
    """
    rows = similarity if mask is None else similarity[mask]
    deviation = float(rows.std(dtype=np.float64)) if rows.size else 0.0
    if not deviation > MIN_DEVIATION:  # nor for NaN
        return np.zeros(len(similarity), np.float32)
    return ((similarity - np.float32(rows.mean(dtype=np.float64))) / np.float32(deviation)).astype(np.float32)


def relative_scores(
    rows: NDArray[np.intp], scores: NDArray[np.float32], count: int, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """(count,) float32: each row's score by words as a share of the best one in `mask`; 0 for rows without words."""
    relative = np.zeros(count, np.float32)
    relative[rows] = scores
    if mask is not None:
        relative[~mask] = 0
    best = float(relative.max(initial=0.0))
    return relative / np.float32(best) if best > 0 else relative


def fused_scores(standard: NDArray[np.float32], relative: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The score that results are ordered by: z(cosine) + weight · words / best words, (n,) float32.

    Unlike a fusion of ranks it keeps how far ahead a match is (Bruch, Gai and Ingber 2023, "An Analysis of Fusion
    Functions for Hybrid Retrieval"). What is first by both is first; without words the order is that of the pixels.
    """
    return (standard + np.float32(weight) * relative).astype(np.float32)


def words_weight(wrong_share: float) -> float:
    """How much words count in a collection this share of whose texts belongs to other pictures.

    In full up to one half, then less and less, and not at all where no text fits its picture: measured on
    data/eval/demo.jsonl with its texts shuffled, in which the fused order was never worse than that of the pixels.
    """
    return FULL_WEIGHT * float(np.clip((1 - wrong_share) / (1 - MOSTLY_RIGHT), 0, 1))


def looks_up(query: str) -> bool:
    """Whether a query has words with digits: numbers and names of files are looked up, pixels know nothing of them."""
    return any(any(map(str.isdigit, word)) and len(word) >= MIN_LOOKED_UP for word in query.split())
