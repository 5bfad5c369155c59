"""Calls to Gemini with a fake transport and a fake clock: retries, deadline, pauses, late replies, budget."""

from __future__ import annotations

import logging
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
from core.gemini.calls import MIN_TIMEOUT_S, GeminiCalls, next_pacific_midnight
from core.gemini.deadline import MAX_PENDING
from core.gemini.failures import NOTICES, Cause, GeminiError
from core.gemini.prices import TokenUsage, load_prices
from core.gemini.transport import GeminiReply, GeminiRequest
from core.setting_kinds import PriceCeiling, UnknownPrice
from core.settings import Secret
from core.store.sql.database import Database
from core.store.sql.spend_store import Budgets, Share, SpendStore
from tests.fakes.gemini_client import MODEL
from tests.fakes.gemini_transport import HONEST, START, USAGE, FakeClock, FakeTransport, Gate

REQUEST = GeminiRequest("Rank.", ("QUERY:\nred", b"jpeg"), {}, 500)
USAGE_USD = (800 * 0.30 + 200 * 0.03 + 80 * 2.50) / 1e6
MAX_USD = (5 + 2 + len("QUERY:\nred") + 1_120) * 0.30 / 1e6 + 500 * 2.50 / 1e6
DEADLINE_S = 8.0
CEILING = PriceCeiling(20.0, 100.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "contactsheet.db")


@pytest.fixture
def make_calls(clock: FakeClock, database: Database) -> Callable[..., GeminiCalls]:
    """Calls on a client, by default with room in the budget and no jitter in the backoff."""

    def make(
        client: FakeTransport | None,
        daily_usd: float = 10.0,
        model: str = MODEL,
        spend: SpendStore | None = None,
        unknown: UnknownPrice = CEILING,
        **others: Any,
    ) -> GeminiCalls:
        spend = spend or SpendStore(database, Budgets(daily_usd, 100.0), clock.now)
        return GeminiCalls(client, model, load_prices(unknown), spend, times=clock.times, **others)

    return make


def spent_usd(database: Database, clock: FakeClock) -> float:
    return SpendStore(database, Budgets(0, 0), clock.now).spent().day_usd


def error(cause: Cause, retry_after_s: float | None = None, usage: TokenUsage | None = TokenUsage()) -> GeminiError:
    return GeminiError(cause, "HTTP 4xx", retry_after_s, usage)


