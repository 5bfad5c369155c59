"""Dates as people write them, in English, German and French, read as precisely as they were written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from core.errors import QueryError
from core.records.created_time import CreatedTime, Precision
from core.text import quoted

FIRST_YEAR, LAST_YEAR = 1000, 2200
_MAX_LENGTH = 80
_MAX_OFFSET_MINUTES = 15 * 60
_MONTHS = (
    "january januar janvier janner jaenner",
    "february februar fevrier feber",
    "march marz maerz mars mrz",
    "april avril",
    "may mai",
    "june juni juin",
    "july juli juillet",
    "august aout",
    "september septembre",
    "october oktober octobre",
    "november novembre",
    "december dezember decembre",
)
_WEEKDAY_NAMES = (
    "monday tuesday wednesday thursday friday saturday sunday "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag "
    "lundi mardi mercredi jeudi vendredi samedi dimanche"
)
_WEEKDAYS = frozenset(_WEEKDAY_NAMES.split())
_FILLERS = {"of", "the", "de", "den", "der", "le", "la", "du", "am", "im", "in", "on", "en"}
_NO_DATE = frozenset(
    (
        "",
        "-",
        "--",
        "?",
        "nd",
        "od",
        "sd",
        "n/a",
        "none",
        "null",
        "unknown",
        "undated",
        "nodate",
        "unbekannt",
        "undatiert",
    )
    + ("ohnedatum", "inconnu", "inconnue", "sansdate")
)

_TIME = re.compile(
    r"(?:t|,?\s+(?:(?:at|um|a)\s+)?|,)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?:uhr)?\s*(?P<zone>z|utc|gmt|[+-]\d\d:?\d\d)?$"
)
_ABOUT = re.compile(
    r"^(?:[~?]|(?:circa|ca|cca|approximately|approx|about|around|abt|c|um|etwa|ungefahr|vers|environ|env)(?![a-z])\.?)\s*|\s*[~?]$"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-:/.])(\d\d?|xx)(?:\2(\d\d?|xx))?")
_YEAR_LAST = re.compile(r"(?:(\d\d?)([-/.]))?(\d\d?)[-/.](\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DECADE = re.compile(r"(?:the |les )?(?:annees )?(\d{3})(?:0'?s|0er(?: jahren?)?|[xu?-])|annees (\d{3})0")
_DAY = re.compile(r"(\d\d?)(?:st|nd|rd|th|er|e)?")


@dataclass(frozen=True)
class WrittenDate:
    """What a text says of a date.

    `created` is None if it is not understood. `ambiguous`: day and month could also be the other way round.
    """

    created: CreatedTime | None
    ambiguous: bool = False


class _Date(NamedTuple):
    year: int
    month: int = 0
    day: int = 0
    ambiguous: bool = False


def read_written_date(text: str, day_first: bool | None = None) -> WrittenDate:
    """Read `3 September 1998`, `03.09.1998`, `c. 1930`, `193x`, `1998-09-03 14:05` and the like.

    `day_first` says how `09/03/1998` is meant; None: as 9 March, which is ambiguous. Two-digit years, seasons,
    ranges and the serial numbers of spreadsheets are not understood.
    """
    if len(text) > _MAX_LENGTH:
        return WrittenDate(None)
    plain = _plain(text)
    exact = _ABOUT.sub("", plain)
    if decade := _DECADE.fullmatch(plain) or _DECADE.fullmatch(exact):
        return WrittenDate(_created(_Date(int(decade[1] or decade[2]) * 10), "decade"))
    time = _TIME.search(exact)
    words = exact[: time.start()] if time else exact
    date = _numeric(words, day_first) or _worded(words)
    if date is None or not FIRST_YEAR <= date.year <= LAST_YEAR:
        return WrittenDate(None)
    if exact != plain:
        return WrittenDate(_created(date, "circa"))
    return WrittenDate(_at(date, time) if time else _created(date, _precision(date)), date.ambiguous)


def says_no_date(text: str) -> bool:
    """Whether a text says that there is no date: blank, `unknown`, `n. d.`, `0000:00:00 00:00:00`."""
    plain = _plain(text[: _MAX_LENGTH + 1])
    return plain.replace(".", "").replace(" ", "") in _NO_DATE or not plain.strip("0:-/. ")


def is_day_first(texts: Iterable[str]) -> bool | None:
    """What a column of dates says of `09/03/1998`: a date such as `25/12/1998` decides; None if none or both do."""
    firsts, seconds = False, False
    for text in texts:
        match = re.match(r"\s*(\d\d?)([/-])(\d\d?)\2\d{4}\b", text[:_MAX_LENGTH])
        if match:
            firsts |= int(match[1]) > 12 >= int(match[3])
            seconds |= int(match[3]) > 12 >= int(match[1])
    return firsts if firsts != seconds else None


def parse_period(text: str) -> CreatedTime:
    """The year, month, day or decade that someone filters by. Raises QueryError if it is none or ambiguous."""
    written = read_written_date(text)
    if written.created is None:
        raise QueryError(
            f"{quoted(text)} is not a date: write it like 1998, 1998-09, 1998-09-03, 1930s or September 1998"
        )
    if written.ambiguous:
        other = read_written_date(text, day_first=False).created
        raise QueryError(f"{quoted(text)} may be {written.created} or {other}: write it like that")
    return written.created


def _plain(text: str) -> str:
    """Lower case, without accents, brackets, invisible marks and typographic dashes, blanks single."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(character for character in folded if unicodedata.category(character) not in ("Mn", "Cf"))
    letters = re.sub(r"[‐‑‒–—−]", "-", letters).replace("’", "'")
    single = " ".join(re.sub(r"[\[\]()]", " ", letters).split())
    year_last = re.sub(r" (\d\d?:\d\d:\d\d) (\d{4})$", r" \2 \1", single)  # Thu Sep 3 14:05:22 1998
    return re.sub(r"(?<=\d\.) (?=\d)", "", year_last)  # 3. 9. 1998


