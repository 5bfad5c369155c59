"""What a sentence says that pictures should not show: `without a boat`, `but no cars`, `not a dog`."""

from __future__ import annotations

from collections.abc import Sequence

from core.records.queries import Query, Wish
from core.search.query_language.parts import Part
from core.search.query_language.tokens import Token, word_set

MAX_EXCLUDED_WORDS = 4
_DETERMINERS = word_set("a an the any my your his her its our their this that these those some")
_JOINING = frozenset(("and", "or", "nor"))
# Where the words that are excluded end.
_AFTER_NOUN = word_set(
    "at in on by from with without near under over behind before after during beside between against around through "
    "into for to while when where who which is are was were but except please only"
)
# After "not" these exclude nothing: "not far from the sea", "not for sale".
_NOT_EXCLUDING = word_set(
    "far only just too very so yet quite really alone long much many all every everyone even more less always for to "
    "with necessarily sure enough ever again now here there as be being been"
)
# Before "not" these make it a part of what is said: "do not enter".
_AUXILIARY = word_set("do does did can could will would shall should must may might or whether why if")
_WHERE = word_set("in at on near under inside outside behind by from of")
_ALONE = frozenset(("without", "excluding", "except"))
_LEADING = frozenset(("but", "and"))
_RELATIVE, _IS = word_set("that which who"), word_set("is are was were")
# Words that may stand before "no" where it excludes; by itself it may be part of what is shown: "no entry sign".
_BEFORE_NO = word_set("but with and has have having")


def read_exclusion(tokens: Sequence[Token], start: int) -> tuple[Part, int] | None:
    """The exclusion that a sentence has at a token, and the token after it."""
    position = end = _after_negation(tokens, start)
    wishes: list[Wish] = []
    while position is not None:
        words, after = _noun(tokens, position)
        if not words:
            break
        wishes.append(Wish(" ".join(words), -1.0))
        end = after
        joined = _key(tokens, after) in _JOINING and not tokens[after - 1].ends_phrase
        position = after + 1 if joined else None
    if not wishes or end is None:
        return None
    label = ", ".join(f"not {wish.text}" for wish in wishes)
    span = tokens[start].start, tokens[end - 1].end
    return Part(*span, "excluded", label, Query(tuple(wishes)), guessed=True), end


def _after_negation(tokens: Sequence[Token], start: int) -> int | None:
    """The token after words that exclude what follows; None if there are none at `start`."""
    first, second = _key(tokens, start), _key(tokens, start + 1)
    if tokens[start].ends_phrase:
        return None
    if first in _ALONE:
        return start + 1 + (first == "except" and second == "for")
    if first in _RELATIVE and second in _IS | _BEFORE_NO:
        return _after_negation(tokens, start + 1)
    if first == "not" and _key(tokens, start - 1) not in _AUXILIARY and second not in _NOT_EXCLUDING:
        return start + 1 + (second in _WHERE)
    if first == "no" and start and tokens[start - 1].text.endswith((",", ";")):
        return start + 1
    if (first in _BEFORE_NO and second == "no") or (first in _LEADING and second in _ALONE):
        return start + 2
    return _after_negation(tokens, start + 1) if first in _IS | _LEADING and second == "not" else None


def _noun(tokens: Sequence[Token], start: int) -> tuple[list[str], int]:
    """The words of what is excluded, without articles and the like before them, and the token after them."""
    end = start
    while _key(tokens, end) in _DETERMINERS and not tokens[end].ends_phrase:
        end += 1
    words: list[str] = []
    while len(words) < MAX_EXCLUDED_WORDS and _continues(tokens, end, words):
        words.append(tokens[end].bare)
        end += 1
        if tokens[end - 1].ends_phrase:
            break
    return words, end


def _continues(tokens: Sequence[Token], position: int, words: Sequence[str]) -> bool:
    key = _key(tokens, position)
    if not key or not any(c.isalnum() for c in key) or key in _AFTER_NOUN | _JOINING:
        return False
    if words and key[0].isdigit():  # a year, or stars
        return False
    return not words or key not in _DETERMINERS or words[-1].casefold() == "of"


def _key(tokens: Sequence[Token], position: int) -> str:
    return tokens[position].key if position < len(tokens) else ""
