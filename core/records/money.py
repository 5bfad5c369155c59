"""Amounts of money as whole numbers of pico-USD, 10**-12 USD, so that sums are exact however they are grouped.

A request's costs are rounded once, to the nearest pico-USD, when they are recorded; sums of earlier versions once as a
whole. The largest amount is what a 64-bit integer holds, as SQLite's do: 9,223,372 USD.
"""

from __future__ import annotations

PICO_PER_USD = 10**12
MAX_PICO_USD = 2**63 - 1
MAX_USD = MAX_PICO_USD // PICO_PER_USD


def pico_usd(usd: float) -> int:
    """An amount of USD in pico-USD. Raises ValueError if it is below 0, above 9,223,372 USD or not a number."""
    if not 0 <= usd <= MAX_USD:
        raise ValueError(f"an amount must be between 0 and {MAX_USD:,} USD, not {usd}")
    numerator, denominator = usd.as_integer_ratio()
    return (2 * numerator * PICO_PER_USD + denominator) // (2 * denominator)


def usd(pico: int) -> float:
    """The float nearest to an amount of pico-USD."""
    return pico / PICO_PER_USD