def test_a_reply_comes_with_its_tokens_its_cost_and_its_model(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    outcome = make_calls(FakeTransport()).send(REQUEST, DEADLINE_S)
    assert (outcome.text, outcome.failure, outcome.usage, outcome.requests) == ("{}", None, USAGE, 1)
    assert (outcome.usd, outcome.unknown_usd, outcome.model_version) == (pytest.approx(USAGE_USD), 0, "v1")
    assert spent_usd(database, clock) == pytest.approx(USAGE_USD)


def test_without_a_client_nothing_is_sent_or_spent(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    calls = make_calls(None)
    outcome = calls.send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.requests, calls.available, calls.key) == ("no_key", 0, False, Secret())
    assert spent_usd(database, clock) == 0


def test_transient_failures_are_retried_after_growing_waits_and_all_requests_are_billed(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock
) -> None:
    client = FakeTransport(error("overloaded"), error("unreachable", usage=USAGE), error("overloaded"))
    outcome = make_calls(client).send(REQUEST, DEADLINE_S)
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
    clock, client = FakeClock(), FakeTransport(*[error(cause, hint_s)] * 1_000)
    spend = SpendStore(Database(tmp_path_factory.getbasetemp() / "waits.db"), Budgets(1e9, 1e9), clock.now)
    times = replace(clock.times, jitter=lambda: jitter)
    calls = GeminiCalls(client, MODEL, load_prices(CEILING), spend, times=times)
    failure = calls.send(REQUEST, deadline_s).failure
    assert failure is not None
    assert failure.cause == cause
    assert clock.elapsed_s + MIN_TIMEOUT_S < deadline_s or clock.elapsed_s == 0
    assert all(wait_s >= max(0.2, hint_s or 0) for wait_s in clock.slept_s)
    assert len(client.timeouts_s) <= 12


def test_a_retry_delay_from_gemini_is_respected(make_calls: Callable[..., GeminiCalls], clock: FakeClock) -> None:
    outcome = make_calls(FakeTransport(error("quota_minute", 5.0))).send(REQUEST, DEADLINE_S)
    assert (outcome.text, clock.slept_s) == ("{}", [5.0])
    clock.slept_s.clear()
    make_calls(FakeTransport(error("overloaded", 3.0))).send(REQUEST, DEADLINE_S)
    assert clock.slept_s == [3.0]


@pytest.mark.parametrize(("hint_s", "pause_s"), [(37.0, 37.0), (7.9, 7.9), (None, 60.0)])
def test_a_quota_per_minute_that_returns_too_late_is_reported_and_nothing_is_sent_until_then(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock, hint_s: float | None, pause_s: float
) -> None:
    client = FakeTransport(error("quota_minute", hint_s))
    calls = make_calls(client)
    first, second = (calls.send(REQUEST, DEADLINE_S).failure for _ in range(2))
    assert first is not None
    assert (first.cause, first.retry_at) == ("quota_minute", START + timedelta(seconds=pause_s))
    assert (second, len(client.timeouts_s), calls.available, clock.slept_s) == (first, 1, False, [])
    clock.elapsed_s = pause_s
    assert calls.available
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"


def test_a_quota_per_day_returns_at_midnight_in_los_angeles(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock
) -> None:
    calls = make_calls(FakeTransport(error("quota_day", 41.0)))
    failure = calls.send(REQUEST, DEADLINE_S).failure
    assert failure is not None
    assert failure.retry_at == datetime(2026, 11, 21, 8, tzinfo=UTC)
    clock.elapsed_s = (failure.retry_at - START).total_seconds() - 1
    assert calls.send(REQUEST, DEADLINE_S).failure == failure
    clock.elapsed_s += 1
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), datetime(2026, 7, 1, 7, tzinfo=UTC)),
        (datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC)),
        (datetime(2026, 3, 8, 9, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # a day of 23 hours
        (datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # a day of 25 hours
    ],
)
def test_midnight_in_los_angeles_respects_daylight_saving_time(moment: datetime, midnight: datetime) -> None:
    assert next_pacific_midnight(moment) == midnight


@pytest.mark.parametrize("cause", ["bad_key", "forbidden", "retired"])
def test_after_a_persistent_failure_nothing_is_sent_for_a_minute(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock, cause: Cause
) -> None:
    client = FakeTransport(error(cause))
    calls = make_calls(client)
    failures = [calls.send(REQUEST, DEADLINE_S).failure for _ in range(2)]
    assert [failure and failure.cause for failure in failures] == [cause, cause]
    assert len(client.timeouts_s) == 1
    clock.elapsed_s = 60.0
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"


@pytest.mark.parametrize("cause", ["refused", "blocked", "truncated", "malformed", "timeout"])
def test_a_failure_of_one_request_does_not_stop_the_next(make_calls: Callable[..., GeminiCalls], cause: Cause) -> None:
    client = FakeTransport(error(cause, usage=USAGE))
    calls = make_calls(client)
    outcome = calls.send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.failure.retry_at, outcome.usage) == (cause, None, USAGE)
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"


def test_while_the_breaker_is_open_a_call_does_not_wait_for_its_deadline(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock
) -> None:
    client = FakeTransport(*[error("overloaded")] * 9)
    calls = make_calls(client)
    failure = calls.send(REQUEST, DEADLINE_S).failure
    assert failure is not None
    assert (failure.cause, len(client.timeouts_s), clock.slept_s) == ("overloaded", 4, [0.4, 0.8, 1.6])
    assert not calls.available
    paused = calls.send(REQUEST, DEADLINE_S).failure
    assert paused is not None
    assert (paused.cause, paused.retry_at) == ("paused", clock.now() + timedelta(seconds=20))
    assert len(client.timeouts_s) == 4


