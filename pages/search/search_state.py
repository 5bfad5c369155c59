"""What the search page asks for, read from its widgets and its URL; plain functions, no drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from core.records.assets import Filters, Orientation, SearchResult
from pages.ui.format import milliseconds

PAGE_SIZE = 24
MOST_SHOWN = 960
EVEN = 0.5


@dataclass(frozen=True)
class Ask:
    """One question to a collection: by words, by a picture, by both, or by neither, which means looking around.

    The picture is one of the collection (`like`) or from outside (`picture`), by its id; `weight` is the share that
    words have beside it.
    """

    query: str = ""
    like: str = ""
    filters: Filters = Filters()
    floor: float = -1.0
    top: int = PAGE_SIZE
    picture: str = ""
    weight: float = EVEN

    @property
    def by_picture(self) -> bool:
        """Whether a picture is searched by, with or without words."""
        return bool(self.like or self.picture)

    @property
    def anything(self) -> bool:
        """Whether anything is asked at all."""
        return bool(self.query) or self.by_picture


def filters_of(
    sources: Sequence[str],
    keywords: Sequence[str],
    orientations: Sequence[Orientation],
    since: date | None,
    until: date | None,
) -> Filters:
    """Filters from what the widgets return; days are whole days in UTC."""
    return Filters(tuple(sources), tuple(keywords), tuple(orientations), _midnight(since), _midnight(until))


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


def shown(params: Mapping[str, str]) -> int:
    """How many results the URL asks for: a multiple of a page, at least one page, bounded."""
    try:
        wanted = int(params.get("n", PAGE_SIZE))
    except ValueError:
        return PAGE_SIZE
    pages = -(-max(1, wanted) // PAGE_SIZE)
    return min(pages * PAGE_SIZE, MOST_SHOWN)


def floor_of(slider: float) -> float:
    """The similarity floor; the slider's left end means that there is none."""
    return slider if slider > 0 else -1.0


def summary(ask: Ask, result: SearchResult) -> str:
    """One line about a result: how many, of how many, and how long it took."""
    count, matching = len(result.hits), result.matching
    what = f"{count} of {matching} pictures" if matching > count else _pictures(count)
    if not ask.anything:
        return f"The newest {what}" if matching > count else what
    return f"{what}, the most similar first · {milliseconds(result.stage_ms['total'])}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
