"""Weak labels from what people downloaded after they searched."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from core.quality.weak import Least, weak_labels


class Conversion(NamedTuple):
    keyword: str
    photo_id: str


ASSETS = {f"p{n}": f"{n:064x}" for n in range(6)}


def conversions(**searches: dict[str, int]) -> list[Conversion]:
    return [
        Conversion(keyword.replace("_", " "), photo_id)
        for keyword, photos in searches.items()
        for photo_id, count in photos.items()
        for _ in range(count)
    ]


def test_photos_downloaded_often_enough_after_a_search_answer_it() -> None:
    found = weak_labels(conversions(red_fox={"p1": 3, "p2": 2, "p3": 1}), ASSETS, Least(downloads=2, photos=2))
    (query,) = found.queries
    assert (query.query, query.kind, query.note) == ("red fox", "conversion", "5 downloads")
    assert query.relevant == {ASSETS["p1"]: 1, ASSETS["p2"]: 1}


def test_searches_are_one_whatever_their_case_and_spaces() -> None:
    told = [Conversion(" Red  Fox", "p1"), Conversion("red fox", "p1"), Conversion("RED FOX ", "p2")]
    (query,) = weak_labels(told, ASSETS, Least(1, 2)).queries
    assert query.query == "red fox"


def test_searches_with_too_few_photos_and_photos_of_other_collections_are_left_out() -> None:
    told = conversions(fox={"p1": 5, "elsewhere": 9}, dog={"p1": 1, "p2": 1}, **{"": {"p1": 9, "p2": 9}})
    assert weak_labels(told, ASSETS, Least(downloads=2, photos=2)).queries == ()


def test_the_most_downloaded_searches_come_first_and_are_all_that_is_kept() -> None:
    told = conversions(a={"p1": 2, "p2": 2}, b={"p1": 9, "p2": 2}, c={"p3": 2, "p2": 2})
    found = weak_labels(told, ASSETS, Least(2, 2, queries=2))
    assert [query.query for query in found.queries] == ["b", "a"]
    assert [query.id for query in found.queries] == ["c0001", "c0002"]


@given(st.lists(st.builds(Conversion, st.sampled_from(["x", "y", "z"]), st.sampled_from(sorted(ASSETS)))))
def test_the_order_of_the_table_makes_no_difference(told: list[Conversion]) -> None:
    assert weak_labels(told, ASSETS, Least(1, 1)) == weak_labels(told[::-1], ASSETS, Least(1, 1))