def test_one_probe_is_sent_after_the_pause_and_its_success_ends_it(
    make_calls: Callable[..., GeminiCalls], clock: FakeClock
) -> None:
    calls = make_calls(FakeTransport(*[error("overloaded")] * 4))
    calls.send(REQUEST, DEADLINE_S)
    clock.elapsed_s += 20
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"
    assert calls.available


def test_over_budget_nothing_is_sent(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    client = FakeTransport()
    outcome = make_calls(client, daily_usd=0.99 * MAX_USD).send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.requests, client.timeouts_s) == ("budget_day", 0, [])
    assert spent_usd(database, clock) == 0
    assert make_calls(client, daily_usd=MAX_USD).send(REQUEST, DEADLINE_S).text == "{}"


def test_a_retry_needs_room_in_the_budget_too(make_calls: Callable[..., GeminiCalls]) -> None:
    client = FakeTransport(error("overloaded", usage=None))
    outcome = make_calls(client, daily_usd=1.5 * MAX_USD).send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.requests, len(client.timeouts_s)) == ("budget_day", 1, 1)
    assert outcome.unknown_usd == pytest.approx(MAX_USD)


class BrokenSpend(SpendStore):
    def reserve(self, max_usd: float, share: Share | None = None) -> int | str:
        raise StoreError("database is locked")


def test_nothing_is_sent_when_spending_cannot_be_recorded_and_that_is_not_reported_as_a_budget(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    client = FakeTransport()
    outcome = make_calls(client, spend=BrokenSpend(database, Budgets(1, 1), clock.now)).send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.requests, client.timeouts_s) == ("unmetered", 0, [])
    assert "cannot be recorded" in outcome.failure.notice


class UnsettledSpend(SpendStore):
    def settle(self, reservation: int, usd: float) -> None:
        raise StoreError("database is locked")


