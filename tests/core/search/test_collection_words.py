"""Finding pictures by the words of several wishes; texts are read once, when words are first looked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.records.queries import Wish
from core.search.collection_words import CollectionWords
from core.search.stemming import Language
from core.store.lance.text_columns import TextColumns
from tests.fakes.written import text_columns

TITLES = ("red boat", "a dog", "dog on a boat", "harbour", "")


class Texts:
    """Counts how often they are read."""

    def __init__(self) -> None:
        self.reads = 0
        self.columns = text_columns(*({"title": title} for title in TITLES))

    def read(self) -> TextColumns:
        self.reads += 1
        return self.columns


def collection_words(texts: Texts | None = None) -> CollectionWords:
    texts = texts or Texts()
    return CollectionWords(texts.read, texts.columns.ids, Language())


def scores(*wishes: Wish) -> dict[int, float]:
    found = collection_words().matches_of(wishes)
    return dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True))


def test_wishes_of_one_weight_are_looked_for_together() -> None:
    together = scores(Wish("dog boat"))
    assert scores(Wish("dog"), Wish("boat")) == together
    assert scores(Wish("dog", 3), Wish("boat", 3)) == together
    assert max(together, key=lambda row: together[row]) == 2


def test_a_wish_counts_by_its_weight_and_an_unwanted_one_not_at_all() -> None:
    dog, boat = scores(Wish("dog")), scores(Wish("boat"))
    weighted = scores(Wish("dog", 3), Wish("boat"), Wish("harbour", -1))
    assert set(weighted) == {0, 1, 2}
    assert all(weighted[row] == pytest.approx(3 * dog.get(row, 0) + boat.get(row, 0), rel=1e-5) for row in weighted)
    assert scores(Wish("dog", -1)) == {}
    assert scores() == {}


def test_parts_of_words_are_looked_for_only_where_no_whole_word_is_found() -> None:
    assert set(scores(Wish("harbou"))) == {3}
    assert set(scores(Wish("harbou dog"))) == {1, 2}


def test_all_words_must_be_there_for_an_exclusion() -> None:
    words = collection_words()
    assert sorted(words.rows_with_all("the dogs boats").tolist()) == [2]
    assert not len(words.rows_with_all("the"))


def test_the_texts_of_rows_that_came_or_went_are_those_of_their_assets() -> None:
    texts = Texts()
    ids = (texts.columns.ids[3], "new", texts.columns.ids[0])
    words = CollectionWords(texts.read, ids, Language())
    assert words.matches("boat").rows.tolist() == [2]
    assert words.matches("harbour").rows.tolist() == [0]


def test_texts_are_read_once_by_all_threads_and_not_before_they_are_needed() -> None:
    texts = Texts()
    words = collection_words(texts)
    assert texts.reads == 0
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: (words.matches("boat").rows.tolist(), words.is_telling("dog")), range(12)))
    assert all((sorted(rows), telling) == ([0, 2], True) for rows, telling in found)
    assert words.corrected("harbor habour") is not None
    assert texts.reads == 1


def test_rows_without_any_words_have_no_scores() -> None:
    words = CollectionWords(lambda: text_columns(), (), Language())
    assert not len(words.matches_of([Wish("dog"), Wish("cat", 2)]).rows)
    assert np.array_equal(words.rows_with_all("dog"), np.empty(0, np.intp))
    assert words.corrected("dgo boatt") is None
