from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ContactSheetError
from core.records.jobs import Cancelled
from core.retry import RetryPolicy, RetryTimes, with_retries
from tests.fakes.clock import SecondsClock


class Hiccup(ContactSheetError):
    """A failure that passes, with the seconds that the other side asks for."""

    def __init__(self, text: str = "hiccup", asked_s: float = 0.0) -> None:
        super().__init__(text)
        self.asked_s = asked_s


class Script:
    """An attempt that raises these errors one after the other, then returns the number of attempts it took."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors, self.attempts = list(errors), 0

    def __call__(self) -> int:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.attempts


POLICY = RetryPolicy(
    is_transient=lambda error: isinstance(error, Hiccup),
    attempts=4,
    asked_s=lambda error: error.asked_s if isinstance(error, Hiccup) else 0.0,
    max_asked_s=60.0,
)
waits = st.floats(0.0, 1e6)
policies = st.builds(
    RetryPolicy,
    is_transient=st.just(lambda _: True),
    first_wait_s=waits,
    factor=st.floats(1.0, 4.0),
    max_wait_s=waits,
    jitter=st.floats(0.0, 1.0),
)
draws = st.floats(0.0, 1.0, exclude_max=True)


@pytest.fixture
def clock() -> SecondsClock:
    return SecondsClock()


def run(
    script: Callable[[], int],
    clock: SecondsClock,
    policy: RetryPolicy = POLICY,
    draw: float = 0.5,
    received: Callable[[], int] = lambda: 0,
) -> int:
    return with_retries(script, policy, "a test", RetryTimes(clock.sleep, clock, lambda: draw), received)


# -- the policy -----------------------------------------------------------------------------------------------------


@given(policies, st.integers(1, 10_000), draws, waits)
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_the_cap_or_that(
    policy: RetryPolicy, failures: int, draw: float, asked_s: float
) -> None:
    wait_s = policy.wait_s(failures, draw, asked_s)
    assert asked_s <= wait_s <= max(asked_s, policy.max_wait_s)


@given(policies, st.integers(1, 10_000), draws)
def test_waits_never_shrink_from_one_failure_to_the_next(policy: RetryPolicy, failures: int, draw: float) -> None:
    assert policy.wait_s(failures, draw) <= policy.wait_s(failures + 1, draw)


@given(policies, st.integers(1, 40), draws)
def test_jitter_stays_within_its_share_of_the_wait(policy: RetryPolicy, failures: int, draw: float) -> None:
    policy = replace(policy, max_wait_s=math.inf)
    middle_s = replace(policy, jitter=0.0).wait_s(failures, draw)
    least, most = middle_s * (1 - policy.jitter), middle_s * (1 + policy.jitter)
    assert least * 0.999 <= policy.wait_s(failures, draw) <= most * 1.001


@given(st.integers(1, 20), st.integers(1, 20))
def test_as_many_failures_in_a_row_are_allowed_as_attempts_are_left(attempts: int, failures: int) -> None:
    assert replace(POLICY, attempts=attempts).allows_retry(Hiccup(), failures) == (failures < attempts)


@given(st.floats(0.0, 1e3), st.floats(0.0, 1e3), st.floats(0.0, 1e3), st.floats(0.0, 10.0))
def test_a_retry_that_is_allowed_leaves_time_for_its_attempt(
    elapsed_s: float, wait_s: float, deadline_s: float, last_attempt_s: float
) -> None:
    policy = replace(POLICY, deadline_s=deadline_s, last_attempt_s=last_attempt_s)
    if not policy.is_over(elapsed_s, wait_s):
        assert elapsed_s + wait_s + last_attempt_s < deadline_s


# -- the loop -------------------------------------------------------------------------------------------------------


def test_a_failure_that_passes_is_tried_again_after_doubling_waits(clock: SecondsClock) -> None:
    assert run(Script(Hiccup(), Hiccup(), Hiccup()), clock) == 4
    assert clock.slept == [1.0, 2.0, 4.0]


def test_the_last_error_is_raised_as_it_is(clock: SecondsClock) -> None:
    last, script = Hiccup("fourth"), Script(Hiccup(), Hiccup(), Hiccup())
    script.errors += [last, Hiccup("fifth")]
    with pytest.raises(Hiccup, match="fourth") as caught:
        run(script, clock)
    assert caught.value is last
    assert (script.attempts, len(clock.slept)) == (4, 3)


@pytest.mark.parametrize("error", [KeyError("no"), KeyboardInterrupt("no"), Hiccup("no", asked_s=60.5)])
def test_what_does_not_pass_is_raised_at_once(clock: SecondsClock, error: BaseException) -> None:
    script = Script(error)
    with pytest.raises(type(error), match="no"):
        run(script, clock)
    assert (script.attempts, clock.slept) == (1, [])


def test_a_server_is_left_alone_as_long_as_it_asks(clock: SecondsClock) -> None:
    run(Script(Hiccup(asked_s=60.0), Hiccup(asked_s=0.5)), clock)
    assert clock.slept == [60.0, 2.0]


def test_nothing_is_tried_again_that_would_end_after_the_deadline(clock: SecondsClock) -> None:
    script = Script(*[Hiccup()] * 9)
    with pytest.raises(Hiccup, match="hiccup"):
        run(script, clock, replace(POLICY, attempts=math.inf, deadline_s=8.0, last_attempt_s=1.0))
    assert clock.slept == [1.0, 2.0]  # 4 more would leave 1 of 8


def test_time_that_attempts_take_counts_against_the_deadline(clock: SecondsClock) -> None:
    def slow() -> int:
        clock.seconds += 5.0
        raise Hiccup

    with pytest.raises(Hiccup, match="hiccup"):
        run(slow, clock, replace(POLICY, deadline_s=12.0))
    assert clock.slept == [1.0]


def test_an_attempt_that_received_something_is_the_first_of_a_new_row(clock: SecondsClock) -> None:
    sizes, script = [5, 5, 9, 9, 9], Script(*[Hiccup()] * 9)
    with pytest.raises(Hiccup, match="hiccup"):
        run(
            script,
            clock,
            replace(POLICY, attempts=3),
            received=lambda: sizes[script.attempts - 1] if script.attempts else 0,
        )
    assert clock.slept == [1.0, 2.0, 1.0, 2.0]


def test_a_wait_that_is_cancelled_ends_it_all(clock: SecondsClock) -> None:
    def sleep(_: float) -> None:
        raise Cancelled("stopped")

    script = Script(Hiccup(), Hiccup())
    with pytest.raises(Cancelled, match="stopped"):
        with_retries(script, POLICY, "a test", RetryTimes(sleep, clock))
    assert script.attempts == 1


def test_every_retry_is_logged_once_and_in_the_same_form(
    clock: SecondsClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged, logger = list[str](), logging.getLogger("contactsheet")
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    monkeypatch.setattr(logger, "handlers", [handler])  # of no other test, whatever it left
    caplog.set_level(logging.INFO, logger.name)
    run(
        Script(Hiccup("the server failed\n(status 503)"), OSError("https://token@host")),
        clock,
        replace(POLICY, is_transient=lambda _: True),
    )
    assert logged == [
        "a test failed and is tried again failures=1 wait_s=1.0 cause=the server failed (status 503)",
        "a test failed and is tried again failures=2 wait_s=2.0 cause=OSError",
    ]
