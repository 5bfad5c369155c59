"""Which characters of a picture's texts are marked for a query."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.assets import Asset, Location
from core.records.descriptions import Description, Place
from core.search.collection_words import CollectionWords
from core.search.found_words import WordFinder
from core.search.stemming import Language
from tests.fakes.written import text_columns

DECOMPOSED = unicodedata.normalize("NFD", "Mädchen im Café")


def asset(about: Description, *uris: str) -> Asset:
    return Asset("0" * 64, tuple(Location(uri) for uri in uris), about, 1, 1, datetime(2026, 1, 1, tzinfo=UTC))


def marked(query: str, text: str, language: str = "English") -> list[str]:
    """The words that are marked in a title, where the collection has no other text."""
    return _words(_finder(query, text, "title", language), asset(Description(title=text)))


def marked_name(query: str, name: str) -> list[str]:
    return _words(_finder(query, name, "name"), asset(Description(), f"/photos/{name}.jpg"))


def _finder(query: str, text: str, field: str, language: str = "English") -> WordFinder:
    columns = text_columns({field: text})
    spoken = Language(language)
    return WordFinder(query, spoken, CollectionWords(lambda: columns, columns.ids, spoken).is_telling)


def _words(finder: WordFinder, picture: Asset) -> list[str]:
    return [word for text in finder.texts(picture) for word in text.words]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("dog", "Two DOGS, a dog and a hot-dog", ["DOGS", "dog", "dog"]),
        ("running", "He runs; we run", ["runs", "run"]),
        ("cafe", "Le Café du Cafe", ["Café", "Cafe"]),
        ("Café", "at the cafe", ["cafe"]),
        ("madchen", DECOMPOSED, [DECOMPOSED.split()[0]]),
        ("CAFÉ", DECOMPOSED, [DECOMPOSED.split()[2]]),
        ("strasse", "Straße 7", ["Straße"]),
        ("istanbul", "In İstanbul", ["İstanbul"]),
        ("the dog", "The dog in the sun", ["dog"]),
        ("Ada's dog", "Ada's brother's dog", ["Ada", "dog"]),
        ("猫", "猫がいる", ["猫"]),
        ("猫が", "その猫は子猫", ["猫", "猫"]),
        ("写真", "子猫の写真", ["写真"]),
        ("किताब", "हिन्दी किताब", ["किताब"]),
        ("theat", "The theatre", ["theat"]),
        ("the", "The theatre", []),
        ("boat", "A dog", []),
        ("", "A dog", []),
    ],
)
def test_the_words_that_were_found_are_marked_as_they_stand_there(query: str, text: str, expected: list[str]) -> None:
    assert marked(query, text) == expected


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("mothr", "Ada's mother", ["mother"]),
        ("theatr", "Le Théâtre", ["Théâtre"]),
        ("tower", "The watchtower", ["tower"]),
        ("shark", "Sharp rocks", []),
        ("clock", "A block of houses", []),
    ],
)
def test_where_no_word_is_found_others_that_have_its_parts_are_found_and_marked(
    query: str, text: str, expected: list[str]
) -> None:
    columns = text_columns({"title": text})
    assert len(CollectionWords(lambda: columns, columns.ids, Language()).matches(query).rows) == bool(expected)
    assert marked(query, text) == expected


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("DSC_0004", "DSC_0004", ["DSC", "0004"]),
        ("0004", "DSC_0004", ["0004"]),
        ("0005", "IMG0005", ["0005"]),
        ("IMG0005", "IMG0005", ["IMG0005"]),
        ("boats", "redBoatLisbon", ["Boat"]),
        ("red lisbon", "redBoatLisbon", ["red", "Lisbon"]),
        ("trip 20040503", "20040503trip", ["20040503", "trip"]),
    ],
)
def test_parts_of_a_file_name_are_marked(query: str, name: str, expected: list[str]) -> None:
    assert marked_name(query, name) == expected


def test_texts_come_by_field_in_reading_order_and_each_value_once() -> None:
    about = Description(
        title="A dog",
        headline="Dogs at sea",
        description="Nothing",
        keywords=("dog", "cat"),
        hierarchies=("Animals|dog",),
        people=("Dog Walker",),
        place=Place(city="Dogville", country="Isle of Dogs"),
        author="D. Dog",
        credit="D. Dog",
    )
    picture = asset(about, "/a/dog.jpg", "/b/dog.jpg")
    found = [(text.field, text.text) for text in _finder("dog", "dog", "title").texts(picture)]
    assert found == [
        ("title", "A dog"),
        ("title", "Dogs at sea"),
        ("keyword", "dog"),
        ("person", "Dog Walker"),
        ("place", "Dogville, Isle of Dogs"),
        ("author", "D. Dog"),
        ("name", "dog.jpg"),
    ]


@given(
    st.text(st.sampled_from("aAbs İßŁé\u0301猫がिक'’-_7🐶"), max_size=8),
    st.text(st.sampled_from("aAbs İßŁé\u0301猫がिक'’-_7🐶"), max_size=20),
    st.booleans(),
)
def test_marks_lie_in_order_within_the_text_and_never_over_each_other(query: str, text: str, telling: bool) -> None:
    picture = asset(Description(title=text, keywords=(text,)), "/a/x")
    for found in WordFinder(query, Language(), lambda _: telling).texts(picture):
        edges = [edge for span in found.spans for edge in span]
        assert edges == sorted(edges)
        assert all(start < end for start, end in found.spans)
        assert 0 <= edges[0] < edges[-1] <= len(found.text)


def test_a_text_with_letters_whose_small_form_is_longer_has_its_whole_words_marked() -> None:
    assert marked("dog", "İİİ dog") == ["dog"]
    assert marked("猫", "İ 猫") == ["猫"]
