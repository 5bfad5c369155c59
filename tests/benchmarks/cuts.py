"""Ways to say which of the first results stand out, judged by F1 where it is known what is relevant."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.search.closest_matches import PIXEL_MARGIN, SHARE_OF_BEST, expected_f1

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOLDS = 10
WEAK_PENALTY = 1e6  # next to none


@dataclass(frozen=True)
class JudgedResult:
    """The first results of a query, (k,) each, of which `relevant` are; `total` are relevant in the collection.

    `features` (k, 4) are what the odds of `core.search.closest_matches` are computed from, `closest` is how many it
    says stand out.
    """

    query: str
    cosines: Floats
    scores: Floats
    features: Floats
    relevant: Bools
    total: int
    closest: int

    @property
    def fold(self) -> int:
        """The same for the same query, whatever the texts."""
        return zlib.crc32(self.query.encode()) % FOLDS

    @property
    def by_words(self) -> bool:
        return bool(self.features[:, 1].any())

    @property
    def margin(self) -> Floats:
        return self.scores - SHARE_OF_BEST * self.scores[0]

    def f1(self, taken: Bools) -> float:
        """Of the results that are taken."""
        return 2 * float(self.relevant[taken].sum()) / (float(taken.sum()) + self.total)

    def first(self, count: int) -> Bools:
        return np.arange(len(self.scores)) < max(1, count)


Cut = Callable[[JudgedResult], Bools]
# Makes a cut from results where it is known what is relevant.
Fitted = Callable[[Sequence[JudgedResult]], Cut]


def chosen(candidates: Sequence[float], cut: Callable[[JudgedResult, float], Bools]) -> Fitted:
    """The parameter with the best F1."""

    def fit(results: Sequence[JudgedResult]) -> Cut:
        f1 = [np.mean([result.f1(cut(result, candidate)) for result in results]) for candidate in candidates]
        best = candidates[int(np.argmax(f1))]
        return lambda result: cut(result, best)

    return fit


def fixed(cut: Cut) -> Fitted:
    """A cut that needs nothing to be fitted."""
    return lambda _: cut


def floor(result: JudgedResult, least: float) -> Bools:
    return (result.cosines >= least) | result.first(1)


def share_of_best(result: JudgedResult, share: float) -> Bools:
    """Of the cosine where words take no part, of the score that orders otherwise."""
    values = result.scores if result.by_words else result.cosines
    return (values >= share * values[0]) | result.first(1)


def margin(result: JudgedResult, least: float = PIXEL_MARGIN) -> Bools:
    return (result.margin >= least) | result.first(1)


def perfect(result: JudgedResult) -> Bools:
    """The number of first results with the best F1."""
    taken = np.arange(1, len(result.scores) + 1)
    return result.first(int(np.argmax(2 * np.cumsum(result.relevant) / (taken + result.total))) + 1)


def fit_odds(results: Sequence[JudgedResult]) -> tuple[float, Floats]:
    """Intercept and coefficients of the logarithm of the odds that a result is relevant."""
    features, relevant = (
        np.concatenate([getattr(result, name) for result in results]) for name in ("features", "relevant")
    )
    model = LogisticRegression(C=WEAK_PENALTY, max_iter=5_000).fit(features, relevant)
    return float(model.intercept_[0]), model.coef_[0]


def expected(results: Sequence[JudgedResult]) -> Cut:
    """Expected F1 by odds that are fitted to results by words and, apart from them, to those by pixels alone."""
    groups = {by_words: [each for each in results if each.by_words is by_words] for by_words in (False, True)}
    odds = {by_words: fit_odds(group) for by_words, group in groups.items() if group}

    def cut(result: JudgedResult) -> Bools:
        if result.by_words not in odds:
            return margin(result)
        intercept, coefficients = odds[result.by_words]
        probabilities = 1 / (1 + np.exp(-(intercept + result.features @ coefficients)))
        return result.first(int(np.argmax(expected_f1(probabilities))) + 1)

    return cut


CUTS: dict[str, Fitted] = {
    "a fixed number": chosen([float(n) for n in range(1, 16)], lambda result, n: result.first(int(n))),
    "a floor on the cosine": chosen(np.arange(0, 0.5, 0.01).tolist(), floor),
    "a share of the best": chosen(np.arange(0.3, 1, 0.02).tolist(), share_of_best),
    "margin over half of the best, 0.7": fixed(margin),
    "margin over half of the best, chosen": chosen(np.arange(0, 2, 0.05).tolist(), margin),
    "as shipped": fixed(lambda result: result.first(result.closest)),
    "expected F1, fitted anew": expected,
    "a perfect cut (the ceiling)": fixed(perfect),
}


def cross_validated(fitted: Fitted, results: Sequence[JudgedResult]) -> list[float]:
    """The F1 of each result by a cut that was made without the queries of its fold."""
    cuts = {fold: fitted([result for result in results if result.fold != fold]) for fold in range(FOLDS)}
    return [result.f1(cuts[result.fold](result)) for result in results]
