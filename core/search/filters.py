"""Which rows of a snapshot a search may return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.records.assets import Filters, Orientation, classify_orientation
from core.records.created_time import CreatedTime
from core.store.lance.snapshot import Snapshot
from core.text import plain_words, quoted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Counts = tuple[tuple[str, int], ...]
ValueField = Literal["source", "keyword", "person", "place", "camera", "author"]
COLUMN_FIELDS: tuple[ValueField, ...] = get_args(ValueField)
# A condition on these means whole values; one on authors means the words of bylines and credits.
VALUE_FIELDS: tuple[ValueField, ...] = ("source", "keyword", "person", "place", "camera")


@dataclass(frozen=True)
class Facets:
    """The values that a collection can be filtered by, with counts, the most frequent first.

    `earliest` and `latest` are by the clocks where the pictures were taken, `rated` is the number with a rating.
    """

    sources: Counts
    keywords: Counts
    orientations: tuple[tuple[Orientation, int], ...]
    earliest: datetime | None
    latest: datetime | None
    people: Counts = ()
    places: Counts = ()
    cameras: Counts = ()
    years: tuple[tuple[int, int], ...] = ()
    rated: int = 0
    with_gps: int = 0
    pictures: int = 0
    authors: Counts = ()


class FilterColumns:
    """The filterable columns of one snapshot as arrays and posting lists."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._created_us, self._created_end_us = snapshot.created_us, snapshot.created_end_us
        self._rating, self._has_gps = snapshot.rating, snapshot.has_gps
        shapes = zip(snapshot.width.tolist(), snapshot.height.tolist(), strict=True)
        self._orientations = np.array([classify_orientation(w, h) for w, h in shapes], dtype=object)
        self._sources = _Postings(snapshot.sources)
        self._keywords, self._people = _Postings(snapshot.keywords), _Postings(snapshot.people)
        self._places = _Postings(snapshot.places)
        self._cameras = _Postings([(camera,) if camera else () for camera in snapshot.cameras])
        self._authors = _Postings([(author,) if author else () for author in snapshot.authors])
        self._values: dict[ValueField, _Postings] = {
            "source": self._sources,
            "keyword": self._keywords,
            "person": self._people,
            "place": self._places,
            "camera": self._cameras,
            "author": self._authors,
        }

    def __len__(self) -> int:
        return len(self._rating)

    def mask(self, filters: Filters) -> NDArray[np.bool_] | None:
        """(n,) bool of the rows that pass, or None if every row does."""
        if not filters.active:
            return None
        passes = np.ones(len(self._created_us), dtype=bool)
        for postings, wanted in self._wanted(filters):
            if wanted:
                passes &= postings.mask(wanted, len(passes))
        if filters.orientations:
            passes &= np.isin(self._orientations, filters.orientations)
        if filters.min_rating is not None:
            passes &= (self._rating >= filters.min_rating) & (self._rating != Snapshot.NO_NUMBER)
        if filters.has_gps is not None:
            passes &= self._has_gps == filters.has_gps
        return passes & self.taken_within(filters.since, filters.until)

    def _wanted(self, filters: Filters) -> Iterable[tuple[_Postings, tuple[str, ...]]]:
        return (
            (self._sources, filters.sources),
            (self._keywords, filters.keywords),
            (self._people, filters.people),
            (self._places, filters.places),
            (self._cameras, filters.cameras),
        )

    def taken_within(self, since: CreatedTime | None, until: CreatedTime | None) -> NDArray[np.bool_]:
        """(n,) bool of the rows certainly taken from the start of `since` to the end of `until`."""
        passes = np.ones(len(self._created_us), dtype=bool)
        if since is not None:
            passes &= self._created_us >= to_microseconds(since.start)
        if until is not None:
            before = to_microseconds(until.end)
            passes &= (self._created_end_us <= before) & (self._created_end_us != Snapshot.NO_NUMBER)
        return passes

    def rated(self, lowest: int, highest: int) -> NDArray[np.bool_]:
        """(n,) bool of the rows with a rating from `lowest` to `highest`."""
        within = (self._rating >= lowest) & (self._rating <= highest) & (self._rating != Snapshot.NO_NUMBER)
        return np.asarray(within, np.bool_)

    def with_value(self, field: ValueField, words: str) -> NDArray[np.bool_]:
        """(n,) bool of the rows with a value equal to `words`; if no value is, of those with these words in it."""
        return self._values[field].mask_by_words(words, len(self))

    def facets(self) -> Facets:
        """The values that occur in the snapshot."""
        dated = self._created_us[self._created_us != Snapshot.NO_NUMBER]
        years = Counter((dated.astype("datetime64[us]").astype("datetime64[Y]").astype(int) + 1970).tolist())
        return Facets(
            sources=self._sources.counts(),
            keywords=self._keywords.counts(),
            orientations=tuple(Counter(self._orientations.tolist()).most_common()),
            earliest=from_microseconds(int(dated.min())) if dated.size else None,
            latest=from_microseconds(int(dated.max())) if dated.size else None,
            people=self._people.counts(),
            places=self._places.counts(),
            cameras=self._cameras.counts(),
            years=tuple(sorted(years.items(), reverse=True)),
            rated=int((self._rating != Snapshot.NO_NUMBER).sum()),
            with_gps=int(self._has_gps.sum()),
            pictures=len(self._has_gps),
            authors=self._authors.counts(),
        )


