"""Reads amounts of USD as earlier versions stored them: floats, and sums as binary numbers of 2**-1074 USD."""

from __future__ import annotations

import math

from core.records.money import MAX_PICO_USD, PICO_PER_USD

_PLACES = 1074
_SHIFT_BYTES = 2


def pico_usd_from_real(usd: float) -> int:
    """Pico-USD of an amount; nothing for one below 0 and the largest one for one above, which none was meant to be."""
    if not math.isfinite(usd):
        return MAX_PICO_USD if usd > 0 else 0
    return _rounded(*usd.as_integer_ratio())


def pico_usd_from_binary(data: bytes) -> int:
    """Pico-USD of a sum: how many zeros it ends with in binary, then its other digits; no bytes for nothing."""
    zeros = int.from_bytes(data[:_SHIFT_BYTES], "little")
    return _rounded(int.from_bytes(data[_SHIFT_BYTES:], "little", signed=True) << zeros, 1 << _PLACES)


def _rounded(numerator: int, denominator: int) -> int:
    pico = (2 * numerator * PICO_PER_USD + denominator) // (2 * denominator)
    return min(max(pico, 0), MAX_PICO_USD)
