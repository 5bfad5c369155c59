"""The parameters of a search, from the page's widgets and its URL; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.records.assets import Filters, SearchResult
from core.records.created_time import CreatedTime
from core.records.searches import SearchBy, SearchOptions
from core.records.written_dates import parse_period
from core.text import counted
from pages.ui.format import format_ms

PAGE_SIZE = 24
MAX_SHOWN = 960
EQUAL_WEIGHT = 0.5


@dataclass(frozen=True)
class SearchParams:
    """A search of a collection: by words, by a picture, by both, or by neither, which means browsing.

    The picture is the id of one of the collection (`like`) or of an uploaded one (`picture`); `weight` is the share of
    the words next to it. With `as_typed` no sentences are read and no spelling is corrected.
    """

    query: str = ""
    like: str = ""
    filters: Filters = Filters()
    min_similarity: float = -1.0
    top: int = PAGE_SIZE
    picture: str = ""
    weight: float = EQUAL_WEIGHT
    by: SearchBy = "both"
    as_typed: bool = False

    @property
    def options(self) -> SearchOptions:
        """The options of the search, apart from what is searched by."""
        return SearchOptions(self.top, self.filters, self.min_similarity, self.by, correct=not self.as_typed, fold=True)

    @property
    def by_picture(self) -> bool:
        """Whether it is a search by a picture, with or without words."""
        return bool(self.like or self.picture)

    @property
    def has_query(self) -> bool:
        """Whether it is a search at all, not browsing."""
        return bool(self.query) or self.by_picture


def period_of(text: str) -> CreatedTime | None:
    """A year, month or day as people write it; None if nothing is written. Raises QueryError for what is no date."""
    return parse_period(text) if text and text.strip() else None


def requested_count(url_params: Mapping[str, str]) -> int:
    """The number of results in the URL, rounded up to whole pages: at least one, at most MAX_SHOWN results."""
    try:
        requested = int(url_params.get("n", PAGE_SIZE))
    except ValueError:
        return PAGE_SIZE
    pages = -(-max(1, requested) // PAGE_SIZE)
    return min(pages * PAGE_SIZE, MAX_SHOWN)


def minimum_similarity(slider: float) -> float:
    """The minimum similarity of a slider, whose left end means no minimum."""
    return slider if slider > 0 else -1.0


def result_summary(params: SearchParams, result: SearchResult) -> str:
    """One line about a result: how many of how many, and the time it took."""
    count, matching = result.shown, result.matching
    pictures = f"{count:,} of {counted(matching, 'picture')}" if matching > count else counted(count, "picture")
    if not params.has_query:
        return f"The newest {pictures}" if matching > count else pictures
    order = "the most similar first" if params.by_picture or params.by == "pixels" else "the best matches first"
    ordered = f", {order}" if count > 1 and (any(result.spread) or params.by == "words") else ""
    return f"{pictures}{ordered} · {format_ms(result.stage_ms['total'])}"