class _Postings:
    """The rows of each value of a column; values are compared without case."""

    def __init__(self, values: Sequence[tuple[str, ...]]) -> None:
        self._rows: dict[str, list[int]] = {}
        self._names: dict[str, str] = {}
        for row, words in enumerate(values):
            for word in words:
                self._rows.setdefault(word.lower(), []).append(row)
                self._names.setdefault(word.lower(), word)

    def mask(self, wanted: Iterable[str], count: int) -> NDArray[np.bool_]:
        """(count,) bool of the rows that have any of the wanted values."""
        found = np.zeros(count, dtype=bool)
        for value in wanted:
            found[self._rows.get(value.lower(), [])] = True
        return found

    def mask_by_words(self, words: str, count: int) -> NDArray[np.bool_]:
        """(count,) bool of the rows with a value that is these words without accents, else with them in a value."""
        return self.mask(values_of_words(plain_words(words), self._plain), count)

    @cached_property
    def _plain(self) -> dict[str, list[str]]:
        """The values by their plain words."""
        return by_plain_words(self._names)

    def counts(self) -> Counts:
        """Each value and the number of its rows, the most frequent first."""
        return tuple(Counter({self._names[key]: len(rows) for key, rows in self._rows.items()}).most_common())


def by_plain_words(values: Iterable[str]) -> dict[str, list[str]]:
    """Values by their words without case and accents, under which several may lie."""
    found: dict[str, list[str]] = {}
    for value in values:
        found.setdefault(plain_words(value), []).append(value)
    return found


def values_of_words(plain: str, values: Mapping[str, list[str]]) -> list[str]:
    """The values that are these plain words; if none is, those that contain them next to each other."""
    if not plain or plain in values:
        return values[plain] if plain else []
    return [value for text, same in values.items() if f" {plain} " in f" {text} " for value in same]


def impossible_span(filters: Filters) -> str:
    """Why no picture can lie in the span of the filters; empty if some can."""
    if filters.since is None or filters.until is None or filters.since.start < filters.until.end:
        return ""
    return f"no time lies between {filters.since} and {filters.until}: swap the two"


def unknown_values(facets: Facets, filters: Filters) -> list[str]:
    """What filters name and a collection does not have: `keyword “dgo” (did you mean dog?)`, `person “Ada”`."""
    wanted: dict[ValueField, tuple[str, ...]] = {
        "source": filters.sources,
        "keyword": filters.keywords,
        "person": filters.people,
        "place": filters.places,
        "camera": filters.cameras,
    }
    return [
        unknown_value(field, value, facets)
        for field, values in wanted.items()
        for value in values
        if value.lower() not in {name.lower() for name, _ in facet_values(facets, field)}
    ]


def facet_values(facets: Facets, field: ValueField) -> Counts:
    """The values that a collection has in a field."""
    return {
        "source": facets.sources,
        "keyword": facets.keywords,
        "person": facets.people,
        "place": facets.places,
        "camera": facets.cameras,
        "author": facets.authors,
    }[field]


def unknown_value(field: ValueField, value: str, facets: Facets) -> str:
    """`keyword “dgo” (did you mean dog?)`."""
    return f"{field} {quoted(value)}{_suggestion(value, facet_values(facets, field))}"


def _suggestion(value: str, known: Counts) -> str:
    names = {name.lower(): name for name, _ in known}
    close = get_close_matches(value.lower(), names, 1)
    return f" (did you mean {names[close[0]]}?)" if close else ""


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970 (UTC); a time without a zone counts as UTC."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds_since_1970: int) -> datetime:
    """The UTC time that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds_since_1970)
