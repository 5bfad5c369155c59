"""A suggested name for every cluster: from what people wrote about its pictures, or from what they look like.

Written words: terms that most members have and few others do (the harmonic mean of both shares, so that a term of one
member, or of everything, loses). Looks: zero-shot classification of the centroid with the collection's own text tower
(Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).
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

from core.clusters.tree.asset_index import same_groups
from core.settings import PROJECT

WRITTEN_ENOUGH = 0.35
TEMPERATURE = 0.01
BLOCK_CLUSTERS = 2048
VOCABULARY = PROJECT / "data" / "vocabulary.txt"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # file names join words by underscores and number them
_SMALL = (
    "a an and are as at by for from in into is it its like of off on onto or out over the their them this to two three "
    "four five under up with without near behind beside between across along against around many some several other "
    "another one small large big close side front back view seen photo photograph picture image img dsc jpg jpeg png "
    "webp gif tif tiff bmp heic heif avif"
)
_STOP = frozenset(_SMALL.split())


class NameSuggestion(NamedTuple):
    """A name nobody has confirmed: its confidence from 0 to 1, and whether people's words or the pictures gave it.

    A tuple, because every move of a slider makes thousands of them.
    """

    name: str
    confidence: float
    source: Literal["words", "looks"]


@dataclass(frozen=True, eq=False)
class TermTable:
    """The terms of each of `count` rows, as numbers: those of row i are `numbers[start[i] : start[i + 1]]`, ascending.

    `terms` has only those that more than one row has, since no other can name a cluster; where all else is equal, the
    later one is preferred. `times` (t,) is how many rows have each.
    """

    terms: tuple[str, ...]
    start: NDArray[np.int64]
    numbers: NDArray[np.int32]
    times: NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.start) - 1

    @staticmethod
    def of(said: Sequence[frozenset[str]]) -> TermTable:
        """What is said of each row."""
        times = Counter(chain.from_iterable(said))
        terms = sorted((term for term in times if times[term] > 1), key=lambda term: [-ord(c) for c in term])
        number_of = {term: number for number, term in enumerate(terms)}
        rows = [sorted(number_of[term] for term in words if term in number_of) for words in said]
        start = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        numbers = np.fromiter(chain.from_iterable(rows), np.int32, int(start[-1]))
        return TermTable(tuple(terms), start, numbers, np.array([times[term] for term in terms], np.int64))

    def among(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """All terms of some rows, (p,): the position in `rows` that each belongs to, and its number."""
        lengths = np.diff(self.start)[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        first = self.start[rows] - (np.cumsum(lengths) - lengths)
        return owner, self.numbers[first[owner] + np.arange(len(owner))]


def terms(title: str, keywords: Iterable[str]) -> frozenset[str]:
    """What a picture is said to show: its keywords, and the words of its title without the small ones."""
    words = {word.lower() for word in _WORD.findall(title)}
    return frozenset({_singular(word) for word in words if len(word) > 2 and word not in _STOP}) | {
        " ".join(keyword.lower().split()) for keyword in keywords if keyword.strip()
    }


def _singular(word: str) -> str:
    word = word.removesuffix("’s").removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


@dataclass(frozen=True, eq=False)
class TermNames:
    """What people's words call the clusters of a labelling: `names` (k,) for `labels` (n,)."""

    labels: NDArray[np.int32]
    names: list[NameSuggestion | None]


def by_words(labels: NDArray[np.int32], said: TermTable, count: int, like: TermNames | None = None) -> TermNames:
    """The term that fits each of `count` clusters best; `labels` (n,) is each row's cluster, -1 for none.

    A term names no cluster that has it no more often than the whole collection. `like` tells what the same words call
    the clusters of other labels: those that are in both are not looked at again.
    """
    names: list[NameSuggestion | None] = [None] * count
    fresh = np.append(np.ones(count, bool), False)  # the last is for -1
    if like is not None:
        before = same_groups(labels, count, like.labels, len(like.names))
        fresh[:count] = before < 0
        for number in np.flatnonzero(before >= 0).tolist():
            names[number] = like.names[before[number]]
    rows = np.flatnonzero(fresh[labels])
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    numbers, terms, scores = _best_terms(labels[rows], *said.among(rows), sizes, said)
    called = [said.terms[term] for term in terms.tolist()]
    for number, term, score in zip(numbers.tolist(), called, scores.tolist(), strict=True):
        names[number] = NameSuggestion(_capital(term), score, "words")
    return TermNames(labels, names)


