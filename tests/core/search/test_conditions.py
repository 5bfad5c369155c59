"""Conditions as rows: by values, by words of texts, by ratings and periods, and what a collection does not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.created_time import CreatedTime
from core.records.written_dates import parse_period
from core.search.conditions import condition_mask, conditions_mask, unknown_condition_values
from core.search.filters import FilterColumns, to_microseconds
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.store.lance.folded_texts import FoldedTexts, folded_text
from core.store.lance.snapshot import Snapshot
from core.text import plain_words

TAKEN = ("1998-09-03", "1998", "1990s", "", "2004-01-01")
RATINGS = (5, 3, -1, Snapshot.NO_NUMBER, 0)


def snapshot() -> Snapshot:
    """Five pictures: dated to the day, the year, the decade, not at all, and later; rated or not."""
    count = len(TAKEN)
    dates: list[CreatedTime | None] = [parse_period(text) if text else None for text in TAKEN]
    return Snapshot(
        version="v",
        ids=tuple(f"{n:04x}" for n in range(count)),
        vectors=np.zeros((count, 4), np.float32),
        titles=("Red boat", "A boat", "", "Boathouse", "Ada’s café"),
        sources=(("trip",),) * count,
        keywords=(("Dog", "dog house"), ("dog house",), ("hot dog", "house"), (), ("Café",)),
        people=(("Ada",), ("Zoë Müller",), (), ("Ada Lovelace",), ("Bob", "Ada")),
        places=(("Lisbon", "Portugal"), ("New York",), ("York",), (), ("Łódź",)),
        cameras=("NIKON D70", "NIKON D700", "", "Canon", "nikon d70"),
        authors=("", "Ada Lovelace", "Bob", "", ""),
        rating=np.array(RATINGS),
        has_gps=np.zeros(count, bool),
        width=np.ones(count, np.int32),
        height=np.ones(count, np.int32),
        created_us=np.array([to_microseconds(d.start) if d else Snapshot.NO_NUMBER for d in dates]),
        created_end_us=np.array([to_microseconds(d.end) if d else Snapshot.NO_NUMBER for d in dates]),
        ingested_us=np.zeros(count, np.int64),
    )


COLUMNS = FilterColumns(snapshot())
TEXTS = FoldedTexts(
    {
        "title": pa.array([folded_text([title]) for title in snapshot().titles]),
        "keyword": pa.array([folded_text(words) for words in snapshot().keywords]),
        "name": pa.array([folded_text([f"DSC_000{n}.jpg"]) for n in range(5)]),
        "description": pa.array([None, " a herd of gnus ", None, None, None]),
    }
)


def rows(text: str, texts: FoldedTexts | None = TEXTS) -> list[int]:
    mask = conditions_mask(parse(text, this_year=2026).query.conditions, COLUMNS, texts)
    assert mask is not None
    assert mask.shape == (5,)
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("keyword:dog", [0]),  # a keyword of its own before those it is a part of
        ("keyword:house", [2]),
        ('keyword:"dog house"', [0, 1]),
        ("keyword:cafe", [4]),
        ("person:ada", [0, 4]),
        ("person:Muller", [1]),
        ("person:lovelace", [3]),
        ("place:York", [2]),
        ('place:"new york"', [1]),
        ("place:lodz", [4]),
        ("camera:nikon", [0, 1, 4]),
        ("camera:D70", [0, 4]),
        ("source:trip", [0, 1, 2, 3, 4]),
        ("source:other", []),
        ("-person:Ada", [1, 2, 3]),
        ("-person:Nobody", [0, 1, 2, 3, 4]),
        ("title:boat", [0, 1]),
        ("-title:boat", [2, 3, 4]),
        ("title:cafe", [4]),
        ("name:DSC_0004", [4]),
        ("name:0004", [4]),
        ("author:Lovelace", [1]),
        ('"red boat"', [0]),
        ('"hot dog"', [2]),
        ('"dog house"', [0, 1]),
        ('"dog house" title:boat -keyword:Dog', [1]),
        ("description:gnus", [1]),
        ("description:anything", []),
        ("rating:5", [0]),
        ("rating:>=3", [0, 1]),
        ("rating:<3", [2, 4]),
        ("-rating:3-5", [2, 3, 4]),
        ("1998", [0, 1]),
        ("1998-09", [0]),
        ("1990s", [0, 1, 2]),
        ("before:2000", [0, 1, 2]),
        ("after:2000", [4]),
        ("-1998", [2, 3, 4]),
    ],
)
def test_the_rows_that_meet_what_was_typed(text: str, found: list[int]) -> None:
    assert rows(text) == found


def test_without_texts_exact_words_are_found_in_values_only() -> None:
    assert rows('"dog house"', None) == [0, 1]
    assert rows('"red boat"', None) == []
    assert rows("title:boat", None) == []


def test_no_condition_is_no_mask() -> None:
    assert conditions_mask((), COLUMNS, TEXTS) is None


def test_words_are_not_found_across_two_values() -> None:
    texts = FoldedTexts({"keyword": pa.chunked_array([[folded_text(["red", "boat"])], [folded_text(["red boat"])]])})
    found = texts.rows_with("red boat", "any")
    assert found is not None
    assert found.tolist() == [False, True]


WORDS = st.lists(st.sampled_from(["red", "boat", "Café", "x1", "猫", "im Haus", "-"]), min_size=1, max_size=3).map(
    " ".join
)


@given(st.lists(st.lists(WORDS, max_size=3), min_size=1, max_size=5), WORDS.filter(plain_words))
def test_the_rows_are_those_with_the_words_side_by_side(values: list[list[str]], words: str) -> None:
    def has(text: str) -> bool:
        found, wanted = plain_words(text).split(), plain_words(words).split()
        return any(found[start : start + len(wanted)] == wanted for start in range(len(found)))

    texts = FoldedTexts({"title": pa.array([folded_text(texts) for texts in values])})
    found = texts.rows_with(words, "title")
    assert found is not None
    assert found.tolist() == [any(map(has, texts)) for texts in values]


@pytest.mark.parametrize("text", ["1998", "rating:>3", "title:boat", "person:ada", '"dog house"', "author:nobody"])
def test_what_is_excluded_is_exactly_the_rest(text: str) -> None:
    (condition,) = parse(text).query.conditions
    kept, left = (condition_mask(replace(condition, excluded=out), COLUMNS, TEXTS) for out in (False, True))
    assert np.array_equal(left, ~kept)


def test_values_that_do_not_exist_are_named_with_the_nearest() -> None:
    names = CollectionNames(COLUMNS.facets())
    query = parse('person:Adda place:york -camera:leica keyword:hot title:nothing rating:2 "no such words"').query
    assert unknown_condition_values(names, query) == ["person ‘Adda’ (did you mean Ada?)", "camera ‘leica’"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada’s CAFÉ, 1998", "ada s cafe 1998"),
        ("DSC_0004.jpg", "dsc 0004 jpg"),
        ("Łódź Straße Ærø", "lodz strasse aero"),
        ("ﬁne", "fine"),
        ("東京タワー", "東 京 タ ワ ー"),
        ("हिन्दी", "हिन्दी"),
        ("한국", "한국"),
        ("й и", "и и"),
        ("…", ""),
    ],
)
def test_plain_words(text: str, words: str) -> None:
    assert plain_words(text) == words


@given(st.text())
def test_plain_words_are_plain_already(text: str) -> None:
    assert plain_words(plain_words(text)) == plain_words(text)
