"""The words of one state of a collection: finding pictures by them, and correcting those that people misspell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.cache import LruCache
from core.records.queries import Correction, Wish
from core.search.spelling import corrected, unknown_words
from core.search.stemming import Language
from core.store.lance.text_columns import TextColumns
from core.store.lance.text_index import TextIndex, TextMatches

MAX_CACHED_WORDS = 4_096


class CollectionWords:
    """What is written about the pictures of a snapshot; row i is its row i. May be shared between threads.

    Texts are read when words are first looked for.
    """

    def __init__(
        self,
        read: Callable[[], TextColumns],
        asset_ids: Sequence[str],
        language: Language,
        before: CollectionWords | None = None,
    ) -> None:
        """`before` are the words of an earlier state of the collection: what did not change is not indexed anew."""
        self._read, self._asset_ids, self._language = read, asset_ids, language
        self._lock, self._telling = threading.Lock(), LruCache[str, bool](MAX_CACHED_WORDS)
        self._indexed_before = before._latest_index if before is not None else None
        self._built: TextIndex | None = None

    @property
    def columns(self) -> TextColumns:
        """The texts by field."""
        with self._lock:
            return self._columns

    @property
    def language(self) -> Language:
        """The language that the words are stemmed in."""
        return self._language

    def prepare(self) -> None:
        """Read the texts and build the index, which the first search would do."""
        self._index.matches("")

    def matches_of(self, wishes: Sequence[Wish]) -> TextMatches:
        """Rows that have any of the words of the wanted wishes, with the sum of their scores by weight."""
        wanted = [wish for wish in wishes if wish.weight > 0]
        if len({wish.weight for wish in wanted}) == 1:
            return self.matches(" ".join(wish.text for wish in wanted))
        scores = np.zeros(len(self._asset_ids), np.float32)
        for wish in wanted:
            found = self.matches(wish.text)
            scores[found.rows] += np.float32(wish.weight) * found.scores
        rows = np.flatnonzero(scores)
        return TextMatches(rows, scores[rows])

    def matches(self, words: str) -> TextMatches:
        """Rows that have any of the words; where none has, rows that share parts of words with them."""
        found = self._index.matches(words)
        return found if len(found.rows) else self._index.part_matches(words, self._language.is_known)

    def rows_with_all(self, words: str) -> NDArray[np.intp]:
        """Rows whose texts have every one of the words that tell anything, by their stems; none if no word does."""
        return self._index.matches(words, every_word=True).rows

    def is_telling(self, word: str) -> bool:
        """Whether a word occurs in the collection and is none of the most frequent words of the language."""
        known = self._telling.get(word)
        return self._telling.setdefault(word, self._index.has(word)) if known is None else known

    def corrected(self, text: str) -> Correction | None:
        """The text with misspelt words corrected to words of the collection; None if none is misspelt."""
        is_known = self._language.is_known
        return corrected(text, self.vocabulary, is_known) if self._is_doubtful(text) else None

    def unknown(self, text: str) -> list[str]:
        """The words of a text that neither the collection nor a general list has; none without such a list."""
        return unknown_words(text, self.vocabulary, self._language.is_known) if self._is_doubtful(text) else []

    def _is_doubtful(self, text: str) -> bool:
        """Whether a word may be misspelt: only then is it looked for among all words of the collection."""
        return self._language.has_word_list and bool(unknown_words(text, {}, self._language.is_known))

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Every word of the collection, without case and accents, and how often it occurs."""
        with self._lock:
            return self._columns.vocabulary

    @property
    def _index(self) -> TextIndex:
        with self._lock:
            if self._built is None:
                self._built = TextIndex(self._columns, self._language.name, self._indexed_before)
                self._indexed_before = None
            return self._built

    @property
    def _latest_index(self) -> TextIndex | None:
        """The index, or the one that it would be made from; None while there is none."""
        return self._built or self._indexed_before

    @cached_property
    def _columns(self) -> TextColumns:
        return self._read().aligned_to(self._asset_ids)
