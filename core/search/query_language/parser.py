"""Reads a text as a query. Pure: the same text, names and year give the same query; no text is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.records.queries import Query, Wish
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.exclusions import read_exclusion
from core.search.query_language.marked_terms import label_of, read_term
from core.search.query_language.parts import ParsedQuery, Part, Problem, combined
from core.search.query_language.periods import MAX_DATE_WORDS, is_numbered, read_span
from core.search.query_language.tokens import Token, tokens, word_set

_MAX_SPAN_WORDS = 2 * MAX_DATE_WORDS + 4
# Words that say nothing of a picture: without other words, the rest of a query is meant alone.
_SAYING_NOTHING = word_set(
    "a all an and any are by did do does find from give how i in is me my of on one ones only photo photograph "
    "photographs photos pic pics picture pictures image images please search shot shots show some taken that the there "
    "these those want was were what when where which who with"
)
_NEGATIONS = word_set("not except without excluding")


@dataclass(frozen=True)
class _Reading:
    """A text being read: its tokens, the names that may be meant, the latest year, and whether sentences are read."""

    text: str
    tokens: tuple[Token, ...]
    names: CollectionNames | None
    latest_year: int
    as_typed: bool


def parse(
    text: str, names: CollectionNames | None = None, *, as_typed: bool = False, this_year: int | None = None
) -> ParsedQuery:
    """What a text asks for.

    Sentences are read too: exclusions, dates and, with `names`, what a collection has; `as_typed` reads only terms with
    marks. A bare number is a year up to the one after `this_year`, by default the clock's; with `names`, if there is
    a picture of that time.
    """
    latest_year = (datetime.now(UTC).year if this_year is None else this_year) + 1
    reading = _Reading(text, tuple(tokens(text)), names, latest_year, as_typed)
    parts, problems = [], []
    for part, found in _parts(reading):
        parts.append(part)
        problems += [found] if found else []
    kept = _without_idle_words(text, parts)
    return ParsedQuery(text, kept, combined(kept), tuple(problems))


def _parts(reading: _Reading) -> Iterator[tuple[Part, Problem | None]]:
    """The parts in order; free words that follow each other are one."""
    position, free = 0, 0
    while position < len(reading.tokens):
        found = _read(reading, position)
        if found is None:
            position += 1
            continue
        if free < position:
            yield _words(reading.tokens[free:position]), None
        if isinstance(found, Problem):
            mistake = Part(found.start, found.end, "mistake", reading.text[found.start : found.end])
            yield mistake, found
            position += 1
        else:
            yield found[0], None
            position = found[1]
        free = position
    if free < position:
        yield _words(reading.tokens[free:position]), None


def _read(reading: _Reading, position: int) -> tuple[Part, int] | Problem | None:
    """What begins at a token other than free words."""
    token = reading.tokens[position]
    if token.marked:
        term = read_term(reading.text, reading.tokens, position, 0 if reading.as_typed else reading.latest_year)
        return _with_rest_of_name(reading, term, token) if isinstance(term, tuple) else term
    if reading.as_typed:
        return None
    negated = _condition(reading, position + 1) if token.key in _NEGATIONS else None
    if negated and (token.key == "not" or negated[0].kind == "period"):
        return _negated(token, negated[0]), negated[1]
    return read_exclusion(reading.tokens, position) or _condition(reading, position)


def _with_rest_of_name(reading: _Reading, term: tuple[Part, int], token: Token) -> tuple[Part, int]:
    """A field's value with the words after it that belong to a value of the collection: `place:New York`."""
    part, end = term
    if reading.names is None or reading.as_typed or token.quoted or part.kind != "field":
        return term
    (condition,) = part.query.conditions
    longer = reading.names.rest_of_value(condition, reading.tokens, end)
    if longer is None:
        return term
    query = Query(conditions=(longer[0],))
    return replace(part, end=reading.tokens[longer[1] - 1].end, label=label_of(query, "field"), query=query), longer[1]


def _condition(reading: _Reading, position: int) -> tuple[Part, int] | None:
    """A date, or a name that the collection has, among free words."""
    if position >= len(reading.tokens) or reading.tokens[position].marked:
        return None
    period = _period(reading, position)
    if period is not None or reading.names is None:
        return period
    return reading.names.read(reading.tokens, position)


def _negated(negation: Token, part: Part) -> Part:
    """`not in Lisbon`: the opposite of what the part without "not" asks for."""
    conditions = tuple(replace(condition, excluded=True) for condition in part.query.conditions)
    return replace(part, start=negation.start, label=f"not {part.label}", query=Query(conditions=conditions))


def _period(reading: _Reading, position: int) -> tuple[Part, int] | None:
    """A date among free words, if the collection has pictures of that time."""
    if position and is_numbered(reading.tokens[position - 1].text):
        return None
    span = read_span(_words_from(reading.tokens, position), reading.latest_year)
    if span is None or (reading.names is not None and not reading.names.dates_any(span.condition)):
        return None
    end, query = position + span.count, Query(conditions=(span.condition,))
    start = reading.tokens[position].start
    return Part(start, reading.tokens[end - 1].end, "period", label_of(query, "period"), query, guessed=True), end


def _words_from(tokens: Sequence[Token], position: int) -> list[str]:
    """The unmarked words of one phrase, without the punctuation that cannot belong to a date."""
    words: list[str] = []
    for token in tokens[position : position + _MAX_SPAN_WORDS]:
        if token.marked:
            break
        words.append(token.text.lstrip("(").rstrip(";:!?)."))
        if token.text.endswith((";", ":", "!", "?", ")")):
            break
    return words


def _words(free: Sequence[Token]) -> Part:
    text = " ".join(token.text if token.literal else token.raw for token in free)
    says_something = bool(text.strip(" ,;"))
    return Part(free[0].start, free[-1].end, "words", text, Query((Wish(text),) if says_something else ()))


def _without_idle_words(text: str, parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts; if no free word says anything of a picture, and other parts do, free words ask for nothing."""
    free = (token for part in parts if part.kind == "words" for token in tokens(text[part.start : part.end]))
    others = any(part.query != Query() for part in parts if part.kind != "words")
    if not others or not all(token.key in _SAYING_NOTHING for token in free):
        return tuple(parts)
    return tuple(replace(part, query=Query()) if part.kind == "words" else part for part in parts)
