from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clusters.views.naming import TermTable, extract_terms, load_common_words, names_from_terms
from core.clusters.views.plurals import join_plurals, singular_of
from core.settings import PROJECT

SOME_WORDS = (
    "boat boats Boat’s canvas canvases gas gases series species movie movies knife knives leaf leaves leave left lit "
    "light sail sailing sails man men goose geese glass glasses ski sky skies mouse mice Haus Häuser bras Paris mais"
)
WORDS = SOME_WORDS.split()
titles = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), max_size=8)
keywords = st.lists(st.sampled_from([*WORDS, "red boats", "red boat", "sailing ships", "x", "s"]), max_size=3)
COMMON = ("leaf", "sky", "glass", "glasses", "mouse", "sailing ship")


def joined(*texts: str, common: tuple[str, ...] = ()) -> set[str]:
    """All terms of pictures with these titles."""
    return set().union(*join_plurals([extract_terms(text, ()) for text in texts], common))


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("boats", "boat"),
        ("buses", "bus"),
        ("canvases", "canvas"),
        ("gases", "gas"),
        ("movies", "movie"),
        ("butterflies", "butterfly"),
        ("knives", "knife"),
        ("wolves", "wolf"),
        ("leaves", "leaf"),
        ("skies", "sky"),
        ("men", "man"),
        ("fishermen", "fisherman"),
        ("children", "child"),
        ("geese", "goose"),
        ("feet", "foot"),
        ("teeth", "tooth"),
        ("mice", "mouse"),
        ("oxen", "ox"),
        ("cacti", "cactus"),
        ("larvae", "larva"),
        ("crises", "crisis"),
        ("quizzes", "quiz"),
        ("hummingbirds", "hummingbird"),
        ("red boats", "red boat"),
    ],
)
def test_plurals_have_a_singular(plural: str, singular: str) -> None:
    assert singular_of(plural) == singular


NOT_PLURALS = (
    "canvas gas bus atlas campus series species iris cactus chess us has was news left lit sailing swimming seen "
    "older best people omen specimen ren spaghetti haus häuser gris trois paris los angeles texas christmas wales' 猫 s"
)


@pytest.mark.parametrize("word", [*NOT_PLURALS.split(), "", "los angeles", "sailing and swimming"])
def test_other_forms_and_languages_have_none(word: str) -> None:
    assert singular_of(word) is None


def test_a_plural_joins_its_singular_where_somebody_wrote_that() -> None:
    assert joined("Two boats", "A boat") == {"boat"}
    assert joined("Boats", "Many boats") == {"boats"}
    assert joined("Canvases", "Canva templates") == {"canvases", "canva", "templates"}
    assert joined("Canvases", "A canvas") == {"canvas"}


def test_a_plural_joins_a_common_word() -> None:
    assert joined("Two boats", common=("boat",)) == {"boat"}


def test_a_common_word_that_is_a_plural_stays() -> None:
    assert joined("Man with glasses", "Glass", common=("glass", "glasses")) == {"man", "glasses", "glass"}


def test_keywords_join_words_of_titles_and_phrases_by_their_last_word() -> None:
    rows = [extract_terms("A boat", ["Red Boats"]), extract_terms("", ["boats", "red boat"])]
    assert join_plurals(rows, ()) == [{"boat", "red boat"}, {"boat", "red boat"}]


def test_words_of_other_languages_stay_as_they_are() -> None:
    written = {"das", "haus", "häuser", "hau", "bras", "sur", "mais", "los", "angeles", "angele", "paris", "pari"}
    assert joined("Das Haus, Häuser, hau", "Bras sur mais", "Los Angeles, Angele, Paris, pari") == written


@given(titles, keywords)
def test_every_name_is_a_form_that_somebody_wrote_or_a_common_word(titles: list[str], keywords: list[str]) -> None:
    table = TermTable.from_terms(join_plurals([extract_terms(title, keywords) for title in titles], COMMON))
    labels = np.arange(len(titles), dtype=np.int32) // 2
    text = "\n".join([*titles, *keywords, *COMMON]).lower()
    for name in names_from_terms(labels, table, len(set(labels))).names:
        assert name is None or name.name.lower() in text
    assert all(term in text for term in table.terms)


@given(titles, keywords)
def test_terms_are_joined_if_and_only_if_their_singular_occurs(titles: list[str], keywords: list[str]) -> None:
    rows = [extract_terms(title, keywords) for title in titles]
    occurring = set(COMMON).union(*rows)
    for before, after in zip(rows, join_plurals(rows, COMMON), strict=True):
        assert after <= occurring
        assert all(singular_of(gone) in after for gone in before - after)
        assert all(term in COMMON or singular_of(term) not in occurring for term in after)


def test_common_words_that_are_plurals_are_kept_on_purpose() -> None:
    words = load_common_words()
    both = {word for word in words if singular_of(word) in words}
    assert both == {"glasses"}


def test_the_dictionary_is_loaded_only_where_clusters_are_named() -> None:
    script = "import sys, core.app, core.cli, pages.clusters.explorer; assert 'simplemma' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)
