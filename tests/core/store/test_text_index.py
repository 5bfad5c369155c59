"""Full-text search over a collection: names of files, accents, scripts without blanks, parts of words, odd queries."""

from __future__ import annotations

import csv
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.search.stemming import Language
from core.settings import PROJECT
from core.store.lance.text_columns import FIELDS, TextColumns
from core.store.lance.text_index import TextIndex
from core.text import WORD
from tests.fakes.written import text_columns

ROWS = {
    "names": {"name": "DSC_0004"},
    "glued": {"name": "IMG0005"},
    "camel": {"name": "redBoatLisbon"},
    "dogs": {"title": "Two dogs and a cat running", "keyword": "animals"},
    "theatre": {"description": "In the theatre"},
    "café": {"title": "Le café des élèves"},
    "decomposed": {"name": unicodedata.normalize("NFD", "Mädchen im Café")},
    "letters": {"place": "İstanbul, Straße, Łódź"},
    "kitten": {"title": "子猫の写真"},
    "cat": {"title": "猫がいる"},
    "roof": {"title": "หลังคา"},
    "hindi": {"title": "हिन्दी किताब"},
    "possessive": {"person": "Ada's mother"},
    "dated": {"name": "20040503trip"},
    "hash": {"name": "0123456789abcdef" * 4},
}
INDEX = TextIndex(text_columns(*ROWS.values()))


def found(query: str, index: TextIndex = INDEX, every_word: bool = False) -> set[str]:
    return {list(ROWS)[row] for row in index.matches(query, every_word).rows}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DSC_0004", {"names"}),
        ("dsc 0004", {"names"}),
        ("0004", {"names"}),
        ("IMG0005", {"glued"}),
        ("0005", {"glued"}),
        ("redBoatLisbon", {"camel"}),
        ("boat", {"camel"}),
        ("CAFE", {"café", "decomposed"}),
        (unicodedata.normalize("NFD", "Café"), {"café", "decomposed"}),
        ("mädchen", {"decomposed"}),
        ("madchen", {"decomposed"}),
        ("Eleves", {"café"}),
        ("istanbul", {"letters"}),
        ("İSTANBUL", {"letters"}),
        ("strasse", {"letters"}),
        ("lodz", {"letters"}),
        ("猫", {"cat"}),
        ("猫が", {"cat"}),
        ("写真", {"kitten"}),
        ("หลังคา", {"roof"}),
        ("किताब", {"hindi"}),
        ("run", {"dogs"}),
        ("animal", {"dogs"}),
        ("trip", {"dated"}),
        ("20040503", {"dated"}),
        ("0123456789abcdef" * 4, {"hash"}),
    ],
)
def test_pictures_are_found_by_words_however_they_are_written(query: str, expected: set[str]) -> None:
    assert found(query) == expected


@pytest.mark.parametrize("word", ["dog", "cat", "dogs"])
def test_words_that_are_frequent_in_other_languages_are_looked_for(word: str) -> None:
    assert found(word) == {"dogs"}
    assert INDEX.has(word)


@pytest.mark.parametrize("query", ["the", "in the", "The, and a", "of"])
def test_the_most_frequent_words_of_the_language_alone_find_nothing_not_even_as_parts(query: str) -> None:
    assert found(query) == set()
    assert not len(INDEX.part_matches(query).rows)
    assert not INDEX.has(query)


def test_each_language_passes_over_words_of_its_own() -> None:
    german = TextIndex(text_columns({"title": "Die Häuser und the dog"}), "German")
    assert [word for word in ("die", "und", "the", "haus", "Häuser", "hauser") if german.has(word)] == [
        "the",
        "haus",
        "Häuser",
        "hauser",
    ]


def test_the_ending_of_a_possessive_is_no_word() -> None:
    assert found("dog's") == {"dogs"}
    assert found("Ada’s") == {"possessive"}


def test_every_word_means_each_word_that_tells_anything() -> None:
    assert found("the dogs of a cat", every_word=True) == {"dogs"}
    assert found("dogs theatre", every_word=True) == set()
    assert found("the", every_word=True) == set()


def test_more_and_rarer_words_in_a_shorter_text_score_higher() -> None:
    texts = ["red boat", "red sea", "red boat at sea with many people on the shore", "red"]
    matches = TextIndex(text_columns(*({"title": text} for text in texts))).matches("red boat")
    scores = dict(zip(matches.rows.tolist(), matches.scores.tolist(), strict=True))
    assert scores[0] > scores[2] > scores[1]
    assert all(score > 0 for score in scores.values())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("theat", {"theatre"}),
        ("mothr", {"possessive"}),
        ("lisbo", {"camel"}),
        ("fotographie", set()),
        ("ab", set()),
        ("", set()),
    ],
)
def test_parts_of_words_are_found_where_most_of_them_is_there(query: str, expected: set[str]) -> None:
    assert {list(ROWS)[row] for row in INDEX.part_matches(query).rows} == expected


