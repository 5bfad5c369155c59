"""Clocks that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Called, it says the moment it was moved to; it begins at noon."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


class SecondsClock:
    """The same in seconds."""

    def __init__(self) -> None:
        self.seconds, self.slept = 1_000_000.0, list[float]()

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Nobody waits: the clock moves on, and remembers by how much."""
        self.slept.append(seconds)
        self.seconds += seconds
