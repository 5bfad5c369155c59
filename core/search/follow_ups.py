"""Interprets follow-ups: positions by rule, other texts by Gemini where it is available and by rule where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from core.access import Person
from core.gemini.calls import CallOutcome, GeminiCalls
from core.gemini.failures import GeminiError
from core.gemini.replies import parse_refined_query
from core.gemini.transport import GeminiRequest
from core.records.queries import Query
from core.search import prompts
from core.search.follow_up_rules import FollowUp, interpret_by_rule, referenced_positions
from core.search.gemini_reading import GeminiReading
from core.search.query_language.parser import parse
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
        self._gemini = GeminiReading(calls, events, min(deadline_s, MAX_DEADLINE_S), limits, now)

    def interpret(self, person: Person, previous: Sequence[str], text: str, shown: int) -> FollowUp:
        """What a follow-up means after the `previous` queries (the latest last) with `shown` pictures on the page.

        Gemini is asked within what the person may spend.
        """
        latest = previous[-1] if previous else ""
        if any(referenced_positions(text, shown)[:2]) or not latest:
            return interpret_by_rule(latest, text, shown)
        parts = tuple(refine_request_parts(previous, text))
        request = GeminiRequest(prompts.REFINEMENT, parts, REFINE_SCHEMA, MAX_OUTPUT_TOKENS)
        query = self._gemini.ask(person, request, lambda outcome: _refined_query(outcome, self._gemini.key, latest))
        return FollowUp(query, by="gemini") if query else interpret_by_rule(latest, text, shown)


def refine_request_parts(previous: Sequence[str], text: str) -> list[str | bytes]:
    """The message that asks for a refined query; all of it data."""
    return [f"PREVIOUS:\n{as_json(list(previous)[-MAX_PREVIOUS_QUERIES:])}\nFOLLOW-UP:\n{as_json(text)}"]


def _refined_query(outcome: CallOutcome, key: Secret, latest: str) -> tuple[str, str]:
    """The refined query and no cause, or no query and why."""
    if outcome.text is None:
        return "", outcome.failure.cause if outcome.failure else "malformed"
    try:
        query = parse_refined_query(outcome.text, [prompts.REFINEMENT], key.reveal())
    except GeminiError as error:
        return "", error.cause
    return ("", "malformed") if _is_mistaken(query, latest) else (query, "")


def _is_mistaken(query: str, latest: str) -> bool:
    """Whether a refined query has a mistake, or is about pictures that the one before it was not about."""
    refined, before = parse(query), parse(latest).query
    pictures = {*refined.query.like, *refined.query.unlike} - {*before.like, *before.unlike}
    return bool(refined.problems or pictures) or refined.query == Query()
