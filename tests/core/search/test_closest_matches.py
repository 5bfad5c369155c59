"""How many of the first results stand out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.search.closest_matches import DEPTH, count_closest, expected_f1
from core.search.fusion import FULL_WEIGHT, fused_scores

Floats = NDArray[np.float32]
RESULTS = st.integers(1, 300)
SCORES = st.floats(-4, 6, width=32)
SHARES = st.floats(0, 1, width=32)


def descending(values: list[float]) -> Floats:
    return np.array(sorted(values, reverse=True), np.float32)


def by_pixels(standard: Floats) -> int:
    return count_closest(standard, np.zeros(len(standard), np.float32), standard)


@given(st.lists(st.tuples(SCORES, SHARES), min_size=1, max_size=300), st.booleans())
def test_at_least_one_stands_out_and_none_beyond_the_depth(results: list[tuple[float, float]], words: bool) -> None:
    standard, relative = np.array(results, np.float32).T
    relative = relative if words else np.zeros_like(relative)
    fused = fused_scores(standard, relative, FULL_WEIGHT)
    order = np.argsort(-fused, kind="stable")
    assert 1 <= count_closest(standard[order], relative[order], fused[order]) <= min(len(results), DEPTH)


def test_nothing_stands_out_of_nothing() -> None:
    nothing = np.empty(0, np.float32)
    assert count_closest(nothing, nothing, nothing) == 0


@given(st.lists(SCORES, min_size=1, max_size=200), st.lists(SCORES, max_size=50))
def test_by_pixels_worse_results_after_the_line_do_not_move_it(scores: list[float], more: list[float]) -> None:
    standard = descending(scores)
    line = by_pixels(standard)
    assume(line < len(standard))
    longer = np.append(standard, np.minimum(descending(more), standard[-1])).astype(np.float32)
    assert by_pixels(longer) == line


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([4, 3.9, 3.8, 1, 0.5], 3), ([4, 2.7, 2.69], 2), ([4, 1], 1), ([0, 0, 0], 1), ([-1, -2], 1), ([1.3] * 5, 1)],
)
def test_by_pixels_those_count_that_lie_far_over_half_of_the_best(scores: list[float], expected: int) -> None:
    assert by_pixels(np.array(scores, np.float32)) == expected


def test_by_words_the_pictures_that_have_them_stand_out() -> None:
    standard = np.array([2.0, 1.8, 1.9, 0.4, 0.3, 0.1, 0.0, -0.5], np.float32)
    relative = np.array([1.0, 1.0, 0.9, 0, 0, 0, 0, 0], np.float32)
    assert count_closest(standard, relative, fused_scores(standard, relative, FULL_WEIGHT)) == 3


@given(hnp.arrays(np.float64, RESULTS, elements=st.floats(0, 1)))
def test_the_expected_f1_is_a_share(probabilities: NDArray[np.float64]) -> None:
    f1 = expected_f1(probabilities)
    assert f1.shape == probabilities.shape
    assert (f1 >= 0).all()
    assert (f1 <= 1 + 1e-9).all()


def test_certain_answers_are_all_taken() -> None:
    assert int(np.argmax(expected_f1(np.array([1.0, 1.0, 1.0, 0.0, 0.0])))) + 1 == 3
