from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.metrics.alert_state import MAX_READING_GAP, evaluate, step
from core.records.alerts import AlertReading, AlertRule, AlertState

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
RULE = AlertRule("Slow", "Slow", "total_p95_s", 2.0, 1.5, 60, "warning", "Look.", ("search",), 300, 10)
AT_ONCE = AlertRule("Spent", "Spent", "budget_share", 0.8, 0.7, 0, "warning", "Look.")


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def readings(*values: float, every_s: float = 15, traffic: int = 20) -> list[AlertReading]:
    return [AlertReading(at(number * every_s), value, traffic) for number, value in enumerate(values)]


def phases(rule: AlertRule, some: list[AlertReading]) -> str:
    """The first letters of the phases after each reading."""
    return "".join(evaluate(rule, some[: number + 1]).phase[0] for number in range(len(some)))


def test_an_alert_is_pending_until_its_time_is_over_then_fires_then_is_resolved() -> None:
    assert phases(RULE, readings(1, 3, 3, 3, 3, 3, 3, 1, 1)) == "ippppffrr"


def test_one_that_comes_down_before_its_time_never_fires() -> None:
    assert phases(RULE, readings(3, 3, 3, 1, 3, 3, 3, 1)) == "pppipppi"


def test_without_a_time_to_last_it_fires_at_once_and_again() -> None:
    assert phases(AT_ONCE, readings(0.5, 0.9, 0.75, 0.7, 0.9)) == "iffrf"


def test_a_value_at_the_threshold_is_not_above_it_and_one_at_clear_is_clear() -> None:
    assert phases(AT_ONCE, readings(0.8, 0.81, 0.71, 0.7)) == "iffr"


def test_a_pending_alert_that_hovers_begins_its_time_anew() -> None:
    assert phases(RULE, readings(3, 3, 3, 1.8, 3, 3, 3, 3)) == "pppppppf"


def test_it_remembers_when_it_fired_and_what_it_read() -> None:
    state = evaluate(RULE, readings(3, 3, 3, 3, 3, 4, 1))
    assert state == AlertState("resolved", at(90), at(60), at(90), 1)


def test_a_run_with_a_gap_longer_than_the_window_begins_anew() -> None:
    assert evaluate(RULE, [AlertReading(at(0), 3, 20), AlertReading(at(300), 3, 20)]).phase == "firing"
    assert evaluate(RULE, [AlertReading(at(0), 3, 20), AlertReading(at(301), 3, 20)]) == AlertState(
        "pending", at(301), None, at(301), 3
    )


def test_nothing_to_measure_changes_nothing() -> None:
    state = evaluate(RULE, readings(3, 3, 3, 3, 3))
    assert step(RULE, state, AlertReading(at(200), math.nan, 20)) == state


times = st.lists(st.floats(0.5, 100), min_size=1, max_size=60)
values = st.one_of(st.floats(0, 1.5), st.floats(1.51, 2.0), st.floats(2.01, 9))
traffics = st.integers(0, 30)


@st.composite
def histories(draw: st.DrawFn) -> list[AlertReading]:
    moment, some = 0.0, list[AlertReading]()
    for gap in draw(times):
        moment += gap
        some.append(AlertReading(at(moment), draw(values), draw(traffics)))
    return some


@given(histories())
def test_it_never_fires_before_it_was_above_the_threshold_for_its_time(some: list[AlertReading]) -> None:
    state = AlertState()
    for number, reading in enumerate(some):
        before, state = state, step(RULE, state, reading)
        if state.phase == "firing" and before.phase != "firing":
            usable = [r for r in some[: number + 1] if r.requests >= RULE.min_requests]
            run = [r for r in usable if r.at > reading.at - RULE.pending_duration]
            assert all(r.value > RULE.threshold for r in run)
            assert usable[0].at <= reading.at - RULE.pending_duration
            gaps = [b.at - a.at for a, b in pairwise(usable) if b in run]
            assert all(gap <= max(RULE.window, MAX_READING_GAP) for gap in gaps)


@given(histories(), st.floats(1.51, 2.0))
def test_a_value_between_clear_and_threshold_never_changes_the_phase(some: list[AlertReading], value: float) -> None:
    state = evaluate(RULE, some)
    assert step(RULE, state, AlertReading(some[-1].at + timedelta(seconds=1), value, 20)).phase == state.phase


@given(histories(), st.floats(0, 9), st.integers(0, RULE.min_requests - 1))
def test_too_little_traffic_changes_nothing(some: list[AlertReading], value: float, traffic: int) -> None:
    state = evaluate(RULE, some)
    assert step(RULE, state, AlertReading(some[-1].at + timedelta(seconds=1), value, traffic)) == state


@given(histories(), st.integers(0, 59), values)
def test_a_reading_that_is_not_newer_than_the_last_changes_nothing(
    some: list[AlertReading], which: int, v: float
) -> None:
    state = evaluate(RULE, some)
    if state.last_reading_at is not None:
        earlier = min(some[which % len(some)].at, state.last_reading_at)
        assert step(RULE, state, AlertReading(earlier, v, 20)) == state


@given(histories(), histories())
def test_readings_taken_in_two_parts_are_as_good_as_in_one(
    first: list[AlertReading], second: list[AlertReading]
) -> None:
    assert evaluate(RULE, second, evaluate(RULE, first)) == evaluate(RULE, [*first, *second])


@given(histories())
def test_an_alert_that_fires_ends_only_by_a_reading_that_is_clear(some: list[AlertReading]) -> None:
    state = AlertState()
    for reading in some:
        before, state = state, step(RULE, state, reading)
        if before.phase == "firing" and state.phase != "firing":
            assert state.phase == "resolved"
            assert reading.value <= RULE.clear


def test_states_compare_though_nothing_was_heard() -> None:
    assert evaluate(RULE, []) == AlertState()
