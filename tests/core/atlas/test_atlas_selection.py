from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.atlas.selection import inside_box, inside_polygon
from core.errors import ClusterError

# Quarters, so that vertices, edges and points coincide.
grid_values = st.integers(-8, 8).map(lambda quarter: quarter / 4)
points = hnp.arrays(np.float32, st.tuples(st.integers(0, 30), st.just(2)), elements=grid_values)
polygons = st.lists(st.tuples(grid_values, grid_values), min_size=3, max_size=8)
# What a browser sends of a map; products of subnormal numbers would be zero.
anywhere = st.floats(-2, 2, width=32, allow_subnormal=False)


def gaps(x: float, y: float, polygon: list[tuple[float, float]]) -> list[Fraction]:
    """How far to the right of a point each edge is that passes its level, exactly."""
    return [
        Fraction(ax) + (Fraction(y) - Fraction(ay)) * Fraction(bx - ax) / Fraction(by - ay) - Fraction(x)
        for (ax, ay), (bx, by) in zip(polygon[-1:] + polygon[:-1], polygon, strict=True)
        if (ay <= y) != (by <= y)
    ]


@given(points, polygons)
def test_a_lasso_contains_the_points_that_exact_arithmetic_says(
    coordinates: NDArray[np.float32], polygon: list[tuple[float, float]]
) -> None:
    inside = inside_polygon(coordinates, polygon).tolist()
    for (x, y), found in zip(coordinates.tolist(), inside, strict=True):
        edges = gaps(x, y, polygon)
        if all(abs(gap) > 1e-6 for gap in edges):  # on an edge, float32 decides
            assert found == sum(gap > 0 for gap in edges) % 2


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 50), st.just(2)), elements=anywhere),
    st.lists(st.tuples(anywhere, anywhere), min_size=1, max_size=6),
)
def test_a_lasso_cut_in_two_loses_no_point_and_counts_none_twice(
    coordinates: NDArray[np.float32], cut: list[tuple[float, float]]
) -> None:
    bottom, top = (0.0, -3.0), (0.0, 3.0)
    line = [bottom, *cut, top]
    left = inside_polygon(coordinates, [*line, (-3.0, 3.0), (-3.0, -3.0)])
    right = inside_polygon(coordinates, [*line, (3.0, 3.0), (3.0, -3.0)])
    assert (left ^ right).all()


@given(points, polygons, st.integers(0, 7))
def test_a_lasso_is_the_same_wherever_it_starts_and_in_both_directions(
    coordinates: NDArray[np.float32], polygon: list[tuple[float, float]], start: int
) -> None:
    turned = polygon[start % len(polygon) :] + polygon[: start % len(polygon)]
    assert np.array_equal(inside_polygon(coordinates, polygon), inside_polygon(coordinates, turned[::-1]))


def test_where_a_lasso_crosses_itself_the_middle_is_outside() -> None:
    star = [(np.sin(4 * np.pi * k / 5), np.cos(4 * np.pi * k / 5)) for k in range(5)]
    assert inside_polygon(np.float32([[0, 0], [0, 0.8], [2, 2]]), star).tolist() == [False, True, False]


def test_left_and_lower_edges_belong_to_a_lasso_and_right_and_upper_ones_do_not() -> None:
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    edges = np.float32([[0, 0.5], [0.5, 0], [0, 0], [1, 0.5], [0.5, 1], [1, 1]])
    assert inside_polygon(edges, square).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("polygon", [[], [(0, 0)], [(0, 0), (1, 1)], [0, 1, 2], [(0, 0, 0)] * 4])
def test_a_lasso_of_fewer_than_three_points_is_refused(polygon: list[object]) -> None:
    with pytest.raises(ClusterError, match=r"a lasso needs 3 points \(x, y\) or more, not .*: draw around"):
        inside_polygon(np.zeros((1, 2), np.float32), polygon)  # type: ignore[arg-type]


def test_a_lasso_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ClusterError, match="a lasso needs numbers, not nan"):
        inside_polygon(np.zeros((1, 2), np.float32), [(0, 0), (1, float("nan")), (1, 1)])


@given(points, grid_values, grid_values, grid_values, grid_values)
def test_a_box_contains_the_points_between_its_corners_in_any_order(
    coordinates: NDArray[np.float32], x0: float, y0: float, x1: float, y1: float
) -> None:
    expected = [min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1) for x, y in coordinates.tolist()]
    assert inside_box(coordinates, x0, y0, x1, y1).tolist() == expected
