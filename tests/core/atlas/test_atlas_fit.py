from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.atlas.fit import LAYOUT_PHASE, NEIGHBOURS_PHASE, align_map, close_gaps, fit_map, frame_map, turn_to_square
from core.atlas.placement import neighbour_recall, place_points
from core.errors import ClusterError
from core.records.jobs import Cancelled, Progress
from core.store.lance.collections import Collections

Vectors = NDArray[np.float32]
N, GROUPS = 400, 8


def unit(rows: NDArray[np.floating]) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def groups(n: int, d: int = 32, seed: int = 0) -> tuple[Vectors, NDArray[np.intp]]:
    """Vectors in 8 groups, and the number of each one's group."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, GROUPS, n)
    return unit(rng.standard_normal((GROUPS, d))[of] + 0.3 * rng.standard_normal((n, d))), of


EVERYONE, GROUP_OF = groups(N + 40)
VECTORS = EVERYONE[:N]


@pytest.fixture(scope="module")
def fitted() -> NDArray[np.float32]:
    return fit_map(VECTORS)


def test_groups_of_vectors_are_groups_on_the_map(fitted: NDArray[np.float32]) -> None:
    centres = np.array([np.median(fitted[group == GROUP_OF[:N]], axis=0) for group in range(GROUPS)])
    nearest = np.linalg.norm(fitted[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == GROUP_OF[:N]).mean() > 0.99
    assert neighbour_recall(VECTORS, fitted, np.arange(N)) > 0.35


def test_a_map_fills_its_frame_with_the_widest_spread_level(fitted: NDArray[np.float32]) -> None:
    assert fitted.dtype == np.float32
    assert fitted.shape == (N, 2)
    assert np.ptp(fitted, axis=0).max() == pytest.approx(2, abs=1e-5)
    assert np.abs(fitted).max() == pytest.approx(1, abs=1e-5)
    spread = np.cov(fitted.T)
    assert spread[0, 0] >= spread[1, 1]
    assert spread[0, 1] == pytest.approx(0, abs=1e-5)


def test_the_same_vectors_and_seed_give_the_same_map(fitted: NDArray[np.float32]) -> None:
    assert np.array_equal(fit_map(VECTORS), fitted)
    assert not np.array_equal(fit_map(VECTORS, seed=1), fitted)


def test_a_refit_leaves_pictures_about_where_they_were(fitted: NDArray[np.float32]) -> None:
    start = np.concatenate([fitted, place_points(EVERYONE[N:], VECTORS, fitted)])
    refit = fit_map(EVERYONE, start=start)
    assert np.median(np.linalg.norm(refit[:N] - fitted, axis=1)) < 0.15
    assert np.linalg.norm(refit - refit.mean(axis=0)) == pytest.approx(
        np.linalg.norm(start - start.mean(axis=0)), rel=1e-4
    )


def test_a_refit_keeps_the_proportions_of_an_elongated_map() -> None:
    along = np.linspace(0, np.pi / 2, N)
    noise = np.random.default_rng(3).normal(0, 0.02, (N, 30))
    vectors = unit(np.column_stack([np.cos(along), np.sin(along), noise]))
    start = fit_map(vectors)
    assert np.ptp(start[:, 1]) < 1
    refit = fit_map(vectors, start=start)
    assert np.median(np.linalg.norm(refit - start, axis=1)) < 0.2


def test_a_fit_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_map(VECTORS[:40])


def test_progress_is_reported_for_rows_and_then_for_epochs() -> None:
    reports: list[Progress] = []
    fit_map(VECTORS, listener=reports.append)
    assert list(dict.fromkeys(progress.phase for progress in reports)) == [NEIGHBOURS_PHASE, LAYOUT_PHASE]
    for phase, total in [(NEIGHBOURS_PHASE, N), (LAYOUT_PHASE, 500)]:
        done = [progress.done for progress in reports if progress.phase == phase]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, total)
        assert {progress.total for progress in reports if progress.phase == phase} == {total}


@pytest.mark.parametrize("phase", [NEIGHBOURS_PHASE, LAYOUT_PHASE])
def test_a_listener_that_raises_stops_the_fit_and_is_not_called_again(phase: str) -> None:
    reports: list[Progress] = []

    def cancel(progress: Progress) -> None:
        reports.append(progress)
        if progress.phase == phase and progress.done > 0:
            raise Cancelled("cancelled by a person")

    with pytest.raises(Cancelled, match="cancelled by a person"):
        fit_map(VECTORS, listener=cancel)
    assert [progress.phase for progress in reports if progress.done > 0].count(phase) == 1


ODD: dict[str, Callable[[], Vectors]] = {
    "all equal": lambda: unit(np.ones((60, 8))),
    "equal up to rounding": lambda: unit(1 + np.random.default_rng(4).normal(0, 1e-7, (60, 32))),
    "each many times": lambda: unit(np.repeat(np.random.default_rng(1).standard_normal((5, 8)), 40, axis=0)),
    "one far from a crowd of equals": lambda: np.repeat(np.eye(2, 8, dtype=np.float32), [80, 1], axis=0),
    "orthogonal": lambda: np.eye(64, dtype=np.float32),
    "along a line": lambda: unit(np.column_stack([np.ones(90), np.linspace(0, 1, 90)])),
    "all zero": lambda: np.zeros((40, 8), np.float32),
    "one opposite to a crowd of equals": lambda: np.repeat(np.float32([[0, 1], [0, -1]]), [80, 1], axis=0),
    "just enough for a fit": lambda: unit(np.random.default_rng(2).standard_normal((17, 8))),
}


@pytest.mark.parametrize("vectors", [make() for make in ODD.values()], ids=ODD.keys())
def test_any_vectors_have_a_map_on_which_no_two_pictures_coincide(vectors: Vectors) -> None:
    coordinates = fit_map(vectors)
    assert coordinates.shape == (len(vectors), 2)
    assert np.isfinite(coordinates).all()
    assert np.abs(coordinates).max() == pytest.approx(1, abs=1e-5)
    assert len(np.unique(coordinates, axis=0)) == len(vectors)


@pytest.mark.parametrize("n", range(17))
def test_few_pictures_are_shown_by_their_principal_components_without_a_fit(n: int) -> None:
    reports: list[Progress] = []
    vectors = unit(np.random.default_rng(n).standard_normal((n, 8)))
    for rows in (vectors, np.tile(vectors[:1], (n, 1))):
        coordinates = fit_map(rows, listener=reports.append)
        assert coordinates.shape == (n, 2)
        assert coordinates.dtype == np.float32
        assert len(np.unique(coordinates.round(6), axis=0)) == n
        assert np.abs(coordinates).max(initial=0) == pytest.approx(1.0 if n > 1 else 0.0, abs=1e-5)
    assert reports == []


def test_of_few_pictures_similar_ones_are_close_together() -> None:
    first, second = np.eye(2, 8)
    noise = np.random.default_rng(0).normal(0, 0.05, (6, 8))
    coordinates = fit_map(unit(np.array([first, first, first, second, second, second]) + noise))
    assert np.ptp(coordinates[:3, 0]) < 0.3
    assert np.ptp(coordinates[3:, 0]) < 0.3
    assert np.sign(coordinates[:3, 0]).tolist() == (-np.sign(coordinates[3:, 0])).tolist()


def test_a_map_that_started_at_one_point_is_spread_out() -> None:
    for n in (5, 40):
        coordinates = fit_map(VECTORS[:n], start=np.zeros((n, 2), np.float32))
        assert np.isfinite(coordinates).all()
        assert np.ptp(coordinates, axis=0).max() > 1


def test_vectors_that_cannot_be_mapped_are_refused_by_name() -> None:
    with pytest.raises(ClusterError, match=r"vectors of shape \(n, 2 or more\), not \(5, 1\)"):
        fit_map(np.ones((5, 1), np.float32))
    with pytest.raises(ClusterError, match=r"not \(5,\)"):
        fit_map(np.ones(5, np.float32))
    broken = VECTORS.copy()
    broken[37, 3] = np.nan
    with pytest.raises(ClusterError, match="the vector in row 37 is not finite"):
        fit_map(broken)
    with pytest.raises(
        ClusterError, match=r"a map of 400 pictures cannot start from \(399, 2\): place newcomers first"
    ):
        fit_map(VECTORS, start=np.zeros((399, 2), np.float32))


@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 20), st.just(2)), elements=st.floats(-50, 50, width=16)))
def test_a_map_can_be_turned_so_that_it_is_as_wide_as_high(coordinates: NDArray[np.float64]) -> None:
    turned = turn_to_square(coordinates.astype(np.float32))
    width, height = np.ptp(turned, axis=0)
    assert width == pytest.approx(height, rel=1e-3, abs=1e-4)
    assert np.linalg.norm(np.diff(turned, axis=0), axis=1) == pytest.approx(
        np.linalg.norm(np.diff(coordinates, axis=0), axis=1), rel=1e-3, abs=1e-4
    )


maps = hnp.arrays(
    np.float64, st.tuples(st.integers(3, 20), st.just(2)), elements=st.integers(-50, 50).map(float), unique=True
)


@given(maps, st.floats(0, 6.3), st.booleans(), st.floats(0.1, 10), st.floats(-5, 5), st.floats(-5, 5))
def test_a_map_that_was_rotated_mirrored_scaled_and_moved_is_aligned_exactly(
    old: NDArray[np.float64], angle: float, mirror: bool, scale: float, dx: float, dy: float
) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    new = (old * [1, -1 if mirror else 1]) @ turn * scale + [dx, dy]
    common = np.arange(len(old))[1:]
    aligned = align_map(new.astype(np.float32), old[1:].astype(np.float32), common)
    assert aligned[1:] == pytest.approx(old[1:], abs=2e-3)


def test_a_map_is_aligned_by_the_rows_it_shares_with_another_and_the_rest_goes_along() -> None:
    old = np.float32([[0, 0], [1, 0], [0, 2]])
    new = np.float32([[5, 5], [3, 1], [3, 2], [1, 1]])  # row 0 is new; the others are old, turned by a quarter
    aligned = align_map(new, old, np.array([1, 2, 3]))
    assert aligned[1:] == pytest.approx(old, abs=1e-5)
    assert aligned[0] == pytest.approx([4, -2], abs=1e-5)


def test_a_map_keeps_its_size_however_often_it_is_aligned() -> None:
    rng = np.random.default_rng(0)
    old = at = rng.standard_normal((100, 2)).astype(np.float32)
    for _ in range(20):
        at = align_map((at + rng.normal(0, 0.5, at.shape)).astype(np.float32), at, np.arange(100))
    assert np.linalg.norm(at - at.mean(axis=0)) == pytest.approx(np.linalg.norm(old - old.mean(axis=0)), rel=1e-3)


def test_a_map_with_nothing_in_common_is_unchanged() -> None:
    new = np.float32([[1, 2], [3, 4]])
    assert np.array_equal(align_map(new, np.empty((0, 2), np.float32), np.arange(0)), new)
    assert np.array_equal(align_map(new, np.zeros((2, 2), np.float32), np.arange(2)), new)


@given(maps, st.floats(0, 6.3), st.floats(0.1, 10))
def test_the_frame_does_not_depend_on_rotation_and_scale(old: NDArray[np.float64], angle: float, scale: float) -> None:
    spread = np.sort(np.linalg.eigvalsh(np.cov(old.T)))
    framed_old = frame_map(old)
    skew = np.abs((framed_old.astype(np.float64) - framed_old.mean(axis=0)) ** 3).sum(axis=0)
    third = np.abs(((framed_old.astype(np.float64) - framed_old.mean(axis=0)) ** 3).sum(axis=0))
    if spread[0] < 0.05 * spread[1] or spread[0] > 0.9 * spread[1] or (third < 0.05 * skew).any():
        return  # its orientation depends on rounding
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert frame_map(old @ turn * scale) == pytest.approx(framed_old, abs=1e-3)


def test_the_demo_collection_has_a_map_that_preserves_neighbours(demo_data: Path) -> None:
    vectors = Collections(demo_data / "collections").open("demo").snapshot().vectors
    coordinates = fit_map(vectors)
    chance = 15 / len(vectors)
    assert neighbour_recall(vectors, coordinates, np.arange(len(vectors))) > max(0.3, 2 * chance)


def test_a_group_that_drifted_off_is_moved_closer_and_everything_else_keeps_its_shape() -> None:
    rng = np.random.default_rng(0)
    middle = rng.uniform(0, 1, (500, 2)).astype(np.float32)
    far = rng.uniform(0, 0.1, (20, 2)).astype(np.float32) + np.array([30, -9], np.float32)
    closed = close_gaps(np.concatenate([middle, far]))
    assert np.ptp(closed, axis=0).max() < 1.3
    assert np.diff(closed[:500], axis=0) == pytest.approx(np.diff(middle, axis=0), abs=1e-4)
    assert np.diff(closed[500:], axis=0) == pytest.approx(np.diff(far, axis=0), abs=1e-4)
    assert closed[500:, 0].min() - closed[:500, 0].max() == pytest.approx(0.06 * np.ptp(closed[:, 0]), rel=0.05)
    assert closed[500:, 1].max() < closed[:500, 1].min()


def test_a_map_without_empty_strips_and_one_of_few_points_are_unchanged() -> None:
    even = np.random.default_rng(1).uniform(-1, 1, (400, 2)).astype(np.float32)
    assert close_gaps(even) - close_gaps(even)[0] == pytest.approx(even - even[0], abs=1e-5)
    few = np.array([[0, 0]] * 30 + [[9, 9]], np.float32)
    assert close_gaps(few) is few
