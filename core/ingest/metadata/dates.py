"""Dates as cameras and programs write them: EXIF, XMP and other ISO 8601, IPTC, the texts of PNG files."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_tz

from core.records.created_time import CreatedTime, Precision

# Photographs are younger; what they show in archives is not. The year 1 is how programs write that there is no date.
FIRST_YEAR, LAST_YEAR = 1000, 2200
MAX_LENGTH = 64
_MAX_OFFSET_MINUTES = 15 * 60
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d*)?)?"
_COMPACT_TIME = r"(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d*)?)?"
_ZONE = r"\s*(?P<half>[AaPp][Mm]\b)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
_PADDED = re.compile(r"(?<=[:\-/.]) (?=\d)")  # cameras write ` 7` for `07`
_SEPARATED = re.compile(
    rf"(?P<year>\d{{4}})(?:[-:/.](?P<month>\d{{1,2}})(?:[-:/.](?P<day>\d{{1,2}})(?:(?:\s*T\s*|:|\s+){_TIME}{_ZONE})?)?)?"
)
_COMPACT = re.compile(rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})(?:[T\s]?{_COMPACT_TIME}{_ZONE})?")
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")


def parse_date(text: object) -> CreatedTime | None:
    """The time in `text` with its precision and its offset from UTC; None if it is no date, zeros or blanks.

    A month of `00` leaves the year, a day of `00` the month; a date keeps its day where its time is nonsense.
    """
    raw = str(text if text is not None else "")[:MAX_LENGTH].strip("\0 \t\r\n")
    raw = _PADDED.sub("0", raw)
    match = _COMPACT.match(raw) or _SEPARATED.match(raw)
    if match is None:
        return _parse_mail_date(raw)
    return None if _continues(raw, match) else _from_parts(match)


def _continues(raw: str, match: re.Match[str]) -> bool:
    """Whether what was not understood is more than blanks: `1998:  :  ` is a year, `1998-1999` is not."""
    rest = raw[match.end() :].strip(" :-/.0\0")
    return bool(rest) and match["hour"] is None and (match["day"] is None or rest[0].isdigit())


def parse_offset(text: object) -> int | None:
    """Minutes ahead of UTC from `+05:30`, `-0800`, `Z`; None if there is none."""
    raw = str(text if text is not None else "").strip("\0 ")
    if raw in ("Z", "UTC", "GMT"):
        return 0
    match = _OFFSET.fullmatch(raw)
    if match is None:
        return None
    minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
    return (-minutes if match["sign"] == "-" else minutes) if minutes <= _MAX_OFFSET_MINUTES else None


def with_offset(time: CreatedTime | None, offset: object) -> CreatedTime | None:
    """`time` with an offset that stands in a field of its own, unless the time has one itself."""
    minutes = parse_offset(offset)
    if time is None or minutes is None or time.offset_minutes is not None or time.precision not in ("minute", "second"):
        return time
    return CreatedTime(time.start, time.precision, minutes)


def _from_parts(match: re.Match[str]) -> CreatedTime | None:
    year, month, day = (int(match[name] or 0) for name in ("year", "month", "day"))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    precision: Precision = "day" if month and day else "month" if month else "year"
    try:
        date = datetime(year, month or 1, (day or 1) if month else 1)  # noqa: DTZ001 - on the clock where it was taken
    except ValueError:
        return None
    hour, minute = _hour(match), int(match["minute"] or 0)
    if precision != "day" or hour is None or hour > 23 or minute > 59:
        return CreatedTime(date, precision)
    second = min(int(match["second"] or 0), 59)  # a leap second is the last of its minute
    start = date + timedelta(hours=hour, minutes=minute, seconds=second)
    return CreatedTime(start, "second" if match["second"] else "minute", parse_offset(match["zone"]))


def _hour(match: re.Match[str]) -> int | None:
    if match["hour"] is None:
        return None
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    return hour % 12 + (12 if half == "pm" else 0) if half and hour <= 12 else hour


def _parse_mail_date(raw: str) -> CreatedTime | None:
    """RFC 1123, which the PNG specification recommends: `Sun, 14 Jul 2019 10:30:00 +0200`."""
    if not re.match(r"[A-Za-z]{3}\w*,? ", raw):
        return None
    parts = parsedate_tz(raw)
    if parts is None or not FIRST_YEAR <= parts[0] <= LAST_YEAR:
        return None
    try:
        start = datetime(*parts[:6])  # noqa: DTZ001 - its offset stands beside it
    except ValueError:
        return None
    has_zone = re.search(r"[+-]\d{4}\b|\b(?:Z|UTC|GMT)\b", raw) is not None
    return CreatedTime(start, "second", (parts[9] or 0) // 60 if has_zone else None)
