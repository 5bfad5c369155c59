"""The time spans that the page offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class TimeSpan:
    """A span that ends now, and about how many points its charts have."""

    length: timedelta
    points: int


SPANS: Mapping[str, TimeSpan] = {
    "15 min": TimeSpan(timedelta(minutes=15), 15),
    "1 hour": TimeSpan(timedelta(hours=1), 60),
    "24 hours": TimeSpan(timedelta(hours=24), 96),
    "7 days": TimeSpan(timedelta(days=7), 84),
    "30 days": TimeSpan(timedelta(days=30), 90),
    "1 year": TimeSpan(timedelta(days=364), 52),
}
DEFAULT_SPAN = "1 hour"
