"""95 % intervals: percentile bootstrap over queries, and Wilson's interval for shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2_000
SEED = 20_260_101
_PERCENTILES = (2.5, 97.5)
_Z = 1.959964
_BLOCK_INDICES = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is more than chance would explain."""
        return self.low > 0 or self.high < 0


def bootstrap(values: NDArray[np.float64], draws: int = DRAWS, seed: int = SEED) -> list[Interval]:
    """The mean of every column with its percentile bootstrap interval (Efron 1979); rows are drawn as a whole.

    `values` is (n, m) float64, a row per query, n > 0. Differences of two runs, query by query, make it the paired
    bootstrap. The same seed gives the same bounds.
    """
    count, columns = values.shape
    generator, means = np.random.default_rng(seed), np.empty((draws, columns))
    block = max(1, _BLOCK_INDICES // count)
    for start in range(0, draws, block):
        rows = generator.integers(0, count, (min(block, draws - start), count))
        for column in range(columns):  # one column at a time keeps the block small
            means[start : start + len(rows), column] = values[rows, column].mean(axis=1)
    low, high = np.percentile(means, _PERCENTILES, axis=0)
    return [Interval(*map(float, bounds)) for bounds in zip(values.mean(axis=0), low, high, strict=True)]


def wilson(successes: int, trials: int) -> Interval | None:
    """A share with its score interval (Wilson 1927), None without trials."""
    if trials == 0:
        return None
    share, z2 = successes / trials, _Z * _Z
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))
