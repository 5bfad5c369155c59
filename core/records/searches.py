"""What a search is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from core.records.assets import Filters


@dataclass(frozen=True)
class SearchOptions:
    """At most `top` assets that pass `filters`, each with a cosine similarity of at least `min_similarity`."""

    top: int = 10
    filters: Filters = Filters()
    min_similarity: float = -1.0
