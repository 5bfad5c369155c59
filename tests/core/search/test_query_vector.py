"""The vector of wishes and pictures: weights, what is unwanted, what cancels out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.errors import QueryError
from core.records.queries import Wish
from core.search.query_vector import (
    UNWANTED_PICTURE,
    UNWANTED_TEXT,
    blend_query_vectors,
    pictures_vector,
    wishes_vector,
)

Floats = NDArray[np.float32]
UNIT = np.eye(4, dtype=np.float32)
NONE = UNIT[:0]
NUMBERS = hnp.arrays(np.float64, (3, 4), elements=st.integers(-5, 5).map(float))


def unit(*numbers: float) -> Floats:
    return np.array(numbers, np.float32) / np.float32(np.linalg.norm(numbers))


def units(numbers: NDArray[np.float64]) -> Floats:
    norms = np.linalg.norm(numbers, axis=1, keepdims=True)
    assume((norms > 0).all())
    return (numbers / norms).astype(np.float32)


@given(NUMBERS, st.lists(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0]), min_size=3, max_size=3))
def test_a_vector_has_unit_length_whatever_the_weights(numbers: NDArray[np.float64], weights: list[float]) -> None:
    vectors = units(numbers)
    assume(max(weights) > 0)
    wanted = np.maximum(weights, 0) @ vectors / np.maximum(weights, 0).sum()
    assume(np.linalg.norm(wanted + UNWANTED_TEXT * np.minimum(weights, 0) @ vectors) > 0.01)
    found = wishes_vector([Wish("x", weight) for weight in weights], vectors)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_wishes_count_by_their_weights() -> None:
    assert wishes_vector([Wish("dog", 2), Wish("sea")], UNIT[:2]) == pytest.approx(unit(2, 1, 0, 0))
    assert wishes_vector([Wish("dog", 7)], UNIT[:1]) == pytest.approx(UNIT[0])
    twice = wishes_vector([Wish("dog", 4), Wish("sea", 2)], UNIT[:2])
    assert twice == pytest.approx(wishes_vector([Wish("dog", 2), Wish("sea", 1)], UNIT[:2]))


def test_a_share_of_what_is_unwanted_is_taken_away() -> None:
    found = wishes_vector([Wish("dog"), Wish("sea", -1), Wish("boat", -2)], UNIT[:3])
    assert found == pytest.approx(unit(1, -UNWANTED_TEXT, -2 * UNWANTED_TEXT, 0))


def test_wishes_that_cancel_each_other_out_are_refused() -> None:
    opposite = np.array([UNIT[0], -UNIT[0]])
    with pytest.raises(QueryError, match="these words cancel each other out: change one of them, or a weight"):
        wishes_vector([Wish("a"), Wish("b")], opposite)


def test_one_picture_is_searched_by_exactly_its_vector() -> None:
    vector = unit(0.1, 0.7, 0.3, 0.2)
    assert pictures_vector(vector[np.newaxis], NONE).tobytes() == vector.tobytes()


def test_pictures_are_moved_away_from_the_mean_of_the_unwanted_ones() -> None:
    assert pictures_vector(UNIT[:2], NONE) == pytest.approx(unit(1, 1, 0, 0))
    share = UNWANTED_PICTURE / 2
    assert pictures_vector(UNIT[:1], UNIT[2:]) == pytest.approx(unit(1, 0, -share, -share))
    with pytest.raises(QueryError, match="these pictures cancel each other out"):
        pictures_vector(np.array([UNIT[0], -UNIT[0]]), NONE)


@given(NUMBERS, st.floats(0, 1))
def test_a_blend_lies_between_picture_and_words(numbers: NDArray[np.float64], weight: float) -> None:
    image, text, _ = units(numbers)
    assume(image @ text > -0.9)
    blend = blend_query_vectors(image, text, weight)
    assert np.linalg.norm(blend) == pytest.approx(1, abs=1e-5)
    assert blend @ image >= image @ text - 1e-5
    assert blend @ text >= image @ text - 1e-5


def test_at_0_and_1_a_blend_is_the_one_or_the_other_unchanged() -> None:
    image, text = unit(1, 2, 3, 4), unit(4, 3, 2, 1)
    assert blend_query_vectors(image, text, 0).tobytes() == image.tobytes()
    assert blend_query_vectors(image, text, 1).tobytes() == text.tobytes()


@pytest.mark.parametrize("weight", [-0.1, 1.01, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(QueryError, match="the weight of the words is"):
        blend_query_vectors(UNIT[0], UNIT[1], weight)
