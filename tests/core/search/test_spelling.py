"""Misspelt words become words of the collection; what is known, or written there, never changes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.queries import Correction
from core.search.collection_words import CollectionWords
from core.search.spelling import corrected
from core.search.stemming import Language
from core.text import plain
from tests.fakes.written import text_columns

VOCABULARY = {"elephant": 3, "penguin": 2, "cafe": 1, "lisbon": 5, "land": 1, "s": 1, "lands": 1, "img": 1, "cat": 4}
KNOWN = frozenset({"here", "dog", "boat", "lists", "risen", "elegant"})
WORDS = st.text(st.sampled_from("abcéß"), min_size=1, max_size=7)


def correct(text: str, vocabulary: Mapping[str, int] = VOCABULARY, known: frozenset[str] = KNOWN) -> Correction | None:
    return corrected(text, vocabulary, known.__contains__)


@pytest.mark.parametrize("typed", ["elephnt", "elepphant", "elephent", "elehpant", "xelephant", "lephant", "elephantt"])
def test_a_letter_less_more_other_or_swapped_is_put_right(typed: str) -> None:
    assert correct(f"an {typed} here") == Correction("an elephant here", ((typed, "elephant"),))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("Elephnt", "elephant"), ("ELEPHNT", "elephant"), ("élephnt", "elephant"), ("caffé", "cafe")],
)
def test_capital_letters_and_accents_are_no_mistakes_and_do_not_hide_one(typed: str, expected: str) -> None:
    assert correct(typed) == Correction(expected, ((typed, expected),))
    assert correct("Elephant") is None
    assert correct("Café") is None
    assert correct("Cafe\u0301") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "elephnnnt",
        "dog",
        "cta",
        "ca",
        "risen lists",
        "Land's",
        "land’s",
        "imgs0004",
        "imgs_0004",
        "0004imgs",
        "x" * 10_000,
        "12345",
        "elephnt2",
    ],
)
def test_two_mistakes_short_words_known_words_and_names_of_files_stay(text: str) -> None:
    assert correct(text) is None


def test_of_several_words_the_most_frequent_is_meant() -> None:
    assert correct("bost", {"best": 1, "boat": 7, "post": 2}, frozenset()) == Correction("boat", (("bost", "boat"),))
    assert correct("bost", {"post": 2, "best": 2}, frozenset()) == Correction("best", (("bost", "best"),))


def test_each_misspelt_word_of_a_text_is_named_and_the_rest_stays_as_it_is() -> None:
    found = correct("A  penguni, dog & “elephnt”?")
    assert found == Correction("A  penguin, dog & “elephant”?", (("penguni", "penguin"), ("elephnt", "elephant")))


@given(st.lists(WORDS, max_size=5), st.sets(WORDS, max_size=5), st.sets(WORDS, max_size=5))
def test_what_is_known_or_written_never_changes(words: list[str], written: set[str], known: set[str]) -> None:
    vocabulary = {plain(word): 1 for word in written}
    found = corrected(" ".join(words), vocabulary, known.__contains__)
    for typed, better in found.words if found else ():
        assert typed not in known
        assert plain(typed) not in vocabulary
        assert better in vocabulary
    if found:
        again = corrected(found.text, vocabulary, known.__contains__)
        assert again is None


def words_of(language: str, *titles: str) -> CollectionWords:
    columns = text_columns(*({"title": title} for title in titles))
    return CollectionWords(lambda: columns, columns.ids, Language(language))


def test_words_of_the_general_list_stay_although_the_collection_has_a_similar_one() -> None:
    words = words_of("English", "A boat", "Reading", "собака", "Hund")
    assert words.corrected("goat coat reading's don't o'clock") is None
    assert words.corrected("boatt") == Correction("boat", (("boatt", "boat"),))


def test_words_in_letters_that_no_list_has_are_not_corrected() -> None:
    assert words_of("English", "собака").corrected("собаки") is None
    assert words_of("Russian", "собака").corrected("ссобака") == Correction("собака", (("ссобака", "собака"),))


def test_a_language_without_a_word_list_corrects_nothing() -> None:
    assert words_of("Arabic", "boat").corrected("boatt") is None
    assert words_of("German", "Mädchen").corrected("Mädchn") == Correction("madchen", (("Mädchn", "madchen"),))


def test_what_may_be_another_language_is_not_corrected() -> None:
    vocabulary = {"hand": 3, "boat": 2}
    assert corrected("Hund im Schnee", vocabulary, lambda word: word in ("im",)) is None
    assert corrected("haand on a boaat", vocabulary, lambda word: word in ("on", "a")) is not None
