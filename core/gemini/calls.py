"""One question to Gemini within its deadline: budget, circuit breaker, retries, and what it did cost."""

from __future__ import annotations

import json
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from core.errors import ContactSheetError
from core.gemini.breaker import CircuitBreaker
from core.gemini.prices import PricedUsage, PriceTable, TokenUsage
from core.gemini.refusals import LASTING, TRANSIENT, UNSENT, UNWELL, Cause, GeminiFault, Refusal
from core.logs import log
from core.settings import Secret
from core.store.sql.spend_store import SpendStore

FIRST_WAIT_S, LASTING_PAUSE_S, QUOTA_PAUSE_S = 0.4, 60.0, 60.0
MOST_WAITING = 16
LEAST_USEFUL_S = 0.2
MOST_IMAGE_TOKENS = 1120
PACIFIC = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class GeminiRequest:
    """What is sent: a system instruction of our own, a message of texts and JPEGs, the schema of the wanted JSON."""

    instruction: str
    parts: tuple[str | bytes, ...]
    schema: dict[str, Any]
    most_output_tokens: int

    @property
    def most_usage(self) -> TokenUsage:
        """No request of this size uses more: a token per byte of text, the highest price of an image, all output."""
        texts = [self.instruction, json.dumps(self.schema), *(p for p in self.parts if isinstance(p, str))]
        images = sum(isinstance(p, bytes) for p in self.parts)
        prompt = sum(len(text.encode()) for text in texts) + images * MOST_IMAGE_TOKENS
        return TokenUsage(prompt=prompt, output=self.most_output_tokens)


@dataclass(frozen=True)
class GeminiReply:
    """The text of an answer, what it used (None: it does not say), and the version of the model that gave it."""

    text: str
    usage: TokenUsage | None
    model_version: str = ""


class GeminiTransport(Protocol):
    """Sends one question and waits for its answer."""

    @property
    def key(self) -> Secret:
        """What no answer may repeat."""
        ...

    def generate(self, model: str, question: GeminiRequest, timeout_s: float) -> GeminiReply:
        """One request, never repeated. Raises GeminiFault."""
        ...


@dataclass(frozen=True)
class CallOutcome:
    """How a question ended: the answer's text, or why there is none; what all its requests used and cost (USD).

    `unknown_usd` is the most that requests without a reply may have cost on top; it counts against the budget.
    """

    text: str | None
    refusal: Refusal | None
    usage: TokenUsage = TokenUsage()
    usd: float = 0.0
    unknown_usd: float = 0.0
    price_known: bool = True
    requests: int = 0
    model_version: str = ""


LateReply = Callable[[str, TokenUsage, float], None]


