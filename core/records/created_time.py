"""When a picture was taken, as precisely as that is known: a scan often has no more than a year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

# `circa` is about this year; the others say which parts of the time are known.
Precision = Literal["decade", "circa", "year", "month", "day", "minute", "second"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_DECADE = 10
_LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - on a clock whose zone is not known
_FORMATS: dict[Precision, str] = {
    "decade": "{:%Y}s",
    "circa": "c. {:%Y}",
    "year": "{:%Y}",
    "month": "{:%Y-%m}",
    "day": "{:%Y-%m-%d}",
    "minute": "{:%Y-%m-%dT%H:%M}",
    "second": "{:%Y-%m-%dT%H:%M:%S}",
}


@dataclass(frozen=True)
class CreatedTime:
    """The time on the clock where the picture was taken.

    `start` is the first moment of what is known, without a zone (naive): `1998` is 1998-01-01 00:00. `offset_minutes`
    is how far that clock was ahead of UTC; None if unknown.
    """

    start: datetime
    precision: Precision = "second"
    offset_minutes: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _truncated(self.start.replace(tzinfo=None), self.precision))

    @property
    def end(self) -> datetime:
        """The first moment after what is known, on the same clock; the last moment there is for the year 9999."""
        return _end(self.start, self.precision)

    def __str__(self) -> str:
        """`1930s`, `c. 1930`, `1998`, `1998-09`, `1998-09-03`, `1998-09-03T14:05:00+02:00`."""
        text = _FORMATS[self.precision].format(self.start)
        return text + _offset_text(self.offset_minutes) if self.precision in ("minute", "second") else text


def _truncated(start: datetime, precision: Precision) -> datetime:
    if precision == "second":
        return start.replace(microsecond=0)
    if precision == "minute":
        return start.replace(second=0, microsecond=0)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if precision == "day":
        return midnight
    first = midnight.replace(day=1)
    if precision == "month":
        return first
    year = first.year - first.year % _DECADE if precision == "decade" else first.year
    return first.replace(month=1, year=max(1, year))


def _end(start: datetime, precision: Precision) -> datetime:
    if precision in ("second", "minute", "day"):
        length = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "day": timedelta(days=1)}[precision]
        return start + length if start <= _LAST_MOMENT - length else _LAST_MOMENT
    months = {"month": 1, "decade": 12 * _DECADE}.get(precision, 12)
    years, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=years, month=month + 1) if years <= _LAST_MOMENT.year else _LAST_MOMENT


def _offset_text(minutes: int | None) -> str:
    if minutes is None:
        return ""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
