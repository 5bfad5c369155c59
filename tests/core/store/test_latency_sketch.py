"""Sketches answer quantiles as NumPy does, to 1 %; sums of USD lose nothing."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.latency_sketch import MAX_MS, MIN_MS, LatencySketch

MS = st.floats(0, 1e9)
VALUES = st.lists(MS | st.just(0.0) | st.floats(1e-9, 1e-3), max_size=200)
SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
USD = st.floats(0, 1e6) | st.floats(0, 1e-6) | st.sampled_from([0.0, 5e-324, 0.1])


def agrees(sketch: LatencySketch, values: np.ndarray, q: float) -> bool:
    expected = float(np.quantile(values, q, method="inverted_cdf"))
    return abs(sketch.quantile(q) - expected) <= max(0.01 * expected, MIN_MS)


@given(VALUES.filter(bool), st.floats(0, 1))
def test_a_quantile_is_numpys_to_one_percent(values: list[float], q: float) -> None:
    sketch = LatencySketch.from_values(values)
    assert all(agrees(sketch, np.array(values), share) for share in (*SHARES, q))


@given(st.integers(0, 2**32), st.sampled_from(["lognormal", "pareto", "constant", "mostly zero", "two humps"]))
def test_quantiles_hold_for_whatever_shape(seed: int, shape: str) -> None:
    rng, count = np.random.default_rng(seed), 2_000
    values = {
        "lognormal": rng.lognormal(4, 1.5, count),
        "pareto": rng.pareto(0.8, count) * 20,
        "constant": np.full(count, 123.456),
        "mostly zero": np.where(rng.random(count) < 0.9, 0.0, rng.lognormal(2, 1, count)),
        "two humps": np.concatenate([rng.normal(25, 1, count // 2), rng.normal(2_000, 50, count // 2)]),
    }[shape]
    values = values.clip(0, MAX_MS)
    sketch = LatencySketch.from_values(values)
    assert all(agrees(sketch, values, share) for share in SHARES)


@given(st.lists(VALUES, max_size=6))
def test_merged_sketches_are_the_sketch_of_all_values(parts: list[list[float]]) -> None:
    whole = LatencySketch.from_values([value for part in parts for value in part])
    assert LatencySketch.merge_all(LatencySketch.from_values(part).to_bytes() for part in parts) == whole
    merged = LatencySketch()
    for part in parts:
        merged = merged.merge(LatencySketch.from_values(part))
    assert merged == whole


@given(VALUES)
def test_count_and_sum_are_those_of_the_values(values: list[float]) -> None:
    sketch = LatencySketch.from_values(values)
    assert sketch.count == len(values)
    assert sketch.sum_ms == pytest.approx(math.fsum(values), rel=1e-9, abs=1e-6 * (len(values) + 1))


@given(VALUES)
def test_a_sketch_comes_back_from_its_bytes(values: list[float]) -> None:
    sketch = LatencySketch.from_values(values)
    assert LatencySketch.from_bytes(sketch.to_bytes()) == sketch
    assert len(sketch.to_bytes()) <= 8 + 6 * len(values)


@given(VALUES, st.lists(MS, min_size=2, max_size=8))
def test_counts_up_to_a_limit_grow_with_it_and_are_right_to_one_percent(
    values: list[float], limits: list[float]
) -> None:
    sketch = LatencySketch.from_values(values)
    counts = [sketch.count_at_most(limit) for limit in sorted(limits)]
    assert all(low <= high for low, high in pairwise(counts))
    assert sketch.count_at_most(math.inf) == len(values)
    for limit, count in zip(sorted(limits), counts, strict=True):
        surely = sum(value <= limit / 1.01 for value in values if value >= MIN_MS)
        at_most = sum(value <= limit * 1.01 + MIN_MS for value in values)
        assert surely <= count <= at_most


def test_an_empty_sketch_has_no_quantile() -> None:
    assert math.isnan(LatencySketch().quantile(0.5))
    assert (LatencySketch().count, LatencySketch().sum_ms, LatencySketch().to_bytes(), LatencySketch.merge_all([])) == (
        0,
        0.0,
        b"",
        LatencySketch(),
    )


def test_values_that_cannot_be_count_as_the_nearest_that_can() -> None:
    odd = LatencySketch.from_values([-1.0, math.nan, 0.0, 1e-9])
    assert (odd.count, odd.quantile(1.0)) == (4, 0.0)
    assert LatencySketch.from_values([math.inf]) == LatencySketch.from_values([MAX_MS])


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a quantile of 95 is asked for: give a share from 0 to 1"):
        LatencySketch.from_values([1.0]).quantile(95)
