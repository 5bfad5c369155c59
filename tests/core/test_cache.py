from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.cache import OnceCache


class Maker:
    """Makes a new object each time, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> object:
        self.made += 1
        return object()


def test_what_was_made_once_is_shared() -> None:
    kept, make = OnceCache(2), Maker()
    assert kept.get_or_create("a", make) is kept.get_or_create("a", make)
    assert kept.get_or_create("b", make) is not kept.get_or_create("a", make)
    assert make.made == 2


def test_the_values_used_last_stay() -> None:
    kept, make = OnceCache(2), Maker()
    first, _ = kept.get_or_create("a", make), kept.get_or_create("b", make)
    assert kept.get_or_create("a", make) is first
    kept.get_or_create("c", make)
    assert kept.get_or_create("a", make) is first
    kept.get_or_create("b", make)
    assert make.made == 4


def test_what_could_not_be_made_is_made_the_next_time() -> None:
    kept, make = OnceCache(2), Maker()

    def fail() -> object:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        kept.get_or_create("a", fail)
    assert kept.get_or_create("a", lambda: None) is None
    assert kept.get_or_create("a", make) is kept.get_or_create("a", make)


def test_many_threads_that_want_the_same_wait_for_one_that_makes_it() -> None:
    kept, begun, go_on, made = OnceCache(2), threading.Event(), threading.Event(), []

    def make() -> object:
        made.append(object())
        begun.set()
        assert go_on.wait(10)
        return made[-1]

    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(kept.get_or_create, "a", make) for _ in range(4)]
        assert begun.wait(10)
        other = threads.submit(kept.get_or_create, "b", lambda: "at once").result(10)
        go_on.set()
        assert {id(one.result(10)) for one in waiting} == {id(made[0])}
    assert (other, len(made)) == ("at once", 1)


def test_a_value_may_be_made_from_another_one_that_is_kept() -> None:
    kept = OnceCache(2)
    assert kept.get_or_create("sum", lambda: kept.get_or_create("part", lambda: 20) + 1) == 21
