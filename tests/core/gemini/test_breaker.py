from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gemini.breaker import FAILURE_LIMIT, FIRST_PAUSE_S, MAX_PAUSE_S, CircuitBreaker
from tests.fakes.gemini_transport import FakeClock

PROBE_S = 8.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker(clock.seconds)


def fail(breaker: CircuitBreaker, times: int = FAILURE_LIMIT) -> None:
    for _ in range(times):
        breaker.record_failure()


def test_it_opens_after_four_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURE_LIMIT - 1)
    assert (breaker.allow_request(PROBE_S), breaker.wait_s()) == (True, 0)
    breaker.record_failure()
    assert (breaker.allow_request(PROBE_S), breaker.wait_s()) == (False, FIRST_PAUSE_S)


def test_a_success_in_between_starts_the_count_again(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURE_LIMIT - 1)
    breaker.record_success()
    fail(breaker, FAILURE_LIMIT - 1)
    assert breaker.allow_request(PROBE_S)


def test_after_the_pause_one_probe_is_let_through_and_others_wait_for_its_end(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    fail(breaker)
    clock.elapsed_s += FIRST_PAUSE_S
    assert [breaker.allow_request(PROBE_S) for _ in range(3)] == [True, False, False]
    assert breaker.wait_s() == PROBE_S
    breaker.record_success()
    assert (breaker.allow_request(PROBE_S), breaker.wait_s()) == (True, 0)


def test_of_many_threads_one_sends_the_probe(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.elapsed_s += FIRST_PAUSE_S
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: breaker.allow_request(PROBE_S), range(64))) == 1


def test_a_probe_that_never_ends_makes_room_for_another(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.elapsed_s += FIRST_PAUSE_S
    breaker.allow_request(PROBE_S)
    clock.elapsed_s += PROBE_S
    assert breaker.allow_request(PROBE_S)


def test_every_failed_probe_doubles_the_pause_up_to_five_minutes(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker)
    pauses = []
    for _ in range(7):
        pauses.append(breaker.wait_s())
        clock.elapsed_s += pauses[-1]
        assert breaker.allow_request(PROBE_S)
        breaker.record_failure()
    assert pauses == [20, 40, 80, 160, MAX_PAUSE_S, MAX_PAUSE_S, MAX_PAUSE_S]
    clock.elapsed_s += MAX_PAUSE_S
    breaker.record_success()
    fail(breaker)
    assert breaker.wait_s() == FIRST_PAUSE_S


def test_failures_of_requests_sent_before_it_opened_do_not_prolong_the_pause(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    fail(breaker)
    clock.elapsed_s += 1
    fail(breaker, 12)
    assert breaker.wait_s() == FIRST_PAUSE_S - 1


@given(st.lists(st.sampled_from(["admit", "fail", "succeed"]) | st.floats(0, 400), max_size=60))
def test_it_never_refuses_for_longer_than_it_says(steps: list[str | float]) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock.seconds)
    for step in steps:
        if isinstance(step, float):
            clock.elapsed_s += step
        elif step == "admit":
            allowed, wait_s = breaker.allow_request(PROBE_S), breaker.wait_s()
            assert not allowed or wait_s == 0 or wait_s == pytest.approx(PROBE_S)
        else:
            breaker.record_failure() if step == "fail" else breaker.record_success()
        assert 0 <= breaker.wait_s() <= MAX_PAUSE_S
    clock.elapsed_s += breaker.wait_s() + 1e-9
    assert breaker.allow_request(PROBE_S)
