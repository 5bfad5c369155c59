"""What a person asks for: wishes in words and by pictures, and conditions that each result has to meet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from core.errors import QueryError
from core.records.created_time import CreatedTime

# The fields of a picture's texts; `any` means all of them. A `name` is a file name.
TextField = Literal["any", "title", "description", "keyword", "person", "place", "camera", "author", "name", "source"]
LOWEST_RATING, HIGHEST_RATING = -1, 5  # -1 is a rejected picture


@dataclass(frozen=True)
class Wish:
    """Words that pictures should match, by what they show and by their texts; with a negative weight, should not.

    Raises QueryError for a weight that is no finite number.
    """

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise QueryError(f"a weight of {self.weight:g} is no number to weigh by: choose one like 0.5 or 2")


@dataclass(frozen=True)
class TextCondition:
    """Pictures one of whose texts in `field` has these words next to each other, compared without case and accents."""

    words: str
    field: TextField = "any"
    excluded: bool = False


@dataclass(frozen=True)
class RatingCondition:
    """Pictures rated from `lowest` to `highest` stars; those without a rating are outside any such range."""

    lowest: int = LOWEST_RATING
    highest: int = HIGHEST_RATING
    excluded: bool = False


@dataclass(frozen=True)
class PeriodCondition:
    """Pictures certainly taken from the start of `since` to the end of `until`, as `Filters` understands it."""

    since: CreatedTime | None
    until: CreatedTime | None
    excluded: bool = False


Condition = TextCondition | RatingCondition | PeriodCondition


@dataclass(frozen=True)
class Query:
    """A whole request: a result meets every condition; the best match the wishes and look like the pictures `like`.

    `like` and `unlike` are ids of assets, or unambiguous beginnings of them.
    """

    wishes: tuple[Wish, ...] = ()
    conditions: tuple[Condition, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The positive wishes in one line, as a person or a ranker reads them."""
        return ", ".join(wish.text for wish in self.wishes if wish.weight > 0)

    @property
    def orders(self) -> bool:
        """Whether anything in it says which pictures come first; if not, it only narrows what is browsed."""
        return bool(self.wishes or self.like or self.unlike)


@dataclass(frozen=True)
class Correction:
    """A text with some of its words corrected, and the pairs of a word as it was typed and its correction."""

    text: str
    words: tuple[tuple[str, str], ...]
