"""Understands follow-ups: plain rules for places, Gemini for words where there is a key, plain rules where not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from core.gemini.calls import CallOutcome, GeminiCalls, GeminiRequest
from core.gemini.refusals import GeminiFault
from core.gemini.replies import MOST_LENGTH, read_query
from core.search import prompts
from core.search.request import gemini_event
from core.settings import Secret
from core.store.sql.event_log import EventLog
from core.text import as_json

MOST_TOKENS = 300
LONGEST_S = 4.0


class FollowUps:
    """May be shared between threads; never raises."""

    def __init__(
        self,
        calls: GeminiCalls,
        events: EventLog,
        deadline_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._calls, self._events, self._now = calls, events, now
        self._deadline_s = min(deadline_s, LONGEST_S)

    def understand(self, previous: Sequence[str], text: str, shown: int) -> FollowUp:
        """What a follow-up means after the `previous` queries (the latest last) with `shown` pictures on the page."""
        latest = previous[-1] if previous else ""
        if place_meant(text, shown) is not None or not latest:
            return by_rule(latest, text, shown)
        question = GeminiRequest(prompts.REFINING, tuple(refining_parts(previous, text)), REFINING_SCHEMA, MOST_TOKENS)
        outcome = self._calls.ask(question, self._deadline_s)
        query, cause = _query_of(outcome, self._calls.key)
        if outcome.requests:
            event = gemini_event("refine", self._now(), self._calls.model, outcome.usage, outcome.usd, cause)
            self._events.note(event)
        return FollowUp(query, by="gemini") if query else by_rule(latest, text, shown)


def _query_of(outcome: CallOutcome, key: Secret) -> tuple[str, str]:
    """The rewritten query, or nothing and why."""
    if outcome.text is None:
        return "", outcome.refusal.cause if outcome.refusal else "malformed"
    try:
        return read_query(outcome.text, [prompts.REFINING], key.reveal()), ""
    except GeminiFault as fault:
        return "", fault.cause


MOST_PREVIOUS = 6


REFINING_SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {"query": {"type": "STRING"}},
    "required": ["query"],
}


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
class FollowUp:
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


def by_rule(previous: str, text: str, shown: int) -> FollowUp:
    """What a follow-up to a query means without any help: a place, a new search, or the old one with more words."""
    words = " ".join(text.split())
    place = place_meant(words, shown)
    if place is not None:
        return FollowUp(place=place)
    if _ANEW.match(words) and _ANEW.sub("", words):
        return FollowUp(_ANEW.sub("", words))
    if previous and _WITHOUT.match(words):
        return FollowUp(previous, note="Leaving things out needs a Gemini key, so this is the same search again.")
    more = _LEADING.sub("", words).strip(" .!") or words
    return FollowUp(f"{previous}, {more}"[:MOST_LENGTH] if previous else more)


def refining_parts(previous: Sequence[str], text: str) -> list[str | bytes]:
    """The message that asks for a rewritten query; all of it data."""
    return [f"PREVIOUS:\n{as_json(list(previous)[-MOST_PREVIOUS:])}\nFOLLOW-UP:\n{as_json(text)}"]
