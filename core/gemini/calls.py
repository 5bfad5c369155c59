"""One call to Gemini within its deadline: budget, circuit breaker, retries, and what it cost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from core.gemini.breaker import CircuitBreaker
from core.gemini.cost_meter import CostMeter
from core.gemini.deadline import DeadlineRunner, TooManyPending
from core.gemini.failures import NOT_SENT, OUTAGE, PERSISTENT, TRANSIENT, CallFailure, Cause, GeminiError
from core.gemini.prices import PricedUsage, PriceTable, TokenUsage
from core.gemini.time_sources import TimeSources
from core.gemini.transport import GeminiReply, GeminiRequest, GeminiTransport
from core.logs import log
from core.retry import RetryPolicy, RetryTimes, with_retries
from core.settings import Secret
from core.store.sql.spend_store import Share, SpendStore

FIRST_BACKOFF_S, PERSISTENT_PAUSE_S, QUOTA_PAUSE_S = 0.4, 60.0, 60.0
MIN_TIMEOUT_S = 0.2
PACIFIC = ZoneInfo("America/Los_Angeles")

LateReplyListener = Callable[[str, TokenUsage, float], None]


@dataclass(frozen=True)
class CallOutcome:
    """The text of the reply, or why there is none, with the usage and cost (USD) of all requests of the call.

    `unknown_usd` is the most that requests without a reported usage may have cost on top; it counts against the budget.
    """

    text: str | None = None
    failure: CallFailure | None = None
    usage: TokenUsage = TokenUsage()
    usd: float = 0.0
    unknown_usd: float = 0.0
    price_known: bool = True
    requests: int = 0
    model_version: str = ""

    def with_request(self, usage: TokenUsage, cost: PricedUsage) -> CallOutcome:
        """This outcome after one more request of known usage."""
        return replace(
            self,
            usage=self.usage + usage,
            usd=self.usd + cost.usd,
            requests=self.requests + 1,
            price_known=self.price_known and cost.known,
        )

    def with_unknown_request(self, max_cost: PricedUsage) -> CallOutcome:
        """This outcome after one more request of unknown usage."""
        return replace(
            self,
            unknown_usd=self.unknown_usd + max_cost.usd,
            requests=self.requests + 1,
            price_known=self.price_known and max_cost.known,
        )


class GeminiCalls:
    """Sends requests. May be shared between threads; never raises and never waits past the deadline."""

    def __init__(
        self,
        client: GeminiTransport | None,
        model: str,
        prices: PriceTable,
        spend: SpendStore,
        on_late_reply: LateReplyListener = lambda *_: None,
        times: TimeSources = TimeSources(),
    ) -> None:
        """Without a client every call fails with `no_key`.

        `on_late_reply(model, usage, usd)` is called for a reply that comes after the deadline.
        """
        self._client, self.model, self._on_late_reply, self._times = client, model, on_late_reply, times
        self._meter = CostMeter(model, prices, spend, times.now)
        self._breaker = CircuitBreaker(times.clock)
        self._runner = DeadlineRunner(times.wait)
        self._last_failure: CallFailure | None = None
        self._retry_policy = RetryPolicy(
            is_transient=_is_transient,
            first_wait_s=FIRST_BACKOFF_S,
            jitter=0.5,
            asked_s=self._asked_s,
            last_attempt_s=MIN_TIMEOUT_S,
        )
        self._retry_times = RetryTimes(times.sleep, times.clock, times.jitter)

    @property
    def key(self) -> Secret:
        """The API key, which no answer may repeat."""
        return self._client.key if self._client else Secret()

    @property
    def available(self) -> bool:
        """Whether a request would be sent now, as far as can be known in advance."""
        ready = self._client is not None and self._meter.has_price
        return ready and self._lasting_failure() is None and self._breaker.wait_s() == 0

    def send(self, request: GeminiRequest, deadline_s: float, share: Share | None = None) -> CallOutcome:
        """Send a request, and again after transient failures, until the deadline.

        Its cost counts against `share` too, if there is one.
        """
        call = _Call(request, share, self._times.clock() + deadline_s)
        policy = replace(self._retry_policy, deadline_s=deadline_s)
        try:
            reply = with_retries(partial(self._attempt, call), policy, "a request to Gemini", self._retry_times)
        except _Blocked as blocked:
            return replace(call.outcome, failure=blocked.failure)
        except GeminiError as error:
            return replace(call.outcome, failure=self._give_up(error))
        return replace(call.outcome, text=reply.text, model_version=reply.model_version)

    def _attempt(self, call: _Call) -> GeminiReply:
        """One request, its cost added to the call's outcome. Raises GeminiError; _Blocked if nothing may be sent."""
        failure = self._blocked(call.end - self._times.clock())
        if failure is not None:
            raise _Blocked(failure)
        try:
            reply = self._charged_reply(call)
        except GeminiError as error:
            call.outcome = self._add_cost(call.outcome, error)
            self._record_failure(error)
            raise
        self._breaker.record_success()
        return reply

    def _blocked(self, left_s: float) -> CallFailure | None:
        """Why nothing may be sent now, if so."""
        if self._client is None:
            return CallFailure("no_key")
        failure = self._lasting_failure()
        if failure is None and not self._breaker.allow_request(left_s):
            return CallFailure("paused", self._times.now() + timedelta(seconds=self._breaker.wait_s()))
        return failure

    def _lasting_failure(self) -> CallFailure | None:
        """The failure of an earlier call, for as long as the next one would meet it again."""
        failure = self._last_failure
        lasts = failure is not None and failure.retry_at is not None and failure.retry_at > self._times.now()
        return failure if lasts else None

    def _charged_reply(self, call: _Call) -> GeminiReply:
        """One request, its cost reserved before and settled after. Raises GeminiError."""
        max_cost = self._meter.price(call.request.max_usage)
        reply = self._reply_before(call.end, call.request, self._meter.reserve(max_cost.usd, call.share), max_cost)
        if reply.usage is None:
            call.outcome = call.outcome.with_unknown_request(max_cost)
        else:
            call.outcome = call.outcome.with_request(reply.usage, self._meter.price(reply.usage))
        return reply

    def _reply_before(self, end: float, request: GeminiRequest, reservation: int, max_cost: PricedUsage) -> GeminiReply:
        """Wait for a reply until the deadline; the request settles its own cost, late or not. Raises GeminiError."""

        def generate_and_settle() -> GeminiReply | GeminiError:
            result = self._generate(request, max(end - self._times.clock(), MIN_TIMEOUT_S))
            if result.usage is not None:
                self._meter.settle(reservation, result.usage)
            return result

        try:
            result = self._runner.run(generate_and_settle, max(end - self._times.clock(), 0.0), self._report_late)
        except TooManyPending:
            self._meter.settle(reservation, TokenUsage())
            raise GeminiError("busy") from None
        if result is None:
            raise _UnknownCostError(max_cost)
        if isinstance(result, GeminiError):
            raise result if result.usage is not None else _UnknownCostError(max_cost, result)
        return result

    def _generate(self, request: GeminiRequest, timeout_s: float) -> GeminiReply | GeminiError:
        try:
            return self._client.generate(self.model, request, timeout_s) if self._client else GeminiError("no_key")
        except GeminiError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a client raises, a search goes on
            log("search", "Gemini's client failed", logging.ERROR, error=type(error).__name__)
            return GeminiError("malformed", type(error).__name__, usage=None)

    def _report_late(self, result: GeminiReply | GeminiError) -> None:
        if result.usage is not None and result.usage.total:
            self._on_late_reply(self.model, result.usage, self._meter.price(result.usage).usd)

    def _add_cost(self, outcome: CallOutcome, error: GeminiError) -> CallOutcome:
        if error.cause in NOT_SENT:
            return outcome
        if isinstance(error, _UnknownCostError):
            return outcome.with_unknown_request(error.max_cost)
        usage = error.usage or TokenUsage()
        return outcome.with_request(usage, self._meter.price(usage))

    def _record_failure(self, error: GeminiError) -> None:
        """Log it, and let the circuit breaker know whether the service is healthy."""
        log("search", "no answer from Gemini", logging.WARNING, cause=error.cause, detail=error.detail)
        if error.cause in OUTAGE:
            self._breaker.record_failure()
        elif error.cause not in NOT_SENT:
            self._breaker.record_success()  # it answered, if only to refuse

    def _asked_s(self, error: Exception) -> float:
        """Seconds that Gemini asks to be left alone, or that the circuit breaker leaves it alone anyway."""
        asked_s = error.retry_after_s if isinstance(error, GeminiError) else None
        return max(asked_s or 0.0, self._breaker.wait_s())

    def _give_up(self, error: GeminiError) -> CallFailure:
        """The error as the end of a call; one that the next call would meet again is remembered."""
        retry_at = _retry_at(error.cause, error.retry_after_s, self._times.now())
        failure = CallFailure(error.cause, retry_at, error.detail)
        if failure.retry_at is not None:
            self._last_failure = failure
        return failure


