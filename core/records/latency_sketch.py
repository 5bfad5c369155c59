"""A mergeable histogram of milliseconds with quantiles accurate to 1 %: DDSketch (Masson et al., VLDB 2019)."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Bucket b > 0 covers (S·γ^(b-2), S·γ^(b-1)] and returns 2·S·γ^(b-1) / (γ + 1): at most (γ - 1) / (γ + 1) = 0.99 % off.
GAMMA = 1.02
MIN_MS, MAX_MS = 1e-6, 1e9  # smaller values count as 0 and go to bucket 0; larger ones count as MAX_MS
_LOG_GAMMA = math.log(GAMMA)
_NS_PER_MS = 1_000_000
_HEAD, _PAIR = struct.Struct("<Q"), struct.Struct("<HI")
_PAIRS = np.dtype([("bucket", "<u2"), ("count", "<u4")])
_MAX_NS = 2**64 - 1


@dataclass(frozen=True)
class LatencySketch:
    """The count of values per bucket, and their sum in nanoseconds; equal if these are equal.

    `pairs` are the non-empty buckets, ascending: number (uint16) and count (uint32), little-endian.
    """

    sum_ns: int = 0
    pairs: bytes = b""

    @classmethod
    def from_values(cls, values_ms: Iterable[float]) -> LatencySketch:
        """The sketch of some values; negative ones and NaN count as 0."""
        values = [_bounded(ms) for ms in values_ms]
        counts = Counter(map(_bucket, values))
        pairs = b"".join(_PAIR.pack(bucket, count) for bucket, count in sorted(counts.items()))
        return cls(sum(round(ms * _NS_PER_MS) for ms in values), pairs)

    @classmethod
    def from_bytes(cls, data: bytes) -> LatencySketch:
        """The sketch that `to_bytes` serialized."""
        return cls(_HEAD.unpack_from(data)[0], data[_HEAD.size :]) if data else cls()

    @classmethod
    def merge_all(cls, parts: Iterable[bytes]) -> LatencySketch:
        """The merged sketch of many serialized ones, in one vectorized pass."""
        parts = [part for part in parts if part]
        if len(parts) < 2:
            return cls.from_bytes(parts[0]) if parts else cls()
        pairs = np.frombuffer(b"".join([part[_HEAD.size :] for part in parts]), _PAIRS)
        counts = np.bincount(pairs["bucket"], pairs["count"])
        buckets = np.flatnonzero(counts)
        merged = np.empty(len(buckets), _PAIRS)
        merged["bucket"], merged["count"] = buckets, counts[buckets]
        return cls(sum(_HEAD.unpack_from(part)[0] for part in parts), merged.tobytes())

    def to_bytes(self) -> bytes:
        """Eight bytes, plus six for every non-empty bucket; no bytes for an empty sketch."""
        return _HEAD.pack(min(self.sum_ns, _MAX_NS)) + self.pairs if self.pairs else b""

    @property
    def count(self) -> int:
        """The number of values."""
        return int(self._counts.sum())

    @property
    def sum_ms(self) -> float:
        """The sum of all values, each rounded to a nanosecond."""
        return self.sum_ns / _NS_PER_MS

    def quantile(self, q: float) -> float:
        """The `q` quantile (NumPy's `inverted_cdf`), within 1 %; NaN for an empty sketch.

        Raises ValueError if `q` is not between 0 and 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile of {q} is asked for: give a share from 0 to 1")
        if not self.pairs:
            return math.nan
        rank = max(0, math.ceil(self.count * q - 1))
        return _value(int(self._buckets[np.searchsorted(self._counts.cumsum(), rank, side="right")]))

    def merge(self, other: LatencySketch) -> LatencySketch:
        """A new sketch with the values of both."""
        return LatencySketch.merge_all([self.to_bytes(), other.to_bytes()])

    def count_at_most(self, ms: float) -> int:
        """How many values are `ms` or less; those within 1 % of it may count on either side."""
        return sum(count for bucket, count in _PAIR.iter_unpack(self.pairs) if _value(bucket) <= ms)

    @property
    def _buckets(self) -> NDArray[np.uint16]:
        return np.frombuffer(self.pairs, _PAIRS)["bucket"]

    @property
    def _counts(self) -> NDArray[np.int64]:
        return np.frombuffer(self.pairs, _PAIRS)["count"].astype(np.int64)


def _bounded(ms: float) -> float:
    return min(ms, MAX_MS) if ms >= MIN_MS else 0.0


def _bucket(ms: float) -> int:
    return 1 + math.ceil(math.log(ms / MIN_MS) / _LOG_GAMMA) if ms else 0


def _value(bucket: int) -> float:
    return MIN_MS * GAMMA ** (bucket - 1) * 2 / (GAMMA + 1) if bucket else 0.0
