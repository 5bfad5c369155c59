"""Relevance measures: by hand, and against TREC's own program through ir-measures."""

from __future__ import annotations

import math

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quality.relevance import MEASURE_NAMES, RELEVANCE_MEASURES, compute_measures

LETTERS = "abcdefghijklmnop"
REFERENCE = {
    "precision@4": ir_measures.P @ 4,
    "recall@10": ir_measures.R @ 10,
    "ndcg@4": ir_measures.nDCG @ 4,
    "mrr": ir_measures.RR,
    "success@4": ir_measures.Success @ 4,
}


def figures(order: str, grades: dict[str, int]) -> tuple[float, ...]:
    found = compute_measures(order, grades)
    return tuple(found[name] for name in ("precision@4", "recall@10", "ndcg@4", "mrr", "success@4"))


def test_the_best_order_reaches_one_where_there_is_enough_to_find() -> None:
    assert figures("abcdefghij", {"a": 2, "b": 2, "c": 1, "d": 1}) == (1, 1, 1, 1, 1)


def test_a_graded_order_by_hand() -> None:
    # gains 0 1 0 2 at discounts log2 2 3 4 5; the best order is 2 1
    gained = 1 / math.log2(3) + 2 / math.log2(5)
    best = 2 / math.log2(2) + 1 / math.log2(3)
    assert figures("xaybz", {"a": 1, "b": 2}) == pytest.approx((0.5, 1.0, gained / best, 0.5, 1.0))


def test_pictures_without_a_label_are_not_relevant() -> None:
    assert figures("wxyza", {"a": 2, "b": 2}) == pytest.approx((0, 0.5, 0, 1 / 5, 0))


def test_grade_zero_is_the_same_as_no_label() -> None:
    assert figures("zyab", {"z": 0, "y": 0, "a": 1}) == figures("zyab", {"a": 1})


def test_places_that_stay_empty_count_against_precision_and_nothing_else() -> None:
    assert figures("a", {"a": 2}) == (0.25, 1, 1, 1, 1)
    assert figures("", {"a": 2}) == (0, 0, 0, 0, 0)


def test_a_query_without_a_relevant_picture_has_zero_everywhere() -> None:
    assert figures("abcd", {}) == figures("abcd", {"a": 0}) == (0, 0, 0, 0, 0)


def test_what_comes_after_the_tenth_place_does_not_count() -> None:
    assert figures("bcdefghijka", {"a": 2}) == (0, 0, 0, 0, 0)
    assert figures("bcdefghija", {"a": 2}) == pytest.approx((0, 1, 0, 0.1, 0))


def test_recall_cannot_reach_one_where_more_than_ten_are_relevant() -> None:
    assert figures(LETTERS, dict.fromkeys(LETTERS, 1))[1] == 10 / 16


def test_pictures_of_equal_similarity_count_in_the_order_that_was_shown() -> None:
    assert figures("ab", {"a": 1})[3] == 1
    assert figures("ba", {"a": 1})[3] == 0.5


def test_every_measure_has_a_name_of_its_own_and_four_have_a_baseline() -> None:
    assert len(set(MEASURE_NAMES)) == 5
    assert [m.baseline for m in RELEVANCE_MEASURES if m.baseline is not None] == [0.87, 0.92, 0.83, 0.94]


@given(
    st.permutations(LETTERS).flatmap(lambda letters: st.integers(1, 10).map(lambda length: letters[:length])),
    st.dictionaries(st.sampled_from(LETTERS), st.integers(0, 2), min_size=1),
)
def test_all_measures_are_those_of_trec(order: list[str], grades: dict[str, int]) -> None:
    run = {"q": {asset_id: float(-place) for place, asset_id in enumerate(order)}}
    found = {m.measure: m.value for m in ir_measures.iter_calc(list(REFERENCE.values()), {"q": grades}, run)}
    ours = compute_measures(order, grades)
    assert {name: found[reference] for name, reference in REFERENCE.items()} == pytest.approx(ours)
