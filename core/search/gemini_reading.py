"""Asks Gemini what a text means, within what a person may spend; each request leaves an event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from core.access import Person
from core.gemini.calls import CallOutcome, GeminiCalls
from core.gemini.transport import GeminiRequest
from core.search.request_events import gemini_event
from core.search.search_limits import SearchLimits
from core.settings import Secret
from core.store.sql.event_log import EventLog

_T = TypeVar("_T")


class GeminiReading:
    """May be shared between threads; never raises."""

    def __init__(
        self,
        calls: GeminiCalls,
        events: EventLog,
        deadline_s: float,
        limits: SearchLimits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._calls, self._events, self._limits, self._now = calls, events, limits, now
        self._deadline_s = deadline_s

    @property
    def available(self) -> bool:
        """Whether Gemini can be asked at all."""
        return self._calls.available

    @property
    def key(self) -> Secret:
        """The API key, which no reply may repeat."""
        return self._calls.key

    def ask(
        self, person: Person, request: GeminiRequest, read: Callable[[CallOutcome], tuple[_T | None, str]]
    ) -> _T | None:
        """What `read` makes of the outcome; it returns a meaning and no cause, or none and why there is none."""
        allowance = self._limits.begin_follow_up(person)
        if allowance.failure is not None:
            return None
        outcome = self._calls.send(request, self._deadline_s, allowance.share)
        meaning, cause = read(outcome)
        if outcome.requests:
            event = gemini_event("refine", self._now(), self._calls.model, outcome.usage, outcome.usd, cause)
            self._events.try_append(event)
        return meaning
