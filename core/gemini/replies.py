"""What may come out of a reply from Gemini: a ranking or a query, checked and made safe to show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.gemini.refusals import GeminiFault
from core.text import one_line

MOST = 1e9  # JSON's numbers have no bounds, Python's floats do; this also leaves out NaN and infinity


REASON_LENGTH = 140


LEAK_LENGTH, KEY_LENGTH = 40, 8


@dataclass(frozen=True)
class CandidateScore:
    """What was said of one candidate: its number in the order sent (from 1), a score from 0 to 1, a short reason."""

    number: int
    score: float
    reason: str


def read_ranking(text: str, count: int, guard: Sequence[str] = (), key: str = "") -> list[CandidateScore]:
    """Read an answer about `count` candidates: best first, no number twice, none that was not sent.

    Reasons are one plain line; one that repeats a stretch of a `guard` text or of the key is left empty. Entries that
    cannot be read are dropped. Raises GeminiFault("malformed") if the answer is not of the wanted shape.
    """
    found: dict[int, CandidateScore] = {}
    for entry in _entries(text):
        judgement = _candidate_score(entry, count, guard, key)
        if judgement is not None:
            found.setdefault(judgement.number, judgement)
    if not found:
        raise GeminiFault("malformed", "no entry of the ranking names a candidate")
    return list(found.values())


def _entries(text: str) -> list[Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GeminiFault("malformed", f"not JSON ({type(error).__name__})") from None
    ranking = document.get("ranking") if isinstance(document, dict) else None
    if not isinstance(ranking, list):
        raise GeminiFault("malformed", "JSON without a list `ranking`")
    return ranking


def _candidate_score(entry: Any, count: int, guard: Sequence[str], key: str) -> CandidateScore | None:
    if not isinstance(entry, dict):
        return None
    number, score, reason = entry.get("n"), entry.get("score"), entry.get("reason", "")
    if not (_is_number(number) and _is_number(score)):
        return None
    if int(number) != number or not 1 <= number <= count:
        return None
    return CandidateScore(int(number), min(max(float(score), 0.0), 1.0), _harmless(reason, guard, key))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST


def _harmless(reason: Any, guard: Sequence[str], key: str) -> str:
    if not isinstance(reason, str):
        return ""
    line = one_line(reason[: 20 * REASON_LENGTH])
    if leaks(line, guard, key):
        return ""
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1].rstrip() + "…"


def leaks(line: str, guard: Sequence[str], key: str) -> bool:
    """Whether a line repeats a stretch of a `guard` text or of the key."""
    return _repeats(line, key, KEY_LENGTH) or any(_repeats(line, text, LEAK_LENGTH) for text in guard)


def _repeats(line: str, text: str, length: int) -> bool:
    """Whether the line holds `length` characters of the text in a row, or a shorter text; spaces and case aside."""
    line, text = ("".join(t.split()).casefold() for t in (line, text))
    length = min(length, len(text))
    return bool(text) and any(text[i : i + length] in line for i in range(len(text) - length + 1))


MOST_LENGTH = 300


def read_query(text: str, guard: Sequence[str] = (), key: str = "") -> str:
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
