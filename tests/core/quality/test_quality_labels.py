"""Label sets: reading them with clear faults, writing them, and fitting them to a collection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.quality_commands import EVAL_FOLDER
from core.embedding.hashes import content_id
from core.errors import QualityError
from core.ingest.sources.demo import photographs
from core.quality.label_sets import LabelledQuery, LabelSet, fit_to_collection, read_label_set, to_jsonl

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def line(**changes: Any) -> str:
    return json.dumps(
        {"id": "q1", "query": "red car", "kind": "colour", "relevant": {A: 2, B: 1}, "note": ""} | changes
    )


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_label_set_is_read_as_it_stands(tmp_path: Path) -> None:
    labels = read_label_set(written(tmp_path, line(), "", line(id="q2", query="  a   dog ", kind="", note="n")))
    assert labels.name == "labels.jsonl"
    assert labels.queries[0] == LabelledQuery("q1", "red car", "colour", {A: 2, B: 1})
    assert labels.queries[1] == LabelledQuery("q2", "a dog", "other", {A: 2, B: 1}, "n")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[" * 5000, "line 2: not JSON"),
        ("[1]", "line 2: .* not a JSON object"),
        (line(id=""), "line 2: id is missing"),
        (line(id="q9", query=" "), "line 2: query is missing"),
        (line(id="q9", query=7), "line 2: query is 7, not text"),
        (line(id="q9", relevent={}), "line 2: field 'relevent' is not known"),
        (line(id="q9", relevant=[A]), r"line 2: relevant is \["),
        (line(id="q9", relevant={"dog.jpg": 1}), "line 2: 'dog.jpg' is not an asset id"),
        (line(id="q9", relevant={A: 3}), "line 2: grade 3 of aaaaaaaaaaaa"),
        (line(id="q9", relevant={A: True}), "line 2: grade True of"),
        (line(id="q9", relevant={A: 1.0}), "line 2: grade 1.0 of"),
        (line(), "line 2: id 'q1' stands on an earlier line too"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, bad: str, message: str) -> None:
    with pytest.raises(QualityError, match=message):
        read_label_set(written(tmp_path, line(), bad))


def test_files_that_hold_no_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QualityError, match="holds no query"):
        read_label_set(written(tmp_path, ""))
    with pytest.raises(QualityError, match="cannot be read as UTF-8"):
        read_label_set(tmp_path / "missing.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(QualityError, match="cannot be read as UTF-8"):
        read_label_set(tmp_path / "latin.jsonl")


texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
queries = st.builds(
    LabelledQuery, texts, texts, texts, st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 2)), texts
)


@given(st.lists(queries, min_size=1, unique_by=lambda query: query.id))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, found: list[LabelledQuery]) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    path.write_text(to_jsonl(found), encoding="utf-8")
    assert read_label_set(path) == LabelSet("labels.jsonl", tuple(found))


def test_the_digest_follows_queries_and_grades_and_neither_notes_nor_layout() -> None:
    base = LabelledQuery("q", "dog", "animal", {A: 2, B: 1})
    digest = LabelSet("x", (base,)).digest
    assert LabelSet("y", (LabelledQuery("q", "dog", "animal", {B: 1, A: 2}, "note"),)).digest == digest
    assert LabelSet("x", (LabelledQuery("q", "dogs", "animal", {A: 2, B: 1}),)).digest != digest
    assert LabelSet("x", (LabelledQuery("q", "dog", "animal", {A: 1, B: 1}),)).digest != digest


def test_pictures_that_a_collection_lacks_are_counted_once_and_queries_without_answers_left_out() -> None:
    labels = LabelSet(
        "x",
        (
            LabelledQuery("1", "both here", "k", {A: 2, B: 0}),
            LabelledQuery("2", "one gone", "k", {A: 1, C: 1}),
            LabelledQuery("3", "all gone", "k", {C: 2}),
            LabelledQuery("4", "judged, none relevant", "k", {A: 0}),
        ),
    )
    fitting = fit_to_collection(labels, {A, B})
    assert [(query.id, query.relevant) for query in fitting.queries] == [("1", {A: 2}), ("2", {A: 1})]
    assert (fitting.absent, fitting.unanswerable) == (1, 2)


def test_the_committed_label_set_names_demo_photographs_only_and_every_query_has_an_answer() -> None:
    labels = read_label_set(EVAL_FOLDER / "demo.jsonl")
    known = {content_id(path.read_bytes()) for path in photographs()}
    fitting = fit_to_collection(labels, known)
    assert len(labels.queries) >= 60
    assert (fitting.absent, fitting.unanswerable) == (0, 0)
    assert sum(len(query.answers) > 1 for query in labels.queries) >= 60
    assert len({query.query for query in labels.queries}) == len(labels.queries)