def _best_terms(
    labels: NDArray[np.int32],
    owner: NDArray[np.int64],
    terms: NDArray[np.int32],
    sizes: NDArray[np.int64],
    said: TermTable,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The clusters that a term fits, ascending, the number of the one that does best, and how well."""
    keys = np.sort(labels[owner].astype(np.int64) * len(said.terms) + terms)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    have = np.diff(first, append=len(keys))
    number, term = np.divmod(keys[first], max(len(said.terms), 1))
    fits = np.flatnonzero((have > 1) & (have * said.count > said.times[term] * sizes[number]))
    number, term, have = number[fits], term[fits], have[fits]
    score, left = 2 * have / (sizes[number] + said.times[term]), np.arange(len(fits))
    for values in (score, have, term):  # the best score; of equal ones what more members have; then the later term
        starts = np.flatnonzero(np.diff(number[left], prepend=-1))
        best = np.maximum.reduceat(values[left], starts)
        left = left[values[left] == np.repeat(best, np.diff(starts, append=len(left)))]
    return number[left], term[left], score[left]


def by_looks(
    centroids: NDArray[np.float32],
    words: Sequence[str],
    word_vectors: NDArray[np.float32],
    numbers: Sequence[int] | None = None,
) -> list[NameSuggestion | None]:
    """The word each of (k, d) centroids, or these m of them, looks most like, among (m, d) vectors of words; all of
    unit length.

    What all clusters have in common with a word says nothing of any one, so its mean over the clusters is taken off.
    The confidence is the word's share in a softmax at CLIP's temperature.
    """
    wanted = np.arange(len(centroids)) if numbers is None else np.asarray(numbers, np.int64)
    if not len(words) or not len(wanted):
        return [None] * len(wanted)
    usual = centroids.mean(axis=0) @ word_vectors.T if len(centroids) > 2 else np.float32(0)
    best, share = np.empty(len(wanted), np.int64), np.empty(len(wanted), np.float32)
    for start in range(0, len(wanted), BLOCK_CLUSTERS):
        some = slice(start, start + BLOCK_CLUSTERS)
        relative = centroids[wanted[some]] @ word_vectors.T - usual
        best[some] = relative.argmax(axis=1)
        share[some] = 1 / np.exp((relative - relative.max(axis=1, keepdims=True)) / TEMPERATURE).sum(axis=1)
    names = [_capital(word) for word in words]
    return [
        NameSuggestion(names[b], confidence, "looks")
        for b, confidence in zip(best.tolist(), share.tolist(), strict=True)
    ]


def _capital(term: str) -> str:
    return term[:1].upper() + term[1:]


def enough(written: NameSuggestion | None) -> bool:
    """Whether what people wrote fits well enough, however a cluster looks."""
    return written is not None and written.confidence >= WRITTEN_ENOUGH


def suggest(
    written: Sequence[NameSuggestion | None], looked: Sequence[NameSuggestion | None]
) -> list[NameSuggestion | None]:
    """What people wrote where it fits well enough, otherwise what the pictures look like."""
    return [words if enough(words) else looks or words for words, looks in zip(written, looked, strict=True)]


def common_words() -> list[str]:
    """Everyday things that photographs show, from data/vocabulary.txt."""
    return VOCABULARY.read_text(encoding="utf-8").split("\n")[:-1]


def vocabulary(said: Iterable[frozenset[str]], common: Sequence[str], most: int = 600) -> list[str]:
    """Words to compare looks with: the collection's own, the most frequent first, then common ones."""
    times = Counter(term for words in said for term in words)
    own = sorted((term for term in times if times[term] > 1), key=lambda term: (-times[term], term))
    return list(dict.fromkeys([*own[: most // 2], *common]))[:most]
