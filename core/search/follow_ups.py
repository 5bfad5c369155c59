"""Understands follow-ups: plain rules for places, Gemini for words where there is a key, plain rules where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from core.search import prompts
from core.search.calls import Calls, Outcome, Question
from core.search.conversation import SCHEMA, Understood, by_rule, place_meant, refining_parts, rewritten
from core.search.faults import GeminiFault
from core.search.service import gemini_event
from core.settings import Secret
from core.telemetry.events import EventLog

MOST_TOKENS = 300
LONGEST_S = 4.0


class FollowUps:
    """May be shared between threads; never raises."""

    def __init__(
        self, calls: Calls, events: EventLog, deadline_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._calls, self._events, self._now = calls, events, now
        self._deadline_s = min(deadline_s, LONGEST_S)

    def understand(self, previous: Sequence[str], text: str, shown: int) -> Understood:
        """What a follow-up means after the `previous` queries (the latest last) with `shown` pictures on the page."""
        latest = previous[-1] if previous else ""
        if place_meant(text, shown) is not None or not latest:
            return by_rule(latest, text, shown)
        question = Question(prompts.REFINING, tuple(refining_parts(previous, text)), SCHEMA, MOST_TOKENS)
        outcome = self._calls.ask(question, self._deadline_s)
        query, cause = _query_of(outcome, self._calls.key)
        if outcome.requests:
            event = gemini_event("refine", self._now(), self._calls.model, outcome.usage, outcome.usd, cause)
            self._events.note(event)
        return Understood(query, by="gemini") if query else by_rule(latest, text, shown)


def _query_of(outcome: Outcome, key: Secret) -> tuple[str, str]:
    """The rewritten query, or nothing and why."""
    if outcome.text is None:
        return "", outcome.refusal.cause if outcome.refusal else "malformed"
    try:
        return rewritten(outcome.text, [prompts.REFINING], key.reveal()), ""
    except GeminiFault as fault:
        return "", fault.cause
