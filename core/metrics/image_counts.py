"""How many images this process was asked for, and how many of them it delivered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import get_args

from core.records.encoded_images import ImageOutcome

# "Image loading success" in the prototype's hand-written table.
BASELINE_PERCENT = 98


class ImageCounts:
    """Counts since the process started. May be shared between threads."""

    def __init__(self) -> None:
        self._lock, self._counts = threading.Lock(), Counter[ImageOutcome]()

    def add(self, outcome: ImageOutcome) -> None:
        """Count one request for an image."""
        with self._lock:
            self._counts[outcome] += 1

    def totals(self) -> Mapping[ImageOutcome, int]:
        """Requests by outcome; every outcome is there, also those that did not happen."""
        with self._lock:
            return {outcome: self._counts[outcome] for outcome in get_args(ImageOutcome)}


def delivered_percent(totals: Mapping[ImageOutcome, int]) -> float | None:
    """How many of a hundred images that were asked for arrived, rounded down to two decimals; None before the first.

    An image that is not there (any more) counts as not delivered: whoever asked for it sees none.
    """
    requests = sum(totals.values())
    return totals["served"] * 10_000 // requests / 100 if requests else None
