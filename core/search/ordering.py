"""The order of the rows that a search may return: by pixels, by words, or by both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.search.closest_matches import DEPTH, count_closest
from core.search.fusion import fused_scores, relative_scores, standard_scores
from core.search.vector_search import largest
from core.store.lance.text_index import TextMatches

SPREAD_BINS = 100


class Ordered(NamedTuple):
    """The first rows of an order, (k,) each: their cosine similarities, their z-scores by them, their scores by words
    as shares of the best one's, and the scores that they are ordered by. `passing` rows may be returned in all.

    `by_pixels` and `by_words` say what took part; the arrays about what did not are zeros. `spread` are the numbers of
    rows by similarity, in `SPREAD_BINS` equal steps from -1 to 1, whatever the minimum; empty without similarities.
    """

    rows: NDArray[np.intp]
    similarities: NDArray[np.float32]
    standard: NDArray[np.float32]
    relative: NDArray[np.float32]
    scores: NDArray[np.float32]
    passing: int
    by_pixels: bool = False
    by_words: bool = False
    spread: tuple[int, ...] = ()


def order_rows(
    similarity: NDArray[np.float32] | None,
    words: TextMatches | None,
    mask: NDArray[np.bool_],
    top: int,
    weight: float,
    min_similarity: float = -1.0,
) -> Ordered:
    """The first `top` of the rows in `mask` (n,) bool.

    `similarity` (n,) float32 are cosines, `words` what was found by words, `weight` how much the best of it counts.
    Without words the order is by similarity, at least `min_similarity`; without similarities it is by words, and rows
    without any of them are left out. Equal rows keep their order.
    """
    count, spread = len(mask), tuple[int, ...]()
    relative = np.zeros(count, np.float32) if words is None else relative_scores(words.rows, words.scores, count, mask)
    if similarity is None:
        mask, standard, scores = mask & (relative > 0), np.zeros(count, np.float32), relative
    else:
        standard, spread = standard_scores(similarity, mask), _spread(similarity, mask)
        mask = mask & (similarity >= min_similarity)
        scores = fused_scores(standard, relative, weight) if relative.any() else similarity
    passing = int(np.count_nonzero(mask))
    rows = largest(np.where(mask, scores, np.float32(-np.inf)), min(top, passing))
    cosines = np.zeros(len(rows), np.float32) if similarity is None else np.clip(similarity[rows], -1.0, 1.0)
    fused = scores[rows] if relative.any() else standard[rows]
    took_part = similarity is not None, words is not None
    return Ordered(rows, cosines, standard[rows], relative[rows], fused, passing, *took_part, spread)


def _spread(similarity: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[int, ...]:
    bins = ((similarity[mask] + 1) * (SPREAD_BINS / 2)).astype(np.intp)
    return tuple(np.bincount(np.clip(bins, 0, SPREAD_BINS - 1), minlength=SPREAD_BINS).tolist())


def newest_rows(newest_first: NDArray[np.intp], mask: NDArray[np.bool_], top: int) -> Ordered:
    """The first `top` rows in `mask` of an order that is not by similarity."""
    rows = newest_first[mask[newest_first]]
    none = np.zeros(min(top, len(rows)), np.float32)
    return Ordered(rows[:top], none, none, none, none, len(rows))


def looks_like(similarity: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) bool: the rows in `mask` that stand out by their similarity (n,), and so show what it is about.

    Where they do not differ, as a single one does not, none does.
    """
    like, scores = np.zeros(len(mask), np.bool_), standard_scores(similarity, mask)
    if not scores.any():
        return like
    standard = np.where(mask, scores, np.float32(-np.inf))
    rows = largest(standard, min(DEPTH, int(np.count_nonzero(mask))))
    none = np.zeros(len(rows), np.float32)
    like[rows[: count_closest(standard[rows], none, standard[rows])]] = True
    return like
