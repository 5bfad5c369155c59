"""Counts of what was done of late: exact over threads and processes, over with their window, bounded."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.store.sql.rate_limits import ROWS_BETWEEN_CHECKS, RateLimits
from tests.fakes.child_processes import FORKS
from tests.fakes.clock import SecondsClock

PATIENCE_S = 120.0
PROCESSES, TRIES_EACH, LIMIT = 4, 50, 30


@pytest.fixture
def clock() -> SecondsClock:
    return SecondsClock()


@pytest.fixture
def rates(tmp_path: Path, clock: SecondsClock) -> RateLimits:
    return RateLimits(tmp_path / "limits.db", now=clock)


def test_so_many_are_allowed_in_a_window_and_then_the_wait_is_told(rates: RateLimits, clock: SecondsClock) -> None:
    assert [rates.take("search", "a", 2, 60) for _ in range(2)] == [None, None]
    clock.seconds += 20
    assert rates.take("search", "a", 2, 60) == pytest.approx(40)
    clock.seconds += 40
    assert rates.take("search", "a", 2, 60) is None


def test_a_clock_that_is_set_back_makes_nobody_wait_for_a_day(rates: RateLimits, clock: SecondsClock) -> None:
    rates.take("search", "a", 1, 60)
    clock.seconds -= 86_400
    waited = rates.take("search", "a", 1, 60)
    assert waited is not None
    assert waited <= 3600


def test_a_refused_try_does_not_count(rates: RateLimits, clock: SecondsClock) -> None:
    assert rates.take("search", "a", 1, 60) is None
    for _ in range(5):
        assert rates.take("search", "a", 1, 60) is not None
    assert rates.count("search", "a", 60) == 1


def test_keys_and_kinds_do_not_mix(rates: RateLimits) -> None:
    assert rates.take("search", "a", 1, 60) is None
    assert rates.take("search", "b", 1, 60) is None
    assert rates.take("upload", "a", 1, 60) is None
    assert rates.take("search", "a", 1, 60) is not None


def test_a_limit_of_nothing_allows_nothing(rates: RateLimits) -> None:
    assert rates.take("search", "a", 0, 60) == 60


def test_what_is_over_is_removed_and_no_key_is_kept(rates: RateLimits, clock: SecondsClock, tmp_path: Path) -> None:
    for number in range(20):
        rates.take("search", f"visitor:192.0.2.{number}", 5, 60)
    clock.seconds += 61
    rates.take("search", "visitor:192.0.2.99", 5, 60)
    with closing(sqlite3.connect(tmp_path / "limits.db")) as db:
        assert db.execute("SELECT count(*) FROM counts").fetchone() == (1,)
    files = [file.read_bytes() for file in tmp_path.glob("limits.db*")]
    assert files
    assert not any(b"192.0.2" in content for content in files)


def test_the_number_of_keys_is_bounded(tmp_path: Path, clock: SecondsClock) -> None:
    rates = RateLimits(tmp_path / "limits.db", max_rows=100, now=clock)
    for number in range(100 + 2 * ROWS_BETWEEN_CHECKS):
        clock.seconds += 0.001
        rates.take("search", str(number), 5, 3600)
    with closing(sqlite3.connect(tmp_path / "limits.db")) as db:
        (rows,) = db.execute("SELECT count(*) FROM counts").fetchone()
    assert rows <= 100 + ROWS_BETWEEN_CHECKS
    assert rates.count("search", str(99 + 2 * ROWS_BETWEEN_CHECKS), 3600) == 1  # the newest are kept


def test_a_penalty_blocks_the_next_try_and_longer_each_time(rates: RateLimits, clock: SecondsClock) -> None:
    waits = []
    for _ in range(3):
        assert rates.penalize("key", "a", 3600, lambda tries: 10.0 * tries) is None
        waits.append(rates.penalize("key", "a", 3600, lambda tries: 10.0 * tries))
        clock.seconds += waits[-1] or 0
    assert waits == pytest.approx([10, 20, 30])
    rates.forget("key", "a")
    assert rates.count("key", "a", 3600) == 0


def test_a_pause_outlasts_the_window_that_it_began_in(rates: RateLimits, clock: SecondsClock) -> None:
    assert rates.penalize("key", "a", 60, lambda _: 900.0) is None
    clock.seconds += 100
    assert rates.penalize("key", "a", 60, lambda _: 900.0) == pytest.approx(800)


def test_many_threads_get_exactly_what_is_allowed(tmp_path: Path) -> None:
    rates = RateLimits(tmp_path / "limits.db")
    with ThreadPoolExecutor(8) as people:
        waits = list(people.map(lambda _: rates.take("search", "a", LIMIT, 3600), range(100)))
    assert waits.count(None) == LIMIT


def _try_once_all_are_ready(path: Path, ready: Any, results: Any) -> None:
    rates = RateLimits(path)
    ready.wait(PATIENCE_S)
    results.put([rates.take("search", "a", LIMIT, 3600) is None for _ in range(TRIES_EACH)])


def test_many_processes_get_exactly_what_is_allowed(tmp_path: Path) -> None:
    ready, results = FORKS.Barrier(PROCESSES), FORKS.Queue()
    arguments = (tmp_path / "limits.db", ready, results)
    processes = [FORKS.Process(target=_try_once_all_are_ready, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    allowed = [taken for _ in processes for taken in results.get(timeout=PATIENCE_S)]
    for process in processes:
        process.join(PATIENCE_S)
    assert len(allowed) == PROCESSES * TRIES_EACH
    assert sum(allowed) == LIMIT
    assert RateLimits(tmp_path / "limits.db").count("search", "a", 3600) == LIMIT  # also after a restart
