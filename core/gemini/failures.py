"""Why a call to Gemini gave no answer: the cause, whether a retry may help, and the notice that people see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.gemini.prices import TokenUsage
from core.records.reasons import FALLBACK_WORDS
from core.records.reasons import Cause as Cause

NOTICES = {cause: f"Ordered by similarity: {words}." for cause, words in FALLBACK_WORDS.items()}
# Stopped here, before anything was sent.
NOT_SENT: frozenset[Cause] = frozenset(
    {"budget_day", "budget_month", "budget_visitor", "many_searches", "busy", "unmetered", "unpriced"}
)
# May be gone a moment later: worth a retry.
TRANSIENT: frozenset[Cause] = frozenset({"overloaded", "unreachable"})
# The service is unwell; several in a row open the circuit breaker.
OUTAGE: frozenset[Cause] = frozenset({"overloaded", "unreachable", "timeout"})
# The next request would fail the same way: nothing is sent for a while.
PERSISTENT: frozenset[Cause] = frozenset({"bad_key", "forbidden", "retired"})


class GeminiError(Exception):
    """A request without a usable answer.

    `usage` is what the reply reports: zero where Gemini refused, None where it is unknown (the connection ended before
    the reply did).
    """

    def __init__(
        self,
        cause: Cause,
        detail: str = "",
        retry_after_s: float | None = None,
        usage: TokenUsage | None = TokenUsage(),
    ) -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause: Cause = cause
        self.detail, self.retry_after_s, self.usage = detail, retry_after_s, usage


@dataclass(frozen=True)
class CallFailure:
    """Why a call gave no answer, and when the next one may be sent (UTC; None: at any time)."""

    cause: Cause
    retry_at: datetime | None = None
    detail: str = ""

    @property
    def notice(self) -> str:
        """One plain line to show."""
        return NOTICES[self.cause]
