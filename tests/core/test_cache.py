from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.cache import OnceCache


class Factory:
    """Creates a new object at each call, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        return object()


def test_a_value_is_created_once_and_shared() -> None:
    cache, create = OnceCache(2), Factory()
    assert cache.get_or_create("a", create) is cache.get_or_create("a", create)
    assert cache.get_or_create("b", create) is not cache.get_or_create("a", create)
    assert create.calls == 2


def test_the_least_recently_used_value_is_evicted() -> None:
    cache, create = OnceCache(2), Factory()
    first, _ = cache.get_or_create("a", create), cache.get_or_create("b", create)
    assert cache.get_or_create("a", create) is first
    cache.get_or_create("c", create)
    assert cache.get_or_create("a", create) is first
    cache.get_or_create("b", create)
    assert create.calls == 4


def test_a_value_that_could_not_be_created_is_created_the_next_time() -> None:
    cache, create = OnceCache(2), Factory()

    def fail() -> object:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        cache.get_or_create("a", fail)
    assert cache.get_or_create("a", lambda: None) is None
    assert cache.get_or_create("a", create) is cache.get_or_create("a", create)


def test_threads_that_request_the_same_key_wait_for_the_one_that_creates_it() -> None:
    cache, started, proceed, created = OnceCache(2), threading.Event(), threading.Event(), []

    def create() -> object:
        created.append(object())
        started.set()
        assert proceed.wait(10)
        return created[-1]

    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(cache.get_or_create, "a", create) for _ in range(4)]
        assert started.wait(10)
        other = threads.submit(cache.get_or_create, "b", lambda: "at once").result(10)
        proceed.set()
        assert {id(one.result(10)) for one in waiting} == {id(created[0])}
    assert (other, len(created)) == ("at once", 1)


def test_a_value_may_be_created_from_another_cached_one() -> None:
    cache = OnceCache(2)
    assert cache.get_or_create("sum", lambda: cache.get_or_create("part", lambda: 20) + 1) == 21
