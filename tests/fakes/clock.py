"""A time in seconds that tests move."""

from __future__ import annotations


class SecondsClock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds
