"""What a search is asked for, and what its answer says besides the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import QueryError
from core.records.assets import Filters

# What words are looked for in: what pictures show and what is written about them, or one of the two.
SearchBy = Literal["both", "pixels", "words"]


@dataclass(frozen=True)
class SearchOptions:
    """At most `top` assets that pass `filters`, each with a cosine similarity of at least `min_similarity`.

    `correct` corrects misspelt words, `fold` shows near-duplicates as one result. Raises QueryError for a similarity
    that no cosine can be.
    """

    top: int = 10
    filters: Filters = Filters()
    min_similarity: float = -1.0
    by: SearchBy = "both"
    correct: bool = True
    fold: bool = False

    def __post_init__(self) -> None:
        if not -1 <= self.min_similarity <= 1:  # nor for NaN
            raise QueryError(f"a minimum similarity of {self.min_similarity:g} is out of range: choose -1 to 1")
