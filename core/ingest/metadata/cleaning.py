"""Text from outside, made safe to store: no control characters, no surrogates, bounded length."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from core.records.created_time import CreatedTime
from core.text import one_line

MAX_TITLE_LENGTH, MAX_TEXT_LENGTH, MAX_KEYWORD_LENGTH, MAX_KEYWORDS = 300, 5_000, 80, 100
_DATE_FORMATS = ("%Y:%m:%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y:%m:%d", "%Y%m%d", "%Y-%m", "%Y")


def clean(text: object, length: int = MAX_TEXT_LENGTH) -> str:
    """`text` as one paragraph of at most `length` characters that any store can hold and any page can show."""
    return one_line(str(text if text is not None else ""))[:length]


def clean_keywords(words: Iterable[object]) -> tuple[str, ...]:
    """Cleaned keywords, each once (compared without case), in their order."""
    unique: dict[str, str] = {}
    for word in (clean(word, MAX_KEYWORD_LENGTH) for word in words):
        if word:
            unique.setdefault(word.lower(), word)
    return tuple(unique.values())[:MAX_KEYWORDS]


def parse_date(text: object) -> CreatedTime | None:
    moment = _parse_date(text)
    return CreatedTime(moment) if moment else None


def _parse_date(text: object) -> datetime | None:
    """A date as people and cameras write it (ISO 8601, EXIF, IPTC), taken as UTC; None if it is no date."""
    raw = clean(text, 64)
    if not raw:
        return None
    candidates = [raw, raw[:19], raw[:10]]
    for candidate in candidates:
        moment = _parse_iso(candidate) or _parse_known_format(candidate)
        if moment is not None:
            return moment if 1800 <= moment.year <= 2200 else None
    return None


def _parse_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _parse_known_format(text: str) -> datetime | None:
    for date_format in _DATE_FORMATS:
        try:
            return datetime.strptime(text, date_format).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
