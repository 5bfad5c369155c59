"""The words of a query, each with the marks around it: a sign, a field, a weight, quotation marks, a backslash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from core.text import plain_words

QUOTATION_MARKS = '"“”„‟«»＂'
TEXT_FIELDS = ("text", "title", "description", "keyword", "person", "place", "camera", "author", "name", "source")
DATE_FIELDS = ("date", "before", "after", "since", "until")
FIELDS = frozenset((*TEXT_FIELDS, *DATE_FIELDS, "rating", "like"))
_RATINGS = tuple("<>=≤≥0123456789")
CLOSING = ",.;:!?)"

_BLANK, _WORD = re.compile(r"\s*"), re.compile(r"\S*")
_HEAD = re.compile(r"(-?)(?:([a-zA-Z]{4,11})[:：]|([0-9]{1,6}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})\*)?")
_INSIDE = rf"(?:\\[{QUOTATION_MARKS}\\]|\\(?![{QUOTATION_MARKS}\\])|[^{QUOTATION_MARKS}\\])*"
_QUOTED = re.compile(rf"[{QUOTATION_MARKS}]({_INSIDE})[{QUOTATION_MARKS}]")
_ESCAPED = re.compile(rf"\\([{QUOTATION_MARKS}\\])")


@dataclass(frozen=True)
class Token:
    """The characters [start, end) of a text: `raw` as typed, `text` without its marks and outer blanks.

    `literal`: a backslash before it makes it a plain word. `unclosed`: a quotation mark without a second one.
    """

    start: int
    end: int
    raw: str
    text: str
    excluded: bool = False
    field: str = ""
    weight: float | None = None
    quoted: bool = False
    literal: bool = False
    unclosed: bool = False

    @property
    def marked(self) -> bool:
        """Whether it is more than a word that may be read in the sense of a sentence."""
        special = self.excluded or self.quoted or self.literal or self.unclosed
        return special or bool(self.field) or self.weight is not None

    @cached_property
    def bare(self) -> str:
        """The text without the punctuation that ends it."""
        return self.text.lstrip("(").rstrip(CLOSING)

    @cached_property
    def key(self) -> str:
        """By which it is compared to words of the language; empty if it is marked."""
        return "" if self.marked else self.bare.casefold()

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """Its words as names are compared; none if it is marked."""
        return () if self.marked else tuple(plain_words(self.text).split())

    @property
    def ends_phrase(self) -> bool:
        """Whether a comma, full stop or the like follows."""
        return self.text.endswith(tuple(CLOSING))


def word_set(words: str) -> frozenset[str]:
    """Words that stand in one line of code."""
    return frozenset(words.split())


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text in order; between them are blanks only."""
    position = _after(_BLANK, text, 0)
    while position < len(text):
        token = _token(text, position)
        yield token
        position = _after(_BLANK, text, token.end)


def _after(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _token(text: str, start: int) -> Token:
    if text[start] == "\\":
        word = _word(text, start)
        return Token(start, start + len(word), word, word[1:] or word, literal=len(word) > 1)
    head = _HEAD.match(text, start)
    sign, name, weight = head.groups() if head else ("", None, None)
    field = (name or "").lower()
    if head and field in FIELDS:
        return _with_value(text, start, _value_start(text, head.end(), field), bool(sign), field)
    if head and weight and _is_value(text, head.end(), digits=False):
        return _with_value(text, start, head.end(), bool(sign), weight=float(weight))
    if _is_value(text, start + len(sign)):
        return _with_value(text, start, start + len(sign), bool(sign))
    word = _word(text, start)
    return Token(start, start + len(word), word, word)


def _word(text: str, start: int) -> str:
    return text[start : _after(_WORD, text, start)]


def _is_value(text: str, start: int, digits: bool = True) -> bool:
    first = text[start : start + 1]
    return first.isalpha() or (first.isalnum() and digits) or (bool(first) and first in QUOTATION_MARKS)


def _value_start(text: str, start: int, field: str) -> int:
    """Where the value of a field begins: blanks may stand before a word or quotation that has no marks of its own."""
    value = _after(_BLANK, text, start)
    begins = text[value : value + 1].startswith(_RATINGS) if field == "rating" else _is_value(text, value)
    if value == start or field == "like" or not begins:
        return start
    head = _HEAD.match(text, value)
    marked = head is not None and ((head[2] or "").lower() in FIELDS or head[3] is not None)
    return start if marked else value


def _with_value(
    text: str, start: int, value: int, excluded: bool, field: str = "", weight: float | None = None
) -> Token:
    if value == len(text) or text[value] not in QUOTATION_MARKS:
        end = _after(_WORD, text, value)
        return Token(start, end, text[start:end], text[value:end], excluded, field, weight)
    found = _QUOTED.match(text, value)
    if found is None:
        return Token(start, len(text), text[start:], text[value + 1 :].strip(), unclosed=True)
    content = " ".join(_ESCAPED.sub(r"\1", found[1]).split())
    return Token(start, found.end(), text[start : found.end()], content, excluded, field, weight, quoted=True)
