from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.app import open_app
from core.clusters.edits.plan import Plan
from core.clusters.views import naming as module
from core.clusters.views.naming import (
    NameSuggestion,
    TermNames,
    TermTable,
    build_vocabulary,
    combine_suggestions,
    extract_terms,
    load_common_words,
    names_from_looks,
    names_from_terms,
)
from core.settings import PROJECT, Settings
from tests.fakes.dendrograms import unit_vectors


@pytest.mark.parametrize(
    ("title", "keywords", "expected"),
    [
        ("Two red foxes in the snow", (), {"red", "foxes", "snow"}),
        ("Butterflies, dishes and glasses", (), {"butterflies", "dishes", "glasses"}),
        ("A bus, a cactus and a chess set", (), {"bus", "cactus", "chess", "set"}),
        ("Brown-handled pliers of the fisherman’s", (), {"brown-handled", "pliers", "fisherman"}),
        ("IMG_20240101_1234.JPG", (), set()),
        ("golden_retriever_03.webp", (), {"golden", "retriever"}),
        ("Ein Käfer", ("Wald  und Wiese", " "), {"ein", "käfer", "wald und wiese"}),
        ("猫と犬", (), {"猫と犬"}),
        ("", (), set()),
    ],
)
def test_terms_are_the_keywords_and_the_informative_words(
    title: str, keywords: tuple[str, ...], expected: set[str]
) -> None:
    assert extract_terms(title, keywords) == expected


def named(labels: list[int], *texts: str) -> list[str | None]:
    """The names from terms, given each picture's terms as one text."""
    table = TermTable.from_terms([frozenset(text.split()) for text in texts])
    found = names_from_terms(np.array(labels, np.int32), table, max(labels, default=-1) + 1)
    return [name.name if name else None for name in found.names]


def test_a_cluster_is_called_what_most_of_its_members_and_few_others_are() -> None:
    texts = ["animal cat", "animal cat", "animal cat", "animal dog", "animal dog", "cat"]
    assert named([0, 0, 0, 1, 1, -1], *texts) == ["Cat", "Dog"]


def test_a_term_of_every_picture_names_nothing() -> None:
    assert named([0, 0, 0, 1, 1], *["photo"] * 5) == [None, None]
    assert named([0, 0, 0, 1, 1], *["photo a"] * 3, *["photo b"] * 2) == ["A", "B"]


def test_a_term_that_is_more_frequent_elsewhere_names_nothing() -> None:
    assert named([0, 0, 0, 0, -1, -1], "x", "x", "", "", "x", "x") == [None]


def test_a_term_of_one_member_does_not_win() -> None:
    assert named([0, 0, 0, 1, 1], "rare", "", "", "", "") == [None, None]
    assert named([0, 0, 0, -1, -1], "rare cat", "cat", "", "cat", "") == ["Cat"]


def test_without_terms_there_is_no_name() -> None:
    assert named([0, 0], "", "") == [None]
    assert names_from_terms(np.empty(0, np.int32), TermTable.from_terms([]), 0).names == []


LABELLED_TERMS = st.lists(
    st.tuples(st.integers(-1, 3), st.frozensets(st.sampled_from("abcdefg"), max_size=4)), max_size=14
)


def names_of(rows: list, previous: TermNames | None = None) -> TermNames:
    labels, table = np.array([label for label, _ in rows], np.int32), TermTable.from_terms([terms for _, terms in rows])
    return names_from_terms(labels, table, 4, previous)


@settings(deadline=None)
@given(LABELLED_TERMS, st.lists(st.integers(-1, 3), max_size=14))
def test_names_of_another_labelling_change_nothing(rows: list, others: list[int]) -> None:
    labels = [*others, *(label for label, _ in rows)]
    before = [(label, terms) for label, (_, terms) in zip(labels, rows, strict=False)]
    assert names_of(rows, names_of(before)).names == names_of(rows).names


def test_the_name_of_a_cluster_with_the_same_members_is_reused() -> None:
    rows = [(0, frozenset("a")), (0, frozenset("a")), (1, frozenset("b")), (1, frozenset("b")), (2, frozenset())]
    known = [NameSuggestion(name, 0.5, "words") for name in ("First", "Second", "Third")]
    merged = [(max(label - 1, 0), terms) for label, terms in rows]
    found = names_of(merged, TermNames(np.array([0, 0, 1, 1, 2], np.int32), known)).names
    assert [name.name if name else None for name in found] == ["A", "Third", None, None]


