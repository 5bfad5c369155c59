"""Asking Gemini, with a client and a clock of our own: retries, deadline, holds, late replies, budget."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StoreError
from core.gemini import calls as calls_module
from core.gemini.calls import (
    LEAST_USEFUL_S,
    MOST_WAITING,
    GeminiCalls,
    GeminiReply,
    GeminiRequest,
    pacific_midnight_after,
)
from core.gemini.prices import TokenUsage, load_prices
from core.gemini.refusals import NOTICES, Cause, GeminiFault
from core.settings import Secret
from core.store.sql.database import Database
from core.store.sql.spend_store import Budgets, SpendStore

MODEL = "gemini-3.5-flash-lite"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
QUESTION = GeminiRequest("Rank.", ("QUERY:\nred", b"jpeg"), {}, 500)
USAGE = TokenUsage(prompt=1_000, cached=200, output=50, thoughts=30)
USAGE_USD = (1_000 * 0.30 + 80 * 2.50) / 1e6
MOST_USD = (5 + 2 + len("QUERY:\nred") + 1_120) * 0.30 / 1e6 + 500 * 2.50 / 1e6
DEADLINE_S = 8.0
PATIENCE_S = 30.0

Step = GeminiReply | Exception | Callable[[], GeminiReply]
HONEST = GeminiReply("{}", USAGE, "v1")


class GeminiTransport:
    """Does one step per request, then answers honestly."""

    key = Secret("AIza-hidden-key")

    def __init__(self, *steps: Step) -> None:
        self.steps, self.timeouts_s = list(steps), list[float]()

    def generate(self, model: str, question: GeminiRequest, timeout_s: float) -> GeminiReply:
        self.timeouts_s.append(timeout_s)
        step = self.steps.pop(0) if self.steps else HONEST
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else step


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.passed_s, self.slept_s = 0.0, list[float]()

    def __call__(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.passed_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "contactsheet.db")


@pytest.fixture
def asking(clock: Clock, database: Database) -> Callable[..., GeminiCalls]:
    """Calls on a client, by default with room in the budget and no chance in the waits."""

    def build(client: GeminiTransport | None, daily_usd: float = 10.0, model: str = MODEL, **given: Any) -> GeminiCalls:
        spend = given.pop("spend", None) or SpendStore(database, Budgets(daily_usd, 100.0), clock.now)
        chosen = {"clock": clock, "sleep": clock.sleep, "now": clock.now, "jitter": lambda: 0.5, **given}
        return GeminiCalls(client, model, load_prices(), spend, **chosen)

    return build


def spent_usd(database: Database, clock: Clock) -> float:
    return SpendStore(database, Budgets(0, 0), clock.now).spent().day_usd


def fault(cause: Cause, retry_after_s: float | None = None, usage: TokenUsage | None = TokenUsage()) -> GeminiFault:
    return GeminiFault(cause, "HTTP 4xx", retry_after_s, usage)


def test_an_answer_comes_with_its_tokens_its_cost_and_its_model(
    asking: Callable[..., GeminiCalls], database: Database, clock: Clock
) -> None:
    outcome = asking(GeminiTransport()).ask(QUESTION, DEADLINE_S)
    assert (outcome.text, outcome.refusal, outcome.usage, outcome.requests) == ("{}", None, USAGE, 1)
    assert (outcome.usd, outcome.unknown_usd, outcome.model_version) == (pytest.approx(USAGE_USD), 0, "v1")
    assert spent_usd(database, clock) == pytest.approx(USAGE_USD)


def test_without_a_client_nothing_is_asked_or_spent(
    asking: Callable[..., GeminiCalls], database: Database, clock: Clock
) -> None:
    calls = asking(None)
    outcome = calls.ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.requests, calls.open, calls.key) == ("no_key", 0, False, Secret())
    assert spent_usd(database, clock) == 0


def test_what_may_pass_is_tried_again_after_growing_waits_and_all_requests_are_billed(
    asking: Callable[..., GeminiCalls], clock: Clock
) -> None:
    client = GeminiTransport(fault("overloaded"), fault("unreachable", usage=USAGE), fault("overloaded"))
    outcome = asking(client).ask(QUESTION, DEADLINE_S)
    assert clock.slept_s == [0.4, 0.8, 1.6]
    assert client.timeouts_s == [8.0, pytest.approx(7.6), pytest.approx(6.8), pytest.approx(5.2)]
    assert (outcome.text, outcome.requests, outcome.usage) == ("{}", 4, USAGE + USAGE)
    assert outcome.usd == pytest.approx(2 * USAGE_USD)


@settings(max_examples=50, deadline=None)
@given(
    jitter=st.floats(0, 1, exclude_max=True),
    deadline_s=st.floats(0.5, 60),
    hint_s=st.none() | st.floats(0, 100),
    cause=st.sampled_from(["overloaded", "unreachable", "quota_minute"]),
)
def test_however_long_it_fails_the_waits_end_before_the_deadline(
    tmp_path_factory: pytest.TempPathFactory, jitter: float, deadline_s: float, hint_s: float | None, cause: Cause
) -> None:
    clock, client = Clock(), GeminiTransport(*[fault(cause, hint_s)] * 1_000)
    spend = SpendStore(Database(tmp_path_factory.getbasetemp() / "waits.db"), Budgets(1e9, 1e9), clock.now)
    calls = GeminiCalls(
        client, MODEL, load_prices(), spend, clock=clock, sleep=clock.sleep, now=clock.now, jitter=lambda: jitter
    )
    refusal = calls.ask(QUESTION, deadline_s).refusal
    assert refusal is not None
    assert refusal.cause == cause
    assert clock.passed_s + LEAST_USEFUL_S < deadline_s or clock.passed_s == 0
    assert all(wait_s >= max(0.2, hint_s or 0) for wait_s in clock.slept_s)
    assert len(client.timeouts_s) <= 12


def test_a_waiting_time_that_gemini_names_is_kept(asking: Callable[..., GeminiCalls], clock: Clock) -> None:
    outcome = asking(GeminiTransport(fault("quota_minute", 5.0))).ask(QUESTION, DEADLINE_S)
    assert (outcome.text, clock.slept_s) == ("{}", [5.0])
    clock.slept_s.clear()
    asking(GeminiTransport(fault("overloaded", 3.0))).ask(QUESTION, DEADLINE_S)
    assert clock.slept_s == [3.0]


@pytest.mark.parametrize(("hint_s", "pause_s"), [(37.0, 37.0), (7.9, 7.9), (None, 60.0)])
def test_a_quota_per_minute_that_returns_too_late_is_said_and_nothing_is_sent_until_then(
    asking: Callable[..., GeminiCalls], clock: Clock, hint_s: float | None, pause_s: float
) -> None:
    client = GeminiTransport(fault("quota_minute", hint_s))
    calls = asking(client)
    first, second = (calls.ask(QUESTION, DEADLINE_S).refusal for _ in range(2))
    assert first is not None
    assert (first.cause, first.until) == ("quota_minute", START + timedelta(seconds=pause_s))
    assert (second, len(client.timeouts_s), calls.open, clock.slept_s) == (first, 1, False, [])
    clock.passed_s = pause_s
    assert calls.open
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"


def test_a_quota_per_day_returns_at_midnight_in_los_angeles(asking: Callable[..., GeminiCalls], clock: Clock) -> None:
    calls = asking(GeminiTransport(fault("quota_day", 41.0)))
    refusal = calls.ask(QUESTION, DEADLINE_S).refusal
    assert refusal is not None
    assert refusal.until == datetime(2026, 11, 21, 8, tzinfo=UTC)
    clock.passed_s = (refusal.until - START).total_seconds() - 1
    assert calls.ask(QUESTION, DEADLINE_S).refusal == refusal
    clock.passed_s += 1
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # a day of 23 hours
        (datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # a day of 25 hours
    ],
)
def test_midnight_in_los_angeles_knows_summer_time(moment: datetime, midnight: datetime) -> None:
    assert pacific_midnight_after(moment) == midnight


@pytest.mark.parametrize("cause", ["bad_key", "forbidden", "retired"])
def test_what_the_next_question_would_meet_again_is_not_asked_for_a_minute(
    asking: Callable[..., GeminiCalls], clock: Clock, cause: Cause
) -> None:
    client = GeminiTransport(fault(cause))
    calls = asking(client)
    refusals = [calls.ask(QUESTION, DEADLINE_S).refusal for _ in range(2)]
    assert [refusal and refusal.cause for refusal in refusals] == [cause, cause]
    assert len(client.timeouts_s) == 1
    clock.passed_s = 60.0
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"


@pytest.mark.parametrize("cause", ["refused", "blocked", "truncated", "malformed", "timeout"])
def test_what_belongs_to_one_question_does_not_stop_the_next(asking: Callable[..., GeminiCalls], cause: Cause) -> None:
    client = GeminiTransport(fault(cause, usage=USAGE))
    calls = asking(client)
    outcome = calls.ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.refusal.until, outcome.usage) == (cause, None, USAGE)
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"


def test_once_gemini_is_left_alone_a_question_does_not_wait_for_its_deadline(
    asking: Callable[..., GeminiCalls], clock: Clock
) -> None:
    client = GeminiTransport(*[fault("overloaded")] * 9)
    calls = asking(client)
    refusal = calls.ask(QUESTION, DEADLINE_S).refusal
    assert refusal is not None
    assert (refusal.cause, len(client.timeouts_s), clock.slept_s) == ("overloaded", 4, [0.4, 0.8, 1.6])
    assert not calls.open
    paused = calls.ask(QUESTION, DEADLINE_S).refusal
    assert paused is not None
    assert (paused.cause, paused.until) == ("paused", clock.now() + timedelta(seconds=20))
    assert len(client.timeouts_s) == 4


def test_one_probe_is_sent_after_the_pause_and_its_success_ends_it(
    asking: Callable[..., GeminiCalls], clock: Clock
) -> None:
    calls = asking(GeminiTransport(*[fault("overloaded")] * 4))
    calls.ask(QUESTION, DEADLINE_S)
    clock.passed_s += 20
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"
    assert calls.open


def test_over_budget_nothing_is_sent(asking: Callable[..., GeminiCalls], database: Database, clock: Clock) -> None:
    client = GeminiTransport()
    outcome = asking(client, daily_usd=0.99 * MOST_USD).ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.requests, client.timeouts_s) == ("budget_day", 0, [])
    assert spent_usd(database, clock) == 0
    assert asking(client, daily_usd=MOST_USD).ask(QUESTION, DEADLINE_S).text == "{}"


def test_a_second_try_needs_room_in_the_budget_too(asking: Callable[..., GeminiCalls]) -> None:
    client = GeminiTransport(fault("overloaded", usage=None))
    outcome = asking(client, daily_usd=1.5 * MOST_USD).ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.requests, len(client.timeouts_s)) == ("budget_day", 1, 1)
    assert outcome.unknown_usd == pytest.approx(MOST_USD)


class BrokenSpend(SpendStore):
    def reserve(self, most_usd: float) -> int | str:
        raise StoreError("database is locked")


def test_what_cannot_be_written_down_is_not_spent_and_not_taken_for_a_budget(
    asking: Callable[..., GeminiCalls], database: Database
) -> None:
    client = GeminiTransport()
    outcome = asking(client, spend=BrokenSpend(database, Budgets(1, 1))).ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.requests, client.timeouts_s) == ("unmetered", 0, [])
    assert "cannot be written down" in outcome.refusal.notice


class UnsettledSpend(SpendStore):
    def settle(self, reservation: int, usd: float) -> None:
        raise StoreError("database is locked")


def test_a_cost_that_cannot_be_settled_costs_nobody_their_answer_and_keeps_counting(
    asking: Callable[..., GeminiCalls], database: Database, clock: Clock
) -> None:
    outcome = asking(GeminiTransport(), spend=UnsettledSpend(database, Budgets(1, 1), clock.now)).ask(
        QUESTION, DEADLINE_S
    )
    assert (outcome.text, outcome.usd) == ("{}", pytest.approx(USAGE_USD))
    assert spent_usd(database, clock) == pytest.approx(MOST_USD)


def test_an_answer_that_does_not_say_what_it_used_keeps_counting_at_the_most(
    asking: Callable[..., GeminiCalls], database: Database, clock: Clock
) -> None:
    outcome = asking(GeminiTransport(replace(HONEST, usage=None))).ask(QUESTION, DEADLINE_S)
    assert (outcome.text, outcome.usd, outcome.requests) == ("{}", 0, 1)
    assert outcome.unknown_usd == pytest.approx(MOST_USD) == spent_usd(database, clock)


@pytest.mark.parametrize("step", [HONEST, replace(HONEST, usage=None)])
def test_a_model_whose_price_is_not_known_is_said_and_charged_as_the_dearest(
    asking: Callable[..., GeminiCalls], step: GeminiReply
) -> None:
    outcome = asking(GeminiTransport(step), model="gemini-9-flash").ask(QUESTION, DEADLINE_S)
    assert not outcome.price_known
    assert outcome.usd + outcome.unknown_usd >= (1_000 * 2 + 80 * 12) / 1e6
    assert asking(GeminiTransport()).ask(QUESTION, DEADLINE_S).price_known


def test_whatever_a_client_raises_the_question_ends_and_its_words_stay_out_of_the_log(
    asking: Callable[..., GeminiCalls], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = asking(GeminiTransport(ZeroDivisionError("AIza-hidden-key"))).ask(QUESTION, DEADLINE_S)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.refusal.detail) == ("malformed", "ZeroDivisionError")
    assert outcome.unknown_usd == pytest.approx(MOST_USD)
    assert "AIza" not in caplog.text + repr(outcome)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Replies come when it opens; it opens at the end at the latest."""
    event = threading.Event()
    yield event
    event.set()


