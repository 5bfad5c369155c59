"""Terms with marks of their own: `"exact words"`, `-boat`, `2*dog`, `place:Lisbon`, `rating:>3`, `like:ID`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from core.records.queries import (
    HIGHEST_RATING,
    LOWEST_RATING,
    PeriodCondition,
    Query,
    RatingCondition,
    TextCondition,
    TextField,
    Wish,
)
from core.search.query_language.parts import Part, PartKind, Problem, problem
from core.search.query_language.periods import MAX_DATE_WORDS, Span, directed_span, read_dates, read_span
from core.search.query_language.tokens import DATE_FIELDS, TEXT_FIELDS, Token
from core.text import plain_words

MIN_WEIGHT, MAX_WEIGHT, WEIGHT_DIGITS = 0.1, 10.0, 3
_FIELD_OF: dict[str, TextField] = {name: name for name in get_args(TextField)} | {"text": "any"}
_RATING = re.compile(r"(<=|>=|=|<|>|≤|≥)?([0-9]{1,3})(?:[-–]([0-9]{1,3}))?")
_ID = re.compile(r"[0-9a-f]{8,64}")
# Two more words than a date has, for the second of two and what stands between them.
_MAX_SPAN_WORDS = 2 * MAX_DATE_WORDS + 2


class Mistake(Exception):
    """A term that cannot be meant as it is; the message says what to write."""


def read_term(text: str, tokens: Sequence[Token], start: int, latest_year: int) -> tuple[Part, int] | Problem | None:
    """The term at a token and the token after it; its problem if it has a mistake; None if it is a plain word."""
    token = tokens[start]
    try:
        if token.field in DATE_FIELDS:
            return _period(tokens, start)
        query, kind = _meaning(token, latest_year)
    except Mistake as mistake:
        return problem(text, token.start, token.end, str(mistake))
    if query is None:
        return None
    return Part(token.start, token.end, kind, label_of(query, kind), query), start + 1


def _meaning(token: Token, latest_year: int) -> tuple[Query | None, PartKind]:
    if token.unclosed:
        raise Mistake("this quotation mark has no partner: close it, or write a backslash before it")
    if token.field in TEXT_FIELDS:
        return Query(conditions=(_text_condition(token),)), "field"
    if token.field == "rating":
        return Query(conditions=(_rating(token),)), "rating"
    if token.field == "like":
        return _like(token), "like"
    if token.weight is not None:
        return Query((Wish(_value(token), _weight(token)),)) if _value(token) else None, "weighted"
    if token.excluded:
        return _excluded(token, latest_year)
    if token.quoted and plain_words(token.text):
        return Query((Wish(token.text),), (TextCondition(token.text),)), "exact"
    return None, "words"


def _value(token: Token) -> str:
    return token.text if token.quoted else token.text.rstrip(",.;:!?)")


def _text_condition(token: Token) -> TextCondition:
    words = _value(token)
    if not plain_words(words):
        raise Mistake(f'write after it what to find: {token.field}:word or {token.field}:"two words"')
    return TextCondition(words, _FIELD_OF[token.field], token.excluded)


def _rating(token: Token) -> RatingCondition:
    found = _RATING.fullmatch(_value(token))
    if found is None or (found[1] and found[3]):
        raise Mistake("write it like rating:5, rating:>=3 or rating:3-5")
    first, last = int(found[2]), int(found[3] or found[2])
    if not (1 <= first <= HIGHEST_RATING and 1 <= last <= HIGHEST_RATING):
        raise Mistake(f"ratings go from 1 to {HIGHEST_RATING}")
    lowest, highest = {
        "<": (LOWEST_RATING, first - 1),
        "<=": (LOWEST_RATING, first),
        "≤": (LOWEST_RATING, first),
        ">": (first + 1, HIGHEST_RATING),
        ">=": (first, HIGHEST_RATING),
        "≥": (first, HIGHEST_RATING),
    }.get(found[1] or "", (first, last))
    if lowest > highest:
        raise Mistake(f"no rating is above {first}" if found[1] else f"swap the two: rating:{last}-{first}")
    return RatingCondition(lowest, highest, token.excluded)


def _like(token: Token) -> Query:
    asset_id = token.text.lower()
    if not _ID.fullmatch(asset_id):
        raise Mistake("write the id of a picture after it, or at least its first eight digits (0-9, a-f)")
    return Query(unlike=(asset_id,)) if token.excluded else Query(like=(asset_id,))


def _weight(token: Token) -> float:
    weight = round(token.weight or 0.0, WEIGHT_DIGITS)
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        raise Mistake(f"weights go from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}")
    return -weight if token.excluded else weight


def _excluded(token: Token, latest_year: int) -> tuple[Query | None, PartKind]:
    """`-boat`, or `-1998`; other numbers are words: `-5`."""
    words = _value(token)
    if not token.quoted and (span := read_span([words], latest_year)):
        return Query(conditions=(replace(span.condition, excluded=True),)), "period"
    if not words or not (token.quoted or any(c.isalpha() for c in words)):
        return None, "words"
    return Query((Wish(words, -1.0),)), "excluded"


def _period(tokens: Sequence[Token], start: int) -> tuple[Part, int] | None:
    """The period that a field of dates names, with the words after it as far as they belong to the date.

    None if what follows after a blank is no date: "save the date: a wedding".
    """
    token = tokens[start]
    found = _quoted_dates(token.text) if token.quoted else read_dates(_date_words(tokens, start))
    span = directed_span(token.field, found.since, found.until) if found else None
    if found is None and not token.quoted and len(token.raw.split()) > 1:
        return None
    if found is None or span is None:
        raise Mistake("write a date like 1998, 1998-09, 1998-09-03, 1930s, 1998-2001 or September 1998")
    if not found.is_possible:
        raise Mistake(f"no time lies between {found.since} and {found.until}: swap the two")
    end = start + 1 if token.quoted else start + found.count
    query = Query(conditions=(replace(span.condition, excluded=token.excluded),))
    label = label_of(query, "period")
    if token.field in ("before", "after") and found.since == found.until:
        label = f"{'not ' * token.excluded}{token.field} {found.since}"
    return Part(token.start, tokens[end - 1].end, "period", label, query), end


def _quoted_dates(text: str) -> Span | None:
    if whole := read_dates([text]):
        return whole
    found = read_dates(text.split())
    return found if found and found.count == len(text.split()) else None


def _date_words(tokens: Sequence[Token], start: int) -> list[str]:
    """The value at `start` and the words after it, of which a date may take some."""
    if tokens[start].ends_phrase or not tokens[start].text:
        return [_value(tokens[start])]
    words = [tokens[start].text]
    for after in tokens[start + 1 : start + _MAX_SPAN_WORDS]:
        if after.marked:
            break
        words.append(after.text.rstrip(".;:!?)"))
    return words


def label_of(query: Query, kind: PartKind) -> str:
    """What a chip says of a part."""
    if query.like or query.unlike:
        return "like a picture" if query.like else "not like a picture"
    if kind == "exact":
        return f'"{query.wishes[0].text}"'
    return ", ".join([*map(_wish_label, query.wishes), *map(condition_label, query.conditions)])


def _wish_label(wish: Wish) -> str:
    sign = "not " if wish.weight < 0 else ""
    return f"{sign}{wish.text}" if wish.weight in (1, -1) else f"{sign}{abs(wish.weight):g} × {wish.text}"


def condition_label(condition: TextCondition | RatingCondition | PeriodCondition) -> str:
    """`not title: gnu`, `rating: 3 – 5`, `1998 – 2001`, `since 1998`."""
    sign = "not " if condition.excluded else ""
    if isinstance(condition, TextCondition):
        field = "text" if condition.field == "any" else condition.field
        return f"{sign}{field}: {condition.words}"
    if isinstance(condition, RatingCondition):
        return f"{sign}rating: {_rating_range(condition)}"
    return f"{sign}{_period_range(condition)}"


def _rating_range(condition: RatingCondition) -> str:
    if condition.lowest == condition.highest:
        return str(condition.lowest)
    if condition.highest == HIGHEST_RATING:
        return f"at least {condition.lowest}"
    at_most = condition.lowest == LOWEST_RATING
    return f"at most {condition.highest}" if at_most else f"{condition.lowest} – {condition.highest}"


def _period_range(condition: PeriodCondition) -> str:
    since, until = condition.since, condition.until
    if since is None or until is None:
        return f"since {since}" if since else f"until {until}"
    return str(since) if since == until else f"{since} – {until}"
