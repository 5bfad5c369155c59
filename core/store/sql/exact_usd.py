"""Sums of USD that lose nothing.

Every float is a whole number of 2**-1074, so an amount is kept as that number and sums are sums of integers. Read back,
a sum is the float nearest to the true sum of the amounts, which is what `math.fsum` gives for them.
"""

from __future__ import annotations

from collections.abc import Iterable

_PLACES = 1074
_SHIFT_BYTES = 2


def units(usd: float) -> int:
    """An amount as a number of 2**-1074 USD. Raises ValueError or OverflowError where it is not finite."""
    numerator, denominator = usd.as_integer_ratio()
    return numerator << (_PLACES + 1 - denominator.bit_length())


def usd(amount: int) -> float:
    """The float nearest to an amount."""
    return amount / (1 << _PLACES)


def packed(amount: int) -> bytes:
    """An amount in few bytes: how many zeros it ends with in binary, and the rest; none for nothing."""
    if not amount:
        return b""
    zeros = (amount & -amount).bit_length() - 1
    rest = amount >> zeros
    return zeros.to_bytes(_SHIFT_BYTES, "little") + rest.to_bytes(rest.bit_length() // 8 + 1, "little", signed=True)


def unpacked(data: bytes) -> int:
    """What `packed` made."""
    return _rest(data) << _zeros(data)


def total(parts: Iterable[bytes]) -> int:
    """The sum of packed amounts; as fast as can be, since their numbers are long but end with much the same zeros."""
    parts = [part for part in parts if part]
    zeros = list(map(_zeros, parts))
    least = min(zeros, default=0)
    return sum(_rest(part) << (own - least) for part, own in zip(parts, zeros, strict=True)) << least


def _zeros(data: bytes) -> int:
    return int.from_bytes(data[:_SHIFT_BYTES], "little")


def _rest(data: bytes) -> int:
    return int.from_bytes(data[_SHIFT_BYTES:], "little", signed=True)
