"""The names that a collection has, and where a sentence speaks of them: `in Lisbon`, `of Ada`, `four stars`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.records.queries import HIGHEST_RATING, Condition, PeriodCondition, Query, RatingCondition, TextCondition
from core.search.filters import COLUMN_FIELDS, Facets, ValueField, by_plain_words, facet_values, values_of_words
from core.search.query_language.marked_terms import label_of
from core.search.query_language.parts import Part
from core.search.query_language.tokens import Token, word_set
from core.text import plain_words

MAX_NAME_WORDS = 8
# Which kinds of names are meant after a preposition, the likeliest first.
_AFTER: dict[str, tuple[ValueField, ...]] = {
    **dict.fromkeys(("in", "at", "near", "around"), ("place",)),
    "from": ("place", "source"),
    "of": ("person", "place"),
    "for": ("person",),
    "with": ("person", "camera"),
    "by": ("author",),
    "on": ("camera",),
}
_NAMED: tuple[ValueField, ...] = ("person", "place", "camera", "author", "source")
_ALONE: tuple[ValueField, ...] = ("person", "place", "camera")
# What stands after a name that is the whole of its phrase.
_AFTER_PHRASE = word_set("at in on by from of with near under and during before after since while")
# Before "of" and a place: elsewhere it is often part of a name, such as "Bay of Naples".
_PICTURES = word_set(
    "photos photo pictures picture images image views view scenes map maps shots photographs postcards "
    "portrait portraits"
)
_NO_NAME_AFTER = word_set("of a an the my your his her our their")  # "the Bay of Lisbon", "a Leica on a table"
_ENDS_NAME = (",", ";", ":", "!", "?", ")")  # a full stop may stand in a name
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5} | {str(n): n for n in range(1, 6)}


class CollectionNames:
    """The people, places, cameras, authors, sources and years of a collection, and whether any picture is rated.

    Keywords are left out: what can be seen is found better by pixels.
    """

    def __init__(self, facets: Facets) -> None:
        self.facets = facets
        self._plain: dict[ValueField, dict[str, list[str]]] = {}
        self._names: dict[tuple[str, ...], dict[ValueField, str]] = {}
        for field in _NAMED:
            for value, _ in facet_values(facets, field):
                words = tuple(plain_words(value).split())
                if 0 < len(words) <= MAX_NAME_WORDS:
                    self._names.setdefault(words, {}).setdefault(field, value)
        self._years, self._rated = tuple(year for year, _ in facets.years), facets.rated > 0

    def dates_any(self, period: PeriodCondition) -> bool:
        """Whether a picture of the collection may have been taken in a period."""
        first = period.since.start.year if period.since else 0
        last = period.until.start.year if period.until else 9999
        if period.until and period.until.precision == "decade":
            last += 9
        return any(first <= year <= last for year in self._years)

    def values(self, field: ValueField, words: str) -> list[str]:
        """The values of a field that are these words without accents; if none is, those with the words in them."""
        return values_of_words(plain_words(words), self._by_plain_words(field))

    def _by_plain_words(self, field: ValueField) -> dict[str, list[str]]:
        if field not in self._plain:
            self._plain[field] = by_plain_words(name for name, _ in facet_values(self.facets, field))
        return self._plain[field]

    def rest_of_value(
        self, condition: Condition, tokens: Sequence[Token], start: int
    ) -> tuple[TextCondition, int] | None:
        """A condition with the words from `start` on that belong to a value of the collection; the next token."""
        if not isinstance(condition, TextCondition) or tokens[start - 1].ends_phrase:
            return None
        field = next((name for name in COLUMN_FIELDS if name == condition.field), None)
        if field is None:
            return None
        known, words, longest = self._by_plain_words(field), condition.words, None
        for position in range(start, min(start + MAX_NAME_WORDS, len(tokens))):
            if not tokens[position].plain:
                break
            words = f"{words} {tokens[position].bare}"
            if plain_words(words) in known:
                longest = replace(condition, words=words), position + 1
            if tokens[position].text.endswith(_ENDS_NAME):
                break
        return longest

    def read(self, tokens: Sequence[Token], start: int) -> tuple[Part, int] | None:
        """The name or the stars that a sentence speaks of at a token, and the token after it."""
        return self._named(tokens, start) or (_stars(tokens, start) if self._rated else None)

    def _named(self, tokens: Sequence[Token], start: int) -> tuple[Part, int] | None:
        fields, first = _kinds_after(tokens, start)
        found = self._longest(tokens, first, fields) or self._part_of_name(tokens, start)
        if found is None or "or" in (_key(tokens, start - 1), _key(tokens, found[1])):
            return None
        name, end = found
        if not _is_meant(tokens, start, first, end):
            return None
        query = Query(conditions=(name,))
        span = tokens[start].start, tokens[end - 1].end
        return Part(*span, "field", label_of(query, "field"), query, guessed=True), end

    def _longest(
        self, tokens: Sequence[Token], first: int, fields: Sequence[ValueField]
    ) -> tuple[TextCondition, int] | None:
        """The condition of the longest name of these kinds at a token, the first kind before others; the next token."""
        longest, words = None, tuple[str, ...]()
        for position in range(first, min(first + MAX_NAME_WORDS, len(tokens))):
            if not tokens[position].plain:
                break
            words += tokens[position].plain
            named = self._names.get(words, {})
            if kinds := [field for field in fields if field in named]:
                longest = TextCondition(named[kinds[0]], kinds[0]), position + 1
            if tokens[position].text.endswith(_ENDS_NAME):
                break
        return longest

    def _part_of_name(self, tokens: Sequence[Token], start: int) -> tuple[TextCondition, int] | None:
        """The condition of a first or last name with a capital letter, `by Hodan` or `portraits of Ada`; next token."""
        preposition, name = _key(tokens, start), tokens[start + 1].bare if start + 1 < len(tokens) else ""
        of_person = preposition == "with" or (preposition == "of" and _key(tokens, start - 1) in _PICTURES)
        field: ValueField = "person" if of_person else "author"
        if not (of_person or preposition == "by") or not name[:1].isupper() or not tokens[start + 1].plain:
            return None
        return (TextCondition(name, field), start + 2) if self.values(field, name) else None


def _kinds_after(tokens: Sequence[Token], start: int) -> tuple[Sequence[ValueField], int]:
    """The kinds of names that may follow at a token, the likeliest first, and the token where a name would begin."""
    preposition = tokens[start].key if not tokens[start].ends_phrase else ""
    before = _key(tokens, start - 1)
    if preposition not in _AFTER:
        return () if before in _NO_NAME_AFTER else _ALONE, start
    if preposition in ("with", "on") and _key(tokens, start + 1) in ("a", "an", "the", "my"):
        return ("camera",), start + 2
    if preposition == "of" and start and before not in _PICTURES:
        return ("person",), start + 1
    return _AFTER[preposition], start + 1


def _is_meant(tokens: Sequence[Token], start: int, first: int, end: int) -> bool:
    """Whether words that are equal to a name mean it: "Nice" or "in nice", but not "nice" or "in nice weather".

    A capital letter says so, except where a sentence begins; small letters do after a preposition, or where nothing
    else is asked for, if the name is all of its phrase.
    """
    whole = end == len(tokens) or tokens[end - 1].ends_phrase or tokens[end].marked
    whole = whole or _key(tokens, end) in _AFTER_PHRASE or _key(tokens, end)[:4].isdigit()
    capital = tokens[first].bare[:1].isupper() and (first > 0 or whole)
    everything = first == 0 and end == len(tokens)
    several = sum(len(token.plain) for token in tokens[first:end]) > 1
    return capital or several or ((first > start or everything) and whole)


def _stars(tokens: Sequence[Token], start: int) -> tuple[Part, int] | None:
    """`four stars`, `4+ stars`, `at least three stars`, `three stars or more`."""
    end = start + 2 * (_key(tokens, start) == "at" and _key(tokens, start + 1) == "least")
    number = _key(tokens, end)
    stars = _NUMBERS.get(number.removesuffix("+"))
    if stars is None or _key(tokens, end + 1) not in ("stars", "star"):
        return None
    or_more = _key(tokens, end + 2) == "or" and _key(tokens, end + 3) in ("more", "better")
    at_least = end > start or number.endswith("+") or or_more
    after = end + 2 + 2 * or_more
    query = Query(conditions=(RatingCondition(stars, HIGHEST_RATING if at_least else stars),))
    span = tokens[start].start, tokens[after - 1].end
    return Part(*span, "rating", label_of(query, "rating"), query, guessed=True), after


def _key(tokens: Sequence[Token], position: int) -> str:
    return tokens[position].key if 0 <= position < len(tokens) else ""
