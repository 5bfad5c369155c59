"""What a cut is judged by, and that none sees the query that it is judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.benchmarks.cuts import (
    CUTS,
    Cut,
    JudgedResult,
    chosen,
    cross_validated,
    floor,
    margin,
    perfect,
    share_of_best,
)


def result(
    relevant: Sequence[int], total: int, scores: Sequence[float] = (3, 2.5, 1, 0), query: str = "q"
) -> JudgedResult:
    ordered = np.array(scores, np.float64)
    features = np.column_stack([ordered, np.zeros(len(ordered)), ordered - ordered[0] / 2, np.zeros(len(ordered))])
    return JudgedResult(query, ordered / 10, ordered, features, np.array(relevant, bool), total, 2)


def taken(count: int) -> Cut:
    return lambda each: each.first(count)


@pytest.mark.parametrize(
    ("count", "relevant", "total", "f1"),
    [(2, (1, 1, 0, 0), 2, 1), (1, (1, 1, 0, 0), 2, 2 / 3), (4, (1, 1, 0, 0), 2, 2 / 3), (2, (0, 0, 1, 1), 5, 0)],
)
def test_f1_counts_what_is_relevant_but_not_found(count: int, relevant: list[int], total: int, f1: float) -> None:
    judged = result(relevant, total)
    assert judged.f1(taken(count)(judged)) == pytest.approx(f1)


def test_cuts_take_the_first_results_and_at_least_one() -> None:
    judged = result((1, 0, 1, 0), 2)
    assert floor(judged, 0.2).tolist() == [True, True, False, False]
    assert floor(judged, 0.9).tolist() == [True, False, False, False]
    assert share_of_best(judged, 0.8).tolist() == [True, True, False, False]
    assert margin(judged, 1.2).tolist() == [True, False, False, False]
    assert perfect(judged).tolist() == [True, True, True, False]


def test_no_cut_is_better_than_the_perfect_one() -> None:
    rng = np.random.default_rng(0)
    results = [
        result(rng.integers(0, 2, 8).tolist(), 9, sorted(rng.normal(size=8).tolist(), reverse=True), f"q{number}")
        for number in range(40)
    ]
    ceiling = cross_validated(CUTS["a perfect cut (the ceiling)"], results)
    for name in set(CUTS) - {"a floor on the cosine", "a share of the best"}:
        assert all(f1 <= best + 1e-9 for f1, best in zip(cross_validated(CUTS[name], results), ceiling, strict=True))


def test_a_cut_is_chosen_without_the_query_that_it_is_judged_on() -> None:
    best_at_1, best_at_4 = (1, 0, 0, 0), (1, 1, 1, 1)
    results = [result(best_at_1, 1, query=f"q{number}") for number in range(30)]
    odd = result(best_at_4, 4, query="odd")
    fitted = chosen([1, 4], lambda each, count: each.first(int(count)))
    assert cross_validated(fitted, [*results, odd])[-1] == pytest.approx(0.4)
