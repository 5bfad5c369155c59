from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.atlas import placement
from core.atlas.placement import neighbour_recall, place_points, refit_suggested, top_columns


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


NEW_VECTOR = np.eye(1, 16, dtype=np.float32)


def two_groups(first: int, second: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """15 vectors at equal distances from the new one, on a map on which they are in two groups far apart."""
    vectors = unit(2 * NEW_VECTOR + np.eye(16)[1:])
    centres = np.repeat([[-1.0, 0.0], [1.0, 0.0]], [first, second], axis=0)
    return vectors, (centres + np.random.default_rng(0).normal(0, 0.01, centres.shape)).astype(np.float32)


@pytest.mark.parametrize(("first", "second", "x"), [(12, 3, -1), (10, 5, -1), (5, 10, 1)])
def test_a_new_point_joins_the_larger_of_two_groups_and_not_the_void_between(first: int, second: int, x: int) -> None:
    assert place_points(NEW_VECTOR, *two_groups(first, second)) == pytest.approx(np.array([[x, 0]]), abs=0.02)


def test_a_new_point_between_three_groups_joins_one() -> None:
    vectors, _ = two_groups(8, 7)
    corners = np.float32([[-1, 0], [1, 0], [0, 1]])
    coordinates = np.repeat(corners, 5, axis=0) + np.random.default_rng(0).normal(0, 0.01, (15, 2)).astype(np.float32)
    assert np.linalg.norm(place_points(NEW_VECTOR, vectors, coordinates) - corners, axis=1).min() < 0.02


def test_a_new_point_that_is_all_but_equal_to_a_picture_is_placed_on_it() -> None:
    vectors, coordinates = two_groups(12, 3)
    assert place_points(vectors[-1:], vectors, coordinates) == pytest.approx(coordinates[-1:], abs=1e-3)


def test_a_new_point_is_placed_amid_its_neighbours() -> None:
    rng = np.random.default_rng(1)
    angles = rng.uniform(0, np.pi, 2_000)
    vectors = unit(np.column_stack([np.cos(angles), np.sin(angles)]))
    coordinates = np.column_stack([angles, angles**2]).astype(np.float32)
    new = np.linspace(0.1, 3.0, 40)
    placed = place_points(unit(np.column_stack([np.cos(new), np.sin(new)])), vectors, coordinates)
    assert placed == pytest.approx(np.column_stack([new, new**2]), abs=0.06)


def test_many_points_are_placed_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    vectors, coordinates = unit(rng.standard_normal((300, 16))), rng.random((300, 2), np.float32)
    new_vectors = unit(rng.standard_normal((50, 16)))
    alone = np.concatenate([place_points(new_vectors[row : row + 1], vectors, coordinates) for row in range(50)])
    monkeypatch.setattr(placement, "BLOCK_VALUES", 7 * 300)
    assert place_points(new_vectors, vectors, coordinates) == pytest.approx(alone, abs=1e-5)
    assert place_points(new_vectors, vectors, coordinates).dtype == np.float32


@pytest.mark.parametrize("fitted", [1, 2, 3, 16])
def test_points_can_be_placed_on_a_map_of_few_pictures(fitted: int) -> None:
    rng = np.random.default_rng(3)
    vectors, coordinates = unit(rng.standard_normal((fitted, 4))), rng.random((fitted, 2), np.float32)
    placed = place_points(unit(rng.standard_normal((5, 4))), vectors, coordinates)
    low, high = coordinates.min(axis=0) - 1e-6, coordinates.max(axis=0) + 1e-6
    assert ((placed >= low) & (placed <= high)).all()


def test_on_an_empty_map_points_are_placed_at_the_origin() -> None:
    empty = np.empty((0, 4), np.float32), np.empty((0, 2), np.float32)
    assert place_points(np.eye(4, dtype=np.float32), *empty).tolist() == [[0, 0]] * 4
    assert place_points(np.empty((0, 4), np.float32), *empty).shape == (0, 2)


def test_equal_vectors_and_equal_coordinates_are_no_obstacle() -> None:
    vectors = np.tile(unit(np.ones((1, 4))), (40, 1))
    placed = place_points(vectors[:3], vectors, np.full((40, 2), 0.25, np.float32))
    assert placed.tolist() == [[0.25, 0.25]] * 3
    zeros = np.zeros((2, 4), np.float32)
    assert np.isfinite(place_points(zeros, zeros, np.float32([[0, 0], [1, 1]]))).all()


def test_a_refit_is_suggested_once_more_than_a_tenth_was_placed() -> None:
    assert not refit_suggested(placed=0, fitted=0)
    assert not refit_suggested(placed=100, fitted=1_000)
    assert refit_suggested(placed=101, fitted=1_000)
    assert refit_suggested(placed=1, fitted=0)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 300)), elements=st.integers(-9, 9)),
    st.integers(1, 8),
)
def test_the_largest_are_found_in_order(values: NDArray[np.float32], count: int) -> None:
    count = min(count, values.shape[1])
    columns = top_columns(values, count)
    assert columns.shape == (len(values), count)
    assert all(len(set(row)) == count for row in columns.tolist())
    found = np.take_along_axis(values, columns, axis=1)
    assert np.array_equal(found, -np.sort(-values, axis=1)[:, :count])


def test_neighbour_recall_is_one_where_the_map_is_the_space_and_chance_where_it_is_noise() -> None:
    rng = np.random.default_rng(4)
    angles = rng.uniform(0, 2 * np.pi, 1_000)
    vectors, rows = unit(np.column_stack([np.cos(angles), np.sin(angles)])), np.arange(0, 1_000, 5)
    assert neighbour_recall(vectors, vectors, rows, 10) > 0.999
    assert neighbour_recall(vectors, rng.random((1_000, 2), np.float32), rows, 10) == pytest.approx(0.01, abs=0.01)
    assert np.isnan(neighbour_recall(vectors, vectors, rows[:0]))


def test_neighbour_recall_counts_neighbours_and_not_the_picture_itself() -> None:
    line = np.float32([[0, 0], [1, 0], [2, 0], [10, 0], [11, 0], [12, 0]])
    angles = np.array([0, 1, 2, 10, 11, 12]) / 12
    vectors = unit(np.column_stack([np.cos(angles), np.sin(angles)]))
    assert neighbour_recall(vectors, line, np.arange(6), 2) == 1
    swapped = line[[3, 1, 2, 0, 4, 5]]
    assert neighbour_recall(vectors, swapped, np.array([0, 3]), 2) == 0
