"""Parsing of Gemini's replies, a ranking, a refined query or a sentence taken apart, checked and safe to show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.gemini.failures import GeminiError
from core.text import one_line

MAX_NUMBER = 1e9  # JSON's numbers have no bounds, Python's floats do; this also excludes NaN and infinity
MAX_REASON_LENGTH, MAX_REFINED_QUERY_LENGTH = 140, 300
MAX_TERMS, MAX_TERM_LENGTH, MAX_RATING = 8, 80, 5
MIN_LEAK_LENGTH, MIN_KEY_LEAK_LENGTH = 40, 8


@dataclass(frozen=True)
class CandidateScore:
    """Gemini's verdict on one candidate: its number in the order sent (from 1), a score from 0 to 1, a short reason."""

    number: int
    score: float
    reason: str


@dataclass(frozen=True)
class SentenceParts:
    """What Gemini made of a sentence, each text one plain line; empty or 0 where the sentence says nothing of it."""

    words: str = ""
    not_words: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    min_rating: int = 0


def parse_ranking(text: str, count: int, guard: Sequence[str] = (), key: str = "") -> list[CandidateScore]:
    """Parse a ranking of `count` candidates: best first, each number at most once and from 1 to `count`.

    Reasons are one plain line; a reason that repeats part of a `guard` text or of the key becomes empty. Unreadable
    entries are dropped. Raises GeminiError("malformed") if the reply does not have the requested shape.
    """
    scores: dict[int, CandidateScore] = {}
    for entry in _ranking_entries(text):
        score = _candidate_score(entry, count, guard, key)
        if score is not None:
            scores.setdefault(score.number, score)
    if not scores:
        raise GeminiError("malformed", "no entry of the ranking names a candidate")
    return list(scores.values())


def parse_refined_query(text: str, guard: Sequence[str] = (), key: str = "") -> str:
    """Parse a refined query: one plain line.

    Raises GeminiError("malformed") if there is none, or if it repeats part of a `guard` text or of the key.
    """
    document = _json(text)
    query = document.get("query") if isinstance(document, dict) else None
    line = _printable_line(query) if isinstance(query, str) else ""
    if not line:
        raise GeminiError("malformed", "JSON without a text `query`")
    if leaks(line, guard, key):
        raise GeminiError("malformed", "the query repeats what nobody should see")
    return line[:MAX_REFINED_QUERY_LENGTH]


def parse_sentence_parts(text: str, guard: Sequence[str] = (), key: str = "") -> SentenceParts:
    """Parse a sentence taken apart.

    Raises GeminiError("malformed") if the reply has another shape, or if it repeats part of a `guard` text or of the
    key.
    """
    document = _json(text)
    if not isinstance(document, dict):
        raise GeminiError("malformed", "JSON without the parts of a sentence")
    rating = document.get("min_rating", 0)
    parts = SentenceParts(
        words=_line(document.get("words", ""), MAX_REFINED_QUERY_LENGTH),
        not_words=_lines(document.get("not_words", [])),
        places=_lines(document.get("places", [])),
        people=_lines(document.get("people", [])),
        since=_line(document.get("since", ""), MAX_TERM_LENGTH),
        until=_line(document.get("until", ""), MAX_TERM_LENGTH),
        min_rating=int(rating) if _is_number(rating) and 1 <= rating <= MAX_RATING else 0,
    )
    texts = (parts.words, *parts.not_words, *parts.places, *parts.people, parts.since, parts.until)
    if leaks(" ".join(texts), guard, key):
        raise GeminiError("malformed", "the sentence repeats what nobody should see")
    return parts


def _lines(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise GeminiError("malformed", "a part of the sentence is no list")
    return tuple(dict.fromkeys(filter(None, (_line(value, MAX_TERM_LENGTH) for value in values[:MAX_TERMS]))))


def _line(value: Any, max_length: int) -> str:
    if not isinstance(value, str):
        raise GeminiError("malformed", "a part of the sentence is no text")
    return _printable_line(value)[:max_length].strip()


def leaks(line: str, guard: Sequence[str], key: str) -> bool:
    """Whether a line repeats part of a `guard` text or of the key."""
    return _repeats(line, key, MIN_KEY_LEAK_LENGTH) or any(_repeats(line, text, MIN_LEAK_LENGTH) for text in guard)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GeminiError("malformed", f"not JSON ({type(error).__name__})") from None


def _ranking_entries(text: str) -> list[Any]:
    document = _json(text)
    ranking = document.get("ranking") if isinstance(document, dict) else None
    if not isinstance(ranking, list):
        raise GeminiError("malformed", "JSON without a list `ranking`")
    return ranking


def _candidate_score(entry: Any, count: int, guard: Sequence[str], key: str) -> CandidateScore | None:
    if not isinstance(entry, dict):
        return None
    number, score, reason = entry.get("n"), entry.get("score"), entry.get("reason", "")
    if not (_is_number(number) and _is_number(score)):
        return None
    if int(number) != number or not 1 <= number <= count:
        return None
    return CandidateScore(int(number), min(max(float(score), 0.0), 1.0), _safe_reason(reason, guard, key))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_NUMBER


def _safe_reason(reason: Any, guard: Sequence[str], key: str) -> str:
    if not isinstance(reason, str):
        return ""
    line = _printable_line(reason[: 20 * MAX_REASON_LENGTH])
    return "" if leaks(line, guard, key) else one_line(line, MAX_REASON_LENGTH)


def _printable_line(text: str) -> str:
    """One line without anything invisible: not even joiners, which could hide that it repeats a guarded text."""
    return one_line("".join(character if character.isprintable() else " " for character in text))


def _repeats(line: str, text: str, length: int) -> bool:
    """Whether the line contains `length` consecutive characters of the text, or all of a shorter text.

    Spaces and case are ignored.
    """
    line, text = ("".join(t.split()).casefold() for t in (line, text))
    length = min(length, len(text))
    return bool(text) and any(text[i : i + length] in line for i in range(len(text) - length + 1))
