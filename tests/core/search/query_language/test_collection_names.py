"""Plain sentences: what a collection has becomes a condition, everything else stays what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.queries import Query, RatingCondition, TextCondition, Wish
from core.search.filters import Facets
from core.search.query_language.collection_names import CollectionNames
from core.search.query_language.parser import parse
from core.search.query_language.writer import as_typed, write_condition

FACETS = Facets(
    sources=(("holiday", 1), ("boats", 1)),
    keywords=(("boat", 3), ("harbour", 1)),
    orientations=(),
    earliest=None,
    latest=None,
    people=(("Ada", 4), ("Zoë Müller", 1), ("Rose", 1)),
    places=(("Lisbon", 5), ("York", 1), ("New York", 2), ("Nice", 1), ("Saint-Denis", 1), ("Łódź", 1)),
    cameras=(("NIKON D70", 2), ("Leica", 1)),
    years=((2004, 2), (1998, 1), (1932, 1)),
    rated=3,
    authors=(("Ada Lovelace", 1), ("Ada", 2)),
)
NAMES = CollectionNames(FACETS)
NOTHING = CollectionNames(Facets((), (), (), None, None))


def read(text: str) -> tuple[str, list[str]]:
    """The words that pixels are asked for, and the conditions as they are written."""
    query = parse(text, NAMES, this_year=2026).query
    return query.words, [write_condition(condition) for condition in query.conditions]


@pytest.mark.parametrize(
    ("text", "words", "conditions"),
    [
        ("red boats in Lisbon 2004", "red boats", ["place:Lisbon", "date:2004"]),
        ("photos by Ada from the 1930s", "", ["author:Ada", "date:1930s"]),
        ("portraits of Ada", "portraits", ["person:Ada"]),
        ("portraits of ada and dogs", "portraits and dogs", ["person:Ada"]),
        ("portraits of zoe muller", "portraits", ['person:"Zoë Müller"']),
        ("Ada at the beach", "at the beach", ["person:Ada"]),
        ("streets in new york at night", "streets at night", ['place:"New York"']),
        ("streets in York", "streets", ["place:York"]),
        ("a church in Saint-Denis", "a church", ['place:"Saint-Denis"']),
        ("trams in Lodz", "trams", ["place:Łódź"]),
        ("taken with a nikon d70", "", ['camera:"NIKON D70"']),
        ("photos from holiday", "", ["source:holiday"]),
        ("four stars", "", ["rating:4"]),
        ("dogs, at least three stars", "dogs", ["rating:>=3"]),
        ("4+ stars", "", ["rating:>=4"]),
        ("3 stars or more", "", ["rating:>=3"]),
        ("lisbon", "", ["place:Lisbon"]),
        ("boats in Lisbon and New York", "boats and", ["place:Lisbon", 'place:"New York"']),
        ("in Lisbon and New York", "", ["place:Lisbon", 'place:"New York"']),
        ("place:new york at night", "at night", ['place:"new york"']),
        ("-camera:nikon d70, dogs", "dogs", ['-camera:"nikon d70"']),
        ("person:zoe dancing", "dancing", ["person:zoe"]),
        ("title:new york", "york", ["title:new"]),
        ("boats not in Lisbon", "boats", ["-place:Lisbon"]),
        ("portraits of Müller", "portraits", ["person:Müller"]),
        ("dogs with Zoe, asleep", "dogs asleep", ["person:Zoe"]),
        ("dogs by Lovelace", "dogs", ["author:Lovelace"]),
        ("dogs, not by Ada", "dogs", ["-author:Ada"]),
        ("old views of Lisbon", "old views", ["place:Lisbon"]),
    ],
)
def test_what_the_collection_has_is_a_condition(text: str, words: str, conditions: list[str]) -> None:
    assert read(text) == (words, conditions)


@pytest.mark.parametrize(
    "text",
    [
        "a nice dog",
        "in nice weather",
        "a rose in a vase",
        "a Leica on a table",
        "boats",
        "boat in a harbour",
        "Lisbon or York",
        "the Bay of Lisbon",
        "a statue of Müller",
        "dogs by lovelace",
        "dogs by Nobody",
        "red boats in Porto 2003",
        "boats in 1999",
        "six stars",
        "a starry night",
    ],
)
def test_words_that_mean_something_else_stay_words(text: str) -> None:
    assert read(text) == (text, [])


def test_nothing_is_guessed_about_a_collection_without_names_dates_and_ratings() -> None:
    for text in ("red boats in Lisbon 2004", "four stars", "photos by Ada from the 1930s"):
        assert parse(text, NOTHING).query == Query((Wish(text),))


def test_marks_say_what_is_meant_whatever_the_collection_has() -> None:
    query = parse("place:Porto date:1890 rating:2", NOTHING).query
    assert len(query.conditions) == 3
    assert TextCondition("Porto", "place") in query.conditions
    assert RatingCondition(2, 2) in query.conditions


def test_a_guess_is_told_from_what_was_marked_and_made_words_again() -> None:
    text = "boats in Lisbon place:York four stars"
    guessed = [part for part in parse(text, NAMES).parts if part.guessed]
    assert [(text[part.start : part.end], part.label) for part in guessed] == [
        ("in Lisbon", "place: Lisbon"),
        ("four stars", "rating: 4"),
    ]
    again = parse(as_typed(text, guessed[0]), NAMES).query
    assert again.wishes == (Wish("boats in Lisbon"),)
    assert len(again.conditions) == 2


def test_as_typed_guesses_nothing() -> None:
    text = "red boats in Lisbon 2004"
    assert parse(text, NAMES, as_typed=True).query == Query((Wish(text),))


WORDS = ["red", "in", "of", "by", "with", "a", "Lisbon", "new", "york", "Ada", "four", "stars", "2004", "or", ",", "-x"]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_every_guess_can_be_taken_back(text: str) -> None:
    for _ in text.split():
        guessed = [part for part in parse(text, NAMES).parts if part.guessed]
        if not guessed:
            break
        text = as_typed(text, guessed[0])
    assert not [part for part in parse(text, NAMES).parts if part.guessed]


@given(st.text(max_size=60))
def test_any_text_is_read_beside_any_names(text: str) -> None:
    odd = CollectionNames(
        Facets(((text, 1),), (), (), None, None, people=((text, 1), ("", 1)), places=((text[:9], 1),))
    )
    parts = parse(f"in {text} {text}", odd).parts
    assert [part.start for part in parts] == sorted(part.start for part in parts)
