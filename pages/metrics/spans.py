"""How far back the page looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Span:
    """A time that ends now, and about how many points its charts have."""

    length: timedelta
    points: int


SPANS: Mapping[str, Span] = {
    "15 min": Span(timedelta(minutes=15), 15),
    "1 hour": Span(timedelta(hours=1), 60),
    "24 hours": Span(timedelta(hours=24), 96),
    "7 days": Span(timedelta(days=7), 84),
    "30 days": Span(timedelta(days=30), 90),
    "1 year": Span(timedelta(days=364), 52),
}
USUAL = "1 hour"
