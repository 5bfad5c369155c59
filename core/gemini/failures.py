"""Why a call to Gemini gave no answer: the cause, whether a retry may help, and the notice that people see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.gemini.prices import TokenUsage

Cause = Literal[
    "no_key",
    "budget_day",
    "budget_month",
    "budget_visitor",
    "many_searches",
    "quota_minute",
    "quota_day",
    "bad_key",
    "forbidden",
    "retired",
    "refused",
    "overloaded",
    "timeout",
    "unreachable",
    "blocked",
    "truncated",
    "malformed",
    "busy",
    "paused",
    "unmetered",
]

NOTICES: dict[Cause, str] = {
    "no_key": "Ordered by similarity: no Gemini key is set.",
    "budget_day": "Ordered by similarity: today's budget for Gemini is used up.",
    "budget_month": "Ordered by similarity: this month's budget for Gemini is used up.",
    "budget_visitor": "Ordered by similarity: your share of Gemini for today is used up; it returns at midnight UTC.",
    "many_searches": "Ordered by similarity: Gemini is not asked about so many searches in a minute.",
    "quota_minute": "Ordered by similarity: Gemini's quota per minute is used up.",
    "quota_day": "Ordered by similarity: Gemini's quota for today is used up; it returns at midnight Pacific time.",
    "bad_key": "Ordered by similarity: Gemini does not accept the key. Check GEMINI_API_KEY.",
    "forbidden": "Ordered by similarity: the Gemini key may not use this model or service.",
    "retired": "Ordered by similarity: Gemini does not know the model. Check CONTACTSHEET_GEMINI_MODEL.",
    "refused": "Ordered by similarity: Gemini refused the request as invalid.",
    "overloaded": "Ordered by similarity: Gemini is overloaded or has an internal error.",
    "timeout": "Ordered by similarity: Gemini did not answer in time.",
    "unreachable": "Ordered by similarity: Gemini cannot be reached.",
    "blocked": "Ordered by similarity: Gemini declined to judge these pictures or words.",
    "truncated": "Ordered by similarity: Gemini's answer was cut off.",
    "malformed": "Ordered by similarity: Gemini's answer could not be read.",
    "busy": "Ordered by similarity: too many requests to Gemini are waiting for an answer.",
    "paused": "Ordered by similarity: Gemini failed several times in a row and is left alone for a moment.",
    "unmetered": "Ordered by similarity: what Gemini costs cannot be written down, so nothing is sent.",
}
# Stopped here, before anything was sent.
NOT_SENT: frozenset[Cause] = frozenset(
    {"budget_day", "budget_month", "budget_visitor", "many_searches", "busy", "unmetered"}
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