def held_back(gate: threading.Event, result: GeminiReply | GeminiFault = HONEST) -> Callable[[], GeminiReply]:
    def wait() -> GeminiReply:
        gate.wait(PATIENCE_S)
        if isinstance(result, GeminiFault):
            raise result
        return result

    return wait


def test_a_late_reply_is_reported_and_its_cost_takes_the_place_of_the_most(
    asking: Callable[..., GeminiCalls], database: Database, clock: Clock, gate: threading.Event
) -> None:
    heard, told = threading.Event(), list[tuple[Any, ...]]()

    def on_late(*what: Any) -> None:
        told.append(what)
        heard.set()

    outcome = asking(GeminiTransport(held_back(gate)), on_late=on_late).ask(QUESTION, 0.05)
    assert outcome.refusal is not None
    assert (outcome.refusal.cause, outcome.usd, told) == ("timeout", 0, [])
    assert outcome.unknown_usd == pytest.approx(MOST_USD) == spent_usd(database, clock)
    gate.set()
    assert heard.wait(PATIENCE_S)
    assert told == [(MODEL, USAGE, pytest.approx(USAGE_USD))]
    assert spent_usd(database, clock) == pytest.approx(USAGE_USD)


@pytest.mark.parametrize(
    ("late", "kept_usd"),
    [
        (fault("blocked", usage=USAGE), USAGE_USD),
        (fault("overloaded"), 0.0),
        (fault("unreachable", usage=None), MOST_USD),
    ],
)
def test_a_late_failure_settles_what_it_says_it_used(
    asking: Callable[..., GeminiCalls],
    database: Database,
    clock: Clock,
    gate: threading.Event,
    late: GeminiFault,
    kept_usd: float,
) -> None:
    told = list[float]()
    calls = asking(GeminiTransport(held_back(gate, late)), on_late=lambda _, __, usd: told.append(usd))
    calls.ask(QUESTION, 0.05)
    gate.set()
    _wait_for_threads()
    assert spent_usd(database, clock) == pytest.approx(kept_usd)
    assert told == ([pytest.approx(USAGE_USD)] if late.cause == "blocked" else [])


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "gemini":
            thread.join(PATIENCE_S)


