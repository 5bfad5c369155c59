"""Follow-ups: what a person means by a few words after a search. Plain rules; Gemini rewrites where there is a key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.search.faults import GeminiFault
from core.search.ranking import as_json, leaks, one_line

MOST_PREVIOUS, MOST_LENGTH = 6, 300

SCHEMA: dict[str, Any] = {
    "type": "OBJECT", "properties": {"query": {"type": "STRING"}}, "required": ["query"],
}  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PLACE = re.compile(
    r"\b(?:like|similar to|as)\s+(?:the\s+|number\s+|no\.?\s*|picture\s+|photo\s+|image\s+|#)*"
    rf"(?P<place>{'|'.join(_ORDINALS)}|last|\d{{1,2}})(?:st|nd|rd|th)?\b(?:\s+(?:one|picture|photo|image))?[.!]?$",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:(?:and|but|now|please|only|just|show(?: me)?|give me|keep|i (?:want|mean)|the ones?|ones?|those|these|"
    r"pictures?|photos?|images?|that are|that is|which are|that|which|who|are|is)\b[\s,]*)+",
    re.IGNORECASE,
)
_WITHOUT = re.compile(r"^(?:(?:but|and|please|the ones?|those)\s+)*(?:without|no|not|except)\b", re.IGNORECASE)
_ANEW = re.compile(r"^(?:instead|rather|no(?=,)|new search|search(?: for)?|find)\b[\s:,]*", re.IGNORECASE)


@dataclass(frozen=True)
class Understood:
    """What a follow-up means: a query, or pictures like the one at `place` (from 1) of the previous results.

    `note` is a sentence for what could not be understood.
    """

    query: str = ""
    place: int | None = None
    by: Literal["rule", "gemini"] = "rule"
    note: str = ""


def place_meant(text: str, shown: int) -> int | None:
    """The place (from 1) of the picture meant by "more like the second", None if no shown picture is."""
    found = _PLACE.search(" ".join(text.split()))
    if not found:
        return None
    word = found["place"].lower()
    place = shown if word == "last" else _ORDINALS.index(word) + 1 if word in _ORDINALS else int(word)
    return place if 1 <= place <= shown else None


def by_rule(previous: str, text: str, shown: int) -> Understood:
    """What a follow-up to a query means without any help: a place, a new search, or the old one with more words."""
    words = " ".join(text.split())
    place = place_meant(words, shown)
    if place is not None:
        return Understood(place=place)
    if _ANEW.match(words) and _ANEW.sub("", words):
        return Understood(_ANEW.sub("", words))
    if previous and _WITHOUT.match(words):
        return Understood(previous, note="Leaving things out needs a Gemini key, so this is the same search again.")
    more = _LEADING.sub("", words).strip(" .!") or words
    return Understood(f"{previous}, {more}"[:MOST_LENGTH] if previous else more)


def refining_parts(previous: Sequence[str], text: str) -> list[str | bytes]:
    """The message that asks for a rewritten query; all of it data."""
    return [f"PREVIOUS:\n{as_json(list(previous)[-MOST_PREVIOUS:])}\nFOLLOW-UP:\n{as_json(text)}"]


def rewritten(text: str, guard: Sequence[str] = (), key: str = "") -> str:
    """The query of an answer, one plain line.

    Raises GeminiFault("malformed") if there is none, or if it repeats a stretch of a `guard` text or of the key.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GeminiFault("malformed", f"not JSON ({type(error).__name__})") from None
    query = document.get("query") if isinstance(document, dict) else None
    if not isinstance(query, str) or not one_line(query):
        raise GeminiFault("malformed", "JSON without a text `query`")
    line = one_line(query)
    if leaks(line, guard, key):
        raise GeminiFault("malformed", "the query repeats what nobody should see")
    return line[:MOST_LENGTH]
