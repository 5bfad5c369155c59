"""Reads plain sentences as queries: by rules, and by Gemini where rules leave a hint that more was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from core.access import Person
from core.gemini.calls import CallOutcome, GeminiCalls
from core.gemini.failures import GeminiError
from core.gemini.replies import SentenceParts, parse_sentence_parts
from core.gemini.transport import GeminiRequest
from core.records.created_time import CreatedTime
from core.records.queries import HIGHEST_RATING, Condition, PeriodCondition, Query, RatingCondition, TextCondition, Wish
from core.records.written_dates import read_written_date
from core.search import prompts
from core.search.filters import ValueField
from core.search.gemini_reading import GeminiReading
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.search.query_language.parts import ParsedQuery
from core.search.query_language.tokens import tokens, word_set
from core.search.query_language.writer import write
from core.search.search_limits import SearchLimits
from core.settings import Secret
from core.store.sql.event_log import EventLog
from core.text import as_json, plain_words

MAX_OUTPUT_TOKENS = 400
MAX_DEADLINE_S = 3.0
MAX_SENTENCE_LENGTH = 300  # a longer text is none
_TEXT, _LIST = {"type": "STRING"}, {"type": "ARRAY", "items": {"type": "STRING"}}
INTERPRETATION_SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {
        "words": _TEXT,
        "not_words": _LIST,
        "places": _LIST,
        "people": _LIST,
        "since": _TEXT,
        "until": _TEXT,
        "min_rating": {"type": "INTEGER"},
    },
    "required": ["words", "not_words", "places", "people", "since", "until", "min_rating"],
}
# Words that speak of when, how good, or of what should not be there.
_HINTS = word_set(
    "taken before after since until during between without no not never except nobody nothing year years decade "
    "century month rated rating stars star best"
)
# Who or where: "on" and "with" are in too many ordinary queries, as are "by the water" and "from above".
_WHO_OR_WHERE = re.compile(
    r"\b(?:in|at|near|around|for|with)\s+[A-Z]|\b(?:by|from)\s+(?!(?:the|an?|above|below|behind|inside|outside|afar)\b)\w"
)


@dataclass(frozen=True)
class Interpretation:
    """A sentence as it was typed, and as a query: the text of `parsed` is what chips show and change.

    To have it searched as typed, `parse(typed, as_typed=True)`.
    """

    typed: str
    parsed: ParsedQuery
    by: Literal["rule", "gemini"] = "rule"


class Interpretations:
    """Interprets sentences. May be shared between threads; never raises."""

    def __init__(
        self,
        calls: GeminiCalls,
        events: EventLog,
        deadline_s: float,
        limits: SearchLimits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gemini = GeminiReading(calls, events, min(deadline_s, MAX_DEADLINE_S), limits, now)

    def interpret(self, person: Person, text: str, names: CollectionNames) -> Interpretation:
        """A text as a query of a collection with these names; Gemini is asked within what the person may spend."""
        by_rule = parse(text, names)
        if not self._gemini.available or not hints_at_more(by_rule):
            return Interpretation(text, by_rule)
        request = GeminiRequest(
            prompts.INTERPRETATION, (sentence_part(text),), INTERPRETATION_SCHEMA, MAX_OUTPUT_TOKENS
        )
        query = self._gemini.ask(person, request, lambda outcome: _query(outcome, self._gemini.key, text, names))
        if query is None:
            return Interpretation(text, by_rule)
        return Interpretation(text, parse(write(query), names), "gemini")


def hints_at_more(parsed: ParsedQuery) -> bool:
    """Whether the words that rules left as they are may say who, where, when or what not; without marks in the text.

    Whoever marks terms, or makes words plain, has said what is meant.
    """
    if len(parsed.text) > MAX_SENTENCE_LENGTH or any(token.marked for token in tokens(parsed.text)):
        return False
    left = " ".join(parsed.text[part.start : part.end] for part in parsed.parts if part.kind == "words")
    words = [token.key for token in tokens(left)]
    structured = any(word in _HINTS or any(map(str.isdigit, word)) for word in words)
    return len(words) > 1 and (structured or _WHO_OR_WHERE.search(left) is not None)


def sentence_part(text: str) -> str:
    """The message that asks for the parts of a sentence; all of it data."""
    return f"SENTENCE:\n{as_json(text)}"


def _query(outcome: CallOutcome, key: Secret, sentence: str, names: CollectionNames) -> tuple[Query | None, str]:
    """The query that Gemini made of a sentence and no cause, or none and why."""
    if outcome.text is None:
        return None, outcome.failure.cause if outcome.failure else "malformed"
    try:
        parts = parse_sentence_parts(outcome.text, [prompts.INTERPRETATION], key.reveal())
    except GeminiError as error:
        return None, error.cause
    query = query_of_parts(parts, sentence, names)
    return (query, "") if query is not None else (None, "malformed")


def query_of_parts(parts: SentenceParts, sentence: str, names: CollectionNames) -> Query | None:
    """The query that the parts of a sentence ask for; None if they ask for nothing, or for what it does not say.

    A name that the collection has is a condition, another one stays a word, as do dates without any picture.
    """
    said = set(plain_words(sentence).split())
    named = (*parts.places, *parts.people)
    if not set(plain_words(" ".join((parts.words, *parts.not_words, *named))).split()) <= said:
        return None
    words, conditions = [parts.words], list[Condition]()
    fields: tuple[tuple[ValueField, tuple[str, ...]], ...] = (("place", parts.places), ("person", parts.people))
    for field, values in fields:
        for value in values:
            known = names.values(field, value)
            conditions += [TextCondition(known[0] if len(known) == 1 else value, field)] if known else []
            words += [] if known else [value]
    period = _period(parts, names)
    conditions += [period] if period else []
    if not period:
        words += [date for date in dict.fromkeys((parts.since, parts.until)) if date in sentence and date not in words]
    if parts.min_rating and names.facets.rated:
        conditions.append(RatingCondition(parts.min_rating, HIGHEST_RATING))
    wish = " ".join(filter(None, words)).strip(" ,;")
    wishes = (*([Wish(wish)] if wish else []), *(Wish(text, -1.0) for text in parts.not_words))
    query = Query(wishes, tuple(conditions))
    return query if query != Query() else None


def _period(parts: SentenceParts, names: CollectionNames) -> PeriodCondition | None:
    """The period of a sentence if its dates can be read, any time lies in it, and any picture may be from then."""
    dates: list[CreatedTime | None] = []
    for text in (parts.since, parts.until):
        written = read_written_date(text)
        if text and (written.created is None or written.ambiguous):
            return None
        dates.append(written.created)
    since, until = dates
    if (since is None and until is None) or (since and until and since.start >= until.end):
        return None
    period = PeriodCondition(since, until)
    return period if names.dates_any(period) else None
