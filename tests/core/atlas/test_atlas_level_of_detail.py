from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.atlas.level_of_detail import DENSITY_GRID, Box, LevelOfDetail, sampling_priority
from core.errors import ClusterError

corners = st.floats(-1, 1, width=32)
boxes = st.tuples(corners, corners, corners, corners).filter(lambda box: box[0] != box[2] and box[1] != box[3])


def dense_and_sparse(n: int = 3_000, seed: int = 0) -> NDArray[np.float32]:
    """Most points in one dense spot, some in groups, a few alone."""
    rng = np.random.default_rng(seed)
    spot = rng.normal(0.3, 0.02, (n - n // 5, 2))
    groups = rng.uniform(-1, 1, (n // 50, 2))[rng.integers(0, n // 50, n // 5 - n // 50)]
    return np.concatenate([spot, groups + rng.normal(0, 0.005, groups.shape), rng.uniform(-1, 1, (n // 50, 2))]).astype(
        np.float32
    )


def random_priority(n: int, seed: int = 0) -> NDArray[np.uint32]:
    return np.random.default_rng(seed).permutation(n).astype(np.uint32)


MAP = dense_and_sparse()
LEVEL_OF_DETAIL = LevelOfDetail(MAP, random_priority(len(MAP)))


def inside(box: Box) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = box
    x, y = MAP.T
    return (x >= min(x0, x1)) & (x <= max(x0, x1)) & (y >= min(y0, y1)) & (y <= max(y0, y1))


@given(boxes, st.integers(0, 4_000))
def test_a_viewport_shows_only_its_own_points_and_no_more_than_the_budget(box: Box, budget: int) -> None:
    sample = LEVEL_OF_DETAIL.sample(box, budget)
    assert sample.inside_count == inside(box).sum()
    assert len(sample.rows) == len(set(sample.rows.tolist())) == min(budget, sample.inside_count)
    assert inside(box)[sample.rows].all()
    assert sample.is_thinned == (budget < sample.inside_count)
    assert sample.rows.dtype == np.int32


@given(boxes, st.integers(0, 500), st.integers(0, 500))
def test_a_drawn_point_stays_drawn_when_the_budget_rises(box: Box, fewer: int, extra: int) -> None:
    less, more = LEVEL_OF_DETAIL.sample(box, fewer).rows, LEVEL_OF_DETAIL.sample(box, fewer + extra).rows
    assert more[: len(less)].tolist() == less.tolist()


@given(boxes, st.floats(0, 0.45), st.floats(0.55, 1), st.integers(1, 500))
def test_a_drawn_point_stays_drawn_when_zooming_in(box: Box, low: float, high: float, budget: int) -> None:
    x0, y0, x1, y1 = box
    closer = (x0 + low * (x1 - x0), y0 + low * (y1 - y0), x0 + high * (x1 - x0), y0 + high * (y1 - y0))
    drawn, drawn_closer = LEVEL_OF_DETAIL.sample(box, budget).rows, LEVEL_OF_DETAIL.sample(closer, budget).rows
    assert set(drawn[inside(closer)[drawn]].tolist()) <= set(drawn_closer.tolist())


def test_the_sample_does_not_depend_on_the_row_order() -> None:
    turned = np.random.default_rng(1).permutation(len(MAP))
    drawn = LevelOfDetail(MAP[turned], random_priority(len(MAP))[turned]).sample(None, 200).rows
    assert turned[drawn].tolist() == LEVEL_OF_DETAIL.sample(None, 200).rows.tolist()


def test_no_group_is_missing_and_the_dense_spot_is_thinned() -> None:
    drawn = LEVEL_OF_DETAIL.sample(None, 300).rows
    gap = np.linalg.norm(MAP[:, None] - MAP[drawn], axis=2).min(axis=1)
    at_random = np.linalg.norm(MAP[:, None] - MAP[np.argsort(random_priority(len(MAP)))[:300]], axis=2).min(axis=1)
    assert gap.max() < 0.07 < 0.15 < at_random.max()
    in_spot = np.linalg.norm(MAP - 0.3, axis=1) < 0.1
    assert in_spot.mean() > 0.75
    assert in_spot[drawn].mean() < 0.3


@given(boxes)
def test_the_density_counts_all_points_drawn_or_not(box: Box) -> None:
    sample = LEVEL_OF_DETAIL.sample(box, 10)
    assert sample.density.shape == (DENSITY_GRID, DENSITY_GRID)
    assert sample.density.dtype == np.uint16
    assert sample.density.sum() == sample.inside_count


def test_the_density_has_the_lowest_row_first() -> None:
    coordinates = np.float32([[0, 0], [0, 0], [0, 1], [1, 1], [1, 1], [1, 1]])
    density = LevelOfDetail(coordinates, random_priority(6)).sample(None, 6).density
    assert density[0, 0] == 2
    assert density[-1, 0] == 1
    assert density[-1, -1] == 3
    whole = LEVEL_OF_DETAIL.sample((-1, -1, 1, 1), 0).density
    expected = np.histogram2d(MAP[:, 1], MAP[:, 0], bins=DENSITY_GRID, range=[[-1, 1], [-1, 1]])[0]
    assert np.abs(whole - expected).sum() < 0.01 * len(MAP)  # but for rounding at the cells' edges


def test_the_density_saturates_at_its_maximum() -> None:
    sample = LevelOfDetail(np.zeros((70_000, 2), np.float32), random_priority(70_000)).sample(None, 5)
    assert sample.density.max() == 65_535
    assert sample.inside_count == 70_000
    assert len(sample.rows) == 5


@pytest.mark.parametrize(
    "coordinates",
    [np.zeros((0, 2)), np.zeros((1, 2)), np.ones((7, 2)), np.column_stack([np.arange(5), np.zeros(5)])],
    ids=["empty", "one point", "all in one place", "all in a row"],
)
def test_a_map_without_area_is_drawn_whole(coordinates: NDArray[np.float64]) -> None:
    sample = LevelOfDetail(coordinates.astype(np.float32), random_priority(len(coordinates))).sample(None, 100)
    assert sorted(sample.rows.tolist()) == list(range(len(coordinates)))
    assert not sample.is_thinned
    x0, y0, x1, y1 = sample.extent
    assert x1 > x0
    assert y1 > y0


def test_the_corners_of_a_box_come_in_any_order() -> None:
    expected = LEVEL_OF_DETAIL.sample((-0.5, -0.25, 0.5, 0.75), 50)
    turned = LEVEL_OF_DETAIL.sample((0.5, 0.75, -0.5, -0.25), 50)
    assert turned.extent == expected.extent == (-0.5, -0.25, 0.5, 0.75)
    assert turned.rows.tolist() == expected.rows.tolist()


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.0, 1.0), (0.0, 1.0, 1.0, 1.0), (0.0, 0.0, float("nan"), 1.0)])
def test_a_box_without_area_is_refused(box: Box) -> None:
    with pytest.raises(ClusterError, match=r"nothing can be shown of a box from .*: draw a larger one"):
        LEVEL_OF_DETAIL.sample(box, 10)


def test_the_priority_of_an_asset_comes_from_its_id() -> None:
    ids = [f"{number:064x}" for number in (0, 1 << 224, 255 << 248)]
    rows = np.frombuffer(bytes.fromhex("".join(ids)), np.uint8).reshape(3, 32)
    assert sampling_priority(rows).tolist() == [0, 1, 255 << 24]
    assert sampling_priority(np.empty((0, 32), np.uint8)).tolist() == []
