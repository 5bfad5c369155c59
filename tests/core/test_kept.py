from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.kept import Kept


class Maker:
    """Makes a new object each time, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> object:
        self.made += 1
        return object()


def test_what_was_made_once_is_shared() -> None:
    kept, make = Kept(2), Maker()
    assert kept.once("a", make) is kept.once("a", make)
    assert kept.once("b", make) is not kept.once("a", make)
    assert make.made == 2


def test_the_values_used_last_stay() -> None:
    kept, make = Kept(2), Maker()
    first, _ = kept.once("a", make), kept.once("b", make)
    assert kept.once("a", make) is first
    kept.once("c", make)
    assert kept.once("a", make) is first
    kept.once("b", make)
    assert make.made == 4


def test_what_could_not_be_made_is_made_the_next_time() -> None:
    kept, make = Kept(2), Maker()

    def fail() -> object:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        kept.once("a", fail)
    assert kept.once("a", lambda: None) is None
    assert kept.once("a", make) is kept.once("a", make)


def test_many_threads_that_want_the_same_wait_for_one_that_makes_it() -> None:
    kept, begun, go_on, made = Kept(2), threading.Event(), threading.Event(), []

    def make() -> object:
        made.append(object())
        begun.set()
        assert go_on.wait(10)
        return made[-1]

    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(kept.once, "a", make) for _ in range(4)]
        assert begun.wait(10)
        other = threads.submit(kept.once, "b", lambda: "at once").result(10)
        go_on.set()
        assert {id(one.result(10)) for one in waiting} == {id(made[0])}
    assert (other, len(made)) == ("at once", 1)


def test_a_value_may_be_made_from_another_one_that_is_kept() -> None:
    kept = Kept(2)
    assert kept.once("sum", lambda: kept.once("part", lambda: 20) + 1) == 21