class GeminiCalls:
    """Asks questions. May be shared between threads; never raises and never waits past the deadline."""

    def __init__(
        self,
        client: GeminiTransport | None,
        model: str,
        prices: PriceTable,
        spend: SpendStore,
        *,
        on_late: LateReply = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Without a client every question ends with `no_key`. `on_late` hears of replies after the deadline."""
        self._client, self.model, self._prices, self._spend = client, model, prices, spend
        self._on_late, self._clock, self._sleep, self._now, self._jitter = on_late, clock, sleep, now, jitter
        self._breaker = CircuitBreaker(clock)
        self._held: Refusal | None = None
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    @property
    def key(self) -> Secret:
        """What no answer may repeat."""
        return self._client.key if self._client else Secret()

    @property
    def open(self) -> bool:
        """Whether a question would be sent now, as far as one can know before."""
        return self._client is not None and self._holding() is None and self._breaker.wait_s() == 0

    def ask(self, question: GeminiRequest, deadline_s: float) -> CallOutcome:
        """Ask, and again after what may pass, until the deadline."""
        end, so_far = self._clock() + deadline_s, CallOutcome(None, None)
        while True:
            refusal = self._closed(end - self._clock())
            if refusal is not None:
                return replace(so_far, refusal=refusal)
            try:
                reply, so_far = self._request(question, end, so_far)
            except GeminiFault as fault:
                so_far = self._billed(so_far, fault)
                self._note(fault)
                wait_s = self._wait_s(fault, so_far.requests, end - self._clock())
                if wait_s is None:
                    return replace(so_far, refusal=self._given_up(fault))
                self._sleep(wait_s)
            else:
                self._breaker.succeeded()
                return replace(so_far, text=reply.text, model_version=reply.model_version)

    def _closed(self, left_s: float) -> Refusal | None:
        if self._client is None:
            return Refusal("no_key")
        held = self._holding()
        if held is None and not self._breaker.admits(left_s):
            return Refusal("paused", self._now() + timedelta(seconds=self._breaker.wait_s()))
        return held

    def _holding(self) -> Refusal | None:
        """What an earlier question met and the next one would meet again, as long as it would."""
        held = self._held
        return held if held is not None and held.until is not None and held.until > self._now() else None

    def _request(self, question: GeminiRequest, end: float, so_far: CallOutcome) -> tuple[GeminiReply, CallOutcome]:
        """One request, with its cost reserved before and settled after. Raises GeminiFault."""
        most = self._prices.cost(self.model, question.most_usage, self._now().date())
        reservation = self._reserve(most.usd)
        reply = self._within(question, end, reservation, most)
        if reply.usage is None:
            return reply, _with_unknown(so_far, most)
        return reply, self._add(so_far, reply.usage)

    def _reserve(self, most_usd: float) -> int:
        try:
            reservation = self._spend.reserve(most_usd)
        except ContactSheetError as error:
            log("search", "spend cannot be noted", logging.ERROR, error=str(error))
            raise GeminiFault("unmetered", type(error).__name__) from error
        if isinstance(reservation, str):
            raise GeminiFault("budget_day" if reservation == "day" else "budget_month")
        return reservation

    def _within(self, question: GeminiRequest, end: float, reservation: int, most: PricedUsage) -> GeminiReply:
        """Wait for a request in a thread of its own until the deadline; it settles its cost itself, late or not."""
        if not self._room.acquire(blocking=False):
            self._settle(reservation, TokenUsage())
            raise GeminiFault("busy")
        box: queue.Queue[GeminiReply | GeminiFault] = queue.Queue(1)
        hand_over, given_up = threading.Lock(), threading.Event()

        def run() -> None:
            try:
                result = self._generate(question, max(end - self._clock(), LEAST_USEFUL_S))
            finally:
                self._room.release()
            if result.usage is not None:
                self._settle(reservation, result.usage)
            with hand_over:
                late = given_up.is_set()
                box.put(result)
            if late and result.usage is not None and result.usage.total:
                self._on_late(self.model, result.usage, self._usd(result.usage))

        threading.Thread(target=run, name="gemini", daemon=True).start()
        result = _taken(box, max(end - self._clock(), 0.0), hand_over, given_up)
        if result is None:
            raise _Unfinished(most)
        if isinstance(result, GeminiFault):
            raise result if result.usage is not None else _Unfinished(most, result)
        return result

    def _generate(self, question: GeminiRequest, timeout_s: float) -> GeminiReply | GeminiFault:
        try:
            return self._client.generate(self.model, question, timeout_s) if self._client else GeminiFault("no_key")
        except GeminiFault as fault:
            return fault
        except Exception as error:  # noqa: BLE001 - whatever a client raises, a search goes on
            log("search", "Gemini's client failed", logging.ERROR, error=type(error).__name__)
            return GeminiFault("malformed", type(error).__name__, usage=None)

    def _settle(self, reservation: int, usage: TokenUsage) -> None:
        try:
            self._spend.settle(reservation, self._usd(usage))
        except ContactSheetError as error:  # the reservation keeps counting, so the budget holds
            log("search", "a cost could not be settled", logging.ERROR, error=str(error))

    def _usd(self, usage: TokenUsage) -> float:
        return self._prices.cost(self.model, usage, self._now().date()).usd if usage.total else 0.0

    def _add(self, so_far: CallOutcome, usage: TokenUsage) -> CallOutcome:
        cost = self._prices.cost(self.model, usage, self._now().date())
        return replace(
            so_far,
            usage=so_far.usage + usage,
            usd=so_far.usd + self._usd(usage),
            requests=so_far.requests + 1,
            price_known=so_far.price_known and cost.known,
        )

    def _billed(self, so_far: CallOutcome, fault: GeminiFault) -> CallOutcome:
        if fault.cause in UNSENT:
            return so_far
        if isinstance(fault, _Unfinished):
            return _with_unknown(so_far, fault.most)
        return self._add(so_far, fault.usage or TokenUsage())

    def _wait_s(self, fault: GeminiFault, requests: int, left_s: float) -> float | None:
        """Seconds until the next try, None if there is none: it would not help, or not end in time."""
        returns = fault.cause == "quota_minute" and fault.retry_after_s is not None
        if not returns and fault.cause not in TRANSIENT:
            return None
        backoff_s = FIRST_WAIT_S * 2 ** (requests - 1) * (0.5 + self._jitter())
        wait_s = max(backoff_s, fault.retry_after_s or 0.0, self._breaker.wait_s())
        return wait_s if wait_s + LEAST_USEFUL_S < left_s else None

    def _note(self, fault: GeminiFault) -> None:
        """What it says of how well the service is."""
        log("search", "no answer from Gemini", logging.WARNING, cause=fault.cause, detail=fault.detail)
        if fault.cause in UNWELL:
            self._breaker.failed()
        elif fault.cause not in UNSENT:
            self._breaker.succeeded()  # it answered, if only to refuse

    def _given_up(self, fault: GeminiFault) -> Refusal:
        """The fault as the end of a question; what the next one would meet again is remembered."""
        refusal = Refusal(fault.cause, self._until(fault.cause, fault.retry_after_s), fault.detail)
        if refusal.until is not None:
            self._held = refusal
        return refusal

    def _until(self, cause: Cause, retry_after_s: float | None) -> datetime | None:
        now = self._now()
        if cause == "quota_day":
            return pacific_midnight_after(now)
        if cause == "quota_minute":
            return now + timedelta(seconds=QUOTA_PAUSE_S if retry_after_s is None else retry_after_s)
        return now + timedelta(seconds=LASTING_PAUSE_S) if cause in LASTING else None


class _Unfinished(GeminiFault):
    """A request whose reply was not seen to its end, and the most that it may have cost."""

    def __init__(self, most: PricedUsage, fault: GeminiFault | None = None) -> None:
        super().__init__(fault.cause if fault else "timeout", fault.detail if fault else "", usage=None)
        self.most = most


def _with_unknown(so_far: CallOutcome, most: PricedUsage) -> CallOutcome:
    return replace(
        so_far,
        unknown_usd=so_far.unknown_usd + most.usd,
        requests=so_far.requests + 1,
        price_known=so_far.price_known and most.known,
    )


def _taken(
    box: queue.Queue[GeminiReply | GeminiFault], timeout_s: float, hand_over: threading.Lock, given_up: threading.Event
) -> GeminiReply | GeminiFault | None:
    """What came in time; otherwise None, and whoever brings it later knows that nobody waits."""
    with suppress(queue.Empty):
        return box.get(timeout=timeout_s)
    with hand_over, suppress(queue.Empty):
        given_up.set()
        return box.get_nowait()
    return None


def pacific_midnight_after(moment: datetime) -> datetime:
    """The next midnight in Los Angeles, where Gemini's quota per day is counted; in UTC."""
    tomorrow = moment.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), PACIFIC).astimezone(UTC)