def test_too_many_waiting_requests_turn_the_next_away_at_no_cost(
    asking: Callable[..., GeminiCalls],
    database: Database,
    clock: Clock,
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "UNWELL", frozenset())
    calls = asking(GeminiTransport(*[held_back(gate)] * MOST_WAITING))
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        waiting = list(pool.map(lambda _: calls.ask(QUESTION, 0.05), range(MOST_WAITING)))
    assert {outcome.refusal and outcome.refusal.cause for outcome in waiting} == {"timeout"}
    busy = calls.ask(QUESTION, DEADLINE_S)
    assert busy.refusal is not None
    assert (busy.refusal.cause, busy.requests) == ("busy", 0)
    assert spent_usd(database, clock) == pytest.approx(MOST_WAITING * MOST_USD)
    gate.set()
    _wait_for_threads()
    assert calls.ask(QUESTION, DEADLINE_S).text == "{}"


def test_questions_of_many_threads_add_up(asking: Callable[..., GeminiCalls], database: Database, clock: Clock) -> None:
    calls = asking(GeminiTransport())
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: calls.ask(QUESTION, DEADLINE_S), range(40)))
    assert sum(outcome.usd for outcome in outcomes) == pytest.approx(40 * USAGE_USD)
    assert spent_usd(database, clock) == pytest.approx(40 * USAGE_USD)


@given(st.text(), st.lists(st.text() | st.binary(), max_size=4))
def test_no_tokenizer_makes_more_of_a_text_than_its_bytes(instruction: str, parts: list[str | bytes]) -> None:
    most = GeminiRequest(instruction, tuple(parts), {"type": "OBJECT"}, 7).most_usage
    texts = [instruction, *(part for part in parts if isinstance(part, str))]
    images = sum(isinstance(part, bytes) for part in parts)
    assert most.prompt >= sum(len(text.encode()) for text in texts) + 1_120 * images
    assert (most.output, most.cached) == (7, 0)


def test_every_cause_has_a_line_for_people() -> None:
    assert set(NOTICES) == set(Cause.__args__)  # type: ignore[attr-defined]
    assert all(line.startswith("Ordered by similarity: ") and line.endswith(".") for line in NOTICES.values())
