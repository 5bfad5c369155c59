"""Dates and spans of time in words: `1998`, `1998-2001`, `before September 1998`, `from the 1930s`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.records.created_time import CreatedTime
from core.records.queries import PeriodCondition
from core.records.written_dates import FIRST_YEAR, LAST_YEAR, read_written_date
from core.search.query_language.tokens import word_set

FIRST_BARE_YEAR = 1800  # a lesser number among words is a number
MAX_DATE_WORDS = 5
_YEAR = re.compile(r"[0-9]{4}")
_DECADE = re.compile(r"[0-9]{3}0['’]?s", re.IGNORECASE)
_YEARS = re.compile(r"([0-9]{4})[-–—/]([0-9]{4}|1[3-9]|[2-9][0-9])")
_NUMERIC = re.compile(r"[0-9]{4}(?:-[0-9]{1,2}){1,2}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}|[0-9]{1,2}/[0-9]{4}")
_BEGINS_DATE = re.compile(r"(?:[0-3]?[0-9](?:st|nd|rd|th|\.)?|[a-zà-ÿ]{3,10}\.?)", re.IGNORECASE)
_FILLERS = word_set("the of in on at de den der le la du am im en")
_TO = frozenset(("to", "until", "till", "through", "-", "–", "—"))
_WITHIN = frozenset(("in", "from", "of", "during", "on", "between", "circa", "ca", "c"))
# Before the number of a picture, a road or a room, and after one that counts something.
_NUMBERED = word_set("img dsc dscn dscf pict file no nr number frame route highway bus line room flight iso")
_UNITS = word_set("m km cm mm ft feet metres meters miles px pixels kg people euros dollars x × °")
_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """A period read from the first `count` words."""

    since: CreatedTime | None
    until: CreatedTime | None
    count: int

    @property
    def is_possible(self) -> bool:
        """Whether any time lies in it."""
        return self.since is None or self.until is None or self.since.start < self.until.end

    @property
    def condition(self) -> PeriodCondition:
        return PeriodCondition(self.since, self.until)


def read_span(words: Sequence[str], latest_year: int) -> Span | None:
    """The period that words among others begin with, with the preposition before it.

    Years lie from 1800 to `latest_year`.
    """
    lead = words[0].casefold().rstrip(".") if words else ""
    skipped = 1 if lead in _WITHIN | {"since", "after", "before", "until", "till"} else 0
    skipped += len(words) > skipped and words[skipped].casefold() == "the"
    found = _range(words[skipped:], _Reader(FIRST_BARE_YEAR, latest_year, among_words=True), lead == "between")
    if found is None or not found.is_possible or _counts_something(words[skipped:], found):
        return None
    if lead == "between" and found.since == found.until:
        return None
    directed = directed_span(lead, found.since, found.until)
    return Span(directed.since, directed.until, skipped + found.count) if directed else None


def read_dates(words: Sequence[str]) -> Span | None:
    """The date, or two dates with `-`, `..` or `to` between them, that words begin with."""
    reader = _Reader(FIRST_YEAR, LAST_YEAR)
    if words and ".." in words[0]:
        return _both(reader, words[0].split("..", 1))
    return _range(words, reader)


def directed_span(direction: str, since: CreatedTime | None, until: CreatedTime | None) -> Span | None:
    """What `before`, `after`, `since` or `until` a period means; None if that is before or after all time."""
    if since is None or until is None:
        return None
    if direction == "before":
        last = CreatedTime(since.start - _MOMENT, since.precision)
        return Span(None, last, 0) if last.start.year >= FIRST_YEAR else None
    if direction == "after":
        first = CreatedTime(until.end, until.precision)
        return Span(first, None, 0) if first.start.year <= LAST_YEAR else None
    if direction == "since":
        return Span(since, None, 0)
    return Span(None, until, 0) if direction in ("until", "till") else Span(since, until, 0)


@dataclass(frozen=True)
class _Reader:
    """Reads dates of some years; among words only what can hardly be anything else."""

    first_year: int
    last_year: int
    among_words: bool = False

    def date(self, words: Sequence[str]) -> tuple[CreatedTime, int] | None:
        """The date that words begin with, and how many of them it takes: the most that can be read as one."""
        for count in range(min(MAX_DATE_WORDS, len(words)), 0, -1):
            if (not self.among_words or _is_date_like(words[:count])) and (created := self._read(words[:count])):
                return created, count
        return None

    def _read(self, words: Sequence[str]) -> CreatedTime | None:
        written = read_written_date(" ".join(words).rstrip(","))
        if written.created is None or written.ambiguous:
            return None
        return written.created if self.first_year <= written.created.start.year <= self.last_year else None


def _range(words: Sequence[str], reader: _Reader, between: bool = False) -> Span | None:
    if words and (years := _YEARS.fullmatch(words[0])):
        return _both(reader, [years[1], years[2] if len(years[2]) == 4 else years[1][:2] + years[2]])
    first = reader.date(words)
    if first is None:
        return None
    created, count = first
    separator = words[count].casefold() if len(words) > count + 1 else ""
    if separator in _TO or (between and separator == "and"):
        start = count + 1 + (words[count + 1].casefold() == "the")
        if last := reader.date(words[start:]):
            return Span(created, last[0], start + last[1])
    return Span(created, created, count)


def _both(reader: _Reader, ends: Sequence[str]) -> Span | None:
    first, last = (reader.date([end]) for end in ends)
    return Span(first[0], last[0], 1) if first and last else None


def _is_date_like(words: Sequence[str]) -> bool:
    """Whether words are worth reading: one that looks like a date, or a day or month first and a year last."""
    first, last = words[0], words[-1].rstrip(",")
    if len(words) == 1:
        return any(kind.fullmatch(last) for kind in (_YEAR, _DECADE, _NUMERIC))
    begins = _BEGINS_DATE.fullmatch(first) is not None and first.casefold() not in _FILLERS
    return begins and _YEAR.fullmatch(last) is not None


def _counts_something(words: Sequence[str], found: Span) -> bool:
    """Whether a year is followed by a unit: `2000 m`."""
    after = words[found.count] if len(words) > found.count else ""
    return found.count == 1 and bool(_YEAR.fullmatch(words[0])) and after.casefold().rstrip(".,") in _UNITS


def is_numbered(before: str) -> bool:
    """Whether a number after this word is no year: `route 1998`, `IMG 2004`."""
    return before.casefold().rstrip(".:") in _NUMBERED