def test_a_word_that_is_known_is_a_part_of_others_as_a_whole() -> None:
    index = TextIndex(text_columns({"title": "sharp teeth"}, {"title": "sharkfin"}))
    assert sorted(index.part_matches("shark").rows) == [0, 1]
    assert list(index.part_matches("shark", lambda _: True).rows) == [1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "a" * 10_000,
        "dog " * 2_500,
        "\0",
        "dog\0",
        "🐶",
        "\ud800",
        "%",
        '"',
        "'",
        "dog AND",
        "title:",
        "*",
        "\\",
    ],
)
def test_odd_queries_find_what_words_they_have(query: str) -> None:
    assert found(query) == ({"dogs"} if "dog" in query else set())
    parts = INDEX.part_matches(query)
    assert len(parts.rows) == len(parts.scores)


@given(st.text(max_size=30))
def test_no_query_fails_and_every_row_is_one_of_the_collection_once(query: str) -> None:
    for matches in (INDEX.matches(query), INDEX.part_matches(query), INDEX.matches(query, every_word=True)):
        assert len(set(matches.rows.tolist())) == len(matches.rows) == len(matches.scores)
        assert np.isfinite(matches.scores).all()
        assert all(0 <= row < len(ROWS) for row in matches.rows.tolist())
    assert {*INDEX.matches(query, every_word=True).rows} <= {*INDEX.matches(query).rows}


@pytest.mark.parametrize("rows", [(), ({},), ({}, {})])
def test_a_collection_without_texts_finds_nothing(rows: tuple[dict[str, str], ...]) -> None:
    index = TextIndex(text_columns(*rows))
    assert not len(index.matches("dog").rows)
    assert not len(index.part_matches("dog").rows)
    assert not index.has("dog")


def test_words_are_stemmed_as_the_marks_in_results_are() -> None:
    """Otherwise a picture would be found by a word that is not marked, or the other way round."""
    with (PROJECT / "data" / "demo" / "manifest.csv").open(encoding="utf-8") as file:
        columns = text_columns(*({"description": row["description"]} for row in csv.DictReader(file)))
    index, language = TextIndex(columns), Language()
    stems = [{language.stem(word) for word in WORD.findall(text)} for text in columns.combined.to_pylist()]
    words = [word for word in sorted(columns.vocabulary)[::15] if index.has(word)]
    assert len(words) > 50
    for word in words:
        expected = {row for row, each in enumerate(stems) if language.stem(word) in each}
        assert {*index.matches(word).rows.tolist()} == expected, word


def test_rows_beyond_the_first_million_are_found_at_their_places() -> None:
    count, titled = 1_100_000, pa.array(["boat"])
    empty = pa.repeat("", count - 1)
    texts = {str(name): pa.concat_arrays([empty, titled if name == "title" else pa.array([""])]) for name in FIELDS}
    index = TextIndex(TextColumns(("x",) * count, texts))
    assert index.matches("boats").rows.tolist() == [count - 1]
    assert index.part_matches("boat").rows.tolist() == [count - 1]


def test_threads_share_an_index_that_is_built_once() -> None:
    index = TextIndex(text_columns(*ROWS.values()))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: sorted(found("dog 0004", index)), range(16)))
    assert results == [["dogs", "names"]] * 16


# -- following a collection -----------------------------------------------------------------------------------


def state(texts: dict[str, str]) -> TextColumns:
    """Assets by their ids with these titles."""
    columns = text_columns(*({"title": title} for title in texts.values()))
    return TextColumns(tuple(texts), columns.texts)


TITLES = st.sampled_from(["", "red boat", "boat", "dog", "red dog"])
STATES = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), TITLES), max_size=6)


@given(STATES)
@settings(max_examples=25, deadline=None)
def test_an_index_that_follows_a_collection_finds_what_a_new_one_does(states: list[dict[str, str]]) -> None:
    index: TextIndex | None = None
    for texts in states:
        columns = state(texts)
        index = TextIndex(columns, before=index)
        for words in ("boat", "red", "dog red", "boa"):
            fresh = TextIndex(columns)
            assert set(index.matches(words).rows) == set(fresh.matches(words).rows)
            assert set(index.part_matches(words).rows) == set(fresh.part_matches(words).rows)
        assert index.has("dog") == any("dog" in text for text in texts.values())


def test_an_earlier_state_goes_on_finding_its_own_rows() -> None:
    before = TextIndex(state({"a": "red boat", "b": "dog"}))
    assert before.matches("boat").rows.tolist() == [0]
    now = TextIndex(state({"b": "dog", "c": "boat", "a": "red boat"}), before=before)
    assert sorted(now.matches("boat").rows.tolist()) == [1, 2]
    assert before.matches("boat").rows.tolist() == [0]
    assert before.matches("dog").rows.tolist() == [1]


def test_where_much_is_new_all_is_indexed_anew() -> None:
    before = TextIndex(state({"a": "red boat"}))
    before.matches("boat")
    many = {f"n{number}": f"dog {number}" for number in range(1_200)}
    now = TextIndex(state({"a": "red boat", **many}), before=before)
    assert len(now.matches("dog").rows) == 1_200
    assert now.matches("boat").rows.tolist() == [0]
