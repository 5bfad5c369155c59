"""Suggested names for clusters: from the words people wrote about their pictures, or from what the pictures look like.

Words: terms that most members have and few others (scored by the harmonic mean of both shares, so that a term of one
member, or of everything, scores low). Looks: zero-shot classification of the centroid with the collection's own text
tower (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.asset_index import identical_groups
from core.settings import PROJECT

MIN_TERM_CONFIDENCE = 0.35
TEMPERATURE = 0.01
BLOCK_CLUSTERS = 2048
VOCABULARY_SIZE = 600
VOCABULARY = PROJECT / "data" / "vocabulary.txt"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # file names join words by underscores and number them
_UNINFORMATIVE = (
    "a an and are as at by for from in into is it its like of off on onto or out over the their them this to two three "
    "four five under up with without near behind beside between across along against around many some several other "
    "another one small large big close side front back view seen photo photograph picture image img dsc jpg jpeg png "
    "webp gif tif tiff bmp heic heif avif"
)
_STOP_WORDS = frozenset(_UNINFORMATIVE.split())


class NameSuggestion(NamedTuple):
    """An unconfirmed name: its confidence from 0 to 1, and whether it comes from people's words or the pictures' looks.

    A tuple, because every slider move creates thousands of them.
    """

    name: str
    confidence: float
    source: Literal["words", "looks"]


def extract_terms(title: str, keywords: Iterable[str]) -> frozenset[str]:
    """The terms of a picture, in small letters: its keywords, and the words of its title without stop words."""
    words = {word.lower().removesuffix("’s").removesuffix("'s") for word in _WORD.findall(title)}
    return frozenset({word for word in words if len(word) > 2 and word not in _STOP_WORDS}) | {
        " ".join(keyword.lower().split()) for keyword in keywords if keyword.strip()
    }


@dataclass(frozen=True, eq=False)
class TermTable:
    """The terms of each row, as numbers: those of row i are `numbers[start[i] : start[i + 1]]`, ascending.

    `terms` are only those of more than one row, since no other can name a cluster; all else being equal, later ones are
    preferred. `row_counts` (t,) is the number of rows with each term.
    """

    terms: tuple[str, ...]
    start: NDArray[np.int64]
    numbers: NDArray[np.int32]
    row_counts: NDArray[np.int64]

    @property
    def row_count(self) -> int:
        return len(self.start) - 1

    @staticmethod
    def from_terms(terms_by_row: Sequence[frozenset[str]]) -> TermTable:
        """Build the table from the terms of each row."""
        counts = Counter(chain.from_iterable(terms_by_row))
        shared = sorted((term for term in counts if counts[term] > 1), key=lambda term: [-ord(c) for c in term])
        number_of = {term: number for number, term in enumerate(shared)}
        rows = [sorted(number_of[term] for term in terms if term in number_of) for terms in terms_by_row]
        start = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        numbers = np.fromiter(chain.from_iterable(rows), np.int32, int(start[-1]))
        return TermTable(tuple(shared), start, numbers, np.array([counts[term] for term in shared], np.int64))

    def terms_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All terms of the given rows, (p,): the entry of `rows` that each belongs to, and its number."""
        lengths = np.diff(self.start)[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        first = self.start[rows] - (np.cumsum(lengths) - lengths)
        return owner, self.numbers[first[owner] + np.arange(len(owner))]


@dataclass(frozen=True, eq=False)
class TermNames:
    """The names by terms of a labelling's clusters: `names` (k,) for `labels` (n,)."""

    labels: NDArray[np.int32]
    names: list[NameSuggestion | None]


def names_from_terms(
    labels: NDArray[np.int32], table: TermTable, count: int, previous: TermNames | None = None
) -> TermNames:
    """The best term for each of `count` clusters; `labels` (n,) is each row's cluster, -1 for none.

    A term cannot name a cluster in which it is no more frequent than in the whole collection. `previous` are the names
    from the same table for another labelling: clusters that are in both are not evaluated again.
    """
    names: list[NameSuggestion | None] = [None] * count
    is_new = np.append(np.ones(count, bool), False)  # the last entry is for -1
    if previous is not None:
        before = identical_groups(labels, count, previous.labels, len(previous.names))
        is_new[:count] = before < 0
        for number in np.flatnonzero(before >= 0).tolist():
            names[number] = previous.names[before[number]]
    rows = np.flatnonzero(is_new[labels])
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    owner, terms = table.terms_of(rows)
    numbers, best, scores = _best_terms(labels[rows][owner], terms, sizes, table)
    for number, term, score in zip(numbers.tolist(), best.tolist(), scores.tolist(), strict=True):
        names[number] = NameSuggestion(_capitalized(table.terms[term]), score, "words")
    return TermNames(labels, names)


def _best_terms(
    clusters: NDArray[np.int32], terms: NDArray[np.int32], sizes: NDArray[np.int64], table: TermTable
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """For `clusters` and `terms` (p,) that occur together: the clusters with a suitable term, ascending, the number of
    the best one, and its score."""
    keys = np.sort(clusters.astype(np.int64) * len(table.terms) + terms)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    members = np.diff(first, append=len(keys))
    number, term = np.divmod(keys[first], max(len(table.terms), 1))
    suitable = np.flatnonzero((members > 1) & (members * table.row_count > table.row_counts[term] * sizes[number]))
    number, term, members = number[suitable], term[suitable], members[suitable]
    score, left = 2 * members / (sizes[number] + table.row_counts[term]), np.arange(len(number))
    for values in (score, members, term):  # the best score, ties by more members, then by the later term
        starts = np.flatnonzero(np.diff(number[left], prepend=-1))
        best = np.maximum.reduceat(values[left], starts)
        left = left[values[left] == np.repeat(best, np.diff(starts, append=len(left)))]
    return number[left], term[left], score[left]


def names_from_looks(
    centroids: NDArray[np.float32],
    words: Sequence[str],
    word_vectors: NDArray[np.float32],
    numbers: Sequence[int] | None = None,
) -> list[NameSuggestion | None]:
    """The word that each of (k, d) centroids, or of those with the given numbers, looks most like, among `words` (m,)
    with (m, d) vectors; all of unit length.

    What all clusters have in common with a word distinguishes none of them, so its mean over all clusters is
    subtracted. The confidence is the word's share in a softmax at CLIP's temperature.
    """
    selected = np.arange(len(centroids)) if numbers is None else np.asarray(numbers, np.int64)
    if not len(words) or not len(selected):
        return [None] * len(selected)
    mean = centroids.mean(axis=0) @ word_vectors.T if len(centroids) > 2 else np.float32(0)
    best, confidence = np.empty(len(selected), np.int64), np.empty(len(selected), np.float32)
    for start in range(0, len(selected), BLOCK_CLUSTERS):
        block = slice(start, start + BLOCK_CLUSTERS)
        relative = centroids[selected[block]] @ word_vectors.T - mean
        best[block] = relative.argmax(axis=1)
        confidence[block] = 1 / np.exp((relative - relative.max(axis=1, keepdims=True)) / TEMPERATURE).sum(axis=1)
    names = [_capitalized(word) for word in words]
    pairs = zip(best.tolist(), confidence.tolist(), strict=True)
    return [NameSuggestion(names[word], share, "looks") for word, share in pairs]


def _capitalized(term: str) -> str:
    return term[:1].upper() + term[1:]


def is_confident(from_terms: NameSuggestion | None) -> bool:
    """Whether a name from terms is good enough, whatever the cluster looks like."""
    return from_terms is not None and from_terms.confidence >= MIN_TERM_CONFIDENCE


def combine_suggestions(
    from_terms: Sequence[NameSuggestion | None], from_looks: Sequence[NameSuggestion | None]
) -> list[NameSuggestion | None]:
    """Names from terms where they are good enough, otherwise names from looks."""
    return [
        words if is_confident(words) else looks or words for words, looks in zip(from_terms, from_looks, strict=True)
    ]


def load_common_words() -> list[str]:
    """Everyday things that photographs show, from data/vocabulary.txt."""
    return VOCABULARY.read_text(encoding="utf-8").split("\n")[:-1]


def build_vocabulary(
    terms_by_row: Iterable[frozenset[str]], common_words: Sequence[str], limit: int = VOCABULARY_SIZE
) -> list[str]:
    """Words to compare looks with: the collection's own, most frequent first, in up to half, then common ones."""
    counts = Counter(term for terms in terms_by_row for term in terms)
    own = sorted((term for term in counts if counts[term] > 1), key=lambda term: (-counts[term], term))
    return list(dict.fromkeys([*own[: limit // 2], *common_words]))[:limit]
