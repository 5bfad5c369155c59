"""Which rows of a snapshot a search may return."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.records.assets import Filters, Orientation, classify_orientation
from core.store.lance.snapshot import Snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Facets:
    """The values that a collection can be filtered by, with counts, the most frequent first."""

    sources: tuple[tuple[str, int], ...]
    keywords: tuple[tuple[str, int], ...]
    orientations: tuple[tuple[Orientation, int], ...]
    earliest: datetime | None
    latest: datetime | None


class FilterColumns:
    """The filterable columns of one snapshot as arrays and posting lists."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._created_us = snapshot.created_us
        self._sources = np.array(snapshot.sources, dtype=object)
        shapes = zip(snapshot.width.tolist(), snapshot.height.tolist(), strict=True)
        self._orientations = np.array([classify_orientation(w, h) for w, h in shapes], dtype=object)
        self._keyword_rows, self._keyword_names = _postings(snapshot.keywords)

    def mask(self, filters: Filters) -> NDArray[np.bool_] | None:
        """(n,) bool of the rows that pass, or None if every row does."""
        if not filters.active:
            return None
        passes = np.ones(len(self._created_us), dtype=bool)
        if filters.sources:
            passes &= np.isin(self._sources, filters.sources)
        if filters.orientations:
            passes &= np.isin(self._orientations, filters.orientations)
        if filters.keywords:
            passes &= self._has_any_keyword(filters.keywords)
        if filters.since is not None:
            passes &= self._created_us >= to_microseconds(filters.since)
        if filters.until is not None:
            before = to_microseconds(filters.until + timedelta(days=1))
            passes &= (self._created_us < before) & (self._created_us != Snapshot.NO_DATE)
        return passes

    def facets(self) -> Facets:
        """The values that occur in the snapshot."""
        dated = self._created_us[self._created_us != Snapshot.NO_DATE]
        counts = Counter({self._keyword_names[k]: len(rows) for k, rows in self._keyword_rows.items()})
        return Facets(
            sources=tuple(Counter(s for s in self._sources.tolist() if s).most_common()),
            keywords=tuple(counts.most_common()),
            orientations=tuple(Counter(self._orientations.tolist()).most_common()),
            earliest=from_microseconds(int(dated.min())) if dated.size else None,
            latest=from_microseconds(int(dated.max())) if dated.size else None,
        )

    def _has_any_keyword(self, keywords: tuple[str, ...]) -> NDArray[np.bool_]:
        found = np.zeros(len(self._created_us), dtype=bool)
        for keyword in keywords:
            found[self._keyword_rows.get(keyword.lower(), [])] = True
        return found


def _postings(keywords: tuple[tuple[str, ...], ...]) -> tuple[dict[str, list[int]], dict[str, str]]:
    rows: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for row, words in enumerate(keywords):
        for word in words:
            rows.setdefault(word.lower(), []).append(row)
            names.setdefault(word.lower(), word)
    return rows, names


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970 (UTC); a time without a zone counts as UTC."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds_since_1970: int) -> datetime:
    """The UTC time that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds_since_1970)
