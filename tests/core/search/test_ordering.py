"""One order from pixels and words: what both put first is first, what neither says changes nothing, never NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.search.fusion import (
    FULL_WEIGHT,
    fused_scores,
    looks_up,
    relative_scores,
    standard_scores,
    words_weight,
)
from core.search.ordering import Ordered, looks_like, newest_rows, order_rows
from core.store.lance.text_index import NO_MATCHES, TextMatches

Floats = NDArray[np.float32]
COSINES = st.integers(-8, 8).map(lambda n: n / 8)
WEIGHTS = st.sampled_from([0.0, 0.5, FULL_WEIGHT])


@st.composite
def collections(draw: st.DrawFn) -> tuple[Floats, TextMatches, NDArray[np.bool_]]:
    """Cosines of some rows (many of them equal), matches by words for some, and a mask."""
    count = draw(st.integers(0, 25))
    similarity = draw(hnp.arrays(np.float32, count, elements=COSINES))
    rows = sorted(draw(st.sets(st.integers(0, count - 1)))) if count else []
    scores = draw(hnp.arrays(np.float32, len(rows), elements=st.integers(1, 40).map(lambda n: n / 4)))
    mask = draw(hnp.arrays(np.bool_, count))
    return similarity, TextMatches(np.array(rows, np.intp), scores), mask


def everything(count: int) -> NDArray[np.bool_]:
    return np.ones(count, np.bool_)


@given(collections(), WEIGHTS, st.integers(1, 30), st.sampled_from([-1.0, 0.0, 0.5, 1.0]))
def test_an_order_is_a_stable_sort_of_the_allowed_rows_and_never_nan(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]], weight: float, top: int, least: float
) -> None:
    similarity, words, mask = collection
    ordered = order_rows(similarity, words, mask, top, weight, least)
    allowed = [row for row in range(len(mask)) if mask[row] and similarity[row] >= least]
    assert ordered.passing == len(allowed)
    assert len(ordered.rows) == min(top, len(allowed))
    assert {*ordered.rows.tolist()} <= {*allowed}
    assert all(np.isfinite(values).all() for values in ordered[1:5])
    pairs = list(zip((-ordered.scores).tolist(), ordered.rows.tolist(), strict=True))
    assert pairs == sorted(pairs)
    assert all(ordered.similarities == similarity[ordered.rows])


@given(collections())
def test_what_is_first_by_pixels_and_by_words_is_first_by_both(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]],
) -> None:
    similarity, words, mask = collection
    assume(mask.any())
    best = int(np.flatnonzero(mask)[0])
    similarity[best] = similarity.max(initial=0) + np.float32(0.5)
    scores = np.append(words.scores[words.rows != best], np.float32(words.scores.max(initial=0) + 1))
    rows = np.append(words.rows[words.rows != best], best)
    for weight in (0.0, 0.5, FULL_WEIGHT):
        assert order_rows(similarity, TextMatches(rows, scores), mask, 5, weight).rows[0] == best


@given(collections(), WEIGHTS)
def test_without_words_and_at_a_weight_of_0_the_order_is_that_of_the_pixels(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]], weight: float
) -> None:
    similarity, words, mask = collection
    expected = sorted(np.flatnonzero(mask).tolist(), key=lambda row: (-similarity[row], row))
    for ordered in (
        order_rows(similarity, None, mask, 30, weight),
        order_rows(similarity, NO_MATCHES, mask, 30, weight),
    ):
        assert ordered.rows.tolist() == expected
        assert not ordered.relative.any()
    without_weight = order_rows(similarity, words, mask, 30, 0.0).rows
    assert np.array_equal(similarity[without_weight], similarity[expected])


@given(collections(), WEIGHTS)
def test_words_alone_leave_out_rows_without_words(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]], weight: float
) -> None:
    _, words, mask = collection
    score = dict(zip(words.rows.tolist(), words.scores.tolist(), strict=True))
    ordered = order_rows(None, words, mask, 30, weight, min_similarity=0.5)
    assert ordered.rows.tolist() == sorted((row for row in score if mask[row]), key=lambda row: (-score[row], row))
    assert not ordered.standard.any()
    assert not ordered.similarities.any()


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("cosine", [0.0, 0.1, -1.0, 1.0000001])
def test_rows_that_do_not_differ_keep_their_order(count: int, cosine: float) -> None:
    similarity = np.full(count, cosine, np.float32)
    ordered = order_rows(similarity, None, everything(count), 9, FULL_WEIGHT)
    assert ordered.rows.tolist() == list(range(count))
    assert not ordered.standard.any()
    assert all(abs(value) <= 1 for value in ordered.similarities.tolist())


def test_nothing_is_left_where_everything_is_masked() -> None:
    similarity, words = np.array([0.1, 0.9], np.float32), TextMatches(np.array([1]), np.array([3], np.float32))
    for given_similarity, given_words in ((similarity, words), (similarity, None), (None, words)):
        ordered = order_rows(given_similarity, given_words, np.zeros(2, np.bool_), 9, FULL_WEIGHT)
        assert (len(ordered.rows), ordered.passing) == (0, 0)


def test_the_least_similarity_is_of_the_cosine_however_good_the_words_are() -> None:
    similarity, words = np.array([0.1, 0.3, 0.2], np.float32), TextMatches(np.array([0]), np.array([9], np.float32))
    assert order_rows(similarity, words, everything(3), 9, FULL_WEIGHT).rows.tolist() == [0, 1, 2]
    assert order_rows(similarity, words, everything(3), 9, FULL_WEIGHT, 0.15).rows.tolist() == [1, 2]
    assert order_rows(similarity, words, everything(3), 9, FULL_WEIGHT, 0.3).rows.tolist() == [1]


def test_words_that_only_masked_rows_have_change_nothing() -> None:
    similarity, words = np.array([0.1, 0.3, 0.2], np.float32), TextMatches(np.array([0]), np.array([9], np.float32))
    ordered = order_rows(similarity, words, np.array([False, True, True]), 9, FULL_WEIGHT)
    assert ordered.rows.tolist() == [1, 2]
    assert not ordered.relative.any()


@given(hnp.arrays(np.float32, st.integers(2, 40), elements=COSINES), hnp.arrays(np.bool_, 40))
def test_standard_scores_have_mean_0_and_deviation_1_over_their_rows(
    similarity: Floats, mask: NDArray[np.bool_]
) -> None:
    rows = mask[: len(similarity)]
    scores = standard_scores(similarity, rows)
    assert np.isfinite(scores).all()
    if len({*similarity[rows].tolist()}) > 1:
        assert scores[rows].mean() == pytest.approx(0, abs=1e-4)
        assert scores[rows].std() == pytest.approx(1, abs=1e-4)
    else:
        assert not scores.any()


@given(collections())
def test_relative_scores_are_shares_of_the_best_allowed_row(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]],
) -> None:
    similarity, words, mask = collection
    relative = relative_scores(words.rows, words.scores, len(similarity), mask)
    assert not relative[~mask].any()
    assert relative.max(initial=0) == (1 if mask[words.rows].any() else 0)


@given(collections(), WEIGHTS)
def test_fused_scores_rise_with_either(
    collection: tuple[Floats, TextMatches, NDArray[np.bool_]], weight: float
) -> None:
    similarity, words, mask = collection
    standard = standard_scores(similarity)
    relative = relative_scores(words.rows, words.scores, len(similarity), mask)
    fused = fused_scores(standard, relative, weight)
    assert (fused_scores(standard + 1, relative, weight) >= fused).all()
    assert (fused_scores(standard, relative + 1, weight) >= fused).all()


@pytest.mark.parametrize(("wrong", "weight"), [(0, 1), (0.25, 1), (0.5, 1), (0.75, 0.5), (1, 0)])
def test_words_count_in_full_until_half_of_the_texts_are_wrong_then_less(wrong: float, weight: float) -> None:
    assert words_weight(wrong) == pytest.approx(FULL_WEIGHT * weight)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DSC_0004", True),
        ("0004", True),
        ("in 1998", True),
        ("img7.jpg", True),
        ("2 dogs", False),
        ("a dog", False),
        ("", False),
    ],
)
def test_numbers_and_names_with_digits_are_looked_up(query: str, expected: bool) -> None:
    assert looks_up(query) is expected


def test_the_newest_come_first_where_nothing_orders() -> None:
    newest = np.array([3, 1, 0, 2])
    ordered = newest_rows(newest, np.array([True, False, True, True]), 2)
    assert (ordered.rows.tolist(), ordered.passing) == ([3, 0], 3)
    assert _lengths(ordered) == {2}
    assert _lengths(newest_rows(newest, np.zeros(4, np.bool_), 9)) == {0}


def _lengths(ordered: Ordered) -> set[int]:
    return {len(values) for values in ordered[:5]}


def test_what_stands_out_looks_like_a_text_and_masked_rows_never_do() -> None:
    similarity = np.linspace(0.1, 0.12, 40, dtype=np.float32)
    similarity[[4, 5]] = 0.5, 0.6
    assert np.flatnonzero(looks_like(similarity, everything(40))).tolist() == [4, 5]
    mask = everything(40)
    mask[5] = False
    assert np.flatnonzero(looks_like(similarity, mask)).tolist() == [4]
    assert not looks_like(similarity, np.zeros(40, np.bool_)).any()


@pytest.mark.parametrize("count", [1, 40])
def test_of_pictures_that_do_not_differ_none_stands_out(count: int) -> None:
    assert not looks_like(np.full(count, 0.3, np.float32), everything(count)).any()
