"""The texts of a collection as columns: what is read from rows, how names are split, alignment and digests."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from core.store.lance.folded_texts import FoldedTexts, folded_column, folded_text
from core.store.lance.text_columns import COLUMNS, FIELDS, SEPARATOR, TextColumns, read_text_columns
from core.text import plain_words
from tests.fakes.written import text_columns

LISTS = ("uris", "keywords", "hierarchies", "people")
SCHEMA = pa.schema([(name, pa.list_(pa.string()) if name in LISTS else pa.string()) for name in COLUMNS])
LINES = st.lists(st.text(st.sampled_from("aB é7.-_'|\u0301猫ß"), max_size=8), max_size=4)


def read(*rows: dict[str, object]) -> TextColumns:
    empty = {name: [] if name in LISTS else "" for name in COLUMNS}
    batches = [pa.RecordBatch.from_pylist([empty | {"id": f"{n:04x}"} | row], SCHEMA) for n, row in enumerate(rows)]
    return read_text_columns(batches)


def texts(columns: TextColumns, field: str) -> list[str]:
    return list(columns.texts[field].to_pylist())


def test_each_field_has_its_texts_one_value_a_line() -> None:
    columns = read(
        {"title": "Red boat", "headline": "Regatta", "description": "At sea", "people": ["Ada", "Bob"]},
        {"keywords": ["dog", "sea"], "hierarchies": ["Animals|Dog"], "city": "Lisbon", "country": "Portugal"},
        {"author": "Ada", "credit": "Agency"},
    )
    assert texts(columns, "title") == ["Red boat\nRegatta", "", ""]
    assert texts(columns, "description") == ["At sea", "", ""]
    assert texts(columns, "person") == ["Ada\nBob", "", ""]
    assert texts(columns, "keyword") == ["", "dog\nsea\nAnimals\nDog", ""]
    assert texts(columns, "place") == ["", "Lisbon\nPortugal", ""]
    assert texts(columns, "author") == ["", "", "Ada\nAgency"]


def test_rows_whose_texts_are_null_are_empty_and_keep_their_place() -> None:
    nulls = {name: None for name in COLUMNS if name != "id"}
    columns = read(nulls, {"title": "Boat"}, nulls)
    assert all(texts(columns, field) == ["", "Boat" if field == "title" else "", ""] for field in FIELDS)
    assert columns.with_text.tolist() == [False, True, False]


def test_no_rows_are_no_texts() -> None:
    columns = read_text_columns([])
    assert (len(columns), columns.vocabulary, columns.with_text.tolist()) == (0, {}, [])


def test_names_are_decoded_and_without_folders_and_suffixes() -> None:
    columns = read(
        {"uris": ["/photos/1998/DSC_0004.jpg", "/other/Caf%C3%A9%20%231.tiff"]},
        {"uris": ["https://unsplash.com/photos/red-boat"]},
        {"uris": ["/a/St.%20John.jpeg", "/a/%FF%FE.png"]},
    )
    assert texts(columns, "name") == ["DSC_0004\nCafé #1", "red-boat", "St. John\n\ufffd\ufffd"]


def test_the_combined_text_has_names_also_in_their_parts() -> None:
    names = ("redBoat", "IMG0004", "2004Trip", "plain")
    combined = read(*({"uris": [f"/a/{name}.jpg"], "title": "Éire"} for name in names)).combined.to_pylist()
    parts = ["redboat\nred boat", "img0004\nimg 0004", "2004trip\n2004 trip", "plain"]
    assert combined == [f"eire\n{part}" for part in parts]


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)))
def test_aligned_texts_follow_their_ids_and_unknown_assets_have_none(order: list[int], unknown: set[int]) -> None:
    columns = text_columns(*({"title": f"title {n}"} for n in range(4)))
    ids = [f"unknown{n}" if n in unknown else columns.ids[n] for n in order]
    aligned = columns.aligned_to(ids)
    assert aligned.ids == tuple(ids)
    assert texts(aligned, "title") == ["" if n in unknown else f"title {n}" for n in order]


def test_the_digest_changes_with_what_was_written_and_about_which_asset_alone() -> None:
    first, second = {"title": "Boat"}, {"keyword": "dog"}
    digest = text_columns(first, second).digest
    assert text_columns(first, second).digest == digest
    assert text_columns(first | {"name": "DSC_0004", "place": "Lisbon"}, second).digest == digest
    assert text_columns(second, first).digest != digest
    assert text_columns({"title": "Boats"}, second).digest != digest
    columns = text_columns(first, second)
    assert replace(columns, ids=tuple(reversed(columns.ids))).digest != digest


def test_what_a_person_wrote_is_one_line_of_a_bounded_length() -> None:
    columns = text_columns(
        {"title": "Boat", "description": "At  sea", "keyword": "dog\nsea", "name": "DSC"}, {"name": "x"}
    )
    assert columns.written(0) == "Boat. At sea. dog. sea"
    assert columns.written(0, 7) == "Boat. A"
    assert columns.with_text.tolist() == [True, False]


def test_the_vocabulary_counts_words_without_case_and_accents_in_every_field() -> None:
    columns = text_columns({"title": "Café boat", "keyword": "cafe\nBOAT"}, {"name": "boat_7"})
    assert columns.vocabulary == {"cafe": 2, "boat": 3, "7": 1}


@given(st.lists(LINES, max_size=4), st.text(st.sampled_from("aB é7猫"), max_size=4))
def test_a_folded_column_finds_what_its_folded_texts_find(rows: list[list[str]], words: str) -> None:
    column = folded_column(pa.array([SEPARATOR.join(row) for row in rows], pa.string()), SEPARATOR)
    expected = pa.array([folded_text(row) for row in rows], pa.string())
    if plain_words(words):
        found, wanted = (FoldedTexts({"title": each}).rows_with(words, "title") for each in (column, expected))
        assert found is not None
        assert wanted is not None
        assert found.tolist() == wanted.tolist()


def test_words_next_to_each_other_are_found_within_a_value_in_any_spelling_of_their_accents() -> None:
    folded = text_columns(
        {"keyword": "dog\nhouse"}, {"keyword": "dog house"}, {"title": "Cafe\u0301 dog, house"}
    ).folded
    assert _rows(folded, "dog house", "keyword") == [1]
    assert _rows(folded, "DOG-HOUSE", "any") == [1, 2]
    assert _rows(folded, unicodedata.normalize("NFC", "café dog"), "any") == [2]
    assert _rows(folded, "og hous", "any") == []
    assert folded.rows_with("dog", "camera") is None


def _rows(folded: FoldedTexts, words: str, field: str) -> list[int]:
    found = folded.rows_with(words, field)  # type: ignore[arg-type]
    assert found is not None
    return [row for row, is_found in enumerate(found) if is_found]
