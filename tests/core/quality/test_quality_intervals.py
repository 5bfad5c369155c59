"""Intervals: the percentile bootstrap and Wilson's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.quality import intervals
from core.quality.intervals import Interval, bootstrap, wilson


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, np.float64).reshape(-1, 1)


def test_the_bootstrap_agrees_with_scipys() -> None:
    values = np.random.default_rng(3).beta(2, 1, 120)
    ours = bootstrap(column(*values), draws=20_000)[0]
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_the_same_seed_gives_the_same_bounds_and_blocks_change_nothing_but_the_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = column(*np.linspace(0, 1, 50))
    assert bootstrap(values) == bootstrap(values)
    whole = bootstrap(values)[0]
    monkeypatch.setattr(intervals, "_BLOCK_INDICES", 60)
    assert bootstrap(values)[0] == whole


def test_columns_are_drawn_together() -> None:
    values = np.random.default_rng(0).random((30, 1))
    one, same = bootstrap(np.hstack([values, values]))
    assert one == same


def test_one_query_has_an_interval_without_width() -> None:
    assert bootstrap(column(0.25)) == [Interval(0.25, 0.25, 0.25)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_mean_lies_within_the_range_of_the_values_and_the_bounds_around_each_other(values: list[float]) -> None:
    found = bootstrap(column(*values), draws=50)[0]
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_wilson_by_hand() -> None:
    # Newcombe 1998, table I: 81 of 263 is 0.2553 to 0.3662, 15 of 148 is 0.0624 to 0.1605, 0 of 20 is 0 to 0.1611
    for up, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = wilson(up, total)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilsons_interval_holds_the_share_and_stays_within_zero_and_one(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_difference_is_more_than_chance_where_its_interval_leaves_zero_out() -> None:
    assert Interval(0.1, 0.01, 0.2).excludes_zero
    assert Interval(-0.1, -0.2, -0.01).excludes_zero
    assert not Interval(0.1, -0.01, 0.2).excludes_zero