def _numeric(text: str, day_first: bool | None) -> _Date | None:
    if match := re.fullmatch(r"\d{4}", text):
        return _Date(int(text))
    if match := _YEAR_FIRST.fullmatch(text):
        return _year_first(match)
    if match := _COMPACT.fullmatch(text):
        return _checked(int(match[1]), int(match[2]), int(match[3]))
    match = _YEAR_LAST.fullmatch(text)
    if not match or (match[2] and f"{match[2]}{match[4]}" not in text):
        return None
    if match[1] is None:
        return _checked(int(match[4]), int(match[3]))
    return _day_and_month(int(match[1]), int(match[3]), int(match[4]), True if match[2] == "." else day_first)


def _year_first(match: re.Match[str]) -> _Date | None:
    year, month, day = (int((group or "0").replace("xx", "0")) for group in match.group(1, 3, 4))
    if match[2] == "/" and match[4] is None and month == (year + 1) % 100:
        return None  # 1911/12 is a winter or December 1911
    return _checked(year, month, day) if month or not day else None


def _day_and_month(first: int, second: int, year: int, day_first: bool | None) -> _Date | None:
    """`day_first` decides where both readings are dates; if it is None, the day is taken to come first."""
    readings = [_checked(year, second, first), _checked(year, first, second)]
    if not first or readings[1] is None or first == second:
        return readings[0] or readings[1]
    if readings[0] is None:
        return readings[1]
    chosen = readings[1] if day_first is False else readings[0]
    return chosen._replace(ambiguous=day_first is None)


def _worded(text: str) -> _Date | None:
    """A date with the name of its month: one year of four digits and at most one day, in any order."""
    month = day = year = 0
    for word in re.split(r"[\s,./-]+", text.strip(" ,.")):
        number = _DAY.fullmatch(word)
        if word in _FILLERS or _is_weekday(word):
            continue
        if re.fullmatch(r"\d{4}", word) and not year:
            year = int(word)
        elif number and not day:
            day = int(number[1])
        elif not month and (found := _month(word)):
            month = found
        else:
            return None
    return _checked(year, month, day) if year and month else None


def _month(word: str) -> int:
    """The month that a name or its abbreviation means; 0 if it means none, or several as `jui` does."""
    if len(word) < 3:
        return 0
    found = [number for number, names in enumerate(_MONTHS, 1) if any(n.startswith(word) for n in names.split())]
    return found[0] if len(found) == 1 else 0


def _is_weekday(word: str) -> bool:
    """A day's name in full, or the first two or three letters that no month begins with."""
    return word in _WEEKDAYS or (
        len(word) in (2, 3) and not _month(word) and any(d.startswith(word) for d in _WEEKDAYS)
    )


def _checked(year: int, month: int = 0, day: int = 0) -> _Date | None:
    """The date if it is in the calendar; a month or day of 0 is not known."""
    try:
        datetime(year, month or 1, day or 1)  # noqa: DTZ001 - only whether it exists
    except ValueError:
        return None
    return _Date(year, month, day)


def _precision(date: _Date) -> Precision:
    return "day" if date.day else "month" if date.month else "year"


def _created(date: _Date, precision: Precision) -> CreatedTime | None:
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        return None
    return CreatedTime(datetime(date.year, date.month or 1, date.day or 1), precision)  # noqa: DTZ001 - a clock's time


def _at(date: _Date, time: re.Match[str]) -> CreatedTime | None:
    """The time on a day; None if there is no such time, or no day. Midnight of an unknown day is no time."""
    hour, minute, second = int(time["hour"]), int(time["minute"]), int(time["second"] or 0)
    if not date.day and hour == minute == second == 0:
        return _created(date, _precision(date))
    half = time["half"]
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * half.startswith("p") if half else hour
    offset = _offset_minutes(time["zone"])
    if not date.day or hour > 23 or minute > 59 or second > 59 or abs(offset or 0) > _MAX_OFFSET_MINUTES:
        return None
    midnight = datetime(date.year, date.month, date.day)  # noqa: DTZ001 - a clock's time
    start = midnight + timedelta(hours=hour, minutes=minute, seconds=second)
    return CreatedTime(start, "minute" if time["second"] is None else "second", offset)


def _offset_minutes(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone[0] not in "+-":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes
