"""Full-text search over the texts of a snapshot: LanceDB's BM25 over stemmed words, and over their parts."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.store.lance.indexed_texts import GONE, IndexedTexts
from core.store.lance.text_columns import TextColumns
from core.text import WORD, plain

# Scripts without blanks: Thai, Lao, Burmese, Khmer, kana and Chinese characters.
UNSPACED_RUN = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
# A run first: Thai vowels above and below letters are no letters of a word.
RUN_OR_WORD = re.compile(f"{UNSPACED_RUN.pattern}|{WORD.pattern}")
POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
MAX_WORD_LENGTH = 128  # a file may be named by a hash
GRAM, MIN_GRAM_SHARE, MAX_PART_MATCHES = 3, 0.6, 1_000


class TextMatches(NamedTuple):
    """Rows whose text has any of the words, in no order, and their BM25 scores, (k,) float32."""

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]


NO_MATCHES = TextMatches(np.empty(0, np.intp), np.empty(0, np.float32))


def looked_for(text: str, language: str) -> str:
    """The words of a text that are looked for, without case and accents: all but the most frequent of the language."""
    import lancedb

    def kept(match: re.Match[str]) -> str:
        base: Any = "icu/split" if UNSPACED_RUN.search(match.group()) else "simple"
        options = {"language": language, "stem": False, "max_token_length": MAX_WORD_LENGTH}
        tokens = lancedb.tokenize(match.group(), base_tokenizer=base, **options)
        return " ".join(token.text for token in tokens)

    composed = unicodedata.normalize("NFC", text).encode(errors="replace").decode()  # a lone surrogate is no text
    return plain(RUN_OR_WORD.sub(kept, POSSESSIVE.sub("", composed)))


class WantedParts:
    """The runs of letters and digits of words, of which a written word has to have most; of a known word, all."""

    def __init__(self, words: Iterable[str], is_known: Callable[[str], bool]) -> None:
        """`words` are plain, as `core.text.plain` makes them."""
        shares = ((_grams(word), 1.0 if is_known(word) else MIN_GRAM_SHARE) for word in words)
        self._wanted = [(grams, share * len(grams)) for grams, share in shares if grams]

    def are_in(self, written: str) -> bool:
        """Whether a plain word has enough of the parts of any of the words."""
        grams = _grams(written)
        return any(len(grams & wanted) >= enough for wanted, enough in self._wanted)


class TextIndex:
    """Finds rows by words. In memory, made from the texts of one snapshot; may be shared between threads.

    Words are compared by their stems in `language`, which the setting allows, without case and accents; its most
    frequent words are not looked for. Scripts without spaces are split into words by ICU's dictionaries.
    """

    def __init__(self, columns: TextColumns, language: str = "English", before: TextIndex | None = None) -> None:
        """`before` is the index of an earlier state of the same collection: what did not change is not indexed anew."""
        self._columns, self._language, self._lock = columns, language, threading.Lock()
        self._stems: IndexedTexts | None = None
        self._parts: IndexedTexts | None = None
        if before is not None:
            self._take_over(before)

    def matches(self, words: str, every_word: bool = False) -> TextMatches:
        """Rows that have any of the words, or every one of them.

        The more of them, the rarer they are and the shorter the text, the better the score.
        """
        return TextMatches(*self._by_stem.matches(looked_for(words, self._language), every_word))

    def has(self, word: str) -> bool:
        """Whether any row has the word, and it is one that is looked for."""
        return len(self._by_stem.matches(looked_for(word, self._language), limit=1)[0]) > 0

    def part_matches(self, text: str, is_known: Callable[[str], bool] = lambda _: False) -> TextMatches:
        """Rows that have most runs of three letters or digits of a word: as a part, or in another spelling.

        Of a word that `is_known` they have all: `shark` is no other spelling of sharp. The first call builds an index
        of its own.
        """
        text = looked_for(text, self._language)
        found = TextMatches(*self._by_part.matches(text, limit=MAX_PART_MATCHES))
        wanted = WantedParts(WORD.findall(text), is_known)
        texts = self._columns.combined.take(pa.array(found.rows)).to_pylist()
        kept = np.array([any(map(wanted.are_in, WORD.findall(each))) for each in texts], np.bool_)
        return TextMatches(found.rows[kept], found.scores[kept]) if len(kept) else NO_MATCHES

    @property
    def _by_stem(self) -> IndexedTexts:
        with self._lock:
            if self._stems is None:
                self._stems = IndexedTexts.build(self._columns.combined, self._stem_config())
            return self._stems

    @property
    def _by_part(self) -> IndexedTexts:
        with self._lock:
            if self._parts is None:
                self._parts = IndexedTexts.build(self._columns.combined, _part_config())
            return self._parts

    def _stem_config(self) -> Any:
        from lancedb.index import FTS

        # ICU with the delimiters of the simple tokenizer: `DSC_0004` is two words, and so is 猫が. It would pass over
        # the frequent words of all languages at once, among them `dog` (Danish) and `cat` (Romanian).
        options = {"language": self._language, "remove_stop_words": False, "max_token_length": MAX_WORD_LENGTH}
        return FTS(base_tokenizer="icu/split", **options)

    def _take_over(self, before: TextIndex) -> None:
        rows_now = before._columns.rows_in(self._columns)
        new = np.ones(len(self._columns), np.bool_)
        new[rows_now[rows_now != GONE]] = False
        added_rows = np.flatnonzero(new)
        added = self._columns.combined.take(pa.array(added_rows))
        with before._lock:
            stems, parts = before._stems, before._parts
        self._stems = stems and stems.updated(rows_now, added, added_rows)
        self._parts = parts and parts.updated(rows_now, added, added_rows)


def _part_config() -> Any:
    from lancedb.index import FTS

    return FTS(base_tokenizer="ngram", stem=False, remove_stop_words=False)


def _grams(word: str) -> set[str]:
    return {word[at : at + GRAM] for at in range(len(word) - GRAM + 1)}
