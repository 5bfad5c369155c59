from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from core.metrics.image_counts import ImageCounts, delivered_percent


def test_counts_from_many_threads_add_up() -> None:
    counts = ImageCounts()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: counts.add("failed" if number % 10 == 0 else "served"), range(2000)))
    assert counts.totals() == {"served": 1800, "not_found": 0, "failed": 200}


def test_the_delivered_share_is_rounded_down_so_that_100_percent_is_all() -> None:
    assert delivered_percent({"served": 0, "not_found": 0, "failed": 0}) is None
    assert delivered_percent({"served": 9998, "not_found": 1, "failed": 1}) == 99.98
    assert delivered_percent({"served": 999_999, "not_found": 0, "failed": 1}) == 99.99
    assert delivered_percent({"served": 5, "not_found": 0, "failed": 0}) == 100.0
