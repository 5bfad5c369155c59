"""How many of the first results stand out from the rest: where a page draws a line, never a count of matches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Results further down are not looked at: nobody expects a line there.
DEPTH = 240
# Pixels alone: results stand out by this many standard deviations over half of the best one's.
PIXEL_MARGIN, SHARE_OF_BEST = 0.7, 0.5
# The logarithm of the odds that a result is relevant: an intercept, and per standard deviation, share of the best score
# by words, fused score over half of the best, and for having any of the words. Fitted by logistic regression to
# data/eval/demo.jsonl and demo-words.jsonl with all texts, half of them and half of them shuffled
# (`make bench NAME=closest_matches` fits it anew).
INTERCEPT, PER_DEVIATION, PER_SHARE, PER_MARGIN, WITH_WORDS = -5.5, 1.1, 4.5, 0.3, -0.7
SAME_WORDS = 0.85


def count_closest(standard: NDArray[np.float32], relative: NDArray[np.float32], fused: NDArray[np.float32]) -> int:
    """How many of the results, the best first, stand out; at least one if there is any.

    `standard` (k,) are their z-scores by pixels, `relative` (k,) their scores by words as shares of the best,
    `fused` (k,) the scores by which they are ordered. With words the number has the highest expected F1 (Lewis 1995)
    under the odds above; by pixels alone a margin does as well.
    """
    standard, relative, fused = standard[:DEPTH], relative[:DEPTH], fused[:DEPTH]
    if not len(fused):
        return 0
    margin = fused - SHARE_OF_BEST * fused[0]
    if not relative.any():
        return max(1, int(np.count_nonzero(margin >= PIXEL_MARGIN)))
    odds = INTERCEPT + PER_DEVIATION * standard + PER_SHARE * relative + PER_MARGIN * margin
    odds = odds.astype(np.float64) + WITH_WORDS * (relative > 0)
    count = int(np.argmax(expected_f1(1 / (1 + np.exp(-odds))))) + 1
    # No line between two pictures both of which have nearly all of the words.
    same_words = relative >= SAME_WORDS
    while count < len(fused) and same_words[count - 1] and same_words[count]:
        count += 1
    return count


def expected_f1(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The expected F1 of taking the first 1, 2, … k results, relevant with these probabilities (k,), to first order."""
    taken = np.arange(1, len(probabilities) + 1)
    f1: NDArray[np.float64] = 2 * np.cumsum(probabilities) / (taken + probabilities.sum())
    return f1