@settings(deadline=None)
@given(LABELLED_TERMS, st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_of_pictures(rows: list, random) -> None:
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert names_of(shuffled).names == names_of(rows).names
    for suggestion in names_of(rows).names:
        assert suggestion is None or (0 < suggestion.confidence <= 1 and suggestion.source == "words")


@settings(deadline=None)
@given(LABELLED_TERMS)
def test_no_other_term_fits_a_cluster_better(rows: list) -> None:
    labels = np.array([label for label, _ in rows], np.int32)
    for number, suggestion in enumerate(names_of(rows).names):
        size, scores = int((labels == number).sum()), {}
        for term in "abcdefg":
            everywhere = sum(term in terms for _, terms in rows)
            members = sum(term in terms for label, terms in rows if label == number)
            if members > 1 and members / size > everywhere / len(rows):
                precision, recall = members / everywhere, members / size
                scores[term.upper()] = 2 * precision * recall / (precision + recall)
        assert (suggestion is None) == (not scores)
        if suggestion is not None:
            assert suggestion.confidence == pytest.approx(max(scores.values()))
            assert scores[suggestion.name] == pytest.approx(suggestion.confidence)


def planted(clusters: int, words: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Centroids near the vector of one word each, and which word it is; all words share a direction (the gap)."""
    random = np.random.default_rng(seed)
    directions = np.eye(words + 2, dtype=np.float32)
    meant = random.permutation(words)[:clusters]
    centroids = directions[meant] + 0.7 * directions[-1] + 0.1 * unit_vectors(clusters, seed, words + 2)
    word_vectors = directions[:words] * random.uniform(0.5, 1, (words, 1)) + directions[-2]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (centroids, word_vectors)]
    return unit[0].astype(np.float32), unit[1].astype(np.float32), meant.tolist()


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_zero_shot_finds_the_word_a_cluster_looks_like(clusters: int, seed: int) -> None:
    centroids, word_vectors, meant = planted(clusters, 8, seed)
    found = names_from_looks(centroids, [f"word {number}" for number in range(8)], word_vectors)
    assert [one.name for one in found if one] == [f"Word {number}" for number in meant]
    assert all(one.source == "looks" and 0.5 < one.confidence <= 1 for one in found if one)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000), st.integers(1, 3))
def test_some_clusters_get_the_same_names_as_among_all(clusters: int, seed: int, block: int) -> None:
    centroids, word_vectors, _ = planted(clusters, 8, seed)
    words = [f"word {number}" for number in range(8)]
    whole, some = names_from_looks(centroids, words, word_vectors), list(range(clusters))[::-2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_CLUSTERS", block)
        found = names_from_looks(centroids, words, word_vectors, some)
    assert [one.name for one in found if one] == [one.name for number in some if (one := whole[number])]
    assert [one.confidence for one in found if one] == pytest.approx(
        [one.confidence for number in some if (one := whole[number])], rel=1e-3
    )


def test_no_words_or_no_clusters_give_no_looks() -> None:
    centroids, word_vectors, _ = planted(3, 8, 1)
    assert names_from_looks(centroids, [], word_vectors[:0]) == [None, None, None]
    assert names_from_looks(centroids[:0], ["word"], word_vectors[:1]) == []


def test_names_from_terms_take_precedence_if_they_are_good_enough() -> None:
    sure, unsure = NameSuggestion("Cat", 0.9, "words"), NameSuggestion("Cat", 0.1, "words")
    looks = NameSuggestion("Dog", 0.4, "looks")
    assert combine_suggestions([sure, unsure, unsure, None, None], [looks, looks, None, looks, None]) == [
        sure,
        looks,
        unsure,
        looks,
        None,
    ]


def test_the_vocabulary_is_the_collections_own_words_then_common_ones() -> None:
    terms = [frozenset({"rare", "b", "a"}), frozenset({"b", "a", "c"}), frozenset({"c", "b"})]
    assert build_vocabulary(terms, ["cat", "a", "dog"]) == ["b", "a", "c", "cat", "dog"]
    assert build_vocabulary(terms, ["cat", "a", "dog"], limit=3) == ["b", "cat", "a"]


def test_the_vocabulary_is_the_same_in_every_process() -> None:
    script = (
        "from core.clusters.views.naming import build_vocabulary;"
        "print(build_vocabulary([frozenset(map(str, range(40)))] * 2, [], limit=20))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=PROJECT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_common_words_are_lines_of_lower_case_each_once() -> None:
    words = load_common_words()
    assert len(words) > 200
    assert "bird" in words
    assert len(set(words)) == len(words)
    assert all(word and word == word.strip().lower() for word in words)


def test_birds_of_the_demo_collection_are_named_birds(demo_data: Path) -> None:
    app = open_app(Settings(data=demo_data, model="bundled", model_is_explicit=True))
    view = app.clusters.view("demo", Plan())
    is_bird = np.array(["birds" in keywords for keywords in view.base.snapshot.keywords])
    birds = [number for number in range(len(view.clusters)) if is_bird[view.labels == number].mean() > 0.8]
    largest = max(birds, key=lambda number: view.sizes[number])
    suggestions = app.clusters.name_suggestions("demo", view)
    suggestion = suggestions[largest]
    assert view.sizes[largest] >= 10
    assert suggestion is not None
    assert "bird" in suggestion.name.lower()
    words = ["bird", "fish", "flower", "hammer", "church"]
    word_vectors = app.encoders.get("bundled").encode_texts([f"a photo of a {word}" for word in words])
    looked = names_from_looks(view.statistics.centroids, words, word_vectors)[largest]
    assert looked is not None
    assert looked.name == "Bird"
    assert None not in suggestions
