"""Interprets follow-ups: positions by rule, other texts by Gemini where it is available and by rule where it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from core.access import Person
from core.gemini.calls import CallOutcome, GeminiCalls
from core.gemini.failures import GeminiError
from core.gemini.replies import MAX_REFINED_QUERY_LENGTH, parse_refined_query
from core.gemini.transport import GeminiRequest
from core.search import prompts
from core.search.request_events import gemini_event
from core.search.search_limits import SearchLimits
from core.settings import Secret
from core.store.sql.event_log import EventLog
from core.text import as_json

MAX_OUTPUT_TOKENS = 300
MAX_DEADLINE_S = 4.0
MAX_PREVIOUS_QUERIES = 6
REFINE_SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {"query": {"type": "STRING"}},
    "required": ["query"],
}

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_POSITION = re.compile(
    r"\b(?:like|similar to|as)\s+(?:the\s+|number\s+|no\.?\s*|picture\s+|photo\s+|image\s+|#)*"
    rf"(?P<position>{'|'.join(_ORDINALS)}|last|\d{{1,2}})(?:st|nd|rd|th)?\b(?:\s+(?:one|picture|photo|image))?[.!]?$",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"^(?:(?:and|but|now|please|only|just|show(?: me)?|give me|keep|i (?:want|mean)|the ones?|ones?|those|these|"
    r"pictures?|photos?|images?|that are|that is|which are|that|which|who|are|is)\b[\s,]*)+",
    re.IGNORECASE,
)
_EXCLUSION = re.compile(r"^(?:(?:but|and|please|the ones?|those)\s+)*(?:without|no|not|except)\b", re.IGNORECASE)
_NEW_SEARCH = re.compile(r"^(?:instead|rather|no(?=,)|new search|search(?: for)?|find)\b[\s:,]*", re.IGNORECASE)


@dataclass(frozen=True)
class FollowUp:
    """What a follow-up means: a query, or pictures like the one at `position` (from 1) of the previous results.

    `note` is a sentence about what could not be interpreted.
    """

    query: str = ""
    position: int | None = None
    by: Literal["rule", "gemini"] = "rule"
    note: str = ""


class FollowUps:
    """Interprets follow-ups. May be shared between threads; never raises."""

    def __init__(
        self,
        calls: GeminiCalls,
        events: EventLog,
        deadline_s: float,
        limits: SearchLimits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._calls, self._events, self._limits, self._now = calls, events, limits, now
        self._deadline_s = min(deadline_s, MAX_DEADLINE_S)

    def interpret(self, person: Person, previous: Sequence[str], text: str, shown: int) -> FollowUp:
        """What a follow-up means after the `previous` queries (the latest last) with `shown` pictures on the page.

        Gemini is asked within what the person may spend.
        """
        latest = previous[-1] if previous else ""
        if referenced_position(text, shown) is not None or not latest:
            return interpret_by_rule(latest, text, shown)
        allowance = self._limits.begin_follow_up(person)
        if allowance.failure is not None:
            return interpret_by_rule(latest, text, shown)
        parts = tuple(refine_request_parts(previous, text))
        request = GeminiRequest(prompts.REFINEMENT, parts, REFINE_SCHEMA, MAX_OUTPUT_TOKENS)
        outcome = self._calls.send(request, self._deadline_s, allowance.share)
        query, cause = _refined_query(outcome, self._calls.key)
        if outcome.requests:
            event = gemini_event("refine", self._now(), self._calls.model, outcome.usage, outcome.usd, cause)
            self._events.try_append(event)
        return FollowUp(query, by="gemini") if query else interpret_by_rule(latest, text, shown)


def interpret_by_rule(previous: str, text: str, shown: int) -> FollowUp:
    """What a follow-up means without Gemini: a position, a new search, or the previous one with more words."""
    words = " ".join(text.split())
    position = referenced_position(words, shown)
    if position is not None:
        return FollowUp(position=position)
    if _NEW_SEARCH.match(words) and _NEW_SEARCH.sub("", words):
        return FollowUp(_NEW_SEARCH.sub("", words))
    if previous and _EXCLUSION.match(words):
        return FollowUp(previous, note="Excluding things needs a Gemini key, so this is the same search again.")
    more = _FILLER.sub("", words).strip(" .!") or words
    return FollowUp(f"{previous}, {more}"[:MAX_REFINED_QUERY_LENGTH] if previous else more)


def referenced_position(text: str, shown: int) -> int | None:
    """The position (from 1) meant by "more like the second", None if it is none of the `shown` pictures."""
    found = _POSITION.search(" ".join(text.split()))
    if not found:
        return None
    word = found["position"].lower()
    position = shown if word == "last" else _ORDINALS.index(word) + 1 if word in _ORDINALS else int(word)
    return position if 1 <= position <= shown else None


def refine_request_parts(previous: Sequence[str], text: str) -> list[str | bytes]:
    """The message that asks for a refined query; all of it data."""
    return [f"PREVIOUS:\n{as_json(list(previous)[-MAX_PREVIOUS_QUERIES:])}\nFOLLOW-UP:\n{as_json(text)}"]


def _refined_query(outcome: CallOutcome, key: Secret) -> tuple[str, str]:
    """The refined query and no cause, or no query and why."""
    if outcome.text is None:
        return "", outcome.failure.cause if outcome.failure else "malformed"
    try:
        return parse_refined_query(outcome.text, [prompts.REFINEMENT], key.reveal()), ""
    except GeminiError as error:
        return "", error.cause
