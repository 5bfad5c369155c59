"""What a follow-up means without Gemini: pictures by their positions, a new search, or the last one refined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.records.queries import PeriodCondition, Query
from core.search.query_language.parser import parse
from core.search.query_language.parts import Part
from core.search.query_language.writer import quoted_value, without_part, write

MAX_REFINED_QUERY_LENGTH = 300
ID_DIGITS = 12  # of an id, enough to tell pictures apart

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PICTURE = (
    r"(?:the\s+|number\s+|no\.?\s*|picture\s+|photo\s+|image\s+|#)*"
    rf"(?:{'|'.join(_ORDINALS)}|last|\d{{1,2}})(?:st|nd|rd|th)?\b(?:\s+(?:ones?|pictures?|photos?|images?)\b)?"
)
_LIKE = re.compile(
    r"(?:\b(?:and|but)\s+)?\b(?:(?P<less>less|not)\s+|more\s+)?(?:(?P<unlike>unlike)|like|similar to|as)\s+"
    rf"(?P<pictures>{_PICTURE}(?:\s*(?:,|and|or)\s*(?:the\s+)?{_PICTURE})*)(?=\s*(?:$|[.!,;]|(?:and|but)\b))",
    re.IGNORECASE,
)
_POSITION = re.compile(rf"\b(?:{'|'.join(_ORDINALS)}|last)\b|\d+", re.IGNORECASE)
_FILLER = re.compile(
    r"^(?:(?:and|but|now|please|only|just|show(?: me)?|give me|keep|i (?:want|mean)|the ones?|ones?|those|these|"
    r"pictures?|photos?|images?|that are|that is|which are|that|which|who|are|is)\b[\s,]*)+",
    re.IGNORECASE,
)
_EXCLUSION = re.compile(
    r"^(?:(?:and|but|please|only|just|the ones?|ones?|those)\s+)*(?:without|no|not|except(?: for)?|exclude)\s+(?=\S)",
    re.IGNORECASE,
)
_CIRCUMSTANCE = re.compile(r"(?:at|in|on|by|from|during|under|near)\s[^,;.!]*", re.IGNORECASE)
_NEW_SEARCH = re.compile(r"^(?:instead|rather|no(?=,)|new search|search(?: for)?|find)\b[\s:,]*", re.IGNORECASE)


@dataclass(frozen=True)
class FollowUp:
    """What a follow-up means: a refined query, and the positions (from 1) of previous results to be like and unlike.

    `note` is a sentence about what could not be interpreted.
    """

    query: str = ""
    like: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()
    by: Literal["rule", "gemini"] = "rule"
    note: str = ""

    @property
    def position(self) -> int | None:
        """The first of the positions to be like, for a search by one picture."""
        return self.like[0] if self.like else None

    def with_pictures(self, shown_ids: Sequence[str]) -> str:
        """The refined query with the pictures at its positions among those shown: `boats like:0123456789ab`."""
        like = [f"like:{shown_ids[position - 1][:ID_DIGITS]}" for position in self.like]
        unlike = [f"-like:{shown_ids[position - 1][:ID_DIGITS]}" for position in self.unlike]
        return " ".join(filter(None, [self.query, *like, *unlike]))


def interpret_by_rule(previous: str, text: str, shown: int) -> FollowUp:
    """What a follow-up to the query `previous` means, with `shown` pictures on the page."""
    words = " ".join(text.split())
    if _NEW_SEARCH.match(words) and _NEW_SEARCH.sub("", words):
        return FollowUp(_NEW_SEARCH.sub("", words))
    like, unlike, rest = referenced_positions(words, shown)
    if not rest.strip(" .!,;"):
        return FollowUp(previous, like, unlike)
    query, note = refine(previous, rest)
    return FollowUp(query, like, unlike, note=note)


def referenced_positions(text: str, shown: int) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """The positions that "more like the second and less like the fourth" means, and the words that are left.

    What would mean a picture that is not shown stays words.
    """
    like: list[int] = []
    unlike: list[int] = []

    def taken(found: re.Match[str]) -> str:
        positions = [_position(word, shown) for word in _POSITION.findall(found["pictures"])]
        if not all(1 <= position <= shown for position in positions):
            return found[0]
        kept = unlike if found["less"] or found["unlike"] else like
        kept += [position for position in positions if position not in kept]
        return " "

    rest = _LIKE.sub(taken, " ".join(text.split()))
    return tuple(like), tuple(unlike), " ".join(rest.split()) if like or unlike else text


def _position(word: str, shown: int) -> int:
    word = word.lower()
    return shown if word == "last" else _ORDINALS.index(word) + 1 if word in _ORDINALS else int(word)


def refine(previous: str, text: str) -> tuple[str, str]:
    """A query with what a follow-up adds to it, and a note about what it cannot add.

    Free words continue the sentence; a period takes the place of the one before; the rest is added.
    """
    added = parse(_as_query(text))
    free = " ".join(added.text[part.start : part.end] for part in added.parts if part.kind == "words")
    terms = [part for part in added.parts if part.kind not in ("words", "mistake")]
    note = " ".join(f"{problem.sentence}." for problem in added.problems)
    free = free.strip(" .!,;")
    if not free and not terms:
        return (previous, note) if note and previous else (_with_words(previous, " ".join(text.split())), note)
    base = _without_periods(previous) if any(_has_period(part.query) for part in terms) else previous
    asked = parse(base).query
    refined = _with_words(base, free) if free else base
    new = [_term(added.text, part) for part in terms if not _asks(asked, part.query)]
    return shortened(" ".join([refined, *new]).strip()), note


def _term(text: str, part: Part) -> str:
    """A part as it was typed, or as the language has it if it was guessed from a sentence."""
    return write(part.query) if part.guessed else text[part.start : part.end].rstrip(",;.!")


def _as_query(text: str) -> str:
    """A follow-up without the words around it, its exclusion as the language has it."""
    text = text.strip()
    if found := _EXCLUSION.match(text):
        rest = text[found.end() :]
        circumstance = _CIRCUMSTANCE.match(rest)
        if circumstance:
            return f"-{quoted_value(circumstance[0].strip())} {rest[circumstance.end() :]}"
        return f"without {rest}"
    return _FILLER.sub("", text) or text


def _with_words(query: str, words: str) -> str:
    """The query with more words at the end of its sentence."""
    sentence = [part for part in parse(query).parts if part.flows]
    if not sentence:
        return f"{words} {query}".strip()
    last = sentence[-1]
    comma = "," if last.kind == "words" else ""
    return f"{query[: last.end].rstrip(' ,;')}{comma} {words}{query[last.end :]}"


def _without_periods(query: str) -> str:
    for part in reversed(parse(query).parts):
        if _has_period(part.query):
            query = without_part(query, part)
    return query


def _has_period(query: Query) -> bool:
    return any(isinstance(c, PeriodCondition) and not c.excluded for c in query.conditions)


def _asks(query: Query, term: Query) -> bool:
    """Whether a query asks for all of a term already."""
    return set(term.conditions) <= set(query.conditions) and set(term.wishes) <= set(query.wishes) and not term.like


def shortened(text: str) -> str:
    """A query of bounded length: as many of its parts, and of the words of the last, as fit."""
    if len(text) <= MAX_REFINED_QUERY_LENGTH:
        return text
    fitting = [part for part in parse(text).parts if _kept_end(text, part)]
    return text[: _kept_end(text, fitting[-1])] if fitting else text


def _kept_end(text: str, part: Part) -> int:
    """Where a part ends within the bound; 0 if nothing of it fits."""
    if part.end <= MAX_REFINED_QUERY_LENGTH:
        return part.end
    if part.kind != "words" or part.start >= MAX_REFINED_QUERY_LENGTH:
        return 0
    blank = text.rfind(" ", part.start, MAX_REFINED_QUERY_LENGTH)
    return blank if blank > part.start else MAX_REFINED_QUERY_LENGTH