def test_a_cost_that_cannot_be_settled_keeps_counting_and_the_reply_is_still_returned(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    outcome = make_calls(FakeTransport(), spend=UnsettledSpend(database, Budgets(1, 1), clock.now)).send(
        REQUEST, DEADLINE_S
    )
    assert (outcome.text, outcome.usd) == ("{}", pytest.approx(USAGE_USD))
    assert spent_usd(database, clock) == pytest.approx(MAX_USD)


def test_a_reply_without_usage_keeps_counting_at_the_maximum(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    outcome = make_calls(FakeTransport(replace(HONEST, usage=None))).send(REQUEST, DEADLINE_S)
    assert (outcome.text, outcome.usd, outcome.requests) == ("{}", 0, 1)
    assert outcome.unknown_usd == pytest.approx(MAX_USD) == spent_usd(database, clock)


@pytest.mark.parametrize(("step", "usd"), [(HONEST, 0.028), (replace(HONEST, usage=None), 0.07274)])
def test_a_model_without_a_price_is_flagged_and_charged_at_the_ceiling(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock, step: GeminiReply, usd: float
) -> None:
    outcome = make_calls(FakeTransport(step), model="gemini-9-flash").send(REQUEST, DEADLINE_S)
    assert not outcome.price_known
    assert outcome.usd + outcome.unknown_usd == pytest.approx(usd) == spent_usd(database, clock)
    assert make_calls(FakeTransport()).send(REQUEST, DEADLINE_S).price_known


def test_a_model_without_a_price_may_be_refused_and_then_nothing_is_sent(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    transport = FakeTransport()
    calls = make_calls(transport, model="gemini-9-flash", unknown="refuse")
    outcome = calls.send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert outcome.failure.cause == "unpriced"
    assert "Add it to data/prices.toml" in outcome.failure.notice
    assert (transport.requests, outcome.requests, calls.available, spent_usd(database, clock)) == ([], 0, False, 0)
    assert make_calls(transport, unknown="refuse").send(REQUEST, DEADLINE_S).text == "{}"


def test_whatever_a_client_raises_the_call_ends_and_the_message_stays_out_of_the_log(
    make_calls: Callable[..., GeminiCalls], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = make_calls(FakeTransport(ZeroDivisionError("AIza-hidden-key"))).send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.failure.detail) == ("malformed", "ZeroDivisionError")
    assert outcome.unknown_usd == pytest.approx(MAX_USD)
    assert "AIza" not in caplog.text + repr(outcome)


@pytest.fixture
def gate(clock: FakeClock) -> Iterator[Gate]:
    """Replies come when it opens; it opens at the end at the latest."""
    gate = Gate(clock)
    yield gate
    gate.open()


def test_a_late_reply_is_reported_and_its_cost_takes_the_place_of_the_maximum(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock, gate: Gate
) -> None:
    reported = list[tuple[Any, ...]]()
    calls = make_calls(FakeTransport(gate.hold()), on_late_reply=lambda *reply: reported.append(reply))
    outcome = calls.send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.usd, reported) == ("timeout", 0, [])
    assert clock.elapsed_s == DEADLINE_S
    assert outcome.unknown_usd == pytest.approx(MAX_USD) == spent_usd(database, clock)
    gate.open()
    assert reported == [(MODEL, USAGE, pytest.approx(USAGE_USD))]
    assert spent_usd(database, clock) == pytest.approx(USAGE_USD)


@pytest.mark.parametrize(
    ("late", "settled_usd"),
    [
        (error("blocked", usage=USAGE), USAGE_USD),
        (error("overloaded"), 0.0),
        (error("unreachable", usage=None), MAX_USD),
    ],
)
def test_a_late_failure_settles_the_usage_it_reports(
    make_calls: Callable[..., GeminiCalls],
    database: Database,
    clock: FakeClock,
    gate: Gate,
    late: GeminiError,
    settled_usd: float,
) -> None:
    reported = list[float]()
    calls = make_calls(FakeTransport(gate.hold(late)), on_late_reply=lambda _, __, usd: reported.append(usd))
    outcome = calls.send(REQUEST, DEADLINE_S)
    assert outcome.failure is not None
    assert outcome.failure.cause == "timeout"
    gate.open()
    assert spent_usd(database, clock) == pytest.approx(settled_usd)
    assert reported == ([pytest.approx(USAGE_USD)] if late.cause == "blocked" else [])


def test_too_many_pending_requests_turn_the_next_away_at_no_cost(
    make_calls: Callable[..., GeminiCalls],
    database: Database,
    clock: FakeClock,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "OUTAGE", frozenset())
    calls = make_calls(FakeTransport(*[gate.hold()] * MAX_PENDING))
    with ThreadPoolExecutor(MAX_PENDING) as pool:
        pending = list(pool.map(lambda _: calls.send(REQUEST, DEADLINE_S), range(MAX_PENDING)))
    assert {outcome.failure and outcome.failure.cause for outcome in pending} == {"timeout"}
    busy = calls.send(REQUEST, DEADLINE_S)
    assert busy.failure is not None
    assert (busy.failure.cause, busy.requests) == ("busy", 0)
    assert spent_usd(database, clock) == pytest.approx(MAX_PENDING * MAX_USD)
    gate.open()
    assert calls.send(REQUEST, DEADLINE_S).text == "{}"


def test_calls_from_many_threads_add_up(
    make_calls: Callable[..., GeminiCalls], database: Database, clock: FakeClock
) -> None:
    calls = make_calls(FakeTransport())
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: calls.send(REQUEST, DEADLINE_S), range(40)))
    assert sum(outcome.usd for outcome in outcomes) == pytest.approx(40 * USAGE_USD)
    assert spent_usd(database, clock) == pytest.approx(40 * USAGE_USD)


@given(st.text(), st.lists(st.text() | st.binary(), max_size=4))
def test_the_maximum_usage_counts_a_token_per_byte_of_text(instruction: str, parts: list[str | bytes]) -> None:
    maximum = GeminiRequest(instruction, tuple(parts), {"type": "OBJECT"}, 7).max_usage
    texts = [instruction, *(part for part in parts if isinstance(part, str))]
    images = sum(isinstance(part, bytes) for part in parts)
    assert maximum.prompt >= sum(len(text.encode()) for text in texts) + 1_120 * images
    assert (maximum.output, maximum.cached) == (7, 0)


def test_every_cause_has_a_notice() -> None:
    assert set(NOTICES) == set(Cause.__args__)  # type: ignore[attr-defined]
    assert all(line.startswith("Ordered by similarity: ") and line.endswith(".") for line in NOTICES.values())
