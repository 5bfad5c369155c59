"""The ranking request and its answer, as values: what is sent, and what may come out of what comes back."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.embedding.sheet import contact_sheet
from core.records import Hit
from core.search.faults import GeminiFault

MOST = 1e9  # JSON's numbers have no bounds, Python's floats do; this also leaves out NaN and infinity
NOTE_LENGTH, REASON_LENGTH = 160, 140
LEAK_LENGTH, KEY_LENGTH = 40, 8

SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {
        "ranking": {
            "type": "ARRAY",
            "items": {
                "type": "OBJECT",
                "properties": {
                    "n": {"type": "INTEGER"}, "score": {"type": "NUMBER"}, "reason": {"type": "STRING"},
                },
                "required": ["n", "score", "reason"],
            },
        }
    },
    "required": ["ranking"],
}  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """What was said of one candidate: its number in the order sent (from 1), a score from 0 to 1, a short reason."""

    number: int
    score: float
    reason: str


def request_parts(query: str, hits: Sequence[Hit], send: str) -> list[str | bytes]:
    """The message: the query, the pictures (`images`, or one numbered `sheet`; JPEG) and notes, all of it data."""
    parts: list[str | bytes] = ["QUERY:\n" + as_json(query)]
    if send == "sheet":
        parts += [f"SHEET of {len(hits)} numbered pictures", contact_sheet([hit.thumbnail for hit in hits])]
    else:
        for number, hit in enumerate(hits, 1):
            parts += [f"IMAGE {number}", hit.thumbnail]
    notes = [{"n": number, **_note(hit)} for number, hit in enumerate(hits, 1) if _note(hit)]
    return [*parts, "NOTES:\n" + as_json(notes)] if notes else parts


def as_json(data: Any) -> str:
    """Text from outside as JSON in one line; halves of characters, which cannot be sent, become question marks."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()


def _note(hit: Hit) -> dict[str, str]:
    about = hit.asset.about
    return {
        name: text[:NOTE_LENGTH]
        for name, text in (("title", about.title), ("description", about.description))
        if text
    }  # fmt: skip


def judgements(text: str, count: int, guard: Sequence[str] = (), key: str = "") -> list[Judgement]:
    """Read an answer about `count` candidates: best first, no number twice, none that was not sent.

    Reasons are one plain line; one that repeats a stretch of a `guard` text or of the key is left empty. Entries that
    cannot be read are dropped. Raises GeminiFault("malformed") if the answer is not of the wanted shape.
    """
    found: dict[int, Judgement] = {}
    for entry in _entries(text):
        judgement = _judgement(entry, count, guard, key)
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


def _judgement(entry: Any, count: int, guard: Sequence[str], key: str) -> Judgement | None:
    if not isinstance(entry, dict):
        return None
    number, score, reason = entry.get("n"), entry.get("score"), entry.get("reason", "")
    if not (_is_number(number) and _is_number(score)):
        return None
    if int(number) != number or not 1 <= number <= count:
        return None
    return Judgement(int(number), min(max(float(score), 0.0), 1.0), _harmless(reason, guard, key))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST


def _harmless(reason: Any, guard: Sequence[str], key: str) -> str:
    if not isinstance(reason, str):
        return ""
    line = one_line(reason[: 20 * REASON_LENGTH])
    if leaks(line, guard, key):
        return ""
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1].rstrip() + "…"


def one_line(text: str) -> str:
    """Text without line breaks, control characters and invisible marks that turn its direction."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


def leaks(line: str, guard: Sequence[str], key: str) -> bool:
    """Whether a line repeats a stretch of a `guard` text or of the key."""
    return _repeats(line, key, KEY_LENGTH) or any(_repeats(line, text, LEAK_LENGTH) for text in guard)


def _repeats(line: str, text: str, length: int) -> bool:
    """Whether the line holds `length` characters of the text in a row, or a shorter text; spaces and case aside."""
    line, text = ("".join(t.split()).casefold() for t in (line, text))
    length = min(length, len(text))
    return bool(text) and any(text[i : i + length] in line for i in range(len(text) - length + 1))


def final_order(found: Sequence[Judgement], count: int) -> list[int]:
    """The numbers 1..count: those judged in the order given, then the rest as they were sent."""
    judged = [judgement.number for judgement in found]
    return judged + [number for number in range(1, count + 1) if number not in set(judged)]