def _is_transient(error: Exception) -> bool:
    if not isinstance(error, GeminiError):
        return False
    quota_returns = error.cause == "quota_minute" and error.retry_after_s is not None
    return quota_returns or error.cause in TRANSIENT


@dataclass
class _Call:
    """One call under way: until when it may last on the clock, and what its requests came to so far."""

    request: GeminiRequest
    share: Share | None
    end: float
    outcome: CallOutcome = CallOutcome()


class _Blocked(Exception):
    """Nothing may be sent now."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


class _UnknownCostError(GeminiError):
    """A request whose reply was not read to its end, and the most that it may have cost."""

    def __init__(self, max_cost: PricedUsage, error: GeminiError | None = None) -> None:
        super().__init__(error.cause if error else "timeout", error.detail if error else "", usage=None)
        self.max_cost = max_cost


def _retry_at(cause: Cause, retry_after_s: float | None, now: datetime) -> datetime | None:
    if cause == "quota_day":
        return next_pacific_midnight(now)
    if cause == "quota_minute":
        return now + timedelta(seconds=QUOTA_PAUSE_S if retry_after_s is None else retry_after_s)
    return now + timedelta(seconds=PERSISTENT_PAUSE_S) if cause in PERSISTENT else None


def next_pacific_midnight(moment: datetime) -> datetime:
    """The next midnight in Los Angeles, when Gemini's daily quota is renewed; in UTC."""
    tomorrow = moment.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), PACIFIC).astimezone(UTC)
