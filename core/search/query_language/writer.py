"""Writes queries: a whole one as text, and a text with one of its parts removed, replaced or made plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.records.created_time import CreatedTime
from core.records.queries import (
    HIGHEST_RATING,
    LOWEST_RATING,
    Condition,
    PeriodCondition,
    Query,
    RatingCondition,
    TextCondition,
    Wish,
)
from core.search.query_language.parser import parse
from core.search.query_language.parts import Part
from core.search.query_language.tokens import QUOTATION_MARKS

_MARKS = re.compile(rf"([{QUOTATION_MARKS}\\])")


def write(query: Query) -> str:
    """A text that is read as this query, as far as `parse` can give it."""
    text = _written(query, escape_all=False)
    return text if parse(text).query == query else _written(query, escape_all=True)


def without_part(text: str, part: Part) -> str:
    """The text without one of its parts; all other words stay as they are."""
    return f"{text[: part.start].rstrip()} {text[part.end :].lstrip()}".strip()


def replace_part(text: str, part: Part, replacement: str) -> str:
    """The text with other words in place of one of its parts."""
    return f"{text[: part.start]}{replacement}{text[part.end :]}"


def as_typed(text: str, part: Part) -> str:
    """The text with a part's words as plain words: with a backslash before each of them."""
    return replace_part(text, part, plain(text[part.start : part.end]))


def plain(words: str) -> str:
    """Words of which none is read as anything else: each with a backslash before it."""
    return re.sub(r"(?<!\S)(?=\S)", r"\\", words)


def quoted_value(words: str) -> str:
    """Words as the value of a field, a sign or a weight: in quotation marks unless they are one simple word."""
    return words if words.isalpha() else '"' + _MARKS.sub(r"\\\1", words) + '"'


def _written(query: Query, escape_all: bool) -> str:
    pieces = [*_wishes(query.wishes, escape_all), *map(write_condition, query.conditions)]
    pieces += [f"like:{asset_id}" for asset_id in query.like]
    pieces += [f"-like:{asset_id}" for asset_id in query.unlike]
    return " ".join(pieces)


def _wishes(wishes: tuple[Wish, ...], escape_all: bool) -> Iterator[str]:
    """Wishes in order; what would be read as one with the words before it gets a weight of 1."""
    open_sentence = False
    for wish in wishes:
        if wish.weight == 1 and not open_sentence:
            open_sentence = True
            yield plain(wish.text) if escape_all else _plain_where_needed(wish.text)
        elif wish.weight == -1:
            yield f"-{quoted_value(wish.text)}"
        else:
            open_sentence = False
            yield f"{wish.weight:.10g}*{quoted_value(wish.text)}"


def _plain_where_needed(text: str) -> str:
    for part in reversed(parse(text).parts):
        if part.kind != "words":
            text = as_typed(text, part)
    return text


def write_condition(condition: Condition) -> str:
    """A condition as text: `-place:"New York"`, `rating:3-5`, `since:1998`."""
    sign = "-" if condition.excluded else ""
    match condition:
        case TextCondition():
            field = "text" if condition.field == "any" else condition.field
            return f"{sign}{field}:{quoted_value(condition.words)}"
        case RatingCondition():
            return f"{sign}rating:{_ratings(condition.lowest, condition.highest)}"
        case PeriodCondition():
            return f"{sign}{_period(condition.since, condition.until)}"


def _ratings(lowest: int, highest: int) -> str:
    if lowest == LOWEST_RATING:
        return f"<={highest}" if highest > 0 else "<1"
    if lowest == highest:
        return str(lowest)
    return f">={lowest}" if highest == HIGHEST_RATING else f"{lowest}-{highest}"


def _period(since: CreatedTime | None, until: CreatedTime | None) -> str:
    if since is None or until is None:
        return f"until:{_date(until)}" if since is None else f"since:{_date(since)}"
    return f"date:{_date(since)}" if since == until else f"date:{_date(f'{since}..{until}')}"


def _date(value: CreatedTime | str | None) -> str:
    text = str(value or "")
    return f'"{text}"' if " " in text else text
