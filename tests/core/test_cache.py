from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cache import LruCache, OnceCache


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


def test_what_was_used_last_stays_and_listing_is_no_use() -> None:
    cache = LruCache[str, int](2)
    assert (cache.setdefault("a", 1), cache.setdefault("b", 2), cache.setdefault("a", 9)) == (1, 2, 1)
    cache.setdefault("c", 3)
    assert cache.items() == [("a", 1), ("c", 3)]
    assert cache.get("a") == 1
    cache.setdefault("d", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.get("d")) == (1, None, None, 4)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8))), st.integers(1, 5))
def test_a_cache_holds_the_keys_used_last(steps: list[tuple[bool, int]], max_entries: int) -> None:
    cache, used = LruCache[int, str](max_entries), list[int]()
    for stores, key in steps:
        found = cache.setdefault(key, str(key)) if stores else cache.get(key)
        assert found == (str(key) if stores or key in used else None)
        if found is not None:
            used = [*(other for other in used if other != key), key][-max_entries:]
    assert [key for key, _ in cache.items()] == used


def test_threads_never_see_more_than_fits_nor_another_keys_value() -> None:
    cache = LruCache[int, int](16)

    def work(seed: int) -> bool:
        keys = [(seed * 31 + i * 7) % 64 for i in range(2_000)]
        return all(cache.setdefault(key, key) == key and len(cache.items()) <= 16 for key in keys)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))
