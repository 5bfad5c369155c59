"""Guessing the curator key: each wrong one costs more time, for all processes, and says nothing of the key."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.access import Access
from core.errors import TooManyTries
from core.key_guard import DELAY_S, WRONG_BEFORE_DELAY, KeyGuard
from core.settings import Secret
from core.store.sql.rate_limits import RateLimits
from tests.fakes.clock import SecondsClock

RIGHT, WRONG = Secret("correct horse"), Secret("battery staple")


class Guarded:
    """A guard on a data folder, what it told and how long it slept."""

    def __init__(self, folder: Path, clock: SecondsClock) -> None:
        self.wrong: list[str] = []
        self.slept: list[float] = []
        rates = RateLimits(folder / "limits.db", now=clock)
        self.guard = KeyGuard(Access(RIGHT), rates, self.wrong.append, self.slept.append)

    def try_until_refused(self, visitor: str, clock: SecondsClock) -> tuple[int, float]:
        """How many wrong keys are looked at until a visitor has to wait, and for how long."""
        for tries in range(100):
            try:
                assert not self.guard.check(visitor, WRONG)
            except TooManyTries as error:
                return tries, error.wait_s
        raise AssertionError("never refused")


@pytest.fixture
def clock() -> SecondsClock:
    return SecondsClock()


@pytest.fixture
def guarded(tmp_path: Path, clock: SecondsClock) -> Guarded:
    return Guarded(tmp_path, clock)


def test_three_wrong_keys_are_free_then_each_costs_twice_the_time_and_the_tenth_a_quarter_of_an_hour(
    guarded: Guarded, clock: SecondsClock
) -> None:
    tries, wait_s = guarded.try_until_refused("v", clock)
    assert (tries, wait_s) == (3, pytest.approx(2))
    waits = []
    for _ in range(7):
        clock.seconds += wait_s
        tries, wait_s = guarded.try_until_refused("v", clock)
        assert tries == 1
        waits.append(wait_s)
    assert waits == pytest.approx([4, 8, 16, 32, 64, 128, 900])
    clock.seconds += wait_s
    assert guarded.try_until_refused("v", clock) == (1, pytest.approx(900))


def test_who_has_to_wait_is_told_how_long_also_with_the_right_key(guarded: Guarded, clock: SecondsClock) -> None:
    guarded.try_until_refused("v", clock)
    with pytest.raises(TooManyTries, match=r"too many wrong keys: try again in 2 s"):
        guarded.guard.check("v", RIGHT)
    assert guarded.guard.check("another", RIGHT)
    clock.seconds += 2
    assert guarded.guard.check("v", RIGHT)


def test_the_right_key_lets_a_visitor_begin_anew(guarded: Guarded, clock: SecondsClock) -> None:
    for _ in range(2):
        assert not guarded.guard.check("v", WRONG)
    assert guarded.guard.check("v", RIGHT)
    assert guarded.try_until_refused("v", clock)[0] == 3


def test_right_keys_are_never_too_many(guarded: Guarded) -> None:
    assert all(guarded.guard.check("v", RIGHT) for _ in range(30))
    assert guarded.wrong == []


def test_a_restart_and_another_process_go_on_counting(guarded: Guarded, tmp_path: Path, clock: SecondsClock) -> None:
    guarded.try_until_refused("v", clock)
    with pytest.raises(TooManyTries, match="try again in 2 s"):
        Guarded(tmp_path, clock).guard.check("v", RIGHT)


def test_many_tries_at_the_same_moment_are_no_way_around_the_wait(guarded: Guarded) -> None:
    def attempt(_: int) -> bool:
        try:
            guarded.guard.check("v", WRONG)
        except TooManyTries:
            return False
        return True

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(attempt, range(40))) == 3


def test_guesses_from_many_addresses_slow_every_try_and_lock_nobody_out(guarded: Guarded, clock: SecondsClock) -> None:
    for number in range(WRONG_BEFORE_DELAY):
        assert not guarded.guard.check(f"address {number}", WRONG)
    assert guarded.slept == []
    assert guarded.guard.check("curator", RIGHT)
    assert guarded.slept == [DELAY_S]
    clock.seconds += 3601
    assert guarded.guard.check("curator", RIGHT)
    assert guarded.slept == [DELAY_S]


def test_a_wrong_key_is_reported_and_logged_without_the_key(
    guarded: Guarded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    with caplog.at_level(logging.WARNING, "contactsheet"):
        guarded.guard.check("192.0.2.1", WRONG)
        guarded.guard.check("192.0.2.1", RIGHT)
    assert guarded.wrong == ["192.0.2.1"]
    assert "a wrong curator key was entered visitor=192.0.2.1" in caplog.text
    assert WRONG.reveal() not in caplog.text
